/* SPDX-License-Identifier: ISC */
/* Penalties by a clock of the test's own. */
#include "role/penalty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MINUTE	60000ull

static struct penalty	*p;
static uint64_t		 now;

static int
setup(void **state)
{
	(void)state;
	now = 1000000;
	p = penalty_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	penalty_free(p);
	return 0;
}

static struct penalty_case
of(unsigned a, unsigned b, const char *user, unsigned password)
{
	struct sock_addr	peer = { .family = 4, .raw = { 192, 0,
				    (uint8_t)a, (uint8_t)b } };
	struct penalty_case	c;
	char			text[20];

	(void)snprintf(text, sizeof(text), "%u", password);
	penalty_case(p, &peer, span_str(user), span_str(text), &c);
	return c;
}

static unsigned
wrong(unsigned a, unsigned b, const char *user, unsigned password)
{
	struct penalty_case c = of(a, b, user, password);

	return penalty_wrong(p, &c, now);
}

static bool
judged(unsigned a, unsigned b, const char *user)
{
	struct penalty_case c = of(a, b, user, 1);

	return penalty_judged(p, &c, now);
}

/* Three are free, then it doubles; in time, it is forgotten. */
static void
address(void **state)
{
	static const unsigned	want[] = { 0, 0, 0, 1, 2, 3, 3 };
	char			user[20];

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		(void)snprintf(user, sizeof(user), "u%u", i);
		assert_int_equal(wrong(2, 7, user, i), want[i]);
		now += 1000;
	}
	assert_int_equal(wrong(2, 8, "x", 1), 0);	/* a neighbour */
	now += 60 * MINUTE;
	assert_int_equal(wrong(2, 7, "x", 2), 0);
}

static void
same_guess(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(wrong(2, 7, "ann", 1), 0);
		now += 1000;
	}
	/* Nor does it lower what others have done. */
	for (unsigned i = 2; i < 9; i++)
		(void)wrong(2, 7, "ann", i);
	assert_int_equal(wrong(2, 7, "ann", 1), 3);
}

static void
network(void **state)
{
	char user[20];

	(void)state;
	for (unsigned i = 0; i < 24; i++) {
		(void)snprintf(user, sizeof(user), "u%u", i);
		assert_int_equal(wrong(2, i, user, i), 0);
	}
	assert_int_equal(wrong(2, 99, "x", 1), 1);
	assert_int_equal(wrong(3, 99, "x", 1), 0);
}

/* From everywhere, for one user: known or not is not asked here at all. */
static void
user(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(wrong(i, i, "ann", i), 0);
	assert_int_equal(wrong(50, 1, "ann", 9), 1);
	assert_int_equal(wrong(51, 1, "bob", 9), 0);
}

static void
device(void **state)
{
	struct penalty_case c = of(2, 7, "ann", 1);
	struct penalty_case d = of(2, 7, "bob", 1);

	(void)state;
	penalty_right(p, &c, now);
	for (unsigned i = 2; i < 20; i++)
		assert_int_equal(wrong(2, 7, "ann", i), 0);
	assert_int_equal(wrong(2, 7, "bob", 1), 3);
	penalty_until(p, &d, now + 5000);
	assert_false(judged(2, 7, "bob"));
	assert_true(judged(2, 7, "ann"));	/* it has logged in here */
	assert_false(judged(2, 7, "eve"));
	assert_true(judged(2, 8, "bob"));
	now += 5000;
	assert_true(judged(2, 7, "bob"));
	now += 15 * 24 * 60 * MINUTE;
	assert_int_equal(wrong(2, 7, "eve", 1), 0);
}

/* A million others do not wash an attacker away, nor a device. */
static void
flood(void **state)
{
	struct penalty_case	c = of(9, 9, "ann", 1);
	char			name[20];

	(void)state;
	penalty_right(p, &c, now);
	for (unsigned i = 0; i < 9; i++)
		(void)wrong(2, 7, "bob", i);
	for (unsigned i = 0; i < 1000000; i++) {
		(void)snprintf(name, sizeof(name), "u%u", i);
		(void)wrong(i >> 8 & 255, i & 255, name, i);
	}
	assert_int_equal(wrong(2, 7, "other", 1), 3);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(wrong(9, 9, "ann", i), 0);
}

static void
own_host(void **state)
{
	struct sock_addr	peers[] = {
		{ .family = 4, .raw = { 127, 0, 0, 1 } },
		{ .family = 6, .raw = { [15] = 1 } },
		{ .family = 0 },
	};
	struct penalty_case	c;
	char			name[20];

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "u%u", i);
		penalty_case(p, &peers[i % 3], span_str(name), SPAN("x"), &c);
		assert_int_equal(penalty_wrong(p, &c, now), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(address, setup, teardown),
		cmocka_unit_test_setup_teardown(same_guess, setup, teardown),
		cmocka_unit_test_setup_teardown(network, setup, teardown),
		cmocka_unit_test_setup_teardown(user, setup, teardown),
		cmocka_unit_test_setup_teardown(device, setup, teardown),
		cmocka_unit_test_setup_teardown(flood, setup, teardown),
		cmocka_unit_test_setup_teardown(own_host, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

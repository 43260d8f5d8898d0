/* SPDX-License-Identifier: ISC */
#include "role/gauges.h"
#include "sys/test_fork.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sock_addr
v4(uint8_t last)
{
	return (struct sock_addr){ .family = 4, .raw = { 192, 0, 2, last } };
}

static void
test_counts(void **state)
{
	struct fault		 f;
	struct tally		*t = tally_new(3, 100, &f);
	struct sock_addr	 a = v4(1);
	struct sock_addr	 b = v4(2);
	struct sock_addr	 none = { .family = 0 };
	struct sock_addr	 six = { .family = 6, .raw = { 0x20, 1, 13 } };
	struct sock_addr	 neighbour = six;

	(void)state;
	assert_non_null(t);
	tally_add(t, 0, &a, 1);
	tally_add(t, 1, &a, 1);
	tally_add(t, 2, &b, 1);
	tally_add(t, 2, &none, 1);
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &a), 2);
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &b), 1);
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &none), 0);
	tally_add(t, 1, &a, -1);
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &a), 1);
	/* Of IPv6 the network of 64 bits counts. */
	neighbour.raw[15] = 7;
	tally_add(t, 0, &six, 1);
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &neighbour), 1);
	neighbour.raw[7] = 7;
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &neighbour), 0);
	tally_clear(t, 0);
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &a), 0);
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &b), 1);
	tally_free(t);
}

static int
in_child(struct tally *t, size_t row)
{
	struct sock_addr	a = v4(9);
	struct fault		f;
	int			status;
	pid_t			pid = test_fork();

	if (pid == 0) {
		if (tally_own(t, 1, &f) != 0)
			_exit(1);
		(void)signal(SIGSEGV, SIG_DFL);
		tally_add(t, row, &a, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Another process's row can be read, and that is all. */
static void
test_rows(void **state)
{
	struct fault		 f;
	struct tally		*t = tally_new(3, 100, &f);
	struct sock_addr	 a = v4(9);
	int			 status;

	(void)state;
	assert_int_equal(in_child(t, 1), 0);
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &a), 1);
	status = in_child(t, 2);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &a), 1);
	tally_free(t);
}

static void
test_networks(void **state)
{
	static const struct {
		uint8_t		family;
		uint8_t		octet;	/* in which the other one differs */
		unsigned	address;
		unsigned	network;
	} cases[] = {
		{ 4, 2, 0, 0 }, { 4, 3, 0, 1 },
		{ 6, 5, 0, 0 }, { 6, 6, 0, 1 }, { 6, 7, 0, 1 }, { 6, 8, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fault		 f;
		struct tally		*t = tally_new(2, 100, &f);
		struct sock_addr	 a = { .family = cases[i].family,
					    .raw = { 1, 2, 3, 4, 5, 6, 7, 8 } };
		struct sock_addr	 b = a;

		b.raw[cases[i].octet] ^= 0x40;
		tally_add(t, 0, &a, 1);
		tally_add(t, 1, &a, 1);
		assert_int_equal(tally_count(t, TALLY_ADDRESS, &b),
		    2 * cases[i].address);
		assert_int_equal(tally_count(t, TALLY_NETWORK, &b),
		    2 * cases[i].network);
		tally_add(t, 1, &a, -1);
		tally_clear(t, 0);
		assert_int_equal(tally_count(t, TALLY_NETWORK, &a), 0);
		tally_free(t);
	}
}

static void
test_gauges(void **state)
{
	const struct role_settings r = {
		.max_sessions = 9, .max_strangers = 8,
		.max_sessions_per_address = 7, .max_sessions_per_network = 6,
	};
	struct limit_log	 log[2] = { { .refused = NULL } };
	struct gauge		 g[LIMITS];
	struct sock_addr	 a = v4(1);
	struct sock_addr	 b = v4(2);
	struct fault		 f;
	struct tally		*t = tally_new(3, 100, &f);

	(void)state;
	tally_add(t, 1, &a, 1);
	tally_add(t, 2, &a, 1);
	tally_add(t, 2, &b, 1);
	tally_add(t, TALLY_MASTER, &b, 1);	/* a session */
	tally_add(t, TALLY_MASTER, &b, 1);
	for (size_t i = 0; i < 2; i++) {
		log[i].refused = tally_refused(t, i + 1);
		limit_reached(&log[i], LIMIT_ADDRESS, &a);
	}
	limit_reached(&log[0], LIMIT_COMMANDS, &b);
	tally_clear(t, 2);
	assert_int_equal(tally_rows(t), 3);
	gauges_read(&r, t, 5, g);
	assert_int_equal(g[LIMIT_SESSIONS].now, 5);
	assert_int_equal(g[LIMIT_SESSIONS].most, 9);
	assert_int_equal(g[LIMIT_STRANGERS].now, 1);
	assert_int_equal(g[LIMIT_ADDRESS].now, 2);
	assert_int_equal(g[LIMIT_NETWORK].now, 3);
	assert_int_equal(g[LIMIT_NETWORK].most, 7);
	assert_int_equal(g[LIMIT_ADDRESS].refused, 2);
	assert_int_equal(g[LIMIT_COMMANDS].refused, 1);
	assert_int_equal(g[LIMIT_COMMANDS].most, 0);
	assert_string_equal(g[LIMIT_LOGIN_TIME].name, "login_timeout");
	for (size_t i = 0; i < LIMITS; i++)
		assert_non_null(g[i].name);
	tally_free(t);
}

/* Whatever a process writes into its row: no other count becomes smaller, and it
 * is found out before it has locked out many. */
static void
test_false_row(void **state)
{
	struct fault		 f;
	struct tally		*t = tally_new(2, 100, &f);
	struct sock_addr	 a = v4(9);
	unsigned		 n = 0;

	(void)state;
	tally_add(t, 0, &a, 1);
	tally_add(t, 1, &a, -1);		/* 2^32 - 1 */
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &a), 101);
	assert_false(tally_lies(t, 1));
	while (!tally_lies(t, 1)) {
		struct sock_addr o = { .family = 4, .raw = { 10, 0,
		    (uint8_t)(n >> 8), (uint8_t)n } };

		tally_add(t, 1, &o, 20);	/* one that is locked out */
		assert_true(n++ < 200);
	}
	assert_false(tally_lies(t, 0));
	tally_clear(t, 1);
	assert_int_equal(tally_count(t, TALLY_ADDRESS, &a), 1);
	free(t);
}

/* Who comes and goes while it is looked at makes nobody a liar. */
static void
test_true_row(void **state)
{
	struct fault	 f;
	struct tally	*t = tally_new(1, 100, &f);
	pid_t		 pid = test_fork();
	int		 status;

	(void)state;
	for (uint32_t i = 0; pid == 0; i++) {
		struct sock_addr o = { .family = 4 };

		memcpy(o.raw, &i, sizeof(i));
		tally_add(t, 0, &o, 1);
		if (i >= 100) {
			i -= 100;
			memcpy(o.raw, &i, sizeof(i));
			i += 100;
			tally_add(t, 0, &o, -1);
		}
		if (i % 64 == 0)
			(void)usleep(10);
	}
	for (int i = 0; i < 2000; i++)
		assert_false(tally_lies(t, 0));
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(t);
}

/* Who is within keeps it open, and nobody comes behind it. */
static void
test_shut(void **state)
{
	struct fault	 f;
	struct tally	*t = tally_new(3, 100, &f);

	(void)state;
	assert_true(tally_enter(t, 1));
	assert_true(tally_enter(t, 2));
	assert_false(tally_shut(t));
	assert_true(tally_enter(t, 1));
	tally_exit(t, 1);
	tally_exit(t, 1);
	assert_false(tally_shut(t));
	tally_clear(t, 2);			/* it has died */
	assert_true(tally_shut(t));
	for (size_t i = 1; i < 3; i++)
		assert_false(tally_enter(t, i));
	assert_true(tally_shut(t));
	tally_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_gauges),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_false_row),
		cmocka_unit_test(test_true_row),
		cmocka_unit_test(test_shut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

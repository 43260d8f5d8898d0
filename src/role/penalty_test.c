/* SPDX-License-Identifier: ISC */
/* Penalties by a clock of the test's own. */
#include "role/penalty.h"

#include "sys/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MINUTE	60000ull
#define MOST	(2 * MINUTE)	/* longer than anything here waits */

static struct penalty	*p;
static uint64_t		 now;

static int
setup(void **state)
{
	struct fault f;

	(void)state;
	now = 1000000;
	p = penalty_new(&f);
	penalty_join(p, 1, MOST);
	return p == NULL;
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
	struct penalty_case d = of(2, 7, "bob", 2);

	(void)state;
	penalty_right(p, &c, now);
	for (unsigned i = 2; i < 20; i++)
		assert_int_equal(wrong(2, 7, "ann", i), 0);
	assert_int_equal(wrong(2, 7, "bob", 1), 3);
	assert_int_equal(penalty_wrong(p, &d, now), 3);
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

/* ---- who hangs up before he is told ---- */

#define DELAY_MS	3000ull		/* as auth does it: the defaults */
#define TIMEOUT_MS	30000ull
#define GUESS_MS	50		/* between two */
#define WORKERS		4

static void
tell_wrong(struct penalty_case *c, uint64_t asked)
{
	unsigned n = penalty_wrong(p, c, now);
	uint64_t delay = DELAY_MS << n;

	if (n > 0)
		penalty_until(p, c, asked + (delay < TIMEOUT_MS ? delay :
		    TIMEOUT_MS));
}

/* Of an hour's guesses from so many networks and addresses in each, all for ann
 * (but the first ones, when they are few): how many were judged.  WORKERS are judged at a time, each
 * for a while.  meanwhile: can these log in, at any moment? */
static unsigned
hour(unsigned networks, unsigned addresses, bool (*meanwhile)(void))
{
	struct {
		struct penalty_case	c;
		uint64_t		asked;
		bool			busy;
	} w[WORKERS] = { 0 };
	uint64_t	end = now + 60 * MINUTE;
	unsigned	first = networks * addresses > 500 ? 0 :
			    4 * networks * addresses;
	unsigned	hits = 0;
	unsigned	i;

	for (i = 0; now < end; i++, now += GUESS_MS) {
		size_t k = i % WORKERS;
		char name[20] = "ann";

		if (w[k].busy)
			tell_wrong(&w[k].c, w[k].asked);
		/* Their addresses are slow before their user is. */
		if (i < first)
			(void)snprintf(name, sizeof(name), "u%u", i);
		w[k].c = of(100 + i % networks, 1 + i / networks % addresses,
		    name, 1000000 + i);
		w[k].asked = now;
		w[k].busy = penalty_judged(p, &w[k].c, now);
		if (w[k].busy)
			penalty_begin(p, &w[k].c, now, now + TIMEOUT_MS);
		hits += w[k].busy && i >= first;
		if (meanwhile != NULL && i % 16 == 0 && !meanwhile())
			fail_msg("after %u guesses, %u of them judged", i, hits);
	}
	print_message("%u networks of %u addresses: %u judged in an hour\n",
	    networks, addresses, hits);
	return hits;
}

static bool
others_are_judged(void)
{
	return judged(3, 3, "ann") && judged(3, 3, "bob");
}

static bool
ann_is_judged_where_she_is_known(void)
{
	return judged(9, 9, "ann") && judged(9, 10, "ann") &&
	    judged(3, 3, "bob");
}

/* It slows down itself, and nobody else, not even its user. */
static void
guesser_with_an_address(void **state)
{
	(void)state;
	assert_in_range(hour(1, 1, others_are_judged), 100, 200);
}

static bool
only_its_network_waits(void)
{
	return others_are_judged() && judged(100, 250, "zoe");
}

static void
known(unsigned a, unsigned b, const char *user)
{
	struct penalty_case c = of(a, b, user, 1);

	penalty_right(p, &c, now);
}

/* The end of one that was judged; its refusal is told in three seconds or more. */
static void
guess(unsigned a, unsigned b, const char *user, unsigned password)
{
	struct penalty_case c = of(a, b, user, password);

	tell_wrong(&c, now);
}

static void
guesser_with_a_network(void **state)
{
	(void)state;
	known(100, 250, "zoe");
	assert_in_range(hour(1, 200, only_its_network_waits), 100, 300);
	for (unsigned i = 0; i < 30; i++)
		guess(100, i, "bob", i);
	assert_false(judged(100, 240, "eve"));
	assert_false(judged(100, 240, "zoe"));	/* known, but not there */
	assert_true(judged(100, 250, "zoe"));
	assert_true(judged(3, 3, "bob"));
}

/* From where ann never was she must try again. */
static void
guesser_with_many_networks(void **state)
{
	(void)state;
	known(9, 9, "ann");
	assert_in_range(hour(5, 40, ann_is_judged_where_she_is_known), 100, 400);
	assert_in_range(hour(150, 200, ann_is_judged_where_she_is_known), 100,
	    400);
	for (unsigned i = 0; i < 40; i++)
		guess(100 + i, 1, "ann", i);
	assert_false(judged(3, 3, "ann"));
	assert_true(judged(3, 3, "bob"));
	assert_true(judged(9, 200, "ann"));
	now += 60 * MINUTE;
	assert_true(judged(3, 3, "ann"));
}

/* An old password, sent from a network that is too much already, prolongs
 * nothing. */
static void
same_guess_makes_nobody_wait(void **state)
{
	(void)state;
	guess(2, 200, "bob", 1);
	for (unsigned i = 0; i < 30; i++)
		(void)wrong(2, i, "ann", i);
	guess(2, 200, "bob", 1);
	assert_true(judged(2, 201, "eve"));
	guess(2, 200, "bob", 2);
	assert_false(judged(2, 201, "eve"));
}

/* Where one more would be too much, one is judged at a time. */
static void
one_at_a_time(void **state)
{
	struct penalty_case c = of(2, 7, "ann", 4);

	(void)state;
	known(2, 7, "zoe");
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(judged(2, 7, "ann"));
		penalty_begin(p, &c, now, now + TIMEOUT_MS);
		assert_true(judged(2, 7, "ann"));
		guess(2, 7, "ann", i);
	}
	assert_true(judged(2, 7, "ann"));
	penalty_begin(p, &c, now, now + TIMEOUT_MS);
	assert_false(judged(2, 7, "ann"));
	assert_true(judged(2, 7, "zoe"));
	penalty_right(p, &c, now);
	assert_true(judged(2, 7, "eve"));
	c = of(2, 7, "eve", 4);
	penalty_begin(p, &c, now, now + TIMEOUT_MS);
	now += TIMEOUT_MS;			/* nobody could say */
	assert_true(judged(2, 7, "bob"));
	c = of(2, 7, "zoe", 1);
	penalty_begin(p, &c, now, now + TIMEOUT_MS);
	assert_true(judged(2, 7, "bob"));	/* a device stands for itself */
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

/* A user who logs in from as many networks as a /48 has does not make those of
 * others unknown. */
static void
traveller(void **state)
{
	struct penalty_case	c = of(2, 7, "ann", 1);
	struct penalty_view	view;

	(void)state;
	penalty_right(p, &c, now);
	for (unsigned i = 0; i < 200000; i++) {
		struct sock_addr	from = { .family = 6, .raw = { 0x20, 1,
					    0, 1, 0, (uint8_t)(i >> 16),
					    (uint8_t)(i >> 8), (uint8_t)i } };
		struct penalty_case	own;

		now++;
		penalty_case(p, &from, SPAN("mallory"), SPAN("x"), &own);
		penalty_right(p, &own, now);
		penalty_look(p, &own, now, &view);
		assert_true(view.device && view.near);
	}
	penalty_look(p, &c, now, &view);
	assert_true(view.device && view.near);
	penalty_right(p, &c, now);
	penalty_look(p, &c, now, &view);
	assert_true(view.device && view.near);
}

/* An operator sees what is known, and forgives. */
static void
looked_at(void **state)
{
	struct penalty_case	c = of(2, 7, "eve", 1);
	struct penalty_view	v;
	struct penalty_sum	sum;

	(void)state;
	penalty_look(p, &c, now, &v);
	assert_int_equal(v.failures[0] + v.failures[1] + v.failures[2], 0);
	assert_int_equal(v.doublings, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(wrong(2, 7, "eve", i), 0);
	penalty_look(p, &c, now, &v);
	assert_int_equal(v.failures[0], 3);
	assert_int_equal(v.failures[1], 3);
	assert_int_equal(v.failures[2], 3);
	assert_int_equal(v.doublings, 1);
	c = of(2, 7, "eve", 4);
	assert_int_equal(penalty_wrong(p, &c, now), v.doublings);
	penalty_until(p, &c, now + 5000);
	penalty_look(p, &c, now, &v);
	assert_int_equal(v.until_ms, now + 5000);
	penalty_count(p, now, &sum);
	assert_int_equal(sum.scores, 3);
	assert_int_equal(sum.waiting, 1);
	assert_int_equal(sum.known, 0);
	assert_int_equal(sum.delayed[PENALTY_ADDRESS], 1);
	assert_int_equal(sum.delayed[PENALTY_NETWORK], 0);
	assert_int_equal(sum.delayed[PENALTY_USER], 0);
	c = of(2, 7, "eve", 5);
	penalty_right(p, &c, now);
	penalty_look(p, &c, now, &v);
	assert_true(v.device && v.near);
	assert_int_equal(v.doublings, 0);
	assert_int_equal(v.until_ms, 0);
	c.device = c.near = 0;
	penalty_look(p, &c, now, &v);
	assert_false(v.device || v.near);
	assert_int_equal(v.until_ms, now + 5000);
	penalty_count(p, now + 60 * MINUTE, &sum);
	assert_int_equal(sum.scores, 0);
	assert_int_equal(sum.waiting, 0);
	assert_int_equal(sum.delayed[PENALTY_ADDRESS], 0);
	assert_int_equal(sum.known, 2);
}

static void
forgiven(void **state)
{
	struct penalty_case	c = of(2, 8, "mal", 99);
	struct penalty_case	of_user = c;
	struct penalty_view	v;

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		(void)wrong(2, 8, "mal", i);
	assert_int_equal(penalty_wrong(p, &c, now), 3);
	penalty_until(p, &c, now + 5000);
	assert_false(judged(2, 8, "mal"));
	of_user.key[PENALTY_ADDRESS] = of_user.key[PENALTY_NETWORK] = 0;
	penalty_clear(p, &of_user);
	assert_false(judged(2, 8, "mal"));
	penalty_look(p, &c, now, &v);
	assert_int_equal(v.failures[0], 10);
	assert_int_equal(v.failures[2], 0);
	c.key[PENALTY_USER] = 0;
	penalty_clear(p, &c);
	assert_true(judged(2, 8, "mal"));
	penalty_look(p, &c, now, &v);
	assert_int_equal(v.failures[0] + v.failures[1], 0);
}

static unsigned
failures(unsigned a, unsigned b, const char *user, enum penalty_level of_what)
{
	struct penalty_case	c = of(a, b, user, 1);
	struct penalty_view	v;

	penalty_look(p, &c, now, &v);
	return v.failures[of_what];
}

static void
log_in(unsigned a, unsigned b, const char *user)
{
	struct penalty_case c = of(a, b, user, 1);

	penalty_right(p, &c, now);
}

/* In a process of its own, by the name `who`; its pid. */
static pid_t
elsewhere(uint32_t who, void (*work)(unsigned seed), unsigned seed)
{
	struct fault	f;
	pid_t		pid = spawn_fork(&f);

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	penalty_join(p, who, MOST);
	work(seed);
	spawn_exit(0);
}

static void
ended(pid_t pid, int with)
{
	int status = -1;

	assert_int_equal(spawn_wait(pid, 60000, &status), 1);
	assert_int_equal(status, with);
}

/* Each guess is another one. */
static void
guess_much(unsigned seed)
{
	for (unsigned i = 0; i < 3000; i++)
		(void)wrong(2, seed, "ann", seed * 100000 + i);
}

/* Not one failure is lost. */
static void
several_at_a_time(void **state)
{
	pid_t pids[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		pids[i] = elsewhere(10 + i, guess_much, 1 + i);
	for (unsigned i = 0; i < 3; i++)
		ended(pids[i], 0);
	assert_int_equal(failures(2, 1, "ann", PENALTY_ADDRESS), 3000);
	assert_int_equal(failures(2, 1, "ann", PENALTY_NETWORK), 9000);
	assert_int_equal(failures(2, 1, "ann", PENALTY_USER), 9000);
}

/* Until it is killed: more scores than there is room for, so that they push each
 * other out; devices, which are all as old, are few. */
static void
work_for_ever(unsigned seed)
{
	char name[20];

	for (unsigned i = seed;; i++) {
		bool			right = i % 3 == 0;
		struct penalty_case	c;

		(void)snprintf(name, sizeof(name), "u%u", i %
		    (right ? 300 : 100000));
		c = of(2, i % 200, name, i);
		if (penalty_judged(p, &c, now))
			penalty_begin(p, &c, now, now + 1000);
		if (right)
			penalty_right(p, &c, now);
		else if (penalty_wrong(p, &c, now) > 0)
			penalty_until(p, &c, now + 1000);
	}
}

/* At whatever moment that is: nobody waits for it, and who had nothing to do with
 * it is who he was. */
static void
killed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++)
		(void)wrong(78, 8, "other", i);
	log_in(77, 7, "known");
	for (uint32_t i = 0; i < 300; i++) {
		pid_t pid = elsewhere(1000 + i, work_for_ever, i * 991);

		clock_sleep(1 + i % 3);
		spawn_kill(pid);
		ended(pid, 128 + 9);
		penalty_left(p, 1000 + i);
		assert_true(judged(77, 7, "known"));
		assert_int_equal(failures(77, 7, "known", PENALTY_ADDRESS), 0);
		assert_int_equal(failures(77, 7, "known", PENALTY_USER), 0);
		assert_int_equal(failures(78, 8, "other", PENALTY_ADDRESS), 500);
		assert_int_equal(failures(79, 9, "none", PENALTY_NETWORK), 0);
	}
	assert_int_equal(wrong(78, 8, "other", 500), 3);
	now += MOST;
	assert_true(judged(2, 9, "u9"));
}

/* A shorter time of new settings is for those who wait already. */
static void
other_settings(void **state)
{
	struct penalty_case c = of(2, 8, "mal", 99);

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		(void)wrong(2, 8, "mal", i);
	assert_int_equal(penalty_wrong(p, &c, now), 3);
	penalty_until(p, &c, now + MINUTE);
	penalty_join(p, 2, 5000);
	now += 1000;
	assert_false(judged(2, 8, "mal"));
	now += 4999;
	assert_false(judged(2, 8, "mal"));
	now += 1;
	assert_true(judged(2, 8, "mal"));
	assert_int_equal(failures(2, 8, "mal", PENALTY_ADDRESS), 10);
}

/* Of somebody whose clock was wrong, or who lied. */
static void
nonsense(void **state)
{
	struct penalty_case	c = of(2, 8, "mal", 99);
	uint64_t		today = now;

	(void)state;
	now += 1000 * MINUTE;
	for (unsigned i = 0; i < 40; i++)
		(void)wrong(2, 8, "mal", i);
	assert_int_equal(penalty_wrong(p, &c, now), 3);
	penalty_until(p, &c, UINT64_MAX);
	log_in(3, 3, "ann");
	now = today;
	assert_int_equal(failures(2, 8, "mal", PENALTY_ADDRESS), 0);
	assert_false(judged(2, 8, "mal"));	/* not for ever */
	now += MOST;
	assert_true(judged(2, 8, "mal"));
	assert_int_equal(wrong(2, 8, "mal", 100), 0);
	assert_int_equal(failures(2, 8, "mal", PENALTY_ADDRESS), 1);
	c = of(3, 3, "ann", 1);
	assert_int_equal(penalty_wrong(p, &c, now), 0);
	for (unsigned i = 0; i < 20; i++)
		(void)wrong(3, 3, "ann", i + 2);
	assert_int_equal(wrong(3, 3, "ann", 1000), 3);	/* not a device */
}

/* Another process has seen the clock, and the lock, a moment later. */
static void
a_moment_later(void **state)
{
	(void)state;
	now += 3;
	log_in(3, 3, "ann");
	for (unsigned i = 0; i < 8; i++)
		(void)wrong(3, 3, "eve", i);
	now -= 3;
	assert_int_equal(wrong(3, 3, "ann", 1000), 0);	/* a device */
	assert_int_equal(failures(3, 3, "eve", PENALTY_USER), 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(several_at_a_time, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(killed, setup, teardown),
		cmocka_unit_test_setup_teardown(other_settings, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(a_moment_later, setup, teardown),
		cmocka_unit_test_setup_teardown(address, setup, teardown),
		cmocka_unit_test_setup_teardown(same_guess, setup, teardown),
		cmocka_unit_test_setup_teardown(network, setup, teardown),
		cmocka_unit_test_setup_teardown(user, setup, teardown),
		cmocka_unit_test_setup_teardown(device, setup, teardown),
		cmocka_unit_test_setup_teardown(guesser_with_an_address, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(guesser_with_a_network, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(guesser_with_many_networks, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(same_guess_makes_nobody_wait,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(flood, setup, teardown),
		cmocka_unit_test_setup_teardown(traveller, setup, teardown),
		cmocka_unit_test_setup_teardown(own_host, setup, teardown),
		cmocka_unit_test_setup_teardown(looked_at, setup, teardown),
		cmocka_unit_test_setup_teardown(forgiven, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * When who is refused hears so, and who must wait for that: the delays and penalties
 * of the authenticator.
 */
#include "role/auth_stage_test.h"

/* In its turn, unless a worker was late. */
static void
expect_no(int front, uint64_t sid)
{
	uint64_t got_sid = 0;

	assert_int_equal(hear(front, LONG_MS, &got_sid), 'n');
	late = late || got_sid != sid;
}

static void
logins(void)
{
	uint64_t start;

	begin(true);
	log_in(0, 11);
	log_in(1, 12);
	start = clock_ms();
	check(0, 13, "ann", "looking-glass");
	check(1, 14, "nobody", "wonderland");
	check(1, 15, "bob", "builder");
	expect_admit(1, 15, "bob");
	(void)usleep(2000);
	check(1, 16, "-x", "x");
	log_in(0, 17);			/* waits for none of them */
	late = late || clock_ms() - start >= delay_ms / 2;
	expect_no(0, 13);
	expect_no(1, 14);
	expect_no(1, 16);
	expect_taken(clock_ms() - start, delay_ms, 200);
	end();
	assert_int_equal(count(" user=ann ip=127.0.0.1 "), 1);
	if (count("sid=00000000000e") != 1)
		fail_msg("%s", seen);
	assert_int_equal(count("reason=unknown-user"), 1);
	assert_int_equal(count("misbehaved"), 0);
}

/* Who gets in does at once; who does not hears it at a fixed time. */
static void
test_logins(void **state)
{
	in_time(state, logins);
}

static void
times(void)
{
	uint64_t start[20];
	uint64_t sid;

	begin(true);
	log_in(0, 99);
	for (uint64_t i = 0; i < ARRAY_LEN(start); i++) {
		start[i] = clock_ms();
		check((int)(i % FRONTS), i + 1, i % 3 == 0 ? "ann" : "eve", "x");
		(void)usleep(30000);
	}
	for (uint64_t i = 0; i < ARRAY_LEN(start); i++) {
		assert_int_equal(hear((int)(i % FRONTS), LONG_MS, &sid), 'n');
		/* Whose worker was late is answered after the next one. */
		late = late || sid != i + 1;
		assert_in_range(sid, 1, ARRAY_LEN(start));
		expect_taken(clock_ms() - start[sid - 1], delay_ms, LATE_MS);
	}
	end();
}

/* Every answer has its own time. */
static void
test_times(void **state)
{
	in_time(state, times);
}

static void
expect_after(int front, char answer, uint64_t sid, uint64_t start, uint64_t ms)
{
	expect(front, answer, sid);
	expect_taken(clock_ms() - start, ms, LATE_MS);
}

static void
penalties(void)
{
	uint64_t start;

	begin(true);
	log_in(0, 99);			/* they have begun */
	come_from(192, 0, 2, 7);
	start = clock_ms();
	check(0, 1, "ann", "1");
	(void)usleep(2000);
	check(0, 2, "bob", "2");
	(void)usleep(2000);
	check(0, 3, "eve", "3");
	expect_after(0, 'n', 1, start, delay_ms);
	expect_after(0, 'n', 2, start, delay_ms);
	expect_after(0, 'n', 3, start, delay_ms);
	start = clock_ms();
	check(0, 4, "ann", "4");
	(void)usleep(100000);
	check(1, 5, "ann", "wonderland");
	expect_outcome(1, 5, 'e');
	if (late) {
		end();
		return;
	}
	expect_taken(clock_ms() - start, 100 + delay_ms, LATE_MS);
	expect_after(0, 'n', 4, start, 2 * delay_ms);
	assert_int_equal(count("login-failed"), 4);
	assert_int_equal(count("login-unjudged"), 1);
	assert_int_equal(count("login-delayed"), 1);
	log_in(0, 6);
	start = clock_ms();
	check(0, 7, "zoe", "5");	/* she may be known or not */
	(void)usleep(200000);		/* the next one's failure is later */
	check(1, 8, "ann", "6");
	expect_after(1, 'n', 8, start + 200, delay_ms);
	log_in(0, 9);			/* while zoe waits */
	expect_after(0, 'n', 7, start, 4 * delay_ms);
	end();
}

/* Who guesses waits longer, and is not judged meanwhile; who has logged in from
 * there is. */
static void
test_penalties(void **state)
{
	in_time(state, penalties);
}

static void
outliving(void)
{
	uint64_t start;

	begin(true);
	come_from(192, 0, 2, 7);
	log_in(0, 1);
	for (uint64_t i = 2; i <= 4; i++) {
		check(0, i, "eve", i == 2 ? "2" : i == 3 ? "3" : "4");
		expect(0, 'n', i);
	}
	assert_int_equal(kill(it.auth, SIGKILL), 0);
	end_with(SIGKILL);
	penalty_left(penalty, (uint32_t)it.auth);
	begin(true);
	start = clock_ms();
	check(0, 5, "zoe", "5");
	expect_after(0, 'n', 5, start, 2 * delay_ms);
	start = clock_ms();
	check(0, 6, "ann", "6");
	expect_after(0, 'n', 6, start, delay_ms);	/* has logged in from there */
	end();
}

/* The next auth knows what the one that was killed has seen. */
static void
test_penalties_outlive_auth(void **state)
{
	in_time(state, outliving);
}

/* A guess of its own, by any front; not the same number twice. */
static void
guess(const char *user, uint64_t number)
{
	char password[24];

	(void)snprintf(password, sizeof(password), "%llu",
	    (unsigned long long)number);
	check((int)(number % FRONTS), number, user, password);
}

/* What so many guesses were told, by either front: 'n' or 'e'. */
static void
count_answers(unsigned n, unsigned *no_r, unsigned *later_r)
{
	uint64_t end_ms = clock_ms() + LONG_MS;
	uint64_t sid;

	*no_r = *later_r = 0;
	while (*no_r + *later_r < n) {
		for (int i = 0; i < FRONTS; i++) {
			char c = hear(i, 5, &sid);

			*no_r += c == 'n';
			*later_r += c == 'e';
		}
		assert_true(clock_ms() < end_ms);
	}
}

static void
wait_failed(unsigned times)
{
	for (unsigned i = 0; i < LONG_MS && count("login-failed") < times; i++)
		(void)usleep(1000);
	assert_int_equal(count("login-failed"), times);
}

/* So many were judged, or more, since the first of those that wait was answered
 * before the last of them was asked. */
static void
expect_judged(unsigned no, unsigned later, unsigned want_no, unsigned want_later)
{
	late = no > want_no;
	if (!late) {
		assert_int_equal(no, want_no);
		assert_int_equal(later, want_later);
	}
}

static void
sharing(void)
{
	unsigned no, later;

	begin(true);
	log_in(0, 99);			/* they have begun */
	come_from(192, 0, 2, 7);
	for (uint64_t i = 1; i <= 3; i++) {
		guess("ann", i);
		wait_failed((unsigned)i);
	}
	for (uint64_t i = 4; i <= 12; i++)
		guess("eve", i);
	count_answers(12, &no, &later);
	expect_judged(no, later, 3 + 1, 8);
	wait_failed(no);
	end();
}

/* Whichever front it comes through; one at a time, where it is too much. */
static void
test_penalties_are_shared(void **state)
{
	in_time(state, sharing);
}

static void
network(void)
{
	unsigned no, later;

	begin(true);
	come_from(198, 51, 100, 200);
	log_in(0, 99);
	for (uint64_t i = 1; i <= 30; i++) {
		char user[24];

		if (i == 25)
			wait_failed(24);
		(void)snprintf(user, sizeof(user), "u%llu", (unsigned long long)i);
		come_from(198, 51, 100, (uint8_t)i);
		guess(user, i);
	}
	count_answers(30, &no, &later);
	expect_judged(no, later, 24 + 1, 5);
	come_from(198, 51, 101, 1);
	log_in(0, 101);
	come_from(198, 51, 100, 200);	/* she was here before */
	log_in(1, 102);
	end();
}

/* Each address is new: their network waits, nobody else. */
static void
test_penalties_of_a_network(void **state)
{
	in_time(state, network);
}

static void
of_a_user(void)
{
	begin(true);
	come_from(192, 0, 2, 7);
	log_in(0, 99);
	for (uint64_t i = 1; i <= 32; i++) {
		come_from(198, (uint8_t)i, 1, 1);
		guess("ann", i);
		wait_failed((unsigned)i);
	}
	come_from(198, 100, 1, 1);
	guess("ann", 33);
	wait_failed(33);
	come_from(198, 101, 1, 1);
	check(0, 34, "ann", "wonderland");
	expect_outcome(0, 34, 'e');
	if (late) {
		end();
		return;
	}
	come_from(192, 0, 2, 7);
	log_in(0, 101);
	come_from(192, 0, 2, 8);	/* another address of that network */
	log_in(1, 102);
	come_from(198, 102, 1, 1);
	check(0, 35, "bob", "builder");
	expect_admit(0, 35, "bob");
	end();
}

/* Each network is new: the user waits, but where she is known. */
static void
test_penalties_of_a_user(void **state)
{
	in_time(state, of_a_user);
}

/* Who says no name makes nobody wait who says none either. */
static void
test_penalties_of_nobody(void **state UNUSED)
{
	unsigned no, later;

	begin(true);
	for (uint64_t i = 1; i <= 34; i++) {
		come_from(198, (uint8_t)i, 1, 1);
		guess("", i);
		wait_failed((unsigned)i);
	}
	count_answers(34, &no, &later);
	assert_int_equal(no, 34);
	assert_int_equal(count("login-delayed"), 0);
	end();
}

/* By an address whose failures are too many, one of which is being judged: the link
 * to who does that.  Ann has logged in from there. */
static int
slow_down(void)
{
	int w = -1;

	come_from(192, 0, 2, 7);
	for (uint64_t i = 1; i <= 5; i++) {
		guess(i == 1 ? "ann" : "eve", i);
		if (i == 1)
			w = take_worker_of(0);
		take_question(w, i);
		if (i == 1) {
			grant(w);
			expect_admit(1, i, "ann");
		} else if (i < 5) {
			deny(w, 0);
			expect((int)(i % FRONTS), 'n', i);
		}
	}
	return w;
}

/* Whose an exchange is, is known when it has begun: who is known there has it judged,
 * whatever others guess; nobody else has. */
static void
test_exchange_where_others_guess(void **state UNUSED)
{
	int	busy, w;

	conf.role.auth_fail_delay_s = 0;
	conf.role.auth_timeout_s = LONG_MS / 1000;
	begin(false);
	busy = slow_down();
	begin_exchange(0, 6);
	w = take_worker_of(0);
	take_question(w, 6);
	challenge(w, 0, 6);
	begin_exchange(1, 7);
	take_question(w, 7);
	put_challenge(w, 7, "zoe");
	take_said(w, MSG_ABORT);
	expect(1, 'e', 7);
	respond(0, 6);
	take_said(w, MSG_RESPONSE);
	grant(w);
	expect_admit(0, 6, "ann");
	deny(busy, 0);
	expect(1, 'n', 5);
	end();
	fd_close(&busy);
	fd_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AS_ROOT(test_logins),
		AS_ROOT(test_times),
		AS_ROOT(test_penalties),
		AS_ROOT(test_penalties_outlive_auth),
		AS_ROOT(test_penalties_are_shared),
		AS_ROOT(test_penalties_of_a_network),
		AS_ROOT(test_penalties_of_a_user),
		AS_ROOT(test_penalties_of_nobody),
		AS_ROOT(test_exchange_where_others_guess),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

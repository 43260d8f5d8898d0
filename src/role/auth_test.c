/* SPDX-License-Identifier: ISC */
/*
 * Whom the authenticator asks what, and what it makes of the answers.
 */
#include "role/auth_stage_test.h"

#include "role/tokens.h"
#include "role/wire.h"
#include "role/worker.h"
#include "sys/test_fork.h"

/* Which worker is asked when, with a password file. */
static void
test_workers(void **state UNUSED)
{
	int	link[2];
	uint8_t	i;

	begin(false);
	check(0, 1, "a", "x");
	link[0] = take_worker();
	take_question(link[0], 1);
	(void)usleep(2000);
	check(0, 2, "b", "x");		/* a second one for who waits */
	link[1] = take_worker();
	take_question(link[1], 2);
	check(0, 3, "c", "x");		/* no third one: auth_workers */
	check(1, 4, "d", "x");
	grant(link[1]);
	expect_admit(0, 2, "ann");
	take_question(link[1], 4);	/* it stays; the fronts take turns */
	deny(link[1], 0);
	take_question(link[1], 3);
	check(0, 5, "e", "x");
	retire(link[1]);
	deny(link[1], 0);
	expect_closed(&link[1]);
	link[1] = take_worker();
	take_question(link[1], 5);
	grant(link[1]);
	expect_admit(0, 5, "ann");
	retire(link[1]);	/* also when it is idle */
	expect_closed(&link[1]);
	deny(link[0], 1);		/* who cannot decide is not asked again */
	expect_closed(&link[0]);
	check(0, 6, "f", "x");
	link[0] = take_worker();
	take_question(link[0], 6);
	fd_close(&link[0]);		/* it dies */
	expect(0, 'e', 1);
	expect(0, 'n', 3);
	expect(1, 'n', 4);
	expect(0, 'e', 6);
	assert_int_equal(count("worker-died sid="), 1);
	assert_int_equal(count("see worker-died"), 1);
	check(0, 7, "g", "x");		/* one that dies while it is idle */
	link[0] = take_worker();
	take_question(link[0], 7);
	deny(link[0], 0);
	expect(0, 'n', 7);
	fd_close(&link[0]);
	for (i = 0; i < 2; i++) {
		check(0, 8u + i, "h", "x");
		link[i] = take_worker();
		take_question(link[i], 8u + i);
	}
	/* A front that is gone hears nothing, its successor neither. */
	check(0, 10, "i", "x");
	new_front(0);
	check(0, 11, "j", "x");
	grant(link[0]);
	take_question(link[0], 11);
	deny(link[1], 0);
	grant(link[0]);
	expect_admit(0, 11, "ann");
	assert_int_equal(hear(0, DELAY_MS + 200, &(uint64_t){ 0 }), '-');
	end();
	fd_close(&link[0]);
	fd_close(&link[1]);
}

/* With PAM, nobody is asked twice. */
static void
test_one_question(void **state UNUSED)
{
	int first, second;

	conf.auth.source = AUTH_PAM;
	begin(false);
	check(0, 1, "a", "x");
	first = take_worker();
	take_question(first, 1);
	grant(first);
	expect_closed(&first);
	expect_admit(0, 1, "ann");
	check(0, 2, "a", "x");
	second = take_worker();
	take_question(second, 2);
	deny(second, 0);
	expect_closed(&second);
	expect(0, 'n', 2);
	end();
}

/* After a reload: those who are there are served, and it ends with the last of
 * them, but not before a worker has come to its decision. */
static void
test_leave(void **state UNUSED)
{
	int		link;
	struct fault	f;

	begin(false);
	link_out_init(&it.out, MSG_LEAVE);
	link_put_u32(&it.out, 0);
	assert_int_equal(link_send(it.master, &it.out, NULL, 0, &f), 0);
	check(0, 1, "a", "x");
	link = take_worker();
	take_question(link, 1);
	fd_close(&it.front[1]);
	grant(link);
	expect_admit(0, 1, "ann");
	check(0, 2, "a", "x");
	take_question(link, 2);
	fd_close(&it.front[0]);
	(void)usleep(100000);
	assert_int_equal(waitpid(it.auth, NULL, WNOHANG), 0);
	deny(link, 0);
	assert_int_equal(wait_for(it.auth), 0);
	fd_close(&link);
	it.auth = test_fork();		/* somebody for whom end() waits */
	if (it.auth == 0)
		_exit(0);
	end();
}

/* The one worker that is awake is asked this; its answer comes through. */
static void
judge_vouched(int *link, uint64_t sid, const char *password, uint64_t vouched,
    uint64_t print)
{
	check((int)(sid % FRONTS), sid, "ann", password);
	if (*link < 0)
		*link = take_worker();
	assert_int_equal(take_vouched(*link, sid), vouched);
	grant_print(*link, print);
	expect_admit_as((int)(sid % FRONTS), sid, "ann", print != 0 &&
	    print == vouched);
	if (conf.auth.source == AUTH_PAM)
		expect_closed(link);
}

/* What was right is vouched for, whatever the front; nothing else is. */
static void
test_vouched(void **state UNUSED)
{
	int link = -1;

	conf.role.auth_workers = 1;
	conf.role.auth_cache_ttl_s = 60;
	begin(false);
	judge_vouched(&link, 1, "x", 0, 0);	/* not worth it */
	judge_vouched(&link, 2, "x", 0, 77);
	judge_vouched(&link, 3, "x", 77, 77);
	judge_vouched(&link, 4, "x", 77, 78);	/* right in another way */
	judge_vouched(&link, 5, "x", 78, 0);
	judge_vouched(&link, 6, "y", 0, 79);	/* both are right */
	judge_vouched(&link, 7, "x", 78, 78);
	method = 1;				/* RPOP: x is no password */
	check(0, 8, "ann", "x");
	take_question(link, 8);
	deny(link, 0);
	method = 0;
	check(0, 9, "ann", "x");		/* a no is a no */
	assert_int_equal(take_vouched(link, 9), 78);
	deny(link, 0);
	check(0, 10, "ann", "z");		/* and it is not remembered */
	take_question(link, 10);
	deny(link, 0);
	expect(0, 'n', 8);
	expect(0, 'n', 9);
	expect(0, 'n', 10);
	check(0, 11, "ann", "z");
	take_question(link, 11);
	deny(link, 0);
	expect(0, 'n', 11);
	end();
	fd_close(&link);
}

/* An operator wants it forgotten; who is being judged just then is not remembered. */
static void
test_flush(void **state UNUSED)
{
	int link = -1;

	conf.role.auth_workers = 1;
	conf.role.auth_cache_ttl_s = 60;
	begin(false);
	expect_flushed("", 0);
	judge_vouched(&link, 1, "x", 0, 77);
	judge_vouched(&link, 2, "y", 0, 77);
	expect_flushed("bob", 0);
	judge_vouched(&link, 3, "x", 77, 77);
	expect_flushed("ann", 2);
	judge_vouched(&link, 4, "x", 0, 77);
	expect_flushed("", 1);
	check(0, 5, "ann", "x");
	assert_int_equal(take_vouched(link, 5), 0);
	expect_flushed("ann", 0);
	grant_print(link, 77);
	expect_admit(0, 5, "ann");
	judge_vouched(&link, 6, "x", 0, 77);
	judge_vouched(&link, 7, "x", 77, 77);
	end();
	fd_close(&link);
	conf.role.auth_cache_ttl_s = 0;
	conf.role.auth_workers = 2;
	begin(false);
	expect_flushed("ann", 0);		/* nothing is remembered */
	end();
}

static void
test_vouched_for_pam(void **state UNUSED)
{
	int link = -1;

	conf.auth.source = AUTH_PAM;
	conf.role.auth_cache_ttl_s = 60;
	begin(false);
	judge_vouched(&link, 1, "x", 0, 77);
	judge_vouched(&link, 2, "x", 0, 77);
	end();
	conf.role.auth_cache_pam = true;
	begin(false);
	judge_vouched(&link, 1, "x", 0, 77);
	judge_vouched(&link, 2, "x", 77, 77);
	end();
}

static void
without_verdict(void)
{
	uint64_t	start;
	int		link[2];

	conf.role.auth_timeout_s = 1;
	begin(false);
	start = clock_ms();
	for (uint8_t i = 0; i < 4; i++)
		check(0, 1u + i, "a", "x");
	link[0] = take_worker();
	link[1] = take_worker();
	take_question(link[0], 1);
	take_question(link[1], 2);
	expect_closed(&link[0]);
	expect_closed(&link[1]);
	expect_taken(clock_ms() - start, 1000, LATE_MS);
	for (uint8_t i = 0; i < 4; i++) {
		uint64_t sid;

		assert_int_equal(hear(0, LONG_MS, &sid), 'e');
	}
	expect_taken(clock_ms() - start, 2000, LATE_MS);
	assert_int_equal(count("auth-timeout sid="), 1);
	assert_int_equal(count("see auth-timeout"), 4);
	end();
}

/* No verdict in time, from a worker or for want of one. */
static void
test_late(void **state)
{
	try_with(state, without_verdict, 1);
}

/* A front that asks for too much gets no more than its share. */
static void
test_full(void **state UNUSED)
{
	const uint64_t	share = 4096 / FRONTS;
	uint64_t	sid = 0;
	uint64_t	told = 0;
	int		link[2];

	begin(false);
	for (uint64_t i = 1; i <= 2 * share; i++) {
		check(0, i, "a", "x");
		while (hear(0, i % 16 == 0 ? 2 : 0, &sid) == 'e')
			assert_int_equal(sid, share + ++told);
	}
	while (told < share) {
		assert_int_equal(hear(0, LONG_MS, &sid), 'e');
		assert_int_equal(sid, share + ++told);
	}
	assert_int_equal(hear(0, 200, &sid), '-');
	assert_int_equal(count("auth-queue-full"), 1);
	link[0] = take_worker();
	link[1] = take_worker();
	take_question(link[0], 1);
	take_question(link[1], 2);
	check(1, 9999, "ann", "x");	/* the other one has its turn */
	wait_read(1);
	grant(link[0]);
	expect_admit(0, 1, "ann");
	take_question(link[0], 9999);
	grant(link[0]);
	expect_admit(1, 9999, "ann");
	end();
	fd_close(&link[0]);
	fd_close(&link[1]);
}

/* A front that does not listen costs the others nothing; it hears later. */
static void
test_deaf_front(void **state UNUSED)
{
	struct fault	f = { 0 };
	uint64_t	sid;

	begin(true);
	for (uint64_t i = 1; i <= 20000;) {
		put_check(i, "a", "x");
		if (link_send(it.front[1], &it.out, NULL, 0, &f) == 0) {
			i++;
			continue;
		}
		assert_int_equal(f.err, EAGAIN);
		(void)usleep(1000);
	}
	assert_int_equal(count("front-misbehaved"), 0);
	log_in(0, 1);
	for (unsigned heard = 0; heard < 100; heard++)
		assert_int_not_equal(hear(1, LONG_MS, &sid), '-');
	while (hear(1, 1000, &sid) != '-')
		;
	log_in(1, 20001);
	end();
}

/* Who is unknown to one database is asked of the next, once; the last word is one
 * no, and what hangs in one row keeps nobody of another one. */
static void
test_databases(void **state UNUSED)
{
	int	link[3];

	conf.auth.databases = (struct conf_list){ .n = 3, .item = { "a:file:/a",
	    "b:file:/b", "c:file:/c" } };
	begin(false);
	check(0, 1, "ann", "wonderland");
	link[0] = take_worker_of(0);
	take_question(link[0], 1);
	deny(link[0], DENY_UNKNOWN);
	link[1] = take_worker_of(1);
	take_question(link[1], 1);
	grant(link[1]);
	expect_admit(0, 1, "ann");

	check(0, 2, "bob", "x");			/* in none of them */
	take_question(link[0], 2);
	deny(link[0], DENY_UNKNOWN);
	take_question(link[1], 2);
	deny(link[1], DENY_UNKNOWN);
	link[2] = take_worker_of(2);
	take_question(link[2], 2);
	deny(link[2], DENY_NO);
	expect(0, 'n', 2);

	check(0, 3, "ann", "wrong");		/* known to the second: final */
	take_question(link[0], 3);
	deny(link[0], DENY_UNKNOWN);
	take_question(link[1], 3);
	deny(link[1], DENY_NO);
	expect(0, 'n', 3);

	check(0, 4, "bob", "x");			/* the second hangs */
	take_question(link[0], 4);
	deny(link[0], DENY_UNKNOWN);
	take_question(link[1], 4);
	check(0, 5, "cy", "x");
	take_question(link[0], 5);
	grant(link[0]);
	expect_admit(0, 5, "ann");

	check(0, 6, "dee", "x");			/* the first is down */
	take_question(link[0], 6);
	deny(link[0], DENY_UNDECIDED);
	expect(0, 'e', 6);
	end();
	for (size_t i = 0; i < 3; i++)
		fd_close(&link[i]);
}

static void
check_token(uint64_t sid, const char *user, const char *token)
{
	method = AUTH_METHOD_OAUTHBEARER;
	check(0, sid, user, token);
	method = AUTH_METHOD_PASS;
}

static void
prove(int link, const char *user)
{
	struct fault f;

	link_out_init(&it.out, MSG_PROVEN);
	link_put_span(&it.out, span_str(user));
	assert_int_equal(link_send(link, &it.out, NULL, 0, &f), 0);
}

static unsigned
failures_of(const char *user)
{
	struct penalty_case	c;
	struct penalty_view	v;

	penalty_case(penalty, &peer, span_str(user), SPAN(""), &c);
	penalty_look(penalty, &c, clock_ms(), &v);
	return v.failures[PENALTY_USER];
}

/* A token without a name that is refused counts for whom it names, if anybody; the same
 * one once. */
static void
test_token_names(void **state UNUSED)
{
	static const char *const tokens[] = { "old", "old", "other", "rubbish" };
	static const unsigned	 want[] = { 1, 1, 2, 2 };
	int			 worker = -1;
	struct fault		 f;

	conf.token.jwks = "/keys";
	begin(false);
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		check_token(i + 1, "", tokens[i]);
		if (worker < 0)
			worker = take_worker_of(TOKENS_DB);
		take_question(worker, i + 1);
		link_out_init(&it.out, i < 3 ? MSG_DENY_USER : MSG_DENY);
		link_put_u8(&it.out, DENY_NO);
		if (i < 3)
			link_put_span(&it.out, SPAN("eve"));
		assert_int_equal(link_send(worker, &it.out, NULL, 0, &f), 0);
		expect(0, 'n', i + 1);
		assert_int_equal(failures_of("eve"), want[i]);
	}
	(void)close(worker);
	end();
}

/* A name with a master's mark in it counts for the master where he could say his
 * password, and else for the user of that name. */
static void
test_marked_names(void **state UNUSED)
{
	static const struct {
		enum auth_method method;
		unsigned	 of_user;
		unsigned	 of_master;
	} rows[] = {
		{ AUTH_METHOD_APOP, 1, 0 }, { AUTH_METHOD_EXTERNAL, 2, 0 },
		{ AUTH_METHOD_PASS, 2, 1 }, { AUTH_METHOD_LOGIN, 2, 2 },
	};
	char	secret[2] = "a";
	int	worker = -1;

	conf.auth.master_users = "/masters";
	conf.auth.master_separator = "*";
	begin(false);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++, secret[0]++) {
		method = (uint8_t)rows[i].method;
		check(0, i + 1, "me*ops", secret);
		if (worker < 0)
			worker = take_worker_of(0);
		take_question(worker, i + 1);
		deny(worker, DENY_NO);
		expect(0, 'n', i + 1);
		assert_int_equal(failures_of("me*ops"), rows[i].of_user);
		assert_int_equal(failures_of("*ops"), rows[i].of_master);
	}
	(void)close(worker);
	end();
}

/* Who judges tokens says whose they are, and no more; the database sees none. */
static void
test_tokens(void **state UNUSED)
{
	static char	token[9001];
	int		tokens;
	int		rows;

	memset(token, 'x', sizeof(token) - 1);
	conf.token.jwks = "/keys";
	begin(false);
	check_token(1, "ann", token);
	tokens = take_worker_of(TOKENS_DB);
	take_question(tokens, 1);
	assert_true(it.in.n > 9000);
	check(0, 2, "bob", "x");		/* need not wait for it */
	rows = take_worker_of(0);
	take_question(rows, 2);
	deny(rows, DENY_NO);
	expect(0, 'n', 2);
	prove(tokens, "ann");
	take_question(rows, 1);
	assert_true(it.in.n < 200);
	grant(rows);
	expect_admit(0, 1, "ann");

	check_token(3, "", "x");		/* whoever it is */
	take_question(tokens, 3);
	prove(tokens, "ann");
	take_question(rows, 3);
	deny(rows, DENY_UNKNOWN);
	expect(0, 'n', 3);
	check_token(4, "ann", "x");
	take_question(tokens, 4);
	deny(tokens, DENY_NO);
	expect(0, 'n', 4);
	check_token(5, "ann", "x");
	take_question(tokens, 5);
	deny(tokens, DENY_UNDECIDED);		/* it is as good as before */
	expect(0, 'e', 5);

	check_token(6, "ann", "x");
	take_question(tokens, 6);
	prove(tokens, "bob");
	expect_closed(&tokens);
	expect(0, 'e', 6);
	check_token(7, "ann", "x");
	tokens = take_worker_of(TOKENS_DB);
	take_question(tokens, 7);
	grant(tokens);				/* not for it to say */
	expect_closed(&tokens);
	expect(0, 'e', 7);
	check(0, 8, "ann", "x");
	take_question(rows, 8);
	prove(rows, "ann");			/* nor for a database */
	expect_closed(&rows);
	expect(0, 'e', 8);
	end();
}

/*
 * Who has begun an exchange ends it, though he gets no more questions; not for long,
 * and where all this took longer the other end of it is seen.
 */
static void
test_retired_in_exchange(void **state UNUSED)
{
	struct fault	f;
	uint64_t	start;
	int		old, new;

	begin(false);
	begin_exchange(0, 7);
	old = take_worker_of(0);
	take_question(old, 7);
	challenge(old, 0, 7);
	check(0, 8, "ann", "x");
	take_question(old, 8);
	start = clock_ms();
	retire(old);
	grant(old);
	expect_admit(0, 8, "ann");
	begin_exchange(1, 9);
	new = take_worker_of(0);
	take_question(new, 9);
	challenge(new, 1, 9);
	respond(0, 7);
	if (link_recv(old, permit_question, permit_question_n, 0, LONG_MS, &it.in,
	    &f) == 1) {
		assert_int_equal(it.in.type, MSG_RESPONSE);
		link_in_fini(&it.in);
		grant(old);
		expect_admit(0, 7, "ann");
		expect_closed(&old);
	} else {
		assert_true(clock_ms() - start >= WORKER_RETIRED_MS);
		fd_close(&old);
		expect(0, 'e', 7);
	}
	retire(new);
	expect_closed(&new);
	respond(1, 9);
	expect(1, 'e', 9);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AS_ROOT(test_workers),
		AS_ROOT(test_one_question),
		AS_ROOT(test_leave),
		AS_ROOT(test_vouched),
		AS_ROOT(test_flush),
		AS_ROOT(test_vouched_for_pam),
		AS_ROOT(test_late),
		AS_ROOT(test_full),
		AS_ROOT(test_deaf_front),
		AS_ROOT(test_databases),
		AS_ROOT(test_token_names),
		AS_ROOT(test_marked_names),
		AS_ROOT(test_tokens),
		AS_ROOT(test_retired_in_exchange),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: ISC */
/*
 * The warden and its workers, real ones: what they read anew, how many there are, and
 * what they make of an authenticator that has gone mad.
 */
#include "role/auth_stage_test.h"

#include "role/mad_test.h"
#include "role/warden.h"
#include "role/worker_priv.h"
#include "sys/test_fork.h"
#include "watch/log.h"

NORETURN void	__real_worker_serve(const struct settings *conf, pid_t warden,
		    int link, int lease, int log_link);
NORETURN void	__wrap_worker_serve(const struct settings *conf, pid_t warden,
		    int link, int lease, int log_link);

static bool	worker_hangs;		/* as PAM may */

/* A second after a change: 'n' no, 'y' yes, 'k' yes, and known before. */
static void
expect_soon(uint64_t sid, const char *password, char answer)
{
	uint64_t	start = clock_ms();
	struct fault	f;

	(void)usleep(1000000);
	check(0, sid, "ann", password);
	expect_outcome(0, sid, answer);
	assert_int_equal(link_recv(it.master, permit_admit, permit_admit_n, 0,
	    0, &it.in, &f), -1);
	if (!late)
		expect_taken(clock_ms() - start, answer == 'n' ?
		    1000 + delay_ms : 1000, 1000);
}

static void
file_change(void)
{
	begin(true);
	log_in(0, 1);
	put_text(users_file, "ann:{PLAIN}new:::::::\n");	/* another file */
	expect_soon(2, "wonderland", 'n');
	expect_soon(3, "new", 'y');
	put_text(deny_file, "ann\n");			/* there was none */
	expect_soon(4, "new", 'n');
	assert_int_equal(unlink(deny_file), 0);
	expect_soon(5, "new", 'y');
	put_text(users_file, USERS);
	assert_int_equal(truncate(users_file, 0), 0);	/* the same file */
	expect_soon(6, "wonderland", 'n');
	assert_int_equal(unlink(users_file), 0);
	(void)usleep(1000000);
	for (uint64_t sid = 10; sid < 13; sid++) {
		check(0, sid, "ann", "wonderland");
		expect_outcome(0, sid, 'e');
	}
	if (late) {
		end();
		return;
	}
	put_text(users_file, USERS);
	log_in(0, 9);
	end();
	if (count("worker-died") != 0)
		fail_msg("%s", seen);
	assert_int_equal(count("auth-error "), 1);	/* for all three */
}

static void
test_file_change(void **state)
{
	in_time(state, file_change);
}

#define OLD	"$5$rounds=1000$saltsalt$vBgBHnZUORY1qtmvLflcYV8HWBW8XuM5paPh79lY6F3"	/* wonderland */
#define NEW	"$5$rounds=1000$saltsalt$V1NTQcgO0Y6iuYW9oOnq/FtXm3GV8.cwJkxrtAuhyY8"	/* new */

static void
cached_file_change(void)
{
	conf.role.auth_cache_ttl_s = 60;
	put_text(users_file, "ann:" OLD ":::::::\nbob:{PLAIN}builder:::::::\n");
	begin(true);
	log_in(0, 1);
	check(1, 2, "ann", "wonderland");
	expect_admit_as(1, 2, "ann", 1);
	put_text(users_file, "ann:" NEW ":::::::\n");
	expect_soon(3, "wonderland", 'n');
	expect_soon(4, "new", 'y');
	put_text(deny_file, "ann\n");
	expect_soon(5, "new", 'n');
	assert_int_equal(unlink(deny_file), 0);
	expect_soon(6, "new", 'k');
	put_text(users_file, "ann:" OLD ":::::::\n");
	expect_soon(7, "new", 'n');
	expect_soon(8, "wonderland", 'k');	/* remembered from the first */
	put_text(users_file, "bob:{PLAIN}builder:::::::\n");
	expect_soon(9, "wonderland", 'n');
	end();
	if (!late) {
		assert_int_equal(count("login-failed"), 4);
		assert_int_equal(count("reason=denied"), 1);
		assert_int_equal(count("reason=unknown-user"), 1);
	}
}

/* The same, though auth vouches for what was right before. */
static void
test_cached_file_change(void **state)
{
	in_time(state, cached_file_change);
}

/* Many logins while the file is replaced again and again: none is lost. */
static void
test_change_under_load(void **state UNUSED)
{
	uint64_t	start = clock_ms();
	uint64_t	sid = 0;
	uint64_t	changed = 0;

	begin(true);
	while (sid < 1000 || clock_ms() - start < 4000) {
		if (clock_ms() - changed > 50) {
			changed = clock_ms();
			put_text(users_file, USERS);
		}
		log_in((int)(sid % FRONTS), sid + 1);
		sid++;
	}
	end();
	assert_int_equal(count("worker"), 0);
	assert_int_equal(count("auth-error"), 0);
}

static void
expect_worker_gone(int *link)
{
	struct fault	f;
	int		got;

	do {
		got = link_recv(*link, permit_decision, permit_decision_n, 0,
		    LONG_MS, &it.in, &f);
	} while (got == 1 && it.in.type == MSG_RETIRED);
	assert_int_equal(got, 0);
	fd_close(link);
}

static int
want_worker(int warden, struct fault *f)
{
	AUTO(fd_close) int	its = -1;
	int			link;

	assert_int_equal(link_pair(&link, &its, f), 0);
	link_out_init(&it.out, MSG_WORKER);
	link_put_u8(&it.out, 0);
	assert_int_equal(link_send(warden, &it.out, &its, 1, f), 0);
	return link;
}

static pid_t
begin_warden(int *link_r)
{
	int		its;
	struct fault	f;
	pid_t		pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(link_pair(link_r, &its, &f), 0);
	pid = test_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		warden_main(&conf, its, -1);
	fd_close(&its);
	return pid;
}

static void
ask(int link, uint64_t sid)
{
	struct fault f;

	link_out_init(&it.out, MSG_QUESTION);
	link_put_u64(&it.out, sid);
	link_put_u64(&it.out, 0);
	put_fields("ann", "wonderland");
	assert_int_equal(link_send(link, &it.out, NULL, 0, &f), 0);
}

static void
expect_grant(int link)
{
	struct fault f = { .text = "the end" };

	if (link_recv(link, permit_decision, permit_decision_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("%s", f.text);
	assert_int_equal(it.in.type, MSG_GRANT);
	link_in_fini(&it.in);
}

/* An auth that was taken over gets a bounded number of workers at a time. */
static void
test_warden_full(void **state UNUSED)
{
	struct fault	f;
	int		warden;
	int		link[5];
	pid_t		pid = begin_warden(&warden);

	for (size_t i = 0; i < 5; i++) {
		link[i] = want_worker(warden, &f);
		ask(link[i], i + 1);
	}
	for (size_t i = 0; i < 4; i++)
		expect_grant(link[i]);
	assert_int_equal(link_recv(link[4], permit_decision,
	    permit_decision_n, 0, 300, &it.in, &f), -1);
	assert_int_equal(f.err, ETIMEDOUT);
	fd_close(&link[0]);
	expect_grant(link[4]);		/* there is room again */
	fd_close(&warden);
	assert_int_equal(wait_for(pid), 0);
	for (size_t i = 1; i < 5; i++)
		expect_worker_gone(&link[i]);
}

static void
test_mad_auth(void **state UNUSED)
{
	struct mad c;

	mad_init(&c, permit_worker, permit_worker_n);
	while (mad_next(&c)) {
		int	warden;
		pid_t	pid;

		if (c.formal)
			continue;
		pid = begin_warden(&warden);
		assert_true(mad_say(&c, warden, pipe_ends[0]));
		assert_int_equal(wait_for(pid), 0);
		fd_close(&warden);
		if (count("auth-misbehaved") != 1)
			fail_msg("message %u with %u octets and %u descriptors",
			    c.type, c.size, c.fds);
		forget_log();
	}
}

/* What a worker that stays is asked by an auth that was taken over: it gives up,
 * and the warden has room for the next one. */
static void
test_mad_questions(void **state UNUSED)
{
	struct mad	c;
	struct fault	f;
	int		warden;
	pid_t		pid = begin_warden(&warden);

	mad_init(&c, permit_question, permit_question_n);
	while (mad_next(&c)) {
		int link = want_worker(warden, &f);

		if (c.formal && c.type == MSG_ABORT) {	/* of nothing */
			fd_close(&link);
			continue;
		}
		assert_true(mad_say(&c, link, pipe_ends[0]));
		if (link_recv(link, permit_decision, permit_decision_n, 0,
		    LONG_MS, &it.in, &f) != 1)
			fail_msg("message %u with %u octets and %u descriptors",
			    c.type, c.size, c.fds);
		assert_int_equal(it.in.type, MSG_DENY);
		if (!c.formal) {
			assert_int_equal(link_get_u8(&it.in), 1);
			expect_worker_gone(&link);
		}
		fd_close(&link);
		forget_log();
	}
	fd_close(&warden);
	assert_int_equal(wait_for(pid), 0);
}

/* While a worker thinks, a client may give up another exchange: it goes on. */
static void
asker_gone(void **state UNUSED)
{
	const struct auth_conf		c = { .more = true };
	const struct auth_request	q = { .user = "a" };
	const struct auth_verdict	v = { .result = AUTH_REFUSED,
					    .reason = REASON_UNKNOWN_USER };
	struct link_out			m;
	struct fault			f;
	int				ours;
	int				its;

	assert_int_equal(link_pair(&ours, &its, &f), 0);
	assert_true(worker_judged(&c, its, &q, &v));
	link_out_init(&m, MSG_ABORT);
	link_put_u64(&m, 1);
	assert_int_equal(link_send(ours, &m, NULL, 0, &f), 0);
	assert_true(worker_judged(&c, its, &q, &v));
	fd_close(&ours);
	assert_false(worker_judged(&c, its, &q, &v));
	fd_close(&its);
}

/* The linker puts this in its place. */
void
__wrap_worker_serve(const struct settings *c, pid_t warden, int link,
    int lease, int log_link)
{
	if (!worker_hangs)
		__real_worker_serve(c, warden, link, lease, log_link);
	log_text(LEVEL_ERR, "hangs", "%d", (int)getpid());
	for (;;)
		(void)pause();
}

static void
expect_dead(pid_t pid, unsigned within_ms)
{
	while (kill(pid, 0) == 0 && within_ms-- > 0)
		(void)usleep(1000);
	assert_int_equal(kill(pid, 0), -1);
}

static void
hanging_worker(void)
{
	uint64_t	start = clock_ms();
	uint64_t	pid;
	size_t		len;

	conf.auth.source = AUTH_PAM;
	conf.role.auth_timeout_s = 1;
	worker_hangs = true;
	begin(true);
	check(0, 1, "a", "x");
	expect(0, 'e', 1);
	assert_int_equal(count("hangs text="), 1);
	assert_true(num_prefix(span_str(strstr(seen, "hangs text=") +
	    strlen("hangs text=")), INT32_MAX, &pid, &len));
	assert_true(len > 0 && pid > 1);
	expect_taken(clock_ms() - start, 2000, LATE_MS);
	expect_dead((pid_t)pid, LONG_MS);
	for (int i = 0; i < LONG_MS && count("worker-killed") == 0; i++)
		(void)usleep(1000);
	assert_int_equal(count("worker-killed"), 1);
	end();
	worker_hangs = false;
}

/* PAM hangs: the question's time ends, and then the process. */
static void
test_hanging_worker(void **state)
{
	try_with(state, hanging_worker, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asker_gone),
		AS_ROOT(test_file_change),
		AS_ROOT(test_cached_file_change),
		AS_ROOT(test_change_under_load),
		AS_ROOT(test_warden_full),
		AS_ROOT(test_mad_auth),
		AS_ROOT(test_mad_questions),
		AS_ROOT(test_hanging_worker),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

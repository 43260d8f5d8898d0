/* SPDX-License-Identifier: ISC */
/*
 * The authenticator and its warden, real processes, among fronts, a master, a
 * warden or workers that this test plays, sane and mad.
 */
#include "pop/authorize.h"
#include "role/auth.h"
#include "role/ctl.h"
#include "role/due.h"
#include "role/mad_test.h"
#include "role/penalty.h"
#include "role/tokens.h"
#include "role/warden.h"
#include "role/wire.h"
#include "role/worker.h"
#include "role/worker_priv.h"

#include "base/num.h"
#include "sys/file.h"
#include "sys/link.h"
#include "sys/sock.h"
#include "sys/test_fork.h"
#include "watch/log.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BODY		(LINK_PACKET_MAX - LINK_HEADER)
#define FRONTS		2
#define DELAY_MS	1000		/* auth_fail_delay, in the settings */
#define LATE_MS		800		/* of a busy machine; less than DELAY_MS, the next
					   time at which an answer could come */
#define TIMEOUT_S	10		/* auth_timeout; no delay is longer */
#define MOST_TRIES	3		/* of what that machine was too slow for */
#define LONG_MS		60000		/* longer than anything here takes */

NORETURN void	__real_worker_serve(const struct settings *conf, pid_t warden,
		    int link, int lease, int log_link);
NORETURN void	__wrap_worker_serve(const struct settings *conf, pid_t warden,
		    int link, int lease, int log_link);

static char		folder[] = "/tmp/popper-auth-test.XXXXXX";
static char		paths[4][100];	/* users, deny, empty, log */
static struct settings	conf;
static bool		worker_hangs;	/* as PAM may */
static int		spare[2];	/* descriptors to send */
static struct penalty	*penalty;	/* this test's */
static uint64_t		delay_ms;	/* auth_fail_delay, in this try */
static bool		late;		/* it was too slow */

static int	afresh(void **state);

/* ------------------------------------------------------------ the house */

/* Our ends of all links; -1: closed, or somebody else's. */
static struct {
	pid_t		auth;
	pid_t		warden;
	int		front[FRONTS];
	int		master;
	int		wardens;	/* the warden's end, when we play it */
	int		log[2];
	struct link_in	in;
	struct link_out	out;
} it;

static pid_t
fork_auth(int *fronts, int master, int warden, int log_link)
{
	const struct auth_start	s = {
		.conf = &conf, .penalty = penalty,
		.fronts = fronts, .nfronts = FRONTS,
		.master = master, .warden = warden, .log_link = log_link,
	};
	pid_t			pid = test_fork();

	assert_true(pid >= 0);
	if (pid == 0)
		auth_main(&s);
	return pid;
}

static void
begin(bool real_warden)
{
	int		fronts[FRONTS];
	int		master, warden, log[2];
	struct fault	f;

	if (geteuid() != 0)
		skip();
	for (int i = 0; i < FRONTS; i++)
		assert_int_equal(link_pair(&it.front[i], &fronts[i], &f), 0);
	assert_int_equal(link_pair(&it.master, &master, &f), 0);
	assert_int_equal(link_pair(&it.wardens, &warden, &f), 0);
	assert_int_equal(link_pair(&it.log[0], &log[0], &f), 0);
	assert_int_equal(link_pair(&it.log[1], &log[1], &f), 0);
	it.auth = fork_auth(fronts, master, warden, log[0]);
	for (int i = 0; i < FRONTS; i++)
		fd_close(&fronts[i]);
	fd_close(&master);
	fd_close(&warden);
	it.warden = 0;
	if (real_warden) {
		it.warden = test_fork();
		assert_true(it.warden >= 0);
		if (it.warden == 0)
			warden_main(&conf, it.wardens, log[1]);
		fd_close(&it.wardens);
	}
	fd_close(&log[0]);
	fd_close(&log[1]);
}

/* It must end by itself. */
static int
wait_for(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < LONG_MS; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		(void)usleep(1000);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	fail_msg("a process does not end");
	return -1;
}

/* The master goes, and then all others must. */
static void
end_with(int status)
{
	fd_close(&it.master);
	assert_int_equal(wait_for(it.auth), status);
	if (it.warden > 0)
		assert_int_equal(wait_for(it.warden), 0);
	for (int i = 0; i < FRONTS; i++)
		fd_close(&it.front[i]);
	fd_close(&it.wardens);
	fd_close(&it.log[0]);
	fd_close(&it.log[1]);
}

static void
end(void)
{
	end_with(0);
}

static char text[1 << 20];	/* of the log, as it was last read */

static size_t
count(const char *word)
{
	int		fd = open(paths[3], O_RDONLY | O_CLOEXEC);
	ssize_t		n;
	size_t		hits = 0;

	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	(void)close(fd);
	for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
		hits++;
	return hits;
}

static void
forget_log(void)
{
	assert_int_equal(truncate(paths[3], 0), 0);
}

static void
put_text(const char *path, const char *rows)
{
	char	other[120];
	int	fd;

	(void)snprintf(other, sizeof(other), "%s.new", path);
	fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, rows, strlen(rows)), strlen(rows));
	assert_int_equal(close(fd), 0);
	assert_int_equal(rename(other, path), 0);
}

/* --------------------------------------------------------------- a front */

static struct sock_addr peer;

/* 127.0.0.1 has no penalties. */
static void
come_from(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	peer = (struct sock_addr){
		.family = 4, .raw = { a, b, c, d }, .port = 1023,
	};
	sock_addr_text(&peer);
}

/* Who is at the other end of the socket. */
static const struct sock_addr proxy = {
	.family = 6, .raw = { 0xfd, [15] = 9 }, .port = 4711,
};

static const struct auth_way way = {
	.local = { .family = 4, .raw = { 192, 0, 2, 1 }, .port = 995 },
	.tls = true,
};

static uint8_t method;		/* enum auth_method */

static void
put_fields(const char *user, const char *password)
{
	const struct wire_asked asked = {
		.method = method,
		.way = way,
		.user = span_str(user),
		.secret = span_str(password),
	};

	wire_put_peer(&it.out, &peer);
	wire_put_asked(&it.out, &asked);
}

static void
put_check(uint64_t sid, const char *user, const char *password)
{
	link_out_init(&it.out, MSG_CHECK);
	link_put_u64(&it.out, sid);
	put_fields(user, password);
	wire_put_peer(&it.out, &proxy);
}

static void
check(int front, uint64_t sid, const char *user, const char *password)
{
	struct fault f;

	put_check(sid, user, password);
	for (int i = 0; link_send(it.front[front], &it.out, NULL, 0, &f) != 0;
	    i++) {
		if (f.err != EAGAIN || i > LONG_MS)
			fail_msg("%s", f.text);
		(void)usleep(1000);
	}
}

/* Until auth has met what this front has said: the next thing that it reads was said
 * later. */
static void
wait_read(int front)
{
	for (int i = 0; i < LONG_MS && sock_unsent(it.front[front]) > 0; i++)
		(void)usleep(1000);
	assert_int_equal(sock_unsent(it.front[front]), 0);
}

/* 'y' is for the master to say; '-': nothing in time; '.': the end. */
static char
hear(int front, int timeout_ms, uint64_t *sid_r)
{
	static const char	letters[] = "yne";
	struct fault		f;
	int			got;

	got = link_recv(it.front[front], permit_verdict, permit_verdict_n, 0,
	    timeout_ms, &it.in, &f);
	if (got < 0 && f.err == ETIMEDOUT)
		return '-';
	if (got <= 0)
		return '.';
	*sid_r = link_get_u64(&it.in);
	return letters[link_get_u8(&it.in)];
}

static void
expect(int front, char answer, uint64_t sid)
{
	uint64_t	got_sid = 0;
	char		got = hear(front, LONG_MS, &got_sid);

	if (got != answer || got_sid != sid)
		fail_msg("front %d heard %c for %lu, not %c for %lu", front,
		    got, got_sid, answer, sid);
}

/* What the master was told: who has logged in.  Whether that was not hashed. */
static bool
get_admit(int front, uint64_t sid, const char *user)
{
	struct sock_addr	a;
	struct identity		id;
	struct fault		f = { .text = "the end" };
	uint8_t			cached;

	assert_int_equal(link_get_u64(&it.in), sid);
	assert_int_equal(link_get_u32(&it.in), front);
	cached = link_get_u8(&it.in);
	assert_in_range(cached, 0, 1);
	assert_int_equal(wire_get_peer(&it.in, &a, &f), 0);
	assert_string_equal(a.text, peer.text);
	assert_int_equal(a.port, peer.port);
	assert_int_equal(wire_get_identity(&it.in, &id, &f), 0);
	assert_int_equal(wire_get_peer(&it.in, &a, &f), 0);
	assert_true(sock_addr_same(&a, &proxy));
	assert_int_equal(link_get_end(&it.in, &f), 0);
	assert_string_equal(id.user, user);
	link_in_fini(&it.in);
	return cached == 1;
}

static void
expect_admit_as(int front, uint64_t sid, const char *user, uint8_t cached)
{
	struct fault f = { .text = "the end" };

	if (link_recv(it.master, permit_admit, permit_admit_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("%s", f.text);
	assert_int_equal(get_admit(front, sid, user), cached);
}

static void
expect_admit(int front, uint64_t sid, const char *user)
{
	expect_admit_as(front, sid, user, 0);
}

static void
log_in(int front, uint64_t sid)
{
	check(front, sid, "ann", "wonderland");
	expect_admit(front, sid, "ann");
}

/* -------------------------------------------------------------- a worker */

/* As its warden: the link of a worker that auth wants. */
static int
take_worker(void)
{
	struct fault f = { .text = "the end" };

	if (link_recv(it.wardens, permit_worker, permit_worker_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("no worker is wanted: %s", f.text);
	return link_get_fd(&it.in, 0);
}

/* The same, of that database. */
static int
take_worker_of(uint8_t db)
{
	int link = take_worker();

	assert_int_equal(link_get_u8(&it.in), db);
	return link;
}

/* A print, or 0. */
static uint64_t
take_vouched(int link, uint64_t sid)
{
	uint64_t	vouched;
	struct fault f = { .text = "the end" };

	if (link_recv(link, permit_question, permit_question_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("no question: %s", f.text);
	assert_int_equal(link_get_u64(&it.in), sid);
	vouched = link_get_u64(&it.in);
	link_in_fini(&it.in);
	return vouched;
}

static void
take_question(int link, uint64_t sid)
{
	assert_int_equal(take_vouched(link, sid), 0);
}

static void
deny(int link, uint8_t undecided)
{
	struct fault f;

	link_out_init(&it.out, MSG_DENY);
	link_put_u8(&it.out, undecided);
	assert_int_equal(link_send(link, &it.out, NULL, 0, &f), 0);
}

static void
grant_print(int link, uint64_t print)
{
	const struct identity	id = { .user = "ann", .uid = 1500, .gid = 1501 };
	struct fault		f;

	link_out_init(&it.out, print == 0 ? MSG_GRANT : MSG_GRANT_PRINT);
	if (print != 0)
		link_put_u64(&it.out, print);
	wire_put_identity(&it.out, &id);
	assert_int_equal(link_send(link, &it.out, NULL, 0, &f), 0);
}

static void
grant(int link)
{
	grant_print(link, 0);
}

static void
expect_closed(int *link)
{
	struct fault f;

	assert_int_equal(link_recv(*link, permit_question, permit_question_n, 0,
	    LONG_MS, &it.in, &f), 0);
	fd_close(link);
}

/* ------------------------------------------------------------------ tests */

static void
test_due(void **state UNUSED)
{
	struct due_heap	h;
	struct due	d = { 0 };
	uint64_t	last = 0;
	uint64_t	last_sid = 0;
	unsigned	x = 1;

	due_init(&h, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		x = x * 1103515245u + 12345u;
		due_put(&h, &(struct due){ .at_ms = x >> 16 & 0xff, .sid = i,
		    .front = i % 3 });
	}
	due_drop(&h, 1);
	assert_int_equal(h.n, 667);
	for (size_t n = 667; n > 0; n--) {
		assert_true(due_next(&h) >= last);
		if (due_next(&h) > 0)
			assert_false(due_take(&h, due_next(&h) - 1, &d));
		assert_true(due_take(&h, due_next(&h), &d));
		assert_true(d.at_ms > last || (d.at_ms == last &&
		    (n == 667 || d.sid > last_sid)));
		assert_int_not_equal(d.front, 1);
		last = d.at_ms;
		last_sid = d.sid;
	}
	assert_int_equal(due_next(&h), UINT64_MAX);
	assert_false(due_take(&h, UINT64_MAX, &d));
	due_fini(&h);
}

/* With the delay that is set, and if the machine was too slow for that, with so
 * many times it, and again. */
static void
try_with(void **state, void (*attempt)(void), unsigned more)
{
	for (unsigned try = 0, factor = 1; try < MOST_TRIES; try++,
	    factor *= more) {
		if (try > 0)
			assert_int_equal(afresh(state), 0);
		conf.role.auth_fail_delay_s = factor * DELAY_MS / 1000;
		conf.role.auth_timeout_s = factor * TIMEOUT_S;
		delay_ms = factor * DELAY_MS;
		late = false;
		attempt();
		if (!late)
			break;
	}
	assert_false(late);
}

static void
in_time(void **state, void (*attempt)(void))
{
	try_with(state, attempt, 3);
}

/* After that time, and by that thousandth of the delay later. */
static void
expect_taken(uint64_t taken, uint64_t ms, unsigned later)
{
	assert_true(taken >= ms);
	late = late || taken > ms + delay_ms * later / 1000;
}

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
		fail_msg("%s", text);
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

/* What becomes of ann's question: the master is told ('y', or 'k': known before), or
 * her front is, before or after what becomes of wrong ones. */
static char
outcome(int front, uint64_t sid)
{
	uint64_t	end_ms = clock_ms() + LONG_MS;
	uint64_t	got = 0;
	struct fault	f;
	char		c = '-';

	while (got != sid) {
		if (link_recv(it.master, permit_admit, permit_admit_n, 0, 5,
		    &it.in, &f) == 1)
			return get_admit(front, sid, "ann") ? 'k' : 'y';
		c = hear(front, 5, &got);
		assert_true(c == '-' || c == 'n' || got == sid);
		assert_true(clock_ms() < end_ms);
	}
	return c;
}

/* Not this, though asked again in time: then something else was too late. */
static void
expect_outcome(int front, uint64_t sid, char answer)
{
	char got = outcome(front, sid);

	if (got != answer)
		print_message("%lu: %c, not %c\n", sid, got, answer);
	late = late || got != answer;
}

/* It was late, and what follows would be, too. */
static void
give_up(void)
{
	end();
	forget_log();
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
		give_up();
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
	forget_log();
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
	forget_log();
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

	(void)snprintf(password, sizeof(password), "%lu", number);
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
	forget_log();
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
		(void)snprintf(user, sizeof(user), "u%lu", i);
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
	forget_log();
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
		give_up();
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
	forget_log();
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
	forget_log();
}

/* Every type with bodies of several sizes and up to 3 descriptors. */
static bool
next_say(uint16_t *type, uint32_t *n, uint8_t *fds)
{
	static const uint32_t sizes[] = { 0, 1, 9, 40, BODY };

	for (size_t i = 0; i + 1 < ARRAY_LEN(sizes); i++)
		if (sizes[i] == *n) {
			*n = sizes[i + 1];
			return true;
		}
	*n = 0;
	if ((*fds)++ < LINK_FDS_MAX)
		return true;
	*fds = 0;
	return ++*type < MAD_TYPES;
}

static void
say(int link, uint16_t type, uint32_t n, uint8_t nfds)
{
	static const uint8_t	zeros[LINK_PACKET_MAX];
	const int	fds[LINK_FDS_MAX] = { spare[0], spare[0], spare[0] };
	struct fault	f;

	link_out_init(&it.out, type);
	link_put_raw(&it.out, span_of(zeros, n));
	assert_int_equal(link_send(link, &it.out, fds, nfds > 3 ? 3 : nfds,
	    &f), 0);
}

/* A front in place of one that has gone. */
static void
new_front(uint32_t index)
{
	AUTO(fd_close) int	its = -1;
	struct fault		f;

	fd_close(&it.front[index]);
	assert_int_equal(link_pair(&it.front[index], &its, &f), 0);
	link_out_init(&it.out, MSG_FRONT);
	link_put_u32(&it.out, index);
	assert_int_equal(link_send(it.master, &it.out, &its, 1, &f), 0);
}

/* As the master: how many were forgotten, of a user, or of all (""). */
static void
expect_flushed(const char *user, uint32_t n)
{
	struct ctl_whom	w = { .kind = user[0] == '\0' ? CTL_ALL : CTL_USER };
	struct fault	f = { .text = "the end" };
	int		ours, its;

	(void)snprintf(w.user, sizeof(w.user), "%s", user);
	assert_int_equal(link_pair(&ours, &its, &f), 0);
	link_out_init(&it.out, MSG_CTL_FLUSH);
	ctl_put_whom(&it.out, &w);
	assert_int_equal(link_send(it.master, &it.out, &its, 1, &f), 0);
	fd_close(&its);
	if (link_recv(ours, permit_ctl_answer, permit_ctl_answer_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("%s", f.text);
	assert_int_equal(it.in.type, MSG_CTL_DONE);
	assert_int_equal(link_get_u8(&it.in), FAULT_NONE);
	assert_int_equal(link_get_u32(&it.in), n);
	link_in_fini(&it.in);
	fd_close(&ours);
}

static void
test_mad_front(void **state UNUSED)
{
	uint64_t	sid = 0;
	uint16_t	type = 0;
	uint32_t	n = 0;
	uint8_t		fds = 0;
	size_t		times = 0;

	begin(true);
	do {
		say(it.front[1], type, n, fds);
		if (hear(1, LONG_MS, &sid) != '.')
			fail_msg("message %u with %u octets and %u descriptors"
			    " is taken", type, n, fds);
		new_front(1);
		times++;
		if (times % 50 == 0)
			log_in(1, 4000 + times);
	} while (next_say(&type, &n, &fds));
	log_in(0, 5000);
	end();
	assert_int_equal(count("front-misbehaved"), times);
	forget_log();
}

/* The master is trusted: what it does not say ends auth, not the house.  A request
 * of popper ctl is an operator's, and costs no more than itself. */
static void
test_mad_master(void **state UNUSED)
{
	struct mad	c;
	uint64_t	sid;

	mad_init(&c, permit_to_auth, permit_to_auth_n);
	begin(false);
	while (mad_next(&c)) {
		if (c.formal && (c.type == MSG_FRONT || c.type == MSG_LEAVE))
			continue;	/* it may say that */
		assert_true(mad_say(&c, it.master, spare[0]));
		if (c.formal) {
			expect_flushed("", 0);
			continue;
		}
		if (hear(0, LONG_MS, &sid) != '.')
			fail_msg("message %u with %u octets and %u descriptors",
			    c.type, c.size, c.fds);
		end();
		begin(false);
	}
	end();
	forget_log();
}

/* A good question, cut or lengthened at each octet, or with a bad field. */
static void
test_bad_questions(void **state UNUSED)
{
	static struct link_out	good;
	struct fault		f;
	uint64_t		sid = 0;

	begin(true);
	check(0, 7, "ann", "wonderland");
	good = it.out;
	expect_admit(0, 7, "ann");
	for (size_t n = 0; n <= good.n + 1; n++) {
		if (n == good.n)
			continue;
		link_out_init(&it.out, good.type);
		link_put_raw(&it.out, span_of(good.b, n));
		assert_int_equal(link_send(it.front[0], &it.out, NULL, 0, &f),
		    0);
		assert_int_equal(hear(0, LONG_MS, &sid), '.');
		new_front(0);
	}
	for (size_t at = 0; at < 8 + 1 + 4; at++) {
		it.out = good;
		it.out.b[at] = 0xff;
		assert_int_equal(link_send(it.front[0], &it.out, NULL, 0, &f),
		    0);
		if (at < 8)			/* any sid will do but 0 */
			assert_int_equal(link_recv(it.master, permit_admit,
			    permit_admit_n, 0, LONG_MS, &it.in, &f), 1);
		else
			assert_int_equal(hear(0, LONG_MS, &sid), '.');
		new_front(0);
	}
	log_in(0, 8);
	end();
	forget_log();
}

/* What a worker must not say; its question is not decided. */
static void
test_mad_worker(void **state UNUSED)
{
	uint16_t	type = 0;
	uint32_t	n = 0;
	uint8_t		fds = 0;
	uint64_t	sid = 1;
	uint64_t	last = 0;

	begin(false);
	do {
		int link;

		if (type == MSG_RETIRED || (type == MSG_DENY && n == 1) ||
		    fds > 1)
			continue;
		check(0, ++sid, "ann", "x");
		link = take_worker();
		take_question(link, sid);
		say(link, type, n, fds);
		expect_closed(&link);
		last = sid;
	} while (next_say(&type, &n, &fds));
	for (sid = 2; sid <= last; sid++) {	/* the order is that of time */
		uint64_t which;

		assert_int_equal(hear(0, LONG_MS, &which), 'e');
	}
	assert_true(count("worker-died") > 50);
	assert_true(count("grant-refused") > 0);
	assert_int_equal(count("misbehaved"), 0);
	end();
	forget_log();
}

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
	say(link[1], MSG_RETIRED, 0, 0);
	deny(link[1], 0);
	expect_closed(&link[1]);
	link[1] = take_worker();
	take_question(link[1], 5);
	grant(link[1]);
	expect_admit(0, 5, "ann");
	say(link[1], MSG_RETIRED, 0, 0);	/* also when it is idle */
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
	forget_log();
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
	conf.auth.source = AUTH_FILE;
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
	conf.role.auth_cache_ttl_s = 0;
	conf.role.auth_workers = 2;
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
	conf.role.auth_cache_pam = false;
	conf.role.auth_cache_ttl_s = 0;
	conf.auth.source = AUTH_FILE;
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
	forget_log();
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
	forget_log();
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
	forget_log();
}

/* ------------------------------------------------------------- the warden */

#define USERS	"ann:{PLAIN}wonderland:::::::\nbob:{PLAIN}builder:::::::\n"

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
	put_text(paths[0], "ann:{PLAIN}new:::::::\n");	/* another file */
	expect_soon(2, "wonderland", 'n');
	expect_soon(3, "new", 'y');
	put_text(paths[1], "ann\n");			/* there was none */
	expect_soon(4, "new", 'n');
	assert_int_equal(unlink(paths[1]), 0);
	expect_soon(5, "new", 'y');
	put_text(paths[0], USERS);
	assert_int_equal(truncate(paths[0], 0), 0);	/* the same file */
	expect_soon(6, "wonderland", 'n');
	assert_int_equal(unlink(paths[0]), 0);
	(void)usleep(1000000);
	for (uint64_t sid = 10; sid < 13; sid++) {
		check(0, sid, "ann", "wonderland");
		expect_outcome(0, sid, 'e');
	}
	if (late) {
		give_up();
		return;
	}
	put_text(paths[0], USERS);
	log_in(0, 9);
	end();
	if (count("worker-died") != 0)
		fail_msg("%s", text);
	assert_int_equal(count("auth-error "), 1);	/* for all three */
	forget_log();
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
	put_text(paths[0], "ann:" OLD ":::::::\nbob:{PLAIN}builder:::::::\n");
	begin(true);
	log_in(0, 1);
	check(1, 2, "ann", "wonderland");
	expect_admit_as(1, 2, "ann", 1);
	put_text(paths[0], "ann:" NEW ":::::::\n");
	expect_soon(3, "wonderland", 'n');
	expect_soon(4, "new", 'y');
	put_text(paths[1], "ann\n");
	expect_soon(5, "new", 'n');
	assert_int_equal(unlink(paths[1]), 0);
	expect_soon(6, "new", 'k');
	put_text(paths[0], "ann:" OLD ":::::::\n");
	expect_soon(7, "new", 'n');
	expect_soon(8, "wonderland", 'k');	/* remembered from the first */
	put_text(paths[0], "bob:{PLAIN}builder:::::::\n");
	expect_soon(9, "wonderland", 'n');
	end();
	if (!late) {
		assert_int_equal(count("login-failed"), 4);
		assert_int_equal(count("reason=denied"), 1);
		assert_int_equal(count("reason=unknown-user"), 1);
	}
	conf.role.auth_cache_ttl_s = 0;
	forget_log();
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
			put_text(paths[0], USERS);
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
	forget_log();
}

static void
test_mad_auth(void **state UNUSED)
{
	uint16_t	type = 0;
	uint32_t	n = 0;
	uint8_t		fds = 0;

	do {
		int	warden;
		pid_t	pid;

		if (type == MSG_WORKER && n == 1 && fds == 1)
			continue;
		pid = begin_warden(&warden);
		say(warden, type, n, fds);
		assert_int_equal(wait_for(pid), 0);
		fd_close(&warden);
		if (count("auth-misbehaved") != 1)
			fail_msg("message %u with %u octets and %u descriptors",
			    type, n, fds);
		forget_log();
	} while (next_say(&type, &n, &fds));
}

/* Who is unknown to one database is asked of the next, once; the last word is one
 * no, and what hangs in one row keeps nobody of another one. */
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
	conf.token.jwks = "";
	end();
	forget_log();
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
	conf.token.jwks = "";
	end();
	forget_log();
}

static void
begin_exchange(int front, uint64_t sid)
{
	method = AUTH_METHOD_SCRAM_SHA_256;
	check(front, sid, "", "n,,n=ann,r=abc");
	method = AUTH_METHOD_PASS;
}

/* The worker wants to know more, and the client hears that. */
static void
challenge(int w, int front, uint64_t sid)
{
	struct fault f = { .text = "the end" };

	wire_put_challenge(&it.out, sid, SPAN("ann"), SPAN("x"));
	assert_int_equal(link_send(w, &it.out, NULL, 0, &f), 0);
	if (link_recv(it.front[front], permit_verdict, permit_verdict_n, 0, LONG_MS,
	    &it.in, &f) != 1)
		fail_msg("%s", f.text);
	assert_int_equal(it.in.type, MSG_CHALLENGE);
	link_in_fini(&it.in);
}

static void
respond(int front, uint64_t sid)
{
	struct fault f;

	wire_put_response(&it.out, sid, SPAN("y"), false);
	assert_int_equal(link_send(it.front[front], &it.out, NULL, 0, &f), 0);
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
	say(old, MSG_RETIRED, 0, 0);
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
	say(new, MSG_RETIRED, 0, 0);
	expect_closed(&new);
	respond(1, 9);
	expect(1, 'e', 9);
	end();
	forget_log();
}

/* Two at a time that have one number: no honest front begins them. */
static void
test_mad_exchange(void **state UNUSED)
{
	struct fault	f = { .text = "the end" };
	uint64_t	sid;
	int		w;

	begin(false);
	begin_exchange(1, 7);
	w = take_worker_of(0);
	for (int i = 0; i < 3; i++) {		/* one after the other */
		take_question(w, 7);
		challenge(w, 1, 7);
		if (i == 2)
			break;
		link_out_init(&it.out, MSG_ABORT);
		link_put_u64(&it.out, 7);
		assert_int_equal(link_send(it.front[1], &it.out, NULL, 0, &f), 0);
		begin_exchange(1, 7);
		if (link_recv(w, permit_question, permit_question_n, 0,
		    LONG_MS, &it.in, &f) != 1)
			fail_msg("%s", f.text);
		assert_int_equal(it.in.type, MSG_ABORT);
	}
	begin_exchange(0, 7);			/* another front's 7 */
	take_question(w, 7);
	begin_exchange(1, 7);
	assert_int_equal(hear(1, LONG_MS, &sid), '.');
	deny(w, DENY_NO);
	expect(0, 'n', 7);
	end();
	fd_close(&w);
	forget_log();
}

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
	conf.auth.databases.n = 0;
	end();
	for (size_t i = 0; i < 3; i++)
		fd_close(&link[i]);
	forget_log();
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
		assert_true(mad_say(&c, link, spare[0]));
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
	assert_true(num_prefix(span_str(strstr(text, "hangs text=") +
	    strlen("hangs text=")), INT32_MAX, &pid, &len));
	assert_true(len > 0 && pid > 1);
	expect_taken(clock_ms() - start, 2000, LATE_MS);
	expect_dead((pid_t)pid, LONG_MS);
	for (int i = 0; i < LONG_MS && count("worker-killed") == 0; i++)
		(void)usleep(1000);
	assert_int_equal(count("worker-killed"), 1);
	end();
	conf.auth.source = AUTH_FILE;
	conf.role.auth_timeout_s = TIMEOUT_S;
	worker_hangs = false;
	forget_log();
}

/* PAM hangs: the question's time ends, and then the process. */
static void
test_hanging_worker(void **state)
{
	try_with(state, hanging_worker, 1);
}

/* ------------------------------------------------------------------ frame */

static int
afresh(void **state UNUSED)
{
	struct fault f;

	if (penalty != NULL)
		penalty_free(penalty);
	penalty = penalty_new(&f);
	if (penalty == NULL)
		return -1;
	conf.role.auth_fail_delay_s = DELAY_MS / 1000;
	conf.role.auth_timeout_s = TIMEOUT_S;
	forget_log();
	put_text(paths[0], USERS);
	come_from(127, 0, 0, 1);
	return 0;
}

static int
setup(void **state UNUSED)
{
	static const char *const	names[] = {
		"users", "deny", "empty", "log",
	};
	struct log_conf			c = { .to = LOG_TO_FILE,
					    .trace_fd = -1, .socket = "" };

	if (mkdtemp(folder) == NULL || pipe2(spare, O_CLOEXEC) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder,
		    names[i]);
	if (chmod(folder, 0711) != 0 || mkdir(paths[2], 0755) != 0)
		return -1;
	conf = (struct settings){
		.role = {
			.front_user = "65534", .auth_user = "65533",
			.auth_workers = 2, .chroot_dir = paths[2],
			.auth_timeout_s = TIMEOUT_S,
			.auth_fail_delay_s = DELAY_MS / 1000,
			.auth_cache_size = 64,
		},
		.krb = { .keytab = "", .realms = "" },
		.token = { .jwks = "", .introspection = "" },
		.auth = {
			.source = AUTH_FILE, .passwd_file = paths[0],
			.virtual_user = "1500:1501", .uid_min = 1000,
			.uid_max = 60000, .gid_min = 100,
			.gids_denied = "4711", .deny_file = paths[1],
			.allow_file = "", .master_users = "",
			.client_ca = "", .client_crl = "",
			.rpop_file = "", .shells_file = "/nonexistent",
			.pam_service = "popper",
		},
	};
	c.file = paths[3];
	log_open(&c);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st UNUSED, int kind UNUSED,
    struct FTW *at UNUSED)
{
	return remove(path);
}

static int
teardown(void **state UNUSED)
{
	log_close();
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define AS_ROOT(test)	cmocka_unit_test_setup(test, afresh)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(asker_gone),
		AS_ROOT(test_logins),
		AS_ROOT(test_times),
		AS_ROOT(test_penalties),
		AS_ROOT(test_penalties_outlive_auth),
		AS_ROOT(test_penalties_are_shared),
		AS_ROOT(test_penalties_of_a_network),
		AS_ROOT(test_penalties_of_a_user),
		AS_ROOT(test_penalties_of_nobody),
		AS_ROOT(test_mad_front),
		AS_ROOT(test_mad_master),
		AS_ROOT(test_bad_questions),
		AS_ROOT(test_mad_worker),
		AS_ROOT(test_workers),
		AS_ROOT(test_one_question),
		AS_ROOT(test_leave),
		AS_ROOT(test_vouched),
		AS_ROOT(test_flush),
		AS_ROOT(test_vouched_for_pam),
		AS_ROOT(test_late),
		AS_ROOT(test_full),
		AS_ROOT(test_deaf_front),
		AS_ROOT(test_file_change),
		AS_ROOT(test_cached_file_change),
		AS_ROOT(test_change_under_load),
		AS_ROOT(test_warden_full),
		AS_ROOT(test_databases),
		AS_ROOT(test_tokens),
		AS_ROOT(test_token_names),
		AS_ROOT(test_retired_in_exchange),
		AS_ROOT(test_mad_exchange),
		AS_ROOT(test_mad_auth),
		AS_ROOT(test_mad_questions),
		AS_ROOT(test_hanging_worker),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: ISC */
/* A front and a session, real ones, against a monitor that talks nonsense, and a session
 * and a front that cannot be. */
#include "role/monitor_stage_test.h"

#include "role/front.h"
#include "role/host.h"
#include "role/monitor.h"
#include "role/session.h"
#include "sys/test_fork.h"

#include <poll.h>
#include <sys/resource.h>

NORETURN void	__real_front_main(const struct front *c);
NORETURN void	__real_session_main(const struct session_start *c);

static int
listen_to(int fd, char *text, size_t cap)
{
	struct pollfd	p = { .fd = fd, .events = POLLIN };
	size_t		n = 0;
	ssize_t		got = 1;

	while (got > 0 && n < cap - 1 && poll(&p, 1, 10000) > 0) {
		got = read(fd, text + n, cap - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	text[n] = '\0';
	return got == 0 ? 0 : -1;
}

/* A real front, its client, and this test as its monitor. */
struct real {
	pid_t	pid;
	int	client;
	int	link;
	int	credential;
};

static void
front_begin(struct real *r)
{
	struct fault	f;
	static const struct listen_rules none;
	struct front	c = { .conf = &conf, .host = "host", .rules = &none };
	struct sock_addr peer = { .text = "test" };
	int		client[2];
	int		log_link;

	c.peer = c.local = &peer;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	assert_int_equal(link_pair(&r->link, &c.link, &f), 0);
	assert_int_equal(link_pair(&r->credential, &c.credential, &f), 0);
	assert_int_equal(link_pair(&log_link, &c.log_link, &f), 0);
	c.in = c.out = client[1];
	r->client = client[0];
	r->pid = test_fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0)
		__real_front_main(&c);
	(void)close(client[1]);
	(void)close(c.link);
	(void)close(c.credential);
	(void)close(c.log_link);
	(void)close(log_link);
}

static void
front_end(struct real *r, const struct say *s, const char *want)
{
	char	text[2000];
	char   *last;
	int	ended = listen_to(r->client, text, sizeof(text));
	int	status;

	(void)shutdown(r->client, SHUT_WR);
	status = wait_for(r->pid);
	if (ended != 0 || status != 0)
		fail_msg("message %u with %u octets and %u descriptors: the"
		    " client's end %d, the front's %d: %s", s->type, s->n,
		    s->fds, ended, status, text);
	last = strstr(text, "required.\r\n");
	assert_string_equal(last == NULL ? "" : last + 11, want);
	(void)close(r->client);
	(void)close(r->link);
	(void)close(r->credential);
	read_log();
}

static void
test_front(void **state UNUSED)
{
	static const char	ask[] = "USER ann\r\nPASS x\r\n";
	static const char	no[] = "-ERR [SYS/TEMP] Authentication is not"
				    " available now, try again later.\r\n";
	static struct link_in	in;
	struct say		s = { 0 };
	struct real		r;
	struct fault		f;

	if (geteuid() != 0)
		skip();
	do {
		if (is(&s, MSG_ANSWER, 1, 0))
			continue;	/* 0 is yes */
		front_begin(&r);
		(void)!write(r.client, ask, sizeof(ask) - 1);
		assert_int_equal(link_recv(r.link, permit_from_front,
		    permit_from_front_n, PHASE_STRANGER, 10000, &in, &f), 1);
		say(r.link, &s);
		front_end(&r, &s, no);
		if (s.n == BODY || s.fds == 2)
			continue;
		front_begin(&r);	/* and what it has not asked for */
		say(r.link, &s);
		front_end(&r, &s, "");
	} while (next_say(&s));
}

/* ------------------------------------------------------------- the session */

static void
session_begin(struct real *r, struct host *h, const struct identity *id)
{
	struct fault		f;
	static struct sock_addr	peer = { .text = "test" };
	struct session_start	c = {
		.conf = &conf, .id = id, .facts = h, .hostname = "host",
		.peer = &peer, .far = -1,
	};
	int			client[2];
	int			log_link;
	int			none;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	assert_int_equal(link_pair(&r->link, &c.link, &f), 0);
	assert_int_equal(link_pair(&log_link, &c.log_link, &f), 0);
	assert_int_equal(fd_pipe(&c.rest_fd, &none, &f), 0);
	c.in = c.out = client[1];
	r->client = client[0];
	r->pid = test_fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0)
		__real_session_main(&c);
	(void)close(client[1]);
	(void)close(c.link);
	(void)close(c.log_link);
	(void)close(log_link);
	(void)close(c.rest_fd);
	(void)close(none);
}

/* Its first question is answered with nonsense: no maildrop, and the end. */
static void
test_session_hears(void **state UNUSED)
{
	static struct link_in	in;
	struct host		h;
	struct say		s = { 0 };
	struct real		r;
	struct fault		f;
	char			text[2000];

	if (geteuid() != 0)
		skip();
	assert_int_equal(host_open(&h, &conf, &user, &f), 0);
	h.system_spool = true;		/* then LOCK is its first question */
	do {
		if (is(&s, MSG_DONE, 9, 0))
			continue;	/* all zero: done */
		session_begin(&r, &h, &user);
		assert_int_equal(link_recv(r.link, permit_from_session,
		    permit_from_session_n, PHASE_SESSION, 10000, &in, &f), 1);
		assert_int_equal(in.type, MSG_LOCK_SCAN);
		say(r.link, &s);
		(void)close(r.link);
		(void)listen_to(r.client, text, sizeof(text));
		(void)shutdown(r.client, SHUT_WR);
		assert_int_equal(wait_for(r.pid), 0);
		(void)close(r.client);
		if (strncmp(text, "-ERR [SYS/", 10) != 0)
			fail_msg("message %u, %u octets, %u descriptors: %s",
			    s.type, s.n, s.fds, text);
	} while (next_say(&s));
	read_log();
	host_close(&h);
}

/* It cannot become who it is to be: its client is told to try again. */
static void
test_session_unborn(void **state UNUSED)
{
	static const struct identity	root = { .user = "ann" };
	struct host			h;
	struct real			r;
	struct fault			f;
	char				text[200];

	if (geteuid() != 0)
		skip();
	assert_int_equal(host_open(&h, &conf, &user, &f), 0);
	session_begin(&r, &h, &root);
	(void)listen_to(r.client, text, sizeof(text));
	assert_memory_equal(text, "-ERR [SYS/TEMP] ", 16);
	assert_int_equal(wait_for(r.pid), SESSION_UNBORN << 8);
	(void)close(r.client);
	(void)close(r.link);
	read_log();
	assert_non_null(strstr(out.log, "session-cage "));
	host_close(&h);
}

/* From here on no more than n can be had. */
static void
few_descriptors(int fd, int n)
{
	const struct rlimit	few = { .rlim_cur = 256, .rlim_max = 256 };
	int			last = -1;

	if (setrlimit(RLIMIT_NOFILE, &few) != 0)
		_exit(99);
	for (int next = fd; next >= 0; next = dup(fd))
		last = next;
	for (int i = 0; i < n; i++)
		(void)close(last - i);
}

/* Its client hears that he may come again. */
static void
test_front_unborn(void **state UNUSED)
{
	char	text[200];
	int	client[2];
	pid_t	pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	pid = test_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		few_descriptors(client[1], 4);
		_exit(monitor_run(&conf, "host", client[1], client[1]));
	}
	(void)close(client[1]);
	(void)listen_to(client[0], text, sizeof(text));
	assert_int_equal(wait_for(pid), 1 << 8);
	(void)close(client[0]);
	assert_string_equal(text, "-ERR [SYS/TEMP] Temporary failure, try again"
	    " later.\r\n");
	read_log();
	assert_non_null(strstr(out.log, "front-fork "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_front),
		cmocka_unit_test(test_session_hears),
		cmocka_unit_test(test_session_unborn),
		cmocka_unit_test(test_front_unborn),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

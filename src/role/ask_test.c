/* SPDX-License-Identifier: ISC */
/*
 * What a session hands over with SUBMIT comes whole, in parts, to who answers, or is
 * refused.  The test is who answers; a child is the session.  host_submit is the test's
 * own, and keeps what it is given.
 */
#include "role/ask.h"
#include "role/permit.h"

#include "sys/file.h"
#include "sys/test_fork.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define MOST	(3 * LINK_PACKET_MAX)
#define PART	(LINK_PACKET_MAX - LINK_HEADER)

int	__wrap_host_submit(struct host *h, int fd, struct fault *f);

static struct {
	struct settings	 conf;
	struct identity	 id;
	struct host	 host;
	int		 link[2];	/* ours, the session's */
	bool		 submitted;
	size_t		 n;
	uint8_t		 octets[MOST + 1];
} it;

static uint8_t	sent[MOST + 1];

int
__wrap_host_submit(struct host *h UNUSED, int fd, struct fault *f)
{
	ssize_t n = file_pread(fd, it.octets, sizeof(it.octets), 0, f);

	assert_true(n >= 0);
	it.submitted = true;
	it.n = (size_t)n;
	return 0;
}

/* How many octets the session has; of those who are taken over, what they say. */
struct wish {
	size_t		n;
	uint16_t	parts;		/* of a session that says so many */
	uint16_t	type;
	uint8_t		fds;
	bool		end;
};

/* Its own status says what it was told: 0 done, 1 refused, 2 it heard something else. */
static NORETURN void
be_good(const struct wish *w)
{
	struct fault	f;
	int		fd = -1;

	if (file_open_unnamed("/tmp", &fd, &f) != 0 ||
	    file_pwrite(fd, sent, w->n, 0, &f) != 0)
		_exit(3);
	_exit(ask_host(it.link[1], MSG_SUBMIT, &fd, NULL, &f) == 0 ? 0 :
	    f.class == FAULT_PEER || f.class == FAULT_TEMP ? 1 : 2);
}

static NORETURN void
be_bad(const struct wish *w)
{
	static struct link_out	out;
	static struct link_in	in;
	struct fault		f;
	int			to;

	if (ask_tell(it.link[1], MSG_SUBMIT, &f) != 0 || link_recv(it.link[1],
	    permit_done, permit_done_n, 0, -1, &in, &f) != 1 || in.type != MSG_WANTED)
		_exit(3);
	to = link_get_fd(&in, 0);
	link_out_init(&out, w->type);
	link_put_raw(&out, span_of(sent, w->n));
	for (unsigned i = 0; i < w->parts; i++)
		(void)!link_send_wait(to, &out, &f);
	if (w->fds > 0)
		(void)!link_send(to, &out, &to, w->fds, &f);
	link_out_init(&out, MSG_HANDED);
	if (w->end)
		(void)!link_send(to, &out, NULL, 0, &f);
	(void)close(to);
	if (link_recv(it.link[1], permit_done, permit_done_n, 0, -1, &in, &f) != 1)
		_exit(2);
	_exit(link_get_u8(&in) == FAULT_NONE ? 0 : 1);
}

static int
submit(const struct wish *w, NORETURN void (*session)(const struct wish *))
{
	static struct link_in	in;
	struct fault		f;
	int			status;
	pid_t			pid;

	it.submitted = false;
	assert_int_equal(link_pair(&it.link[0], &it.link[1], &f), 0);
	pid = test_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		session(w);
	(void)close(it.link[1]);
	assert_int_equal(link_recv(it.link[0], permit_from_session,
	    permit_from_session_n, PHASE_SESSION, -1, &in, &f), 1);
	assert_int_equal(ask_serve(it.link[0], in.type, &it.host, &f), 0);
	(void)close(it.link[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_whole(void **state UNUSED)
{
	static const size_t sizes[] = {
		0, 1, PART - 1, PART, PART + 1, 2 * PART, MOST,
	};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const struct wish w = { .n = sizes[i] };

		assert_int_equal(submit(&w, be_good), 0);
		assert_true(it.submitted);
		assert_int_equal(it.n, sizes[i]);
		assert_memory_equal(it.octets, sent, it.n);
	}
}

static void
test_too_long(void **state UNUSED)
{
	assert_int_equal(submit(&(struct wish){ .n = MOST + 1 }, be_good), 1);
	assert_false(it.submitted);
}

static void
test_not_whole(void **state UNUSED)
{
	static const struct wish cases[] = {
		{ .parts = 0 },
		{ .n = 5, .parts = 1, .type = MSG_HANDED },
		{ .n = PART, .parts = 2, .type = MSG_HANDED },
		{ .n = 5, .parts = 1, .type = MSG_DONE, .end = true },
		{ .n = 5, .type = MSG_HANDED, .fds = 1, .end = true },
		{ .n = 5, .parts = 1, .type = MSG_HANDED, .fds = 1, .end = true },
		{ .n = PART, .parts = MOST / PART + 1, .type = MSG_HANDED,
		    .end = true },
	};
	const struct wish well = { .n = 5, .parts = 3, .type = MSG_HANDED,
	    .end = true };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (submit(&cases[i], be_bad) != 1 || it.submitted)
			fail_msg("%zu: it was submitted", i);
	}
	assert_int_equal(submit(&well, be_bad), 0);
	assert_int_equal(it.n, 3 * well.n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_not_whole),
	};

	(void)alarm(60);
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7 + i / 251);
	it.conf.xtnd.xmit_max_size = MOST;
	it.host.conf = &it.conf;
	it.host.id = &it.id;
	(void)snprintf(it.host.temp, sizeof(it.host.temp), "/tmp");
	it.id.uid = (uid_t)getuid();
	it.id.gid = (gid_t)getgid();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

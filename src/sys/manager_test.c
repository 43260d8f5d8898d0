/* SPDX-License-Identifier: ISC */
#include "sys/manager.h"

#include "sys/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
	"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
	"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
};

/* Set what is not NULL; "$" is our own number. */
static void
set(const char *name, const char *value)
{
	char own[16];

	snprintf(own, sizeof(own), "%d", (int)getpid());
	if (value != NULL)
		assert_int_equal(setenv(name, strcmp(value, "$") == 0 ? own :
		    value, 1), 0);
}

static void
none_left(void)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_null(getenv(names[i]));
}

static void
test_watchdog(void **state)
{
	static const struct {
		const char	*pid;
		const char	*usec;
		unsigned	 beat_ms;
	} cases[] = {
		{ "$", "60000000", 30000 },
		{ "$", "3000", 1 },
		{ "$", "1", 1 },
		{ "$", "0", 0 },
		{ "$", "-1", 0 },
		{ "$", "60s", 0 },
		{ "$", "", 0 },
		{ "$", "99999999999999999999999", 0 },
		{ "$", NULL, 0 },
		{ "1", "60000000", 0 },
		{ "", "60000000", 0 },
		{ NULL, "60000000", 0 },
	};
	struct manager	m;
	struct fault	f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		set("WATCHDOG_PID", cases[i].pid);
		set("WATCHDOG_USEC", cases[i].usec);
		assert_int_equal(manager_take(&m, &f), 0);
		assert_int_equal(m.beat_ms, cases[i].beat_ms);
		none_left();
	}
}

static void
test_sockets(void **state)
{
	static const struct {
		const char	*pid;
		const char	*fds;
		int		 rc;
		unsigned	 n;
	} cases[] = {
		{ "$", "2", 0, 2 },
		{ "$", "0", 0, 0 },
		{ "$", "x", -1, 0 },
		{ "$", "1000", -1, 0 },		/* not open */
		{ "$", "1025", -1, 0 },
		{ "$", NULL, 0, 0 },
		{ "1", "2", 0, 0 },
		{ NULL, "2", 0, 0 },
	};
	struct manager	m;
	struct fault	f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int fd = MANAGER_FD; fd < MANAGER_FD + 2; fd++)
			assert_int_equal(dup2(0, fd), fd);
		set("LISTEN_PID", cases[i].pid);
		set("LISTEN_FDS", cases[i].fds);
		set("LISTEN_FDNAMES", "a:b");
		assert_int_equal(manager_take(&m, &f), cases[i].rc);
		assert_int_equal(m.nfds, cases[i].n);
		none_left();
		if (cases[i].n == 2)
			assert_int_equal(fcntl(MANAGER_FD + 1, F_GETFD),
			    FD_CLOEXEC);
	}
}

static void
test_names(void **state)
{
	static const char *const want[] = { "pop3", "", "admin", "", "" };
	struct manager	m;
	struct fault	f;
	char		name[8];
	char		longer[400];

	(void)state;
	set("LISTEN_FDNAMES", "pop3::admin");
	assert_int_equal(manager_take(&m, &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		manager_fd_name(&m, i, name, sizeof(name));
		assert_string_equal(name, want[i]);
	}
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	set("LISTEN_FDNAMES", longer);
	assert_int_equal(manager_take(&m, &f), 0);
	manager_fd_name(&m, 0, name, sizeof(name));
	assert_string_equal(name, "");
}

static int
bound(const char *name)
{
	struct sockaddr_un	un = { .sun_family = AF_UNIX };
	socklen_t		n = (socklen_t)(offsetof(struct sockaddr_un,
				    sun_path) + strlen(name));
	int			fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(un.sun_path, name, strlen(name));
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&un, n), 0);
	return fd;
}

/* By a name that no other run of this test has at the same time. */
static int
bound_alone(struct manager *m)
{
	(void)snprintf(m->notify, sizeof(m->notify), "@popper-manager-test-%d",
	    (int)getpid());
	return bound(m->notify);
}

static void
heard(int fd, const char *want)
{
	char	got[256] = "";
	ssize_t	n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	assert_true(n >= 0 || want[0] == '\0');
	assert_string_equal(got, want);
}

static unsigned		failures;
static struct fault	why;

static void
fail_once(const struct fault *f)
{
	failures++;
	why = *f;
}

/* A socket of ours: in a folder, and (with '@') in none. */
static void
hear(const char *name)
{
	int		fd = bound(name);
	struct manager	m;
	struct fault	f;

	set("NOTIFY_SOCKET", name);
	assert_int_equal(manager_take(&m, &f), 0);
	none_left();
	manager_ready(&m, "x");
	heard(fd, "READY=1\nSTATUS=x");
	manager_stopping(&m);
	heard(fd, "STOPPING=1\nSTATUS=Waiting for sessions to end");
	fd_close(&fd);
	failures = 0;
	m.failed = fail_once;
	manager_ready(&m, "x");
	assert_int_equal(failures, 1);
	assert_int_equal(why.err, ECONNREFUSED);
	manager_ready(&m, "x");
	assert_int_equal(failures, 1);		/* told before */
}

static void
test_tell(void **state)
{
	char		folder[] = "/tmp/popper-manager-XXXXXX";
	char		path[64];
	struct manager	m = { .nfds = 0 };
	uint64_t	ms = 5;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	hear(path);
	assert_int_equal(unlink(path), 0);
	path[0] = '@';
	hear(path);
	assert_int_equal(rmdir(folder), 0);
	manager_ready(&m, "nobody asks");
	manager_turn(&m, "nobody asks", &ms);
	assert_int_equal(ms, 5);
}

/* systemd compares this with the time of its own order. */
static void
test_reloading(void **state)
{
	struct manager	m = { .beat_ms = 0 };
	int		fd = bound_alone(&m);
	struct timespec	before;
	struct timespec	after;
	char		got[100] = "";
	unsigned long long usec = 0;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &before);
	manager_reloading(&m);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT) > 0);
	assert_int_equal(sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%llu", &usec),
	    1);
	assert_true(usec >= (unsigned long long)before.tv_sec * 1000000 +
	    (unsigned long long)before.tv_nsec / 1000);
	assert_true(usec <= (unsigned long long)after.tv_sec * 1000000 +
	    (unsigned long long)after.tv_nsec / 1000);
	fd_close(&fd);
}

/* One turn of a loop; how long it may sleep, of 10 seconds. */
static uint64_t
turn(struct manager *m, const char *status)
{
	uint64_t ms = 10000;

	manager_turn(m, status, &ms);
	return ms;
}

static void
test_turn(void **state)
{
	struct manager	m = { .beat_ms = 4000 };
	int		fd = bound_alone(&m);
	uint64_t	ms;

	(void)state;
	manager_ready(&m, "a");
	heard(fd, "READY=1\nSTATUS=a");
	ms = turn(&m, "a");
	assert_true(ms > 2000 && ms <= 4000);
	heard(fd, "WATCHDOG=1");
	ms = turn(&m, "b");			/* too soon for a status */
	assert_true(ms > 0 && ms <= 2000);
	heard(fd, "");
	m.status_due_ms = 0;			/* two seconds later */
	assert_true(turn(&m, "b") > 2000);
	heard(fd, "STATUS=b");
	heard(fd, "");
	m.beat_due_ms = 0;
	assert_true(turn(&m, "b") > 2000);
	heard(fd, "WATCHDOG=1");
	fd_close(&fd);
}

/* A manager whose queue is full loses nothing that it must hear. */
static void
test_busy(void **state)
{
	struct manager	m = { .beat_ms = 4000, .failed = fail_once };
	int		fd = bound_alone(&m);
	char		b[100];
	uint64_t	ms = 10000;

	(void)state;
	failures = 0;
	do {
		m.beat_due_ms = 0;
		manager_turn(&m, "", &ms);
	} while (!m.failing);
	assert_int_equal(failures, 1);
	assert_int_equal(why.err, EAGAIN);
	manager_ready(&m, "x");			/* a second later */
	assert_true(m.failing);
	while (recv(fd, b, sizeof(b), MSG_DONTWAIT) > 0)
		continue;
	m.status_due_ms = 0;
	m.beat_due_ms = UINT64_MAX;
	manager_turn(&m, "x", &ms);
	heard(fd, "READY=1\nSTATUS=x");
	m.status_due_ms = 0;
	manager_turn(&m, "x", &ms);
	heard(fd, "");
	fd_close(&fd);
}

static void
test_no_address(void **state)
{
	static const char *const bad[] = { "relative", "@", "/", "vsock:2:1" };
	struct manager	m;
	struct fault	f;
	char		longer[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		set("NOTIFY_SOCKET", bad[i]);
		assert_int_equal(manager_take(&m, &f), 0);
		manager_ready(&m, "x");
		assert_true(m.failing);
	}
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	set("NOTIFY_SOCKET", longer);
	assert_int_equal(manager_take(&m, &f), 0);
	manager_ready(&m, "x");
	assert_true(m.failing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watchdog),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_tell),
		cmocka_unit_test(test_reloading),
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

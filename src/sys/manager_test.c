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

/* A socket of ours: in a folder, and (with '@') in none. */
static void
hear(const char *name)
{
	struct sockaddr_un	un = { .sun_family = AF_UNIX };
	socklen_t		n = (socklen_t)(offsetof(struct sockaddr_un,
				    sun_path) + strlen(name));
	int			fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char			got[64] = "";
	struct manager		m;
	struct fault		f;

	memcpy(un.sun_path, name, strlen(name));
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&un, n), 0);
	set("NOTIFY_SOCKET", name);
	assert_int_equal(manager_take(&m, &f), 0);
	none_left();
	assert_int_equal(manager_tell(&m, "READY=1\nSTATUS=x", &f), 0);
	assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), 16);
	assert_string_equal(got, "READY=1\nSTATUS=x");
	fd_close(&fd);
	assert_int_equal(manager_tell(&m, "x", &f), -1);
	assert_int_equal(f.err, ECONNREFUSED);
}

static void
test_tell(void **state)
{
	char		folder[] = "/tmp/popper-manager-XXXXXX";
	char		path[64];
	struct manager	m = { .nfds = 0 };
	struct fault	f;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	hear(path);
	assert_int_equal(unlink(path), 0);
	path[0] = '@';
	hear(path);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(manager_tell(&m, "nobody asks", &f), 0);
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
		assert_int_equal(manager_tell(&m, "x", &f), -1);
	}
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	set("NOTIFY_SOCKET", longer);
	assert_int_equal(manager_take(&m, &f), 0);
	assert_int_equal(manager_tell(&m, "x", &f), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watchdog),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_tell),
		cmocka_unit_test(test_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

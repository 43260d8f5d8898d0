/* SPDX-License-Identifier: ISC */
#include "sys/local.h"

#include "sys/file.h"
#include "sys/sock.h"
#include "sys/test_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char	path[100];

static int
setup(void **state)
{
	int r = test_dir_setup(state);

	if (r == 0)
		(void)snprintf(path, sizeof(path), "%s/s",
		    ((struct test_dir *)*state)->path);
	return r;
}

static void
send_with(int to, const char *text, size_t n, int fd)
{
	union {
		struct cmsghdr	align;
		char		b[CMSG_SPACE(sizeof(int))];
	} control = { .b = { 0 } };
	struct iovec	iov = { (void *)(uintptr_t)text, n };
	struct msghdr	msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.b, .msg_controllen = sizeof(control.b),
	};
	struct cmsghdr	*c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	assert_int_equal(sendmsg(to, &msg, 0), n);
}

static unsigned
mode_of(void)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	return st.st_mode & 0777;
}

/* One after another takes the name over, whatever the mode was. */
static void
test_listen(void **state)
{
	struct sock_addr	none;
	struct fault		f;
	int			one;
	int			two;
	int			to;
	int			from;

	(void)state;
	assert_int_equal(local_connect(path, &to, &f), -1);
	assert_int_equal(f.err, ENOENT);
	assert_int_equal(local_listen(path, LOCAL_PACKETS, getgid(), &one, &f),
	    0);
	assert_int_equal(mode_of(), 0660);
	assert_int_equal(local_listen(path, LOCAL_PACKETS, LOCAL_NO_GROUP, &two,
	    &f), 0);
	assert_int_equal(mode_of(), 0600);
	assert_int_equal(local_connect(path, &to, &f), 0);
	assert_int_equal(sock_accept(one, &from, &none, &f), -1);
	assert_int_equal(f.err, EAGAIN);
	assert_int_equal(sock_accept(two, &from, &none, &f), 0);
	assert_int_equal(local_peer(from, getgid()), geteuid() == 0 ?
	    LOCAL_PEER_ROOT : LOCAL_PEER_MEMBER);
	fd_close(&to);
	fd_close(&from);
	fd_close(&one);
	fd_close(&two);
	assert_int_equal(local_connect(path, &to, &f), -1);
	assert_int_equal(f.err, ECONNREFUSED);
}

/* More packets than a socket has room for, unless the host has been told otherwise. */
static void
send_many(int to)
{
	const int room = 1 << 24;

	if (setsockopt(to, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) == -1)
		return;		/* root alone may */
	for (int i = 0; i < 5000; i++)
		assert_int_equal(send(to, "", 0, 0), 0);
}

static void
connect_here(int *to_r, int *from_r)
{
	AUTO(fd_close) int	listener = -1;
	struct sock_addr	none;
	struct fault		f;

	assert_int_equal(local_listen(path, LOCAL_PACKETS, LOCAL_NO_GROUP,
	    &listener, &f), 0);
	assert_int_equal(local_connect(path, to_r, &f), 0);
	assert_int_equal(sock_accept(listener, from_r, &none, &f), 0);
}

/* Who is gone with an answer unread has left his packets behind. */
static void
test_hush_after_end(void **state)
{
	AUTO(fd_close) int	r = -1;
	struct fault		f;
	char			c;
	int			to;
	int			from;
	int			w;

	(void)state;
	connect_here(&to, &from);
	assert_int_equal(fd_pipe(&r, &w, &f), 0);
	send_with(to, "", 0, w);
	fd_close(&w);
	assert_int_equal(send(from, "x", 1, MSG_NOSIGNAL), 1);
	fd_close(&to);
	assert_int_equal(fd_set_nonblock(r, &f), 0);
	assert_int_equal(local_hush(from, &f), 0);
	assert_int_equal(read(r, &c, 1), 0);
	fd_close(&from);
}

/* What lies there, an empty packet as well, is gone with what it had along. */
static void
test_hush(void **state)
{
	struct fault		f;
	socklen_t		n = sizeof(int);
	char			c;
	int			creds = -1;
	int			to;
	int			from;
	int			r;
	int			w;

	(void)state;
	connect_here(&to, &from);
	assert_int_equal(fd_pipe(&r, &w, &f), 0);
	send_many(to);
	for (int i = 0; i < 3; i++) {
		send_with(to, "", 0, w);
		send_with(to, "xy", 2, w);
	}
	fd_close(&w);
	assert_int_equal(fd_set_nonblock(r, &f), 0);
	assert_int_equal(read(r, &c, 1), -1);
	assert_int_equal(local_hush(from, &f), 0);
	assert_int_equal(read(r, &c, 1), 0);
	/* Else what is sent from here on would get an address of its own. */
	assert_int_equal(getsockopt(from, SOL_SOCKET, SO_PASSCRED, &creds, &n), 0);
	assert_int_equal(creds, 0);
	assert_int_equal(send(to, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(send(from, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(to, &c, 1, 0), 1);
	fd_close(&r);
	fd_close(&to);
	fd_close(&from);
}

static void
test_what_is_there_stays(void **state)
{
	char		name[200];
	struct fault	f;
	int		fd = open(path, O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_true(fd >= 0);
	fd_close(&fd);
	assert_int_equal(local_listen(path, LOCAL_STREAM, LOCAL_NO_GROUP, &fd,
	    &f), -1);
	assert_int_equal(f.class, FAULT_PERM);
	assert_int_equal(access(path, F_OK), 0);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(local_listen(name, LOCAL_STREAM, LOCAL_NO_GROUP, &fd,
	    &f), -1);
	assert_int_equal(f.err, ENAMETOOLONG);
}

/* A child of these ids connects; it is known by them, root's file mode or not. */
static enum local_peer
seen_as(uid_t uid, gid_t gid, gid_t also)
{
	struct sock_addr	none;
	struct wait_for		w = { .events = WAIT_READ };
	enum local_peer		who;
	struct fault		f;
	int			fd;
	int			to;
	pid_t			pid;

	assert_int_equal(local_listen(path, LOCAL_PACKETS, 4711, &w.fd, &f), 0);
	assert_int_equal(chmod(path, 0666), 0);
	pid = fork();
	if (pid == 0)
		_exit(setgroups(1, &also) == 0 && setgid(gid) == 0 &&
		    setuid(uid) == 0 && local_connect(path, &to, &f) == 0 ?
		    (int)read(to, &to, 1) : 1);
	assert_int_equal(sock_wait(&w, 1, 10000), 1);
	assert_int_equal(sock_accept(w.fd, &fd, &none, &f), 0);
	who = local_peer(fd, 4711);
	fd_close(&fd);
	fd_close(&w.fd);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return who;
}

static void
test_peer(void **state)
{
	struct test_dir *d = *state;

	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	assert_int_equal(chmod(d->path, 0755), 0);
	assert_int_equal(seen_as(0, 1234, 1234), LOCAL_PEER_ROOT);
	assert_int_equal(seen_as(1234, 4711, 1234), LOCAL_PEER_MEMBER);
	assert_int_equal(seen_as(1234, 1234, 4711), LOCAL_PEER_MEMBER);
	assert_int_equal(seen_as(1234, 1234, 1235), LOCAL_PEER_OTHER);
}

static void
test_group(void **state)
{
	(void)state;
	assert_int_equal(local_group("root"), 0);
	assert_true(local_group("") == LOCAL_NO_GROUP);
	assert_true(local_group("no-such-group-here") == LOCAL_NO_GROUP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_listen, setup,
		    test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_hush, setup,
		    test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_hush_after_end, setup,
		    test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_there_stays, setup,
		    test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_peer, setup,
		    test_dir_teardown),
		cmocka_unit_test(test_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

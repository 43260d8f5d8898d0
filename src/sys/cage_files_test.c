/* SPDX-License-Identifier: ISC */
/*
 * Children lock themselves in as the kernel's version of Landlock, or each older
 * one, lets them, and try what is allowed and what is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sys/cage_files.h"
#include "sys/file.h"
#include "sys/test_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NEWEST = 6 };

static struct test_dir	*dir;
static unsigned		 version;

static bool
have(void)
{
	struct fault f;

	version = cage_files_version(&f);
	if (version > 0)
		return true;
	print_message("this kernel has no Landlock\n");
	return false;
}

static void
make(const char *name, const char *text)
{
	int fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_EXCL, 0666);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

/* In it: in/box, in/sub/deep; out/box; ro/text; one. */
static int
setup(void **state)
{
	if (test_dir_setup(state) == -1)
		return -1;
	dir = *state;
	assert_int_equal(mkdirat(dir->fd, "in", 0777), 0);
	assert_int_equal(mkdirat(dir->fd, "in/sub", 0777), 0);
	assert_int_equal(mkdirat(dir->fd, "out", 0777), 0);
	assert_int_equal(mkdirat(dir->fd, "ro", 0777), 0);
	make("in/box", "mail\n");
	make("in/sub/deep", "mail\n");
	make("out/box", "mail\n");
	make("ro/text", "text\n");
	make("one", "text\n");
	return 0;
}

static int
allow(struct cage_files *c, const char *name, unsigned how, struct fault *f)
{
	AUTO(fd_close) int fd = openat(dir->fd, name, O_PATH | O_CLOEXEC);

	return fd < 0 ? -1 : cage_files_allow(c, fd, how, f);
}

/* The exit status of fn, locked in as version v. */
static int
locked_in(unsigned v, int (*fn)(unsigned v))
{
	int	status;
	pid_t	pid = fork();

	if (pid == 0) {
		struct cage_files	c;
		struct fault		f;

		if (cage_files_begin(&c, v, &f) == -1 ||
		    allow(&c, "in", CAGE_READ | CAGE_LIST | CAGE_WRITE |
		    CAGE_NAMES, &f) == -1 ||
		    allow(&c, "ro", CAGE_READ, &f) == -1 ||
		    allow(&c, "one", CAGE_READ, &f) == -1 ||
		    cage_files_enter(&c, &f) == -1 || c.fd != -1)
			_exit(199);
		_exit(fn(v));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define MUST(c)		do { if (!(c)) return __LINE__ % 190 + 1; } while (0)
#define REFUSED(c)	MUST((errno = 0, (c) == -1) && (errno == EACCES || \
			    errno == EXDEV))

static int
fd_of(const char *name, int flags)
{
	return openat(dir->fd, name, flags | O_CLOEXEC, 0600);
}

static int
try_work(unsigned v)
{
	int box;

	(void)v;
	MUST((box = fd_of("in/box", O_RDWR)) >= 0);
	MUST(ftruncate(box, 1) == 0 && fsync(box) == 0);
	MUST(fd_of("in", O_RDONLY | O_DIRECTORY) >= 0);
	MUST(fd_of("in/sub/deep", O_RDWR) >= 0);
	MUST(fd_of("in/new", O_WRONLY | O_CREAT | O_EXCL) >= 0);
	MUST(renameat(dir->fd, "in/new", dir->fd, "in/box") == 0);
	MUST(fd_of("in/box", O_RDWR) >= 0);	/* another file by now */
	MUST(linkat(dir->fd, "in/box", dir->fd, "in/lock", 0) == 0);
	MUST(unlinkat(dir->fd, "in/lock", 0) == 0);
	MUST(fd_of("ro/text", O_RDONLY) >= 0);
	MUST(fd_of("one", O_RDONLY) >= 0);
	return 0;
}

static int
try_mischief(unsigned v)
{
	REFUSED(open("/etc/passwd", O_RDONLY));
	REFUSED(open("/proc/self/maps", O_RDONLY));
	REFUSED(open("/tmp/popper-mischief", O_WRONLY | O_CREAT, 0600));
	REFUSED(open("/dev/null", O_RDWR));
	REFUSED(fd_of("out/box", O_RDONLY));
	REFUSED(fd_of("out/box", O_WRONLY));
	REFUSED(fd_of("out/new", O_WRONLY | O_CREAT));
	REFUSED(fd_of("out", O_RDONLY | O_DIRECTORY));
	REFUSED(fd_of("in/../out/box", O_RDONLY));
	REFUSED(unlinkat(dir->fd, "out/box", 0));
	REFUSED(linkat(dir->fd, "out/box", dir->fd, "in/stolen", 0));
	REFUSED(renameat(dir->fd, "out/box", dir->fd, "in/stolen"));
	REFUSED(renameat(dir->fd, "in/box", dir->fd, "in/sub/box"));
	REFUSED(fd_of("ro/text", O_WRONLY));
	REFUSED(fd_of("ro", O_RDONLY | O_DIRECTORY));
	REFUSED(unlinkat(dir->fd, "ro/text", 0));
	REFUSED(fd_of("one", O_WRONLY));
	REFUSED(symlinkat("/etc/passwd", dir->fd, "in/link"));
	REFUSED(mkdirat(dir->fd, "in/folder", 0700));
	REFUSED(mkfifoat(dir->fd, "in/fifo", 0600));
	if (v >= 3)
		REFUSED(truncate("/proc/self/comm", 0));
	return 0;
}

static int
connect_to_nobody(void)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	AUTO(fd_close) int fd = socket(AF_INET, SOCK_STREAM, 0);

	return connect(fd, (const struct sockaddr *)&to, sizeof(to));
}

static int
try_network(unsigned v)
{
	errno = 0;
	MUST(connect_to_nobody() == -1);
	MUST(v >= 4 ? errno == EACCES : errno != EACCES);
	return 0;
}

/* A socket in the abstract name space, bound before the child is locked in. */
static struct sockaddr_un	abstract = { .sun_family = AF_UNIX };
static socklen_t		abstract_n;

/* By a datagram socket that is connected to somewhere else, as the log's is. */
static int
try_abstract(unsigned v)
{
	int pair[2];

	MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0);
	MUST(send(pair[0], "x", 1, 0) == 1);
	errno = 0;
	MUST(sendto(pair[0], "x", 1, 0, (const struct sockaddr *)&abstract,
	    abstract_n) == (v >= 6 ? -1 : 1));
	MUST(v < 6 || errno == EPERM);
	return 0;
}

static uint16_t	open_port;
static uint16_t	other_port;

static int
connect_to(uint16_t port)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	AUTO(fd_close) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (const struct sockaddr *)&to, sizeof(to));
}

static int
try_ports(void)
{
	struct fault f;

	MUST(cage_files_nothing(&open_port, 1, &f) == 0);
	MUST(connect_to(open_port) == 0);
	MUST(connect_to(other_port) == (version >= 4 ? -1 : 0));
	MUST(version < 4 || errno == EACCES);
	REFUSED(open("/etc/passwd", O_RDONLY));
	MUST(cage_files_nothing(NULL, 0, &f) == 0);
	MUST(connect_to(open_port) == (version >= 4 ? -1 : 0));
	return 0;
}

/* Set by its test, before the child is locked in. */
static int before = -1;

static int
try_open_before(unsigned v)
{
	(void)v;
	MUST(pwrite(before, "x", 1, 0) == 1 && ftruncate(before, 3) == 0);
	return 0;
}

static void
each_version(int (*fn)(unsigned v))
{
	if (!have())
		skip();
	for (unsigned v = 1; v <= version && v <= NEWEST + 1; v++) {
		int status = locked_in(v, fn);

		if (status != 0)
			fail_msg("version %u of %u: line ..%d", v, version,
			    status - 1);
	}
}

static void
test_work(void **state)
{
	(void)state;
	each_version(try_work);
}

static void
test_mischief(void **state)
{
	(void)state;
	each_version(try_mischief);
}

static void
test_network(void **state)
{
	(void)state;
	each_version(try_network);
}

static void
test_abstract(void **state)
{
	AUTO(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	/* Without a name the kernel picks a free one. */
	assert_int_equal(bind(fd, (const struct sockaddr *)&abstract,
	    sizeof(abstract.sun_family)), 0);
	abstract_n = sizeof(abstract);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&abstract,
	    &abstract_n), 0);
	each_version(try_abstract);
}

static int
listen_here(uint16_t *port_r)
{
	struct sockaddr_in	at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		n = sizeof(at);
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*port_r = ntohs(at.sin_port);
	return fd;
}

static void
test_ports(void **state)
{
	AUTO(fd_close) int	one = listen_here(&open_port);
	AUTO(fd_close) int	other = listen_here(&other_port);
	int			status;
	pid_t			pid;

	(void)state;
	if (!have())
		skip();
	pid = fork();
	if (pid == 0)
		_exit(try_ports());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_open_before(void **state)
{
	(void)state;
	before = fd_of("out/box", O_RDWR);
	assert_true(before >= 0);
	each_version(try_open_before);
	fd_close(&before);
}

/* A kernel without it: nothing changes, nothing fails. */
static int
try_everything(unsigned v)
{
	(void)v;
	MUST(open("/etc/passwd", O_RDONLY) >= 0);
	return try_work(0);
}

static void
test_without(void **state)
{
	(void)state;
	assert_int_equal(locked_in(0, try_everything), 0);
}

static void
test_bad_place(void **state)
{
	struct cage_files	c;
	struct fault		f;

	(void)state;
	if (!have())
		skip();
	assert_int_equal(cage_files_begin(&c, version, &f), 0);
	assert_int_equal(cage_files_allow(&c, -1, CAGE_READ, &f), -1);
	assert_int_equal(f.err, EBADF);
	cage_files_fini(&c);
	assert_int_equal(c.fd, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_work, setup,
		    test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_mischief, setup,
		    test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_network, setup,
		    test_dir_teardown),
		cmocka_unit_test(test_ports),
		cmocka_unit_test_setup_teardown(test_abstract, setup,
		    test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_open_before, setup,
		    test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_without, setup,
		    test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_bad_place, setup,
		    test_dir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

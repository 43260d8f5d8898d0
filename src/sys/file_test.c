/* SPDX-License-Identifier: ISC */
#include "sys/file.h"
#include "sys/test_dir.h"
#include "sys/test_fork.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int
put(int dirfd, const char *name, struct span text)
{
	return file_replace(dirfd, name, 0600, text, NULL);
}

static void
assert_holds(int dirfd, const char *name, struct span want)
{
	AUTO(fd_close) int fd = -1;
	uint8_t got[256];

	assert_int_equal(file_open(dirfd, name, FILE_READ, 0, &fd, NULL), 0);
	assert_int_equal(file_slurp(fd, got, sizeof(got), NULL), want.n);
	assert_memory_equal(got, want.p, want.n);
}

static bool
count_name(void *ctx, const char *name)
{
	(void)name;
	return ++*(int *)ctx < 100;
}

static bool
check_number(void *ctx, const char *name, uint64_t ino)
{
	const int		*dirfd = ctx;
	struct file_facts	 facts;

	assert_int_equal(file_facts_at(*dirfd, name, &facts, NULL), 0);
	assert_int_equal(facts.ino, ino);
	return true;
}

static int
names_in(int dirfd)
{
	int n = 0;

	assert_int_equal(file_list_numbers(dirfd, check_number, &dirfd, NULL), 0);
	assert_int_equal(file_list(dirfd, count_name, &n, NULL), 0);
	return n;
}

/* What lies in the folder for the cases of opening. */
static void
furnish(struct test_dir *d)
{
	struct sockaddr_un { unsigned short family; char path[100]; } un = {
		.family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);

	assert_int_equal(put(d->fd, "plain", SPAN("text\n")), 0);
	assert_int_equal(mkdirat(d->fd, "sub", 0700), 0);
	assert_int_equal(mkdirat(d->fd, "sub/deep", 0700), 0);
	assert_int_equal(symlinkat("plain", d->fd, "link"), 0);
	assert_int_equal(symlinkat("sub", d->fd, "dirlink"), 0);
	assert_int_equal(symlinkat("nowhere", d->fd, "dangling"), 0);
	assert_int_equal(mkfifoat(d->fd, "fifo", 0600), 0);
	(void)snprintf(un.path, sizeof(un.path), "%s/sock", d->path);
	assert_int_equal(bind(s, (struct sockaddr *)&un, sizeof(un)), 0);
	(void)close(s);
	AUTO(fd_close) int sub = openat(d->fd, "sub", O_RDONLY | O_DIRECTORY);
	assert_int_equal(put(sub, "file", SPAN("below\n")), 0);
}

static const struct open_case {
	const char		*name;
	unsigned		 how;
	int			 err;		/* 0: opens; -1: class only */
	enum fault_class	 class;
	int			 beneath_err;	/* the same, beneath */
} open_cases[] = {
	{ "plain",	FILE_READ,		0, FAULT_NONE, 0 },
	{ "plain",	FILE_READ | FILE_WRITE,	0, FAULT_NONE, 0 },
	{ "plain",	FILE_READ | FILE_DIR,	ENOTDIR, FAULT_PERM, ENOTDIR },
	{ "absent",	FILE_READ,		ENOENT, FAULT_TEMP, ENOENT },
	{ "link",	FILE_READ,		ELOOP, FAULT_PERM, ELOOP },
	{ "dangling",	FILE_WRITE | FILE_CREATE, ELOOP, FAULT_PERM, ELOOP },
	{ "fifo",	FILE_READ,		-1, FAULT_PERM, -1 },
	{ "fifo",	FILE_WRITE,		ENXIO, FAULT_PERM, ENXIO },
	{ "fifo",	FILE_READ | FILE_ANY,	0, FAULT_NONE, 0 },
	{ "link",	FILE_READ | FILE_ANY,	ELOOP, FAULT_PERM, ELOOP },
	{ "sock",	FILE_READ,		ENXIO, FAULT_PERM, ENXIO },
	{ "sub",	FILE_READ,		-1, FAULT_PERM, -1 },
	{ "sub",	FILE_WRITE,		EISDIR, FAULT_PERM, EISDIR },
	{ "sub",	FILE_READ | FILE_DIR,	0, FAULT_NONE, 0 },
	{ "sub/file",	FILE_READ,		0, FAULT_NONE, 0 },
	{ "sub//file",	FILE_READ,		0, FAULT_NONE, 0 },
	{ "./sub/file",	FILE_READ,		0, FAULT_NONE, 0 },
	{ "dirlink/file", FILE_READ,		0, FAULT_NONE, ELOOP },
	{ "dirlink",	FILE_READ | FILE_DIR,	ENOTDIR, FAULT_PERM, ENOTDIR },
	{ "sub/../plain", FILE_READ,		0, FAULT_NONE, EXDEV },
	{ "/dev/null",	FILE_READ,		-1, FAULT_PERM, EXDEV },
	{ "plain/x",	FILE_READ,		ENOTDIR, FAULT_PERM, ENOTDIR },
	{ "",		FILE_READ,		ENOENT, FAULT_TEMP, EXDEV },
	{ "plain",	FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE,
						EEXIST, FAULT_TEMP, EEXIST },
};

static void
check_open(int result, const struct open_case *c, int err,
    const struct fault *f, int *fd)
{
	if (err == 0) {
		assert_int_equal(result, 0);
		assert_true(*fd >= 0);
		assert_int_equal(fcntl(*fd, F_GETFD), FD_CLOEXEC);
		fd_close(fd);
		return;
	}
	assert_int_equal(result, -1);
	assert_int_equal(*fd, -1);
	if (err > 0)
		assert_int_equal(f->err, err);
	if (c->class != FAULT_NONE && c->err == err)
		assert_int_equal(f->class, c->class);
}

static void
test_open(void **state)
{
	struct test_dir	*d = *state;

	furnish(d);
	for (size_t i = 0; i < ARRAY_LEN(open_cases); i++) {
		const struct open_case *c = &open_cases[i];
		struct fault	f = { .class = FAULT_NONE };
		int		fd;
		int		r;

		r = file_open(d->fd, c->name, c->how, 0600, &fd, &f);
		check_open(r, c, c->err, &f, &fd);
		r = file_open_beneath(d->fd, c->name, c->how, 0600, &fd, &f);
		check_open(r, c, c->beneath_err, &f, &fd);
	}
	/* The dangling link has made nothing. */
	assert_int_equal(faccessat(d->fd, "nowhere", F_OK, 0), -1);
	assert_int_equal(names_in(d->fd), 7);
}

/* With FILE_NOATIME reading leaves no trace, without it does: on a file system
 * that tells at all.  Another's file is opened all the same. */
static void
test_no_atime(void **state)
{
	struct test_dir		*d = *state;
	struct file_facts	 facts;
	struct fault		 f;
	uint8_t			 b[4];

	for (int plain = 0; plain < 2; plain++) {
		AUTO(fd_close) int fd = -1;

		assert_int_equal(file_replace(d->fd, "read", 0600, SPAN("x"),
		    &f), 0);
		assert_int_equal(file_open(d->fd, "read", FILE_READ |
		    (plain ? 0 : FILE_NOATIME), 0, &fd, &f), 0);
		assert_int_equal(file_set_atime(fd, (struct timespec){ 1000, 0 },
		    &f), 0);
		assert_int_equal(file_pread(fd, b, sizeof(b), 0, &f), 1);
		assert_int_equal(file_facts(fd, &facts, &f), 0);
		if (!plain)
			assert_int_equal(facts.atime.tv_sec, 1000);
		else if (facts.atime.tv_sec == 1000)
			print_message("a file system without access times\n");
	}
	if (geteuid() == 0) {
		AUTO(fd_close) int fd = -1;

		assert_int_equal(setfsuid(61990), 0);
		assert_int_equal(file_open(FILE_CWD, "/etc/passwd",
		    FILE_READ | FILE_NOATIME, 0, &fd, &f), 0);
		(void)setfsuid(0);
	}
}

static void
test_follow(void **state)
{
	struct test_dir	*d = *state;
	int		 fd;

	furnish(d);
	assert_int_equal(file_open(d->fd, "link", FILE_READ | FILE_FOLLOW, 0,
	    &fd, NULL), 0);
	fd_close(&fd);
}

/* The folder's own path, and we are where we were. */
static void
test_path(void **state)
{
	struct test_dir		*d = *state;
	AUTO(fd_close) int	 fd = -1;
	char			 before[PATH_MAX];
	char			 after[PATH_MAX];
	char			 real[PATH_MAX];
	char			 want[PATH_MAX + 8];
	char			 got[PATH_MAX];

	furnish(d);
	assert_non_null(getcwd(before, sizeof(before)));
	assert_non_null(realpath(d->path, real));
	(void)snprintf(want, sizeof(want), "%s/sub", real);
	assert_int_equal(file_open(d->fd, "dirlink", FILE_READ | FILE_DIR |
	    FILE_FOLLOW, 0, &fd, NULL), 0);
	assert_int_equal(file_path(fd, got, sizeof(got), NULL), 0);
	assert_string_equal(got, want);
	assert_int_equal(file_path(fd, got, 3, NULL), -1);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(after, before);
	/* From where daemons live, too. */
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(file_path(fd, got, sizeof(got), NULL), 0);
	assert_string_equal(got, want);
	assert_int_equal(file_path(fd, got, 3, NULL), -1);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(after, "/");
	assert_int_equal(chdir(before), 0);
}

static void
test_facts(void **state)
{
	struct test_dir		*d = *state;
	struct file_facts	 facts;
	struct fault		 f;

	furnish(d);
	assert_int_equal(file_facts_at(d->fd, "plain", &facts, &f), 0);
	assert_true(facts.is_regular);
	assert_int_equal(facts.size, 5);
	assert_int_equal(facts.nlink, 1);
	assert_int_equal(facts.mode, 0600);
	assert_int_equal(facts.uid, geteuid());
	assert_int_equal(file_facts_at(d->fd, "link", &facts, &f), 0);
	assert_false(facts.is_regular);
	assert_int_equal(file_facts(d->fd, &facts, &f), 0);
	assert_true(facts.is_dir);
	assert_int_equal(file_facts_at(d->fd, "absent", &facts, &f), -1);
	assert_int_equal(f.err, ENOENT);
}

static void
test_octets(void **state)
{
	struct test_dir		*d = *state;
	AUTO(fd_close) int	 fd = -1;
	AUTO(fd_close) int	 to = -1;
	struct file_facts	 facts;
	struct file_facts	 now;
	struct fault		 f;
	static uint8_t		 block[150000];
	static uint8_t		 back[sizeof(block)];

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7 + (i >> 8));
	assert_int_equal(file_open_unnamed(d->path, &fd, &f), 0);
	assert_int_equal(file_open_unnamed(d->path, &to, &f), 0);
	assert_int_equal(names_in(d->fd), 0);
	assert_int_equal(file_facts(fd, &facts, &f), 0);
	assert_int_equal(facts.mode, 0600);

	assert_int_equal(file_pwrite(fd, block, sizeof(block), 3, &f), 0);
	assert_int_equal(file_pread(fd, back, sizeof(back), 3, &f),
	    sizeof(back));
	assert_memory_equal(back, block, sizeof(block));
	assert_int_equal(file_pread(fd, back, 10, sizeof(block), &f), 3);
	assert_int_equal(file_pread(fd, back, 10, 1u << 20, &f), 0);

	assert_int_equal(file_copy(fd, 3, to, 0, sizeof(block), &f), 0);
	assert_int_equal(file_pread(to, back, sizeof(back), 0, &f),
	    sizeof(back));
	assert_memory_equal(back, block, sizeof(block));
	assert_int_equal(file_copy(fd, 4, to, 0, sizeof(block), &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);

	assert_int_equal(file_reserve(fd, 0, 1u << 20, &f), 0);
	assert_int_equal(file_reserve(fd, 0, 0, &f), 0);
	assert_int_equal(file_truncate(fd, 5, &f), 0);
	assert_int_equal(file_facts(fd, &facts, &f), 0);
	assert_int_equal(facts.size, 5);
	assert_int_equal(file_facts(fd, &facts, &f), 0);
	assert_int_equal(file_set_atime(fd, (struct timespec){ 1, 2 }, &f), 0);
	assert_int_equal(file_facts(fd, &now, &f), 0);
	assert_int_equal(now.atime.tv_sec, 1);
	assert_int_equal(now.atime.tv_nsec, 2);
	assert_memory_equal(&now.mtime, &facts.mtime, sizeof(now.mtime));
	assert_int_equal(file_sync(fd, &f), 0);
	assert_int_equal(file_datasync(fd, &f), 0);
	assert_int_equal(fd_close_checked(&fd, &f), 0);
	assert_int_equal(fd, -1);
}

/* Beyond the file size limit a write fails: some octets, then EFBIG. */
static void
test_too_large(void **state)
{
	struct test_dir		*d = *state;
	AUTO(fd_close) int	 fd = -1;
	struct rlimit		 old;
	struct rlimit		 small = { 0 };
	struct fault		 f;
	uint8_t			 block[4096] = { 0 };
	int			 r;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(file_open_unnamed(d->path, &fd, &f), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_cur = 1000;
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = file_pwrite(fd, block, sizeof(block), 0, &f);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, -1);
	assert_int_equal(f.class, FAULT_TEMP);
	assert_int_equal(f.err, EFBIG);
}

static void
test_replace(void **state)
{
	struct test_dir		*d = *state;
	struct file_facts	 facts;
	struct fault		 f;

	(void)umask(077);
	assert_int_equal(file_replace(d->fd, "a", 0644, SPAN("one"), &f), 0);
	assert_holds(d->fd, "a", SPAN("one"));
	assert_int_equal(file_replace(d->fd, "a", 0640, SPAN(""), &f), 0);
	assert_int_equal(file_facts_at(d->fd, "a", &facts, &f), 0);
	assert_int_equal(facts.size, 0);
	assert_int_equal(facts.mode, 0640);
	/* A symbolic link is replaced, not followed. */
	assert_int_equal(symlinkat("a", d->fd, "l"), 0);
	assert_int_equal(file_replace(d->fd, "l", 0600, SPAN("two"), &f), 0);
	assert_holds(d->fd, "l", SPAN("two"));
	assert_int_equal(file_facts_at(d->fd, "a", &facts, &f), 0);
	assert_int_equal(facts.size, 0);
	/* A failure leaves no temporary file. */
	assert_int_equal(mkdirat(d->fd, "dir", 0700), 0);
	assert_int_equal(file_replace(d->fd, "dir", 0600, SPAN("x"), &f), -1);
	assert_int_equal(names_in(d->fd), 3);
}

/* A folder that only lets write cannot be synced: that is known beforehand. */
static void
test_replace_unsynced(void **state)
{
	struct test_dir		*d = *state;
	AUTO(fd_close) int	 fd = -1;
	const uid_t		 nobody = 65534;
	const bool		 root = geteuid() == 0;
	struct fault		 f;
	int			 r;

	assert_int_equal(file_mkdir(d->fd, "closed", 0700, &f), 0);
	assert_int_equal(file_open(d->fd, "closed", FILE_READ | FILE_DIR, 0,
	    &fd, &f), 0);
	assert_int_equal(put(fd, "a", SPAN("one")), 0);
	assert_int_equal(fchmod(fd, 0300), 0);
	if (root) {
		assert_int_equal(fchown(fd, nobody, nobody), 0);
		(void)setfsuid(nobody);
	}
	r = file_replace(fd, "a", 0600, SPAN("two"), &f);
	if (root)
		(void)setfsuid(0);
	assert_int_equal(r, -1);
	assert_int_equal(f.err, EACCES);
	assert_int_equal(fchmod(fd, 0700), 0);
	assert_holds(fd, "a", SPAN("one"));
	assert_int_equal(names_in(fd), 1);
}

static void
test_slurp(void **state)
{
	struct test_dir		*d = *state;
	AUTO(fd_close) int	 fd = -1;
	struct fault		 f;
	char			 b[8];

	assert_int_equal(put(d->fd, "eight", SPAN("12345678")), 0);
	assert_int_equal(file_open(d->fd, "eight", FILE_READ, 0, &fd, &f), 0);
	assert_int_equal(file_slurp(fd, b, 8, &f), 8);
	assert_int_equal(file_slurp(fd, b, 7, &f), -1);
	assert_int_equal(f.class, FAULT_LIMIT);
}

static void
test_names(void **state)
{
	struct test_dir	*d = *state;
	struct fault	 f;

	assert_int_equal(file_mkdir(d->fd, "m", 0700, &f), 0);
	assert_int_equal(file_mkdir(d->fd, "m", 0700, &f), 0);
	assert_int_equal(put(d->fd, "x", SPAN("1")), 0);
	assert_int_equal(file_mkdir(d->fd, "x", 0700, &f), -1);
	assert_int_equal(f.class, FAULT_PERM);
	assert_int_equal(symlinkat("m", d->fd, "l"), 0);
	assert_int_equal(file_mkdir(d->fd, "l", 0700, &f), -1);
	assert_int_equal(file_rename(d->fd, "x", "y", &f), 0);
	assert_int_equal(file_unlink(d->fd, "x", &f), -1);
	assert_int_equal(f.err, ENOENT);
	assert_int_equal(file_unlink(d->fd, "y", &f), 0);
	assert_int_equal(names_in(d->fd), 2);
	assert_int_equal(names_in(d->fd), 2);	/* not at the end by now */
}

/* What an append would meet is told, and nothing is made. */
static void
test_append(void **state)
{
	struct test_dir	*d = *state;
	int		 fd;
	struct fault	 f;
	char		 path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/log", d->path);
	assert_int_equal(file_append_judge(path, &f), -1);
	assert_int_equal(f.err, ENOENT);
	assert_int_equal(names_in(d->fd), 0);
	assert_int_equal(file_open_append(path, &fd, &f), 0);
	assert_int_equal(file_write(fd, "x", 1, &f), 0);
	fd_close(&fd);
	assert_int_equal(file_append_judge(path, &f), 0);
	assert_holds(d->fd, "log", SPAN("x"));
	assert_int_equal(fchmodat(d->fd, "log", 0620, 0), 0);
	assert_int_equal(file_append_judge(path, &f), -1);
	assert_non_null(strstr(f.text, "not ours alone"));
	assert_int_equal(file_append_judge(d->path, &f), -1);
	assert_int_equal(f.err, EISDIR);
}

static void
test_writable(void **state)
{
	const struct test_dir	*d = *state;
	struct fault		 f;
	char			 path[PATH_MAX];

	assert_int_equal(file_writable(d->path, &f), 0);
	(void)snprintf(path, sizeof(path), "%s/none", d->path);
	assert_int_equal(file_writable(path, &f), -1);
	assert_int_equal(f.err, ENOENT);
	assert_non_null(strstr(f.text, path));
}

/* What cannot be cloned stays as it is; what can is the same. */
static void
test_clone(void **state)
{
	const struct test_dir	*d = *state;
	AUTO(fd_close) int	 from = -1;
	AUTO(fd_close) int	 to = -1;
	struct file_facts	 facts;
	char			 b[8];
	bool			 done;

	assert_int_equal(file_open_unnamed(d->path, &from, NULL), 0);
	assert_int_equal(file_open_unnamed(d->path, &to, NULL), 0);
	assert_int_equal(file_pwrite(from, "octets", 6, 0, NULL), 0);
	done = file_clone(from, to);
	assert_true(!done || file_may_clone(from));
	assert_int_equal(file_facts(to, &facts, NULL), 0);
	assert_int_equal(facts.size, done ? 6 : 0);
	assert_int_equal(file_pwrite(from, "OCTETS", 6, 0, NULL), 0);
	assert_int_equal(file_pread(to, b, 8, 0, NULL), done ? 6 : 0);
	assert_memory_equal(b, "octets", done ? 6 : 0);
	fd_close(&to);
	assert_int_equal(file_open_memory(&to, NULL), 0);
	assert_false(file_may_clone(to));
}

/* Of what is no file system of files nobody knows. */
static void
test_times_tell(void **state)
{
	AUTO(fd_close) int fd = -1;

	(void)state;
	assert_int_equal(file_open(FILE_CWD, "/proc/self/maps", FILE_READ, 0, &fd,
	    NULL), 0);
	assert_false(file_times_tell(fd));
	assert_false(file_times_tell(-1));
	fd_close(&fd);
	assert_int_equal(file_open_memory(&fd, NULL), 0);
	assert_true(file_times_tell(fd));
}

/* Whoever asks twice hears the same, which is the kernel's. */
static void
test_boot(void **state)
{
	AUTO(fd_close) int	fd = -1;
	char			text[64] = "";
	char			want[32];

	(void)state;
	assert_int_equal(file_open(FILE_CWD, "/proc/sys/kernel/random/boot_id",
	    FILE_READ, 0, &fd, NULL), 0);
	assert_true(file_slurp(fd, text, sizeof(text) - 1, NULL) > 0);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(want, sizeof(want), "%016llx",
		    (unsigned long long)file_boot());
		assert_memory_equal(text, want, 8);
		assert_memory_equal(text + 9, want + 8, 4);
		assert_memory_equal(text + 14, want + 12, 4);
	}
}

static void
test_descriptors(void **state)
{
	struct fault	f;
	int		p[2];
	int		high;
	int		other;

	(void)state;
	assert_int_equal(fd_pipe(&p[0], &p[1], &f), 0);
	assert_int_equal(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fd_dup_high(p[0], &high, &f), 0);
	assert_true(high >= 10);
	assert_true(fd_same(high, p[0]));
	assert_true(fd_same(p[1], p[0]));	/* two ends of one pipe */
	assert_int_equal(fd_pipe(&other, &p[0], &f), 0);
	assert_false(fd_same(other, high));
	assert_false(fd_same(other, -1));
	assert_false(fd_is_socket(other));
	assert_int_equal(fd_set_nonblock(other, &f), 0);
	assert_true(fcntl(other, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_dup_high(-1, &high, &f), -1);
	assert_int_equal(f.err, EBADF);
}

/* Of a child that was started without 0, 1 and 2: each is something else, then. */
static int
fill_all(void)
{
	struct fault	f;
	char		c = 'x';

	for (int fd = 0; fd <= 2; fd++)
		(void)close(fd);
	if (fd_fill_standard(&f) != 0)
		return 1;
	if (read(0, &c, 1) != -1 || write(1, &c, 1) != -1 || write(2, &c, 1) != -1)
		return 2;
	return open("/dev/null", O_RDONLY) > 2 ? 0 : 3;
}

static int
fill_one(int fd)
{
	struct fault	f;
	int		before = dup(fd == 0 ? 1 : 0);

	(void)close(fd);
	if (fd_fill_standard(&f) != 0)
		return 1;
	return fd_same(before, fd == 0 ? 1 : 0) && fcntl(fd, F_GETFL) != -1 ? 0 : 2;
}

static void
test_fill_standard(void **state)
{
	(void)state;
	for (int fd = -1; fd <= 2; fd++) {
		pid_t	pid = test_fork();
		int	status;

		if (pid == 0)
			_exit(fd == -1 ? fill_all() : fill_one(fd));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

static void
test_close_others(void **state)
{
	const int base = 400;
	const int keep[] = { base + 7, base + 2, base + 3, 1 };

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(dup2(2, base + i), base + i);
	fd_close_others(base, keep, ARRAY_LEN(keep));
	for (int i = 0; i < 10; i++)
		assert_int_equal(is_open(base + i),
		    i == 2 || i == 3 || i == 7);
	assert_true(is_open(1));
	fd_close_others(base, NULL, 0);
	for (int i = 0; i < 10; i++)
		assert_false(is_open(base + i));
}

#define IN_DIR(t) \
	cmocka_unit_test_setup_teardown(t, test_dir_setup, test_dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(test_open),
		IN_DIR(test_follow),
		IN_DIR(test_no_atime),
		IN_DIR(test_path),
		IN_DIR(test_facts),
		IN_DIR(test_octets),
		IN_DIR(test_too_large),
		IN_DIR(test_replace),
		IN_DIR(test_replace_unsynced),
		IN_DIR(test_slurp),
		IN_DIR(test_names),
		IN_DIR(test_append),
		IN_DIR(test_writable),
		cmocka_unit_test_setup_teardown(test_clone, test_dir_setup,
		    test_dir_teardown),
		cmocka_unit_test(test_times_tell),
		cmocka_unit_test(test_boot),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_fill_standard),
		cmocka_unit_test(test_close_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

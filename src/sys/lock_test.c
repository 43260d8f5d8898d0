/* SPDX-License-Identifier: ISC */
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/spawn.h"
#include "sys/test_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { BREAKERS = 8, ROUNDS = 40 };

static void
make_lock(int dirfd, const char *text, time_t age_s)
{
	struct timespec	now;
	int		fd;

	(void)unlinkat(dirfd, "u.lock", 0);
	fd = openat(dirfd, "u.lock", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	now.tv_sec -= age_s;
	assert_int_equal(futimens(fd, (struct timespec[2]){ now, now }), 0);
	(void)close(fd);
}

static void
assert_lock_says(int dirfd, const char *want)
{
	char	got[128] = "";
	int	fd = openat(dirfd, "u.lock", O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, got, sizeof(got) - 1) > 0);
	assert_string_equal(got, want);
	(void)close(fd);
}

static bool
count_name(void *ctx, const char *name)
{
	(void)name;
	++*(int *)ctx;
	return true;
}

static int
names_in(int dirfd)
{
	int n = 0;

	assert_int_equal(file_list(dirfd, count_name, &n, NULL), 0);
	return n;
}

static pid_t
dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* Whoever reads, writes or has it mapped counts, and is gone when he has closed it. */
static void
test_sole(void **state)
{
	static const int	 how[] = { O_RDONLY, O_WRONLY, O_RDWR };
	const struct test_dir	*d = *state;
	int			 fd = openat(d->fd, "u", O_RDWR | O_CREAT, 0600);
	void			*p;

	assert_true(lock_is_sole(fd));
	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		int other = openat(d->fd, "u", how[i]);

		assert_false(lock_is_sole(fd));
		(void)close(other);
		assert_true(lock_is_sole(fd));
	}
	assert_int_equal(write(fd, "octets", 6), 6);
	p = mmap(NULL, 6, PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	(void)close(fd);
	fd = openat(d->fd, "u", O_RDWR);
	assert_false(lock_is_sole(fd));
	(void)munmap(p, 6);
	assert_true(lock_is_sole(fd));
	(void)close(fd);
	assert_false(lock_is_sole(-1));
}

enum { IS_SOLE = 1, NO_OVERLAY = 77 };

/* In a mount namespace of its own. */
static int
map_in_overlay(const char *dir)
{
	char	text[256];
	int	fd;

	if (unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("tmpfs", dir, "tmpfs", 0, NULL) == -1 || chdir(dir) == -1 ||
	    mkdir("up", 0700) == -1 || mkdir("work", 0700) == -1 ||
	    mkdir("all", 0700) == -1)
		return NO_OVERLAY;
	(void)snprintf(text, sizeof(text), "lowerdir=%s/all,upperdir=%s/up,"
	    "workdir=%s/work", dir, dir, dir);
	if (mount("overlay", "all", "overlay", 0, text) == -1)
		return NO_OVERLAY;
	fd = open("all/u", O_RDWR | O_CREAT, 0600);
	if (fd == -1 || ftruncate(fd, 1) == -1 || mmap(NULL, 1, PROT_WRITE,
	    MAP_SHARED, fd, 0) == MAP_FAILED || close(fd) == -1)
		return NO_OVERLAY;
	fd = open("all/u", O_RDWR);
	return lock_is_sole(fd) ? IS_SOLE : 0;
}

/* Where a mapping cannot be seen. */
static void
test_sole_in_overlay(void **state)
{
	const struct test_dir	*d = *state;
	int			 status;
	pid_t			 pid = fork();

	if (pid == 0)
		_exit(map_in_overlay(d->path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_OVERLAY)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Who wants the file meanwhile gets it, and nobody dies of that. */
static void
test_sole_is_short(void **state)
{
	const struct test_dir	*d = *state;
	int			 fd = openat(d->fd, "u", O_RDWR | O_CREAT, 0600);
	int			 status = 0;
	pid_t			 pid = fork();

	if (pid == 0) {
		(void)close(fd);
		for (int i = 0; i < 2000; i++) {
			fd = openat(d->fd, "u", O_RDWR);
			if (fd == -1 || close(fd) == -1)
				_exit(1);
		}
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		(void)!lock_is_sole(fd);
	assert_int_equal(status, 0);
	assert_true(lock_is_sole(fd));
	(void)close(fd);
}

static void
test_dotlock(void **state)
{
	struct dotlock		 held;
	struct dotlock		 other;
	struct test_dir		*d = *state;
	struct file_facts	 facts;
	struct fault		 f;
	char			 host[64] = "";
	char			 mine[128];

	(void)umask(077);
	assert_int_equal(dotlock_take(d->fd, "u", getpid(), &held, &f), 0);
	(void)snprintf(mine, sizeof(mine), "%d\n", (int)getpid());
	assert_lock_says(d->fd, mine);
	assert_int_equal(file_facts_at(d->fd, "u.lock", &facts, &f), 0);
	assert_int_equal(facts.mode, 0644);
	assert_int_equal(facts.nlink, 1);
	assert_int_equal(names_in(d->fd), 1);

	assert_int_equal(dotlock_take(d->fd, "u", getpid(), &other, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	assert_int_equal(names_in(d->fd), 1);
	assert_int_equal(dotlock_repid(d->fd, "u", &held, 0, &f), 0);
	(void)gethostname(host, sizeof(host) - 1);
	(void)snprintf(mine, sizeof(mine), "0\npopper update on %s\n", host);
	assert_lock_says(d->fd, mine);
	assert_int_equal(dotlock_take(d->fd, "u", 1, &other, &f), -1);
	assert_int_equal(dotlock_adopt(d->fd, "u", geteuid() + 1, &other, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	assert_int_equal(dotlock_adopt(d->fd, "u", geteuid(), &held, &f), 0);
	assert_int_equal(dotlock_repid(d->fd, "u", &held, 1234567, &f), 0);
	assert_lock_says(d->fd, "1234567\n");
	assert_int_equal(dotlock_adopt(d->fd, "u", geteuid(), &other, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	assert_int_equal(dotlock_release(d->fd, "u", &held, &f), 0);
	assert_int_equal(names_in(d->fd), 0);
	assert_int_equal(dotlock_release(d->fd, "u", &held, &f), -1);
	assert_int_equal(f.err, ENOENT);
	assert_int_equal(dotlock_adopt(d->fd, "u", geteuid(), &other, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	assert_int_equal(dotlock_repid(d->fd, "u", &held, 1, &f), -1);
	assert_int_equal(dotlock_refresh(d->fd, "u", &held, &f), -1);
}

static void
test_stale(void **state)
{
	struct dotlock		 held;
	struct test_dir *d = *state;
	char dead[32];
	char live[32];
	const struct {
		const char	*text;
		time_t		 age_s;
		bool		 broken;
	} cases[] = {
		{ live, 0, false },
		{ live, 290, false },
		{ live, 310, true },
		{ dead, 0, true },
		{ "0\n", 290, false },
		{ "0\n", 310, true },
		{ "", 0, false },
		{ "", 310, true },
		{ "what\n", 0, false },
		{ "-1\n", 0, false },
		{ "99999999999999999999\n", 0, false },
		{ live, -1000, false },		/* from the future */
	};

	(void)snprintf(dead, sizeof(dead), "%d\n", (int)dead_pid());
	(void)snprintf(live, sizeof(live), "%d\n", (int)getpid());
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault f;
		int r;

		make_lock(d->fd, cases[i].text, cases[i].age_s);
		r = dotlock_take(d->fd, "u", 1, &held, &f);
		assert_int_equal(r, cases[i].broken ? 0 : -1);
		if (r == -1)
			assert_int_equal(f.class, FAULT_IN_USE);
		else
			assert_lock_says(d->fd, "1\n");
		assert_int_equal(names_in(d->fd), 1);
	}
}

/* liblockfile keeps reading a number up to the line end. */
static void
test_refresh(void **state)
{
	struct dotlock		 held;
	struct dotlock		 other;
	struct test_dir		*d = *state;
	struct file_facts	 facts;
	struct fault		 f;

	make_lock(d->fd, "0\n", 310);
	assert_int_equal(file_facts_at(d->fd, "u.lock", &facts, &f), 0);
	held.ino = facts.ino;
	assert_int_equal(dotlock_refresh(d->fd, "u", &held, &f), 0);
	assert_int_equal(dotlock_take(d->fd, "u", 1, &other, &f), -1);
	assert_int_equal(file_facts_at(d->fd, "u.lock", &facts, &f), 0);
	assert_true(time(NULL) - facts.mtime.tv_sec < 10);
}

/* Somebody puts a link to another's file where the lock was. */
static void
test_taken_away(void **state)
{
	struct test_dir		*d = *state;
	struct file_facts	 before;
	struct file_facts	 after;
	struct dotlock		 held;
	struct fault		 f;

	make_lock(d->fd, "a spool\n", 400);
	assert_int_equal(renameat(d->fd, "u.lock", d->fd, "spool"), 0);
	assert_int_equal(file_facts_at(d->fd, "spool", &before, &f), 0);
	assert_int_equal(dotlock_take(d->fd, "u", 1, &held, &f), 0);
	assert_int_equal(unlinkat(d->fd, "u.lock", 0), 0);
	assert_int_equal(linkat(d->fd, "spool", d->fd, "u.lock", 0), 0);
	assert_int_equal(dotlock_refresh(d->fd, "u", &held, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	assert_int_equal(dotlock_repid(d->fd, "u", &held, 0, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	assert_int_equal(dotlock_release(d->fd, "u", &held, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	assert_lock_says(d->fd, "a spool\n");
	assert_int_equal(file_facts_at(d->fd, "spool", &after, &f), 0);
	assert_int_equal(after.mtime.tv_sec, before.mtime.tv_sec);
	assert_int_equal(after.nlink, 2);
}

static void
test_strange(void **state)
{
	struct dotlock		 other;
	struct test_dir	*d = *state;
	struct fault	 f;
	char		 name[300];

	assert_int_equal(symlinkat("/etc/passwd", d->fd, "u.lock"), 0);
	assert_int_equal(dotlock_take(d->fd, "u", 1, &other, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	assert_int_equal(unlinkat(d->fd, "u.lock", 0), 0);
	assert_int_equal(mkdirat(d->fd, "u.lock", 0700), 0);
	assert_int_equal(dotlock_take(d->fd, "u", 1, &other, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(dotlock_take(d->fd, name, 1, &other, &f), -1);
	assert_int_equal(f.class, FAULT_PERM);
	assert_int_equal(names_in(d->fd), 1);
}

static void
test_not_allowed(void **state)
{
	struct dotlock		 held;
	struct test_dir		*d = *state;
	struct identity		 nobody = { .uid = 65534, .gid = 65534 };
	struct fault		 f;
	int			 status;
	pid_t			 pid;

	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	assert_int_equal(fchmod(d->fd, 0755), 0);
	pid = fork();
	if (pid == 0) {
		if (identity_become(&nobody, false, &f) == -1)
			_exit(2);
		_exit(dotlock_take(d->fd, "u", 1, &held, &f) == -1 &&
		    f.class == FAULT_PERM && f.err == EACCES ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Postfix's dotlock: root's, of mode 0600, in a folder that we may write. */
static void
test_unreadable(void **state)
{
	struct dotlock		 held;
	struct test_dir		*d = *state;
	struct identity		 nobody = { .uid = 65534, .gid = 65534 };
	struct fault		 f;
	int			 status;
	int			 fd;
	pid_t			 pid;

	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	fd = openat(d->fd, "u.lock", O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_not_equal(fd, -1);
	(void)close(fd);
	assert_int_equal(fchmod(d->fd, 0777), 0);
	pid = fork();
	if (pid == 0) {
		if (identity_become(&nobody, false, &f) == -1)
			_exit(2);
		if (dotlock_take(d->fd, "u", 1, &held, &f) != -1 ||
		    f.class != FAULT_IN_USE)
			_exit(3);
		_exit(dotlock_adopt(d->fd, "u", geteuid(), &held, &f) == -1 &&
		    f.class == FAULT_IN_USE ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Several at once meet a stale lock: exactly one may have it afterwards. */
static void
test_breakers(void **state)
{
	struct test_dir *d = *state;
	char dead[32];

	(void)snprintf(dead, sizeof(dead), "%d\n", (int)dead_pid());
	for (int round = 0; round < ROUNDS; round++) {
		pid_t	pid[BREAKERS];
		int	start[2];
		int	winners = 0;

		make_lock(d->fd, dead, round % 2 ? 0 : 400);
		assert_int_equal(pipe(start), 0);
		for (int i = 0; i < BREAKERS; i++) {
			struct dotlock held;
			char c;

			pid[i] = fork();
			if (pid[i] != 0)
				continue;
			(void)close(start[1]);
			(void)!read(start[0], &c, 1);
			_exit(dotlock_take(d->fd, "u", 1, &held, NULL) == 0);
		}
		(void)close(start[0]);
		(void)close(start[1]);
		for (int i = 0; i < BREAKERS; i++) {
			int status;

			assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
			winners += WEXITSTATUS(status);
		}
		assert_int_equal(winners, 1);
		assert_int_equal(names_in(d->fd), 1);
	}
}

/* In a child: does it get the lock? */
static bool
child_locks(const char *path, int kind)
{
	struct fault	f = { .class = FAULT_NONE };
	pid_t		pid = fork();
	int		status;

	if (pid == 0) {
		int fd = open(path, O_RDWR);
		struct flock posix = { .l_type = F_WRLCK };
		bool got = kind == 'p' ? fcntl(fd, F_SETLK, &posix) == 0 :
		    kind == 'f' ? lock_flock(fd, &f) == 0 :
		    lock_fcntl(fd, kind == 'x', &f) == 0;

		_exit(got ? 1 : f.class == FAULT_IN_USE || kind == 'p' ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 1;
}

static void
test_kernel_locks(void **state)
{
	struct test_dir	*d = *state;
	struct fault	 f;
	char		 path[100];
	int		 fd;
	int		 second;

	(void)snprintf(path, sizeof(path), "%s/box", d->path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(lock_fcntl(fd, true, &f), 0);
	assert_false(child_locks(path, 'x'));
	assert_false(child_locks(path, 's'));
	assert_false(child_locks(path, 'p'));
	/* A POSIX lock would be lost with the close of any descriptor. */
	second = open(path, O_RDONLY);
	(void)close(second);
	assert_false(child_locks(path, 'p'));
	assert_int_equal(lock_fcntl(fd, false, &f), 0);
	assert_true(child_locks(path, 's'));
	assert_false(child_locks(path, 'x'));
	assert_int_equal(lock_fcntl_release(fd, &f), 0);
	assert_true(child_locks(path, 'x'));
	assert_int_equal(lock_flock(fd, &f), 0);
	assert_false(child_locks(path, 'f'));
	assert_true(child_locks(path, 'x'));
	(void)close(fd);
	assert_true(child_locks(path, 'f'));
	assert_int_equal(lock_fcntl(-1, true, &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
}

#define IN_DIR(t) \
	cmocka_unit_test_setup_teardown(t, test_dir_setup, test_dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(test_sole),
		IN_DIR(test_sole_in_overlay),
		IN_DIR(test_sole_is_short),
		IN_DIR(test_dotlock),
		IN_DIR(test_stale),
		IN_DIR(test_refresh),
		IN_DIR(test_taken_away),
		IN_DIR(test_strange),
		IN_DIR(test_not_allowed),
		IN_DIR(test_unreadable),
		IN_DIR(test_breakers),
		IN_DIR(test_kernel_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

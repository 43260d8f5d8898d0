/* SPDX-License-Identifier: ISC */
/* bull_add, bull_remove, bull_judge against a real folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "bull/bull.h"
#include "sys/lock.h"
#include "sys/test_dir.h"

#define MESSAGE	"From: ann@example.org\nSubject: Down on Sunday\n\nFrom 8 on\n"

static unsigned	syncs;		/* seen; that one fails: */
static unsigned	bad_sync;

int	__real_fsync(int fd);
int	__wrap_fsync(int fd);
int
__wrap_fsync(int fd)
{
	if (++syncs != bad_sync)
		return __real_fsync(fd);
	errno = EIO;
	return -1;
}

static void
put_file(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static int
add(struct test_dir *d, const char *message, const char *title,
    uint64_t *number_r, struct fault *f)
{
	int	fd;
	int	r;

	put_file(d->fd, ".message", message);
	fd = openat(d->fd, ".message", O_RDONLY);
	assert_true(fd >= 0);
	r = bull_add(d->path, fd, title, number_r, f);
	(void)close(fd);
	return r;
}

static void
assert_added(struct test_dir *d, const char *title, uint64_t want)
{
	struct fault	f;
	uint64_t	number;

	assert_int_equal(add(d, MESSAGE, title, &number, &f), 0);
	assert_int_equal(number, want);
}

static void
test_add(void **state)
{
	struct test_dir	*d = *state;
	struct stat	 st;
	char		 text[256];
	char		*body;
	ssize_t		 n;
	mode_t		 old = umask(077);
	int		 fd;

	assert_added(d, NULL, 1);
	assert_added(d, "two", 2);
	(void)umask(old);
	fd = openat(d->fd, "1.Down_on_Sunday", O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_memory_equal(text, "From popper ", 12);
	body = strchr(text, '\n');
	assert_non_null(body);
	assert_string_equal(body + 1, "From: ann@example.org\n"
	    "Subject: Down on Sunday\n\n>From 8 on\n\n");
	(void)close(fd);
	assert_int_equal(faccessat(d->fd, "2.two", F_OK, 0), 0);
}

/* Neither what was removed nor what somebody took away frees a number. */
static void
test_never_reused(void **state)
{
	struct test_dir	*d = *state;
	struct fault	 f;

	assert_added(d, "a", 1);
	put_file(d->fd, "41.by_hand", "x");
	assert_added(d, "b", 42);
	assert_int_equal(bull_remove(d->path, 42, &f), 0);
	assert_added(d, "c", 43);
	assert_int_equal(unlinkat(d->fd, "43.c", 0), 0);
	assert_added(d, "d", 44);
	put_file(d->fd, "50.by_hand", "x");
	assert_int_equal(bull_remove(d->path, 50, &f), 0);
	assert_added(d, "e", 51);
}

static void
test_remove(void **state)
{
	struct test_dir	*d = *state;
	struct fault	 f;

	put_file(d->fd, "7.a", "x");
	put_file(d->fd, "007.b", "x");
	put_file(d->fd, "70.c", "x");
	assert_int_equal(bull_remove(d->path, 7, &f), 0);
	assert_int_equal(faccessat(d->fd, "7.a", F_OK, 0), -1);
	assert_int_equal(faccessat(d->fd, "007.b", F_OK, 0), -1);
	assert_int_equal(faccessat(d->fd, "70.c", F_OK, 0), 0);
	assert_int_equal(bull_remove(d->path, 7, &f), -1);
	assert_int_equal(f.err, ENOENT);
}

static void
test_refused(void **state)
{
	struct test_dir	*d = *state;
	struct fault	 f;
	uint64_t	 n;

	assert_int_equal(add(d, "Hello\n", NULL, &n, &f), -1);
	assert_int_equal(f.class, FAULT_PROTO);
	/* A number that was not given away is not spent. */
	assert_added(d, "a", 1);
	put_file(d->fd, ".highest", "many\n");
	assert_int_equal(add(d, MESSAGE, NULL, &n, &f), -1);
	assert_int_equal(f.class, FAULT_PERM);
	put_file(d->fd, ".highest", "999999999999999999\n");
	assert_int_equal(add(d, MESSAGE, NULL, &n, &f), -1);
	assert_int_equal(f.class, FAULT_LIMIT);
	assert_int_equal(bull_add("/nonexistent/x", -1, NULL, &n, &f), -1);
}

/* Who is told that it failed adds it again: nobody is to get it twice. */
static void
test_bad_disk(void **state)
{
	struct test_dir	*d = *state;
	struct fault	 f;
	uint64_t	 n;
	unsigned	 all;

	syncs = 0;
	assert_added(d, "a", 1);
	all = syncs;
	assert_in_range(all, 3, 8);
	for (unsigned i = 1; i <= all; i++) {
		syncs = 0;
		bad_sync = i;
		assert_int_equal(add(d, MESSAGE, "b", &n, &f), -1);
		assert_int_equal(f.err, EIO);
		assert_int_equal(bull_remove(d->path, n, &f), -1);
		assert_int_equal(f.err, ENOENT);
	}
	bad_sync = 0;
}

static void
test_too_long(void **state)
{
	struct test_dir	*d = *state;
	struct fault	 f;
	uint64_t	 n;
	int		 fd;

	put_file(d->fd, ".message", "From: a\n\n");
	fd = openat(d->fd, ".message", O_RDWR);
	assert_int_equal(ftruncate(fd, BULL_MESSAGE_MAX + 1), 0);
	assert_int_equal(bull_add(d->path, fd, NULL, &n, &f), -1);
	assert_int_equal(f.class, FAULT_LIMIT);
	assert_int_equal(ftruncate(fd, BULL_MESSAGE_MAX), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(bull_add(d->path, fd, NULL, &n, &f), 0);
	(void)close(fd);
}

/* Whoever publishes at the same time waits for the other. */
static void
test_lock(void **state)
{
	struct test_dir	*d = *state;
	int		 fd = openat(d->fd, ".lock", O_RDWR | O_CREAT, 0600);
	struct fault	 f;
	pid_t		 pid;

	assert_int_equal(lock_flock(fd, &f), 0);
	pid = fork();
	if (pid == 0) {
		usleep(300000);
		_exit(0);		/* its copy of fd holds the lock */
	}
	(void)close(fd);
	assert_added(d, "a", 1);
}

struct seen {
	char	text[2048];
};

static void
row(void *ctx, const char *name, uint64_t number, struct span subject,
    const char *problem)
{
	struct seen	*s = ctx;
	size_t		 n = strlen(s->text);

	(void)snprintf(s->text + n, sizeof(s->text) - n,
	    "%s|%" PRIu64 "|%.*s|%s\n", name, number, (int)subject.n,
	    (const char *)subject.p, problem == NULL ? "" : problem);
}

#define FROM	"From ann Sat Jan  1 00:00:00 2000\n"

static void
test_judge(void **state)
{
	struct test_dir	*d = *state;
	struct seen	 s = { "" };
	struct fault	 f;

	put_file(d->fd, "10.good", FROM "Subject: ten\n\nb\n");
	put_file(d->fd, "9.bad", "Subject: nine\n\nb\n");
	put_file(d->fd, "11.two", FROM "A: 1\n\nb\n\n" FROM "A: 1\n");
	put_file(d->fd, "12.closed", FROM "Subject: 12\n\nb\n");
	assert_int_equal(fchmodat(d->fd, "12.closed", 0640, 0), 0);
	assert_int_equal(mkdirat(d->fd, "13", 0755), 0);
	put_file(d->fd, "README", "");
	put_file(d->fd, "0.zero", FROM "Subject: zero\n\nb\n");
	put_file(d->fd, ".highest", "13\n");
	put_file(d->fd, "1000000000000000000", "");
	assert_int_equal(fchmod(d->fd, 0700), 0);
	assert_int_equal(bull_judge(d->path, row, &s, &f), 0);
	assert_non_null(strstr(s.text, ".|0||the folder is not readable"));
	assert_non_null(strstr(s.text, "README|0||not delivered"));
	assert_non_null(strstr(s.text, "1000000000000000000|0||not delivered"));
	assert_non_null(strstr(s.text, "0.zero|0|zero|not delivered"));
	assert_null(strstr(s.text, ".highest"));
	assert_non_null(strstr(s.text,
	    "9.bad|9|nine|the first line is not a From_ line"));
	assert_non_null(strstr(s.text, "\n10.good|10|ten|\n11.two|11||it holds"
	    " more than one message"));
	assert_non_null(strstr(s.text,
	    "12.closed|12|12|not readable by everybody"));
	assert_non_null(strstr(s.text, "13|13||13 is no regular file"));
	assert_int_equal(fchmod(d->fd, 0777), 0);
	s.text[0] = '\0';
	assert_int_equal(bull_judge(d->path, row, &s, &f), 0);
	assert_non_null(strstr(s.text, ".|0||others than its owner"));
	assert_int_equal(bull_judge("/nonexistent/x", row, &s, &f), -1);
}

#define CASE(t) \
	cmocka_unit_test_setup_teardown(t, test_dir_setup, test_dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_add),
		CASE(test_never_reused),
		CASE(test_remove),
		CASE(test_refused),
		CASE(test_bad_disk),
		CASE(test_too_long),
		CASE(test_lock),
		CASE(test_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
#include "sys/file_pass.h"
#include "sys/file.h"
#include "sys/sock.h"
#include "sys/test_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE	(19 * (uint64_t)FILE_PASS_FAR + 123)
#define PAGE	4096u

/* What a kernel or a file system may be without. */
static struct {
	int	cached;			/* errno of mincore; 0: as it is */
	int	direct;			/* of setting O_DIRECT */
	int	sector;			/* of a read past the cache */
	long	call;			/* system call that fails, */
	int	call_err;		/* with it */
	int	event;			/* what becomes of a read ahead */
} lacks;

static struct {
	unsigned	past;		/* O_DIRECT was set */
	unsigned	asked;		/* reads ahead */
	unsigned	awaited;
	unsigned	looks;		/* at what the cache has */
} did;

int	__real_mincore(void *p, size_t n, unsigned char *in);
int	__wrap_mincore(void *p, size_t n, unsigned char *in);
ssize_t	__real_pread64(int fd, void *p, size_t n, off_t at);
ssize_t	__wrap_pread64(int fd, void *p, size_t n, off_t at);
/* Where times have 64 bits by choice, it has another name. */
#if __TIMESIZE == 32
#define __real_fcntl64	__real___fcntl_time64
#define __wrap_fcntl64	__wrap___fcntl_time64
#endif
int	__real_fcntl64(int fd, int what, ...);
int	__wrap_fcntl64(int fd, int what, ...);
long	__real_syscall(long number, ...);
long	__wrap_syscall(long number, ...);

int
__wrap_mincore(void *p, size_t n, unsigned char *in)
{
	did.looks++;
	if (lacks.cached != 0) {
		errno = lacks.cached;
		return -1;
	}
	return __real_mincore(p, n, in);
}

static bool
is_past(int fd)
{
	return (__real_fcntl64(fd, F_GETFL) & O_DIRECT) != 0;
}

ssize_t
__wrap_pread64(int fd, void *p, size_t n, off_t at)
{
	if (lacks.sector != 0 && is_past(fd)) {
		errno = lacks.sector;
		return -1;
	}
	return __real_pread64(fd, p, n, at);
}

int
__wrap_fcntl64(int fd, int what, ...)
{
	va_list	ap;
	int	flags;

	va_start(ap, what);
	flags = va_arg(ap, int);
	va_end(ap);
	if (what == F_SETFL && (flags & O_DIRECT) != 0) {
		did.past++;
		if (lacks.direct != 0) {
			errno = lacks.direct;
			return -1;
		}
	}
	return __real_fcntl64(fd, what, flags);
}

long
__wrap_syscall(long number, ...)
{
	long	a[5];
	long	r;
	va_list	ap;

	va_start(ap, number);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	did.asked += number == SYS_io_submit;
	did.awaited += number == SYS_io_getevents;
	if (lacks.call_err != 0 && number == lacks.call) {
		errno = lacks.call_err;
		return -1;
	}
	r = __real_syscall(number, a[0], a[1], a[2], a[3], a[4]);
	if (number == SYS_io_getevents && lacks.event != 0)
		((struct io_event *)a[3])->res = -lacks.event;
	return r;
}

/* ------------------------------------------------------------------ files */

static uint8_t
octet_at(uint64_t at)
{
	return (uint8_t)(at ^ at >> 8 ^ at >> 16 ^ at >> 24);
}

static void
fill(int fd, uint64_t from, uint64_t to)
{
	static uint8_t	block[1 << 16];

	for (uint64_t at = from; at < to; at += sizeof(block)) {
		size_t n = to - at < sizeof(block) ? (size_t)(to - at) : sizeof(block);

		for (size_t i = 0; i < n; i++)
			block[i] = octet_at(at + i);
		assert_int_equal(file_pwrite(fd, block, n, at, NULL), 0);
	}
}

static void
forget(int fd)
{
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

/* Pages of the file that the cache has. */
static size_t
cached(int fd)
{
	size_t	 pages = (SIZE + PAGE - 1) / PAGE;
	uint8_t	*in = calloc(pages, 1);
	void	*map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	size_t	 n = 0;

	assert_non_null(in);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(__real_mincore(map, SIZE, in), 0);
	for (size_t i = 0; i < pages; i++)
		n += in[i] & 1;
	assert_int_equal(munmap(map, SIZE), 0);
	free(in);
	return n;
}

static int
open_new(const struct test_dir *d)
{
	int fd = -1;

	memset(&lacks, 0, sizeof(lacks));
	memset(&did, 0, sizeof(did));
	assert_int_equal(file_open_unnamed(d->path, &fd, NULL), 0);
	fill(fd, 0, SIZE);
	return fd;
}

/* From `from` to `end`: every octet once, in order.  Returns how many came. */
static uint64_t
pass(int fd, uint64_t from, uint64_t end)
{
	struct file_pass	p;
	struct span		got = { 0 };
	uint64_t		at = from;

	file_pass_init(&p, fd, end - from, end - from > FILE_PASS_FAR);
	do {
		assert_int_equal(file_pass_read(&p, at, end, &got, NULL), 0);
		assert_true(got.n <= end - at);
		for (size_t i = 0; i < got.n; i++)
			if (got.p[i] != octet_at(at + i))
				fail_msg("octet %llu", (unsigned long long)(at + i));
		at += got.n;
		assert_false(is_past(fd));
	} while (got.n > 0 && at < end);
	file_pass_fini(&p);
	return at - from;
}

/* Is this file system able to? */
static bool
may_pass(int fd)
{
	int flags = __real_fcntl64(fd, F_GETFL);

	return __real_fcntl64(fd, F_SETFL, flags | O_DIRECT) == 0 &&
	    __real_fcntl64(fd, F_SETFL, flags) == 0;
}

/* ------------------------------------------------------------------ tests */

static void
test_cold(void **state)
{
	static const uint64_t	from[] = { 0, 1, PAGE - 1, PAGE + 1 };
	AUTO(fd_close) int	fd = open_new(*state);
	bool			may = may_pass(fd);

	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		size_t before;

		forget(fd);
		before = cached(fd);
		assert_int_equal(pass(fd, from[i], SIZE), SIZE - from[i]);
		if (may)
			assert_true(cached(fd) <= before);
	}
}

static void
test_cached(void **state)
{
	AUTO(fd_close) int fd = open_new(*state);

	assert_int_equal(pass(fd, 0, SIZE), SIZE);
	assert_int_equal(did.past, 0);
	assert_int_equal(did.asked, 0);
	assert_int_equal(did.looks, SIZE / FILE_PASS_FAR + 1);
}

/* What was read last, as mail that has just come. */
static void
test_end_cached(void **state)
{
	AUTO(fd_close) int	fd = open_new(*state);
	unsigned		far = SIZE / FILE_PASS_FAR / 2;

	forget(fd);
	/* Of a file system in memory all is cached, always. */
	if (!may_pass(fd) || cached(fd) > 0)
		skip();
	fill(fd, far * FILE_PASS_FAR, SIZE);
	assert_int_equal(pass(fd, 0, SIZE), SIZE);
	assert_int_equal(did.asked, far - 1);
	assert_int_equal(did.past, far);
}

/* Here and there the cache has some, and of the end it alone. */
static void
test_mixed(void **state)
{
	AUTO(fd_close) int	fd = open_new(*state);
	uint8_t			one[3];

	forget(fd);
	for (uint64_t at = 5 * PAGE; at < SIZE; at += FILE_PASS_FAR + 7 * PAGE)
		assert_int_equal(file_pread(fd, one, sizeof(one), at, NULL), 3);
	fill(fd, SIZE - 3 * PAGE - 5, SIZE);
	fill(fd, 8 * FILE_PASS_FAR + 5, 8 * FILE_PASS_FAR + 7);
	assert_int_equal(pass(fd, 11, SIZE), SIZE - 11);
}

static void
test_parts(void **state)
{
	AUTO(fd_close) int fd = open_new(*state);

	forget(fd);
	assert_int_equal(pass(fd, 77, 78), 1);
	assert_int_equal(pass(fd, 77, 77 + FILE_PASS_BLOCK + 1),
	    FILE_PASS_BLOCK + 1);
	assert_int_equal(pass(fd, 5, SIZE - 5), SIZE - 10);
	assert_int_equal(pass(fd, 5, 5), 0);
}

/* It has become shorter. */
static void
test_short(void **state)
{
	static const uint64_t	is[] = { SIZE - 1, 16 * FILE_PASS_FAR,
		FILE_PASS_FAR + 1, FILE_PASS_FAR, PAGE, 1, 0 };
	AUTO(fd_close) int	fd = open_new(*state);

	for (size_t i = 0; i < ARRAY_LEN(is); i++) {
		assert_int_equal(ftruncate(fd, (off_t)is[i]), 0);
		forget(fd);
		assert_int_equal(pass(fd, 0, SIZE), is[i]);
	}
}

static void
test_without(void **state)
{
	static const struct {
		int	cached;
		int	direct;
		int	sector;
		long	call;
		int	call_err;
		int	event;
		unsigned past;		/* tried so often, at most */
		unsigned asked;		/* the same; 0: UINT_MAX */
	} cases[] = {
		{ .cached = ENOSYS },
		{ .direct = EINVAL, .past = 1 },
		{ .sector = EINVAL, .past = 1 },
		{ .sector = EIO, .past = 1 },
		{ .call = SYS_io_setup, .call_err = ENOSYS, .past = UINT_MAX },
		{ .call = SYS_io_submit, .call_err = EAGAIN, .past = UINT_MAX },
		{ .call = SYS_io_getevents, .call_err = EFAULT, .past = UINT_MAX,
			.asked = 1 },
		{ .event = EIO, .past = UINT_MAX },
	};
	AUTO(fd_close) int	fd = open_new(*state);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		forget(fd);
		lacks.cached = cases[i].cached;
		lacks.direct = cases[i].direct;
		lacks.sector = cases[i].sector;
		lacks.call = cases[i].call;
		lacks.call_err = cases[i].call_err;
		lacks.event = cases[i].event;
		did.past = 0;
		did.asked = 0;
		assert_int_equal(pass(fd, 3, SIZE), SIZE - 3);
		assert_true(did.past <= cases[i].past);
		assert_true(cases[i].asked == 0 || did.asked <= cases[i].asked);
	}
}

/* Who stops in between waits for what was asked for. */
static void
test_left(void **state)
{
	AUTO(fd_close) int	fd = open_new(*state);
	struct file_pass	p;
	struct span		got;

	forget(fd);
	file_pass_init(&p, fd, SIZE, true);
	assert_int_equal(file_pass_read(&p, 0, SIZE, &got, NULL), 0);
	assert_int_not_equal(got.n, 0);
	/* Elsewhere than what was asked for. */
	assert_int_equal(file_pass_read(&p, 5 * FILE_PASS_FAR + 9, SIZE, &got,
	    NULL), 0);
	assert_int_equal(got.p[0], octet_at(5 * FILE_PASS_FAR + 9));
	file_pass_fini(&p);
	assert_int_equal(did.awaited, did.asked);
}

/* It comes while nobody reads it. */
static void
test_ahead(void **state)
{
	AUTO(fd_close) int fd = open_new(*state);

	forget(fd);
	if (!may_pass(fd) || cached(fd) > 0)
		skip();
	file_read_ahead(fd, SIZE);
	for (unsigned ms = 0; ms < 60000 && cached(fd) < 8; ms += 10)
		clock_sleep(10);
	assert_in_range(cached(fd), 8, SIZE / PAGE + 1);
}

int
main(void)
{
#define IN_DIR(f)	cmocka_unit_test_setup_teardown(f, test_dir_setup, \
			    test_dir_teardown)
	static const struct CMUnitTest tests[] = {
		IN_DIR(test_cold),
		IN_DIR(test_cached),
		IN_DIR(test_end_cached),
		IN_DIR(test_mixed),
		IN_DIR(test_parts),
		IN_DIR(test_short),
		IN_DIR(test_without),
		IN_DIR(test_left),
		IN_DIR(test_ahead),
	};

	return cmocka_run_group_tests_name("file_pass", tests, NULL, NULL);
}

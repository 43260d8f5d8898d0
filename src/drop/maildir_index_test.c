/* SPDX-License-Identifier: ISC */
/*
 * A large Maildir whose listing an index has: it is used while nothing has changed,
 * says what a listing would, and is worth nothing when an octet of it is wrong.
 * Listings are counted, and the clock of files is moved, by the linker's --wrap.
 */
#include "drop/fake_host.h"

#include "drop/maildir_index.h"
#include "sys/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define N	60		/* and folders that tell that they are large */
#define LONG	"a-long-name-of-the-host-that-has-delivered-it.example.org"
#define LATER	10000		/* ms, until the folders are settled */
#define ENDS_IN_CRLF(i)	((i) % 5 == 0)
#define HAS_DOTS(i)	((i) % 50 > 0 && (i) % 7 != 0)

static unsigned	listings;
static unsigned	opens;		/* of files with mail */
static uint64_t	clock_ahead;

int	__real_file_list(int dirfd, bool (*fn)(void *ctx, const char *name),
	    void *ctx, struct fault *f);
int	__wrap_file_list(int dirfd, bool (*fn)(void *ctx, const char *name),
	    void *ctx, struct fault *f);
int
__wrap_file_list(int dirfd, bool (*fn)(void *ctx, const char *name), void *ctx,
    struct fault *f)
{
	listings++;
	return __real_file_list(dirfd, fn, ctx, f);
}

int	__real_file_open(int dirfd, const char *name, unsigned how, mode_t mode,
	    int *fd_r, struct fault *f);
int	__wrap_file_open(int dirfd, const char *name, unsigned how, mode_t mode,
	    int *fd_r, struct fault *f);
int
__wrap_file_open(int dirfd, const char *name, unsigned how, mode_t mode,
    int *fd_r, struct fault *f)
{
	opens += strstr(name, LONG) != NULL;
	return __real_file_open(dirfd, name, how, mode, fd_r, f);
}

uint64_t	__real_clock_file_ms(void);
uint64_t	__wrap_clock_file_ms(void);
uint64_t
__wrap_clock_file_ms(void)
{
	return __real_clock_file_ms() + clock_ahead;
}

int	__real_file_facts(int fd, struct file_facts *out, struct fault *f);
int	__wrap_file_facts(int fd, struct file_facts *out, struct fault *f);
int
__wrap_file_facts(int fd, struct file_facts *out, struct fault *f)
{
	int r = __real_file_facts(fd, out, f);

	if (r == 0 && out->is_dir)
		out->size += MAILDIR_INDEX_FROM;
	return r;
}

/* Wherever this runs. */
bool	__wrap_file_times_tell(int fd);
bool
__wrap_file_times_tell(int fd)
{
	(void)fd;
	return true;
}

/* --------------------------------------------------------------- the scene */

static struct fake	w;

static void
path_of(size_t i, const char *info, char out[FAKE_PATH + 200])
{
	(void)snprintf(out, FAKE_PATH + 200, "%s/%s/%zu.1." LONG "%s", w.spool,
	    info[0] == '\0' ? "new" : "cur", 1700000000 + i, info);
}

static const char *
info_of(size_t i)
{
	return i % 3 == 0 ? "" : i % 3 == 1 ? ":2," : ":2,S";
}

static size_t
text_of(size_t i, char out[100])
{
	const char *end = ENDS_IN_CRLF(i) ? "\r\n" : "\n";

	return (size_t)snprintf(out, 100, "Subject: %zu%s%s%s%.*s%s", i, end,
	    end, i % 7 == 0 ? "\303\244" : "", (int)(i % 50),
	    "..................................................", end);
}

static int
make(void **state)
{
	char path[FAKE_PATH + 200];
	char text[100];

	(void)state;
	fake_init(&w, false);
	fake_keep_index(&w);
	w.ops = &maildir_ops;
	w.conf.status = false;
	fake_maildir(w.spool);
	for (size_t i = 0; i < N; i++) {
		path_of(i, info_of(i), path);
		fake_write(path, span_of(text, text_of(i, text)));
	}
	clock_ahead = LATER;
	listings = opens = 0;
	return 0;
}

static int
clear(void **state)
{
	(void)state;
	fake_remove_maildir(w.spool);
	fake_fini(&w);
	return 0;
}

static struct drop *
opened(void)
{
	struct drop	*d;
	struct fault	 f = { 0 };

	listings = opens = 0;
	if (fake_open(&w, &d, &f) != 0)
		fail_msg("%s", f.text);
	return d;
}

/* By a listing, as if there were no index. */
static struct drop *
listed(void)
{
	int	(*index)(void *ctx, int *fd_r, struct fault *f) = w.host.index;
	struct drop	*d;

	w.host.index = NULL;
	d = opened();
	w.host.index = index;
	return d;
}

static void
expect_same(const struct drop *a, const struct drop *b)
{
	struct snapshot s;
	struct snapshot t;

	maildir_ops.snapshot(a, &s);
	maildir_ops.snapshot(b, &t);
	assert_int_equal(s.n, t.n);
	for (size_t i = 0; i < s.n; i++)
		assert_memory_equal(&s.entries[i], &t.entries[i],
		    sizeof(s.entries[i]));
}

static void
expect_read(struct drop *d, size_t i)
{
	char		 text[100];
	char		 b[200];
	size_t		 n = text_of(i, text);
	struct fault	 f;

	assert_int_equal(maildir_ops.read(d, i, 0, b, sizeof(b), &f),
	    (ssize_t)n);
	assert_memory_equal(b, text, n);
}

/* ----------------------------------------------------------------- the tests */

static void
test_unchanged(void **state)
{
	struct drop	*first = opened();
	struct drop	*second;
	struct drop	*without;
	struct snapshot	 s;

	(void)state;
	assert_int_equal(listings, 2);
	assert_int_equal(opens, N);
	second = opened();
	assert_int_equal(listings, 0);
	assert_int_equal(opens, 0);
	without = listed();
	expect_same(first, second);
	expect_same(without, second);
	for (size_t i = 0; i < N; i += 10)
		expect_read(second, i);
	maildir_ops.snapshot(second, &s);
	for (size_t i = 0; i < N; i++)
		assert_int_equal((s.entries[i].flags & DROP_AS_SENT) != 0,
		    ENDS_IN_CRLF(i) && !HAS_DOTS(i));
	maildir_ops.close(first);
	maildir_ops.close(second);
	maildir_ops.close(without);
}

/* Written to a moment ago: who knows what comes in the same one. */
static void
test_not_settled(void **state)
{
	(void)state;
	clock_ahead = 0;
	maildir_ops.close(opened());
	clock_ahead = LATER;
	maildir_ops.close(opened());
	assert_int_equal(listings, 2);
	assert_int_equal(opens, 0);		/* but nothing is read again */
	maildir_ops.close(opened());
	assert_int_equal(listings, 0);
}

static void
test_new_mail(void **state)
{
	char		 path[FAKE_PATH + 200];
	char		 text[100];
	struct drop	*d;
	struct snapshot	 s;

	(void)state;
	maildir_ops.close(opened());
	path_of(N, "", path);
	fake_write(path, span_of(text, text_of(N, text)));
	path_of(4, info_of(4), path);
	assert_int_equal(unlink(path), 0);
	d = opened();
	assert_int_equal(listings, 2);
	assert_int_equal(opens, 1);
	maildir_ops.snapshot(d, &s);
	assert_int_equal(s.n, N);
	expect_read(d, 0);
	maildir_ops.close(d);
	d = opened();
	assert_int_equal(listings, 0);
	maildir_ops.snapshot(d, &s);
	assert_int_equal(s.n, N);
	maildir_ops.close(d);
}

/* Marked and removed after a login that listed nothing. */
static void
test_meanwhile(void **state)
{
	static bool		 deleted[N];
	static const bool	 retrieved[N];
	struct drop_change	 c = { .deleted = deleted,
				    .retrieved = retrieved, .extra_fd = -1 };
	struct drop_outcome	 out;
	char			 from[FAKE_PATH + 200];
	char			 to[FAKE_PATH + 200];
	struct fault		 f;
	struct drop		*d;
	struct snapshot		 s;

	(void)state;
	maildir_ops.close(opened());
	d = opened();
	assert_int_equal(listings, 0);
	path_of(0, "", from);
	path_of(0, ":2,F", to);
	assert_int_equal(rename(from, to), 0);
	path_of(5, info_of(5), from);
	assert_int_equal(unlink(from), 0);
	expect_read(d, 0);
	deleted[0] = deleted[5] = deleted[7] = true;
	assert_int_equal(maildir_ops.commit(d, &c, &out, &f), 0);
	assert_int_equal(out.deleted, 2);
	assert_int_equal(out.vanished, 1);
	maildir_ops.close(d);
	d = opened();
	maildir_ops.snapshot(d, &s);
	assert_int_equal(s.n, N - 3);
	maildir_ops.close(d);
	memset(deleted, 0, sizeof(deleted));
}

/* Nobody should do that: it costs one session one message. */
static void
test_changed_in_place(void **state)
{
	char		 path[FAKE_PATH + 200];
	char		 b[100];
	struct drop	*d;
	struct snapshot	 s;
	struct fault	 f;

	(void)state;
	maildir_ops.close(opened());
	path_of(8, info_of(8), path);
	fake_write(path, SPAN("Subject: other\n\n"));
	d = opened();
	assert_int_equal(listings, 0);
	assert_int_equal(maildir_ops.read(d, 8, 0, b, sizeof(b), &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
	maildir_ops.close(d);
	d = opened();
	assert_int_equal(listings, 2);
	maildir_ops.snapshot(d, &s);
	assert_int_equal(s.entries[8].size_disk, 16);
	assert_int_equal(maildir_ops.read(d, 8, 0, b, sizeof(b), &f), 16);
	maildir_ops.close(d);
}

/* One octet is another, or the end is missing: as without. */
static void
test_damaged(void **state)
{
	struct drop	*without = listed();
	struct drop	*d;
	size_t		 n;
	char		*good;

	(void)state;
	maildir_ops.close(opened());
	good = memcpy(malloc(8u << 20), fake_read(w.index, &n), 8u << 20);
	assert_true(n > N * sizeof(struct maildir_index_row));
	for (size_t at = 0; at < n; at += 1 + n / 40) {
		good[at] ^= 0x20;
		fake_write(w.index, span_of(good, n));
		good[at] ^= 0x20;
		d = opened();
		assert_int_equal(listings, 2);
		expect_same(without, d);
		maildir_ops.close(d);
		fake_write(w.index, span_of(good, at));
		d = opened();
		assert_int_equal(listings, 2);
		maildir_ops.close(d);
	}
	fake_write(w.index, span_of(good, n));
	maildir_ops.close(opened());
	assert_int_equal(listings, 0);
	maildir_ops.close(without);
	free(good);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unchanged, make, clear),
		cmocka_unit_test_setup_teardown(test_not_settled, make, clear),
		cmocka_unit_test_setup_teardown(test_new_mail, make, clear),
		cmocka_unit_test_setup_teardown(test_meanwhile, make, clear),
		cmocka_unit_test_setup_teardown(test_changed_in_place, make,
		    clear),
		cmocka_unit_test_setup_teardown(test_damaged, make, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

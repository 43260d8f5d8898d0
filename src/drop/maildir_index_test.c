/* SPDX-License-Identifier: ISC */
/*
 * A large Maildir whose listing an index has: it is used while nothing has changed,
 * says what a listing would, and is worth nothing when an octet of it is wrong.
 * Listings are counted, and the clock of files is moved, by the linker's --wrap.
 */
#include "drop/fake_host.h"

#include "drop/maildir_index.h"
#include "drop/maildir_known.h"
#include "drop/maildir_name.h"
#include "drop/promise.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define N	300		/* some blocks; and folders tell that they are large */
#define LONG	"a-long-name-of-the-host-that-has-delivered-it.example.org"
#define LATER	10000		/* ms, until the folders are settled */
#define ENDS_IN_CRLF(i)	((i) % 5 == 0)
#define HAS_DOTS(i)	((i) % 50 > 0 && (i) % 7 != 0)

static unsigned	listings;
static unsigned	opens;		/* of files with mail */
static unsigned	facts_asked;	/* of what is open */
static uint64_t	clock_ahead;
static uint64_t	made_ms;	/* before the files, by their clock */
static bool	clock_stands;	/* there, however long it takes */

int	__real_file_list_numbers(int dirfd, bool (*fn)(void *ctx,
	    const char *name, uint64_t ino), void *ctx, struct fault *f);
int	__wrap_file_list_numbers(int dirfd, bool (*fn)(void *ctx,
	    const char *name, uint64_t ino), void *ctx, struct fault *f);
int
__wrap_file_list_numbers(int dirfd, bool (*fn)(void *ctx, const char *name,
    uint64_t ino), void *ctx, struct fault *f)
{
	listings++;
	return __real_file_list_numbers(dirfd, fn, ctx, f);
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
	return clock_stands ? made_ms : __real_clock_file_ms() + clock_ahead;
}

int	__real_file_facts(int fd, struct file_facts *out, struct fault *f);
int	__wrap_file_facts(int fd, struct file_facts *out, struct fault *f);
int
__wrap_file_facts(int fd, struct file_facts *out, struct fault *f)
{
	int r = __real_file_facts(fd, out, f);

	facts_asked++;
	if (r == 0 && out->is_dir)
		out->size += MAILDIR_INDEX_FROM;
	return r;
}

static unsigned	index_reads;
static size_t	index_octets;

ssize_t	__real_file_pread(int fd, void *p, size_t n, uint64_t off, struct fault *f);
ssize_t	__wrap_file_pread(int fd, void *p, size_t n, uint64_t off, struct fault *f);
ssize_t
__wrap_file_pread(int fd, void *p, size_t n, uint64_t off, struct fault *f)
{
	ssize_t	got = __real_file_pread(fd, p, n, off, f);

	/* Mail here is shorter than that. */
	if (got > 150) {
		index_reads++;
		index_octets += (size_t)got;
	}
	return got;
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
	made_ms = __real_clock_file_ms();
	for (size_t i = 0; i < N; i++) {
		path_of(i, info_of(i), path);
		fake_write(path, span_of(text, text_of(i, text)));
	}
	clock_stands = false;
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
expect_same(struct drop *a, struct drop *b)
{
	struct drop_totals	s;
	struct drop_totals	t;
	struct fault		f;

	maildir_ops.totals(a, &s);
	maildir_ops.totals(b, &t);
	assert_memory_equal(&s, &t, sizeof(s));
	for (size_t i = 0; i < s.n; i++) {
		struct drop_entry	 e = { 0 };
		struct drop_entry	 g = { 0 };
		uint64_t		 wire;
		char			 id[DROP_UIDL_MAX + 1];
		char			*end;

		assert_int_equal(maildir_ops.entry(a, i, &e, &f), 0);
		assert_int_equal(maildir_ops.entry(b, i, &g, &f), 0);
		assert_memory_equal(&e, &g, offsetof(struct drop_entry, uidl));
		assert_string_equal(e.uidl, g.uidl);
		assert_int_equal(maildir_ops.size(b, i, false, &wire, &f), 0);
		assert_int_equal(wire, e.size_wire);
		end = maildir_ops.uidl(b, i, id, &f);
		assert_int_equal(end - id, strlen(e.uidl));
		assert_memory_equal(id, e.uidl, (size_t)(end - id));
	}
}

static size_t
count(const struct drop *d)
{
	struct drop_totals t;

	maildir_ops.totals(d, &t);
	return t.n;
}

static void
expect_text_of(struct drop *d, size_t i)
{
	char		text[100];
	char		b[200];
	size_t		n = text_of(i, text);
	struct fault	f;

	assert_int_equal(maildir_ops.read(d, i, 0, b, sizeof(b), &f),
	    (ssize_t)n);
	assert_memory_equal(b, text, n);
}

static void
expect_read(struct drop *d, size_t i)
{
	char		 text[100];
	char		 b[200];
	size_t		 n = text_of(i, text);
	int		 fd;
	struct fault	 f;

	expect_text_of(d, i);
	assert_int_equal(maildir_ops.lend(d, i, &fd, &f), 0);
	assert_int_equal(pread(fd, b, sizeof(b), 0), (ssize_t)n);
	assert_memory_equal(b, text, n);
}

/* ----------------------------------------------------------------- the tests */

static void
test_unchanged(void **state)
{
	struct drop		*first = opened();
	struct drop		*second;
	struct drop		*without;
	struct drop_entry	 e;
	struct fault		 f;

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
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(maildir_ops.entry(second, i, &e, &f), 0);
		assert_int_equal((e.flags & DROP_AS_SENT) != 0,
		    ENDS_IN_CRLF(i) && !HAS_DOTS(i));
	}
	maildir_ops.close(first);
	maildir_ops.close(second);
	maildir_ops.close(without);
}

/* Written to a moment ago: who knows what comes in the same one. */
static void
test_not_settled(void **state)
{
	(void)state;
	clock_stands = true;
	maildir_ops.close(opened());
	clock_stands = false;
	maildir_ops.close(opened());
	assert_int_equal(listings, 2);
	assert_int_equal(opens, 0);		/* but nothing is read again */
	maildir_ops.close(opened());
	assert_int_equal(listings, 0);
}

/* By who does not care for tmp/: he is not done when we look first. */
static void
test_written_on(void **state)
{
	char			 path[FAKE_PATH + 200];
	struct drop_entry	 e;
	struct drop		*d;
	struct fault		 f;

	(void)state;
	clock_stands = true;
	path_of(5, info_of(5), path);
	fake_append(path, SPAN("more\n"));
	maildir_ops.close(opened());
	fake_append(path, SPAN("and more\n"));
	clock_stands = false;
	d = opened();
	assert_int_equal(opens, 1);
	assert_int_equal(maildir_ops.entry(d, 5, &e, &f), 0);
	assert_int_equal(maildir_ops.read(d, 5, 0, path, sizeof(path), &f),
	    (ssize_t)e.size_disk);
	maildir_ops.close(d);
}

static void
test_new_mail(void **state)
{
	char		 path[FAKE_PATH + 200];
	char		 text[100];
	struct drop	*d;

	(void)state;
	maildir_ops.close(opened());
	path_of(N, "", path);
	fake_write(path, span_of(text, text_of(N, text)));
	path_of(4, info_of(4), path);
	assert_int_equal(unlink(path), 0);
	d = opened();
	assert_int_equal(listings, 2);
	assert_int_equal(opens, 1);
	assert_int_equal(count(d), N);
	expect_read(d, 0);
	maildir_ops.close(d);
	d = opened();
	assert_int_equal(listings, 0);
	assert_int_equal(count(d), N);
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
	assert_int_equal(count(d), N - 3);
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
	struct drop_entry e;
	struct fault	 f;
	int		 fd;

	(void)state;
	d = opened();
	path_of(8, info_of(8), path);
	assert_int_equal(maildir_ops.lend(d, 8, &fd, &f), 0);
	/* One octet, in the file that is open. */
	fake_write(path, SPAN("Y"));
	assert_int_equal(maildir_ops.lend(d, 8, &fd, &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
	maildir_ops.close(d);
	maildir_ops.close(opened());
	fake_write(path, SPAN("Subject: other\n\n"));
	d = opened();
	assert_int_equal(listings, 0);
	assert_int_equal(maildir_ops.read(d, 8, 0, b, sizeof(b), &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
	maildir_ops.close(d);
	d = opened();
	assert_int_equal(listings, 2);
	assert_int_equal(maildir_ops.entry(d, 8, &e, &f), 0);
	assert_int_equal(e.size_disk, 16);
	assert_int_equal(maildir_ops.read(d, 8, 0, b, sizeof(b), &f), 16);
	maildir_ops.close(d);
}

/* ----------------------------------------------------------- what has come */

static unsigned	looks;		/* at files, by their names */

int	__real_file_facts_at(int dirfd, const char *name, struct file_facts *out,
	    struct fault *f);
int	__wrap_file_facts_at(int dirfd, const char *name, struct file_facts *out,
	    struct fault *f);
int
__wrap_file_facts_at(int dirfd, const char *name, struct file_facts *out,
    struct fault *f)
{
	looks += strstr(name, LONG) != NULL;
	return __real_file_facts_at(dirfd, name, out, f);
}

static void
deliver(size_t i)
{
	char path[FAKE_PATH + 200];
	char text[100];

	path_of(i, "", path);
	fake_write(path, span_of(text, text_of(i, text)));
}

static void
move(size_t i, const char *from_info, const char *to_info)
{
	char from[FAKE_PATH + 200];
	char to[FAKE_PATH + 200];

	path_of(i, from_info, from);
	path_of(i, to_info, to);
	assert_int_equal(rename(from, to), 0);
}

static void
take_away(size_t i)
{
	char path[FAKE_PATH + 200];

	path_of(i, info_of(i), path);
	assert_int_equal(unlink(path), 0);
}

static void
expect_same_text(struct drop *a, struct drop *b, size_t i)
{
	char		x[150] = "";
	char		y[150] = "";
	struct fault	f;
	ssize_t		n = maildir_ops.read(a, i, 0, x, sizeof(x), &f);

	assert_true(n > 0);
	assert_int_equal(maildir_ops.read(b, i, 0, y, sizeof(y), &f), n);
	assert_memory_equal(x, y, sizeof(x));
}

/* A login sees what one without an index would, for that; so does the next, by the
 * index alone. */
static void
expect_refreshed(unsigned lists, unsigned stats, unsigned reads)
{
	struct drop	*without = listed();
	struct drop	*d;

	looks = 0;
	d = opened();
	assert_int_equal(listings, lists);
	assert_int_equal(looks, stats);
	assert_int_equal(opens, reads);
	expect_same(without, d);
	maildir_ops.close(d);
	looks = 0;
	d = opened();
	assert_int_equal(listings + looks + opens, 0);
	expect_same(without, d);
	for (size_t i = 0; i < count(d); i += 70)
		expect_same_text(without, d, i);
	maildir_ops.close(d);
	maildir_ops.close(without);
}

/* Only what has come is looked at, and only where. */
static void
test_delivered(void **state)
{
	(void)state;
	maildir_ops.close(opened());
	deliver(N);
	expect_refreshed(1, 1, 1);
	for (size_t i = 1; i <= N; i++)
		deliver(N + i);			/* some blocks more */
	expect_refreshed(1, N, N);
	deliver(3 * N);
	deliver(3 * N - 1);
	expect_refreshed(1, 2, 2);
	expect_refreshed(0, 0, 0);
}

/* Not all at the end, nor all still there. */
static void
test_changes(void **state)
{
	(void)state;
	maildir_ops.close(opened());
	take_away(0);
	expect_refreshed(1, 0, 0);
	deliver(0);
	expect_refreshed(1, 1, 1);
	move(0, "", ":2,S");
	expect_refreshed(2, 1, 0);
	move(4, info_of(4), ":2,FS");
	take_away(7);
	expect_refreshed(1, 1, 0);
	take_away(N - 3);
	deliver(N);
	deliver(N + 1);
	expect_refreshed(1, 2, 2);
}

/* In cur/ lie all but the last: of the index its end is read, and written. */
static void
test_only_the_end(void **state)
{
	const char	*text;
	char		*was;
	size_t		 was_n;
	size_t		 n;

	(void)state;
	for (size_t i = 0; i < N; i += 3)
		move(i, "", ":2,");
	maildir_ops.close(opened());
	text = fake_read(w.index, &was_n);
	was = malloc(was_n);
	memcpy(was, text, was_n);
	deliver(N);
	index_octets = 0;
	maildir_ops.close(opened());
	assert_int_equal(listings, 1);
	assert_int_equal(opens, 1);
	assert_true(index_octets < MAILDIR_INDEX_BLOCK);
	text = fake_read(w.index, &n);
	assert_true(n > was_n);
	assert_memory_equal(was + MAILDIR_INDEX_PLACE, text + MAILDIR_INDEX_PLACE,
	    MAILDIR_INDEX_BLOCK);
	free(was);
	expect_refreshed(0, 0, 0);
}

static unsigned	writes_left = UINT_MAX;

int	__real_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
	    struct fault *f);
int	__wrap_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
	    struct fault *f);
int
__wrap_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
    struct fault *f)
{
	if (writes_left-- > 0)
		return __real_file_pwrite(fd, p, n, off, f);
	writes_left = 0;
	(void)__real_file_pwrite(fd, p, n / 2, off, f);
	return fault_errno(f, FAULT_TEMP, ENOSPC, "write");
}

/* Wherever the writing of an index ends, it is believed by nobody, or right. */
static void
test_no_room(void **state)
{
	struct drop *without;
	struct drop *d;

	(void)state;
	for (size_t i = 0; i < N; i += 3)
		move(i, "", ":2,");
	for (unsigned k = 0; k < 3; k++) {
		writes_left = UINT_MAX;
		maildir_ops.close(opened());
		deliver(N + k);
		writes_left = k;
		without = listed();
		d = opened();
		expect_same(without, d);
		maildir_ops.close(d);
		d = opened();
		expect_same(without, d);
		maildir_ops.close(d);
		maildir_ops.close(without);
	}
	writes_left = UINT_MAX;
}

/* Another file of the same name: its number is another, so it is looked at. */
static void
test_replaced(void **state)
{
	char path[FAKE_PATH + 200];
	char other[FAKE_PATH + 200];

	(void)state;
	maildir_ops.close(opened());
	path_of(N, "", other);
	fake_write(other, SPAN("Subject: 5, of another length\n\n"));
	path_of(6, "", path);
	assert_int_equal(rename(other, path), 0);
	expect_refreshed(1, 1, 1);
}

static void
expect_gone(struct drop *d, size_t i)
{
	char		b[200];
	struct fault	f;

	assert_int_equal(maildir_ops.read(d, i, 0, b, sizeof(b), &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
}

/* A message costs an open and a look at what was read; one that is not where it was, or
 * not what it was, is looked for. */
static void
test_read_where_listed(void **state)
{
	struct drop	*d;
	char		 path[FAKE_PATH + 200];

	(void)state;
	maildir_ops.close(opened());
	d = opened();
	looks = facts_asked = 0;
	for (size_t i = 0; i < N; i++)
		expect_text_of(d, i);
	assert_int_equal(opens, N);
	assert_int_equal(facts_asked, N);
	assert_int_equal(looks, 0);
	path_of(5, info_of(5), path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_gone(d, 5);
	path_of(7, info_of(7), path);
	fake_append(path, SPAN("more\n"));
	expect_gone(d, 7);
	move(9, info_of(9), ":2,F");
	expect_text_of(d, 9);
	expect_text_of(d, 10);
	maildir_ops.close(d);
}

/* A base name that is there already, in the other folder, too. */
static void
test_copied(void **state)
{
	(void)state;
	maildir_ops.close(opened());
	deliver(4);
	deliver(N - 1);
	expect_refreshed(3, N + 4, 4);
	deliver(N);
	expect_refreshed(2, N + 3, 5);
}

static char	*good;		/* an index */
static size_t	 good_n;

static void
keep_good(void)
{
	const char *text;

	maildir_ops.close(opened());
	text = fake_read(w.index, &good_n);
	good = malloc(good_n);
	memcpy(good, text, good_n);
	assert_true(good_n > N * sizeof(struct maildir_row));
}

/* ------------------------------------------------------------ surrogates */

#define MORE	((int64_t)strlen("=?UTF-8?B?w6Q=?=") - 2)

/* Behind all others; its header becomes another one. */
static void
deliver_recoded(unsigned k)
{
	char path[FAKE_PATH + 200];

	path_of(100000 + k, "", path);
	fake_write(path, SPAN("Subject: \303\244\n\ntext\n"));
}

/* By a login that opens so many files, of which the last `recoded` are such ones. */
static void
expect_measured(unsigned files, size_t recoded)
{
	struct drop		*d = opened();
	struct drop_totals	 t;
	struct drop_entry	 e;
	struct fault		 f;
	uint64_t		 wire;

	assert_int_equal(opens, files);
	maildir_ops.totals(d, &t);
	assert_int_equal(t.eight_bit, 0);
	assert_int_equal(t.surrogates, (int64_t)recoded * MORE);
	expect_read(d, 0);
	for (size_t i = 0; i < t.n; i++) {
		assert_int_equal(maildir_ops.entry(d, i, &e, &f), 0);
		assert_int_equal((e.flags & DROP_RECODED) != 0,
		    i >= t.n - recoded);
		assert_int_equal(maildir_ops.size(d, i, true, &wire, &f), 0);
		assert_int_equal(wire, e.size_wire +
		    (i >= t.n - recoded ? (uint64_t)MORE : 0));
		assert_int_equal(maildir_ops.size(d, i, false, &wire, &f), 0);
		assert_int_equal(wire, e.size_wire);
	}
	maildir_ops.close(d);
}

/* What has octets beyond ASCII is looked at once more, and once. */
static void
test_surrogates(void **state)
{
	const unsigned eight_bit = (N + 6) / 7;

	(void)state;
	w.conf.surrogates = true;
	deliver_recoded(0);
	expect_measured(N + 1 + eight_bit + 1, 1);
	expect_measured(0, 1);
	deliver_recoded(1);			/* appended */
	expect_measured(2, 2);
	expect_measured(0, 2);
	take_away(N - 1);
	deliver_recoded(2);			/* all are written */
	expect_measured(2, 3);
	expect_measured(0, 3);
	move(100001, "", ":2,S");
	expect_measured(0, 3);
	keep_good();
	good[good_n - 1] ^= 0x20;
	fake_write(w.index, span_of(good, good_n));
	free(good);
	expect_measured(0, 3);			/* measured again, later */
	w.conf.surrogates = false;
}

/* What no message is asked of costs the head. */
static void
test_rows_when_asked(void **state)
{
	struct drop_entry	 e;
	struct drop		*d;
	struct fault		 f;
	unsigned		 blocks;

	(void)state;
	maildir_ops.close(opened());
	index_reads = 0;
	index_octets = 0;
	d = opened();
	assert_int_equal(count(d), N);
	assert_int_equal(index_reads, 1);
	assert_int_equal(index_octets, sizeof(struct maildir_index_head));
	assert_int_equal(maildir_ops.entry(d, N / 2, &e, &f), 0);
	assert_int_equal(maildir_ops.entry(d, N / 2, &e, &f), 0);
	assert_int_equal(index_reads, 2);
	assert_true(index_octets < 2 * MAILDIR_INDEX_BLOCK);
	assert_int_equal(maildir_ops.entry(d, 0, &e, &f), 0);
	index_reads = 0;
	for (size_t i = 0; i < N; i++)
		assert_int_equal(maildir_ops.entry(d, i, &e, &f), 0);
	blocks = index_reads + 1;
	assert_in_range(blocks, 2, N / 100);
	maildir_ops.close(d);
}

/* ------------------------------------------------------------ damaged ones */

/* Its rows are listed instead when they are asked for. */
static void
expect_listed_instead(struct drop *without, unsigned at_login)
{
	struct drop *d = opened();

	assert_int_equal(listings, at_login);
	assert_int_equal(count(d), N);
	expect_same(without, d);
	assert_int_equal(listings, 2);
	expect_read(d, N - 1);
	maildir_ops.close(d);
}

/* One octet is another, or the end is missing: as without. */
static void
test_damaged(void **state)
{
	const size_t	 head = sizeof(struct maildir_index_head);
	struct drop	*without = listed();

	(void)state;
	keep_good();
	for (size_t at = 0; at < good_n; at += at < head ? 23 : good_n / 9) {
		unsigned at_login = at < head ? 2 : 0;

		if (at >= head && at < MAILDIR_INDEX_PLACE)
			continue;
		good[at] ^= 0x20;
		fake_write(w.index, span_of(good, good_n));
		good[at] ^= 0x20;
		expect_listed_instead(without, at_login);
		fake_write(w.index, span_of(good, at));
		expect_listed_instead(without, at_login);
	}
	fake_write(w.index, span_of(good, good_n));
	maildir_ops.close(opened());
	assert_int_equal(listings, 0);
	maildir_ops.close(without);
	free(good);
}

static void
expect_lost(struct drop *d, size_t i)
{
	struct drop_entry	e;
	struct fault		f;
	uint64_t		wire;
	char			b[DROP_UIDL_MAX + 1];

	assert_int_equal(maildir_ops.entry(d, i, &e, &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
	assert_int_equal(maildir_ops.size(d, i, false, &wire, &f), -1);
	assert_null(maildir_ops.uidl(d, i, b, &f));
	assert_int_equal(maildir_ops.read(d, i, 0, b, sizeof(b), &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
}

/* Others have changed the folder since the login: who knows what was there. */
static void
test_damaged_and_changed(void **state)
{
	static bool		 deleted[N];
	static const bool	 none[N];
	struct drop_change	 c = { .deleted = deleted, .retrieved = none,
				    .extra_fd = -1 };
	struct drop_outcome	 out;
	struct drop_entry	 e;
	struct fault		 f;
	char			 from[FAKE_PATH + 200];
	char			 to[FAKE_PATH + 200];
	struct drop		*d;

	(void)state;
	keep_good();
	good[good_n - 1] ^= 0x20;
	fake_write(w.index, span_of(good, good_n));
	d = opened();
	assert_int_equal(maildir_ops.entry(d, 0, &e, &f), 0);
	path_of(9, info_of(9), from);
	path_of(9, ":2,F", to);
	assert_int_equal(rename(from, to), 0);
	expect_lost(d, N - 1);
	expect_lost(d, 0);
	assert_int_equal(count(d), N);
	deleted[0] = true;
	assert_int_equal(maildir_ops.commit(d, &c, &out, &f), -1);
	assert_int_equal(out.deleted, 0);
	deleted[0] = false;
	maildir_ops.close(d);
	d = opened();
	assert_int_equal(listings, 2);
	for (size_t i = 0; i < N; i++)
		expect_read(d, i);
	maildir_ops.close(d);
	free(good);
}

/* What it said in all was wrong, and that was told. */
static void
test_lie(void **state)
{
	struct maildir_index_head	 h;
	struct drop			*d;

	(void)state;
	keep_good();
	memcpy(&h, good, sizeof(h));
	h.octets++;
	h.digest = digest_mark(span_of(&h, offsetof(struct maildir_index_head,
	    digest)));
	memcpy(good, &h, sizeof(h));
	good[good_n - 1] ^= 0x20;
	fake_write(w.index, span_of(good, good_n));
	d = opened();
	assert_int_equal(listings, 0);
	expect_lost(d, N - 1);
	expect_lost(d, N - 1);
	assert_int_equal(listings, 2);
	maildir_ops.close(d);
	maildir_ops.close(opened());
	assert_int_equal(listings, 2);
	free(good);
}

/* ------------------------------------------------------------ unique-ids */

#define LETTERS	"abcdefghijklmnopqrstuvwxyz"

static const char *const odd_names[] = {
	"new/1700000001.popper-" LETTERS "-1.bulletin",
	"new/1700000002.popper-" LETTERS "-2.bulletin",
	"new/1700000003.popper-" LETTERS "-3.bulletin",
	"new/1700000004.one name", "cur/1700000005.x:2,", "new/1700000005.x",
	"new/" LETTERS ".7",
	"new/1900000000.popper-" LETTERS "-4.bulletin",
};

static void
make_odd_name(size_t i)
{
	char path[FAKE_PATH + 200];

	(void)snprintf(path, sizeof(path), "%s/%s", w.spool, odd_names[i]);
	fake_write(path, SPAN("Subject: odd\n\n"));
}

static void
expect_distinct(struct drop *d)
{
	static struct drop_entry	e[N + ARRAY_LEN(odd_names)];
	struct fault			f;

	assert_in_range(count(d), N, ARRAY_LEN(e));
	for (size_t i = 0; i < count(d); i++) {
		assert_int_equal(maildir_ops.entry(d, i, &e[i], &f), 0);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(e[i].uidl, e[k].uidl);
	}
}

static void
expect_same_by_index(void)
{
	struct drop	*without = listed();
	struct drop	*d;

	maildir_ops.close(opened());
	d = opened();
	assert_int_equal(listings, 0);
	expect_same(without, d);
	expect_distinct(d);
	maildir_ops.close(d);
	maildir_ops.close(without);
}

/* Ids that are digests, or look so, and of several that share one, later, too. */
static void
test_odd_ids(void **state)
{
	struct promise	 p = { .twin = 1, .uidl = "promised" };
	struct promises	 promises;
	struct buf	 text;
	struct fault	 f;

	(void)state;
	make_odd_name(0);
	expect_same_by_index();
	make_odd_name(ARRAY_LEN(odd_names) - 1);
	expect_same_by_index();
	for (size_t i = 1; i + 1 < ARRAY_LEN(odd_names); i++)
		make_odd_name(i);
	expect_same_by_index();
	maildir_name_digest(span_str(odd_names[0] + 4), NULL, p.digest);
	buf_init(&text, PROMISE_TEXT_MAX);
	assert_int_equal(promises_pack(&p, 1, &text, &f), 0);
	assert_int_equal(promises_read(buf_span(&text), &promises, &f), 0);
	w.conf.promises = &promises;
	expect_same_by_index();
	w.conf.promises = NULL;
	promises_fini(&promises);
	buf_fini(&text);
}

/* An index can say that all files have one name: that is no work without end. */
static void
test_one_name(void **state)
{
	const struct maildir_row	 row = { .name_n = 1, .base_n = 1 };
	struct maildir_rows		 rows = { .n = 0 };
	struct maildir_known		 known;
	struct maildir_mail		 mail;
	clock_t				 begun;

	(void)state;
	for (size_t i = 0; i < 200000; i++)
		maildir_rows_add(&rows, &row, "a");
	begun = clock();
	maildir_known_init(&known, &rows);
	assert_true(clock() - begun < CLOCKS_PER_SEC);
	assert_true(maildir_known_find(&known, SPAN("a"), &mail));
	assert_ptr_equal(mail.row, rows.list);
	assert_false(maildir_known_find(&known, SPAN("b"), &mail));
	maildir_known_fini(&known);
	maildir_rows_fini(&rows);
}

/* What some program has left before the colon: nothing.  It is mail for all that, and
 * its id is not the next one's of that name. */
static void
test_no_name(void **state)
{
	static const bool	deleted[N + 1] = { true };
	static const bool	retrieved[N + 1];
	struct drop_change	c = { .deleted = deleted, .retrieved = retrieved };
	struct drop_outcome	out;
	struct drop_entry	e, g;
	struct drop		*d;
	struct drop		*second;
	struct fault		f;
	char			path[FAKE_PATH + 200];
	char			kept[FAKE_PATH + 200];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/cur/:2,S", w.spool);
	(void)snprintf(kept, sizeof(kept), "%s/kept", w.spool);
	fake_write(path, SPAN("nameless\n"));
	d = opened();
	assert_int_equal(count(d), N + 1);
	assert_int_equal(maildir_ops.entry(d, 0, &e, &f), 0);
	assert_int_equal(e.size_disk, 9);
	second = opened();
	assert_int_equal(listings, 0);
	expect_same(d, second);
	maildir_ops.close(second);
	assert_int_equal(link(path, kept), 0);	/* its number is not given anew */
	assert_int_equal(maildir_ops.commit(d, &c, &out, &f), 0);
	assert_int_equal(out.deleted, 1);
	maildir_ops.close(d);
	assert_int_equal(access(path, F_OK), -1);
	fake_write(path, SPAN("nameless\n"));
	d = opened();
	assert_int_equal(maildir_ops.entry(d, 0, &g, &f), 0);
	assert_string_not_equal(e.uidl, g.uidl);
	maildir_ops.close(d);
	assert_int_equal(unlink(kept), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unchanged, make, clear),
		cmocka_unit_test_setup_teardown(test_not_settled, make, clear),
		cmocka_unit_test_setup_teardown(test_written_on, make, clear),
		cmocka_unit_test_setup_teardown(test_new_mail, make, clear),
		cmocka_unit_test_setup_teardown(test_meanwhile, make, clear),
		cmocka_unit_test_setup_teardown(test_changed_in_place, make,
		    clear),
		cmocka_unit_test_setup_teardown(test_delivered, make, clear),
		cmocka_unit_test_setup_teardown(test_changes, make, clear),
		cmocka_unit_test_setup_teardown(test_only_the_end, make, clear),
		cmocka_unit_test_setup_teardown(test_no_room, make, clear),
		cmocka_unit_test_setup_teardown(test_replaced, make, clear),
		cmocka_unit_test_setup_teardown(test_read_where_listed, make,
		    clear),
		cmocka_unit_test_setup_teardown(test_copied, make, clear),
		cmocka_unit_test_setup_teardown(test_surrogates, make, clear),
		cmocka_unit_test_setup_teardown(test_rows_when_asked, make,
		    clear),
		cmocka_unit_test_setup_teardown(test_damaged, make, clear),
		cmocka_unit_test_setup_teardown(test_damaged_and_changed, make,
		    clear),
		cmocka_unit_test_setup_teardown(test_lie, make, clear),
		cmocka_unit_test_setup_teardown(test_odd_ids, make, clear),
		cmocka_unit_test_setup_teardown(test_no_name, make, clear),
		cmocka_unit_test(test_one_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * What a session reads while a program that heeds no lock changes the spool: each
 * change, before each read that the session does of any file, with each way of
 * making the temporary maildrop.  The way of a file system that can clone is played
 * here, for none that tests are run on need be able to.
 */
#include "drop/fake_host.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "drop/mbox_priv.h"
#include "proto/dot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

ssize_t	__real_file_pread(int fd, void *p, size_t n, uint64_t off,
	    struct fault *f);
ssize_t	__wrap_file_pread(int fd, void *p, size_t n, uint64_t off,
	    struct fault *f);
bool	__wrap_file_may_clone(int fd);
bool	__wrap_file_clone(int from, int to);
void	__wrap_clock_sleep(unsigned ms);
uint64_t	__wrap_clock_file_ms(void);
int	__real_file_facts(int fd, struct file_facts *out, struct fault *f);
int	__wrap_file_facts(int fd, struct file_facts *out, struct fault *f);
int	__wrap_file_datasync(int fd, struct fault *f);
int	__wrap_file_sync(int fd, struct fault *f);

#define MESSAGES	4
#define LARGE		20000		/* octets of one, in several reads */
#define CHUNK		8192

enum way { IN_MEMORY, COPIED, CLONED, IN_PLACE, DISK_FULL, WAYS };

static struct fake	 w;
static char		*original[MESSAGES];	/* with From_ line and separator */
static bool		 can_clone;
static bool		 cloned_whole;	/* it had not happened by then */
static unsigned		 countdown;		/* reads until it happens */
static uint64_t		 octets_read;
static unsigned		 files_read;		/* so many times */
static bool		 peeks;		/* takes what is at hand, when there is any */
static bool		 busy;		/* mail comes whenever nobody has the lock */
static void		 (*change)(void);
/* Time stands still but for who sleeps: all that is done at once has one time. */
static uint64_t		 now_ms = 1000000;
static uint64_t		 changed_ms;		/* the files */

/* ------------------------------------------------------------- the changes */

static char *
message(char name, size_t n)
{
	char	*m = xalloc(1, n + 200);
	size_t	 at = (size_t)snprintf(m, 200, "From %c@x Mon Jan  1 10:00:00 2024\n"
		    "Subject: %c\nStatus: O\n\n", name, name);

	for (size_t i = 0; i < n; i++)
		m[at + i] = i % 60 == 59 ? '\n' : (char)(name + (char)(i / 60 % 7));
	memcpy(m + at + n, "\n\n", 3);
	return m;
}

/* As a mail reader marks mail.  The caller calls buf_fini. */
static void
mark_text(struct span text, struct buf *b)
{
	struct span line;

	buf_init(b, 1 << 20);
	while (span_line(&text, &line))
		assert_int_equal(buf_appendf(b, "%.*s\n%s", (int)line.n,
		    (const char *)line.p, span_eq(line, SPAN("Status: O")) ?
		    "X-Status: A\n" : ""), 0);
}

/* Messages by their numbers, "012". */
static void
write_those(const char *path, const char *numbers)
{
	fake_write(path, SPAN(""));
	for (; *numbers != '\0'; numbers++)
		fake_append(path, span_str(original[*numbers - '0']));
}

static void
append(void)
{
	fake_append(w.spool, span_str("From n@x Mon Jan  1 11:00:00 2024\n\nNew\n"));
}

static void
reorder(void)
{
	write_those(w.spool, "3120");
}

static void
take_out_first(void)
{
	write_those(w.spool, "123");
}

static void
empty(void)
{
	fake_write(w.spool, SPAN(""));
}

static void
truncate_it(void)
{
	assert_int_equal(truncate(w.spool, LARGE / 2), 0);
}

static void
replace(void)
{
	char path[FAKE_PATH + 8];

	(void)snprintf(path, sizeof(path), "%s.new", w.spool);
	write_those(path, "20");
	assert_int_equal(rename(path, w.spool), 0);
}

static void
remove_it(void)
{
	assert_int_equal(unlink(w.spool), 0);
}

/* The same size, the same places, other octets in each message. */
static void
alter(void)
{
	size_t		 n;
	const char	*text = fake_read(w.spool, &n);
	char		*other = xalloc(1, n);

	for (size_t i = 0; i < n; i++)
		other[i] = i > 0 && text[i] == text[i - 1] && text[i] >= 'a' ?
		    'z' : text[i];
	fake_write(w.spool, span_of(other, n));
	free(other);
}

/* What stands behind a mark moves. */
static void
mark(void)
{
	struct buf	 b;
	size_t		 n;
	const char	*text = fake_read(w.spool, &n);

	mark_text(span_of(text, n), &b);
	fake_write(w.spool, buf_span(&b));
	buf_fini(&b);
}

static const struct {
	const char	*name;
	void		 (*make)(void);
	bool		 kept;		/* all that there was still is somewhere */
} changes[] = {
	{ "append",		append,		true },
	{ "another order",	reorder,	true },
	{ "first one removed",	take_out_first,	false },
	{ "emptied",		empty,		false },
	{ "truncated",		truncate_it,	false },
	{ "replaced",		replace,	true },
	{ "removed",		remove_it,	true },
	{ "altered in place",	alter,		false },
	{ "marked",		mark,		false },
};

/* ---------------------------------------------------- what stands in between */

static void
count_down(void)
{
	if (countdown > 0 && --countdown == 0) {
		change();
		changed_ms = now_ms;
	}
}

ssize_t
__wrap_file_pread(int fd, void *p, size_t n, uint64_t off, struct fault *f)
{
	count_down();
	if (busy && !fake_locked(&w)) {
		append();
		changed_ms = ++now_ms;
	}
	octets_read += n;
	files_read++;
	return __real_file_pread(fd, p, n, off, f);
}

bool
__wrap_file_may_clone(int fd)
{
	(void)fd;
	return can_clone;
}

bool
__wrap_file_clone(int from, int to)
{
	struct file_facts facts;

	cloned_whole = countdown > 0;
	assert_int_equal(file_facts(from, &facts, NULL), 0);
	assert_int_equal(file_copy(from, 0, to, 0, facts.size, NULL), 0);
	return true;
}

uint64_t
__wrap_clock_file_ms(void)
{
	return now_ms;
}

void
__wrap_clock_sleep(unsigned ms)
{
	now_ms += ms;
}

int
__wrap_file_facts(int fd, struct file_facts *out, struct fault *f)
{
	int r = __real_file_facts(fd, out, f);

	out->ctime.tv_sec = (time_t)(changed_ms / 1000);
	out->ctime.tv_nsec = (long)(changed_ms % 1000) * 1000000 + 1;
	out->mtime = out->ctime;
	return r;
}

/* No crash here: the disk need not be waited for. */
int
__wrap_file_datasync(int fd, struct fault *f)
{
	(void)fd;
	(void)f;
	return 0;
}

int
__wrap_file_sync(int fd, struct fault *f)
{
	(void)fd;
	(void)f;
	return 0;
}

/* ------------------------------------------------------------------ sessions */

static void
set_way(enum way way)
{
	w.conf.memory_max = way == IN_MEMORY ? 1 << 20 : 0;
	w.conf.in_place = way == IN_PLACE || way == CLONED;
	w.no_temp = way == DISK_FULL;
	can_clone = way == CLONED;
}

static ssize_t
read_some(struct drop *d, size_t i, uint64_t off, char *to, struct fault *f)
{
	struct span s = SPAN("");

	if (peeks) {
		count_down();
		s = mbox_ops.peek(d, i, off);
	}
	if (s.n == 0)
		return mbox_ops.read(d, i, off, to, CHUNK, f);
	s = span_first(s, CHUNK);
	memcpy(to, s.p, s.n);
	return (ssize_t)s.n;
}

/* As many octets as they are listed; false: it was refused. */
static bool
read_whole(struct drop *d, size_t i, const struct drop_entry *e, char *to)
{
	struct dot_counter	wire = { 0 };
	struct fault		f = { 0 };
	uint64_t		off = 0;

	while (off < e->size_disk) {
		ssize_t n = read_some(d, i, off, to + off, &f);

		if (n == -1) {
			assert_int_equal(f.class, FAULT_TEMP);
			return false;
		}
		assert_true(n > 0);
		dot_count(&wire, span_of(to + off, (size_t)n));
		off += (uint64_t)n;
	}
	assert_int_equal(dot_count_end(&wire), e->size_wire);
	return true;
}

static struct span
text_of(const char *m)
{
	const char *text = strchr(m, '\n') + 1;

	return span_of(text, strlen(text) - 1);
}

/* whole: it was all there when the session began. */
static void
read_all(struct drop *d, bool whole, bool may_refuse)
{
	struct snapshot	 s;
	char		*to = xalloc(1, 2 * LARGE + CHUNK);

	mbox_ops.snapshot(d, &s);
	if (whole)
		assert_int_equal(s.n, MESSAGES);
	for (size_t i = 0; i < s.n; i++) {
		bool got;

		assert_true(s.entries[i].size_disk < 2 * LARGE);
		got = read_whole(d, i, &s.entries[i], to);
		assert_true(got || may_refuse);
		if (got && whole)
			assert_true(span_eq(span_of(to,
			    s.entries[i].size_disk), text_of(original[i])));
	}
	free(to);
}

/* The first message is deleted: nothing else may be missing then, nor come back. */
static void
quit(struct drop *d)
{
	static const bool	 deleted[MESSAGES] = { true };
	static const bool	 no[MESSAGES];
	const struct drop_change c = { .deleted = deleted, .retrieved = no,
				    .extra_fd = -1 };
	struct drop_outcome	 out;
	struct fault		 f;
	size_t			 n = 0;
	const char		*now = fake_read(w.spool, &n);
	char			*want = xalloc(1, n + 1);
	const char		*first = original[0];
	struct buf		 marked;
	char			*at;

	if (now != NULL)
		memcpy(want, now, n);
	mark_text(span_str(first), &marked);
	assert_int_equal(buf_append(&marked, span_of("", 1)), 0);
	at = strstr(want, first);
	if (at == NULL) {
		first = (const char *)buf_span(&marked).p;
		at = strstr(want, first);
	}
	if (at != NULL)
		memmove(at, at + strlen(first), strlen(at + strlen(first)) + 1);
	buf_fini(&marked);
	if (mbox_ops.commit(d, &c, &out, &f) == -1)
		fail_msg("%s", f.text);
	now = fake_read(w.spool, &n);
	assert_true(span_eq(span_of(now, now == NULL ? 0 : n), span_str(want)));
	assert_int_equal(out.deleted, at != NULL);
	free(want);
}

/* False: the session did not read so often. */
static bool
session(enum way way, unsigned reads, bool kept)
{
	struct drop	*d;
	struct fault	 f = { 0 };
	bool		 happened;
	bool		 whole;

	write_those(w.spool, "0123");
	changed_ms = now_ms;
	set_way(way);
	countdown = reads;
	cloned_whole = false;
	if (fake_open(&w, &d, &f) == -1) {
		assert_true(f.class == FAULT_TEMP || f.class == FAULT_PERM);
		assert_int_equal(countdown, 0);
		return true;
	}
	whole = countdown > 0 || cloned_whole;
	read_all(d, whole, way >= IN_PLACE && !(whole && kept));
	happened = countdown == 0;
	countdown = 0;
	if (whole)
		quit(d);
	mbox_ops.close(d);
	assert_false(fake_locked(&w));
	return happened;
}

static void
all_changes(void)
{
	for (enum way way = 0; way < WAYS; way++)
		for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
			unsigned reads = 1;

			change = changes[i].make;
			print_message("way %d, %s\n", (int)way, changes[i].name);
			while (session(way, reads, changes[i].kept))
				reads++;
			assert_true(reads > 8);
		}
}

/* By read() alone, and with what is at hand. */
static void
either_way(void (*test)(void))
{
	test();
	peeks = true;
	test();
	peeks = false;
}

static void
test_changes(void **state)
{
	(void)state;
	either_way(all_changes);
}

static void
expect_reads(struct drop *d, size_t i, unsigned n, uint64_t octets)
{
	struct snapshot	 s;
	char		*to = xalloc(1, 2 * LARGE);

	mbox_ops.snapshot(d, &s);
	files_read = 0;
	octets_read = 0;
	assert_true(read_whole(d, i, &s.entries[i], to));
	assert_true(span_eq(span_of(to, s.entries[i].size_disk),
	    text_of(original[i])));
	assert_int_equal(files_read, n);
	if (n > 0 && octets > 0)
		assert_int_equal(octets_read, octets);
	free(to);
}

/* Who fetches in order has read the next ones already, and nobody else. */
static void
test_ahead(void **state)
{
	struct drop	*d;
	struct fault	 f;

	(void)state;
	set_way(IN_PLACE);
	write_those(w.spool, "0123");
	changed_ms = now_ms;
	peeks = true;
	assert_int_equal(fake_open(&w, &d, &f), 0);
	for (size_t i = 0; i < MESSAGES; i++)
		expect_reads(d, i, i == 0, 0);
	mbox_ops.close(d);
	assert_int_equal(fake_open(&w, &d, &f), 0);
	expect_reads(d, 1, 1, text_of(original[1]).n);
	expect_reads(d, 0, 1, text_of(original[0]).n);
	expect_reads(d, 1, 1, 0);
	expect_reads(d, 2, 0, 0);
	append();			/* what is at hand is what it was */
	changed_ms = ++now_ms;
	expect_reads(d, 3, 0, 0);
	peeks = false;
	mbox_ops.close(d);
}

/* What was at hand is none of a message that stands there now; nor is one that is not
 * sure to be where it was. */
static void
test_ahead_moved(void **state)
{
	struct drop	*d;
	struct fault	 f;
	char		 b[CHUNK];
	char		*last;

	(void)state;
	set_way(IN_PLACE);
	write_those(w.spool, "0123");
	changed_ms = now_ms;
	assert_int_equal(fake_open(&w, &d, &f), 0);
	assert_true(mbox_ops.peek(d, 1, 0).n > 0);
	write_those(w.spool, "0312");
	changed_ms = ++now_ms;
	now_ms += 60000;
	assert_true(mbox_ops.read(d, 2, 0, b, sizeof(b), &f) > 0);
	peeks = true;
	expect_reads(d, 3, 1, 0);
	last = original[2] + strlen(original[2]) - 3;
	(*last)++;
	write_those(w.spool, "0312");
	(*last)--;
	append();
	changed_ms = ++now_ms;
	now_ms += 60000;
	assert_true(mbox_ops.read(d, 3, 0, b, sizeof(b), &f) > 0);
	assert_int_equal(mbox_ops.peek(d, 2, 0).n, 0);
	assert_int_equal(mbox_ops.read(d, 2, 0, b, sizeof(b), &f), -1);
	peeks = false;
	mbox_ops.close(d);
}

/* The way that is wanted is the way that is gone. */
static void
test_ways(void **state)
{
	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		struct drop	*d;
		struct fault	 f;

		w.told[0] = '\0';
		write_those(w.spool, "0123");
		set_way(way);
		assert_int_equal(fake_open(&w, &d, &f), 0);
		assert_int_equal(d->in_place, way >= IN_PLACE);
		assert_string_equal(w.told, way == DISK_FULL ? "drop-in-place" : "");
		mbox_ops.close(d);
	}
}

/* Who reads in place and finds the spool as it was need not read it again. */
static void
test_quit_reads(void **state)
{
	static const bool	 deleted[MESSAGES] = { [MESSAGES - 1] = true };
	static const bool	 no[MESSAGES];
	const struct drop_change c = { .deleted = deleted, .retrieved = no,
				    .extra_fd = -1 };

	(void)state;
	set_way(IN_PLACE);
	for (int touched = 0; touched < 2; touched++) {
		struct drop_outcome	 out;
		struct drop		*d;
		struct fault		 f;
		struct buf		 want;

		write_those(w.spool, "0123");
		changed_ms = now_ms;
		assert_int_equal(fake_open(&w, &d, &f), 0);
		if (touched)
			changed_ms = ++now_ms;
		octets_read = 0;
		assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
		assert_int_equal(octets_read > LARGE, touched);
		assert_int_equal(out.deleted, 1);
		buf_init(&want, 2 * LARGE);
		for (int i = 0; i < MESSAGES - 1; i++)
			assert_int_equal(buf_append(&want,
			    span_str(original[i])), 0);
		fake_expect(w.spool, buf_span(&want));
		buf_fini(&want);
		mbox_ops.close(d);
	}
}

/* A change in the tick in which the session began has the same time, but it is seen
 * all the same. */
static void
test_tick(void **state)
{
	struct drop	*d;
	struct fault	 f;

	(void)state;
	set_way(IN_PLACE);
	for (int i = 0; i < 3; i++) {
		write_those(w.spool, "0123");
		changed_ms = now_ms;
		assert_int_equal(fake_open(&w, &d, &f), 0);
		alter();
		changed_ms = now_ms;
		read_all(d, true, true);
		mbox_ops.close(d);
	}
}

/* Nor is it what is found to be still there, when it was read before that. */
static void
test_ahead_doubted(void **state)
{
	struct drop	*d;
	struct fault	 f;
	char		 b[8];
	char		*last = original[1] + strlen(original[1]) - 3;
	ssize_t		 n;

	(void)state;
	set_way(IN_PLACE);
	write_those(w.spool, "0123");
	changed_ms = now_ms;
	assert_int_equal(fake_open(&w, &d, &f), 0);
	changed_ms = ++now_ms;
	now_ms += 60000;
	assert_true(mbox_ops.read(d, 0, 0, b, sizeof(b), &f) > 0);
	(*last)++;
	write_those(w.spool, "0123");
	assert_true(mbox_ops.peek(d, 0, 0).n > 0);
	(*last)--;
	write_those(w.spool, "0123");
	n = mbox_ops.read(d, 1, 0, b, sizeof(b), &f);
	assert_true(n > 0);
	assert_true(span_eq(mbox_ops.peek(d, 1, (uint64_t)n),
	    span_skip(text_of(original[1]), (size_t)n)));
	mbox_ops.close(d);
}

/* Who is inside a write since before the session began changes no time any more. */
static void
write_goes_on(void)
{
	AUTO(fd_close) int	 writer = -1;
	struct drop	*d;
	struct fault	 f;
	struct snapshot	 s;
	char		*to = xalloc(1, 2 * LARGE);

	set_way(IN_PLACE);
	write_those(w.spool, "0123");
	changed_ms = now_ms;
	assert_int_equal(file_open(FILE_CWD, w.spool, FILE_READ | FILE_WRITE, 0,
	    &writer, &f), 0);
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.snapshot(d, &s);
	assert_true(read_whole(d, 1, &s.entries[1], to));
	alter();
	for (size_t i = 0; i < MESSAGES; i++)
		assert_false(read_whole(d, i, &s.entries[i], to));
	/* It is looked for where it may be by now, too. */
	write_those(w.spool, "3012");
	for (size_t i = 0; i < MESSAGES; i++)
		assert_true(read_whole(d, i, &s.entries[i], to));
	mbox_ops.close(d);
	free(to);
}

static void
test_write_goes_on(void **state)
{
	(void)state;
	either_way(write_goes_on);
}

/* When nobody has it open, no octet is read but what is served. */
static void
test_nobody_writes(void **state)
{
	struct drop	*d;
	struct fault	 f;
	struct snapshot	 s;
	char		*to = xalloc(1, 2 * LARGE);

	(void)state;
	set_way(IN_PLACE);
	write_those(w.spool, "0123");
	changed_ms = now_ms;
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.snapshot(d, &s);
	octets_read = 0;
	assert_true(read_whole(d, 1, &s.entries[1], to));
	assert_int_equal(octets_read, s.entries[1].size_disk);
	mbox_ops.close(d);
	free(to);
}

/*
 * The power went, and of what was written last the disk has not all, but its times:
 * no message is deleted for what an index of before says of it.
 */
static void
test_power(void **state)
{
	static const bool	 deleted[MESSAGES] = { true, true, true, true };
	static const bool	 no[MESSAGES];
	const struct drop_change c = { .deleted = deleted, .retrieved = no,
				    .extra_fd = -1 };
	struct drop_outcome	 out;
	struct drop		*d;
	struct fault		 f;

	(void)state;
	fake_keep_index(&w);
	set_way(IN_PLACE);
	for (int lost = 0; lost < 2; lost++) {
		write_those(w.spool, "0123");
		changed_ms = now_ms;
		assert_int_equal(fake_open(&w, &d, &f), 0);
		mbox_ops.close(d);
		if (lost) {
			alter();
			w.conf.boot++;
		}
		assert_int_equal(fake_open(&w, &d, &f), 0);
		assert_true(d->index.used);
		assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
		assert_int_equal(out.deleted, lost ? 0 : MESSAGES);
		mbox_ops.close(d);
	}
	w.host.index = NULL;
}

/*
 * Nor is one served where it says: what is there may be parts of others, and what was
 * asked for, and is deleted then, somewhere else.
 */
static void
test_power_moved(void **state)
{
	static const enum way	 ways[] = { IN_PLACE, CLONED };
	char			*to = xalloc(1, 2 * LARGE);
	struct drop_entry	 e;
	struct drop		*d;
	struct fault		 f;

	(void)state;
	fake_keep_index(&w);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		(void)unlink(w.index);
		set_way(ways[i]);
		write_those(w.spool, "0123");
		changed_ms = now_ms;
		now_ms += 60000;
		assert_int_equal(fake_open(&w, &d, &f), 0);
		mbox_ops.close(d);
		reorder();
		w.conf.boot++;
		assert_int_equal(fake_open(&w, &d, &f), 0);
		assert_true(d->index.used);
		for (size_t k = 0; k < MESSAGES; k++) {
			assert_int_equal(mbox_ops.entry(d, k, &e, &f), 0);
			assert_true(read_whole(d, k, &e, to));
			assert_true(span_eq(span_of(to, e.size_disk),
			    text_of(original[k])));
		}
		quit(d);
		mbox_ops.close(d);
	}
	w.host.index = NULL;
	free(to);
}

/* Nor does a bulletin end up in the last message, of whose end the disk has nothing. */
static void
test_power_end(void **state)
{
	static const bool	 no[MESSAGES];
	static const char	 torn[] = "xxx";
	const size_t		 n = strlen(torn);
	struct drop_extra	 extra = { .len = strlen(original[2]) };
	struct drop_change	 c = { .deleted = no, .retrieved = no,
				    .extra = &extra, .nextra = 1 };
	char			*want = xalloc(1, 4 * LARGE);
	struct drop_outcome	 out;
	struct drop		*d;
	struct fault		 f;

	(void)state;
	fake_keep_index(&w);
	set_way(IN_PLACE);
	write_those(w.spool, "01");
	changed_ms = now_ms;
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.close(d);
	(void)snprintf(want, 4 * LARGE, "%s%.*s%s", original[0],
	    (int)(strlen(original[1]) - n), original[1], torn);
	fake_write(w.spool, span_str(want));
	w.conf.boot++;
	assert_int_equal(fake_open(&w, &d, &f), 0);
	assert_true(d->index.used);
	write_those(w.popbull, "2");
	assert_int_equal(file_open(FILE_CWD, w.popbull, FILE_READ, 0,
	    &c.extra_fd, &f), 0);
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	mbox_ops.close(d);
	fd_close(&c.extra_fd);
	(void)snprintf(want + strlen(want), 2 * LARGE, "\n\n%s", original[2]);
	fake_expect(w.spool, span_str(want));
	w.host.index = NULL;
	free(want);
}

/* Whoever heeds locks cannot keep a session from its messages. */
static void
test_busy(void **state)
{
	struct drop	*d;
	struct fault	 f;

	(void)state;
	set_way(IN_PLACE);
	write_those(w.spool, "0123");
	changed_ms = now_ms;
	assert_int_equal(fake_open(&w, &d, &f), 0);
	busy = true;
	read_all(d, true, false);
	busy = false;
	mbox_ops.close(d);
	assert_false(fake_locked(&w));
}

static int
set_up(void **state)
{
	(void)state;
	fake_init(&w, false);
	for (size_t i = 0; i < MESSAGES; i++)
		original[i] = message((char)('a' + 4 * i), i == 1 ? LARGE : 100);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < MESSAGES; i++)
		free(original[i]);
	fake_fini(&w);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_tick),
		cmocka_unit_test(test_quit_reads),
		cmocka_unit_test(test_write_goes_on),
		cmocka_unit_test(test_nobody_writes),
		cmocka_unit_test(test_power),
		cmocka_unit_test(test_power_moved),
		cmocka_unit_test(test_power_end),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_ahead_moved),
		cmocka_unit_test(test_ahead_doubted),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

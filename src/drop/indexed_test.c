/* SPDX-License-Identifier: ISC */
/*
 * With an index a session sees what it would see without one, whatever became of the
 * spool or of the index since; and reads no more of the spool than is new.
 */
#include "drop/fake_host.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "drop/mbox_priv.h"
#include "sys/sock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

ssize_t	__real_file_pread(int fd, void *p, size_t n, uint64_t off,
	    struct fault *f);
ssize_t	__wrap_file_pread(int fd, void *p, size_t n, uint64_t off,
	    struct fault *f);
int	__real_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
	    struct fault *f);
int	__wrap_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
	    struct fault *f);
int	__real_file_truncate(int fd, uint64_t size, struct fault *f);
int	__wrap_file_truncate(int fd, uint64_t size, struct fault *f);
int	__wrap_file_sync(int fd, struct fault *f);
int	__wrap_file_datasync(int fd, struct fault *f);
uint64_t __wrap_clock_file_ms(void);
bool	__wrap_file_times_tell(int fd);
bool	__wrap_file_may_clone(int fd);

#define MANY	(2 * INDEX_ROWS + 5)
#define DOTLOCK	100u			/* octets of it, at most */

static struct fake	 w;
static uint64_t		 spool_ino;
static uint64_t		 spool_octets;	/* read of it */
static uint64_t		 other_octets;	/* read of other files */
static uint64_t		 written;	/* to any file */
static unsigned		 death;		/* writes until the process dies; 0: never */
static bool		 dead;
static bool		 full;		/* no room for the index */
static void		 (*meanwhile)(void);	/* when the spool is read unlocked */

static uint64_t		 lost;		/* octet of the index: what is written there
					   never reaches the disk; 0: all does */

static bool
is_lost(int fd, uint64_t off)
{
	struct file_facts	facts;
	struct file_facts	there;

	return off > 0 && off == lost && file_facts(fd, &facts, NULL) == 0 &&
	    file_facts_at(FILE_CWD, w.index, &there, NULL) == 0 &&
	    facts.ino == there.ino;
}

static void
let_others_in(void)
{
	void (*others)(void) = meanwhile;

	if (others == NULL || fake_locked(&w))
		return;
	meanwhile = NULL;
	others();
}

ssize_t
__wrap_file_pread(int fd, void *p, size_t n, uint64_t off, struct fault *f)
{
	struct file_facts	facts;
	ssize_t			got;

	assert_int_equal(file_facts(fd, &facts, NULL), 0);
	if (facts.ino == spool_ino)
		let_others_in();
	got = __real_file_pread(fd, p, n, off, f);
	if (got > 0)
		*(facts.ino == spool_ino ? &spool_octets : &other_octets) +=
		    (uint64_t)got;
	return got;
}

static bool
is_dead(void)
{
	dead = dead || (death > 0 && --death == 0);
	return dead;
}

int
__wrap_file_pwrite(int fd, const void *p, size_t n, uint64_t off, struct fault *f)
{
	bool before = dead;

	if (full)
		return fault_errno(f, FAULT_TEMP, ENOSPC, "full");
	written += n;
	if (is_lost(fd, off))
		return 0;
	if (!is_dead())
		return __real_file_pwrite(fd, p, n, off, f);
	if (!before)
		(void)!__real_file_pwrite(fd, p, n / 2, off, f);
	return fault_errno(f, FAULT_TEMP, EIO, "dead");
}

int
__wrap_file_truncate(int fd, uint64_t size, struct fault *f)
{
	return is_dead() ? fault_errno(f, FAULT_TEMP, EIO, "dead") :
	    __real_file_truncate(fd, size, f);
}

/* A process dies here, never the power. */
int
__wrap_file_sync(int fd, struct fault *f)
{
	(void)fd;
	(void)f;
	return 0;
}

int
__wrap_file_datasync(int fd, struct fault *f)
{
	(void)fd;
	(void)f;
	return 0;
}

/* All that was written has stood for long: no test here waits. */
uint64_t
__wrap_clock_file_ms(void)
{
	return ((uint64_t)time(NULL) + 3600) * 1000;
}

bool
__wrap_file_times_tell(int fd)
{
	(void)fd;
	return true;
}

bool
__wrap_file_may_clone(int fd)
{
	(void)fd;
	return false;
}

/* ---------------------------------------------------------------- the mail */

static void
add_messages(size_t from, size_t n)
{
	struct buf b;

	buf_init(&b, 1 << 22);
	for (size_t i = from; i < from + n; i++)
		assert_int_equal(buf_appendf(&b, "From a@x Mon Jan  1 10:00:00 "
		    "2024\nSubject: %zu\n%s%s\nText of %zu\n%s.\n\n", i / 2,
		    i % 22 < 2 ? "X-Name: \xc3\xa4\n" : "",
		    i % 3 == 0 ? "Status: RO\n" : "", i / 2,
		    i % 26 < 2 ? "\xc3\xa4\n" : ""), 0);
	fake_append(w.spool, buf_span(&b));
	buf_fini(&b);
}

static void
begin_with(size_t n)
{
	(void)unlink(w.spool);
	(void)unlink(w.index);
	add_messages(0, n);
}

static struct drop *
open_drop(bool indexed)
{
	struct drop		*d;
	struct fault		 f;
	struct file_facts	 facts;

	assert_int_equal(file_facts_at(FILE_CWD, w.spool, &facts, NULL), 0);
	spool_ino = facts.ino;
	spool_octets = other_octets = written = 0;
	w.conf.in_place = indexed;
	w.conf.memory_max = indexed ? 0 : UINT32_MAX;
	return fake_open(&w, &d, &f) == 0 ? d : NULL;
}

/* Either way to know it says the same. */
static void
expect_listed(struct drop *d, size_t i, const struct drop_entry *e)
{
	char		uidl[DROP_UIDL_MAX + 1];
	uint64_t	size;

	assert_int_equal(mbox_ops.size(d, i, false, &size, NULL), 0);
	assert_int_equal(size, e->size_wire);
	assert_int_equal(mbox_ops.size(d, i, true, &size, NULL), 0);
	assert_int_equal(size, e->flags & DROP_RECODED ? e->size_surrogate :
	    e->size_wire);
	*mbox_ops.uidl(d, i, uidl, NULL) = '\0';
	assert_string_equal(uidl, e->uidl);
}

/* As the index tells them, from the last one to the first. */
static void
expect_same_entries(struct drop *a, struct drop *b)
{
	struct drop_totals	x;
	struct drop_totals	y;
	struct drop_entry	e;
	struct drop_entry	g;

	mbox_ops.totals(a, &x);
	mbox_ops.totals(b, &y);
	assert_memory_equal(&x, &y, sizeof(x));
	for (size_t i = x.n; i-- > 0;) {
		assert_int_equal(mbox_ops.entry(b, i, &g, NULL), 0);
		expect_listed(a, i, &g);
		assert_int_equal(mbox_ops.entry(a, i, &e, NULL), 0);
		assert_string_equal(e.uidl, g.uidl);
		assert_int_equal(e.size_disk, g.size_disk);
		assert_int_equal(e.size_wire, g.size_wire);
		assert_int_equal(e.size_surrogate, g.size_surrogate);
		assert_int_equal(e.flags, g.flags);
		assert_int_equal(e.delivered, g.delivered);
		assert_int_equal(e.locator, g.locator);
	}
}

/* Both ways find the same messages, or that it is no mailbox. */
static void
expect_same(void)
{
	struct drop *a = open_drop(true);
	struct drop *b = open_drop(false);

	assert_int_equal(a == NULL, b == NULL);
	if (a != NULL) {
		rows_measure(b);
		expect_same_entries(a, b);
		assert_int_equal(rows_all(a, NULL), 0);
		assert_int_equal(a->table.n, b->table.n);
		assert_int_equal(a->n, b->n);
		for (size_t i = 0; i < a->table.n; i++) {
			a->table.m[i].flags &= ~(uint32_t)MBOX_DOUBTED;
			assert_memory_equal(&a->table.m[i], &b->table.m[i],
			    sizeof(*a->table.m));
		}
	}
	mbox_ops.close(a);
	mbox_ops.close(b);
}

static uint64_t
octets_of_a_look(void)
{
	mbox_ops.close(open_drop(true));
	return spool_octets;
}

/* ------------------------------------------------------------------- tests */

static void
test_spared(void **state)
{
	uint64_t all;

	(void)state;
	begin_with(MANY);
	all = octets_of_a_look();
	assert_true(all > 20000);
	assert_int_equal(octets_of_a_look(), 0);
	for (size_t i = 0; i < 3; i++) {
		add_messages(MANY + i, 1);
		assert_true(octets_of_a_look() < 2 * INDEX_TAIL + 1000);
		assert_int_equal(octets_of_a_look(), 0);
		expect_same();
	}
	assert_int_equal(truncate(w.spool, 15000), 0);
	assert_true(octets_of_a_look() >= 15000);
	assert_int_equal(octets_of_a_look(), 0);
}

/* So many messages with an index; its octets. */
static size_t
begin_indexed(size_t n)
{
	size_t octets;

	begin_with(n);
	mbox_ops.close(open_drop(true));
	(void)fake_read(w.index, &octets);
	return octets;
}

static void
expect_sizes(struct drop *d, size_t n)
{
	uint64_t size;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(mbox_ops.size(d, i, false, &size, NULL), 0);
}

/* Who only lists reads a third of the index, once for each list. */
static void
test_lists(void **state)
{
	size_t		 n = begin_indexed(MANY);
	struct drop	*d = open_drop(true);
	char		 uidl[DROP_UIDL_MAX + 1];

	(void)state;
	expect_sizes(d, MANY);
	assert_true(other_octets < n / 3 + INDEX_BRIEFS);
	for (size_t i = 0; i < MANY; i++)
		assert_non_null(mbox_ops.uidl(d, i, uidl, NULL));
	assert_true(other_octets < 2 * (n / 3 + INDEX_BRIEFS));
	assert_int_equal(spool_octets, 0);
	mbox_ops.close(d);
}

/* Who deletes all that he has asked for has read the index once, and no mail. */
static void
test_drain(void **state)
{
	static bool		 all[MANY];
	static const bool	 none[MANY];
	struct drop_change	 c = { .deleted = all, .retrieved = none,
				    .extra_fd = -1 };
	size_t			 n = begin_indexed(MANY);
	struct drop		*d = open_drop(true);
	struct drop_entry	 e;
	struct drop_outcome	 out;
	struct fault		 f;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(mbox_ops.entry(d, i, &e, &f), 0);
		all[i] = true;
	}
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	assert_int_equal(out.deleted, MANY);
	assert_true(other_octets < n + INDEX_HEAD);
	assert_true(spool_octets < 2 * INDEX_TAIL);
	mbox_ops.close(d);
	fake_expect(w.spool, SPAN(""));
}

/* What has octets beyond ASCII is looked at once. */
static void
test_surrogates(void **state)
{
	struct drop_totals	 t;
	struct drop_entry	 e;
	struct drop		*d;
	int64_t			 more = 0;
	size_t			 recoded = 0;

	(void)state;
	begin_with(MANY);
	mbox_ops.close(open_drop(true));
	d = open_drop(true);
	mbox_ops.totals(d, &t);
	assert_int_equal(t.eight_bit, 0);
	for (size_t i = 0; i < t.n; i++) {
		assert_int_equal(mbox_ops.entry(d, i, &e, NULL), 0);
		assert_false(e.flags & DROP_8BIT);
		assert_int_equal((e.flags & DROP_RECODED) != 0, i % 22 < 2);
		if ((e.flags & DROP_RECODED) == 0)
			continue;
		assert_int_equal(e.size_surrogate, e.size_wire - 2 +
		    strlen("=?UTF-8?B?w6Q=?="));
		more += (int64_t)(e.size_surrogate - e.size_wire);
		recoded++;
	}
	assert_true(recoded > 40);
	assert_int_equal(t.surrogates, more);
	assert_int_equal(spool_octets, 0);
	mbox_ops.close(d);
	w.conf.surrogates = false;
	begin_with(MANY);
	mbox_ops.close(open_drop(true));
	d = open_drop(true);
	mbox_ops.totals(d, &t);
	assert_true(t.eight_bit > recoded);
	assert_int_equal(t.surrogates, 0);
	mbox_ops.close(d);
	w.conf.surrogates = true;
}

static void
update_last(bool deletes)
{
	struct drop		*d = open_drop(true);
	struct drop_totals	 t;
	struct drop_change	 change = { 0 };
	struct drop_outcome	 out;
	bool			*marks;

	if (dead)
		return;
	mbox_ops.totals(d, &t);
	marks = xalloc(2 * t.n, sizeof(*marks));
	marks[t.n - 1] = true;
	change.deleted = deletes ? marks : marks + t.n;
	change.retrieved = deletes ? marks + t.n : marks;
	assert_true(mbox_ops.commit(d, &change, &out, NULL) == -1 ? dead :
	    out.rewritten);
	mbox_ops.close(d);
	free(marks);
}

/* Of add_messages: this one and the next have such octets. */
#define BEYOND_ASCII	(22u * 26 * 3)

/* What others have left unmeasured is measured when the maildrop has grown, once. */
static void
test_measured_later(void **state)
{
	struct drop_totals	 t;
	struct drop		*d;
	uint64_t		 before;

	(void)state;
	w.conf.surrogates = false;
	(void)begin_indexed(MANY);
	w.conf.surrogates = true;
	add_messages(BEYOND_ASCII, 1);
	d = open_drop(true);
	mbox_ops.totals(d, &t);
	assert_int_equal(t.eight_bit, 0);
	assert_true(t.surrogates > 0);
	mbox_ops.close(d);
	before = written;
	assert_int_equal(octets_of_a_look(), 0);
	assert_true(before > 2 * INDEX_BLOCK);
	expect_same();
}

/* New mail costs what is new, the block in which it goes on, and the briefs of all;
 * and what the lists tell then is the rest of those. */
static void
test_grown_lists(void **state)
{
	size_t		 n = begin_indexed(MANY);
	struct drop	*d;

	(void)state;
	add_messages(BEYOND_ASCII, 2);
	d = open_drop(true);
	assert_true(spool_octets < 2 * INDEX_TAIL + 1000);
	assert_true(other_octets < INDEX_HEAD + n / 3 + INDEX_BRIEFS +
	    index_block_size(MANY % INDEX_ROWS));
	assert_true(written < INDEX_HEAD + index_block_size(MANY % INDEX_ROWS +
	    1) + DOTLOCK);
	other_octets = 0;
	expect_sizes(d, MANY + 2);
	assert_true(other_octets <= n / 3 + INDEX_BRIEFS);
	mbox_ops.close(d);
	/* Other times, and nothing else. */
	w.conf.status = true;
	add_messages(MANY + 3, 1);
	update_last(false);
	w.conf.status = false;
	mbox_ops.close(open_drop(true));
	assert_true(written < INDEX_HEAD + DOTLOCK);
	assert_true(other_octets < 2 * INDEX_HEAD);
}

static void add_one(void) { add_messages(7, 1); }
static void add_new(void) { add_messages(100000, 3); }
/* Twins of what may have been the last one. */
static void add_last_again(void) { add_messages(39, 1); add_messages(256, 1); }
static void add_block(void) { add_messages(200000, INDEX_ROWS); }
static void add_text(void) { fake_append(w.spool, SPAN("more text\n")); }
static void add_torn(void) { fake_append(w.spool, SPAN("\nFrom a@x Mon Jan  1 10:00")); }
static void add_rest(void) { fake_append(w.spool, SPAN(":00 2024\nLines: 1\n\nx")); }
static void add_lf(void) { fake_append(w.spool, SPAN("\n")); }
static void add_cr(void) { fake_append(w.spool, SPAN("\r")); }
static void
add_note_like(void)
{
	fake_append(w.spool, SPAN("From a@x Mon Jan  1 10:00:00 2024\nFrom: Mail "
	    "System Internal Data <m@x>\nSubject: DON'T DELETE THIS MESSAGE -- "
	    "FOLDER INTERNAL DATA\n\nx\n\n"));
}
static void empty(void) { fake_write(w.spool, SPAN("")); }
static void rewrite(void) { empty(); add_messages(5, 400); }

static void
cut(void)
{
	struct file_facts facts;

	assert_int_equal(file_facts_at(FILE_CWD, w.spool, &facts, NULL), 0);
	assert_int_equal(truncate(w.spool, (off_t)(facts.size / 3 * 2)), 0);
}

static void
replace(void)
{
	assert_int_equal(unlink(w.spool), 0);
	add_messages(9, 300);
}

/* What was there moves; with as many octets as the last message has there may be a
 * From_ line again where it began. */
static void
put_before(struct span text)
{
	size_t		 n;
	struct buf	 b;
	const char	*old = fake_read(w.spool, &n);

	buf_init(&b, 1 << 23);
	assert_int_equal(buf_append(&b, text), 0);
	assert_int_equal(buf_append(&b, span_of(old, n)), 0);
	fake_write(w.spool, buf_span(&b));
	buf_fini(&b);
}

static void
prepend(void)
{
	put_before(SPAN("From b@x Mon Jan  1 10:00:00 2024\n\nbefore all\n\n"));
}

static void
prepend_like_last(void)
{
	struct drop	*d = open_drop(true);
	char		 text[200] = "From b@x Mon Jan  1 10:00:00 2024\n\n";
	size_t		 at = strlen(text);
	size_t		 n = d == NULL || d->table.n == 0 ? 150 :
			    d->table.m[d->table.n - 1].next -
			    d->table.m[d->table.n - 1].from;

	mbox_ops.close(d);
	if (n > sizeof(text) || n < at + 2)
		n = sizeof(text);
	memset(text + at, 'x', n - at);
	memcpy(text + n - 2, "\n\n", 2);
	put_before(span_of(text, n));
}

static void (*const changes[])(void) = {
	add_one, add_new, add_last_again, add_block, add_note_like, add_text, add_torn, add_rest, add_lf, add_cr,
	empty, rewrite, cut, replace, prepend,
	prepend_like_last,
};

static void
one_after_another(size_t i, size_t k)
{
	begin_with(i % 2 == 0 ? 40 : INDEX_ROWS + 1);
	mbox_ops.close(open_drop(true));
	changes[i]();
	expect_same();
	changes[k]();
	expect_same();
	expect_same();
}

/* Each after each; without POPPER_LONG a part of them, by a seed. */
static void
test_history(void **state)
{
	size_t		 step = getenv("POPPER_LONG") == NULL ? 7 : 1;
	const char	*seed = getenv("POPPER_SEED");
	size_t		 first = (seed == NULL ? (size_t)time(NULL) :
			    strtoul(seed, NULL, 10)) % step;

	(void)state;
	print_message("POPPER_SEED=%zu\n", first);
	for (size_t i = first; i < ARRAY_LEN(changes) * ARRAY_LEN(changes);
	    i += step)
		one_after_another(i % ARRAY_LEN(changes), i / ARRAY_LEN(changes));
}

/* Mail of one size that differs in its header alone, of which one is removed: where
 * the last one began another begins, and ends with the same octets. */
static void
test_alike(void **state)
{
	char		body[2 * INDEX_TAIL];
	struct buf	b;
	size_t		n;

	(void)state;
	memset(body, 'x', sizeof(body));
	memcpy(body + sizeof(body) - 2, "\n\n", 2);
	for (int removed = 0; removed < 2; removed++) {
		buf_init(&b, 1 << 22);
		for (int i = removed; i < 9 + 2 * removed; i++) {
			assert_int_equal(buf_appendf(&b, "From a@x Mon Jan  1 "
			    "10:00:00 2024\nSubject: %02d\n\n", i), 0);
			assert_int_equal(buf_append(&b,
			    span_of(body, sizeof(body))), 0);
		}
		fake_write(w.spool, buf_span(&b));
		buf_fini(&b);
		expect_same();
	}
	(void)fake_read(w.index, &n);
	assert_true(n > 0);
}

/* Of so many messages one, its subject, and the same of one behind it. */
struct place {
	size_t		 n;
	size_t		 row;
	const char	*subject;
	size_t		 behind;
	const char	*other;
};

static void
change_text(const char *what)
{
	size_t		 n;
	const char	*there = fake_read(w.spool, &n);
	char		*text = xalloc(1, n);
	char		*at;

	memcpy(text, there, n);
	at = memmem(text, n, what, strlen(what));
	assert_non_null(at);
	at[strlen("Subject: ")] = 'x';
	fake_write(w.spool, span_of(text, n));
	free(text);
}

/* Grown in so many sessions after that. */
static void
expect_doubt(const struct place *p, int sessions)
{
	char			 read[200];
	struct drop		*d;
	struct file_facts	 facts;
	struct fault		 f;

	begin_with(p->n);
	mbox_ops.close(open_drop(true));
	change_text(p->subject);
	add_messages(p->n, 1);
	for (int i = 1; i < sessions; i++)
		mbox_ops.close(open_drop(true));
	d = open_drop(true);
	assert_int_equal(file_facts_at(FILE_CWD, w.spool, &facts, NULL), 0);
	assert_true(spool_octets < facts.size);
	assert_true(mbox_ops.read(d, 0, 0, read, sizeof(read), &f) > 0);
	assert_int_equal(mbox_ops.read(d, p->row, 0, read, sizeof(read), &f), -1);
	assert_true(mbox_ops.read(d, p->behind, 0, read, sizeof(read), &f) > 0);
	assert_memory_equal(read, p->other, strlen(p->other));
	mbox_ops.close(d);
}

/* Changed where nobody looks while a maildrop grows: whoever reads it sees that, also
 * in the block in which it goes on. */
static void
test_doubt(void **state)
{
	static const struct place places[] = {
		{ MANY, 2, "Subject: 1\n", 6, "Subject: 3\n" },
		{ MANY + 100, MANY + 1, "Subject: 259\n", MANY + 5,
		    "Subject: 261\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		for (int sessions = 1; sessions < 3; sessions++)
			expect_doubt(&places[i], sessions);
}

static void
change_third(void)
{
	clock_sleep(20);		/* so that times tell it */
	change_text("Subject: 1\n");
}

/* Changed between the lock and the look at what has octets beyond ASCII: no index says
 * of the new state what was found in the old one. */
static void
test_measured_late(void **state)
{
	(void)state;
	begin_with(MANY);
	meanwhile = change_third;
	mbox_ops.close(open_drop(true));
	assert_null(meanwhile);
	expect_same();
	expect_same();
}

/* Whoever has no room for it has no part of it either. */
static void
test_no_room(void **state)
{
	struct drop_totals	 t;
	struct drop_entry	 e;
	struct drop		*d;
	size_t			 n;

	(void)state;
	begin_with(MANY);
	full = true;
	mbox_ops.close(open_drop(true));
	full = false;
	(void)fake_read(w.index, &n);
	assert_int_equal(n, 0);
	expect_same();
	/* What it was good for until then is not lost, whatever comes. */
	add_messages(MANY, 1);
	full = true;
	d = open_drop(true);
	full = false;
	assert_true(spool_octets < 2 * INDEX_TAIL + 1000);
	add_messages(MANY + 1, 1);
	mbox_ops.totals(d, &t);
	assert_int_equal(t.n, MANY + 1);
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(mbox_ops.entry(d, i, &e, NULL), 0);
	mbox_ops.close(d);
	(void)fake_read(w.index, &n);
	assert_int_equal(n, 0);
	expect_same();
}

/* A session that deletes and retrieves some: `dice` tells which. */
static void
update(unsigned dice)
{
	struct drop_change	 change = { 0 };
	struct drop_outcome	 out;
	struct drop_totals	 t;
	struct drop		*d = open_drop(true);
	bool			*deleted;
	bool			*retrieved;
	size_t			 step = 1 + dice % 7 * 10;

	if (d == NULL)
		return;
	mbox_ops.totals(d, &t);
	deleted = xalloc(t.n, sizeof(*deleted));
	retrieved = xalloc(t.n, sizeof(*retrieved));
	for (size_t i = dice % 3 == 0 ? 0 : t.n - t.n / 8; i < t.n; i += step) {
		deleted[i] = dice % 5 < 3;
		retrieved[i] = dice % 5 > 1;
	}
	change.deleted = deleted;
	change.retrieved = retrieved;
	assert_int_equal(mbox_ops.commit(d, &change, &out, NULL), 0);
	mbox_ops.close(d);
	free(deleted);
	free(retrieved);
}

static void
test_update(void **state)
{
	const char	*seed = getenv("POPPER_SEED");
	unsigned	 dice = seed == NULL ? (unsigned)time(NULL) :
			    (unsigned)strtoul(seed, NULL, 10);

	(void)state;
	print_message("POPPER_SEED=%u\n", dice);
	w.conf.status = true;
	for (int i = 0; i < (getenv("POPPER_LONG") == NULL ? 12 : 200); i++) {
		begin_with(i % 2 == 0 ? MANY : 30);
		for (int k = 0; k < 5; k++) {
			dice = dice * 1103515245 + 12345;
			update(dice >> 16);
			expect_same();
			dice = dice * 1103515245 + 12345;
			if ((dice >> 16) % 3 == 0)
				add_messages(dice >> 16 & 0xff, 1 + (dice >> 16) % 5);
			if ((dice >> 16) % 5 == 0)
				expect_same();
		}
	}
	w.conf.status = false;
}

/* What QUIT did at the end is no reason to read the rest again, neither then nor
 * after. */
static void
test_update_at_the_end(void **state)
{
	size_t n;

	(void)state;
	w.conf.status = true;
	begin_with(MANY);
	mbox_ops.close(open_drop(true));
	for (int i = 0; i < 3; i++) {
		add_messages(3 * (MANY + (size_t)i) + 1, 1);
		update_last(i % 2 == 0);
		(void)fake_read(w.spool, &n);
		assert_true(spool_octets < n / 2);
		assert_true(octets_of_a_look() < n / 2);
		assert_int_equal(octets_of_a_look(), 0);
		expect_same();
	}
	w.conf.status = false;
}

/* The power fails behind QUIT: its head is on the disk, and not all of its blocks.  Mail
 * is of one size, so places do not tell older ones. */
static void
test_power(void **state)
{
	static bool		 deleted[MANY] = { [10] = true };
	static bool		 retrieved[MANY];
	struct drop_change	 change = { .deleted = deleted,
					.retrieved = retrieved };
	struct drop_outcome	 out;
	struct drop		*d;
	struct buf		 b;

	(void)state;
	begin_with(0);
	buf_init(&b, 1 << 22);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(buf_appendf(&b, "From a@x Mon Jan  1 10:00:00 "
		    "2024\nSubject: %04u\n\nText\n\n", i), 0);
	fake_append(w.spool, buf_span(&b));
	buf_fini(&b);
	mbox_ops.close(open_drop(true));
	d = open_drop(true);
	lost = index_place(1);
	assert_int_equal(mbox_ops.commit(d, &change, &out, NULL), 0);
	mbox_ops.close(d);
	lost = 0;
	expect_same();
	expect_same();
}

/* The same, and it is to be deleted unread: it stays, for it is another one, and the
 * next login knows that. */
static void
test_doubt_deleted(void **state)
{
	static bool		 deleted[MANY + 1] = { [2] = true };
	static bool		 retrieved[MANY + 1];
	struct drop_change	 change = { .deleted = deleted,
					.retrieved = retrieved };
	struct drop_outcome	 out;
	struct drop		*d;
	size_t			 n;
	const char		*there;

	(void)state;
	begin_with(MANY);
	mbox_ops.close(open_drop(true));
	change_text("Subject: 1\n");
	add_messages(MANY, 1);
	d = open_drop(true);
	assert_int_equal(mbox_ops.commit(d, &change, &out, NULL), 0);
	mbox_ops.close(d);
	assert_int_equal(out.deleted, 0);
	assert_int_equal(out.vanished, 1);
	there = fake_read(w.spool, &n);
	assert_non_null(memmem(there, n, "Subject: x\n", 11));
	expect_same();
}

static void
test_damage(void **state)
{
	size_t		 n;
	uint8_t		*good;

	(void)state;
	begin_with(MANY);
	expect_same();
	good = xalloc(1, 1 << 20);
	{
		const char *there = fake_read(w.index, &n);

		assert_true(n < 1 << 20);
		memcpy(good, there, n);
	}
	for (size_t i = 0; i < n; i += i < INDEX_HEAD ? 1 : 97) {
		good[i] ^= (uint8_t)(1u << i % 8);
		fake_write(w.index, span_of(good, n));
		good[i] ^= (uint8_t)(1u << i % 8);
		expect_same();
	}
	for (size_t size = 0; size < n; size += 1009) {
		fake_write(w.index, span_of(good, size));
		expect_same();
	}
	free(good);
}

/* The same when there is new mail: where its predecessors' digests are, and in the
 * block in which it goes on. */
static void
test_damage_and_growth(void **state)
{
	const uint64_t	places[] = { index_place(0) + INDEX_BLOCK_HEAD,
			    index_place(1) + INDEX_BLOCK_HEAD + 30,
			    index_place(2) + index_block_size(3) };
	size_t		n;
	char		*text;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		begin_with(MANY);
		mbox_ops.close(open_drop(true));
		{
			const char *there = fake_read(w.index, &n);

			text = xalloc(1, n);
			memcpy(text, there, n);
		}
		text[places[i]] ^= 1;
		fake_write(w.index, span_of(text, n));
		free(text);
		add_messages(7, 1);
		expect_same();
		assert_int_equal(octets_of_a_look(), 0);
		expect_same();
	}
}

/* Who finds it damaged after the login, and the spool changed as well, is told so:
 * nothing is served or removed by guess. */
static void
test_damage_and_change(void **state)
{
	static bool		 deleted[MANY] = { [1] = true };
	static bool		 retrieved[MANY];
	struct drop_change	 change = { .deleted = deleted,
					.retrieved = retrieved };
	struct drop_outcome	 out;
	struct drop_entry	 e;
	struct drop_totals	 t;
	struct drop		*d;
	struct fault		 f;
	char			 text[20];
	char			 uidl[DROP_UIDL_MAX + 1];
	uint64_t		 size;

	(void)state;
	begin_with(MANY);
	mbox_ops.close(open_drop(true));
	d = open_drop(true);
	assert_int_equal(truncate(w.index, INDEX_HEAD), 0);
	fake_append(w.spool, SPAN("From b@x Mon Jan  1 10:00:00 2024\n\nx\n\n"));
	assert_int_equal(mbox_ops.entry(d, 1, &e, &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
	assert_int_equal(mbox_ops.size(d, 1, false, &size, &f), -1);
	assert_null(mbox_ops.uidl(d, 1, uidl, &f));
	assert_int_equal(mbox_ops.read(d, 1, 0, text, sizeof(text), &f), -1);
	assert_int_equal(mbox_ops.commit(d, &change, &out, &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
	mbox_ops.close(d);
	expect_same();
	d = open_drop(true);
	mbox_ops.totals(d, &t);
	assert_int_equal(t.n, MANY + 1);
	mbox_ops.close(d);
}

static struct drop *
must_open(void)
{
	struct drop *d = open_drop(true);

	assert_non_null(d);
	return d;
}

/* In a process of its own, for its locks go with it. */
static bool
dies_in_update(unsigned at)
{
	pid_t	pid = fork();
	int	status;

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		death = at;
		update_last(true);
		_exit(dead ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 1;
}

/* The process dies at each of its writes; the next one goes on from there. */
static void
test_crash(void **state)
{
	bool died = true;

	(void)state;
	for (unsigned at = 1; died || at == 1; at++) {
		begin_with(INDEX_ROWS + 20);
		mbox_ops.close(open_drop(true));
		died = dies_in_update(at);
		expect_same();
		expect_same();
		mbox_ops.close(must_open());
	}
	died = true;
	for (int grown = 0; grown < 2; grown++)
		for (unsigned at = 1; died || at == 1; at++) {
			begin_with(grown ? INDEX_ROWS - 2 : MANY);
			if (grown) {
				mbox_ops.close(open_drop(true));
				add_messages(5000, 10);
			}
			dead = false;
			death = at;
			mbox_ops.close(open_drop(true));
			died = dead;
			death = 0;
			dead = false;
			expect_same();
			assert_int_equal(octets_of_a_look(), 0);
			add_messages(6000, 2);
			expect_same();
		}
}

static int
set_up(void **state)
{
	(void)state;
	fake_init(&w, false);
	fake_keep_index(&w);
	w.conf.surrogates = true;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fake_fini(&w);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spared),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_surrogates),
		cmocka_unit_test(test_measured_later),
		cmocka_unit_test(test_grown_lists),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_measured_late),
		cmocka_unit_test(test_power),
		cmocka_unit_test(test_doubt_deleted),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_damage_and_growth),
		cmocka_unit_test(test_damage_and_change),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_update_at_the_end),
		cmocka_unit_test(test_crash),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

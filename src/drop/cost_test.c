/* SPDX-License-Identifier: ISC */
/*
 * What an UPDATE reads and writes, in octets: as much as there is to change.  The
 * calls that are counted are those of sys/file.h (the linker's --wrap).
 */
#include "drop/fake_host.h"

#include "drop/mbox_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGES	40
#define ONE		10000		/* octets, with From_ line and separator */
#define SIZE		(MESSAGES * ONE)
/* Slots, samples, and what is looked at of the spool's end. */
#define SMALL		50000u

struct counter {
	uint64_t	read;
	uint64_t	written;
	uint64_t	next;		/* behind the last octet that was written */
	bool		sequential;
};

static struct fake	w;
static struct counter	spool;
static struct counter	other;
static unsigned		ago_ms;		/* the spool was laid, ... */
static uint64_t		laid_ms;	/* ... at this time, and no time goes by */
static bool		held_open;	/* the spool, by somebody else */
static uint64_t		indexed_in;	/* that boot; 0: there is no index */

ssize_t	__real_file_pread(int fd, void *p, size_t n, uint64_t off,
	    struct fault *f);
ssize_t	__wrap_file_pread(int fd, void *p, size_t n, uint64_t off,
	    struct fault *f);
int	__real_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
	    struct fault *f);
int	__wrap_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
	    struct fault *f);
int	__real_file_copy(int from, uint64_t from_off, int to, uint64_t to_off,
	    uint64_t len, struct fault *f);
int	__wrap_file_copy(int from, uint64_t from_off, int to, uint64_t to_off,
	    uint64_t len, struct fault *f);
bool	__wrap_file_times_tell(int fd);
uint64_t	__real_clock_file_ms(void);
uint64_t	__wrap_clock_file_ms(void);

bool
__wrap_file_times_tell(int fd)
{
	(void)fd;
	return true;
}

uint64_t
__wrap_clock_file_ms(void)
{
	return laid_ms + ago_ms;
}

static struct counter *
counter_of(int fd)
{
	struct file_facts a;
	struct file_facts b;

	assert_int_equal(file_facts(fd, &a, NULL), 0);
	return file_facts_at(FILE_CWD, w.spool, &b, NULL) == 0 &&
	    a.ino == b.ino && a.dev == b.dev ? &spool : &other;
}

static void
count_write(int fd, uint64_t off, uint64_t n)
{
	struct counter *c = counter_of(fd);

	c->sequential = c->sequential && off >= c->next;
	c->next = off + n;
	c->written += n;
}

ssize_t
__wrap_file_pread(int fd, void *p, size_t n, uint64_t off, struct fault *f)
{
	ssize_t got = __real_file_pread(fd, p, n, off, f);

	if (got > 0)
		counter_of(fd)->read += (uint64_t)got;
	return got;
}

int
__wrap_file_pwrite(int fd, const void *p, size_t n, uint64_t off,
    struct fault *f)
{
	count_write(fd, off, n);
	return __real_file_pwrite(fd, p, n, off, f);
}

int
__wrap_file_copy(int from, uint64_t from_off, int to, uint64_t to_off,
    uint64_t len, struct fault *f)
{
	counter_of(from)->read += len;
	count_write(to, to_off, len);
	return __real_file_copy(from, from_off, to, to_off, len, f);
}

/* --------------------------------------------------------------- sessions */

struct session {
	const char	*name;
	int		 from;		/* messages from there on, ...*/
	int		 to;		/* ... before there, */
	bool		 deleted;	/* are deleted, or else retrieved */
	uint64_t	 moved;		/* octets behind the first change, that stay */
	uint64_t	 gone;		/* octets that are deleted */
};

static const struct session sessions[] = {
	{ "nothing", 0, 0, true, 0, 0 },
	{ "all", 0, MESSAGES, true, 0, SIZE },
	{ "the last", MESSAGES - 1, MESSAGES, true, 0, ONE },
	{ "the last ten", MESSAGES - 10, MESSAGES, true, 0, 10 * ONE },
	{ "the first", 0, 1, true, SIZE - ONE, ONE },
	{ "in the middle", 20, 30, true, 10 * ONE, 10 * ONE },
	{ "the last was retrieved", MESSAGES - 1, MESSAGES, false, ONE, 0 },
	{ "all were retrieved", 0, MESSAGES, false, SIZE, 0 },
};

static void
lay_spool(void)
{
	static char	b[ONE + 1];

	fake_write(w.spool, SPAN(""));
	for (int i = 0; i < MESSAGES; i++) {
		int head = snprintf(b, sizeof(b), "From a@x Mon Jan  1 10:00:00"
		    " 2024\nSubject: %d\n\n", i);

		for (int at = head; at < ONE; at++)
			b[at] = at % 60 == 59 || at >= ONE - 2 ? '\n' : 'a';
		fake_append(w.spool, span_of(b, ONE));
	}
	laid_ms = __real_clock_file_ms();
}

/* A session before it has left one. */
static void
make_index(void)
{
	uint64_t	 boot = w.conf.boot;
	struct drop	*d;
	struct fault	 f;

	(void)unlink(w.index);
	w.conf.boot = indexed_in;
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.close(d);
	w.conf.boot = boot;
}

static void
run(const struct session *t)
{
	AUTO(fd_close) int	 holder = -1;
	static bool		 marked[MESSAGES];
	static const bool	 none[MESSAGES];
	struct drop_change	 c = { .deleted = t->deleted ? marked : none,
				    .retrieved = t->deleted ? none : marked,
				    .extra_fd = -1 };
	struct drop_outcome	 out;
	struct file_facts	 facts;
	struct drop		*d;
	struct fault		 f;

	print_message("%s\n", t->name);
	lay_spool();
	for (int i = 0; i < MESSAGES; i++)
		marked[i] = i >= t->from && i < t->to;
	if (held_open)
		assert_int_equal(file_open(FILE_CWD, w.spool, FILE_READ, 0,
		    &holder, &f), 0);
	if (indexed_in != 0)
		make_index();
	assert_int_equal(fake_open(&w, &d, &f), 0);
	assert_int_equal(d->index.used, indexed_in != 0);
	spool = other = (struct counter){ .sequential = true };
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	mbox_ops.close(d);
	assert_int_equal(out.deleted_octets > 0, t->gone > 0);
	assert_int_equal(file_facts_at(FILE_CWD, w.spool, &facts, NULL), 0);
	assert_int_equal(facts.size - (t->deleted ? 0 : (uint64_t)(t->to -
	    t->from) * strlen("Status: RO\n")), SIZE - t->gone);
}

/* Into the spool at most once, one octet after the other, and no more than has
 * to be; into the journal likewise. */
static void
expect_written(const struct session *t)
{
	bool		changes = t->from < t->to;
	uint64_t	status = t->deleted ? 0 : 1000;

	assert_true(spool.written <= t->moved + status + changes);
	assert_true(spool.sequential);
	assert_true(other.written <= t->moved + t->moved / 32 +
	    (changes ? SMALL : 0));
}

/* The octets that move: into the journal, a digest of what they will overwrite,
 * and out of the journal. */
static void
expect_moved_alone(void)
{
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++) {
		const struct session	*t = &sessions[i];
		uint64_t		 small = t->from < t->to ? SMALL : 0;

		run(t);
		expect_written(t);
		assert_true(spool.read <= 2 * t->moved + small +
		    (indexed_in != 0 && !t->deleted ? t->moved : 0));
		/* of the rows all, whatever is changed */
		assert_true(other.read <= t->moved + small +
		    (indexed_in != 0 ? INDEX_BLOCK : 0));
	}
}

static void
test_spool_as_it_was(void **state)
{
	(void)state;
	fake_init(&w, false);
	ago_ms = 60000;
	expect_moved_alone();
	fake_fini(&w);
}

/* Nobody has it open, so nobody can be inside a write(2) that he began before. */
static void
test_spool_just_closed(void **state)
{
	(void)state;
	ago_ms = 5000;
	for (int in_place = 0; in_place < 2; in_place++) {
		fake_init(&w, false);
		w.conf.in_place = in_place;
		expect_moved_alone();
		fake_fini(&w);
	}
}

/* In a spool that an index tells of, too. */
static void
test_spool_in_index(void **state)
{
	static const unsigned ages_ms[] = { 5000, 60000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ages_ms); i++) {
		fake_init(&w, false);
		fake_keep_index(&w);
		w.conf.in_place = true;
		ago_ms = ages_ms[i];
		indexed_in = w.conf.boot;
		expect_moved_alone();
		fake_fini(&w);
	}
	indexed_in = 0;
}

/* What is changed is looked at, or when that is much, all, once. */
static void
expect_looked_at(void)
{
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++) {
		const struct session	*t = &sessions[i];
		uint64_t		 changed = ONE * (uint64_t)(t->to - t->from);
		/* those with a new Status line, for the index */
		uint64_t		 again = t->deleted ? 0 : changed;

		run(t);
		expect_written(t);
		assert_true(spool.read >= changed);
		if (t->to - t->from > MESSAGES / 4 + 1)
			assert_true(spool.read <= SIZE + again + 2 * t->moved +
			    SMALL);
	}
}

/* Who heeds no lock may have been inside a write(2). */
static void
test_spool_held_open(void **state)
{
	(void)state;
	fake_init(&w, false);
	w.conf.in_place = true;
	ago_ms = 5000;
	held_open = true;
	expect_looked_at();
	fake_keep_index(&w);
	indexed_in = w.conf.boot;
	expect_looked_at();
	indexed_in = 0;
	held_open = false;
	fake_fini(&w);
}

/* The power may have gone since the index was made. */
static void
test_spool_of_other_boot(void **state)
{
	(void)state;
	fake_init(&w, false);
	fake_keep_index(&w);
	w.conf.in_place = true;
	ago_ms = 60000;
	indexed_in = w.conf.boot + 1;
	expect_looked_at();
	indexed_in = 0;
	fake_fini(&w);
}

/* When it may have been changed: all of it once more, and what is deleted is
 * compared with the copy. */
static void
test_spool_may_be_another(void **state)
{
	(void)state;
	fake_init(&w, false);
	ago_ms = 0;
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++) {
		const struct session	*t = &sessions[i];
		uint64_t		 small = t->from < t->to ? SMALL : 0;
		uint64_t		 all = t->from < t->to ? SIZE : 0;

		run(t);
		expect_written(t);
		assert_true(spool.read >= all + t->gone / 2);
		assert_true(spool.read <= all + t->gone + 2 * t->moved + small);
		assert_true(other.read <= t->gone + t->moved + small);
	}
	fake_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spool_as_it_was),
		cmocka_unit_test(test_spool_just_closed),
		cmocka_unit_test(test_spool_in_index),
		cmocka_unit_test(test_spool_held_open),
		cmocka_unit_test(test_spool_of_other_boot),
		cmocka_unit_test(test_spool_may_be_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* An mbox that is opened: its snapshot, and what else may lie there. */
#include "drop/fake_host.h"

#include "drop/mbox_mail_test.h"
#include "drop/mbox_priv.h"
#include "drop/promise.h"
#include "sys/lock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
expect_text(struct drop *d, size_t i, const char *want, const char *what)
{
	char		b[512];
	struct fault	f;
	ssize_t		n;

	print_message("%s\n", what);
	n = mbox_ops.read(d, i, 0, b, sizeof(b), &f);
	if (n == -1)
		fail_msg("%s", f.text);
	assert_true(span_eq(span_of(b, (size_t)n), span_str(want)));
	n = mbox_ops.read(d, i, 3, b, 4, &f);
	assert_int_equal(n, 4);
	assert_memory_equal(b, want + 3, 4);
	assert_int_equal(mbox_ops.read(d, i, strlen(want), b, 4, &f), 0);
	assert_int_equal(mbox_ops.read(d, i, strlen(want) - 1, b, 4, &f), 1);
}

#define A_TEXT	"Subject: a\n\nThe first\n"
#define B_TEXT	"Status: O\nSubject: b\nX-UID: 7\n\nThe second\n\n"
#define C_TEXT	"Subject: c\r\nStatus: R\r\n\r\nThe third\n"

#define B_TORN	"Status: O\nSubject: b\nX-UID: 7\n\nThe second"

static void
expect_gone(struct drop *d, size_t i)
{
	char		b[512];
	struct fault	f = { 0 };

	assert_int_equal(mbox_ops.read(d, i, 0, b, sizeof(b), &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
}

static void
test_snapshot(void **state)
{
	struct fake	 w;
	struct drop	*d;
	struct snapshot	 s;
	struct fault	 f;

	(void)state;
	fake_init(&w, false);
	fake_write(w.spool, SPAN(HID A B C A));
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.snapshot(d, &s);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.entries[0].size_disk, sizeof(A_TEXT) - 1);
	assert_int_equal(s.entries[0].size_wire, sizeof(A_TEXT) - 1 + 3);
	assert_int_equal(s.entries[0].flags, 0);
	assert_int_equal(s.entries[2].flags, DROP_SEEN);
	assert_int_equal(strlen(s.entries[0].uidl), 26);
	assert_memory_equal(s.entries[0].uidl, s.entries[3].uidl, 26);
	assert_string_equal(s.entries[3].uidl + 26, ".2");
	expect_text(d, 1, B_TEXT, "as it was");
	fake_write(w.spool, SPAN("other mail altogether"));
	expect_text(d, 0, A_TEXT, "rewritten");
	assert_int_equal(unlink(w.spool), 0);
	expect_text(d, 2, C_TEXT, "removed");
	assert_ptr_equal(drop_ops_of(d), &mbox_ops);
	mbox_ops.close(d);
	fake_fini(&w);
}

static void
replace(struct fake *w, struct span text)
{
	char path[FAKE_PATH + 4];

	(void)snprintf(path, sizeof(path), "%s.n", w->spool);
	fake_write(path, text);
	assert_int_equal(rename(path, w->spool), 0);
}

static void
test_in_place(void **state)
{
	struct fake	 w;
	struct drop	*d;
	struct fault	 f;

	(void)state;
	fake_init(&w, false);
	w.no_temp = true;
	fake_write(w.spool, SPAN(A B C));
	assert_int_equal(fake_open(&w, &d, &f), 0);
	expect_text(d, 1, B_TEXT, "as it was");
	fake_append(w.spool, SPAN(D));
	expect_text(d, 1, B_TEXT, "appended to");
	fake_write(w.spool, SPAN(D C B));
	expect_text(d, 1, B_TEXT, "rewritten in another order");
	expect_text(d, 2, C_TEXT, "likewise");
	expect_gone(d, 0);
	fake_write(w.spool, SPAN(A B_MUA D));
	expect_text(d, 0, A_TEXT, "there again");
	expect_gone(d, 1);		/* not the octets that were listed */
	fake_write(w.spool, SPAN(A B C));
	replace(&w, SPAN(D));
	expect_text(d, 0, A_TEXT, "replaced: the old inode serves");
	expect_text(d, 2, C_TEXT, "likewise");
	assert_int_equal(unlink(w.spool), 0);
	expect_text(d, 2, C_TEXT, "removed: likewise");
	mbox_ops.close(d);
	fake_write(w.spool, SPAN(A B C));
	assert_int_equal(fake_open(&w, &d, &f), 0);
	fake_write(w.spool, SPAN(A C));
	replace(&w, SPAN(B));
	expect_text(d, 1, B_TEXT, "the new inode");
	expect_gone(d, 2);
	fake_write(w.spool, SPAN("no mailbox"));
	expect_gone(d, 1);
	fake_write(w.spool, SPAN(A B));		/* is to end without its LFs */
	assert_int_equal(truncate(w.spool, sizeof(A B) - 1 - 3), 0);
	mbox_ops.close(d);
	assert_int_equal(fake_open(&w, &d, &f), 0);
	expect_text(d, 1, B_TORN, "torn");
	fake_append(w.spool, SPAN("\n\n" D));
	expect_text(d, 1, B_TORN, "torn, and its LF came");
	assert_int_equal(truncate(w.spool, sizeof(A B) - 1 - 4), 0);
	expect_gone(d, 1);
	fake_write(w.spool, SPAN(A));
	mbox_ops.close(d);
	assert_int_equal(fake_open(&w, &d, &f), 0);
	assert_int_equal(truncate(w.spool, sizeof(A) - 1 - 2), 0);
	expect_gone(d, 0);		/* an octet less than was listed */
	assert_false(fake_locked(&w));
	mbox_ops.close(d);
	fake_fini(&w);
}

/* --------------------------------------------------------- what is no drop */

static void
expect_refused(struct fake *w, enum fault_class class, const char *what)
{
	struct drop	*d;
	struct fault	 f = { 0 };

	print_message("%s\n", what);
	assert_int_equal(fake_open(w, &d, &f), -1);
	assert_int_equal(f.class, class);
	assert_true(f.text[0] != '\0');
	assert_null(d);
	assert_false(fake_locked(w));
	if (class == FAULT_PERM)
		assert_int_equal(mbox_ops.probe(&w->conf, &f), -1);
}

static void
test_refusals(void **state)
{
	struct fake	w;
	char		other[FAKE_PATH + 8];
	uid_t		me;

	(void)state;
	fake_init(&w, false);
	(void)snprintf(other, sizeof(other), "%s.2", w.spool);
	fake_write(w.spool, SPAN("Dear diary\n"));
	expect_refused(&w, FAULT_PERM, "text");
	fake_expect(w.spool, SPAN("Dear diary\n"));
	fake_write(w.spool, SPAN(A));
	assert_int_equal(link(w.spool, other), 0);
	expect_refused(&w, FAULT_PERM, "two names");
	assert_int_equal(unlink(w.spool), 0);
	assert_int_equal(symlink(other, w.spool), 0);
	expect_refused(&w, FAULT_PERM, "a symbolic link");
	assert_int_equal(unlink(w.spool), 0);
	assert_int_equal(mkfifo(w.spool, 0600), 0);
	expect_refused(&w, FAULT_PERM, "a FIFO");
	assert_int_equal(unlink(w.spool), 0);
	fake_write(w.spool, SPAN(A));
	me = w.conf.uid;
	w.conf.uid = me + 1;
	expect_refused(&w, FAULT_PERM, "another owner");
	fake_fini(&w);
}

static void
test_missing_and_empty(void **state)
{
	struct fake	 w;
	struct drop	*d;
	struct snapshot	 s;
	struct fault	 f;
	char		 gone[FAKE_PATH + 4];

	(void)state;
	fake_init(&w, false);
	assert_int_equal(mbox_ops.probe(&w.conf, &f), 0);
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.snapshot(d, &s);
	assert_int_equal(s.n, 0);
	mbox_ops.close(d);
	assert_false(fake_exists(w.spool));
	fake_write(w.spool, SPAN(""));
	assert_int_equal(mbox_ops.probe(&w.conf, &f), 0);
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.close(d);
	(void)snprintf(gone, sizeof(gone), "%s/no/x", w.dir);
	w.conf.path = gone;
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.close(d);
	fake_fini(&w);
}

static void
test_locked_by_others(void **state)
{
	struct fake	w;
	struct fault	f;
	int		dir;
	struct dotlock	held;
	int		fd;

	(void)state;
	fake_init(&w, false);
	fake_write(w.spool, SPAN(A));
	fd = open(w.spool, O_RDWR | O_CLOEXEC);
	assert_int_equal(lock_fcntl(fd, false, &f), 0);
	expect_refused(&w, FAULT_IN_USE, "fcntl");
	close(fd);
	dir = open(w.dir, O_RDONLY | O_CLOEXEC);
	assert_int_equal(dotlock_take(dir, "ann", getpid(), &held, &f), 0);
	{
		struct drop *d;

		assert_int_equal(fake_open(&w, &d, &f), -1);
		assert_int_equal(f.class, FAULT_IN_USE);
	}
	assert_true(fake_locked(&w));
	assert_int_equal(dotlock_release(dir, "ann", &held, &f), 0);
	close(dir);
	fake_fini(&w);
}

/* As a session has one for a moment, before it has a lock or without. */
static void
test_leased_by_others(void **state)
{
	struct fake	 w;
	struct fault	 f;
	struct drop	*d;
	int		 fd;

	(void)state;
	fake_init(&w, false);
	fake_write(w.spool, SPAN(A));
	fd = open(w.spool, O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_SETSIG, SIGURG), 0);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	expect_refused(&w, FAULT_IN_USE, "lease");
	assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.close(d);
	close(fd);
	fake_fini(&w);
}

/* ------------------------------------------------------------------ copies */

/* The halves of an opening, in turn. */
static int
open_in_two(struct fake *w, uint64_t most, struct drop **drop_r,
    struct fault *f)
{
	uint64_t	size;
	int		fd;

	if (mbox_copy(&w->conf, most, &fd, &size, f) != 0)
		return -1;
	assert_false(fake_locked(w));
	assert_int_equal(w->locks, 0);
	return mbox_open_copy(&w->conf, fd, size, drop_r, f);
}

static void
test_copy(void **state)
{
	struct fake		 w;
	struct drop		*d;
	struct drop		*whole;
	struct snapshot		 s;
	struct snapshot		 t;
	struct drop_change	 c = { 0 };
	struct drop_outcome	 out;
	struct fault		 f;
	bool			 marks[3] = { false, true, false };
	bool			 none[3] = { false };
	int			 fd;

	(void)state;
	fake_init(&w, false);
	fake_write(w.spool, SPAN(A B C));
	for (uint64_t memory = 0; memory < 2000; memory += 1999) {
		w.conf.memory_max = memory;	/* a file, or memory */
		assert_int_equal(open_in_two(&w, sizeof(A B C) - 1, &d, &f), 0);
		assert_int_equal(fake_open(&w, &whole, &f), 0);
		mbox_ops.snapshot(d, &s);
		mbox_ops.snapshot(whole, &t);
		assert_int_equal(s.n, t.n);
		for (size_t i = 0; i < s.n; i++)
			assert_memory_equal(&s.entries[i], &t.entries[i],
			    sizeof(s.entries[i]));
		expect_text(d, 1, B_TEXT, "of a copy");
		mbox_ops.close(whole);
		mbox_ops.close(d);
	}
	assert_int_equal(open_in_two(&w, sizeof(A B C) - 2, &d, &f), -1);
	assert_int_equal(f.class, FAULT_LIMIT);
	assert_false(fake_locked(&w));
	/* It commits as any other. */
	assert_int_equal(open_in_two(&w, 4096, &d, &f), 0);
	fake_append(w.spool, SPAN(D));
	c.deleted = marks;
	c.retrieved = none;
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	fake_expect(w.spool, SPAN(A C D));
	mbox_ops.close(d);
	/* One try. */
	fd = open(w.spool, O_RDWR | O_CLOEXEC);
	assert_int_equal(lock_fcntl(fd, false, &f), 0);
	w.conf.lock_timeout_s = 0;
	assert_int_equal(open_in_two(&w, 4096, &d, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	close(fd);
	/* What is no mailbox is seen by who looks at it. */
	fake_write(w.spool, SPAN("junk"));
	assert_int_equal(open_in_two(&w, 4096, &d, &f), -1);
	assert_int_equal(f.class, FAULT_PERM);
	assert_int_equal(unlink(w.spool), 0);
	assert_int_equal(open_in_two(&w, 4096, &d, &f), 0);
	mbox_ops.snapshot(d, &s);
	assert_int_equal(s.n, 0);
	mbox_ops.close(d);
	fake_fini(&w);
}

static void
test_image(void **state)
{
	struct fake		 w;
	struct drop		*d;
	struct snapshot		 s;
	struct fault		 f;
	struct drop_change	 c = { 0 };
	struct drop_outcome	 out;
	int			 fd;

	(void)state;
	fake_init(&w, false);
	fake_write(w.spool, SPAN(A B));
	fd = open(w.spool, O_RDONLY | O_CLOEXEC);
	assert_int_equal(mbox_open_image(fd, sizeof(A B) - 1, &d, &f), 0);
	drop_ops_of(d)->snapshot(d, &s);
	assert_int_equal(s.n, 2);
	expect_text(d, 1, B_TEXT, "image");
	assert_int_equal(drop_ops_of(d)->commit(d, &c, &out, &f), 0);
	drop_ops_of(d)->close(d);
	assert_int_equal(mbox_open_image(fd, 8, &d, &f), -1);
	close(fd);
	fake_fini(&w);
}

/* ----------------------------------------------------- promised unique-ids */

/* Ids promised to the second, the fourth and the last of the messages A B A A D. */
static void
promise_some(struct promises *p)
{
	static const char	*mbox = A B A A D;
	struct mbox_table	 t = { 0 };
	struct mbox_scan	 s;
	static const size_t	 which[3] = { 1, 3, 4 };
	struct promise		 rows[3] = {
		{ .uidl = "second" }, { .uidl = "fourth" }, { .uidl = "fifth" },
	};
	struct buf		 b;

	mbox_scan_init(&s, &t);
	mbox_scan_feed(&s, span_str(mbox));
	assert_int_equal(mbox_scan_end(&s, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		memcpy(rows[i].digest, t.m[which[i]].digest, MBOX_DIGEST);
		rows[i].twin = t.m[which[i]].twin;
	}
	mbox_table_fini(&t);
	buf_init(&b, PROMISE_TEXT_MAX);
	assert_int_equal(promises_pack(rows, 3, &b, NULL), 0);
	assert_int_equal(promises_read(buf_span(&b), p, NULL), 0);
	buf_fini(&b);
}

/* They are kept while other mail comes and goes, and Status changes. */
static void
test_promised(void **state)
{
	static const bool	 first[5] = { true };
	static const bool	 all[5] = { true, true, true, true, true };
	struct drop_change	 c = { .deleted = first, .retrieved = all,
				    .extra_fd = -1 };
	struct drop_outcome	 out;
	struct promises		 p;
	struct snapshot		 s;
	struct fake		 w;
	struct drop		*d;
	struct fault		 f;

	(void)state;
	promise_some(&p);
	fake_init(&w, false);
	w.conf.promises = &p;
	fake_write(w.spool, SPAN(C B A A A));
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.snapshot(d, &s);
	assert_string_equal(s.entries[1].uidl, "second");
	assert_string_equal(s.entries[4].uidl, "fourth");
	assert_int_equal(s.entries[4].flags & DROP_PROMISED, DROP_PROMISED);
	for (size_t i = 0; i < 4; i += i == 0 ? 2 : 1)
		assert_int_equal(strcspn(s.entries[i].uidl, "."), 26);
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	assert_int_equal(out.deleted, 1);
	mbox_ops.close(d);
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.snapshot(d, &s);
	assert_string_equal(s.entries[0].uidl, "second");
	assert_string_equal(s.entries[3].uidl, "fourth");
	mbox_ops.close(d);
	promises_fini(&p);
	fake_fini(&w);
}

/*
 * A session of the maildrop B A A A D deletes some of it, and would have so many of
 * the three rows forgotten; 0: says nothing.
 */
static void
check_forgets(struct fake *w, const bool deleted[5], size_t want)
{
	const struct promises	*p = w->conf.promises;
	struct drop_change	 c = { .deleted = deleted, .retrieved = deleted,
				    .extra_fd = -1 };
	struct drop_outcome	 out;
	struct promises		 then;
	struct buf		 text;
	struct drop		*d;
	struct fault		 f;
	size_t			 left;

	fake_write(w->spool, SPAN(B A A A D));
	w->nforgot = 0;
	w->told[0] = '\0';
	assert_int_equal(fake_open(w, &d, &f), 0);
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	mbox_ops.close(d);
	assert_string_equal(w->told, w->forget_fails && want > 0 ?
	    "drop-forget" : "");
	assert_int_equal(w->nforgot > 0, want > 0);
	if (want == 0)
		return;
	buf_init(&text, PROMISE_TEXT_MAX);
	assert_int_equal(promises_forget(p, span_of(w->forgot, w->nforgot), &text,
	    &left, &f), 0);
	assert_int_equal(left, p->n - want);
	assert_int_equal(promises_read(buf_span(&text), &then, &f), 0);
	assert_int_equal(then.n, left);
	promises_fini(&then);
	buf_fini(&text);
}

/* Ids whose messages are gone are forgotten when they are half of all; an UPDATE is
 * none the worse when that fails. */
static void
test_forgets(void **state)
{
	static const bool	none[5] = { false };
	static const bool	b[5] = { true };
	static const bool	two_as[5] = { false, true, true };
	static const bool	b_and_a[5] = { true, true };
	static const bool	all[5] = { true, true, true, true, true };
	struct promises		p;
	struct fake		w;

	(void)state;
	promise_some(&p);		/* B, the third A, D */
	fake_init(&w, false);
	w.conf.promises = &p;
	for (int i = 0; i < 2; i++) {
		w.forget_fails = i > 0;
		check_forgets(&w, none, 0);
		check_forgets(&w, b, 0);
		check_forgets(&w, two_as, 0);
		check_forgets(&w, b_and_a, 2);
		check_forgets(&w, all, 3);
	}
	promises_fini(&p);
	fake_fini(&w);
}

/* ------------------------------------------------------------------ legacy */

static void
test_legacy(void **state)
{
	static const struct {
		const char *what, *legacy, *spool, *want, *left;
	} table[] = {
		{ "before the spool", A B, C, A B C, NULL },
		{ "no spool", A, NULL, A, NULL },
		{ "empty spool", A, "", A, NULL },
		{ "no blank line", F("a", "1") "\nx", C,
		    F("a", "1") "\nx\n\n" C, NULL },
		{ "behind the pseudo-message", A, HID C, HID A C, NULL },
		{ "behind a hole", A, "\n\n" C, "\n\n" A C, NULL },
		{ "empty", "", C, C, "" },
		{ "no mailbox", "junk", C, C, "junk" },
	};
	struct fake	 w;
	struct drop	*d;
	struct fault	 f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		print_message("%s\n", table[i].what);
		fake_init(&w, i % 2);
		fake_write(w.legacy, span_str(table[i].legacy));
		if (table[i].spool != NULL)
			fake_write(w.spool, span_str(table[i].spool));
		if (fake_open(&w, &d, &f) != 0)
			fail_msg("%s", f.text);
		mbox_ops.close(d);
		fake_expect(w.spool, span_str(table[i].want));
		assert_int_equal(fake_exists(w.legacy), table[i].left != NULL);
		if (table[i].left != NULL)
			fake_expect(w.legacy, span_str(table[i].left));
		assert_false(fake_locked(&w) || w.held);
		fake_fini(&w);
	}
}

static void
test_legacy_in_use(void **state)
{
	struct fake	 w;
	struct drop	*d;
	struct fault	 f;
	int		 fd;

	(void)state;
	fake_init(&w, false);
	fake_write(w.legacy, SPAN(A));
	fake_write(w.spool, SPAN(B));
	fd = open(w.legacy, O_RDWR | O_CLOEXEC);
	assert_int_equal(lock_flock(fd, &f), 0);
	assert_int_equal(fake_open(&w, &d, &f), -1);
	assert_int_equal(f.class, FAULT_IN_USE);
	fake_expect(w.spool, SPAN(B));
	fake_expect(w.legacy, SPAN(A));
	close(fd);
	fake_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_missing_and_empty),
		cmocka_unit_test(test_locked_by_others),
		cmocka_unit_test(test_leased_by_others),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_promised),
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_legacy_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* UPDATE of an mbox: what becomes of the spool. */
#include "drop/fake_host.h"

#include "base/alloc.h"
#include "drop/mbox_mail_test.h"
#include "drop/mbox_priv.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define A_RO	F("a", "1") "Subject: a\nStatus: RO\n\nThe first\n\n"
#define B_RO	F("b", "2") "Status: RO\nSubject: b\nX-UID: 7\n\nThe second\n\n\n"
#define W	"From w@x Mon Jan  5 10:00:00 2024\r\nA: w\r\n\r\nWire\r\n\r\n"
#define W_RO	"From w@x Mon Jan  5 10:00:00 2024\r\nA: w\r\nStatus: RO\r\n\r\n" \
		"Wire\r\n\r\n"
#define N1	F("n", "6") "To: ann\n\nBulletin\n\n"

/* The last change of any file was long ago: any later one will show. */
static bool	long_ago;

uint64_t	__real_clock_file_ms(void);
uint64_t	__wrap_clock_file_ms(void);

uint64_t
__wrap_clock_file_ms(void)
{
	return __real_clock_file_ms() + (long_ago ? 60000 : 0);
}

/* ---------------------------------------------------------------- sessions */

/* deleted, retrieved: digits are numbers of messages, 1.. */
struct session {
	const char	*name;
	const char	*before;
	const char	*deleted;
	const char	*retrieved;
	const char	*meanwhile;	/* the spool at QUIT; NULL: as before */
	const char	*extra;		/* "" : none */
	const char	*want;		/* NULL: untouched */
	unsigned	 removed;
	unsigned	 vanished;
};

static const struct session sessions[] = {
	{ "nothing", A B C, "", "", NULL, "", NULL, 0, 0 },
	{ "nothing but new mail", A B, "", "", A B D, "", NULL, 0, 0 },
	{ "first", A B C, "1", "", NULL, "", B C, 1, 0 },
	{ "middle", A B C, "2", "", NULL, "", A C, 1, 0 },
	{ "last", A B C, "3", "", NULL, "", A B, 1, 0 },
	{ "first and last", A B C, "13", "", NULL, "", B, 2, 0 },
	{ "all", A B C, "123", "", NULL, "", "", 3, 0 },
	{ "all, but new mail", A B, "12", "12", A B D, "", D, 2, 0 },
	{ "status new", A B, "", "1", NULL, "", A_RO B, 0, 0 },
	{ "status replaced", A B, "", "2", NULL, "", A B_RO, 0, 0 },
	{ "status both, new mail", A B, "", "21", A B D, "", A_RO B_RO D, 0, 0 },
	{ "status has R", A C, "", "2", NULL, "", NULL, 0, 0 },
	{ "status in CRLF", W A, "", "1", NULL, "", W_RO A, 0, 0 },
	{ "retrieved and deleted", A B C, "2", "12", NULL, "", A_RO C, 1, 0 },
	{ "status changed by a reader", A B, "", "2", A B_MUA, "", NULL, 0, 0 },
	{ "deleted, changed by a reader", A B, "2", "", A B_MUA, "", A, 1, 0 },
	{ "removed by a reader", A B C, "2", "", A C, "", NULL, 0, 1 },
	{ "reader removed another", A B C, "2", "1", B C, "", C, 1, 0 },
	{ "reader emptied it", A B C, "2", "1", "", "", NULL, 0, 1 },
	{ "reader put them in another order", A B C, "1", "", C B A, "", C B,
	    1, 0 },
	{ "twins: the second", A A B, "2", "", NULL, "", A B, 1, 0 },
	{ "twins: both", A B A, "13", "", NULL, "", B, 2, 0 },
	{ "twins: one, a reader removed one", A A B, "1", "", A B, "", NULL,
	    0, 1 },
	{ "twins: two of three, a reader removed one", A A A, "12", "", A A,
	    "", A, 1, 1 },
	{ "twins: a third came", A A, "12", "", A A A, "", A, 2, 0 },
	{ "bulletin", A, "", "", NULL, N1, A N1, 0, 0 },
	{ "bulletin into nothing", "", "", "", NULL, N1, N1, 0, 0 },
	{ "bulletins for mail", A B, "12", "", NULL, N1 N1, N1 N1, 2, 0 },
	{ "bulletin behind new mail", A, "1", "", A D, N1, D N1, 1, 0 },
	{ "bulletin behind a torn message", A "\nFrom", "", "", NULL, N1,
	    A "\nFrom\n\n" N1, 0, 0 },
	{ "bulletin behind one without a blank line", F("a", "1") "A: b\n", "",
	    "1", NULL, N1, F("a", "1") "A: b\nStatus: RO\n\n" N1, 0, 0 },
	{ "torn message, deleted, bulletin", A F("b", "2") "x", "2", "", NULL,
	    N1, A N1, 1, 0 },
	{ "torn behind a CR, bulletin", A F("b", "2") "\nx\r", "", "", NULL, N1,
	    A F("b", "2") "\nx\r\r\n\n" N1, 0, 0 },
	{ "torn, deleted, its LF came meanwhile", A F("b", "2") "S: b\n\nx",
	    "2", "", A F("b", "2") "S: b\n\nx\n\n" D, "", A D, 1, 0 },
	{ "torn header, deleted, likewise", A F("b", "2") "S: b\nX-UID: 1",
	    "2", "", A F("b", "2") "S: b\nX-UID: 12\n\n" D, "", A D, 1, 0 },
	{ "torn From_ line, deleted, likewise", A "From b Mon Jan 1 1:00 2024",
	    "2", "", A "From b Mon Jan 1 1:00 2024\n\n" D, "", A D, 1, 0 },
	{ "torn, deleted, more than an LF came", A F("b", "2") "\nx", "2", "",
	    A F("b", "2") "\nxy\n\n" D, "", NULL, 0, 1 },
	{ "whole, deleted, its LF was cut off", A F("b", "2") "\nx\n", "2", "",
	    A F("b", "2") "\nx", "", A, 1, 0 },
	{ "same length", A B, "1", "", NULL,
	    F("n", "6") "Subject: a\n\nthe first\n\n",
	    B F("n", "6") "Subject: a\n\nthe first\n\n", 1, 0 },
	{ "pseudo-message stays", HID A B, "12", "", NULL, "", HID, 2, 0 },
	{ "blank lines before the first stay", "\n\n" A B, "1", "", NULL, "",
	    "\n\n" B, 1, 0 },
};

static void
make_change(const struct session *t, const struct snapshot *s,
    struct drop_change *c, struct drop_extra extra[2])
{
	bool	*deleted = xalloc(s->n, sizeof(bool));
	bool	*retrieved = xalloc(s->n, sizeof(bool));
	size_t	 one = sizeof(N1) - 1;
	FILE	*file = tmpfile();

	for (const char *p = t->deleted; *p != '\0'; p++)
		deleted[*p - '1'] = true;
	for (const char *p = t->retrieved; *p != '\0'; p++)
		retrieved[*p - '1'] = true;
	*c = (struct drop_change){ .deleted = deleted, .retrieved = retrieved,
	    .extra_fd = dup(fileno(file)), .extra = extra };
	fclose(file);
	assert_int_equal(write(c->extra_fd, t->extra, strlen(t->extra)),
	    (ssize_t)strlen(t->extra));
	if (t->extra[0] == '\0')
		return;
	extra[0] = (struct drop_extra){ 0, one };
	extra[1] = (struct drop_extra){ one, strlen(t->extra) - one };
	c->nextra = strlen(t->extra) > one ? 2 : 1;
	c->note = SPAN("popbull 17");
}

static void
free_change(struct drop_change *c)
{
	close(c->extra_fd);
	free((bool *)(uintptr_t)c->deleted);
	free((bool *)(uintptr_t)c->retrieved);
}

/* As another program does, at another time than the last change. */
static void
change_spool(const struct fake *w, const char *text)
{
	struct file_facts before;
	struct file_facts now;

	assert_int_equal(file_facts_at(FILE_CWD, w->spool, &before, NULL), 0);
	do {
		fake_write(w->spool, span_str(text));
		assert_int_equal(file_facts_at(FILE_CWD, w->spool, &now, NULL), 0);
	} while (spool_same_state(&before, &now));
}

static void
run_session(struct fake *w, const struct session *t)
{
	struct drop_extra	extra[2];
	struct drop_change	c;
	struct drop_outcome	out;
	struct snapshot		s;
	struct drop		*d;
	struct fault		f = { 0 };
	bool			did;

	print_message("%s\n", t->name);
	w->notes = 0;
	fake_write(w->spool, span_str(t->before));
	assert_int_equal(fake_open(w, &d, &f), 0);
	assert_false(fake_locked(w) || w->held);
	fake_expect(w->spool, span_str(t->before));
	mbox_ops.snapshot(d, &s);
	make_change(t, &s, &c, extra);
	if (t->meanwhile != NULL && long_ago)
		change_spool(w, t->meanwhile);
	else if (t->meanwhile != NULL)
		fake_write(w->spool, span_str(t->meanwhile));
	if (mbox_ops.commit(d, &c, &out, &f) != 0)
		fail_msg("%s", f.text);
	fake_expect(w->spool, span_str(t->want != NULL ? t->want :
	    t->meanwhile != NULL ? t->meanwhile : t->before));
	assert_int_equal(out.deleted, t->removed);
	assert_int_equal(out.vanished, t->vanished);
	assert_int_equal(out.rewritten, t->want != NULL);
	assert_int_equal(w->notes, c.note.n > 0);
	assert_false(out.extra_dropped || out.status_dropped);
	assert_false(fake_locked(w) || w->held);
	assert_int_equal(fake_recover(w, &did, &f), 0);
	assert_false(did);
	mbox_ops.close(d);
	free_change(&c);
}

static void
test_sessions(void **state)
{
	struct fake w;

	(void)state;
	for (int how = 0; how < 4; how++) {
		fake_init(&w, how & 1);
		long_ago = how & 2;
		for (size_t i = 0; i < ARRAY_LEN(sessions); i++)
			run_session(&w, &sessions[i]);
		fake_fini(&w);
	}
	long_ago = false;
}

static void
test_sessions_in_place(void **state)
{
	struct fake w;

	(void)state;
	fake_init(&w, false);
	w.no_temp = true;
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++)
		run_session(&w, &sessions[i]);
	assert_string_equal(w.told, "drop-in-place");
	fake_fini(&w);
}

/* Our own UPDATE makes a last line whole: a unique-id must not change, nor what
 * the client gets under it. */
static void
test_torn_keeps_its_id(void **state)
{
	static const char *const torn[] = {
		A F("b", "2") "S: b\n\nx", A F("b", "2") "S: b\n\nx\r",
		A F("b", "2") "S: b\n\n\r", A F("b", "2") "S: b",
		A F("b", "2") "S: b\r", A F("b", "2") "Lines: 1",
		A F("b", "2") "S: b\n\nx\n", A F("b", "2") "S: b\n",
		A F("b", "2") "S: b\n\n", A F("b", "2"), W "From b@x Mon Jan 1 "
		"10:00:00 2024\r", W "From b@x Mon Jan 1 10:00:00 2024",
		A "From b@x Mon Jan  5 10:00:00 2024\r\n\r\nx\r\n",
	};
	struct fake w;

	(void)state;
	fake_init(&w, false);
	for (size_t i = 0; i < ARRAY_LEN(torn); i++) {
		struct session t = { torn[i], torn[i], "", "", NULL, N1, NULL,
		    0, 0 };
		struct drop_extra	 extra[2];
		struct drop_change	 c;
		struct drop_outcome	 out;
		struct drop_entry	 before;
		struct snapshot		 s;
		struct drop		*d;
		struct fault		 f;

		print_message("%s|\n", torn[i]);
		fake_write(w.spool, span_str(torn[i]));
		assert_int_equal(fake_open(&w, &d, &f), 0);
		mbox_ops.snapshot(d, &s);
		assert_int_equal(s.n, 2);
		before = s.entries[1];
		make_change(&t, &s, &c, extra);
		assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
		mbox_ops.close(d);
		free_change(&c);
		assert_int_equal(fake_open(&w, &d, &f), 0);
		mbox_ops.snapshot(d, &s);
		assert_int_equal(s.n, 3);
		assert_string_equal(s.entries[1].uidl, before.uidl);
		assert_int_equal(s.entries[1].size_wire, before.size_wire);
		mbox_ops.close(d);
	}
	fake_fini(&w);
}

/* No Status to write: a session that only reads writes nothing. */
static void
test_status_off(void **state)
{
	static const struct session t = { "status off", A B, "", "12", NULL, "",
	    NULL, 0, 0 };
	struct fake w;

	(void)state;
	fake_init(&w, true);
	w.conf.status = false;
	run_session(&w, &t);
	assert_int_equal(w.locks, 1);		/* for the scan alone */
	fake_fini(&w);
}

/* What is asked for by nobody is counted apart, when it went. */
static void
test_expired(void **state)
{
	struct fake		 w;
	struct drop		*d;
	struct drop_outcome	 out;
	struct fault		 f;
	const bool		 deleted[3] = { true, true, true };
	const bool		 expired[3] = { false, true, true };
	const bool		 none[3] = { false };
	struct drop_change	 c = { .deleted = deleted, .expired = expired,
				    .retrieved = none };

	(void)state;
	fake_init(&w, false);
	fake_write(w.spool, SPAN(A B C));
	assert_int_equal(fake_open(&w, &d, &f), 0);
	fake_write(w.spool, SPAN(A B D));	/* C was removed, D came */
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	assert_int_equal(out.deleted, 2);
	assert_int_equal(out.expired, 1);
	assert_int_equal(out.vanished, 1);
	fake_expect(w.spool, SPAN(D));
	mbox_ops.close(d);
	fake_fini(&w);
}

/* --------------------------------------------------------------- full disk */

/* A file may not grow beyond n octets: EFBIG, as good as ENOSPC. */
static void
limit(rlim_t n)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = n < r.rlim_max ? n : r.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static char	big[3 << 20];

/* A message of n octets, behind what *len_io says. */
static void
add_big(size_t *len_io, char c, size_t n)
{
	char *p = big + *len_io;
	int head = snprintf(p, 100, "From %c@x Mon Jan  1 10:00:00 2024\n\n", c);

	memset(p + head, c, n - (size_t)head);
	for (size_t i = (size_t)head + 70; i < n; i += 71)
		p[i] = '\n';
	p[n - 2] = '\n';
	p[n - 1] = '\n';
	*len_io += n;
}

static void
test_full_disk(void **state)
{
	struct session		 t = { "full", "", "1", "2", NULL, N1, "", 0, 0 };
	struct fake		 w;
	struct drop		*d;
	struct drop_extra	 extra[2];
	struct drop_change	 c;
	struct drop_outcome	 out;
	struct snapshot		 s;
	struct fault		 f;
	size_t			 len = 0;
	size_t			 first = 100000;

	(void)state;
	fake_init(&w, false);
	add_big(&len, 'a', first);
	for (char m = 'b'; m < 'h'; m++)
		add_big(&len, m, 300001);
	fake_write(w.spool, span_of(big, len));
	assert_int_equal(fake_open(&w, &d, &f), 0);
	mbox_ops.snapshot(d, &s);
	assert_int_equal(s.n, 7);
	make_change(&t, &s, &c, extra);
	/* Too little for the image and its slots, enough for the new spool. */
	limit(len - first + 100);
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	limit(RLIM_INFINITY);
	assert_int_equal(w.reserves, 1);
	assert_true(out.extra_dropped && out.status_dropped && out.rewritten);
	assert_int_equal(out.deleted, 1);
	assert_int_equal(w.notes, 0);
	fake_expect(w.spool, span_of(big + first, len - first));
	mbox_ops.close(d);
	free_change(&c);
	fake_fini(&w);
}

/*
 * More pieces, and more octets, than the journal gathers for one write: a line
 * for each of those that stay, every third goes.
 */
static void
test_many(void **state)
{
	enum { MANY = 2003 };
	static char		 want[sizeof(big)];
	static bool		 deleted[MANY];
	static bool		 retrieved[MANY];
	struct drop_change	 c = { .deleted = deleted,
				    .retrieved = retrieved, .extra_fd = -1 };
	struct drop_outcome	 out;
	struct fake		 w;
	struct drop		*d;
	struct fault		 f;
	size_t			 n = 0;
	size_t			 len = 0;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		deleted[i] = i % 3 == 1;
		retrieved[i] = true;
		n += (size_t)snprintf(big + n, sizeof(big) - n, F("a", "1")
		    "Subject: %d\n\n%*d\n\n", i, i % 200, i);
		if (!deleted[i])
			len += (size_t)snprintf(want + len, sizeof(want) - len,
			    F("a", "1") "Subject: %d\nStatus: RO\n\n%*d\n\n",
			    i, i % 200, i);
	}
	fake_init(&w, false);
	fake_write(w.spool, span_of(big, n));
	assert_int_equal(fake_open(&w, &d, &f), 0);
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	assert_int_equal(out.deleted, (MANY + 1) / 3);
	assert_int_equal(out.vanished, 0);
	fake_expect(w.spool, span_of(want, len));
	mbox_ops.close(d);
	fake_fini(&w);
}

/* Room for the old spool, not for more. */
static void
test_full_disk_steps(void **state)
{
	static const struct {
		const char *deleted, *retrieved, *extra, *want;
		rlim_t room;
		bool extra_dropped, status_dropped;
	} table[] = {
		{ "", "", N1, A B C, sizeof(A B C), true, false },
		{ "", "1", "", A B C, sizeof(A B C), false, true },
		{ "", "1", N1, A B C, sizeof(A B C), true, true },
	};
	struct fake		 w;
	struct drop		*d;
	struct drop_extra	 extra[2];
	struct drop_change	 c;
	struct drop_outcome	 out;
	struct snapshot		 s;
	struct fault		 f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct session t = { "", "", table[i].deleted,
		    table[i].retrieved, NULL, table[i].extra, "", 0, 0 };

		fake_init(&w, false);
		fake_write(w.spool, SPAN(A B C));
		assert_int_equal(fake_open(&w, &d, &f), 0);
		mbox_ops.snapshot(d, &s);
		make_change(&t, &s, &c, extra);
		limit(table[i].room);
		assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
		limit(RLIM_INFINITY);
		fake_expect(w.spool, span_str(table[i].want));
		assert_int_equal(out.extra_dropped, table[i].extra_dropped);
		assert_int_equal(out.status_dropped, table[i].status_dropped);
		assert_int_equal(w.notes, 0);
		assert_false(fake_locked(&w));
		mbox_ops.close(d);
		free_change(&c);
		fake_fini(&w);
	}
}

static void
test_no_room_for_legacy(void **state)
{
	struct fake	 w;
	struct drop	*d;
	struct fault	 f;

	(void)state;
	fake_init(&w, false);
	fake_write(w.legacy, SPAN(A B));
	fake_write(w.spool, SPAN(C));
	limit(sizeof(C));
	assert_int_equal(fake_open(&w, &d, &f), 0);
	limit(RLIM_INFINITY);
	fake_expect(w.spool, SPAN(C));
	fake_expect(w.legacy, SPAN(A B));
	assert_false(fake_locked(&w));
	mbox_ops.close(d);
	fake_fini(&w);
}

/* -------------------------------------------------------------- afterwards */

/* biff: new mail is there when the file was written after it was read. */
static void
test_times(void **state)
{
	struct session		 t[] = {
		{ "all was seen", A B, "1", "", NULL, "", "", 0, 0 },
		{ "a bulletin", A B, "1", "", NULL, N1, "", 0, 0 },
		{ "new mail", A B, "1", "", A B D, "", "", 0, 0 },
	};
	struct drop_extra	 extra[2];
	struct drop_change	 c;
	struct drop_outcome	 out;
	struct snapshot		 s;
	struct drop		*d;
	struct fault		 f;
	struct fake		 w;
	struct stat		 st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		fake_init(&w, false);
		fake_write(w.spool, span_str(t[i].before));
		assert_int_equal(fake_open(&w, &d, &f), 0);
		mbox_ops.snapshot(d, &s);
		make_change(&t[i], &s, &c, extra);
		if (t[i].meanwhile != NULL)
			fake_write(w.spool, span_str(t[i].meanwhile));
		assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
		assert_int_equal(stat(w.spool, &st), 0);
		assert_int_equal(st.st_mtim.tv_sec > st.st_atim.tv_sec, i > 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		mbox_ops.close(d);
		free_change(&c);
		fake_fini(&w);
	}
}

/* A look at the maildrop is no reading of mail. */
static void
test_times_of_a_look(void **state)
{
	const struct timespec	 unread[2] = { { 1000, 1 }, { 2000, 2 } };
	static const bool	 no[2];
	struct drop_change	 c = { .deleted = no, .retrieved = no,
				    .extra_fd = -1 };
	struct drop_outcome	 out;
	struct drop		*d;
	struct fault		 f;
	struct fake		 w;
	struct stat		 st;
	char			 b[8];

	(void)state;
	for (int in_place = 0; in_place < 2; in_place++) {
		fake_init(&w, false);
		w.no_temp = in_place;
		fake_write(w.spool, SPAN(A B));
		assert_int_equal(utimensat(AT_FDCWD, w.spool, unread, 0), 0);
		assert_int_equal(fake_open(&w, &d, &f), 0);
		assert_int_equal(mbox_ops.read(d, 0, 0, b, 8, &f), 8);
		assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
		mbox_ops.close(d);
		assert_int_equal(stat(w.spool, &st), 0);
		assert_int_equal(st.st_atim.tv_sec, 1000);
		assert_int_equal(st.st_atim.tv_nsec, 1);
		assert_int_equal(st.st_mtim.tv_sec, 2000);
		assert_int_equal(st.st_mtim.tv_nsec, 2);
		fake_fini(&w);
	}
}

static void
test_note_alone_and_failing(void **state)
{
	static const bool	 no[2];
	static const bool	 yes[2] = { true, false };
	struct fake		 w;
	struct drop		*d;
	struct drop		*other;
	struct drop_change	 c = { .deleted = no, .retrieved = no,
				    .extra_fd = -1, .note = SPAN("n") };
	struct drop_outcome	 out;
	struct fault		 f;
	bool			 did;

	(void)state;
	fake_init(&w, false);
	fake_write(w.spool, SPAN(A B));
	assert_int_equal(fake_open(&w, &d, &f), 0);
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	assert_int_equal(w.notes, 1);
	/* A note that cannot be made true: recovery has to do it. */
	c.deleted = yes;
	w.note_fails = true;
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), -1);
	assert_int_equal(f.class, FAULT_TEMP);
	/* The spool is done, so it is free, and belongs to others again. */
	assert_false(fake_locked(&w));
	fake_expect(w.spool, SPAN(B));
	assert_int_equal(fake_open(&w, &other, &f), -1);
	fake_write(w.spool, SPAN(D));
	w.note_fails = false;
	if (fake_recover(&w, &did, &f) == -1)
		fail_msg("%s", f.text);
	assert_true(did);
	assert_false(fake_locked(&w));
	assert_int_equal(w.notes, 2);
	fake_expect(w.spool, SPAN(D));
	mbox_ops.close(d);
	/* One that never can be: the user must not lose his mail over it. */
	fake_write(w.spool, SPAN(A B));
	assert_int_equal(fake_open(&w, &d, &f), 0);
	w.note_denied = true;
	assert_int_equal(mbox_ops.commit(d, &c, &out, &f), 0);
	assert_false(fake_locked(&w));
	fake_expect(w.spool, SPAN(B));
	assert_int_equal(w.notes, 2);
	mbox_ops.close(d);
	fake_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_sessions_in_place),
		cmocka_unit_test(test_torn_keeps_its_id),
		cmocka_unit_test(test_status_off),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_full_disk_steps),
		cmocka_unit_test(test_no_room_for_legacy),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_times_of_a_look),
		cmocka_unit_test(test_note_alone_and_failing),
	};

	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * What drop.h promises of every back end: one corpus, one suite.  A back end is
 * a row of `kinds`: how mail is delivered to it, and what other programs do.
 */
#include "drop/fake_host.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Message k of the corpus; sizes as RFC 1939 s.11 counts. */
static const struct {
	const char	*text;
	uint64_t	 wire;
	bool		 plain;		/* ASCII alone */
} corpus[] = {
	{ "Subject: a\n\nThe first\n", 22 + 3, true },
	{ "Subject: b\r\n\r\nThe second\r\n", 26, true },
	{ "Subject: c\n\n.\n..dots\n\n", 22 + 5, true },
	{ "Subject: d\n\nk\303\274hl\n", 18 + 3, false },
	{ "Subject: e\nTo: x\n\none\rtwo\n", 26 + 4, true },
	{ "Subject: f\n\n>From here\n", 23 + 3, true },
};
#define NCORPUS	ARRAY_LEN(corpus)

/* Delivered in the order of k. */
struct kind {
	const struct drop_ops	*ops;
	void	(*deliver)(const struct fake *w, size_t k);
	void	(*remove)(const struct fake *w, size_t k);
	/* A mail reader marks it as read, or flags it. */
	void	(*mark)(const struct fake *w, size_t k);
	void	(*clear)(const struct fake *w);
	void	(*foreign)(const struct fake *w);	/* no drop of this kind */
};

/* ---------------------------------------------------------------- mbox */

static size_t
mbox_text(size_t k, const char *field, char *out, size_t cap)
{
	return (size_t)snprintf(out, cap,
	    "From a@x %.3s Jan  %zu 10:00:00 2024\n%s%s\n",
	    "MonTueWedThuFriSat" + 3 * k, k + 1, field, corpus[k].text);
}

static void
mbox_deliver(const struct fake *w, size_t k)
{
	char b[300];

	fake_append(w->spool, span_of(b, mbox_text(k, "", b, sizeof(b))));
}

static void
mbox_replace(const struct fake *w, size_t k, const char *new)
{
	static char	 all[65536];
	char		 b[300];
	size_t		 n;
	size_t		 len = mbox_text(k, "", b, sizeof(b));
	const char	*had = fake_read(w->spool, &n);
	const char	*at;

	assert_non_null(had);
	at = memmem(had, n, b, len);
	assert_non_null(at);
	n = (size_t)snprintf(all, sizeof(all), "%.*s%s%.*s", (int)(at - had),
	    had, new, (int)(n - (size_t)(at - had) - len), at + len);
	fake_write(w->spool, span_of(all, n));
}

static void
mbox_remove(const struct fake *w, size_t k)
{
	mbox_replace(w, k, "");
}

static void
mbox_mark(const struct fake *w, size_t k)
{
	char b[300];

	(void)mbox_text(k, "Status: RO\n", b, sizeof(b));
	mbox_replace(w, k, b);
}

static void
mbox_clear(const struct fake *w)
{
	(void)unlink(w->spool);
}

static void
mbox_foreign(const struct fake *w)
{
	fake_write(w->spool, SPAN("Dear diary\n"));
}

/* -------------------------------------------------------------- Maildir */

static void
maildir_path(const struct fake *w, bool new, size_t k, const char *info,
    char out[FAKE_PATH + 64])
{
	(void)snprintf(out, FAKE_PATH + 64, "%s/%s/%zu.1.host%s", w->spool,
	    new ? "new" : "cur", 1700000000 + k, info);
}

/* Every second one was moved to cur/ by a mail reader. */
static void
maildir_deliver(const struct fake *w, size_t k)
{
	char path[FAKE_PATH + 64];

	fake_maildir(w->spool);
	maildir_path(w, k % 2 == 0, k, k % 2 == 0 ? "" : ":2,", path);
	fake_write(path, span_str(corpus[k].text));
}

static void
maildir_remove(const struct fake *w, size_t k)
{
	char path[FAKE_PATH + 64];

	maildir_path(w, k % 2 == 0, k, k % 2 == 0 ? "" : ":2,", path);
	assert_int_equal(unlink(path), 0);
}

static void
maildir_mark(const struct fake *w, size_t k)
{
	char from[FAKE_PATH + 64];
	char to[FAKE_PATH + 64];

	maildir_path(w, k % 2 == 0, k, k % 2 == 0 ? "" : ":2,", from);
	maildir_path(w, false, k, ":2,FS", to);
	assert_int_equal(rename(from, to), 0);
}

static void
maildir_clear(const struct fake *w)
{
	fake_remove_maildir(w->spool);
}

static void
maildir_foreign(const struct fake *w)
{
	assert_int_equal(mkdir(w->spool, 0700), 0);
}

static struct kind kinds[] = {
	{ &mbox_ops, mbox_deliver, mbox_remove, mbox_mark, mbox_clear,
	    mbox_foreign },
	{ &maildir_ops, maildir_deliver, maildir_remove, maildir_mark,
	    maildir_clear, maildir_foreign },
};

/* --------------------------------------------------------------- helpers */

static void
start(struct fake *w, const struct kind *k)
{
	print_message("%s\n", k->ops->name);
	fake_init(w, false);
	w->ops = k->ops;
	w->conf.status = false;
}

static void
end(struct fake *w, const struct kind *k)
{
	assert_false(fake_locked(w));
	k->clear(w);
	fake_fini(w);
}

static struct drop *
opened(struct fake *w)
{
	struct drop	*d;
	struct fault	 f = { 0 };

	if (fake_open(w, &d, &f) != 0)
		fail_msg("%s", f.text);
	assert_ptr_equal(drop_ops_of(d), w->ops);
	return d;
}

static void
deliver(struct fake *w, const struct kind *kind, const char *which)
{
	for (; *which != '\0'; which++)
		kind->deliver(w, (size_t)(*which - '1'));
}

static void
expect_text(struct drop *d, size_t i, const char *want)
{
	char		b[512];
	struct fault	f = { 0 };
	ssize_t		n = drop_ops_of(d)->read(d, i, 0, b, sizeof(b), &f);

	if (n == -1)
		fail_msg("%s", f.text);
	assert_true(span_eq(span_of(b, (size_t)n), span_str(want)));
	assert_int_equal(drop_ops_of(d)->read(d, i, 3, b, 4, &f), 4);
	assert_memory_equal(b, want + 3, 4);
	assert_int_equal(drop_ops_of(d)->read(d, i, strlen(want), b, 4, &f), 0);
	assert_int_equal(drop_ops_of(d)->read(d, i, strlen(want) - 1, b, 4, &f),
	    1);
}

/* Behind the header, where a mail reader or we may have put a field. */
static const char *
body(size_t k)
{
	const char *p = strstr(corpus[k].text, "\n\n");

	return p != NULL ? p : strstr(corpus[k].text, "\n\r\n");
}

/* The drop holds these messages of the corpus, in this order. */
static void
expect_left(struct fake *w, const char *which)
{
	struct drop	*d = opened(w);
	struct snapshot	 s;

	w->ops->snapshot(d, &s);
	assert_int_equal(s.n, strlen(which));
	for (size_t i = 0; i < s.n; i++) {
		size_t		k = (size_t)(which[i] - '1');
		char		b[512];
		ssize_t		n = w->ops->read(d, i, 0, b, sizeof(b), NULL);
		size_t		len = strlen(body(k));

		assert_true(n >= (ssize_t)strlen(corpus[k].text));
		assert_non_null(memmem(b, (size_t)n, corpus[k].text, 10));
		assert_memory_equal(b + n - len, body(k), len);
	}
	w->ops->close(d);
}

struct marks {
	bool	deleted[NCORPUS];
	bool	retrieved[NCORPUS];
};

static struct drop_change
change_of(struct marks *m, const char *deleted, const char *retrieved)
{
	*m = (struct marks){ 0 };
	for (; *deleted != '\0'; deleted++)
		m->deleted[*deleted - '1'] = true;
	for (; *retrieved != '\0'; retrieved++)
		m->retrieved[*retrieved - '1'] = true;
	return (struct drop_change){ .deleted = m->deleted,
	    .retrieved = m->retrieved, .extra_fd = -1 };
}

/* ------------------------------------------------------------- snapshot */

static void
test_snapshot(void **state)
{
	const struct kind *kind = *state;
	struct fake	 w;
	struct drop	*d;
	struct drop	*again;
	struct snapshot	 s;
	struct snapshot	 t;

	start(&w, kind);
	deliver(&w, kind, "123456");
	assert_int_equal(w.ops->probe(&w.conf, NULL), 0);
	d = opened(&w);
	w.ops->snapshot(d, &s);
	assert_int_equal(s.n, NCORPUS);
	for (size_t i = 0; i < s.n; i++) {
		assert_int_equal(s.entries[i].size_disk,
		    strlen(corpus[i].text));
		assert_int_equal(s.entries[i].size_wire,
		    corpus[i].wire);
		assert_int_equal(s.entries[i].flags & ~(uint32_t)DROP_AS_SENT,
		    corpus[i].plain ? 0 : DROP_8BIT);
		assert_true(s.entries[i].delivered > 1600000000);
		assert_in_range(strlen(s.entries[i].uidl), 1,
		    DROP_UIDL_MAX);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(s.entries[i].uidl,
			    s.entries[k].uidl);
		expect_text(d, i, corpus[i].text);
	}
	for (size_t i = s.n; i > 0; i--)
		expect_text(d, i - 1, corpus[i - 1].text);
	again = opened(&w);
	w.ops->snapshot(again, &t);
	assert_int_equal(s.n, t.n);
	for (size_t i = 0; i < s.n; i++)
		assert_string_equal(s.entries[i].uidl,
		    t.entries[i].uidl);
	w.ops->close(again);
	w.ops->close(d);
	end(&w, kind);
}

/* An id is the message's, whatever goes, comes or is marked. */
static void
test_ids_stay(void **state)
{
	const struct kind *kind = *state;
	struct fake	 w;
	struct drop	*d;
	struct drop	*again;
	struct snapshot	 s;
	struct snapshot	 t;

	start(&w, kind);
	deliver(&w, kind, "1234");
	d = opened(&w);
	w.ops->snapshot(d, &s);
	kind->remove(&w, 0);
	kind->mark(&w, 1);
	kind->mark(&w, 2);
	deliver(&w, kind, "56");
	again = opened(&w);
	w.ops->snapshot(again, &t);
	assert_int_equal(t.n, 5);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(s.entries[i + 1].uidl,
		    t.entries[i].uidl);
	assert_int_equal(t.entries[0].flags & DROP_SEEN, DROP_SEEN);
	assert_int_equal(t.entries[2].flags & DROP_SEEN, 0);
	w.ops->close(again);
	w.ops->close(d);
	end(&w, kind);
}

/* Others work on it: its octets, or a fault; never another message's. */
static void
test_read_meanwhile(void **state)
{
	const struct kind *kind = *state;
	struct fake	 w;
	struct drop	*d;
	struct fault	 f;
	char		 b[100];
	ssize_t		 n;

	start(&w, kind);
	deliver(&w, kind, "1234");
	d = opened(&w);
	kind->mark(&w, 0);
	expect_text(d, 0, corpus[0].text);
	kind->mark(&w, 3);
	deliver(&w, kind, "5");
	expect_text(d, 3, corpus[3].text);
	kind->remove(&w, 1);
	n = w.ops->read(d, 1, 0, b, sizeof(b), &f);
	if (n == -1)
		assert_int_equal(f.class, FAULT_TEMP);
	else
		assert_true(span_eq(span_of(b, (size_t)n),
		    span_str(corpus[1].text)));
	expect_text(d, 2, corpus[2].text);
	w.ops->close(d);
	end(&w, kind);
}

/* --------------------------------------------------------------- commit */

/* Digits are messages of the corpus; in a session its numbers, too. */
static const struct session {
	const char	*name;
	const char	*before;
	const char	*deleted;
	const char	*others_remove;
	const char	*others_mark;
	const char	*others_deliver;
	const char	*left;
	unsigned	 removed;
	unsigned	 vanished;
} sessions[] = {
	{ "nothing", "123", "", "", "", "", "123", 0, 0 },
	{ "nothing but new mail", "12", "", "", "", "3", "123", 0, 0 },
	{ "first", "123", "1", "", "", "", "23", 1, 0 },
	{ "middle", "123", "2", "", "", "", "13", 1, 0 },
	{ "last", "123", "3", "", "", "", "12", 1, 0 },
	{ "first and last", "123", "13", "", "", "", "2", 2, 0 },
	{ "all", "123456", "123456", "", "", "", "", 6, 0 },
	{ "all, but new mail", "1234", "1234", "", "", "56", "56", 4, 0 },
	{ "marked by a reader", "123", "2", "", "2", "", "13", 1, 0 },
	{ "another was marked", "123", "2", "", "13", "", "13", 1, 0 },
	{ "removed by a reader", "123", "2", "2", "", "", "13", 0, 1 },
	{ "reader removed another", "123", "2", "1", "", "", "3", 1, 0 },
	{ "reader removed all", "123", "123", "123", "", "", "", 0, 3 },
	{ "all of it", "1234", "124", "2", "13", "5", "35", 2, 1 },
};

static void
run_session(const struct kind *kind, const struct session *t)
{
	struct fake		 w;
	struct drop		*d;
	struct marks		 marks;
	struct drop_change	 c = change_of(&marks, t->deleted, "");
	struct drop_outcome	 out;
	struct fault		 f = { 0 };
	bool			 did;

	start(&w, kind);
	print_message("  %s\n", t->name);
	deliver(&w, kind, t->before);
	d = opened(&w);
	for (const char *p = t->others_mark; *p != '\0'; p++)
		kind->mark(&w, (size_t)(*p - '1'));
	for (const char *p = t->others_remove; *p != '\0'; p++)
		kind->remove(&w, (size_t)(*p - '1'));
	deliver(&w, kind, t->others_deliver);
	if (w.ops->commit(d, &c, &out, &f) != 0)
		fail_msg("%s", f.text);
	assert_int_equal(out.deleted, t->removed);
	assert_int_equal(out.vanished, t->vanished);
	assert_int_equal(out.rewritten, t->removed > 0);
	w.ops->close(d);
	assert_int_equal(fake_recover(&w, &did, &f), 0);
	assert_false(did);
	expect_left(&w, t->left);
	end(&w, kind);
}

static void
test_sessions(void **state)
{
	const struct kind *kind = *state;

	for (size_t i = 0; i < ARRAY_LEN(sessions); i++)
		run_session(kind, &sessions[i]);
}

/* What was retrieved is told to the next session, if it is to be. */
static void
test_seen(void **state)
{
	const struct kind *kind = *state;

	for (int status = 0; status < 2; status++) {
		struct fake		 w;
		struct drop		*d;
		struct marks		 marks;
		struct drop_change	 c = change_of(&marks, "3",
					    "123");
		struct drop_outcome	 out;
		struct snapshot		 s;

		start(&w, kind);
		w.conf.status = status;
		deliver(&w, kind, "1234");
		d = opened(&w);
		assert_int_equal(w.ops->commit(d, &c, &out, NULL), 0);
		assert_false(out.status_dropped);
		w.ops->close(d);
		expect_left(&w, "124");
		d = opened(&w);
		w.ops->snapshot(d, &s);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(s.entries[i].flags & DROP_SEEN,
			    status && i < 2 ? DROP_SEEN : 0);
		w.ops->close(d);
		end(&w, kind);
	}
}

static void
test_expired(void **state)
{
	const struct kind *kind = *state;
	static const bool expired[NCORPUS] = { false, true, true };
	struct fake		 w;
	struct drop		*d;
	struct marks		 marks;
	struct drop_change	 c = change_of(&marks, "123", "");
	struct drop_outcome	 out;

	start(&w, kind);
	c.expired = expired;
	deliver(&w, kind, "123");
	d = opened(&w);
	kind->remove(&w, 2);
	assert_int_equal(w.ops->commit(d, &c, &out, NULL), 0);
	assert_int_equal(out.deleted, 2);
	assert_int_equal(out.expired, 1);
	assert_int_equal(out.vanished, 1);
	assert_int_equal(out.deleted_octets,
	    corpus[0].wire + corpus[1].wire);
	w.ops->close(d);
	end(&w, kind);
}

/* ------------------------------------------------------------- bulletins */

#define N_TEXT	"To: ann\n\nBulletin\n"
#define N	"From n@x Mon Jan  6 10:00:00 2024\n" N_TEXT "\n"

/* Two of the same text: they are two messages, by the ids that they had. */
static void
test_bulletins(void **state)
{
	const struct kind *kind = *state;
	static const struct drop_extra extra[2] = {
		{ 0, sizeof(N) - 1 }, { sizeof(N) - 1, sizeof(N) - 1 }
	};

	for (int have = 0; have < 2; have++) {
		struct fake		 w;
		struct drop		*d;
		struct drop		*image;
		struct marks		 marks;
		struct drop_change	 c = change_of(&marks,
					    have ? "1" : "", "");
		struct drop_outcome	 out;
		struct snapshot		 s;
		struct snapshot		 t;
		bool			 did;

		start(&w, kind);
		deliver(&w, kind, have ? "12" : "");
		d = opened(&w);
		fake_write(w.legacy, SPAN(N N));
		c.extra_fd = open(w.legacy, O_RDONLY | O_CLOEXEC);
		assert_int_equal(unlink(w.legacy), 0);
		c.extra = extra;
		c.nextra = 2;
		c.note = SPAN("popbull 17");
		assert_int_equal(w.ops->commit(d, &c, &out, NULL), 0);
		assert_false(out.extra_dropped);
		assert_true(out.rewritten);
		assert_int_equal(w.notes, 1);
		assert_string_equal(w.note, "popbull 17");
		w.ops->close(d);
		assert_int_equal(fake_recover(&w, &did, NULL), 0);
		assert_false(did);
		assert_int_equal(mbox_open_image(c.extra_fd,
		    sizeof(N N) - 1, &image, NULL), 0);
		drop_ops_of(image)->snapshot(image, &t);
		d = opened(&w);
		w.ops->snapshot(d, &s);
		assert_int_equal(s.n, have + 2);
		for (size_t i = 0; i < 2; i++) {
			expect_text(d, (size_t)have + i, N_TEXT);
			assert_string_equal(s.entries[(size_t)have +
			    i].uidl, t.entries[i].uidl);
		}
		w.ops->close(d);
		drop_ops_of(image)->close(image);
		close(c.extra_fd);
		end(&w, kind);
	}
}

static void
test_note_alone(void **state)
{
	const struct kind *kind = *state;
	struct fake		 w;
	struct drop		*d;
	struct marks		 marks;
	struct drop_change	 c = change_of(&marks, "", "");
	struct drop_outcome	 out;

	start(&w, kind);
	deliver(&w, kind, "12");
	d = opened(&w);
	c.note = SPAN("n");
	assert_int_equal(w.ops->commit(d, &c, &out, NULL), 0);
	assert_false(out.rewritten);
	assert_int_equal(w.notes, 1);
	w.ops->close(d);
	expect_left(&w, "12");
	end(&w, kind);
}

/* ----------------------------------------------------------- what is no drop */

static void
test_missing(void **state)
{
	const struct kind *kind = *state;
	struct fake		 w;
	struct drop		*d;
	struct marks		 marks;
	struct drop_change	 c = change_of(&marks, "", "");
	struct drop_outcome	 out;
	struct snapshot		 s;

	start(&w, kind);
	assert_int_equal(w.ops->probe(&w.conf, NULL), 0);
	d = opened(&w);
	w.ops->snapshot(d, &s);
	assert_int_equal(s.n, 0);
	assert_int_equal(w.ops->commit(d, &c, &out, NULL), 0);
	w.ops->close(d);
	assert_false(fake_exists(w.spool));
	end(&w, kind);
}

static void
expect_refused(struct fake *w)
{
	struct drop	*d;
	struct fault	 f = { 0 };

	assert_int_equal(fake_open(w, &d, &f), -1);
	assert_null(d);
	assert_int_equal(f.class, FAULT_PERM);
	assert_true(f.text[0] != '\0');
	assert_int_equal(w->ops->probe(&w->conf, &f), -1);
	assert_false(fake_locked(w));
}

static void
test_refusals(void **state)
{
	const struct kind *kind = *state;
	char other[FAKE_PATH + 8];
	struct fake w;

	start(&w, kind);
	kind->foreign(&w);
	expect_refused(&w);
	kind->clear(&w);
	deliver(&w, kind, "1");
	w.conf.uid++;
	expect_refused(&w);
	w.conf.uid--;
	(void)snprintf(other, sizeof(other), "%s.2", w.spool);
	assert_int_equal(rename(w.spool, other), 0);
	assert_int_equal(symlink(other, w.spool), 0);
	expect_refused(&w);
	assert_int_equal(unlink(w.spool), 0);
	assert_int_equal(rename(other, w.spool), 0);
	expect_left(&w, "1");
	end(&w, kind);
}

/* Of each back end. */
#define EACH(test)						\
	{ #test " mbox", test, NULL, NULL, &kinds[0] },		\
	{ #test " Maildir", test, NULL, NULL, &kinds[1] }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_snapshot),
		EACH(test_ids_stay),
		EACH(test_read_meanwhile),
		EACH(test_sessions),
		EACH(test_seen),
		EACH(test_expired),
		EACH(test_bulletins),
		EACH(test_note_alone),
		EACH(test_missing),
		EACH(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

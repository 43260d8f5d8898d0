/* SPDX-License-Identifier: ISC */
/*
 * The TRANSACTION and UPDATE states against a maildrop in memory: scripts of lines and
 * replies, and what must hold after every line.  This file brings its own
 * drop_ops_of and image opener, so that lib_drop is not linked.
 */
#include "pop/authorize.h"
#include "pop/pop_priv.h"
#include "base/alloc.h"
#include "drop/recoder.h"
#include "sys/test_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the three above first */
#include <cmocka.h>

struct drop {
	struct drop_entry	 entries[8];
	const char		*texts[8];
	size_t			 n;
	unsigned		 commits;
	bool			 deleted[8];
	bool			 retrieved[8];
	size_t			 nextra;
	bool			 unreadable;	/* from this octet on */
	uint64_t		 readable;
	size_t			 broken;	/* number of one that alone is so */
	bool			 whole;		/* gives all that is asked for */
	size_t			 given;		/* octets */
	unsigned		 peeked;	/* so many times */
	bool			 cannot_commit;
	bool			 unfinished;	/* then */
	unsigned		 asked;		/* for an entry */
	size_t			 unknown;	/* number of a message that has none */
	unsigned		 lends;		/* so many times */
};

static void
mem_snapshot(const struct drop *d, struct snapshot *out)
{
	*out = (struct snapshot){ d->entries, d->n };
}

static ssize_t
mem_read(struct drop *d, size_t i, uint64_t off, void *p, size_t n,
    struct fault *f)
{
	size_t len = (size_t)d->entries[i].size_disk;

	if ((d->unreadable || i + 1 == d->broken) && off >= d->readable)
		return fault_set(f, FAULT_TEMP, "planted");
	/* small pieces: every block border is met */
	if (n > 7 && !d->whole)
		n = 7;
	if (n > len - off)
		n = len - (size_t)off;
	memcpy(p, d->texts[i] + off, n);
	d->given += n;
	return (ssize_t)n;
}

/* Now and then something is at hand, and behind it what is not the message's. */
static struct span
mem_peek(struct drop *d, size_t i, uint64_t off)
{
	if (d->whole || d->unreadable || off % 2 == 0)
		return SPAN("");
	d->peeked++;
	return span_first(span_str(d->texts[i] + off), 5);
}

#define LENT_FD	77

static int
mem_lend(struct drop *d, size_t i UNUSED, int *fd_r, struct fault *f)
{
	*fd_r = LENT_FD;
	return d->lends-- > 0 ? 0 : fault_set(f, FAULT_TEMP, "planted");
}

static int
mem_commit(struct drop *d, const struct drop_change *c,
    struct drop_outcome *out, struct fault *f)
{
	d->commits++;
	out->unfinished = d->unfinished;
	if (d->cannot_commit)
		return fault_set(f, FAULT_TEMP, "planted");
	for (size_t i = 0; i < d->n; i++) {
		d->deleted[i] = c->deleted[i];
		d->retrieved[i] = c->retrieved[i];
		if (c->deleted[i]) {
			out->deleted++;
			out->deleted_octets += d->entries[i].size_wire;
			out->expired += c->expired[i];
		}
	}
	d->nextra = c->nextra;
	return 0;
}

static void
mem_close(struct drop *d UNUSED)
{
}

static const struct drop_ops mem_ops = {
	.name = "memory",
	.snapshot = mem_snapshot,
	.read = mem_read,
	.peek = mem_peek,
	.lend = mem_lend,
	.commit = mem_commit,
	.close = mem_close,
};

/* The same, but it has its entries not at hand. */
static void
lazy_snapshot(const struct drop *d, struct snapshot *out)
{
	*out = (struct snapshot){ .n = d->n };
}

static void
lazy_totals(const struct drop *d, struct drop_totals *out)
{
	*out = (struct drop_totals){ .n = d->n };
	for (size_t i = 0; i < d->n; i++) {
		const struct drop_entry *e = &d->entries[i];

		out->octets += e->size_wire;
		out->eight_bit += (e->flags & DROP_8BIT) != 0;
		if (e->flags & DROP_RECODED)
			out->surrogates += (int64_t)(e->size_surrogate -
			    e->size_wire);
		if (e->flags & DROP_SEEN)
			out->last_seen = i + 1;
		if (e->delivered > 0 && (out->oldest == 0 ||
		    e->delivered < out->oldest))
			out->oldest = e->delivered;
	}
}

static int
lazy_entry(struct drop *d, size_t i, struct drop_entry *out, struct fault *f)
{
	d->asked++;
	if (i + 1 == d->unknown)
		return fault_set(f, FAULT_TEMP, "planted");
	*out = d->entries[i];
	return 0;
}

static int
lazy_size(struct drop *d, size_t i, bool surrogate, uint64_t *wire_r,
    struct fault *f)
{
	if (i + 1 == d->unknown)
		return fault_set(f, FAULT_TEMP, "planted");
	*wire_r = surrogate && (d->entries[i].flags & DROP_RECODED) ?
	    d->entries[i].size_surrogate : d->entries[i].size_wire;
	return 0;
}

static char *
lazy_uidl(struct drop *d, size_t i, char *out, struct fault *f)
{
	if (i + 1 != d->unknown)
		return span_put(span_str(d->entries[i].uidl), out);
	(void)fault_set(f, FAULT_TEMP, "planted");
	return NULL;
}

static const struct drop_ops lazy_ops = {
	.name = "lazy",
	.snapshot = lazy_snapshot,
	.totals = lazy_totals,
	.entry = lazy_entry,
	.size = lazy_size,
	.uidl = lazy_uidl,
	.read = mem_read,
	.peek = mem_peek,
	.commit = mem_commit,
	.close = mem_close,
};

static bool lazy;

const struct drop_ops *
drop_ops_of(const struct drop *d UNUSED)
{
	return lazy ? &lazy_ops : &mem_ops;
}

void
drop_distinct(struct drop_entry **entries UNUSED, size_t n UNUSED,
    size_t own UNUSED)
{
}

/* Every group has the same mail here. */
static struct drop	board;
static unsigned		images;

int
mbox_open_image(int fd UNUSED, uint64_t len UNUSED,
    struct drop **drop_r, struct fault *f UNUSED)
{
	images++;
	*drop_r = &board;
	return 0;
}

static void
add(struct drop *d, const char *text, uint32_t flags)
{
	struct drop_entry	*e = &d->entries[d->n];
	struct dot_counter	 c = { 0 };

	d->texts[d->n++] = text;
	dot_count(&c, span_str(text));
	e->size_disk = strlen(text);
	e->size_wire = dot_count_end(&c);
	e->flags = flags;
	snprintf(e->uidl, sizeof(e->uidl), "uid%zu", d->n);
}

static char last_told[200];

static void
told(void *ctx UNUSED, const char *id, const char *text)
{
	(void)snprintf(last_told, sizeof(last_told), "%s %s", id, text);
}

static unsigned released;		/* after its UPDATE */
static unsigned given_up;

static void
release(void *ctx UNUSED, bool done)
{
	released += done;
	given_up += !done;
}

static unsigned tempfiles;

static int
tempfile(void *ctx UNUSED, int *fd_r, struct fault *f)
{
	FILE *file = tmpfile();

	if (file == NULL)
		return fault_set(f, FAULT_TEMP, "no temporary file");
	tempfiles++;
	*fd_r = dup(fileno(file));
	(void)fclose(file);
	return 0;
}

static bool may_lend;

static bool
lends(void *ctx UNUSED)
{
	return may_lend;
}

static const struct pop_host host = {
	.tell = told, .release = release, .tempfile = tempfile, .lends = lends,
};
static const struct pop_conf conf = {
	.host = "h.example",
	.implementation = "x",
	.bboards = "",
	.bad_max = 5,
	.status = true,
	.ask = &host,
};

static struct drop drop;
static struct pop *pop;
static struct buf out;

static int
setup(void **state UNUSED)
{
	drop = (struct drop){ 0 };
	released = given_up = 0;
	add(&drop, "Subject: one\nTo: a\n\nbody\n.dot\nlast\n", DROP_SEEN);
	add(&drop, "Subject: two\n\tfolded\nX: y\n\n", 0);
	add(&drop, "From: c\nSubject : three\n\nno end", 0);
	buf_init(&out, LIMIT_OUTPUT);
	pop = pop_new(&conf, &drop, NULL, NULL, -1, NULL);
	return 0;
}

static int
setup_lazy(void **state)
{
	lazy = true;
	return setup(state);
}

static int
teardown(void **state UNUSED)
{
	pop_free(pop);
	lazy = false;
	buf_fini(&out);
	return 0;
}

static enum pop_next last_next;

/* One line in, everything out; as a C string that lives until the next call. */
static const char *
say(const char *line)
{
	static char text[4096];

	buf_clear(&out);
	last_next = pop_line(pop, span_str(line), &out);
	while (last_next == POP_NEXT_FILL)
		last_next = pop_fill(pop, &out);
	assert_true(span_cstr(buf_span(&out), text, sizeof(text)));
	return text;
}

/* STAT is the sum of LIST, whatever was said before. */
static void
check_invariants(void)
{
	uint64_t	octets = 0;
	size_t		n = 0;

	for (size_t i = 0; i < pop->view.n; i++)
		if (!view_is_deleted(&pop->view, i)) {
			uint64_t size;

			n++;
			assert_int_equal(view_size(&pop->view, i, &size, NULL),
			    0);
			octets += size;
		}
	assert_int_equal(n, pop->view.left);
	assert_int_equal(octets, pop->view.left_octets);
}

static const struct {
	const char *line;
	const char *reply;
} script[] = {
	{ "STAT", "+OK 3 108\r\n" },
	{ "LIST", "+OK 3 messages (108 octets)\r\n1 41\r\n2 31\r\n3 36\r\n"
	    ".\r\n" },
	{ "LIST 2", "+OK 2 31\r\n" },
	{ "LIST 4", "-ERR Message 4 does not exist.\r\n" },
	{ "LAST", "+OK 1 is the last message seen.\r\n" },
	{ "RETR 1", "+OK 41 octets\r\nSubject: one\r\nTo: a\r\n\r\nbody\r\n"
	    "..dot\r\nlast\r\n.\r\n" },
	{ "LAST", "+OK 1 is the last message seen.\r\n" },
	{ "RETR 3", "+OK 36 octets\r\nFrom: c\r\nSubject : three\r\n\r\n"
	    "no end\r\n.\r\n" },
	{ "LAST", "+OK 3 is the last message seen.\r\n" },
	{ "TOP 1 0", "+OK Top of message follows.\r\nSubject: one\r\nTo: a\r\n"
	    "\r\n.\r\n" },
	{ "TOP 1 2", "+OK Top of message follows.\r\nSubject: one\r\nTo: a\r\n"
	    "\r\nbody\r\n..dot\r\n.\r\n" },
	{ "TOP 3 99999999999", "+OK Top of message follows.\r\nFrom: c\r\n"
	    "Subject : three\r\n\r\nno end\r\n.\r\n" },
	{ "DELE 2", "+OK Message 2 has been deleted.\r\n" },
	{ "DELE 2", "-ERR Message 2 has been deleted.\r\n" },
	{ "RETR 2", "-ERR Message 2 has been deleted.\r\n" },
	{ "STAT", "+OK 2 77\r\n" },
	{ "UIDL", "+OK Unique-ids follow.\r\n1 uid1\r\n3 uid3\r\n.\r\n" },
	{ "XTND XLST subject", "+OK xlst command accepted; headers coming.\r\n"
	    "1 Subject: one\r\n3 Subject : three\r\n.\r\n" },
	{ "RSET", "+OK Maildrop has 3 messages (108 octets).\r\n" },
	{ "LAST", "+OK 1 is the last message seen.\r\n" },
	{ "UIDL 2", "+OK 2 uid2\r\n" },
	{ "XTND XLIST Subject: 2", "+OK xlst command accepted; headers"
	    " coming.\r\n2 Subject: two\r\n\tfolded\r\n.\r\n" },
	{ "XTND XLST Sub", "+OK xlst command accepted; headers coming.\r\n"
	    ".\r\n" },
	{ "XTND BBOARDS", "+OK XTND\r\n.\r\n" },
	{ "XTND BBOARDS x", "-ERR no such bboard\r\n" },
	{ "NOOP", "+OK Nothing done.\r\n" },
};

static void
test_script(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(script); i++) {
		assert_string_equal(say(script[i].line), script[i].reply);
		assert_int_equal(last_next, POP_NEXT_LINE);
		check_invariants();
	}
	assert_int_equal(drop.commits, 0);
}

/* Octets of the text of RETR, TOP, as they were before the dots. */
static size_t
text_size(struct span reply)
{
	size_t n = 0;

	reply = span_skip(reply, span_find(reply, '\n') + 1);
	while (reply.n > 0 && !span_eq(reply, SPAN(".\r\n"))) {
		size_t line = span_find(reply, '\n') + 1;

		n += line - (reply.p[0] == '.');
		reply = span_skip(reply, line);
	}
	return n;
}

/* One line in, everything out, whatever its size. */
static struct span
say_all(struct pop *p, const char *line, struct buf *all)
{
	buf_clear(&out);
	buf_clear(all);
	last_next = pop_line(p, span_str(line), &out);
	for (;;) {
		assert_int_equal(buf_append(all, buf_span(&out)), 0);
		buf_clear(&out);
		if (last_next != POP_NEXT_FILL)
			return buf_span(all);
		last_next = pop_fill(p, &out);
	}
}

#define UTF8_HEAD	"From: J\xc3\xa9 <j@x>\nContent-Type: multipart/x;" \
			" boundary=b\r\n\n"
#define UTF8_PART	"--b\nX: \xc3\xa9\n\n.dots\n..\n\xc3\xa9\n"

/* In each mode sizes are those of what is sent, and only those messages that need
 * it are refused. */
static void
test_utf8(void **state UNUSED)
{
	static char		long_text[200000];
	static const bool	refused[] = { true, false, false, true, true };
	struct buf		all;
	size_t			n = sizeof(UTF8_HEAD) - 1;

	memcpy(long_text, UTF8_HEAD, n);
	while (n + sizeof(UTF8_PART) < sizeof(long_text)) {
		memcpy(long_text + n, UTF8_PART, sizeof(UTF8_PART) - 1);
		n += sizeof(UTF8_PART) - 1;
	}
	buf_init(&all, 8u << 20);
	for (int mode = 0; mode < 12; mode++) {
		struct pop_conf c = conf;
		struct drop	d = { 0 };
		struct pop     *p;
		uint64_t	octets = 0;

		c.utf8 = (enum pop_utf8)(mode % 6 / 2);
		c.words.utf8 = mode % 2 != 0;
		add(&d, "Subject: \xc3\xa9\n\n.\nno end", DROP_8BIT);
		add(&d, "Subject: plain\n\n\xc3\xa9\n", DROP_8BIT);
		add(&d, "Subject: \xe9\n\n", DROP_8BIT);
		add(&d, long_text, DROP_8BIT);
		add(&d, "Subject: \xc3\xa9 header alone", DROP_8BIT);
		/* The drop may have measured them. */
		for (size_t i = 0; mode >= 6 && i < d.n; i++)
			assert_int_equal(recoder_measure(&d, i, &d.entries[i],
			    NULL), 0);
		p = pop_new(&c, &d, NULL, NULL, -1, NULL);
		if (mode >= 6)
			assert_int_equal(d.asked, 0);
		for (unsigned i = 0; i < p->view.n; i++) {
			bool	    no = refused[i] && !c.words.utf8 &&
				    c.utf8 == POP_UTF8_REFUSE;
			char	    line[40];
			struct span got;

			(void)snprintf(line, sizeof(line), "RETR %u", i + 1);
			got = say_all(p, line, &all);
			octets += p->view.items[i].entry.size_wire;
			if (no) {
				assert_true(span_starts(got,
				    SPAN("-ERR [UTF8] ")));
				continue;
			}
			assert_int_equal(text_size(got),
			    p->view.items[i].entry.size_wire);
			assert_int_equal(p->view.items[i].recoded, refused[i] &&
			    !c.words.utf8 && c.utf8 == POP_UTF8_DOWNGRADE);
			(void)snprintf(line, sizeof(line), "TOP %u 100000",
			    i + 1);
			assert_int_equal(text_size(say_all(p, line, &all)),
			    p->view.items[i].entry.size_wire);
		}
		assert_int_equal(octets, p->view.octets);
		assert_int_equal(octets, p->view.left_octets);
		pop_free(p);
	}
	buf_fini(&all);
}

static void
test_quit_updates(void **state UNUSED)
{
	struct pop_counts n;

	(void)say("RETR 1");
	(void)say("DELE 3");
	assert_string_equal(say("QUIT"),
	    "+OK popper at h.example signing off.\r\n");
	assert_int_equal(last_next, POP_NEXT_CLOSE);
	assert_int_equal(drop.commits, 1);
	assert_int_equal(released, 1);
	assert_true(drop.deleted[2] && !drop.deleted[0] && !drop.deleted[1]);
	assert_true(drop.retrieved[0] && !drop.retrieved[2]);
	pop_count(pop, &n);
	assert_int_equal(n.deleted, 1);
	assert_int_equal(n.deleted_octets, 36);
	assert_int_equal(n.left, 2);
	assert_true(n.updated && n.quit);
}

/* Another session over the same maildrop, with expire_delete. */
static void
with_expiry(uint64_t before, bool retrieved)
{
	static struct pop_conf c;

	c = conf;
	c.expire_before = before;
	c.expire_retrieved = retrieved;
	pop_free(pop);
	pop = pop_new(&c, &drop, NULL, NULL, -1, NULL);
}

static void
test_expires_by_age(void **state UNUSED)
{
	struct pop_counts n;

	drop.entries[0].delivered = 99;
	drop.entries[1].delivered = 0;		/* nobody knows */
	drop.entries[2].delivered = 100;
	with_expiry(100, false);
	assert_true(pop_is_changed(pop));
	/* Until QUIT it is as if nothing were. */
	assert_string_equal(say("STAT"), "+OK 3 108\r\n");
	(void)say("RETR 1");
	(void)say("DELE 3");
	(void)say("RSET");
	(void)say("DELE 2");
	assert_string_equal(say("QUIT"),
	    "+OK popper at h.example signing off.\r\n");
	assert_true(drop.deleted[0] && drop.deleted[1] && !drop.deleted[2]);
	pop_count(pop, &n);
	assert_int_equal(n.deleted, 2);
	assert_int_equal(n.expired, 1);
	assert_int_equal(n.left, 1);
	assert_int_equal(n.left_octets, drop.entries[2].size_wire);
}

/* A clock that may be wrong takes nothing, and says so. */
static void
test_expires_by_a_kept_clock(void **state UNUSED)
{
	static struct pop_conf	c;
	struct pop_counts	n;

	drop.entries[0].delivered = 99;
	drop.entries[1].delivered = 98;
	with_expiry(100, true);
	c = *pop->conf;
	c.expire_held = true;
	pop_free(pop);
	pop = pop_new(&c, &drop, NULL, NULL, -1, NULL);
	assert_false(pop_is_changed(pop));
	(void)say("RETR 3");
	(void)say("DELE 2");
	(void)say("QUIT");
	assert_true(!drop.deleted[0] && drop.deleted[1] && drop.deleted[2]);
	assert_string_equal(last_told, "expire-held 1 message is older than "
	    "expire says and not deleted: no time service keeps the clock of "
	    "this host");
	pop_count(pop, &n);
	assert_int_equal(n.expired, 1);
	assert_int_equal(n.left, 1);
}

static void
test_expires_when_retrieved(void **state UNUSED)
{
	struct pop_counts n;

	with_expiry(0, true);
	assert_false(pop_is_changed(pop));
	(void)say("RETR 1");
	pop->view.items[0].recoded = true;	/* a surrogate was sent */
	(void)say("TOP 1 99");
	(void)say("RETR 2");
	(void)say("RETR 3");
	(void)say("DELE 3");
	(void)say("RSET");
	(void)say("DELE 3");
	(void)say("QUIT");
	assert_true(!drop.deleted[0] && drop.deleted[1] && drop.deleted[2]);
	pop_count(pop, &n);
	assert_int_equal(n.deleted, 2);
	assert_int_equal(n.expired, 1);		/* the other one was asked for */
	assert_int_equal(n.left, 1);
}

static void
test_nothing_expires_without_quit(void **state UNUSED)
{
	drop.entries[0].delivered = 1;
	with_expiry(100, true);
	(void)say("RETR 2");
	for (size_t i = 0; i < conf.bad_max; i++)
		(void)say("WHAT");
	assert_int_equal(last_next, POP_NEXT_CLOSE);
	assert_int_equal(drop.commits, 0);
}

/* A session that goes on in another process is the same there. */
static void
test_marks(void **state UNUSED)
{
	static struct pop_marks	m;
	struct pop		*first = pop;
	struct pop_counts	 n;
	struct fault		 f;

	assert_false(pop_is_changed(pop));
	(void)say("TOP 2 1");
	assert_false(pop_is_changed(pop));
	(void)say("RETR 2");
	assert_true(pop_is_changed(pop));
	(void)say("DELE 1");
	(void)say("RETR 2");
	assert_int_equal(pop_marks_get(pop, &m, &f), 0);
	assert_int_equal(m.n, 3);
	pop = pop_new(&conf, &drop, NULL, NULL, -1, NULL);
	assert_int_equal(pop_marks_set(pop, &m, &f), 0);
	pop_free(first);
	check_invariants();
	assert_string_equal(say("STAT"), "+OK 2 67\r\n");
	assert_string_equal(say("LAST"), "+OK 2 is the last message seen.\r\n");
	(void)say("QUIT");
	assert_true(drop.deleted[0] && !drop.deleted[1] && !drop.deleted[2]);
	assert_true(drop.retrieved[1] && !drop.retrieved[0]);
	pop_count(pop, &n);
	assert_int_equal(n.retrieved, 2);
	assert_int_equal(n.deleted, 1);
}

static void
test_marks_of_another_maildrop(void **state UNUSED)
{
	static struct pop_marks	m;
	struct fault		f;

	for (size_t i = 0; i < 5; i++) {
		m.n = i;
		m.last = 0;
		assert_int_equal(pop_marks_set(pop, &m, &f), i == 3 ? 0 : -1);
	}
	m.n = 3;
	m.last = 4;
	assert_int_equal(pop_marks_set(pop, &m, &f), -1);
	assert_int_equal(f.class, FAULT_PEER);
	m.last = 3;
	assert_int_equal(pop_marks_set(pop, &m, &f), 0);
	pop->view.own = POP_MARKS_MAX + 1;
	assert_int_equal(pop_marks_get(pop, &m, &f), -1);
	assert_int_equal(f.class, FAULT_LIMIT);
}

static void
test_failed_update_says_so(void **state UNUSED)
{
	struct pop_counts n;

	drop.cannot_commit = true;
	(void)say("DELE 1");
	assert_true(strncmp(say("QUIT"), "-ERR [SYS/TEMP] ", 16) == 0);
	pop_count(pop, &n);
	assert_int_equal(n.deleted, 0);
	assert_false(n.updated);
	assert_int_equal(released, 0);
	assert_int_equal(given_up, 1);
	assert_null(pop->maildrop);
}

/* Who only polls asks for nothing that he does not show, and writes nothing. */
static void
test_asks_for_little(void **state UNUSED)
{
	assert_string_equal(say("STAT"), "+OK 3 108\r\n");
	assert_string_equal(say("LAST"), "+OK 1 is the last message seen.\r\n");
	(void)say("LIST");
	(void)say("UIDL");
	(void)say("RSET");
	assert_false(pop_is_changed(pop));
	assert_int_equal(drop.asked, 0);
	assert_string_equal(say("LIST 3"), "+OK 3 36\r\n");
	assert_int_equal(drop.asked, 1);
	(void)say("QUIT");
	assert_int_equal(drop.asked, 1);
	assert_int_equal(drop.commits, 0);
	assert_int_equal(released, 1);
}

/* What the drop cannot find out any more. */
static void
test_unknown_message(void **state UNUSED)
{
	static const char *const commands[] = {
		"LIST 2", "UIDL 2", "RETR 2", "TOP 2 1", "DELE 2", "XTND XLST to 2",
	};

	drop.unknown = 2;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		assert_true(strncmp(say(commands[i]), "-ERR [SYS/TEMP] ", 16) ==
		    0);
		assert_int_equal(last_next, POP_NEXT_LINE);
	}
	assert_true(strncmp(say("LIST 1"), "+OK 1 ", 6) == 0);
	(void)say("LIST");
	assert_int_equal(last_next, POP_NEXT_ABORT);
	(void)say("UIDL");
	assert_int_equal(last_next, POP_NEXT_ABORT);
	(void)say("XTND XLST to");
	assert_int_equal(last_next, POP_NEXT_ABORT);
}

static void
test_unreadable_message(void **state UNUSED)
{
	drop.unreadable = true;
	assert_true(strncmp(say("RETR 1"), "-ERR [SYS/TEMP] ", 16) == 0);
	assert_int_equal(last_next, POP_NEXT_LINE);
	assert_false(pop->view.items[0].retrieved);
	assert_true(strncmp(say("TOP 1 0"), "-ERR [SYS/TEMP] ", 16) == 0);
	assert_int_equal(last_next, POP_NEXT_LINE);
	/* behind the first line there is no way back */
	drop.readable = 7;
	(void)say("RETR 1");
	assert_int_equal(last_next, POP_NEXT_ABORT);
}

/* One that another program has taken away keeps nothing of the others back. */
static void
test_fields_of_others(void **state UNUSED)
{
	static char text[3000] = "Subject: ";

	memset(text + 9, 'x', sizeof(text) - 10);
	add(&drop, text, 0);
	pop_free(pop);
	pop = pop_new(&conf, &drop, NULL, NULL, -1, NULL);
	drop.broken = 2;
	last_told[0] = '\0';
	assert_string_equal(say("XTND XLST to"), "+OK xlst command accepted; "
	    "headers coming.\r\n1 To: a\r\n.\r\n");
	assert_int_equal(last_next, POP_NEXT_LINE);
	assert_string_equal(last_told, "message-unreadable planted");
	last_told[0] = '\0';
	assert_true(strncmp(say("XTND XLST to 2"), "-ERR [SYS/TEMP] ", 16) == 0);
	assert_int_equal(last_next, POP_NEXT_LINE);
	assert_string_equal(last_told, "message-unreadable planted");
	/* In the middle of a line there is no way on. */
	drop.broken = 4;
	drop.readable = 2000;
	(void)say("XTND XLST subject 4");
	assert_int_equal(last_next, POP_NEXT_ABORT);
}

/* However its octets come, and whatever the file has behind them by now. */
static void
test_message_has_its_size(void **state UNUSED)
{
	static const char	 wire[] = "+OK 41 octets\r\nSubject: one\r\nTo: a"
				    "\r\n\r\nbody\r\n..dot\r\nlast\r\n.\r\n";

	drop.texts[0] = "Subject: one\nTo: a\n\nbody\n.dot\nlast\n\nmore";
	assert_string_equal(say("RETR 1"), wire);
	assert_true(drop.peeked > 2);
}

#define LARGE	(9u << 20)		/* can be divided by three */

/* In place of the three messages one of short lines, the last of so many octets. */
static char *
add_large(size_t last, uint32_t flags)
{
	char *text = xalloc(LARGE + last + 3, 1);

	for (size_t i = 0; i < LARGE; i++)
		text[i] = "x\r\n"[i % 3];
	memset(text + LARGE, 'y', last);
	memcpy(text + LARGE + last, "\r\n", 2);
	pop_free(pop);
	drop = (struct drop){ .whole = true, .lends = LARGE };
	add(&drop, text, flags);
	pop = pop_new(&conf, &drop, NULL, NULL, -1, NULL);
	return text;
}

/* What the client gets of RETR 1; the file is lent but for `refused` octets on. */
static void
retrieve_large(const char *text, uint64_t refused, struct buf *wire)
{
	struct pop_file	part = { 0 };
	bool		taken = false;

	buf_clear(&out);
	last_next = pop_line(pop, SPAN("RETR 1"), &out);
	assert_int_equal(last_next, POP_NEXT_FILE);
	while (last_next != POP_NEXT_LINE) {
		assert_int_equal(buf_append(wire, buf_span(&out)), 0);
		buf_clear(&out);
		if (last_next != POP_NEXT_FILE) {
			taken |= last_next == POP_NEXT_TAKEN;
			last_next = pop_fill(pop, &out);
			continue;
		}
		last_next = part.off + part.n >= refused ?
		    pop_file(pop, part.n, NULL) :
		    pop_file(pop, part.n, &part);
		if (last_next != POP_NEXT_FILE)
			continue;
		assert_int_equal(part.fd, LENT_FD);
		assert_int_equal(buf_append(wire, span_of(text + part.off,
		    (size_t)part.n)), 0);
	}
	assert_int_equal(buf_append(wire, buf_span(&out)), 0);
	assert_int_equal(taken, refused > 0);
}

static void
expect_large(const char *text, const struct buf *wire)
{
	struct span	got = buf_span(wire);
	size_t		n = strlen(text);

	got = span_skip(got, span_find(got, '\n') + 1);
	assert_int_equal(got.n, n + 3);
	assert_memory_equal(got.p, text, n);
	assert_memory_equal(got.p + n, ".\r\n", 3);
}

/* Wherever in a line the part ends that goes from the file. */
static void
test_lends(void **state UNUSED)
{
	struct buf wire;

	may_lend = true;
	buf_init(&wire, 2 * LARGE);
	for (size_t i = 0; i < 6; i++) {
		char *text = add_large(i / 2, DROP_AS_SENT);

		retrieve_large(text, i % 2 == 0 ? UINT64_MAX : i == 1 ? 0 :
		    (1 << 20) * i, &wire);
		expect_large(text, &wire);
		buf_clear(&wire);
		free(text);
	}
	buf_fini(&wire);
}

/* The last block is read when the client has what went from the file. */
static void
test_lent_and_changed(void **state UNUSED)
{
	char		*text = add_large(0, DROP_AS_SENT);
	struct pop_file	 part = { 0 };

	may_lend = true;
	drop.lends = 2;
	assert_int_equal(pop_line(pop, SPAN("RETR 1"), &out), POP_NEXT_FILE);
	assert_int_equal(pop_file(pop, 0, &part), POP_NEXT_FILE);
	assert_int_equal(pop_file(pop, part.n, &part), POP_NEXT_ABORT);
	drop.lends = 0;
	assert_true(strncmp(say("RETR 1"), "-ERR [SYS/TEMP] ", 16) == 0);
	drop.lends = LARGE;
	drop.unreadable = true;
	drop.readable = LARGE - (1 << 15);
	part.n = 0;
	buf_clear(&out);
	assert_int_equal(pop_line(pop, SPAN("RETR 1"), &out), POP_NEXT_FILE);
	while (pop_file(pop, part.n, &part) == POP_NEXT_FILE)
		continue;
	do
		buf_clear(&out);
	while ((last_next = pop_fill(pop, &out)) == POP_NEXT_FILL);
	assert_int_equal(last_next, POP_NEXT_TAKEN);
	do
		buf_clear(&out);
	while ((last_next = pop_fill(pop, &out)) == POP_NEXT_FILL);
	assert_int_equal(last_next, POP_NEXT_ABORT);
	free(text);
}

static void
test_does_not_lend(void **state UNUSED)
{
	char *text = add_large(0, 0);

	may_lend = true;
	buf_clear(&out);
	assert_int_equal(pop_line(pop, SPAN("RETR 1"), &out), POP_NEXT_FILL);
	free(text);
	text = add_large(0, DROP_AS_SENT);
	buf_clear(&out);
	assert_int_equal(pop_line(pop, SPAN("TOP 1 9"), &out), POP_NEXT_FILL);
	may_lend = false;
	buf_clear(&out);
	assert_int_equal(pop_line(pop, SPAN("RETR 1"), &out), POP_NEXT_FILL);
	free(text);
}

/* Of a long message no more than a header's worth, until more is wanted. */
static void
test_top_reads_little(void **state UNUSED)
{
	static char	text[60000];
	size_t		n = 0;

	for (; n < sizeof(text) - 100; n += 2)
		memcpy(text + n, n == 6 ? "\n\n" : "a\n", 2);
	drop.whole = true;
	add(&drop, text, 0);
	pop_free(pop);
	pop = pop_new(&conf, &drop, NULL, NULL, -1, NULL);
	assert_string_equal(say("TOP 4 0"), "+OK Top of message follows.\r\n"
	    "a\r\na\r\na\r\n\r\n.\r\n");
	assert_int_equal(drop.given, TEXT_FIRST);
	drop.given = 0;
	(void)say("TOP 4 1300");
	assert_int_equal(drop.given, TEXT_FIRST + 2 * TEXT_FIRST);
}

static void
test_bad_commands_end(void **state UNUSED)
{
	for (unsigned i = 1; i < conf.bad_max; i++) {
		assert_string_equal(say("FOO"), "-ERR Unknown command.\r\n");
		assert_int_equal(last_next, POP_NEXT_LINE);
	}
	(void)say("NOOP");	/* in a row is meant */
	for (unsigned i = 1; i < conf.bad_max; i++)
		(void)say("USER x");
	assert_int_equal(last_next, POP_NEXT_LINE);
	assert_string_equal(say("FOO"),
	    "-ERR [SYS/TEMP] Too many bad commands.\r\n");
	assert_int_equal(last_next, POP_NEXT_CLOSE);
	assert_int_equal(drop.commits, 0);
}

/* What CAPA says before the login it says after it (RFC 2449 s.5). */
static void
test_capa_stays(void **state UNUSED)
{
	const unsigned offers = 1u << BY_PLAIN | 1u << BY_CRAM_MD5;

	for (unsigned needs_tls = 0; needs_tls < 2; needs_tls++) {
		static struct pop_conf	c;
		char			before[1024];
		struct authorize	a;

		authorize_init(&a, "h", NULL, 1, 9, 99, false);
		a.offers = offers;
		a.needs_tls = needs_tls != 0;
		buf_clear(&out);
		assert_int_equal(authorize_line(&a, SPAN("CAPA"), &out),
		    AUTHORIZE_MORE);
		assert_true(span_cstr(buf_span(&out), before, sizeof(before)));
		c = conf;
		c.implementation = NULL;
		c.offers = offers;
		c.words = authorize_words(&a);
		pop_free(pop);
		pop = pop_new(&c, &drop, NULL, NULL, -1, NULL);
		assert_string_equal(say("CAPA"), before);
		assert_int_equal(strstr(before, "PLAIN") == NULL, needs_tls);
		authorize_fini(&a);
	}
}

/* ---- groups ---- */

static const char	groups_text[] =
    "board one {\n maildrop = %s/one\n}\nboard two {\n maildrop = %s/two\n}\n";

static void
put_group(struct test_dir *d, const char *name, const char *text)
{
	int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_APPEND, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

/* A session that may read groups, in that folder. */
static void
setup_groups(struct test_dir *d)
{
	static struct pop_conf	own;
	static char		path[256];
	char			text[512];

	assert_int_equal(setup(NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/groups", d->path);
	(void)snprintf(text, sizeof(text), groups_text, d->path, d->path);
	put_group(d, "groups", text);
	put_group(d, "one", "1");
	put_group(d, "two", "22");
	own = conf;
	own.bboards = path;
	own.copy_max = 2;
	pop_free(pop);
	pop = pop_new(&own, &drop, NULL, NULL, -1, NULL);
	board = (struct drop){ 0 };
}

/* A client may ask for the list as often as it likes: nothing is copied, and
 * nothing scanned but what has changed. */
static void
test_maxima_are_kept(void **state)
{
	static const char	list[] = "+OK XTND\r\none 8\r\ntwo 8\r\n.\r\n";
	struct test_dir		*d = *state;

	setup_groups(d);
	add(&board, "BBoard-Id: 7\n\nx\n", 0);
	add(&board, "Subject: next\n\nx\n", 0);
	images = tempfiles = 0;

	for (int i = 0; i < 3; i++) {
		assert_string_equal(say("XTND BBOARDS"), list);
		assert_int_equal(images, 2);
	}
	assert_non_null(strstr(say("XTND X-BBOARDS two"), "\r\n0 8\r\n"));
	assert_int_equal(images, 2);
	put_group(d, "two", "3");
	assert_string_equal(say("XTND BBOARDS"), list);
	assert_int_equal(images, 3);
	put_group(d, "one.cnt", "12\n");
	assert_string_equal(say("XTND BBOARDS"),
	    "+OK XTND\r\none 12\r\ntwo 8\r\n.\r\n");
	assert_int_equal(images, 3);
	assert_int_equal(tempfiles, 0);
	/* Opening one needs a copy, if it may be as large. */
	assert_true(span_starts(span_str(say("XTND BBOARDS two")),
	    SPAN("-ERR [SYS/PERM] ")));
	assert_string_equal(say("STAT"), "+OK 3 108\r\n");
	assert_string_equal(say("XTND BBOARDS one"),
	    "+OK XTND\r\none 12\r\n.\r\n");
	assert_int_equal(images, 4);
	assert_int_equal(teardown(NULL), 0);
}

/* UPDATE fails when the maildrop is left: with its journal open it is not to be done
 * once more, so that the session ends. */
static void
test_switch_without_update(void **state)
{
	for (unsigned unfinished = 0; unfinished < 2; unfinished++) {
		setup_groups(*state);
		drop.cannot_commit = true;
		drop.unfinished = unfinished != 0;
		(void)say("DELE 1");
		assert_true(span_starts(span_str(say("XTND BBOARDS one")),
		    SPAN("-ERR [SYS/TEMP] ")));
		assert_int_equal(last_next, unfinished ? POP_NEXT_CLOSE :
		    POP_NEXT_LINE);
		assert_int_equal(given_up, unfinished);
		assert_int_equal(released, 0);
		assert_int_equal(teardown(NULL), 0);
	}
}

/* When the groups' file cannot be read it is not said that there are none. */
static void
test_groups_not_now(void **state UNUSED)
{
	static const char *const	lines[] = { "XTND BBOARDS",
		"XTND BBOARDS one", "XTND X-BBOARDS one", "XTND ARCHIVE one" };
	struct pop_conf			own = conf;

	own.bboards = "/nonexistent/groups";
	pop_free(pop);
	pop = pop_new(&own, &drop, NULL, NULL, -1, NULL);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_true(span_starts(span_str(say(lines[i])),
		    SPAN("-ERR [SYS/TEMP] ")));
		assert_int_equal(last_next, POP_NEXT_LINE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_script, setup, teardown),
		cmocka_unit_test_setup_teardown(test_script, setup_lazy,
		    teardown),
		cmocka_unit_test_setup_teardown(test_quit_updates, setup_lazy,
		    teardown),
		cmocka_unit_test_setup_teardown(test_expires_by_age, setup_lazy,
		    teardown),
		cmocka_unit_test_setup_teardown(test_expires_by_a_kept_clock,
		    setup_lazy, teardown),
		cmocka_unit_test_setup_teardown(test_message_has_its_size,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_utf8, setup_lazy,
		    teardown),
		cmocka_unit_test_setup_teardown(test_marks, setup_lazy,
		    teardown),
		cmocka_unit_test_setup_teardown(test_asks_for_little,
		    setup_lazy, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_message,
		    setup_lazy, teardown),
		cmocka_unit_test_setup_teardown(test_utf8, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quit_updates, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_expires_by_age, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_expires_by_a_kept_clock,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_expires_when_retrieved,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_expires_without_quit,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_marks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_marks_of_another_maildrop,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_update_says_so,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable_message, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_fields_of_others, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_lends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lent_and_changed, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_does_not_lend, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_top_reads_little, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_bad_commands_end, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_maxima_are_kept,
		    test_dir_setup, test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_switch_without_update,
		    test_dir_setup, test_dir_teardown),
		cmocka_unit_test_setup_teardown(test_groups_not_now, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_capa_stays, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

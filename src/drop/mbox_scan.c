/* SPDX-License-Identifier: ISC */
#include "drop/mbox_scan.h"

#include "base/alloc.h"
#include "drop/uidl.h"
#include "sys/file_pass.h"

#include <stdlib.h>

enum {					/* mbox_scan.signs */
	SIGN_SUBJECT	= 1u << 0,
	SIGN_X_IMAP	= 1u << 1,
	SIGN_FROM	= 1u << 2,
};

void
mbox_table_fini(struct mbox_table *t)
{
	free(t->m);
	*t = (struct mbox_table){ 0 };
}

/* ------------------------------------------------------- header fields */

struct span
mbox_field_name(struct span line)
{
	size_t colon = span_find(line, ':');

	return colon == line.n ? (struct span){ 0 } :
	    span_trim(span_first(line, colon));
}

bool
mbox_field_mutable(struct span name)
{
	static const struct span list[] = {
		SPAN("Status"), SPAN("X-Status"), SPAN("X-Keywords"),
		SPAN("X-UID"), SPAN("X-UIDL"), SPAN("X-IMAP"),
		SPAN("X-IMAPbase"), SPAN("Content-Length"), SPAN("Lines"),
	};

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		if (span_eq_nocase(name, list[i]))
			return true;
	return false;
}

static bool
contains_nocase(struct span s, struct span what)
{
	for (; s.n >= what.n; s = span_skip(s, 1))
		if (span_starts_nocase(s, what))
			return true;
	return false;
}

/* c-client's and Dovecot's marks of a pseudo-message; two of three tell. */
static void
look_for_signs(struct mbox_scan *s, struct span name, struct span line)
{
	if (span_eq_nocase(name, SPAN("Subject")) && contains_nocase(line,
	    SPAN("DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA")))
		s->signs |= SIGN_SUBJECT;
	if (span_eq_nocase(name, SPAN("From")) &&
	    contains_nocase(line, SPAN("Mail System Internal Data")))
		s->signs |= SIGN_FROM;
	if (span_eq_nocase(name, SPAN("X-IMAP")))
		s->signs |= SIGN_X_IMAP;
}

static void
read_status(struct mbox_scan *s, struct span line)
{
	struct span value = span_skip(line, span_find(line, ':'));

	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] >= 'A' && value.p[i] <= 'Z')
			s->cur.letters |= 1u << (value.p[i] - 'A');
	if (s->cur.letters & 1u << ('R' - 'A'))
		s->cur.flags |= MBOX_SEEN;
	if (s->cur.status_len == 0 && !s->in_status) {
		s->in_status = true;
		s->cur.status = s->line;
	}
}

/* ------------------------------------------------------------- octets */

/* Octets of the text, in their order, each exactly once. */
static void
put_kept(struct mbox_scan *s, struct span part)
{
	dot_count(&s->wire, part);
	digest_add(&s->digest, part);
}

static void
put_mutable(struct mbox_scan *s, struct span part)
{
	dot_count(&s->wire, part);
	if (!s->changing)
		digest_init(&s->change_digest);
	s->changing = true;
	digest_add(&s->change_digest, part);
}

/* Where a mutable line stands counts as well: begin each with its offset. */
static void
mark_mutable(struct mbox_scan *s)
{
	uint64_t	at = s->line - s->cur.text;
	uint8_t		b[8];

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(at >> 8 * i);
	if (!s->changing)
		digest_init(&s->change_digest);
	s->changing = true;
	digest_add(&s->change_digest, span_of(b, sizeof(b)));
}

static void
put(struct mbox_scan *s, struct span part)
{
	if (s->take == TAKE_MUTABLE)
		put_mutable(s, part);
	else
		put_kept(s, part);
}

/* The blank line that was held back is text: something else followed it. */
static void
put_blank(struct mbox_scan *s)
{
	if (s->nblank > 0)
		put_kept(s, span_skip(SPAN("\r\n"), 2 - s->nblank));
	s->nblank = 0;
	s->after_blank = false;
}

/* ------------------------------------------------------------- messages */

struct span
mbox_missing_end(const struct mbox_msg *m, uint8_t last)
{
	if (last == '\n')
		return (struct span){ 0 };
	return last == '\r' && m->text < m->end ? SPAN("\r\n") : SPAN("\n");
}

static void
put_missing_end(struct mbox_scan *s)
{
	struct span end = mbox_missing_end(&s->cur, !s->wire.mid_line ? '\n' :
			    s->wire.after_cr ? '\r' : '.');

	digest_add(s->part == PART_HEAD && s->mutable ? &s->change_digest :
	    &s->digest, end);
}

/* The From_ line, whose digest there is by now, has ended before pos. */
static void
begin_message(struct mbox_scan *s, bool ended)
{
	s->cur = (struct mbox_msg){
		.from	  = s->line,
		.text	  = s->pos,
		.head_end = s->pos,
		.delivered = from_line_when(span_of(s->tail, s->ntail)),
	};
	if (!ended)
		s->cur.flags |= MBOX_HEAD_OPEN;
	else if (s->from_cr)
		s->cur.flags |= MBOX_CRLF;
	s->wire = (struct dot_counter){ 0 };
	s->part = PART_HEAD;
	s->nblank = 0;
	s->after_blank = false;
	s->mutable = false;
	s->in_status = false;
	s->changing = false;
	s->digest = s->from_digest;
	digest_add(&s->digest, SPAN("\n"));
}

/* The next From_ line, or the file's end, is at octet `next`. */
static void
end_message(struct mbox_scan *s, uint64_t next)
{
	struct mbox_table *t = s->out;

	s->cur.next = next;
	s->cur.end = next - s->nblank;
	if (s->nblank > 0)
		s->cur.flags |= MBOX_SEPARATED;
	if (s->part == PART_HEAD)
		s->cur.head_end = s->cur.end;
	put_missing_end(s);
	if (s->wire.is_8bit)
		s->cur.flags |= MBOX_8BIT;
	s->cur.size_wire = dot_count_end(&s->wire);
	digest_take(&s->digest, s->cur.digest);
	if (s->changing)
		digest_take(&s->change_digest, s->cur.changing);
	/* Bits set: two of three, or all. */
	if (t->n == 0 && (s->signs & (s->signs - 1)) != 0)
		s->cur.flags |= MBOX_HIDDEN;
	t->m = xgrow(t->m, t->n, &t->cap, sizeof(*t->m));
	t->m[t->n++] = s->cur;
}

/* ---------------------------------------------------------------- lines */

/* The line goes on behind what was held, or is over. */
static void
take_rest(struct mbox_scan *s, bool over, enum mbox_take how)
{
	s->nheld = 0;
	s->take = over ? TAKE_HOLD : how;
}

static void
header_line(struct mbox_scan *s, bool over)
{
	struct span line = span_of(s->held, s->nheld);
	struct span name = mbox_field_name(line);

	if (line.p[0] != ' ' && line.p[0] != '\t') {
		s->mutable = mbox_field_mutable(name);
		if (s->out->n == 0)
			look_for_signs(s, name, line);
		if (span_eq_nocase(name, SPAN("Status")))
			read_status(s, line);
	}
	s->take = s->mutable ? TAKE_MUTABLE : TAKE_KEEP;
	if (s->mutable)
		mark_mutable(s);
	put(s, line);
	if (line.p[line.n - 1] == '\n')
		s->cur.flags &= ~(uint32_t)MBOX_HEAD_OPEN;
	else
		s->cur.flags |= MBOX_HEAD_OPEN;
	if (over && s->in_status) {
		s->cur.status_len = s->line + line.n - s->cur.status;
		s->in_status = false;
	}
	take_rest(s, over, s->take);
}

static void
blank_line(struct mbox_scan *s)
{
	if (s->part == PART_HEAD)
		s->cur.head_end = s->line;
	put_blank(s);
	s->part = PART_BODY;
	s->nblank = s->nheld;
	s->after_blank = true;
	take_rest(s, true, TAKE_KEEP);
}

/* A line that begins as a From_ line does, where one may stand. */
static bool
may_be_separator(const struct mbox_scan *s)
{
	return (s->part == PART_PREAMBLE ||
	    (s->part == PART_BODY && s->after_blank)) &&
	    from_line_starts(span_of(s->held, s->nheld));
}

static void
keep_tail(struct mbox_scan *s, struct span part)
{
	size_t old = s->ntail;

	if (part.n > FROM_TAIL)
		part = span_skip(part, part.n - FROM_TAIL);
	if (old + part.n > FROM_TAIL)
		old = FROM_TAIL - part.n;
	memmove(s->tail, s->tail + s->ntail - old, old);
	memcpy(s->tail + old, part.p, part.n);
	s->ntail = old + part.n;
}

/* More of that line, without its LF. */
static void
follow_from_line(struct mbox_scan *s, struct span part)
{
	if (part.n == 0)
		return;
	from_match_feed(&s->match, part);
	keep_tail(s, part);
	if (s->part == PART_BODY)
		put_kept(s, part);
	if (s->from_cr)
		digest_add(&s->from_digest, SPAN("\r"));
	s->from_cr = part.p[part.n - 1] == '\r';
	part.n -= s->from_cr;
	digest_add(&s->from_digest, part);
}

/*
 * What it is, its end tells, however far that is: until then it is both, text
 * of this message and the beginning of another one.
 */
static void
begin_from_line(struct mbox_scan *s)
{
	s->take = TAKE_FROM;
	s->match = (struct from_match){ 0 };
	s->from_cr = false;
	s->ntail = 0;
	digest_init(&s->from_digest);
	s->text_digest = s->digest;
	s->text_wire = s->wire;
	s->text_nblank = s->nblank;
	if (s->part == PART_BODY)
		put_blank(s);
	follow_from_line(s, span_of(s->held, s->nheld));
	s->nheld = 0;
}

/* lf: the line ended with one; else the file did. */
static void
end_from_line(struct mbox_scan *s, bool lf)
{
	s->take = TAKE_HOLD;
	if (!from_match_end(&s->match)) {
		if (s->part == PART_PREAMBLE)
			s->part = PART_FOREIGN;
		else if (lf)
			put_kept(s, SPAN("\n"));
		return;
	}
	if (s->part == PART_BODY) {
		s->digest = s->text_digest;
		s->wire = s->text_wire;
		s->nblank = s->text_nblank;
		end_message(s, s->line);
	}
	if (s->out->n == s->max)
		s->part = PART_REST;
	else
		begin_message(s, lf);
}

/*
 * Enough of a line is held to say what it is: all of it (over: up to its LF,
 * or to the end of the file), or so much that it can be no separator.
 */
static void
decide(struct mbox_scan *s, bool over)
{
	struct span line = span_of(s->held, s->nheld);

	if (s->part == PART_FOREIGN || s->part == PART_REST) {
		return;		/* a held line that belongs to no message */
	} else if (may_be_separator(s)) {
		begin_from_line(s);
	} else if (s->part == PART_PREAMBLE) {
		s->part = PART_FOREIGN;
	} else if (span_eq(line, SPAN("\n")) || span_eq(line, SPAN("\r\n"))) {
		blank_line(s);
	} else if (s->part == PART_HEAD) {
		header_line(s, over);
	} else {
		put_blank(s);
		put_kept(s, line);
		take_rest(s, over, TAKE_KEEP);
	}
}

/* Is there any need to see more of this line, which is in no header? */
static bool
undecided(const struct mbox_scan *s)
{
	static const struct span from = SPAN("From ");
	struct span line = span_of(s->held, s->nheld);

	if (s->part == PART_BODY && line.n == 1 && line.p[0] == '\r')
		return true;
	return (s->part == PART_PREAMBLE || s->after_blank) &&
	    line.n < from.n && span_starts(from, line);
}

/* Collect the line's beginning.  Returns the octets used, at least one. */
static size_t
hold(struct mbox_scan *s, struct span in)
{
	size_t n = 1;

	if (s->nheld == 0)
		s->line = s->pos;
	if (s->part == PART_PREAMBLE && s->nheld == 0 &&
	    (in.p[0] == '\0' || in.p[0] == '\r' || in.p[0] == '\n')) {
		s->pos++;
		return 1;
	}
	if (s->part == PART_HEAD) {
		in = span_first(in, MBOX_HELD - s->nheld);
		n = span_find(in, '\n');
		n += n < in.n;
	}
	memcpy(s->held + s->nheld, in.p, n);
	s->nheld += n;
	s->pos += n;
	if (in.p[n - 1] == '\n')
		decide(s, true);
	else if (s->part == PART_HEAD ? s->nheld == MBOX_HELD : !undecided(s))
		decide(s, false);
	return n;
}

/* Does a field with such a first letter have to be looked at? */
static bool
is_telling(struct span line)
{
	return span_find(SPAN("CLSXclsx"), line.p[0]) < 8 &&
	    mbox_field_mutable(mbox_field_name(span_first(line, MBOX_HELD)));
}

/*
 * Whole header lines that are part of the identity and tell nothing else: how
 * much of `in`, which begins with a line, they are.
 */
static size_t
header_run(const struct mbox_scan *s, struct span in)
{
	bool	kept = !s->mutable;
	size_t	n = 0;

	while (n < in.n) {
		struct span	line = span_skip(in, n);
		size_t		lf;

		if (line.p[0] == '\n' || line.p[0] == '\r' || is_telling(line) ||
		    (!kept && (line.p[0] == ' ' || line.p[0] == '\t')))
			break;
		lf = span_find(line, '\n');
		if (lf == line.n)
			break;
		kept = true;
		n += lf + 1;
	}
	return n;
}

/* In the first message of a file each field might be a sign. */
static size_t
begin_lines(struct mbox_scan *s, struct span in)
{
	size_t n = s->part == PART_HEAD && s->nheld == 0 && s->out->n > 0 ?
	    header_run(s, in) : 0;

	if (n == 0)
		return hold(s, in);
	put_kept(s, span_first(in, n));
	s->pos += n;
	s->mutable = false;
	s->cur.flags &= ~(uint32_t)MBOX_HEAD_OPEN;
	return n;
}

/* The rest of a header line that is longer than what is held. */
static size_t
pass_header(struct mbox_scan *s, struct span in)
{
	size_t	n = span_find(in, '\n');
	bool	over = n < in.n;

	n += over;
	put(s, span_first(in, n));
	s->pos += n;
	if (!over)
		return n;
	s->cur.flags &= ~(uint32_t)MBOX_HEAD_OPEN;
	if (s->in_status) {
		s->cur.status_len = s->pos - s->cur.status;
		s->in_status = false;
	}
	s->take = TAKE_HOLD;
	return n;
}

/*
 * Where in in.p[0..at) the last line begins, if it is a blank one or as much of one
 * as there is; else `at`.  What stands in front of `in` is text of in's first line.
 */
static size_t
blank_before(struct span in, size_t at)
{
	size_t begin = at;

	if (begin > 0 && in.p[begin - 1] == '\n')
		begin--;
	if (begin > 0 && in.p[begin - 1] == '\r')
		begin--;
	return begin > 0 && begin < at && in.p[begin - 1] == '\n' ? begin : at;
}

/*
 * Count as much of `in`, which goes on a line with text in it, as is text for sure:
 * all up to a blank line in front of what might be a From_ line, or of the end.
 */
static size_t
count_body(struct dot_counter *wire, struct span in)
{
	size_t	at = 0;
	size_t	end;

	do {
		at += dot_count_until(wire, span_skip(in, at), 'F');
		end = blank_before(in, at);
	} while (at < in.n && end == at);
	if (end < at)
		dot_take_back(wire, span_skip(span_first(in, at), end));
	return end;
}

static size_t
pass_body(struct mbox_scan *s, struct span in)
{
	size_t n = count_body(&s->wire, in);

	digest_add(&s->digest, span_first(in, n));
	s->pos += n;
	s->take = in.p[n - 1] == '\n' ? TAKE_HOLD : TAKE_KEEP;
	return n;
}

static size_t
pass_from_line(struct mbox_scan *s, struct span in)
{
	size_t n = span_find(in, '\n');

	follow_from_line(s, span_first(in, n));
	if (n < in.n)
		n++;
	s->pos += n;
	if (in.p[n - 1] == '\n')
		end_from_line(s, true);
	return n;
}

/* ----------------------------------------------------------------- face */

void
mbox_scan_init(struct mbox_scan *s, struct mbox_table *out)
{
	*s = (struct mbox_scan){ .out = out, .max = MBOX_MAX };
}

void
mbox_scan_feed(struct mbox_scan *s, struct span in)
{
	while (in.n > 0) {
		size_t n = in.n;

		if (s->part == PART_FOREIGN || s->part == PART_REST)
			s->pos += n;
		else if (s->take == TAKE_HOLD)
			n = begin_lines(s, in);
		else if (s->take == TAKE_FROM)
			n = pass_from_line(s, in);
		else if (s->part == PART_HEAD)
			n = pass_header(s, in);
		else
			n = pass_body(s, in);
		in = span_skip(in, n);
	}
}

int
mbox_scan_end(struct mbox_scan *s, struct fault *f)
{
	if (s->take == TAKE_FROM)
		end_from_line(s, false);
	else if (s->take == TAKE_HOLD && s->nheld > 0)
		decide(s, true);
	if (s->part == PART_FOREIGN)
		return fault_set(f, FAULT_PERM, "not a mailbox: it does not "
		    "begin with a From_ line");
	if (s->part == PART_HEAD || s->part == PART_BODY)
		end_message(s, s->pos);
	mbox_number_twins(s->out);
	return 0;
}

/* The next octets of the file, up to `end`. */
static int
feed_block(struct mbox_scan *s, struct file_pass *p, uint64_t end, struct fault *f)
{
	struct span	got;

	if (file_pass_read(p, s->pos, end, &got, f) == -1)
		return -1;
	if (got.n == 0)
		return fault_set(f, FAULT_TEMP,
		    "the file became shorter while it was read");
	mbox_scan_feed(s, got);
	return 0;
}

int
mbox_scan_file(int fd, uint64_t off, uint64_t len, struct mbox_table *out,
    struct fault *f)
{
	struct mbox_scan	 s;
	struct file_pass	 pass;
	uint64_t		 end = off + len;
	int			 r = 0;

	mbox_scan_init(&s, out);
	s.pos = off;
	file_pass_init(&pass, fd, len, len >= MBOX_LONG);
	while (r == 0 && s.pos < end && !mbox_scan_foreign(&s))
		r = feed_block(&s, &pass, end, f);
	file_pass_fini(&pass);
	return r == 0 ? mbox_scan_end(&s, f) : -1;
}

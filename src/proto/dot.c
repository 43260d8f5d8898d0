/* SPDX-License-Identifier: ISC */
#include "proto/dot.h"

#include "base/wide.h"

/*
 * What one turn of the encoder may write besides a run of the text: a doubled
 * dot and CRLF.  With less room it waits for the next call, so that no state
 * between the two octets of a pair is needed.
 */
#define ENCODE_TURN	3
/* What the quick way copies at a time. */
#define WIDE_PAIR	(2 * WIDE)
/* So far ahead the counter has octets fetched: what the processor fetches by itself
 * ends with each page, and what was just read from a disk is in no near cache. */
#define COUNT_AHEAD	2048

static size_t
min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Where output goes: inside the room that a buffer has reserved. */
struct sink {
	uint8_t	*p;
	size_t	 room;
};

static void
put(struct sink *to, struct span s)
{
	if (s.n == 0)
		return;
	memcpy(to->p, s.p, s.n);
	to->p += s.n;
	to->room -= s.n;
}

static struct sink
sink_open(struct buf *out, size_t most)
{
	size_t n = min(most, buf_room(out));

	return (struct sink){ buf_reserve(out, n), n };
}

static void
sink_close(const struct sink *to, const uint8_t *start, struct buf *out)
{
	buf_extend(out, (size_t)(to->p - start));
}

/* A piece of one line, and its end if that is in sight and fits. */
static void
encode_turn(struct dot_encoder *e, struct span *in, struct sink *to)
{
	struct span	run;

	if (!e->mid_line && in->p[0] == '.')
		put(to, SPAN("."));
	run = span_first(*in, to->room);
	run = span_first(run, span_find(run, '\n'));
	put(to, run);
	*in = span_skip(*in, run.n);
	if (run.n > 0) {
		e->mid_line = true;
		e->after_cr = run.p[run.n - 1] == '\r';
	}
	if (in->n == 0 || in->p[0] != '\n' || to->room < 2)
		return;
	put(to, e->after_cr ? SPAN("\n") : SPAN("\r\n"));
	*in = span_skip(*in, 1);
	*e = (struct dot_encoder){ 0 };
}

/* n octets; as many as are still read and written behind them to make that quick
 * are fewer than WIDE_PAIR. */
static void
copy_wide(uint8_t *to, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i += WIDE_PAIR) {
		wide a = wide_at(from + i);
		wide b = wide_at(from + i + WIDE);

		memcpy(to + i, &a, WIDE);
		memcpy(to + i + WIDE, &b, WIDE);
	}
}

/* A line that follows on another, up to its LF; false: it may not fit. */
static bool
encode_line(const uint8_t *line, const uint8_t *lf, struct sink *to)
{
	size_t		 n = (size_t)(lf - line);
	size_t		 cr = lf[-1] == '\r';
	uint8_t		*p = to->p;

	if (to->room < n + WIDE_PAIR + ENCODE_TURN)
		return false;
	if (line[0] == '.')
		*p++ = '.';
	copy_wide(p, line, n);
	p += n;
	p[0] = '\r';
	p[1 - cr] = '\n';
	p += 2 - cr;
	to->room -= (size_t)(p - to->p);
	to->p = p;
	return true;
}

/*
 * Behind a line's end: whole lines, but for the last ones.  Where they end is found
 * out for a block at a time, before any of them is copied: so no step waits for what
 * the one before it has found.
 */
static void
encode_lines(struct span *in, struct sink *to)
{
	/* what is longer has no room */
	size_t		 n = min(in->n, to->room);
	const uint8_t	*line = in->p;
	bool		 fits = true;

	for (size_t at = 0; fits && n - at >= WORD + WIDE_PAIR;
	    at += WORD) {
		uint64_t ends = word_eq(in->p + at, '\n');

		for (; fits && ends != 0; ends &= ends - 1) {
			const uint8_t *lf = in->p + at + __builtin_ctzll(ends);

			fits = encode_line(line, lf, to);
			if (fits)
				line = lf + 1;
		}
	}
	*in = span_skip(*in, (size_t)(line - in->p));
}

void
dot_encode(struct dot_encoder *e, struct span *in, struct buf *out)
{
	/* At worst, each octet becomes two. */
	struct sink	to = sink_open(out, in->n > SIZE_MAX / 2 - ENCODE_TURN
			    ? SIZE_MAX : 2 * in->n + ENCODE_TURN);
	const uint8_t	*start = to.p;

	while (in->n > 0 && to.room >= ENCODE_TURN) {
		encode_turn(e, in, &to);
		if (!e->mid_line)
			encode_lines(in, &to);
	}
	sink_close(&to, start, out);
}

int
dot_encode_end(struct dot_encoder *e, struct buf *out)
{
	bool missing = e->mid_line;

	if (buf_append(out, missing ? SPAN("\r\n.\r\n") : SPAN(".\r\n")) < 0)
		return -1;
	*e = (struct dot_encoder){ 0 };
	return 0;
}

/* What there is in a WORD of text. */
struct look {
	uint64_t	lf;
	uint64_t	cr;
	uint64_t	first;		/* what a line is to begin with */
	uint64_t	eight_bit;
};
typedef struct look look_fn(const uint8_t *p, uint8_t first);

/* What a line may begin with is in most words of base64, so it is none of the few. */
static inline struct look
look_at(const uint8_t *p, uint8_t first)
{
	return (struct look){ word_eq(p, '\n'), word_eq_few(p, '\r'),
		word_eq(p, first), word_8bit(p) };
}

/* Sums over the words of a piece, and what the last one hands on to the next. */
struct words {
	size_t		bare;		/* LFs without a CR */
	uint64_t	eight_bit;
	uint64_t	after_cr;	/* 1 or 0 */
	uint64_t	after_lf;
};

/* Up to a line that begins so, if it is wanted.  Returns its place, or WORD. */
static WIDE_TWICE size_t
count_word(struct words *w, struct look at, bool until)
{
	uint64_t begin = until ? at.first & (at.lf << 1 | w->after_lf) : 0;

	w->after_lf = at.lf >> (WORD - 1);
	if (begin != 0) {
		uint64_t before = (begin & -begin) - 1;	/* the lowest one */

		at.lf &= before;
		at.eight_bit &= before;
	}
	if ((at.cr | w->after_cr) != 0)
		at.lf &= ~(at.cr << 1 | w->after_cr);
	w->after_cr = at.cr >> (WORD - 1);
	w->bare += word_ones(at.lf);
	w->eight_bit |= at.eight_bit;
	return begin == 0 ? WORD : (size_t)__builtin_ctzll(begin);
}

static WIDE_TWICE size_t
count(struct dot_counter *c, struct span text, bool until, uint8_t first,
    look_fn *look)
{
	struct words	w = { .after_cr = c->after_cr };
	uint8_t		rest[WORD];
	size_t		at = 0;
	size_t		n = WORD;

	for (; n == WORD && text.n - at >= WORD; at += n) {
		__builtin_prefetch(text.p + at + COUNT_AHEAD);
		n = count_word(&w, look(text.p + at, first), until);
	}
	if (n == WORD && at < text.n) {
		memset(rest, 0, sizeof(rest));
		memcpy(rest, text.p + at, text.n - at);
		at += min(count_word(&w, look(rest, first), until), text.n - at);
	}
	c->octets += at + w.bare;
	c->mid_line = text.p[at - 1] != '\n';
	c->after_cr = text.p[at - 1] == '\r';
	c->is_8bit = c->is_8bit || w.eight_bit != 0;
	return at;
}

static size_t
count_plain(struct dot_counter *c, struct span text, bool until, uint8_t first)
{
	return count(c, text, until, first, look_at);
}

#ifdef WIDE_AVX2
WIDE_AVX2 static inline struct look
look_avx2(const uint8_t *p, uint8_t first)
{
	return (struct look){ word_eq_avx2(p, '\n'), word_eq_few_avx2(p, '\r'),
		word_eq_avx2(p, first), word_8bit_avx2(p) };
}

WIDE_AVX2 static size_t
count_avx2(struct dot_counter *c, struct span text, bool until, uint8_t first)
{
	return count(c, text, until, first, look_avx2);
}
#else
#define count_avx2	count_plain
#endif

void
dot_count(struct dot_counter *c, struct span text)
{
	if (text.n > 0)
		(void)(wide_avx2 ? count_avx2 : count_plain)(c, text, false, 0);
}

size_t
dot_count_until(struct dot_counter *c, struct span text, uint8_t first)
{
	return text.n == 0 ? 0 :
	    (wide_avx2 ? count_avx2 : count_plain)(c, text, true, first);
}

void
dot_take_back(struct dot_counter *c, struct span lines)
{
	struct dot_counter of = { 0 };

	dot_count(&of, lines);
	c->octets -= of.octets;
	c->mid_line = false;
	c->after_cr = false;
}

uint64_t
dot_count_end(struct dot_counter *c)
{
	if (c->mid_line)
		c->octets += 2;
	c->mid_line = false;
	c->after_cr = false;
	return c->octets;
}

bool
dot_begins_line(const struct dot_counter *c, struct span text)
{
	return text.n > 0 && ((text.p[0] == '.' && !c->mid_line) ||
	    span_find_pair(text, '\n', '.') < text.n);
}

enum {					/* dot_decoder.state */
	AT_START,			/* of a line */
	IN_LINE,
	AFTER_CR,			/* held back: it may belong to CRLF */
	AFTER_DOT,			/* the first octet of a line */
	AFTER_DOT_CR,			/* both held back */
};

/* A run up to the next LF; a CR at its end is held back. */
static void
decode_run(struct dot_decoder *d, struct span *in, struct sink *to)
{
	struct span	run = span_first(*in, to->room);

	run = span_first(run, span_find(run, '\n'));
	*in = span_skip(*in, run.n);
	if (run.n > 0 && run.p[run.n - 1] == '\r') {
		run.n--;
		d->state = AFTER_CR;
	}
	put(to, run);
}

static void
decode_line_end(struct dot_decoder *d, struct span *in, struct sink *to)
{
	*in = span_skip(*in, 1);
	d->done = d->state == AFTER_DOT || d->state == AFTER_DOT_CR;
	if (!d->done)
		put(to, SPAN("\n"));
	d->state = AT_START;
}

/*
 * One step on an octet that is no LF.  What was held back and turned out to
 * be text is written; then the octet is looked at again.
 */
static void
decode_text(struct dot_decoder *d, struct span *in, struct sink *to)
{
	uint8_t c = in->p[0];

	switch (d->state) {
	case AT_START:
		d->state = c == '.' ? AFTER_DOT : IN_LINE;
		if (c == '.')
			*in = span_skip(*in, 1);
		return;
	case AFTER_DOT:
		d->state = c == '\r' ? AFTER_DOT_CR : IN_LINE;
		if (c == '\r')
			*in = span_skip(*in, 1);
		return;
	case AFTER_DOT_CR:
		d->state = AFTER_CR;
		return;
	case AFTER_CR:
		put(to, SPAN("\r"));
		d->state = IN_LINE;
		return;
	default:
		decode_run(d, in, to);
	}
}

void
dot_decode(struct dot_decoder *d, struct span *in, struct buf *out)
{
	struct sink	to = sink_open(out, in->n == SIZE_MAX ? in->n
			    : in->n + 1);	/* a CR held back */
	const uint8_t	*start = to.p;

	while (in->n > 0 && to.room > 0 && !d->done) {
		if (in->p[0] == '\n')
			decode_line_end(d, in, &to);
		else
			decode_text(d, in, &to);
	}
	sink_close(&to, start, out);
}

/* SPDX-License-Identifier: ISC */
#include "bull/filter.h"

const char *
bull_verdict_text(enum bull_verdict v)
{
	static const char *const text[BULL_VERDICTS] = {
		[BULL_GOOD]	= NULL,
		[BULL_NO_FROM]	= "the first line is not a From_ line "
				  "(\"From sender Sat Jan  1 00:00:00 2000\")",
		[BULL_TWO]	= "it holds more than one message "
				  "(a From_ line after a blank line)",
	};

	return text[v];
}

void
bull_filter_init(struct bull_filter *f, const char *to,
    int (*put)(void *ctx, struct span s), void *ctx)
{
	*f = (struct bull_filter){
		.to = to, .put = put, .ctx = ctx, .keep = true,
	};
}

/* Is line a field of this name?  RFC 5322 s.4.5 allows blanks before ':'. */
static bool
is_field(struct span line, struct span name)
{
	if (!span_starts_nocase(line, name))
		return false;
	line = span_trim(span_skip(line, name.n));
	return line.n > 0 && line.p[0] == ':';
}

static int
put_to(struct bull_filter *f)
{
	f->keep = false;
	if (f->to_done)
		return 0;
	f->to_done = true;
	f->own_end = true;
	if (f->put(f->ctx, SPAN("To: ")) == -1)
		return -1;
	return f->put(f->ctx, span_str(f->to));
}

static bool
is_blank_line(struct span line, bool whole)
{
	return whole && (line.n == 0 || (line.n == 1 && line.p[0] == '\r'));
}

/* What becomes of a header line; a continuation shares its field's fate. */
static int
judge_header(struct bull_filter *f, struct span line, bool whole)
{
	if (is_blank_line(line, whole)) {
		f->place = BULL_IN_BODY;
		f->blank = true;
		f->keep = true;
		return 0;
	}
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return 0;
	if (is_field(line, SPAN("To")))
		return put_to(f);
	f->keep = !is_field(line, SPAN("Status")) &&
	    !is_field(line, SPAN("X-UIDL"));
	return 0;
}

/*
 * Decide about a line by its start, which is all of it when `whole`; a longer
 * one is no blank one.  Whether it is a From_ line its end tells.
 */
static int
judge(struct bull_filter *f, bool whole)
{
	struct span line = span_of(f->head, f->n);

	f->judged = true;
	f->blank = false;
	f->separated = false;
	switch (f->place) {
	case BULL_AT_FROM:
		if (!from_line_starts(line))
			f->verdict = BULL_NO_FROM;
		break;
	case BULL_IN_HEADER:
		return judge_header(f, line, whole);
	case BULL_IN_BODY:
		f->blank = is_blank_line(line, whole);
		f->separated = f->blank;
		break;
	}
	return 0;
}

/* At the end of a line: does it begin a message, and may it? */
static void
judge_from_line(struct bull_filter *f)
{
	bool is_from = from_match_end(&f->from);

	f->from = (struct from_match){ 0 };
	if (f->place == BULL_AT_FROM) {
		f->place = BULL_IN_HEADER;
		if (!is_from)
			f->verdict = BULL_NO_FROM;
	} else if (f->after_blank && is_from) {
		f->verdict = BULL_TWO;
	}
	f->after_blank = f->blank;
}

static int
put_head(struct bull_filter *f)
{
	return f->keep && f->verdict == BULL_GOOD && f->n > 0 ?
	    f->put(f->ctx, span_of(f->head, f->n)) : 0;
}

/* All of a line was taken, but its LF. */
static int
judge_whole(struct bull_filter *f)
{
	bool in_head = !f->judged;

	if (in_head && judge(f, true) == -1)
		return -1;
	judge_from_line(f);
	return in_head ? put_head(f) : 0;
}

static int
put_line_end(struct bull_filter *f)
{
	return f->put(f->ctx, f->crlf ? SPAN("\r\n") : SPAN("\n"));
}

/* The LF of a line that was judged. */
static int
end_line(struct bull_filter *f)
{
	f->crlf = f->last == '\r';
	f->judged = false;
	f->n = 0;
	if (f->own_end) {
		f->own_end = false;
		return put_line_end(f);
	}
	return f->keep ? f->put(f->ctx, SPAN("\n")) : 0;
}

/* Take octets of one line, of which to_end are there; advances *in. */
static int
take_part(struct bull_filter *f, struct span *in, size_t to_end)
{
	size_t		room = sizeof(f->head) - f->n;
	struct span	part = span_first(*in, to_end);

	if (!f->judged)
		part = span_first(part, room);
	*in = span_skip(*in, part.n);
	f->last = part.p[part.n - 1];
	from_match_feed(&f->from, part);
	if (f->judged)
		return f->keep ? f->put(f->ctx, part) : 0;
	memcpy(f->head + f->n, part.p, part.n);
	f->n += part.n;
	if (f->n < sizeof(f->head))
		return 0;
	return judge(f, false) == -1 ? -1 : put_head(f);
}

int
bull_filter_feed(struct bull_filter *f, struct span in)
{
	while (in.n > 0 && f->verdict == BULL_GOOD) {
		size_t to_end = span_find(in, '\n');

		if (to_end > 0) {
			if (take_part(f, &in, to_end) == -1)
				return -1;
			continue;
		}
		in = span_skip(in, 1);
		if (judge_whole(f) == -1)
			return -1;
		if (f->verdict == BULL_GOOD && end_line(f) == -1)
			return -1;
		f->last = '\n';
	}
	return 0;
}

/* A last line without LF: what there is of it counts as a line. */
static int
end_unfinished(struct bull_filter *f)
{
	bool cr;

	if (judge_whole(f) == -1)
		return -1;
	if (f->verdict != BULL_GOOD)
		return 0;
	cr = f->crlf && f->last == '\r' && !f->own_end;
	if (f->keep || f->own_end)
		return cr ? f->put(f->ctx, SPAN("\n")) : put_line_end(f);
	return 0;
}

int
bull_filter_end(struct bull_filter *f)
{
	bool unfinished = f->judged || f->n > 0;

	if (f->verdict != BULL_GOOD)
		return 0;
	if (unfinished && end_unfinished(f) == -1)
		return -1;
	if (f->place == BULL_AT_FROM)
		f->verdict = BULL_NO_FROM;
	if (f->verdict != BULL_GOOD || f->separated)
		return 0;
	return put_line_end(f);
}

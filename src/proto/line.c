/* SPDX-License-Identifier: ISC */
#include "proto/line.h"

#include "base/attr.h"

void
line_init(struct line_reader *r)
{
	*r = (struct line_reader){ .wide = LINE_NARROW };
	buf_init(&r->part, LIMIT_AUTH_LINE);
}

void
line_fini(struct line_reader *r)
{
	buf_fini(&r->part);
	r->swallowing = r->given = false;
}

static struct span
without_cr(struct span line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* Does the line that begins with what is kept, and goes on so, say AUTH? */
static bool
is_auth(struct span kept, struct span next)
{
	static const struct span	word = SPAN("AUTH ");
	struct span			tail = span_skip(word, kept.n);

	return span_starts_nocase(word, span_first(kept, word.n)) &&
	    span_starts_nocase(next, tail);
}

/* Is the line too long, with its next octets (without its LF)? */
static bool
grows_long(const struct line_reader *r, struct span next)
{
	struct span	kept = buf_span(&r->part);
	bool		wide = r->wide == LINE_WIDE ||
			    (r->wide == LINE_AUTH && is_auth(kept, next));

	return kept.n + next.n >= (wide ? LIMIT_AUTH_LINE : LIMIT_LINE);
}

/* All of *in belongs to a line whose LF is still to come. */
static enum line_result
feed_part(struct line_reader *r, struct span *in)
{
	if (r->swallowing || grows_long(r, *in)) {
		r->swallowing = r->swallowing || in->n > 0;
		buf_fini(&r->part);
	} else {
		ASSERT(buf_append(&r->part, *in) == 0);
	}
	*in = span_skip(*in, in->n);
	return LINE_MORE;
}

enum line_result
line_feed(struct line_reader *r, struct span *in, struct span *line_r)
{
	size_t		lf = span_find(*in, '\n');
	struct span	part = span_first(*in, lf);
	bool		too_long;

	if (r->given)
		buf_fini(&r->part);	/* nobody has that line any more */
	r->given = false;
	if (lf == in->n)
		return feed_part(r, in);
	*in = span_skip(*in, lf + 1);
	too_long = r->swallowing || grows_long(r, part);
	if (!too_long && buf_len(&r->part) > 0) {
		ASSERT(buf_append(&r->part, part) == 0);
		part = buf_span(&r->part);
	}
	r->swallowing = false;
	r->given = true;
	if (too_long)
		return LINE_TOO_LONG;
	*line_r = without_cr(part);
	return LINE_READY;
}

struct span
line_pending(const struct line_reader *r)
{
	return r->given ? SPAN("") : buf_span(&r->part);
}

/* SPDX-License-Identifier: ISC */
#include "proto/line.h"

#include "base/attr.h"

void
line_init(struct line_reader *r)
{
	explicit_bzero(r, sizeof(*r));
}

static struct span
without_cr(struct span line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static void
keep(struct line_reader *r, struct span s)
{
	ASSERT(s.n <= sizeof(r->b) - r->n);
	if (s.n > 0)
		memcpy(r->b + r->n, s.p, s.n);
	r->n += s.n;
}

/* All of *in belongs to a line whose LF is still to come. */
static enum line_result
feed_part(struct line_reader *r, struct span *in)
{
	if (r->swallowing || in->n >= LIMIT_LINE - r->n) {
		r->swallowing = r->swallowing || in->n > 0;
		r->n = 0;
	} else {
		keep(r, *in);
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

	if (lf == in->n)
		return feed_part(r, in);
	*in = span_skip(*in, lf + 1);
	too_long = r->swallowing || part.n >= LIMIT_LINE - r->n;
	if (!too_long && r->n > 0) {
		keep(r, part);
		part = span_of(r->b, r->n);
	}
	r->swallowing = false;
	r->n = 0;
	if (too_long)
		return LINE_TOO_LONG;
	*line_r = without_cr(part);
	return LINE_READY;
}

struct span
line_pending(const struct line_reader *r)
{
	return span_of(r->b, r->n);
}

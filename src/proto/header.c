/* SPDX-License-Identifier: ISC */
#include "proto/header.h"

static bool
is_continuation(struct span rest)
{
	return rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t');
}

static struct span
without_cr(struct span line)
{
	return line.n > 0 && line.p[line.n - 1] == '\r' ?
	    span_first(line, line.n - 1) : line;
}

/* RFC 5322 s.3.6.8: printable ASCII; blanks may stand before the colon. */
static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 127)
			return false;
	return s.n > 0;
}

bool
header_next(struct span *rest, struct header_field *out)
{
	struct span	start = *rest;
	struct span	line;
	struct span	all;
	struct span	name;
	size_t		colon;

	*out = (struct header_field){ 0 };
	if (!span_line(rest, &line) || without_cr(line).n == 0)
		return false;
	while (is_continuation(*rest))
		(void)span_line(rest, &line);
	all = without_cr(span_first(start,
	    (size_t)(line.p - start.p) + line.n));
	colon = span_find(all, ':');
	name = span_trim(span_first(all, colon));
	if (colon == all.n || !is_name(name) || is_continuation(start)) {
		out->value = all;
		return true;
	}
	out->name = name;
	out->value = span_skip(all, colon + 1);
	return true;
}

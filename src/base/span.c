/* SPDX-License-Identifier: ISC */
#include "base/span.h"

#include "base/attr.h"

#include <stdio.h>
#include <stdlib.h>

void
assert_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "popper: assertion failed: %s (%s:%d)\n", what, file,
	    line);
	abort();
}

bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
span_eq_nocase(struct span a, struct span b)
{
	return a.n == b.n && span_starts_nocase(a, b);
}

bool
span_starts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_eq(span_first(s, prefix.n), prefix);
}

bool
span_starts_nocase(struct span s, struct span prefix)
{
	if (s.n < prefix.n)
		return false;
	for (size_t i = 0; i < prefix.n; i++)
		if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i]))
			return false;
	return true;
}

size_t
span_find(struct span s, uint8_t c)
{
	const uint8_t *hit = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	return hit == NULL ? s.n : (size_t)(hit - s.p);
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

struct span
span_trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_skip(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct span
span_word(struct span *rest)
{
	struct span	word;
	size_t		n = 0;

	while (rest->n > 0 && is_blank(rest->p[0]))
		*rest = span_skip(*rest, 1);
	while (n < rest->n && !is_blank(rest->p[n]))
		n++;
	word = span_first(*rest, n);
	*rest = span_skip(*rest, n);
	return word;
}

bool
span_line(struct span *rest, struct span *line_r)
{
	size_t n;

	if (rest->n == 0)
		return false;
	n = span_find(*rest, '\n');
	*line_r = span_first(*rest, n);
	*rest = span_skip(*rest, n + 1);
	return true;
}

bool
span_is_ascii(struct span s)
{
	uint64_t	all = 0;
	uint64_t	word;

	for (; s.n >= sizeof(word); s = span_skip(s, sizeof(word))) {
		memcpy(&word, s.p, sizeof(word));
		all |= word;
	}
	for (size_t i = 0; i < s.n; i++)
		all |= s.p[i];
	return (all & 0x8080808080808080u) == 0;
}

bool
span_cstr(struct span s, char *out, size_t cap)
{
	ASSERT(cap > 0);
	out[0] = '\0';
	if (s.n >= cap || span_find(s, '\0') != s.n)
		return false;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

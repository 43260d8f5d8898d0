/* SPDX-License-Identifier: ISC */
#include "base/span.h"

#include "base/attr.h"
#include "base/wide.h"

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

/* No pair begins in front of there, and one does soon, or s ends. */
static size_t
find_near_pair(struct span s, uint8_t a, uint8_t b)
{
	size_t i = 0;

	for (; s.n - i > 2 * WIDE; i += 2 * WIDE) {
		const uint8_t *p = s.p + i;

		if (wide_any((wide_eq(wide_at(p), a) &
		    wide_eq(wide_at(p + 1), b)) |
		    (wide_eq(wide_at(p + WIDE), a) &
		    wide_eq(wide_at(p + WIDE + 1), b))))
			break;
	}
	return i;
}

size_t
span_find_pair(struct span s, uint8_t a, uint8_t b)
{
	for (size_t i = find_near_pair(s, a, b); i + 1 < s.n; i++)
		if (s.p[i] == a && s.p[i + 1] == b)
			return i;
	return s.n;
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
	wide	all = { 0 };
	uint8_t	rest = 0;

	for (; s.n >= 2 * WIDE; s = span_skip(s, 2 * WIDE))
		all |= wide_at(s.p) | wide_at(s.p + WIDE);
	for (size_t i = 0; i < s.n; i++)
		rest |= s.p[i];
	return rest < 0x80 && !wide_any(all & 0x80);
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

/* SPDX-License-Identifier: ISC */
/*
 * A view of bytes that somebody else owns.  No NUL is assumed and none is
 * added; foreign bytes are never handled by the str* functions.
 * Floor 0, pure.  Case means ASCII case, whatever the locale.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t	*p;		/* borrows; may be NULL when n == 0 */
	size_t		 n;
};

/* A literal, without its NUL. */
#define SPAN(lit)	((struct span){ (const uint8_t *)(lit), sizeof(lit) - 1 })

static inline struct span
span_of(const void *p, size_t n)
{
	return (struct span){ p, n };
}

static inline struct span
span_str(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

/* The part behind the first n bytes; empty when there are not so many. */
static inline struct span
span_skip(struct span s, size_t n)
{
	if (n > s.n)
		n = s.n;
	return (struct span){ s.p + n, s.n - n };
}

/* The first n bytes, or all. */
static inline struct span
span_first(struct span s, size_t n)
{
	return (struct span){ s.p, n < s.n ? n : s.n };
}

bool	span_eq(struct span a, struct span b);
bool	span_eq_nocase(struct span a, struct span b);
bool	span_starts(struct span s, struct span prefix);
bool	span_starts_nocase(struct span s, struct span prefix);

/* Index of the first c, or s.n when there is none. */
size_t	span_find(struct span s, uint8_t c);

/* Index of the first a that a b follows, or s.n. */
size_t	span_find_pair(struct span s, uint8_t a, uint8_t b);

/* Without leading and trailing blanks and tabs. */
struct span	span_trim(struct span s);

/*
 * Cut the next word (bytes between blanks and tabs) off *rest.
 * Returns an empty span when none is left.
 */
struct span	span_word(struct span *rest);

/*
 * Cut the next line off *rest, without its LF; false when *rest is empty.
 * A last line without LF counts.
 */
bool	span_line(struct span *rest, struct span *line_r);

/*
 * Copy into a C string of cap bytes.  False, and an empty string, when it
 * does not fit or holds a NUL.
 */
bool	span_cstr(struct span s, char *out, size_t cap);

/* Its bytes, without a NUL, to where there is room for them; their end. */
static inline char *
span_put(struct span s, char *out)
{
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	return out + s.n;
}

bool	span_is_ascii(struct span s);

static inline uint8_t
ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static inline bool
ascii_isdigit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

#endif

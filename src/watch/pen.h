/* SPDX-License-Identifier: ISC */
/*
 * Where pieces of a line are put; what does not fit leaves it as it was.
 * Floor 1, pure; this room's own.
 */
#ifndef WATCH_PEN_H
#define WATCH_PEN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct pen {
	char	*b;		/* borrows */
	size_t	 n;
	size_t	 cap;
};

static inline bool
pen_put(struct pen *p, const char *s, size_t n)
{
	if (n > p->cap - p->n)
		return false;
	memcpy(p->b + p->n, s, n);
	p->n += n;
	return true;
}

static inline bool
pen_word(struct pen *p, const char *s)
{
	return pen_put(p, s, strlen(s));
}

#endif

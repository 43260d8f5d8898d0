/* SPDX-License-Identifier: ISC */
#include "base/buf.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST	256		/* octets of the first allocation */

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	if (b->p != NULL) {
		explicit_bzero(b->p, b->cap);
		free(b->p);
	}
	buf_init(b, b->max);
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	size_t	 len = buf_len(b);
	size_t	 cap = b->cap;
	uint8_t	*p;

	if (n > b->max - len)
		return NULL;
	if (b->off > 0 && n > b->cap - b->n) {
		memmove(b->p, b->p + b->off, len);
		b->off = 0;
		b->n = len;
	}
	if (n <= b->cap - b->n)
		return b->p == NULL ? (uint8_t *)"" : b->p + b->n;
	if (cap == 0)
		cap = BUF_FIRST < b->max ? BUF_FIRST : b->max;
	while (cap - b->n < n)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	p = xalloc(cap, 1);
	if (b->p != NULL) {
		memcpy(p, b->p, b->n);
		explicit_bzero(b->p, b->cap);
		free(b->p);
	}
	b->p = p;
	b->cap = cap;
	return b->p + b->n;
}

void
buf_extend(struct buf *b, size_t n)
{
	ASSERT(n <= b->cap - b->n);
	b->n += n;
}

int
buf_append(struct buf *b, struct span s)
{
	uint8_t *p;

	if (s.n == 0)
		return 0;
	p = buf_reserve(b, s.n);
	if (p == NULL)
		return -1;
	memcpy(p, s.p, s.n);
	buf_extend(b, s.n);
	return 0;
}

int
buf_appendf(struct buf *b, const char *fmt, ...)
{
	char	line[1024];
	va_list	ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		return -1;
	return buf_append(b, span_of(line, (size_t)n));
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= buf_len(b)) {
		buf_clear(b);
		return;
	}
	b->off += n;
}

void
buf_clear(struct buf *b)
{
	b->off = 0;
	b->n = 0;
}

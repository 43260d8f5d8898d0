/* SPDX-License-Identifier: ISC */
/*
 * A growable byte buffer with a hard maximum: it fails instead of growing
 * beyond what its owner allowed.  Floor 0, pure.  Bytes are appended at the
 * end and consumed at the front.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/attr.h"
#include "base/span.h"

struct buf {
	uint8_t	*p;			/* owns */
	size_t	 off;			/* consumed so far */
	size_t	 n;			/* end of the bytes; >= off */
	size_t	 cap;
	size_t	 max;			/* cap never exceeds it */
	uint8_t	 tag;			/* its user's own: proto/reply.h */
};

/* Nothing is allocated before the first byte comes. */
void	buf_init(struct buf *b, size_t max);

/* Wipes (it may have held a secret) and frees; b may be used again. */
void	buf_fini(struct buf *b);

/* All return 0, or -1 when the maximum would be exceeded (b unchanged). */
int	buf_append(struct buf *b, struct span s) MUSTUSE;
int	buf_appendf(struct buf *b, const char *fmt, ...) MUSTUSE PRINTF(2, 3);

/*
 * Room for n bytes behind the end, or NULL; then say with buf_extend how
 * many were written (at most n).
 */
uint8_t	*buf_reserve(struct buf *b, size_t n) MUSTUSE;
void	 buf_extend(struct buf *b, size_t n);

/* Forget the first n bytes (at most what is there). */
void	buf_consume(struct buf *b, size_t n);
void	buf_clear(struct buf *b);

static inline size_t
buf_len(const struct buf *b)
{
	return b->n - b->off;
}

/* How many bytes may still be appended. */
static inline size_t
buf_room(const struct buf *b)
{
	return b->max - buf_len(b);
}

static inline struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->p == NULL ? NULL : b->p + b->off, buf_len(b) };
}

#endif

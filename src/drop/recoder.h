/* SPDX-License-Identifier: ISC */
/*
 * A message of a maildrop as a client reads it that is not in UTF-8 mode (RFC 6856
 * s.2.1, proto/surrogate.h), in pieces.  Floor 2.  Memory: a block, and what the
 * surrogate holds.
 */
#ifndef DROP_RECODER_H
#define DROP_RECODER_H

#include "drop/drop.h"

struct recoder;

/* Of message i, which is `size` octets on the disk.  d is borrowed. */
struct recoder	*recoder_new(struct drop *d, size_t i, uint64_t size);
void		recoder_free(struct recoder *r);

/* What comes next, good until the next call; empty at the end. */
int	recoder_next(struct recoder *r, struct span *out, struct fault *f)
	    MUSTUSE;

/*
 * Is it another text?  Then e gets DROP_RECODED and size_surrogate, and in any case
 * it loses DROP_8BIT.  It is read as far as there may be headers.
 */
int	recoder_measure(struct drop *d, size_t i, struct drop_entry *e,
	    struct fault *f) MUSTUSE;

#endif

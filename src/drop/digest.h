/* SPDX-License-Identifier: ISC */
/*
 * Digests of 128 bits: what makes a message itself, and whether a journal is
 * whole.  Floor 2, pure.
 *
 * XXH3 (xxHash), which is no cryptographic function, on purpose: it runs at
 * memory speed where SHA-256 needs seconds for a large maildrop.  Who finds
 * another text with the same digest makes twins, which get distinct unique-ids
 * and, where the session has a copy, are compared octet by octet before one is
 * deleted: he has won nothing.
 * The value is defined for all machines and versions.
 */
#ifndef DROP_DIGEST_H
#define DROP_DIGEST_H

#include "base/span.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define DIGEST_SIZE	16

struct digest {
	XXH3_state_t	state;
};

void	digest_init(struct digest *d);
void	digest_add(struct digest *d, struct span s);
/* The same; only where wide_avx2 is true. */
void	digest_add_avx2(struct digest *d, struct span s);
/* Most significant octet first. */
void	digest_take(const struct digest *d, uint8_t out[DIGEST_SIZE]);
/* All three, for what is at hand as a whole. */
void	digest_span(struct span s, uint8_t out[DIGEST_SIZE]);

/* A short one, of 64 bits, of a block: has it changed? */
uint64_t	digest_mark(struct span s);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A keyed hash: BLAKE2b, libsodium's.  Floor 1.  Who has none of its keys can neither
 * foresee what comes out nor try what went in.
 */
#ifndef SYS_KEYHASH_H
#define SYS_KEYHASH_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

#define KEYHASH_KEY	32		/* octets of a key: what is recommended, */
#define KEYHASH_LEAST	16		/* and least; of a hash, too */
#define KEYHASH_MOST	64		/* of either */

/* Before the cage: the library is opened, and looks at the processor.  Once in a
 * process, or in who has forked it; more often does nothing. */
int	keyhash_open(struct fault *f) MUSTUSE;

/* Of what the parts are in a row: where one ends is not in it.  O(octets). */
void	keyhash(struct span key, const struct span *parts, size_t nparts,
	    uint8_t *out, size_t n);

#endif

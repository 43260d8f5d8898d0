/* SPDX-License-Identifier: ISC */
/*
 * xxHash takes the vectors that the compiler may use: this file is compiled for
 * AVX2, and nothing but what digest.c calls of it may be in it.  The state is
 * the same.
 */
#include "drop/digest.h"

#include "base/wide.h"

#ifdef WIDE_AVX2
void
digest_add_avx2(struct digest *d, struct span s)
{
	(void)XXH3_128bits_update(&d->state, s.p, s.n);
}
#endif

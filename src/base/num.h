/* SPDX-License-Identifier: ISC */
/*
 * Numbers from outside: parsed here and nowhere else, added with a check.
 * Floor 0, pure.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/attr.h"
#include "base/span.h"

/*
 * An unsigned decimal of 1..20 digits, nothing else (no sign, no blank);
 * leading zeros are allowed.  False when malformed or above max.
 */
bool	num_parse(struct span s, uint64_t max, uint64_t *out) MUSTUSE;

/*
 * The decimal digits that s starts with: sets *len_r to their count (0 when
 * none).  False when they make a number above max.
 */
bool	num_prefix(struct span s, uint64_t max, uint64_t *out, size_t *len_r)
	    MUSTUSE;

#define NUM_DIGITS	20		/* of 2^64 */
/* Its decimal digits, at most NUM_DIGITS, without a NUL; the end of them. */
char	*num_put(char *out, uint64_t v);

static inline bool MUSTUSE
num_add(uint64_t a, uint64_t b, uint64_t *sum_r)
{
	return !__builtin_add_overflow(a, b, sum_r);
}

static inline bool MUSTUSE
num_mul(uint64_t a, uint64_t b, uint64_t *product_r)
{
	return !__builtin_mul_overflow(a, b, product_r);
}

#endif

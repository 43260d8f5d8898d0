/* SPDX-License-Identifier: ISC */
/*
 * Sixteen octets at a time, by the compiler's vectors (gcc and clang have them on
 * every machine, in registers where it has some); and whether the processor can do
 * twice as much.  Floor 0, pure.
 *
 * A comparison of two of them gives 0xff where it is true and 0 elsewhere:
 * `&` and `|` join such answers, and `sum -= answer` counts, up to 255 in a lane.
 */
#ifndef BASE_WIDE_H
#define BASE_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Defined where a loop may stand a second time, made for AVX2. */
#if defined(__x86_64__) && __has_include(<sys/platform/x86.h>)
#define WIDE_AVX2
#endif

/* May it be used?  Set before main() begins; else only tests change it, to have
 * either way. */
extern bool	wide_avx2;

typedef uint8_t wide __attribute__((vector_size(16)));

#define WIDE		sizeof(wide)
#define WIDE_COUNT_MAX	255

static inline wide
wide_at(const uint8_t *p)
{
	wide v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline wide
wide_eq(wide v, uint8_t c)
{
	return (wide)(v == c);
}

static inline bool
wide_any(wide v)
{
	uint64_t half[2];

	memcpy(half, &v, sizeof(v));
	return (half[0] | half[1]) != 0;
}

/* Of an answer: bit i is lane i's.  Once as any machine does it, and once in the one
 * instruction that some have. */
static inline unsigned
wide_mask_plain(wide answer)
{
	const wide	bit = { 1, 2, 4, 8, 16, 32, 64, 128,
			    1, 2, 4, 8, 16, 32, 64, 128 };
	const uint64_t	all = 0x0101010101010101;	/* * sums the octets up */
	uint64_t	half[2];

	answer &= bit;
	memcpy(half, &answer, sizeof(answer));
	return (unsigned)(half[0] * all >> 56) |
	    (unsigned)(half[1] * all >> 56) << 8;
}

static inline unsigned
wide_mask(wide answer)
{
#ifdef __SSE2__
	typedef char lanes __attribute__((vector_size(16)));

	return (unsigned)__builtin_ia32_pmovmskb128((lanes)answer);
#else
	return wide_mask_plain(answer);
#endif
}

/* Of all lanes. */
static inline size_t
wide_sum(wide v)
{
	size_t sum = 0;

	for (size_t i = 0; i < WIDE; i++)
		sum += v[i];
	return sum;
}

#endif

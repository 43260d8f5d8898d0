/* SPDX-License-Identifier: ISC */
/*
 * Sixteen octets at a time, by the compiler's vectors (gcc and clang have them on
 * every machine, in registers where it has some); and whether the processor can do
 * twice as much.  Floor 0, pure.
 *
 * A comparison of two of them gives 0xff where it is true and 0 elsewhere:
 * `&` and `|` join such answers.
 */
#ifndef BASE_WIDE_H
#define BASE_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Defined where a loop may be compiled a second time, for AVX2: it is written as a
 * WIDE_TWICE, which gets what it is to look with as an argument, and is called by a
 * plain function and by one that is WIDE_AVX2.
 */
#if defined(__x86_64__) && __has_include(<sys/platform/x86.h>)
#define WIDE_AVX2	__attribute__((target("avx2,bmi,bmi2,popcnt")))
#endif
#define WIDE_TWICE	inline __attribute__((always_inline))

/* May such a one be called?  Set before main() begins; else only tests change it, to have
 * either way. */
extern bool	wide_avx2;

typedef uint8_t wide __attribute__((vector_size(16)));

#define WIDE		sizeof(wide)

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

static inline wide
wide_8bit(const uint8_t *p)
{
	typedef int8_t signs __attribute__((vector_size(16)));

	return (wide)((signs)wide_at(p) < 0);
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

/* Sixty-four octets: bit i is the i-th one's. */
#define WORD		64

static inline uint64_t
word_mask(wide a, wide b, wide c, wide d)
{
	return wide_mask(a) | (uint64_t)wide_mask(b) << WIDE |
	    (uint64_t)wide_mask(c) << 2 * WIDE |
	    (uint64_t)wide_mask(d) << 3 * WIDE;
}

/* The same, quicker when there is mostly none; when there is in every other word,
 * processors guess wrong, and it is slower. */
static inline uint64_t
word_mask_few(wide a, wide b, wide c, wide d)
{
	return wide_any(a | b | c | d) ? word_mask(a, b, c, d) : 0;
}

/* Which of them are c?  The second one is for those that are few. */
static inline uint64_t
word_eq(const uint8_t *p, uint8_t c)
{
	return word_mask(wide_eq(wide_at(p), c), wide_eq(wide_at(p + WIDE), c),
	    wide_eq(wide_at(p + 2 * WIDE), c),
	    wide_eq(wide_at(p + 3 * WIDE), c));
}

static inline uint64_t
word_eq_few(const uint8_t *p, uint8_t c)
{
	return word_mask_few(wide_eq(wide_at(p), c),
	    wide_eq(wide_at(p + WIDE), c), wide_eq(wide_at(p + 2 * WIDE), c),
	    wide_eq(wide_at(p + 3 * WIDE), c));
}

/* Which of them are no ASCII? */
static inline uint64_t
word_8bit(const uint8_t *p)
{
	return word_mask_few(wide_8bit(p), wide_8bit(p + WIDE),
	    wide_8bit(p + 2 * WIDE), wide_8bit(p + 3 * WIDE));
}

/* How many bits are set.  The compiler knows this form, and has an instruction for it
 * where the function that it comes to may use one; else it would call a table. */
static inline size_t
word_ones(uint64_t v)
{
	v -= v >> 1 & 0x5555555555555555;
	v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (size_t)(v * 0x0101010101010101 >> 56);
}

#ifdef WIDE_AVX2
typedef uint8_t wider __attribute__((vector_size(32)));

#define WIDER		sizeof(wider)

WIDE_AVX2 static inline wider
wider_at(const uint8_t *p)
{
	wider v;

	memcpy(&v, p, WIDER);
	return v;
}

/* An answer's, or of any octets their highest bits. */
WIDE_AVX2 static inline uint64_t
wider_mask(wider v)
{
	typedef char lanes __attribute__((vector_size(32)));

	return (uint32_t)__builtin_ia32_pmovmskb256((lanes)v);
}

WIDE_AVX2 static inline uint64_t
word_eq_avx2(const uint8_t *p, uint8_t c)
{
	return wider_mask((wider)(wider_at(p) == c)) |
	    wider_mask((wider)(wider_at(p + WIDER) == c)) << WIDER;
}

WIDE_AVX2 static inline uint64_t
word_eq_few_avx2(const uint8_t *p, uint8_t c)
{
	wider any = (wider)(wider_at(p) == c) | (wider)(wider_at(p + WIDER) == c);

	return wider_mask(any) != 0 ? word_eq_avx2(p, c) : 0;
}

WIDE_AVX2 static inline uint64_t
word_8bit_avx2(const uint8_t *p)
{
	wider a = wider_at(p);
	wider b = wider_at(p + WIDER);

	return wider_mask(a | b) != 0 ?
	    wider_mask(a) | wider_mask(b) << WIDER : 0;
}
#endif

#endif

/* SPDX-License-Identifier: ISC */
#include "base/span.h"

#include "base/attr.h"
#include "base/wide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* More than what is looked at in one turn, at any place of it. */
#define LONG	150

static uint8_t	text[LONG];

static size_t
plain_find_pair(struct span s, uint8_t a, uint8_t b)
{
	for (size_t i = 1; i < s.n; i++)
		if (s.p[i - 1] == a && s.p[i] == b)
			return i - 1;
	return s.n;
}

static void
test_find_pair(void **state UNUSED)
{
	srand(4711);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned	spread = 2 + round % 60;
		size_t		from = (size_t)rand() % LONG;
		size_t		n = (size_t)rand() % (LONG + 1 - from);
		struct span	s = span_of(text + from, n);

		for (size_t i = 0; i < LONG; i++)
			text[i] = (uint8_t)((unsigned)rand() % spread);
		assert_int_equal(span_find_pair(s, 0, 1),
		    plain_find_pair(s, 0, 1));
		assert_int_equal(span_find_pair(s, 1, 1),
		    plain_find_pair(s, 1, 1));
	}
}

static void
test_is_ascii(void **state UNUSED)
{
	for (size_t i = 0; i < LONG; i++)
		text[i] = (uint8_t)(i % 0x80);
	for (size_t n = 0; n <= LONG; n++) {
		assert_true(span_is_ascii(span_of(text, n)));
		for (size_t at = 0; at < LONG; at++) {
			text[at] |= 0x80;
			assert_int_equal(span_is_ascii(span_of(text, n)),
			    at >= n);
			text[at] &= 0x7f;
		}
	}
}

/* Both ways, for all sets of lanes. */
static void
test_wide_mask(void **state UNUSED)
{
	for (unsigned want = 0; want < 1u << WIDE; want++) {
		wide answer = { 0 };

		for (size_t i = 0; i < WIDE; i++)
			answer[i] = (want >> i & 1) != 0 ? 0xff : 0;
		assert_int_equal(wide_mask(answer), want);
		assert_int_equal(wide_mask_plain(answer), want);
	}
}

struct words {
	uint64_t	c;
	uint64_t	eight_bit;
};

static void
check_words(const uint8_t *p, uint8_t c, struct words want)
{
	assert_int_equal(word_eq(p, c), want.c);
	assert_int_equal(word_eq_few(p, c), want.c);
	assert_int_equal(word_8bit(p), want.eight_bit);
	assert_int_equal(word_ones(want.c), __builtin_popcountll(want.c));
#ifdef WIDE_AVX2
	if (!wide_avx2)
		return;
	assert_int_equal(word_eq_avx2(p, c), want.c);
	assert_int_equal(word_eq_few_avx2(p, c), want.c);
	assert_int_equal(word_8bit_avx2(p), want.eight_bit);
#endif
}

static void
test_words(void **state UNUSED)
{
	srand(4711);
	for (unsigned round = 0; round < 50000; round++) {
		unsigned	spread = 2 + round % 256;
		struct words	want = { 0 };
		uint8_t		*p = text + (size_t)rand() % (LONG - WORD);

		for (size_t i = 0; i < WORD; i++) {
			p[i] = (uint8_t)((unsigned)rand() % spread +
			    (round % 3 == 0 ? 0x7f : 0));
			want.c |= (uint64_t)(p[i] == 0x80) << i;
			want.eight_bit |= (uint64_t)(p[i] >= 0x80) << i;
		}
		check_words(p, 0x80, want);
	}
}

/* What the loader says is what the processor says. */
static void
test_wide_avx2(void **state UNUSED)
{
#ifdef WIDE_AVX2
	assert_int_equal(wide_avx2, __builtin_cpu_supports("avx2") &&
	    __builtin_cpu_supports("bmi") &&
	    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"));
#else
	assert_false(wide_avx2);
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_pair),
		cmocka_unit_test(test_is_ascii),
		cmocka_unit_test(test_wide_mask),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_wide_avx2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
#include "sys/keyhash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t	count[KEYHASH_MOST] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
	21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
};

static int
setup(void **state)
{
	struct fault f;

	(void)state;
	/* Twice, as in a process whose parent has done it. */
	return keyhash_open(&f) != 0 || keyhash_open(&f) != 0 ? -1 : 0;
}

static void
hash(const struct span *parts, size_t nparts, size_t n, uint8_t *out)
{
	keyhash(span_of(count, n), parts, nparts, out, n);
}

/* What another implementation of RFC 7693 makes of it. */
static void
test_is_blake2b(void **state)
{
	static const uint8_t long_one[] = {
		0xd6, 0x3a, 0x32, 0xd3, 0xe4, 0x47, 0x38, 0xd7, 0x90, 0x7f, 0x96,
		0x43, 0x16, 0xc2, 0x41, 0xad, 0xab, 0xa0, 0xab, 0xfe, 0xab, 0xc3,
		0x23, 0x49, 0x67, 0x75, 0x78, 0xa1, 0x5a, 0x20, 0x3f, 0x7f,
	};
	static const uint8_t short_one[] = {
		0xcc, 0x61, 0x1a, 0x26, 0x73, 0xca, 0x66, 0xe9, 0xf7, 0xfc, 0x64,
		0xb9, 0x95, 0xc5, 0x46, 0x7c,
	};
	const struct span	abc = SPAN("abc");
	uint8_t			out[KEYHASH_MOST];

	(void)state;
	hash(&abc, 1, KEYHASH_KEY, out);
	assert_memory_equal(out, long_one, sizeof(long_one));
	hash(&abc, 1, KEYHASH_LEAST, out);
	assert_memory_equal(out, short_one, sizeof(short_one));
}

static void
test_parts_are_one(void **state)
{
	const struct span	whole = SPAN("abc");
	const struct span	parts[] = { SPAN("a"), SPAN(""), SPAN("bc") };
	uint8_t			one[KEYHASH_KEY];
	uint8_t			many[KEYHASH_KEY];

	(void)state;
	hash(&whole, 1, KEYHASH_KEY, one);
	hash(parts, ARRAY_LEN(parts), KEYHASH_KEY, many);
	assert_memory_equal(one, many, sizeof(one));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_blake2b),
		cmocka_unit_test(test_parts_are_one),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

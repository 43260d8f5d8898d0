/* SPDX-License-Identifier: ISC */
/* What each of them is held to: xxHash without any vectors. */
#define XXH_VECTOR	0		/* XXH_SCALAR */
#include "drop/digest.h"

#include "base/attr.h"
#include "base/wide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT_MAX	10000
/* What xxHash buffers: pieces around it are told apart. */
#define PIECE		256

static uint8_t	text[TEXT_MAX];

static void
plain(struct span s, uint8_t out[DIGEST_SIZE])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits(s.p, s.n));
	memcpy(out, c.digest, DIGEST_SIZE);
}

/* In pieces of random lengths, up to `most`. */
static void
check(struct span s, size_t most)
{
	struct digest	d;
	uint8_t		want[DIGEST_SIZE];
	uint8_t		got[DIGEST_SIZE];

	plain(s, want);
	digest_init(&d);
	while (s.n > 0) {
		size_t n = (size_t)rand() % (most + 1);

		digest_add(&d, span_first(s, n));
		s = span_skip(s, n);
	}
	digest_take(&d, got);
	assert_memory_equal(got, want, DIGEST_SIZE);
}

static void
check_all(void)
{
	for (size_t i = 0; i < TEXT_MAX; i++)
		text[i] = (uint8_t)rand();
	for (size_t n = 0; n <= 2 * PIECE + 1; n++)
		check(span_of(text + n % 64, n), n + 1);
	for (unsigned round = 0; round < 2000; round++) {
		size_t from = (size_t)rand() % TEXT_MAX;

		check(span_of(text + from, (size_t)rand() %
		    (TEXT_MAX + 1 - from)), round % 2 == 0 ? PIECE : TEXT_MAX);
	}
}

static void
test_values(void **state UNUSED)
{
	bool had = wide_avx2;

	srand(4711);
	check_all();
	wide_avx2 = false;
	check_all();
	wide_avx2 = had;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

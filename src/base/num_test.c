/* SPDX-License-Identifier: ISC */
#include "base/num.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void
expect_put(uint64_t v)
{
	char got[NUM_DIGITS + 1];
	char want[NUM_DIGITS + 1];

	*num_put(got, v) = '\0';
	(void)snprintf(want, sizeof(want), "%" PRIu64, v);
	assert_string_equal(got, want);
}

/* Each length, and both sides of where it changes. */
static void
test_put(void **state UNUSED)
{
	uint64_t v;

	for (v = 0; v < 100000; v++)
		expect_put(v);
	for (v = 1; v <= UINT64_MAX / 10; v *= 10)
		for (uint64_t digit = 1; digit < 10; digit++) {
			expect_put(v * digit - 1);
			expect_put(v * digit);
			expect_put(v * digit + v / 3);
		}
	expect_put(v - 1);
	expect_put(v);
	expect_put(UINT32_MAX);
	expect_put((uint64_t)UINT32_MAX + 1);
	expect_put(UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

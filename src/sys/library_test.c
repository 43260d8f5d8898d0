/* SPDX-License-Identifier: ISC */
#include "sys/library.h"

#include "base/attr.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static_assert(sizeof(time_t) == 8, "until after 2038");
static_assert(sizeof(struct library_time) == 2 * POPPER_LIBRARY_TIME,
    "two words of a library's");

static void
test_times(void **state UNUSED)
{
	struct library_time t = library_time_of(1999);

	assert_int_equal(t.tv_sec, 1);
	assert_int_equal(t.tv_usec, 999000);
	assert_int_equal(library_time_ms(&t), 1999);
	t.tv_usec++;
	assert_int_equal(library_time_ms(&t), 2000);
	t = library_time_of(UINT64_MAX);
	assert_int_equal(t.tv_sec, INT32_MAX);
	assert_in_range(t.tv_usec, 0, 999999);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

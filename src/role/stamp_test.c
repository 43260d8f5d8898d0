/* SPDX-License-Identifier: ISC */
#include "role/stamp.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* A file that was changed so many seconds ago. */
static bool
settled(time_t ago)
{
	const struct stamp s = { .ctime = { .tv_sec = time(NULL) - ago } };

	return stamp_settled(&s);
}

static void
test_settled(void **state UNUSED)
{
	assert_false(settled(0));
	assert_true(settled(3));
	assert_true(settled(86400));
}

/* Else who waits for that waits until the clock is there again. */
static void
test_clock_was_set_back(void **state UNUSED)
{
	assert_true(settled(-3600));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_clock_was_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
#include "role/stamp.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct {
	long		mtime_ns;
	long		ctime_ns;
	int64_t		ago_ms;		/* its last change */
	bool		settled;
} cases[] = {
	{ 0, 0, 0, false },
	{ 0, 0, 1999, false },
	{ 0, 0, 2000, true },
	{ 0, 0, 86400000, true },
	{ 0, 1, 1999, false },		/* FAT */
	{ 1, 0, 1999, false },
	{ 1, 1, 0, false },
	{ 1, 1, 99, false },
	{ 1, 1, 100, true },
	{ 999999999, 999999999, 99, false },
	{ 999999999, 999999999, 101, true },
	/* The clock was set back: who waits for that waits until it is there again. */
	{ 1, 1, -999, false },
	{ 0, 0, -3600000, true },
	{ 1, 1, -3600000, true },
};

static void
settled_by_age(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct stamp s = {
			.mtime = { .tv_nsec = cases[i].mtime_ns },
			.ctime = { 1000000, cases[i].ctime_ns },
		};
		int64_t		ms = 1000000 * (int64_t)1000 +
				    cases[i].ctime_ns / 1000000 + cases[i].ago_ms;
		struct timespec now = {
			.tv_sec = ms / 1000,
			.tv_nsec = ms % 1000 * 1000000 +
			    cases[i].ctime_ns % 1000000,
		};

		print_message("%zu\n", i);
		assert_int_equal(stamp_settled_at(&s, now), cases[i].settled);
	}
}

static void
by_the_clock(void **state UNUSED)
{
	const struct stamp old = { .ctime = { .tv_sec = 1000000 } };
	const struct stamp fresh = { .ctime = { .tv_sec = time(NULL) } };

	assert_true(stamp_settled(&old));
	assert_true(!stamp_settled(&fresh) || time(NULL) > fresh.ctime.tv_sec);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settled_by_age),
		cmocka_unit_test(by_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
#include "role/due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
test_due(void **state UNUSED)
{
	struct due_heap	h;
	struct due	d = { 0 };
	uint64_t	last = 0;
	uint64_t	last_sid = 0;
	unsigned	x = 1;

	due_init(&h, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		x = x * 1103515245u + 12345u;
		due_put(&h, &(struct due){ .at_ms = x >> 16 & 0xff, .sid = i,
		    .front = i % 3 });
	}
	due_drop(&h, 1);
	assert_int_equal(h.n, 667);
	for (size_t n = 667; n > 0; n--) {
		assert_true(due_next(&h) >= last);
		if (due_next(&h) > 0)
			assert_false(due_take(&h, due_next(&h) - 1, &d));
		assert_true(due_take(&h, due_next(&h), &d));
		assert_true(d.at_ms > last || (d.at_ms == last &&
		    (n == 667 || d.sid > last_sid)));
		assert_int_not_equal(d.front, 1);
		last = d.at_ms;
		last_sid = d.sid;
	}
	assert_int_equal(due_next(&h), UINT64_MAX);
	assert_false(due_take(&h, UINT64_MAX, &d));
	due_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

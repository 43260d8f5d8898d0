/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/buf.h"
#include "proto/header.h"

/* want: "[name|value]" for each field, then "+" and what is left. */
static const struct {
	const char	*in;
	const char	*want;
} rows[] = {
	{ "", "+" },
	{ "\n", "+" },
	{ "\nbody", "+body" },
	{ "\r\nbody", "+body" },
	{ "A: 1\nB: 2\n\nbody\n", "[A| 1][B| 2]+body\n" },
	{ "A: 1\r\nB: 2\r\n\r\nbody", "[A| 1][B| 2]+body" },
	{ "A:1", "[A|1]+" },
	{ "A:", "[A|]+" },
	{ "A: 1\n 2\n\t3\nB: 4\n", "[A| 1\n 2\n\t3][B| 4]+" },
	{ "A: 1\r\n 2\r\nB: 4\r\n", "[A| 1\r\n 2][B| 4]+" },
	{ "A : 1\n", "[A| 1]+" },
	{ "A b: 1\n", "[|A b: 1]+" },
	{ "no colon\nA: 1\n", "[|no colon][A| 1]+" },
	{ ": 1\n", "[|: 1]+" },
	{ " A: 1\nB: 2\n", "[| A: 1][B| 2]+" },
	{ "A: 1\n \n\nbody", "[A| 1\n ]+body" },
	{ "A\x80: 1\n", "[|A\x80: 1]+" },
	{ "A: 1:2\n", "[A| 1:2]+" },
};

static void
test_rows(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span		rest = span_str(rows[i].in);
		struct header_field	x;
		char			got[256];
		struct buf		b;

		buf_init(&b, sizeof(got));
		while (header_next(&rest, &x))
			assert_int_equal(buf_appendf(&b, "[%.*s|%.*s]",
			    (int)x.name.n, (const char *)x.name.p,
			    (int)x.value.n, (const char *)x.value.p), 0);
		assert_int_equal(buf_appendf(&b, "+%.*s", (int)rest.n,
		    (const char *)rest.p), 0);
		assert_true(span_cstr(buf_span(&b), got, sizeof(got)));
		assert_string_equal(got, rows[i].want);
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

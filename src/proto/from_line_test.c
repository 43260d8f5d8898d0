/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/attr.h"
#include "proto/from_line.h"

static const struct {
	const char	*line;
	bool		 want;
} rows[] = {
	{ "From ann@example.org Sat Jan  1 00:00:00 2000", true },
	{ "From ann@example.org Sat Jan  1 00:00:00 2000\r", true },
	{ "From ann Sat Jan 1 0:00 2000", true },
	{ "From MAILER-DAEMON Sun Feb 29 23:59:60 2004 +0100", true },
	{ "From ann Sat Jan  1 00:00:00 MET DST 2000", true },
	{ "From ann Sat Jan  1 00:00:00 GMT+0100 2000", true },
	{ "From ann ttyp3 Sat Jan  1 00:00 2000", true },
	{ "From a!b!ann Sat Jan  1 00:00 2000 remote from a", true },
	{ "From \"ann b\"@example.org  Sat Jan  1 00:00:00 2000", true },
	{ "From  Sat Jan  1 00:00:00 2000", true },
	{ "From - Sat, 1 Jan 2000 00:00:00 +0000", true },
	{ "From ann SAT JAN  1 00:00:00 2000", true },
	{ "From Sat Sat Jan  1 00:00:00 2000", true },

	{ "", false },
	{ "From", false },
	{ "From ", false },
	{ "from ann Sat Jan  1 00:00:00 2000", false },
	{ ">From ann Sat Jan  1 00:00:00 2000", false },
	{ " From ann Sat Jan  1 00:00:00 2000", false },
	{ "From: ann Sat Jan  1 00:00:00 2000", false },
	{ "From\tann Sat Jan  1 00:00:00 2000", false },
	{ "From now on everything is better", false },
	{ "From Sat Jan 1 to Sun Jan 2 2000 we are closed", false },
	{ "From ann Sat Jan  1 00:00:00", false },
	{ "From ann Sat Jan  1 2000", false },
	{ "From ann Sat Jan 32 00:00:00 2000", false },
	{ "From ann Sat Jan  1 24:00:00 2000", false },
	{ "From ann Sat Jan  1 00:60:00 2000", false },
	{ "From ann Sat Jan  1 00:00:0 2000", false },
	{ "From ann Sat Jan  1 000:00:00 2000", false },
	{ "From ann Sat Jan  1 00:00:00 20000", false },
	{ "From ann Xyz Jan  1 00:00:00 2000", false },
	{ "From ann Sat Foo  1 00:00:00 2000", false },
	{ "From ann Sat Jan  1 00:00:00 a b c d 2000", false },
};

static void
test_rows(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (from_line(span_str(rows[i].line)) != rows[i].want)
			fail_msg("%s", rows[i].line);
	}
}

static void
test_length(void **state UNUSED)
{
	char	line[FROM_LINE_MAX + 2];
	int	n;

	for (int pad = FROM_LINE_MAX - 31; pad <= FROM_LINE_MAX - 29; pad++) {
		n = snprintf(line, sizeof(line),
		    "From %*s Sat Jan  1 00:00:00 2000", pad, "ann");
		assert_true(n > 0 && (size_t)n < sizeof(line));
		assert_int_equal(from_line(span_of(line, (size_t)n)),
		    n <= FROM_LINE_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

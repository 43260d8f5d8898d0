/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
	/* What strangers may call themselves, as Postfix and Exim write it. */
	{ "From \"a b c d e f g h i j k l m n o p q r s t u v w\"@example.org"
	  "  Sat Jan  1 00:00:00 2000", true },
	{ "From \"x Mon Jan 1 00:00:00 2024 y\"@example.org"
	  " Sat Jan  1 00:00:00 2000", true },
	{ "From \"Sat Jan 1 00:00:00 a b c d\"@x Sat Jan  1 00:00:00 2000",
	  true },
	{ "From \"Sat Jan Sat 1 Sat 00:00\"@x Sat Jan  1 00:00:00 2000\r",
	  true },
	{ "From \"a\rb\"@example.org Sat Jan  1 00:00:00 2000", true },
	{ "From ann Sat 1 Jan 2000 00:00:00\r", true },

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
	{ "From ann Sat Jan  1 00:00:00 2000\r\r", false },
	{ "From ann Sat Jan  1 00:00:00\r 2000", false },
	{ "From ann Sat Jan  1 00:00:00.00 2000", false },
	{ "From ann Sat Jan Sat 1 00:00:00 2000", false },
	{ "From a b c d e f g h i j k l m n o p q r s t u v w x y z", false },
};

static void
test_rows(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (from_line(span_str(rows[i].line)) != rows[i].want)
			fail_msg("%s", rows[i].line);
	}
}

static bool
in_pieces(struct span line, size_t step)
{
	struct from_match m = { 0 };

	for (; line.n > 0; line = span_skip(line, step))
		from_match_feed(&m, span_first(line, step));
	return from_match_end(&m);
}

static void
test_pieces(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span line = span_str(rows[i].line);

		for (size_t step = 1; step <= line.n; step++)
			if (in_pieces(line, step) != rows[i].want)
				fail_msg("%s by %zu", rows[i].line, step);
	}
}

/* No sender is too long, and none has too many words. */
static void
test_long_senders(void **state UNUSED)
{
	static const char	date[] = " Sat Jan  1 00:00:00 2000";
	static char		line[70000];

	for (size_t len = 0; len < 66000; len = 2 * len + 1) {
		for (int words = 0; words < 2; words++) {
			struct span all = span_of(line, 5 + len +
					    sizeof(date) - 1);

			memcpy(line, "From ", 5);
			for (size_t i = 0; i < len; i++)
				line[5 + i] = words && i % 3 == 2 ? ' ' : 'x';
			memcpy(line + 5 + len, date, sizeof(date) - 1);
			assert_true(from_line(all));
			assert_true(in_pieces(all, 7));
			all.n--;
			assert_false(from_line(all));
			assert_false(in_pieces(all, 7));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_long_senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

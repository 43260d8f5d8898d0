/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

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

static const struct {
	const char	*line;
	uint64_t	 want;
} dates[] = {
	{ "From ann@example.org Thu Jan  1 00:00:01 1970", 0 },	/* too old */
	{ "From ann@example.org Sun Dec 31 23:59:59 1989", 0 },
	{ "From ann@example.org Mon Jan  1 00:00:00 1990", 631152000 },
	{ "From ann@example.org Sat Jan  1 00:00:00 2000", 946684800 },
	{ "From ann@example.org Sat Jan  1 00:00:00 2000\r", 946684800 },
	{ "From ann Tue Feb 29 12:34:56 2000", 951827696 },
	{ "From ann Sun Feb 29 23:59:60 2004 +0100", 1078099200 },
	{ "From ann Fri Mar  1 00:00 MET 2024", 1709251200 },
	{ "From ann Fri Mar  1 00:00:00 +0100 2024", 1709251200 },
	{ "From ann Thu Dec 31 23:59:59 2037", 2145916799 },
	{ "From ann fri nov 27 02:00:00 2026", 1795744800 },
	{ "From  Fri Nov 27 02:00:00 2026", 1795744800 },
	{ "From ann Fri Dec 31 23:59:59 9999", 253402300799 },
	/* What the sender calls himself does not count. */
	{ "From \"x Mon Jan 1 00:00:00 2001 y\"@x Sat Jan  1 00:00:00 2000",
	  946684800 },
	/* Messages are there, but when? */
	{ "From ann Sun Jan  1 00:00:00 2000", 0 },		/* a Saturday */
	{ "From ann Wed Feb 30 00:00:00 2000", 0 },
	{ "From ann Thu Feb 29 00:00:00 2001", 0 },
	{ "From ann Wed Feb 31 00:00:00 1990", 0 },
	{ "From ann Thu Dec  0 00:00:00 2000", 0 },	/* Nov 30 */
	{ "From ann Sat Jan  1 00:00:00 MET DST 2000", 0 },
	{ "From a!b!ann Sat Jan  1 00:00 2000 remote from a", 0 },
	{ "From - Sat, 1 Jan 2000 00:00:00 +0000", 0 },
	{ "From ann Sat 1 Jan 2000 00:00:00", 0 },
	{ "From ann Sat Jan  1 00:00:00 2000 x", 0 },
	{ "Sat Jan  1 00:00:00 2000", 0 },			/* cut? */
	{ " Sat Jan  1 00:00:00 2000", 946684800 },
	{ "", 0 },
	{ " ", 0 },
	{ "\r", 0 },
	{ "From ann", 0 },
};

static void
test_dates(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		struct span line = span_str(dates[i].line);
		uint64_t    got = from_line_when(line);

		if (got != dates[i].want)
			fail_msg("%s: %llu", dates[i].line,
			    (unsigned long long)got);
		if (line.n > FROM_TAIL)
			line = span_skip(line, line.n - FROM_TAIL);
		assert_int_equal(from_line_when(line), got);
	}
}

/* Against the C library, day by day. */
static void
test_calendar(void **state UNUSED)
{
	for (uint64_t day = 7305; day < 60000; day++) {	/* 1990 to 2134 */
		time_t		t = (time_t)(day * 86400 + day % 86400);
		struct tm	tm;
		char		text[64];

		assert_non_null(gmtime_r(&t, &tm));
		assert_true(strftime(text, sizeof(text),
		    "From x %a %b %e %H:%M:%S %Y", &tm) > 0);
		assert_int_equal(from_line_when(span_str(text)), t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_long_senders),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

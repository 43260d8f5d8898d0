/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bull/compose.h"

#include "proto/from_line.h"

#define FROM	"From ann@example.org Sat Jan  1 00:00:00 2000\n"
#define NOW	"From popper Thu Jan  1 00:00:00 1970\n"
#define NOW_CR	"From popper Thu Jan  1 00:00:00 1970\r\n"

/* want NULL: refused with FAULT_PROTO. */
static const struct {
	const char	*name;
	const char	*in;
	const char	*want;
} rows[] = {
	{ "no From_ line", "From: a\nSubject: s\n\nb\n",
	  NOW "From: a\nSubject: s\n\nb\n\n" },
	{ "with From_ line", FROM "Subject: s\n\nb\n\n",
	  FROM "Subject: s\n\nb\n\n" },
	{ "CRLF", "From: a\r\n\r\nb\r\n", NOW_CR "From: a\r\n\r\nb\r\n\r\n" },
	{ "quoting", "From: a\n\nFrom here\n>From there\nfrom x\n" FROM,
	  NOW "From: a\n\n>From here\n>From there\nfrom x\n>" FROM "\n" },
	{ "no last line end", "From: a\n\nb", NOW "From: a\n\nb\n\n" },
	{ "no body", "From: a\n", NOW "From: a\n\n\n" },
	{ "empty body", "From: a\n\n", NOW "From: a\n\n\n" },
	{ "cut header", "From: a", NOW "From: a\n\n\n" },
	{ "folded header", "Subject: a\n b\n\nc\n\n",
	  NOW "Subject: a\n b\n\nc\n\n" },
	{ "8 bit", "Subject: \xc3\xa4\n\n\x80\n",
	  NOW "Subject: \xc3\xa4\n\n\x80\n\n" },

	{ "empty", "", NULL },
	{ "text alone", "Hello\n", NULL },
	{ "body alone", "\nHello\n", NULL },
	{ "neither From nor Subject", "To: a\n\nb\n", NULL },
	{ "From_ line without a date", "From ann\nFrom: a\n\nb\n", NULL },
	{ "From_ line without a header", FROM "\nb\n", NULL },
	{ "two messages", FROM "From: a\n\nb\n\n" FROM "From: a\n\nb\n", NULL },
	{ "line without a colon", "From: a\nhello\n\nb\n", NULL },
	{ "fold without a field", " From: a\n\nb\n", NULL },
	{ "CR in the header", "From: a\rBcc: b\n\nb\n", NULL },
	{ "escape in the header", "From: a\nSubject: \033[2J\n\nb\n", NULL },
	{ "DEL in the header", "From: a\177\n\nb\n", NULL },
};

static void
test_rows(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault	f = { 0 };
		struct buf	out;
		int		r;

		buf_init(&out, 65536);
		r = bull_compose(span_str(rows[i].in), 0, &out, &f);
		if (rows[i].want == NULL) {
			if (r != -1 || f.class != FAULT_PROTO)
				fail_msg("%s: accepted", rows[i].name);
		} else if (r != 0 || !span_eq(buf_span(&out),
		    span_str(rows[i].want))) {
			fail_msg("%s: %s\n%.*s", rows[i].name, f.text,
			    (int)buf_len(&out), (const char *)out.p);
		}
		buf_fini(&out);
	}
}

static void
test_nul(void **state UNUSED)
{
	struct fault	f = { 0 };
	struct buf	out;

	buf_init(&out, 65536);
	assert_int_equal(bull_compose(SPAN("From: a\0\n\nb\n"), 0, &out, &f),
	    -1);
	buf_clear(&out);
	assert_int_equal(bull_compose(SPAN("From: a\n\nb\0\n"), 0, &out, &f),
	    0);
	buf_fini(&out);
}

static void
test_limit(void **state UNUSED)
{
	static const char in[] = "From: a\n\nFrom b";

	for (size_t max = 0;; max++) {
		struct fault	f = { 0 };
		struct buf	out;
		int		r;

		buf_init(&out, max);
		r = bull_compose(SPAN(in), 0, &out, &f);
		buf_fini(&out);
		if (r == 0) {
			assert_int_equal(max, sizeof(NOW) - 1 +
			    sizeof(in) - 1 + 1 + 2);
			break;
		}
		assert_int_equal(f.class, FAULT_LIMIT);
	}
}

/* The line that we make is one that we find, at any time. */
static void
test_own_from_line(void **state UNUSED)
{
	for (time_t t = 0; t < 4102444800; t += 86399 * 17) {
		struct fault	f;
		struct buf	out;
		struct span	rest;
		struct span	line;

		buf_init(&out, 65536);
		assert_int_equal(bull_compose(SPAN("From: a\n"), t, &out, &f),
		    0);
		rest = buf_span(&out);
		assert_true(span_line(&rest, &line));
		assert_true(from_line(line));
		buf_fini(&out);
	}
}

static const struct {
	const char	*title;
	const char	*want;
} names[] = {
	{ "pophost_down_sunday", "23.pophost_down_sunday" },
	{ "Pophost down, Sunday!", "23.Pophost_down_Sunday" },
	{ "../../etc/passwd", "23.etc_passwd" },
	{ "", "23" },
	{ "\xc3\xa4\xc3\xb6", "23" },
	{ "...", "23" },
	{ "7 things", "23.7_things" },
	{ "a\nb\tc", "23.a_b_c" },
	{ "0123456789012345678901234567890123456789x",
	  "23.0123456789012345678901234567890123456789" },
};

static void
test_names(void **state UNUSED)
{
	char got[BULL_NAME_MAX];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bull_file_name(23, span_str(names[i].title), got);
		assert_string_equal(got, names[i].want);
	}
}

static const struct {
	const char	*message;
	const char	*want;
} subjects[] = {
	{ FROM "A: 1\nSubject: down on Sunday\n\nSubject: b\n",
	  "down on Sunday" },
	{ "Subject:x\r\nA: 1\r\n", "x" },
	{ "subject: x \n y\n\n", "x" },
	{ "subject: x\r\n y\r\n\r\n", "x" },
	{ "A: 1\n\nSubject: b\n", "" },
	{ "", "" },
};

static void
test_subjects(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		assert_true(span_eq(bull_subject(span_str(subjects[i].message)),
		    span_str(subjects[i].want)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_own_from_line),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_subjects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
#include "proto/line.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LOG_MAX	4096

/* What a reader said, as text: "[line]" for each, "!" for a too long one. */
struct log {
	char	b[LOG_MAX];
	size_t	n;
};

static void
log_add(struct log *l, struct span s)
{
	assert_true(s.n <= sizeof(l->b) - l->n);
	if (s.n > 0)
		memcpy(l->b + l->n, s.p, s.n);
	l->n += s.n;
}

static void
feed(struct line_reader *r, struct span in, struct log *l)
{
	struct span		line;
	enum line_result	got;

	while ((got = line_feed(r, &in, &line)) != LINE_MORE) {
		if (got == LINE_TOO_LONG) {
			log_add(l, SPAN("!"));
			continue;
		}
		log_add(l, SPAN("["));
		log_add(l, line);
		log_add(l, SPAN("]"));
	}
	assert_int_equal(in.n, 0);
}

static void
expect(struct span in, struct span want, size_t pending)
{
	/* Whole, in two parts at each place, one octet at a time. */
	for (size_t cut = 0; cut <= in.n; cut++) {
		struct line_reader	r;
		struct log		l = { .n = 0 };

		line_init(&r);
		feed(&r, span_first(in, cut), &l);
		feed(&r, span_skip(in, cut), &l);
		assert_true(span_eq(span_of(l.b, l.n), want));
		assert_int_equal(line_pending(&r).n, pending);
		line_fini(&r);
	}
	struct line_reader	r;
	struct log		l = { .n = 0 };

	line_init(&r);
	for (size_t i = 0; i < in.n; i++)
		feed(&r, span_first(span_skip(in, i), 1), &l);
	assert_true(span_eq(span_of(l.b, l.n), want));
	assert_int_equal(line_pending(&r).n, pending);
	line_fini(&r);
}

static void
test_lines(void **state UNUSED)
{
	static const struct {
		struct span	in;
		struct span	want;
		size_t		pending;
	} cases[] = {
		{ SPAN(""), SPAN(""), 0 },
		{ SPAN("QUIT\r\n"), SPAN("[QUIT]"), 0 },
		{ SPAN("QUIT\n"), SPAN("[QUIT]"), 0 },
		{ SPAN("\n"), SPAN("[]"), 0 },
		{ SPAN("\r\n"), SPAN("[]"), 0 },
		{ SPAN("\r\n\n\r\n"), SPAN("[][][]"), 0 },
		{ SPAN("QUIT"), SPAN(""), 4 },
		{ SPAN("QUIT\r"), SPAN(""), 5 },
		{ SPAN("A\rB\r\n"), SPAN("[A\rB]"), 0 },
		{ SPAN("A\r\r\n"), SPAN("[A\r]"), 0 },
		{ SPAN("A\n\rB\n"), SPAN("[A][\rB]"), 0 },
		{ SPAN("USER a\r\nPASS b \r\nST"),
		  SPAN("[USER a][PASS b ]"), 2 },
		{ SPAN("A\0B\r\n\0\n"), SPAN("[A\0B][\0]"), 0 },
		{ SPAN("\x01\xff\x80\n"), SPAN("[\x01\xff\x80]"), 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(cases[i].in, cases[i].want, cases[i].pending);
}

static void
test_every_octet(void **state UNUSED)
{
	for (int c = 0; c < 256; c++) {
		uint8_t	in[] = { (uint8_t)c, '\n' };
		uint8_t	want[] = { '[', (uint8_t)c, ']' };

		if (c == '\n')
			expect(span_of(in, 2), SPAN("[][]"), 0);
		else if (c == '\r')
			expect(span_of(in, 2), SPAN("[]"), 0);
		else
			expect(span_of(in, 2), span_of(want, 3), 0);
	}
}

/* n octets 'x', then end, then "NOOP\r\n". */
static void
expect_long(size_t n, struct span end, bool fits)
{
	static uint8_t	in[3 * LIMIT_LINE];
	static uint8_t	want[3 * LIMIT_LINE];
	size_t		w = 0;

	memset(in, 'x', n);
	memcpy(in + n, end.p, end.n);
	memcpy(in + n + end.n, "NOOP\r\n", 6);
	if (fits) {
		want[w++] = '[';
		memset(want + w, 'x', n);
		w += n;
		want[w++] = ']';
	} else {
		want[w++] = '!';
	}
	memcpy(want + w, "[NOOP]", 6);
	expect(span_of(in, n + end.n + 6), span_of(want, w + 6), 0);
}

static void
test_length(void **state UNUSED)
{
	expect_long(LIMIT_LINE - 3, SPAN("\r\n"), true);
	expect_long(LIMIT_LINE - 2, SPAN("\r\n"), true);
	expect_long(LIMIT_LINE - 1, SPAN("\r\n"), false);
	expect_long(LIMIT_LINE, SPAN("\r\n"), false);
	expect_long(LIMIT_LINE + 1, SPAN("\r\n"), false);
	expect_long(LIMIT_LINE - 2, SPAN("\n"), true);
	expect_long(LIMIT_LINE - 1, SPAN("\n"), true);
	expect_long(LIMIT_LINE, SPAN("\n"), false);
	expect_long(LIMIT_LINE + 1, SPAN("\n"), false);
	expect_long(2 * LIMIT_LINE, SPAN("\n"), false);
	expect_long(2 * LIMIT_LINE + 7, SPAN("\r\n"), false);
}

/* Many megabytes without LF: one answer, and nothing is kept. */
static void
test_huge(void **state UNUSED)
{
	static const uint8_t	block[65536];
	struct line_reader	r;
	struct log		l = { .n = 0 };

	line_init(&r);
	for (int i = 0; i < 256; i++) {
		feed(&r, span_of(block, sizeof(block)), &l);
		assert_int_equal(line_pending(&r).n, 0);
	}
	feed(&r, SPAN("tail QUIT\r\nNOOP\n"), &l);
	assert_true(span_eq(span_of(l.b, l.n), SPAN("![NOOP]")));
	line_fini(&r);
}

/* How the line of n octets that begins so is taken, in two parts. */
static enum line_result
taken(enum line_width wide, struct span begin, size_t n, size_t cut)
{
	static uint8_t		in[LIMIT_AUTH_LINE + 10];
	struct line_reader	r;
	struct span		all = span_of(in, n + 1);
	struct span		first = span_first(all, cut);
	struct span		rest = span_skip(all, cut);
	struct span		line;
	enum line_result	got;

	memset(in, 'x', n);
	memcpy(in, begin.p, begin.n);
	in[n] = '\n';
	line_init(&r);
	r.wide = wide;
	got = line_feed(&r, &first, &line);
	if (got == LINE_MORE)
		got = line_feed(&r, &rest, &line);
	if (got == LINE_READY)
		assert_true(span_eq(line, span_of(in, n)));
	line_fini(&r);
	return got;
}

static void
test_wide(void **state UNUSED)
{
	static const size_t cuts[] = { 0, 3, 5, 6, LIMIT_LINE - 1, LIMIT_LINE,
	    LIMIT_LINE + 1 };

	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		size_t cut = cuts[i];

		assert_int_equal(taken(LINE_AUTH, SPAN("auth X"),
		    LIMIT_AUTH_LINE - 1, cut), LINE_READY);
		assert_int_equal(taken(LINE_AUTH, SPAN("auth X"),
		    LIMIT_AUTH_LINE, cut), LINE_TOO_LONG);
		assert_int_equal(taken(LINE_AUTH, SPAN("AUTHX"), LIMIT_LINE + 2,
		    cut), LINE_TOO_LONG);
		assert_int_equal(taken(LINE_NARROW, SPAN("AUTH X"),
		    LIMIT_LINE + 2, cut), LINE_TOO_LONG);
		assert_int_equal(taken(LINE_WIDE, SPAN("dXNl"),
		    LIMIT_AUTH_LINE - 1, cut), LINE_READY);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_every_octet),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_wide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

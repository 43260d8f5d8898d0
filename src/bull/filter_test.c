/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/buf.h"
#include "bull/filter.h"

#define FROM	"From ann@example.org Sat Jan  1 00:00:00 2000\n"
#define FROM_CR	"From ann@example.org Sat Jan  1 00:00:00 2000\r\n"

static const struct {
	const char		*name;
	const char		*in;
	const char		*want;
	enum bull_verdict	 verdict;
} rows[] = {
	{ "plain",
	  FROM "To: x\nSubject: s\n\nbody\n\n",
	  FROM "To: u@h\nSubject: s\n\nbody\n\n" },
	{ "folded To",
	  FROM "To: x,\n y,\n\tz\nCc: c\n\nb\n\n",
	  FROM "To: u@h\nCc: c\n\nb\n\n" },
	{ "several To: one remains, where the first was",
	  FROM "A: 1\nto: x\nB: 2\nTO : y\n z\nC: 3\n\nb\n\n",
	  FROM "A: 1\nTo: u@h\nB: 2\nC: 3\n\nb\n\n" },
	{ "no To: none is added",
	  FROM "Subject: s\n\nb\n\n",
	  FROM "Subject: s\n\nb\n\n" },
	{ "names that only begin alike",
	  FROM "Topic: t\nTo-Do: t\nStatus-X: s\nX-UIDLs: u\nX-Status: x\n"
	  "Resent-To: r\n\nb\n\n",
	  FROM "Topic: t\nTo-Do: t\nStatus-X: s\nX-UIDLs: u\nX-Status: x\n"
	  "Resent-To: r\n\nb\n\n" },
	{ "Status and X-UIDL go, folds too",
	  FROM "Status: RO\nSubject: s\n f\nSTATUS:O\n x\nx-uidl: abc\n\td\n"
	  "Date: d\n\nb\n\n",
	  FROM "Subject: s\n f\nDate: d\n\nb\n\n" },
	{ "only in the header",
	  FROM "Subject: s\n\nTo: t\nStatus: s\nX-UIDL: x\n\n",
	  FROM "Subject: s\n\nTo: t\nStatus: s\nX-UIDL: x\n\n" },
	{ "CRLF stays",
	  FROM_CR "To: x\r\n y\r\nStatus: R\r\nA: 1\r\n\r\nb\r\n\r\n",
	  FROM_CR "To: u@h\r\nA: 1\r\n\r\nb\r\n\r\n" },
	{ "CRLF without separator",
	  FROM_CR "A: 1\r\n\r\nb\r\n",
	  FROM_CR "A: 1\r\n\r\nb\r\n\r\n" },
	{ "CRLF, last line cut",
	  FROM_CR "A: 1\r\n\r\nb",
	  FROM_CR "A: 1\r\n\r\nb\r\n\r\n" },
	{ "CRLF, last line cut after CR",
	  FROM_CR "A: 1\r\n\r\nb\r",
	  FROM_CR "A: 1\r\n\r\nb\r\n\r\n" },
	{ "no separator",
	  FROM "A: 1\n\nb\n",
	  FROM "A: 1\n\nb\n\n" },
	{ "no line end",
	  FROM "A: 1\n\nb",
	  FROM "A: 1\n\nb\n\n" },
	{ "more blank lines are text",
	  FROM "A: 1\n\nb\n\n\n\n",
	  FROM "A: 1\n\nb\n\n\n\n" },
	{ "empty body: the header's end is no separator",
	  FROM "A: 1\n\n",
	  FROM "A: 1\n\n\n" },
	{ "no end of the header",
	  FROM "A: 1\n",
	  FROM "A: 1\n\n" },
	{ "To is the last, cut line",
	  FROM "A: 1\nTo: x",
	  FROM "A: 1\nTo: u@h\n\n" },
	{ "Status is the last, cut line",
	  FROM "A: 1\nStatus: x",
	  FROM "A: 1\n\n" },
	{ "From_ line alone",
	  FROM,
	  FROM "\n" },
	{ "From_ without a blank line before is text",
	  FROM "A: 1\n\nb\n" FROM "c\n\n",
	  FROM "A: 1\n\nb\n" FROM "c\n\n" },
	{ "From_ in the header is no separator either",
	  FROM FROM "A: 1\n\nb\n\n",
	  FROM FROM "A: 1\n\nb\n\n" },
	{ "From without a date is text",
	  FROM "A: 1\n\nFrom now on\n\nFrom here\n\n",
	  FROM "A: 1\n\nFrom now on\n\nFrom here\n\n" },
	{ "quoted From_ is text, and stays quoted",
	  FROM "A: 1\n\n>" FROM "b\n\n",
	  FROM "A: 1\n\n>" FROM "b\n\n" },
	{ "a blank that is none",
	  FROM "A: 1\n\nb\n \n" FROM "c\n\n",
	  FROM "A: 1\n\nb\n \n" FROM "c\n\n" },

	{ "empty", "", "", BULL_NO_FROM },
	{ "a line end", "\n", "", BULL_NO_FROM },
	{ "no From_", "Subject: s\n\nb\n", "", BULL_NO_FROM },
	{ "From_ without date", "From ann\nA: 1\n\nb\n", "", BULL_NO_FROM },
	{ "From_ comes second", "\n" FROM "A: 1\n\nb\n", "", BULL_NO_FROM },
	{ "two", FROM "A: 1\n\nb\n\n" FROM "A: 1\n\nc\n", "", BULL_TWO },
	{ "two, the first without body",
	  FROM "A: 1\n\n" FROM "A: 1\n\nc\n", "", BULL_TWO },
	{ "two, CRLF",
	  FROM_CR "A: 1\r\n\r\nb\r\n\r\n" FROM_CR "A: 1\r\n", "", BULL_TWO },
	{ "two, the second from someone with many names",
	  FROM "A: 1\n\nb\n\nFrom a b c d e f g h i j k l m n o p q r s t u v w "
	  "x y z Sat Jan  1 00:00:00 2000\nA: 1\n\nc\n", "", BULL_TWO },
	{ "two, the second cut",
	  FROM "A: 1\n\nb\n\nFrom x Sat Jan  1 00:00:00 2000", "", BULL_TWO },
};

static int
put(void *ctx, struct span s)
{
	return buf_append(ctx, s);
}

static void
run(struct span in, size_t step, struct buf *out, enum bull_verdict *verdict_r)
{
	struct bull_filter f;

	bull_filter_init(&f, "u@h", put, out);
	for (; in.n > 0; in = span_skip(in, step))
		assert_int_equal(bull_filter_feed(&f, span_first(in, step)), 0);
	assert_int_equal(bull_filter_end(&f), 0);
	*verdict_r = f.verdict;
}

static void
check(const char *name, struct span in, struct span want,
    enum bull_verdict verdict)
{
	for (size_t step = 1; step <= in.n + 1; step += 1 + step / 64) {
		enum bull_verdict	got;
		struct buf		out;

		buf_init(&out, 1u << 20);
		run(in, step, &out, &got);
		if (got != verdict || (verdict == BULL_GOOD &&
		    !span_eq(buf_span(&out), want)))
			fail_msg("%s, blocks of %zu: verdict %d\n%.*s", name,
			    step, (int)got, (int)buf_len(&out),
			    (const char *)buf_span(&out).p);
		buf_fini(&out);
	}
}

static void
test_rows(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].name, span_str(rows[i].in),
		    span_str(rows[i].want), rows[i].verdict);
}

/* NULs and 8-bit octets pass; they end nothing. */
static void
test_octets(void **state UNUSED)
{
	static const char text[] = FROM "A: \0\1\377\n\nb\0\r\rc\n\0\n\n";

	check("octets", SPAN(text), SPAN(text), BULL_GOOD);
}

/* Lines around and far above what is kept of a line. */
static void
test_long_lines(void **state UNUSED)
{
	static const size_t lengths[] = {
		BULL_HEAD - 1, BULL_HEAD, BULL_HEAD + 1, BULL_HEAD + 2, 10000,
	};
	static char long_text[10001];

	memset(long_text, 'x', sizeof(long_text));
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct buf	in;
		struct buf	want;
		const char	*text = long_text + sizeof(long_text) -
		    lengths[i];

		buf_init(&in, 1u << 20);
		buf_init(&want, 1u << 20);
		long_text[sizeof(long_text) - 1] = '\0';
		assert_int_equal(buf_append(&in, SPAN(FROM "To: ")), 0);
		assert_int_equal(buf_append(&in, span_str(text)), 0);
		assert_int_equal(buf_append(&in, SPAN("\n ")), 0);
		assert_int_equal(buf_append(&in, span_str(text)), 0);
		assert_int_equal(buf_append(&in, SPAN("\nA: ")), 0);
		assert_int_equal(buf_append(&in, span_str(text)), 0);
		assert_int_equal(buf_append(&in, SPAN("\n\n")), 0);
		assert_int_equal(buf_append(&in, span_str(text)), 0);
		assert_int_equal(buf_append(&want, SPAN(FROM "To: u@h\nA: ")),
		    0);
		assert_int_equal(buf_append(&want, span_str(text)), 0);
		assert_int_equal(buf_append(&want, SPAN("\n\n")), 0);
		assert_int_equal(buf_append(&want, span_str(text)), 0);
		assert_int_equal(buf_append(&want, SPAN("\n\n")), 0);
		check("long lines", buf_span(&in), buf_span(&want), BULL_GOOD);
		buf_fini(&in);
		buf_fini(&want);
	}
}

static void
add(struct buf *b, const char *from, const char *rest)
{
	assert_int_equal(buf_append(b, SPAN("From ")), 0);
	assert_int_equal(buf_append(b, span_str(from)), 0);
	assert_int_equal(buf_append(b, span_str(rest)), 0);
}

/* What a maildrop would take for a From_ line is one here, however long. */
static void
test_long_from_lines(void **state UNUSED)
{
	static const char date[] = " Sat Jan  1 00:00:00 2000\r\n";

	for (size_t n = BULL_HEAD - 40; n < 8000; n += n / 40) {
		struct buf	b;
		char		name[8001];

		(void)snprintf(name, sizeof(name), "%0*d", (int)n, 0);
		buf_init(&b, 1u << 20);
		add(&b, name, date);
		assert_int_equal(buf_append(&b, SPAN("A: 1\r\n\r\nb\r\n")), 0);
		add(&b, name, date);		/* not behind a blank line */
		assert_int_equal(buf_append(&b, SPAN("\r\n")), 0);
		check("long", buf_span(&b), buf_span(&b), BULL_GOOD);
		add(&b, name, " at\r\n\r\n");
		check("long text", buf_span(&b), buf_span(&b), BULL_GOOD);
		add(&b, name, date);
		check("two long", buf_span(&b), SPAN(""), BULL_TWO);
		buf_clear(&b);
		add(&b, name, "\nA: 1\n");
		check("long, no date", buf_span(&b), SPAN(""), BULL_NO_FROM);
		buf_fini(&b);
	}
}

static int
refuse(void *ctx, struct span s UNUSED)
{
	int *left = ctx;

	return (*left)-- > 0 ? 0 : -1;
}

/* Whichever piece is refused, the filter says so. */
static void
test_put_fails(void **state UNUSED)
{
	static const char in[] = FROM "To: x\n\nb";

	for (int allowed = 0;; allowed++) {
		struct bull_filter	f;
		int			left = allowed;

		bull_filter_init(&f, "u@h", refuse, &left);
		if (bull_filter_feed(&f, SPAN(in)) == 0 &&
		    bull_filter_end(&f) == 0) {
			assert_true(allowed > 5);
			break;
		}
		assert_int_equal(left, -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_long_from_lines),
		cmocka_unit_test(test_put_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

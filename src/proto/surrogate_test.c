/* SPDX-License-Identifier: ISC */
#include "proto/surrogate.h"

#include "proto/recode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOBODY	"<invalid@internationalized-address.invalid>"
#define JOSE	"Jos\xc3\xa9"
#define LONG_NAME	"\xe6\x97\xa5\xe6\x9c\xac" "\xe6\x97\xa5\xe6\x9c\xac"
#define LONG_PERCENT	"%E6%97%A5%E6%9C%AC" "%E6%97%A5%E6%9C%AC"
#define MANY	(4u << 20)

/* What comes of a text that is fed in pieces of so many octets. */
static struct buf
run(struct span text, size_t piece, bool *changed_r)
{
	struct surrogate	s;
	struct buf		all;
	struct span		in = { 0 };
	struct span		out;

	buf_init(&all, MANY);
	surrogate_init(&s);
	for (;;) {
		out = surrogate_next(&s, &in, text.n == 0);
		assert_int_equal(buf_append(&all, out), 0);
		if (out.n > 0)
			continue;
		assert_int_equal(in.n, 0);
		if (text.n == 0)
			break;
		in = span_first(text, piece);
		text = span_skip(text, in.n);
	}
	*changed_r = s.changed;
	surrogate_fini(&s);
	return all;
}

static void
expect(const char *text, const char *want)
{
	static const size_t pieces[] = { 1, 2, 7, MANY };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		bool		changed;
		struct buf	got = run(span_str(text), pieces[i], &changed);

		if (!span_eq(buf_span(&got), span_str(want)))
			fail_msg("in pieces of %zu, got:\n%.*s\nwant:\n%s",
			    pieces[i], (int)buf_len(&got),
			    (const char *)buf_span(&got).p, want);
		assert_int_equal(changed, strcmp(text, want) != 0);
		buf_fini(&got);
	}
}

static void
test_what_stays(void **state UNUSED)
{
	static const char *const texts[] = {
		"", "\n", "\r\n", "a", "Subject: x", "Subject: x\n y\n\nbody",
		"Subject: x\r\n\r\nJos\xc3\xa9\r\n",
		"From: a\n\n--x\nSubject: \xc3\xa9\n",
		/* no UTF-8: Latin-1, cut, overlong, a surrogate, too great */
		"Subject: Gr\xfc\xdf" "e\n\n", "Subject: \xc3\n\n",
		"Subject: \xc0\xaf\n\n", "To: \xed\xa0\x80\n\n",
		"To: \xf4\x90\x80\x80\n\n", "To: \xf8\x88\x80\x80\x80\n\n",
		"Content-Type: multipart/mixed; boundary=b\n\n"
		"--b\nContent-Type: text/plain\n\n\xc3\xa9\n--b--\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		expect(texts[i], texts[i]);
}

static void
test_text(void **state UNUSED)
{
	expect("Subject: " JOSE "\n\n", "Subject: =?UTF-8?Q?Jos=C3=A9?=\n\n");
	expect("Subject: a " JOSE " " JOSE " b\r\n\r\n" JOSE,
	    "Subject: a =?UTF-8?Q?Jos=C3=A9_Jos=C3=A9?= b\r\n\r\n" JOSE);
	expect("Subject:\n " JOSE "\n\t" JOSE "\nTo: x\n",
	    "Subject:\n =?UTF-8?Q?Jos=C3=A9=09Jos=C3=A9?=\nTo: x\n");
	expect("X-Odd: \xe6\x97\xa5\xe6\x9c\xac\n\n",
	    "X-Odd: =?UTF-8?B?5pel5pys?=\n\n");
	expect("X-\xc3\xa9: a\nA: b\n\n", "A: b\n\n");
	expect("no field " JOSE "\nA: b\n\n", "A: b\n\n");
	expect("Message-ID: <" JOSE "@x>\nReceived: by " JOSE "\n x\nA: b\n\n",
	    "A: b\n\n");
}

static void
test_addresses(void **state UNUSED)
{
	expect("From: " JOSE " <jose@example.org>\n\n",
	    "From: =?UTF-8?Q?Jos=C3=A9?= <jose@example.org>\n\n");
	expect("From: \"N\\\"u, " JOSE "\" <jose@example.org>\n\n",
	    "From: =?UTF-8?Q?N=22u=2C_Jos=C3=A9?= <jose@example.org>\n\n");
	expect("From: " JOSE " <" JOSE "@example.org>\n\n",
	    "From: =?UTF-8?Q?Jos=C3=A9_=3CJos=C3=A9=40example=2Eorg=3E?=\n "
	    NOBODY "\n\n");
	expect("From: " JOSE "@example.org\n\n",
	    "From: =?UTF-8?Q?Jos=C3=A9=40example=2Eorg?=\n " NOBODY "\n\n");
	expect("To: a@x, \"b, c\" <b@x>,\n  " JOSE " <c@x> ,d@x (" JOSE ")\n\n",
	    "To: a@x, \"b, c\" <b@x>,\n  =?UTF-8?Q?Jos=C3=A9?= <c@x> ,d@x"
	    " (=?UTF-8?Q?Jos=C3=A9?=)\n\n");
	expect("To: " JOSE ": a@x, b@x;\n\n",
	    "To: =?UTF-8?Q?Jos=C3=A9?=: a@x, b@x;\n\n");
	expect("cc: a@[IPv6:::1], " JOSE "\n\n",
	    "cc: a@[IPv6:::1], =?UTF-8?Q?Jos=C3=A9?=\n\n");
}

static void
test_parameters(void **state UNUSED)
{
	expect("Content-Type: text/plain; name=\"" JOSE ".txt\"; x=y\n\n",
	    "Content-Type: text/plain;\n name*=UTF-8''Jos%C3%A9.txt; x=y\n\n");
	expect("Content-Disposition: attachment; filename=\""
	    LONG_NAME LONG_NAME "\"\n\n",
	    "Content-Disposition: attachment;\n filename*0*=UTF-8''"
	    LONG_PERCENT "%E6%97%A5%E6%9C%AC%E6%97;\n filename*1*="
	    "%A5%E6%9C%AC"
	    "\n\n");
	expect("Content-Type: text/" JOSE "; a=b\nA: b\n\n", "A: b\n\n");
	expect("Content-Type: text/plain; n*=" JOSE "; a=b\n\n",
	    "Content-Type: text/plain; a=b\n\n");
}

static void
test_parts(void **state UNUSED)
{
	expect("Content-Type: multipart/mixed;\n boundary=\"b 1\"\n\n"
	    "Subject: " JOSE "\n--b 1\nSubject: " JOSE "\n\nSubject: " JOSE "\n"
	    "--b 10\nSubject: " JOSE "\n--b 1 \t\n"
	    "Content-Type: multipart/x; boundary=in\n\n--in\nA: " JOSE "\n\n"
	    "--in--\nA: " JOSE "\n--b 1\n"
	    "Content-Type: message/rfc822\n\nA: " JOSE "\n\nA: " JOSE "\n"
	    "--b 1--\n\nA: " JOSE "\n--b 1\nA: " JOSE "\n",
	    "Content-Type: multipart/mixed;\n boundary=\"b 1\"\n\n"
	    "Subject: " JOSE "\n--b 1\nSubject: =?UTF-8?Q?Jos=C3=A9?=\n\n"
	    "Subject: " JOSE "\n--b 10\nSubject: " JOSE "\n--b 1 \t\n"
	    "Content-Type: multipart/x; boundary=in\n\n--in\n"
	    "A: =?UTF-8?Q?Jos=C3=A9?=\n\n"
	    "--in--\nA: " JOSE "\n--b 1\n"
	    "Content-Type: message/rfc822\n\nA: =?UTF-8?Q?Jos=C3=A9?=\n\n"
	    "A: " JOSE "\n--b 1--\n\nA: " JOSE "\n--b 1\nA: " JOSE "\n");
	/* A part that is all header, and one that ends the outer one. */
	expect("Content-Type: multipart/mixed; boundary=b\n\n--b\nA: " JOSE
	    "\n--b\nContent-Type: multipart/x; boundary=c\n\n--c\n\n--b\nB: "
	    JOSE,
	    "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	    "A: =?UTF-8?Q?Jos=C3=A9?=\n--b\nContent-Type: multipart/x;"
	    " boundary=c\n\n--c\n\n--b\nB: =?UTF-8?Q?Jos=C3=A9?=");
}

/* Lines with an encoded word are no longer than 76, words no longer than 75, no
 * character is in two words. */
static void
test_long_lines(void **state UNUSED)
{
	static const char *const units[] = {
		"\xc3\xa9", "a\xc3\xa9 ", "\xe6\x97\xa5", "\xf0\x9f\x98\x80",
		"abc \xc3\xa9 ",
	};
	static const char *const names[] = { "Subject: ", "From: ", "To: a@x, " };
	struct buf text;

	for (size_t i = 0; i < ARRAY_LEN(units) * ARRAY_LEN(names); i++) {
		struct buf	got;
		struct span	rest, line;
		bool		changed;

		buf_init(&text, MANY);
		assert_int_equal(buf_append(&text, span_str(names[i % 3])), 0);
		for (int k = 0; k < 400; k++)
			assert_int_equal(buf_append(&text,
			    span_str(units[i / 3])), 0);
		assert_int_equal(buf_append(&text, SPAN("\n\n")), 0);
		got = run(buf_span(&text), MANY, &changed);
		rest = buf_span(&got);
		while (rest.n > 0) {
			line = span_first(rest, span_find(rest, '\n'));
			rest = span_skip(rest, line.n + 1);
			assert_true(line.n <= 76);
			assert_true(span_is_ascii(line));
			assert_true(line.n > 0 || rest.n == 0);
		}
		buf_fini(&got);
		buf_fini(&text);
	}
}

/* A field without end, and one with the most that can come of it. */
static void
test_too_long(void **state UNUSED)
{
	static const char *const units[] = { "\xc3\xa9", "\xc3\xa9@,", "<\xc3\xa9>,",
	    "a=\"\xc3\xa9\";", "\n \xc3\xa9" };
	static const char *const names[] = { "To:", "Subject:", "Content-Type:a;" };

	for (size_t i = 0; i < ARRAY_LEN(units) * ARRAY_LEN(names); i++)
		for (size_t n = 1; n < 3; n++) {
			struct buf	text, got;
			size_t		most = RECODE_FIELD_MAX * n - 16;
			bool		changed;

			buf_init(&text, MANY);
			assert_int_equal(buf_append(&text,
			    span_str(names[i % 3])), 0);
			while (buf_len(&text) + 8 < most)
				assert_int_equal(buf_append(&text,
				    span_str(units[i / 3])), 0);
			assert_int_equal(buf_append(&text,
			    SPAN("\nA: b\n\nbody\n")), 0);
			got = run(buf_span(&text), 1000, &changed);
			assert_true(changed);
			assert_true(span_is_ascii(buf_span(&got)));
			assert_non_null(memmem(buf_span(&got).p, buf_len(&got),
			    "A: b\n\nbody\n", 11));
			buf_fini(&got);
			buf_fini(&text);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_stays),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/buf.h"
#include "xtnd/address.h"

/* want: each address and ";"; "!" where the list is bad. */
static const struct {
	const char	*in;
	const char	*want;
} rows[] = {
	{ "", "" },
	{ " \n\t ", "" },
	{ ",, ,", "" },
	{ "a@x", "a@x;" },
	{ " a@x ", "a@x;" },
	{ "a", "a;" },
	{ "a@x,b@y", "a@x;b@y;" },
	{ "a@x,\n b@y,\n\tc@z", "a@x;b@y;c@z;" },
	{ "a@x\r\n ,b@y", "a@x;b@y;" },
	{ "<a@x>", "a@x;" },
	{ "Ann <a@x>", "a@x;" },
	{ "Ann B. C. <a@x>, Bob <b@y>", "a@x;b@y;" },
	{ "\"Ann, or Bob\" <a@x>", "a@x;" },
	{ "\"Ann <b@y>\" <a@x>", "a@x;" },
	{ "Ann (who, <b@y>) <a@x>", "a@x;" },
	{ "a@x (Ann (and) \\) Bob)", "a@x;" },
	{ "(c)a(d)@(e)x(f)", "a@x;" },
	{ "\"a b\"@x", "a b@x;" },
	{ "\"a\\\"b\"@x", "a\"b@x;" },
	{ "a\\ b@x", "a b@x;" },
	{ "a . b @ x", "a.b@x;" },
	{ "a@[192.0.2.1]", "a@[192.0.2.1];" },
	{ "a@[IPv6:2001:db8::1], b@y", "a@[IPv6:2001:db8::1];b@y;" },
	{ "<a@[IPv6:::1]>", "a@[IPv6:::1];" },
	{ "undisclosed-recipients:;", "" },
	{ "Friends: a@x, Bob <b@y>; c@z", "a@x;b@y;c@z;" },
	{ "Friends: a@x;, c@z", "a@x;c@z;" },
	{ "A: a@x; B: b@y;", "a@x;b@y;" },
	{ "Caf\xc3\xa9 <a@x>", "a@x;" },
	{ "a-b@x, a|b@x, a/b@x", "a-b@x;a|b@x;a/b@x;" },
	{ "AC/DC | band - <a@x>", "a@x;" },
	{ "|phrase <a@x>", "a@x;" },

	/* Programs, files, options, lists in files. */
	{ "|/bin/sh", "!" },
	{ "\"|/bin/sh\"", "!" },
	{ "\"|/bin/sh -c x\"@localhost", "!" },
	{ "\" |/bin/sh\"", "!" },
	{ "\"\\|/bin/sh\"", "!" },
	{ "\\|/bin/sh", "!" },
	{ "(c)|/bin/sh", "!" },
	{ "\"\"|/bin/sh", "!" },
	{ "<|/bin/sh>", "!" },
	{ "Ann <\"|/bin/sh\">", "!" },
	{ "Ann < |x>", "!" },
	{ "a@x, |/bin/sh", "a@x;!" },
	{ "a@x |/bin/sh", "!" },
	{ "a@x \"|/bin/sh\"", "!" },
	{ "Friends: |/bin/sh;", "!" },
	{ "/etc/passwd", "!" },
	{ "\"/etc/passwd\"", "!" },
	{ "</etc/passwd>", "!" },
	{ ":include:/etc/passwd", "!" },
	{ "\":include:/etc/passwd\"", "!" },
	{ "<:include:/etc/passwd>", "!" },
	{ "<\":include:/etc/passwd\">", "!" },
	{ "include:/etc/passwd", "!" },
	{ "-oQ/tmp", "!" },
	{ "\"-oQ/tmp\"", "!" },
	{ "<-f@x>", "!" },
	{ "<@b:a@x>", "!" },
	{ "<@b,@c:a@x>", "!" },

	/* Not closed, or not clear. */
	{ "\"a@x", "!" },
	{ "a@x (", "!" },
	{ "a@x )", "!" },
	{ "a@[x", "!" },
	{ "a@x\\", "!" },
	{ "(\\", "!" },
	{ "<a@x", "!" },
	{ "a@x>", "!" },
	{ "<>", "!" },
	{ "Ann <>", "!" },
	{ "<a@x> b", "!" },
	{ "<a@x> <b@y>", "!" },
	{ "<a@x, b@y>", "!" },
	{ "<<a@x>>", "!" },
	{ "Friends: a@x", "a@x;!" },
	{ "A: B: a@x;;", "!" },
	{ "a@x;", "!" },
	{ ":a@x;", "!" },
};

static void
test_rows(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address_list	l = { .rest = span_str(rows[i].in) };
		struct address		a;
		enum address_result	r;
		struct buf		got;

		buf_init(&got, 65536);
		while ((r = address_next(&l, &a)) == ADDRESS_ONE) {
			assert_int_equal(buf_append(&got,
			    span_of(a.text, a.n)), 0);
			assert_int_equal(buf_append(&got, SPAN(";")), 0);
		}
		if (r == ADDRESS_BAD)
			assert_int_equal(buf_append(&got, SPAN("!")), 0);
		if (!span_eq(buf_span(&got), span_str(rows[i].want)))
			fail_msg("%s: %.*s", rows[i].in, (int)buf_len(&got),
			    (const char *)got.p);
		buf_fini(&got);
	}
}

static void
test_length(void **state UNUSED)
{
	char		text[ADDRESS_MAX + 16];
	struct address	a;

	memset(text, 'a', sizeof(text));
	for (size_t n = ADDRESS_MAX - 1; n <= ADDRESS_MAX + 1; n++) {
		struct address_list l = { .rest = span_of(text, n) };

		assert_int_equal(address_next(&l, &a),
		    n <= ADDRESS_MAX ? ADDRESS_ONE : ADDRESS_BAD);
	}
	/* A long display name is none of our business. */
	memcpy(text + sizeof(text) - 6, " <a@x>", 6);
	assert_int_equal(address_next(&(struct address_list){
	    .rest = span_of(text, sizeof(text)) }, &a), ADDRESS_ONE);
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

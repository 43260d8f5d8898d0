/* SPDX-License-Identifier: ISC */
#include "sasl/simple.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* RFC 4616 s.4 first. */
static const struct {
	struct span	message;
	struct span	authz;
	struct span	user;
	struct span	password;
} good[] = {
	{ SPAN("\0tim\0tanstaaftanstaaf"), SPAN(""), SPAN("tim"),
	  SPAN("tanstaaftanstaaf") },
	{ SPAN("Ursel\0Kurt\0xipj3plmq"), SPAN("Ursel"), SPAN("Kurt"),
	  SPAN("xipj3plmq") },
	{ SPAN("\0a b\0 \xc3\xa4 \n"), SPAN(""), SPAN("a b"), SPAN(" \xc3\xa4 \n") },
};

static const struct span bad[] = {
	SPAN(""), SPAN("\0"), SPAN("\0\0"), SPAN("tim"), SPAN("\0tim"),
	SPAN("\0tim\0"), SPAN("\0\0secret"), SPAN("x\0tim\0"),
	SPAN("\0tim\0sec\0ret"), SPAN("\0tim\0secret\0"), SPAN("\0\0\0\0"),
};

static void
test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct sasl_login l;

		assert_true(sasl_plain(good[i].message, &l));
		assert_true(span_eq(l.authz, good[i].authz));
		assert_true(span_eq(l.user, good[i].user));
		assert_true(span_eq(l.password, good[i].password));
	}
}

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct sasl_login l;

		if (sasl_plain(bad[i], &l))
			fail_msg("case %zu", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

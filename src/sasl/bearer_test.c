/* SPDX-License-Identifier: ISC */
#include "sasl/bearer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TOKEN	"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
#define AUTH	"\001auth=Bearer " TOKEN "\001\001"

struct good {
	struct span	message;
	struct span	user;
	struct span	token;
};

/* RFC 7628 s.4.1 and s.4.4 first. */
static const struct good oauthbearer[] = {
	{ SPAN("n,a=user@example.com,\001host=server.example.com\001port=143"
	    AUTH), SPAN("user@example.com"), SPAN(TOKEN) },
	{ SPAN("n,a=user@example.com,\001host=server.example.com\001port=587"
	    AUTH), SPAN("user@example.com"), SPAN(TOKEN) },
	{ SPAN("y,," AUTH), SPAN(""), SPAN(TOKEN) },
	{ SPAN("n,," "\001auth=bEARER  a.b-_~+/9\001x=\tany\r\nthing \001\001"),
	  SPAN(""), SPAN("a.b-_~+/9") },
	{ SPAN("n,a==2C=3Dx=2C," AUTH), SPAN(",=x,"), SPAN(TOKEN) },
	{ SPAN("n,a=\303\244," AUTH), SPAN("\303\244"), SPAN(TOKEN) },
};

static const struct good xoauth2[] = {
	{ SPAN("user=someuser@example.com\001auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBh"
	    "dHRhdmlzdGEuY29tCg\001\001"), SPAN("someuser@example.com"),
	  SPAN("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg") },
	{ SPAN("user=a=2C,b" AUTH), SPAN("a=2C,b"), SPAN(TOKEN) },
};

static const struct span oauthbearer_bad[] = {
	SPAN(""), SPAN("\001"), SPAN("\001\001"), SPAN("n,,"), SPAN("n,,\001"),
	SPAN("n,,\001\001"), SPAN("n," AUTH), SPAN("," AUTH), SPAN("n" AUTH),
	SPAN("a=ann," AUTH), SPAN("x,," AUTH), SPAN("p=tls-exporter,," AUTH),
	SPAN("n,a=," AUTH), SPAN("n,ann," AUTH), SPAN("n,a=a,b," AUTH),
	SPAN("n,a=a=2c," AUTH), SPAN("n,a=a=," AUTH), SPAN("n,a=a=2," AUTH),
	SPAN("n,a=a\0b," AUTH),
	SPAN("n,," AUTH "\001"), SPAN("n,," AUTH "x"), SPAN("F,n,," AUTH),
	SPAN("n,,\001auth=Bearer x\001"), SPAN("n,,\001auth=Bearer x"),
	SPAN("n,,\001auth=\001\001"), SPAN("n,,\001auth=Bearer \001\001"),
	SPAN("n,,\001auth=Bearer\001\001"), SPAN("n,,\001auth=Basic x\001\001"),
	SPAN("n,,\001auth=Bearer =\001\001"), SPAN("n,,\001auth=Bearer a b\001\001"),
	SPAN("n,,\001auth=Bearer a=b\001\001"), SPAN("n,,\001auth=Bearer a,b\001\001"),
	SPAN("n,,\001auth=Bearer x\001auth=Bearer x\001\001"),
	SPAN("n,,\001host=x\001\001"), SPAN("n,,\001auth=Bearer x\001host\001\001"),
	SPAN("n,,\001auth=Bearer x\001=y\001\001"),
	SPAN("n,,\001auth=Bearer x\001a1=y\001\001"),
	SPAN("n,,\001auth=Bearer x\001a=\0\001\001"),
	SPAN("n,,\001auth=Bearer x\001a=\177\001\001"),
	SPAN("n,,\001auth=Bearer x\001a=\303\244\001\001"),
	SPAN("user=ann" AUTH),
};

static const struct span xoauth2_bad[] = {
	SPAN(""), SPAN("user=" AUTH), SPAN("ann" AUTH), SPAN("user=ann"),
	SPAN("user=ann\001\001"), SPAN("User=ann" AUTH), SPAN("user=a\0b" AUTH),
	SPAN("user=ann\001auth=Bearer x\001"), SPAN("user=ann" AUTH AUTH),
	SPAN("n,a=ann," AUTH),
};

typedef bool	parse_fn(struct span message, struct sasl_bearer *out);

static void
check_good(parse_fn *parse, const struct good *v, size_t n)
{
	struct sasl_bearer b;

	for (size_t i = 0; i < n; i++) {
		assert_true(parse(v[i].message, &b));
		assert_true(span_eq(span_of(b.user, b.user_n), v[i].user));
		assert_true(span_eq(b.token, v[i].token));
	}
}

static void
check_bad(parse_fn *parse, const struct span *v, size_t n)
{
	struct sasl_bearer b;

	for (size_t i = 0; i < n; i++)
		if (parse(v[i], &b))
			fail_msg("row %zu", i);
}

static void
test_good(void **state)
{
	(void)state;
	check_good(sasl_oauthbearer, oauthbearer, ARRAY_LEN(oauthbearer));
	check_good(sasl_xoauth2, xoauth2, ARRAY_LEN(xoauth2));
}

static void
test_bad(void **state)
{
	(void)state;
	check_bad(sasl_oauthbearer, oauthbearer_bad, ARRAY_LEN(oauthbearer_bad));
	check_bad(sasl_xoauth2, xoauth2_bad, ARRAY_LEN(xoauth2_bad));
}

static void
try_name(parse_fn *parse, const char *before, const char *behind, size_t n,
    bool want)
{
	char			text[1024];
	struct sasl_bearer	b;
	size_t			at = strlen(before);

	memcpy(text, before, at);
	memset(text + at, 'x', n);
	memcpy(text + at + n, behind, strlen(behind));
	assert_int_equal(parse(span_of(text, at + n + strlen(behind)), &b), want);
	if (want)
		assert_int_equal(b.user_n, n);
}

static void
test_long_names(void **state)
{
	(void)state;
	for (size_t n = SASL_BEARER_NAME_MAX; n < SASL_BEARER_NAME_MAX + 2; n++) {
		bool fits = n == SASL_BEARER_NAME_MAX;

		try_name(sasl_oauthbearer, "n,a=", "," AUTH, n, fits);
		try_name(sasl_xoauth2, "user=", AUTH, n, fits);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

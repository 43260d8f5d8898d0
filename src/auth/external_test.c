/* SPDX-License-Identifier: ISC */
#include "auth/external.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define A	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A_WRITTEN \
	"01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:" \
	"01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF"
#define B	"fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static const char rows[] =
	"# who may\n"
	"ann  " A_WRITTEN "\n"
	"bob\tCN=Bob Builder,O=Example  \n"
	"office CN=Bob Builder,O=Example # shared\n"
	"half\n"
	"short 01:23\n"
	"empty CN=\n";

static const struct {
	enum external_by	 by;
	const char		*proof;
	const char		*user;
	bool			 allowed;
} cases[] = {
	{ EXTERNAL_FILE, A " CN=Ann", "ann", true },
	{ EXTERNAL_FILE, A " ", "ann", true },
	{ EXTERNAL_FILE, A " CN=Ann", "ANN", false },
	{ EXTERNAL_FILE, A " CN=Ann", "bob", false },
	{ EXTERNAL_FILE, A " CN=Ann", "", false },
	{ EXTERNAL_FILE, B " CN=Bob Builder,O=Example", "bob", true },
	{ EXTERNAL_FILE, B " CN=Bob Builder,O=Example", "office", true },
	{ EXTERNAL_FILE, B " CN=Bob Builder,O=Example", "ann", false },
	{ EXTERNAL_FILE, B " CN=Bob builder,O=Example", "bob", false },
	{ EXTERNAL_FILE, B " CN=Bob Builder", "bob", false },
	{ EXTERNAL_FILE, B " 01:23", "short", true },	/* a subject of that name */
	{ EXTERNAL_FILE, B " ", "half", false },
	{ EXTERNAL_FILE, B " ", "empty", false },
	{ EXTERNAL_FILE, A_WRITTEN " CN=Ann", "ann", false },
	{ EXTERNAL_FILE, "0123 CN=Ann", "ann", false },
	{ EXTERNAL_FILE, "", "ann", false },
	{ EXTERNAL_FILE, " CN=Bob Builder,O=Example", "bob", false },
	{ EXTERNAL_EMAIL, B " ann@example.org", "ann@example.org", true },
	{ EXTERNAL_EMAIL, B " ann@example.org", "ann", false },
	{ EXTERNAL_EMAIL, B " ann@example.org", "Ann@example.org", false },
	{ EXTERNAL_EMAIL, A " ", "ann", false },
	{ EXTERNAL_CN, A " ", "", false },
	{ EXTERNAL_CN, A, "", false },
	{ EXTERNAL_CN, B " cy", "cy", true },
	{ EXTERNAL_DNS, B " host.example", "host.example", true },
};

static void
test_allows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (external_allows(cases[i].by, SPAN(rows),
		    span_str(cases[i].proof), span_str(cases[i].user)) !=
		    cases[i].allowed)
			fail_msg("case %zu", i);
}

static void
test_users(void **state)
{
	static const struct {
		enum external_by	 by;
		const char		*proof;
		size_t			 n;
		const char		*first;
	} of[] = {
		{ EXTERNAL_FILE, A " CN=Ann", 1, "ann" },
		{ EXTERNAL_FILE, B " CN=Bob Builder,O=Example", 2, "bob" },
		{ EXTERNAL_FILE, B " CN=Cy", 0, "" },
		{ EXTERNAL_CN, B " cy", 1, "cy" },
		{ EXTERNAL_CN, B " ", 0, "" },
		{ EXTERNAL_CN, "x cy", 0, "" },
	};
	struct span user;

	(void)state;
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		assert_int_equal(external_users(of[i].by, SPAN(rows),
		    span_str(of[i].proof), &user), of[i].n);
		assert_true(span_eq(user, span_str(of[i].first)));
	}
}

static void
test_proof(void **state)
{
	static char	name[EXTERNAL_PROOF_MAX];
	char		out[EXTERNAL_PROOF_MAX];

	(void)state;
	assert_true(external_proof(A, "cy", out));
	assert_string_equal(out, A " cy");
	memset(name, 'x', sizeof(name) - 1);
	assert_false(external_proof(A, name, out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allows),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

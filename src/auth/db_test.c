/* SPDX-License-Identifier: ISC */
/* The list of user databases. */
#include "auth/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
forms(void **state UNUSED)
{
	static const struct {
		const char	*item;
		bool		 good;
	} cases[] = {
		{ "pam", true },
		{ "file", true },
		{ "shop:file:/etc/popper/shop", true },
		{ "shop:file:etc/sh:op", true },
		{ "staff:pam", true },
		{ "staff:pam:popper-staff", true },
		{ "a_1-b:file", true },
		{ "a234567890123456789012345678901:file", true },
		{ "a2345678901234567890123456789012:file", false },
		{ "", false },
		{ ":", false },
		{ "fiel", false },
		{ "PAM", false },
		{ ":file", false },
		{ "Shop:file", false },
		{ "sh op:file", false },
		{ "shop:fiel:/x", false },
		{ "shop:", false },
		{ "shop:pam:../x", false },
		{ "shop:pam:.x", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char	expected[200] = "";
		bool	good = auth_database_fits(cases[i].item, expected,
			    sizeof(expected));

		if (good != cases[i].good || good != (expected[0] == '\0'))
			fail_msg("\"%s\": %s", cases[i].item, expected);
	}
}

static void
selected(void **state UNUSED)
{
	struct auth_conf c = {
		.pam_service = "popper", .passwd_file = "/users",
		.databases = { .n = 4, .item = { "file", "shop:file:/a:b",
		    "staff:pam:mail", "pam" } },
	};
	static const struct {
		const char		*id;
		enum auth_source	 source;
		const char		*place;
		bool			 more;
		bool			 more_rows;
	} want[] = {
		{ "file", AUTH_FILE, "/users", true, true },
		{ "shop", AUTH_FILE, "/a:b", true, false },
		{ "staff", AUTH_PAM, "mail", true, false },
		{ "pam", AUTH_PAM, "popper", false, false },
	};

	assert_int_equal(auth_databases(&c), 4);
	for (size_t k = 0; k < 8; k++) {	/* and back to the first */
		size_t i = k % 4;

		auth_select(&c, i);
		assert_string_equal(c.db, want[i].id);
		assert_int_equal(c.source, want[i].source);
		assert_string_equal(auth_place(&c), want[i].place);
		assert_int_equal(c.more, want[i].more);
		assert_int_equal(auth_has_more(&c, AUTH_METHOD_PASS),
		    want[i].more);
		assert_int_equal(auth_has_more(&c, AUTH_METHOD_APOP),
		    want[i].more_rows);
		assert_int_equal(auth_has_more(&c, AUTH_METHOD_SCRAM_SHA_1),
		    want[i].more_rows);
	}
	assert_true(auth_has(&c, AUTH_PAM));
	c.databases.n = 2;
	assert_false(auth_has(&c, AUTH_PAM));
	assert_true(auth_has(&c, AUTH_FILE));
}

/* Only who is not known, and only while there is another one to ask. */
static void
passed_on(void **state UNUSED)
{
	struct auth_conf	c = { .more = true };
	struct auth_verdict	v = { .result = AUTH_REFUSED,
				    .reason = REASON_UNKNOWN_USER };

	assert_true(auth_passes_on(&c, &v));
	c.more = false;
	assert_false(auth_passes_on(&c, &v));
	c.more = true;
	v.settled = true;
	assert_false(auth_passes_on(&c, &v));
	v.settled = false;
	for (int why = 0; why < REASON_COUNT; why++) {
		v.reason = (enum auth_reason)why;
		if (why != REASON_UNKNOWN_USER)
			assert_false(auth_passes_on(&c, &v));
	}
	v = (struct auth_verdict){ .result = AUTH_ERROR,
	    .reason = REASON_UNKNOWN_USER };
	assert_false(auth_passes_on(&c, &v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(selected),
		cmocka_unit_test(passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

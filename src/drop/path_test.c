/* SPDX-License-Identifier: ISC */
#include "drop/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka wants these first */
#include <cmocka.h>

static const struct {
	const char *template;
	const char *user;
	const char *home;
	const char *want;		/* NULL: refused */
} cases[] = {
	{ "/var/mail/%u",	"ann",	"",	"/var/mail/ann" },
	{ "/m/%1/%2/%u",	"ann",	"",	"/m/a/n/ann" },
	{ "/m/%1/%2/%u",	"x",	"",	"/m/x/_/x" },
	{ "~/mbox",		"ann",	"/h/a",	"/h/a/mbox" },
	{ "~",			"ann",	"/h/a",	"/h/a" },
	{ "%h/%u.mbox",		"ann",	"/h",	"/h/ann.mbox" },
	{ "/100%%/%u",		"ann",	"",	"/100%/ann" },
	{ "mail/%u",		"a@b",	"",	"mail/a@b" },
	{ "~ann/x",		"ann",	"/h",	"~ann/x" },
	{ "~/Maildir/",		"ann",	"/h/a",	"/h/a/Maildir" },
	{ "maildir:~/Maildir",	"ann",	"/h/a",	"/h/a/Maildir" },
	{ "maildir:%h/m//",	"ann",	"/h",	"/h/m" },
	{ "maildir:/v/%u/",	"ann",	"",	"/v/ann" },
	{ "/",			"ann",	"",	"/" },
	{ "maildir:~/m",	"ann",	"",	NULL },
	{ "~/mbox",		"ann",	"",	NULL },
	{ "%h/mbox",		"ann",	"",	NULL },
	{ "/m/%x",		"ann",	"",	NULL },
	{ "/m/%",		"ann",	"",	NULL },
	{ "/m/%u",		"",	"",	NULL },
	{ "/m/%u",		"a/b",	"",	NULL },
	{ "/m/%u",		"../b",	"",	NULL },
	{ "/m/%u",		".x",	"",	NULL },
	{ "/a-path-that-is-far-too-long/%u", "ann", "", NULL },
};

static void
test_expand(void **state)
{
	char		out[24];
	struct fault	f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = drop_path_expand(cases[i].template, cases[i].user,
		    cases[i].home, out, sizeof(out), &f);

		if (cases[i].want == NULL) {
			assert_int_equal(r, -1);
			assert_int_equal(f.class, FAULT_PERM);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(out, cases[i].want);
	}
}

static void
test_is_maildir(void **state)
{
	(void)state;
	assert_true(drop_path_is_maildir("maildir:~/m"));
	assert_true(drop_path_is_maildir("/v/%u/"));
	assert_false(drop_path_is_maildir("/v/%u"));
	assert_false(drop_path_is_maildir("/v/maildir:/%u"));
	assert_false(drop_path_is_maildir("/"));
	assert_false(drop_path_is_maildir(""));
}

static void
test_common(void **state)
{
	static const struct {
		const char	*template;
		const char	*want;
	} table[] = {
		{ "/var/mail/%u",		"/var/mail" },
		{ "maildir:/srv/%1/%u",		"/srv" },
		{ "/srv/mail-%1/%u/",		"/srv" },
		{ "/srv/50%%/%u",		"/srv" },
		{ "/%u",			"/" },
		{ "mail/%u",			"mail" },
		{ "%1/%u",			"." },
		{ "~/mail/%u",			NULL },
		{ "/srv/%h",			NULL },
		{ "/a/folder/with/a/long/name/%u", NULL },
	};
	char out[24];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		bool has = drop_path_common(table[i].template, out,
		    sizeof(out));

		assert_int_equal(has, table[i].want != NULL);
		if (has)
			assert_string_equal(out, table[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_is_maildir),
		cmocka_unit_test(test_common),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

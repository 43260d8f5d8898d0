/* SPDX-License-Identifier: ISC */
#include "auth/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct identity	ann = {
	.user = "ann@Example.org", .uid = 1500, .gid = 1501,
	.ngids = 1, .gids = { 1700 },
};

/* One rule, and what becomes of ann: '-' it does not hold. */
static const struct {
	const char	*rule;
	char		 want;
} cases[] = {
	{ "allow", 'y' },
	{ "deny", 'n' },
	{ "deny user=ann@Example.org", 'n' },
	{ "deny user=ann", '-' },
	{ "deny user=bob,ann@Example.org", 'n' },
	{ "deny user=!bob,joe", 'n' },
	{ "deny user=!bob,ann@Example.org", '-' },
	{ "deny domain=example.org", 'n' },
	{ "deny domain=example.net", '-' },
	{ "deny domain=org", '-' },
	{ "deny group=staff", 'n' },
	{ "deny group=interns", '-' },
	{ "deny group=interns,staff", 'n' },
	{ "deny group=!interns", 'n' },
	{ "deny group=1501", 'n' },
	{ "deny group=1700", 'n' },
	{ "deny group=1502", '-' },
	{ "deny group=nobody-has-it", '-' },
	{ "deny db=file", 'n' },
	{ "deny db=pam", '-' },
	{ "deny method=plain,login", 'n' },
	{ "deny method=pass", '-' },
	{ "deny method=!pass", 'n' },
	{ "deny network=192.0.2.0/24", 'n' },
	{ "deny network=10.0.0.0/8,192.0.2.7", 'n' },
	{ "deny network=2001:db8::/32", '-' },
	{ "deny network=!10.0.0.0/8", 'n' },
	{ "deny network=!192.0.0.0/8", '-' },
	{ "deny listener=*:995", 'n' },
	{ "deny listener=198.51.100.1:995", 'n' },
	{ "deny listener=198.51.100.2:995", '-' },
	{ "deny listener=*:110", '-' },
	{ "deny listener=!*:110", 'n' },
	{ "deny tls=yes", 'n' },
	{ "deny tls=no", '-' },
	{ "deny tls=!no", 'n' },
	{ "deny master=yes", '-' },
	{ "deny app=no", 'n' },
	{ "allow user=ann@Example.org tls=yes method=plain", 'y' },
	{ "allow user=ann@Example.org tls=no method=plain", '-' },
};

static int
find(const char *name, gid_t *gid_r, struct fault *f)
{
	if (strcmp(name, "broken") == 0)
		return fault_set(f, FAULT_TEMP, "no answer");
	*gid_r = strcmp(name, "staff") == 0 ? 1700 : 1800;
	return strcmp(name, "nobody-has-it") != 0;
}

static int
judge(const struct conf_list *rules, bool *allowed_r)
{
	static struct access_groups	groups;
	const struct auth_way		way = { .tls = true, .local = {
		.family = 4, .raw = { 198, 51, 100, 1 }, .port = 995,
	} };
	const struct sock_addr		peer = {
		.family = 4, .raw = { 192, 0, 2, 7 }, .port = 40000,
	};
	const struct access_who		who = {
		.id = &ann, .db = "file", .method = AUTH_METHOD_PLAIN,
		.peer = &peer, .way = &way,
	};
	struct fault			f;

	assert_int_equal(access_load(rules, &groups, find, &f), 0);
	return access_judge(rules, &groups, &who, allowed_r);
}

static void
test_each_condition(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct conf_list	rules = {
			.n = 1, .item = { cases[i].rule },
		};
		char	expected[400];
		bool	allowed;
		int	rule = judge(&rules, &allowed);
		char	got = rule < 0 ? '-' : allowed ? 'y' : 'n';

		if (!access_fits(cases[i].rule, expected, sizeof(expected)))
			fail_msg("%s: %s", cases[i].rule, expected);
		if (got != cases[i].want)
			fail_msg("%s: %c, not %c", cases[i].rule, got,
			    cases[i].want);
		assert_true(rule >= 0 || allowed);
	}
}

static void
test_the_first_one_decides(void **state UNUSED)
{
	struct conf_list rules = { .n = 3, .item = {
		"deny tls=no", "allow network=192.0.2.0/24", "deny",
	} };
	bool		 allowed;

	assert_int_equal(judge(&rules, &allowed), 1);
	assert_true(allowed);
	rules.item[1] = "allow network=10.0.0.0/8";
	assert_int_equal(judge(&rules, &allowed), 2);
	assert_false(allowed);
	rules.n = 0;
	assert_int_equal(judge(&rules, &allowed), -1);
	assert_true(allowed);
}

static void
test_a_group_that_cannot_be_asked_about(void **state UNUSED)
{
	const struct conf_list		rules = {
		.n = 1, .item = { "deny group=broken" },
	};
	static struct access_groups	groups;
	struct fault			f;

	assert_int_equal(access_load(&rules, &groups, find, &f), -1);
	assert_string_equal(f.text, "no answer");
}

static void
test_mistakes(void **state UNUSED)
{
	static const struct {
		const char	*line;
		const char	*write;
	} bad[] = {
		{ "", "allow or deny before" },
		{ "forbid user=ann", "allow or deny before" },
		{ "user=ann deny", "allow or deny before" },
		{ "deny usr=ann", "user=, group=, " },
		{ "deny ann", "for \"ann\"" },
		{ "deny user=", "names with commas" },
		{ "deny user=ann,", "names with commas" },
		{ "deny user=!", "names with commas" },
		{ "deny method=plian", "method=pass,rpop,plain,login" },
		{ "deny network=10.0.0.1/8", "10.0.0.0/8" },
		{ "deny listener=995", "such as *:995" },
		{ "deny tls=maybe", "with yes or no" },
		{ "deny domain=@example.org", "without an @" },
		{ "deny group=a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", "at most 16" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char expected[400] = "";

		assert_false(access_fits(bad[i].line, expected,
		    sizeof(expected)));
		if (strstr(expected, bad[i].write) == NULL)
			fail_msg("%s: %s", bad[i].line, expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_condition),
		cmocka_unit_test(test_the_first_one_decides),
		cmocka_unit_test(test_a_group_that_cannot_be_asked_about),
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

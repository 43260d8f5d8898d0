/* SPDX-License-Identifier: ISC */
#include "auth/app.h"

#include "sys/test_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SALT	"AAAAAAAAAAAAAAAAAAAAAA=="
#define HASH	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define GOOD	"id=1 hash=" SALT "$" HASH
#define DAY	(INT64_C(86400))

static const struct {
	const char	*line;
	bool		 good;
	int64_t		 expires;
} rows[] = {
	{ "ann phone " GOOD, true, APP_EVER },
	{ " ann phone " GOOD " ", true, APP_EVER },
	{ "ann phone " GOOD " expires=1970-01-01", true, DAY },
	{ "ann phone " GOOD " expires=2000-02-29 created=x", true,
	    INT64_C(951868800) },
	{ "ann phone " GOOD " networks=10.0.0.0/8,2001:db8::/32", true,
	    APP_EVER },
	{ "", false, 0 },
	{ "# ann phone " GOOD, false, 0 },
	{ "ann", false, 0 },
	{ "ann phone", false, 0 },
	{ "ann phone id=1", false, 0 },
	{ "ann phone hash=" SALT "$" HASH, false, 0 },
	{ "ann phone id=0 hash=" SALT "$" HASH, false, 0 },
	{ "ann phone id=16777217 hash=" SALT "$" HASH, false, 0 },
	{ "ann phone id=1 hash=" SALT, false, 0 },
	{ "ann phone id=1 hash=$" HASH, false, 0 },
	{ "ann phone " GOOD " expires=2001-02-29", false, 0 },
	{ "ann phone " GOOD " expires=2001-13-01", false, 0 },
	{ "ann phone " GOOD " expires=2001-1-1", false, 0 },
	{ "ann phone " GOOD " networks=", false, 0 },
	{ "ann phone " GOOD " networks=10.0.0.1/8", false, 0 },
	{ "ann phone " GOOD " networks=office", false, 0 },
	{ "ann phone " GOOD " only=webmail", false, 0 },	/* not ours */
	{ "ann phone " GOOD " x", false, 0 },
	{ "ann ph=one " GOOD, false, 0 },
	{ "ann \x80 " GOOD, false, 0 },
};

static void
test_rows(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_row	r;
		bool		good = app_row_parse(span_str(rows[i].line), &r);

		if (good != rows[i].good)
			fail_msg("\"%s\"", rows[i].line);
		if (good)
			assert_int_equal(r.expires, rows[i].expires);
	}
}

/* ---- a file, as `popper passwd app` makes it ---- */

static char text[65536];

static struct span
slurp(const char *path)
{
	FILE	*f = fopen(path, "r");
	size_t	 n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	return span_of(text, n);
}

static const char *
file_of(const struct test_dir *d)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/app", d->path);
	return path;
}

static void
add(const struct test_dir *d, const char *user, const char *name,
    const char *networks, const char *expires, char out[APP_PASSWORD + 1])
{
	const struct app_new	n = { user, name, networks, expires };
	struct fault		f = { 0 };

	if (app_add(file_of(d), &n, 0, -1, out, &f) != 0)
		fail_msg("%s", f.text);
	assert_int_equal(strlen(out), APP_PASSWORD);
}

static struct sock_addr
from(uint8_t first)
{
	struct sock_addr a = { .family = 4, .raw = { first, 0, 0, 1 } };

	sock_addr_text(&a);
	return a;
}

/* The name of the device, "" for none, or why not. */
static const char *
match(const struct test_dir *d, const char *user, const char *password,
    uint8_t first, int64_t now)
{
	static char		 name[64];
	struct app_index	*x = app_index_new(slurp(file_of(d)));
	struct sock_addr	 peer = from(first);
	struct secret		 s;
	struct app_row		 row;
	const char		*why;
	bool			 yes;

	assert_true(secret_set(&s, span_str(password)));
	yes = app_match(x, span_str(user), &s, &peer, now, &row, &why);
	name[0] = '\0';
	if (yes)
		assert_true(span_cstr(row.name, name, sizeof(name)));
	app_index_free(x);
	assert_true(!yes || why == NULL);
	return why != NULL ? why : name;
}

static void
test_each_device_has_its_own(void **state)
{
	const struct test_dir	*d = *state;
	char			 phone[APP_PASSWORD + 1];
	char			 tablet[APP_PASSWORD + 1];
	char			 of_bob[APP_PASSWORD + 1];
	struct fault		 f;

	add(d, "ann", "phone", "", "", phone);
	add(d, "bob", "phone", "", "", of_bob);
	add(d, "ann", "tablet", "", "", tablet);
	assert_string_not_equal(phone, tablet);
	assert_string_equal(match(d, "ann", phone, 10, 0), "phone");
	assert_string_equal(match(d, "ann", tablet, 10, 0), "tablet");
	assert_string_equal(match(d, "bob", of_bob, 10, 0), "phone");
	assert_string_equal(match(d, "bob", phone, 10, 0), "");
	assert_string_equal(match(d, "cyd", phone, 10, 0), "");
	assert_string_equal(match(d, "ann", "", 10, 0), "");
	assert_string_equal(match(d, "ann", "aaaa-aaaa-aaaa-aaaa-aaaa", 10, 0),
	    "");
	assert_int_equal(app_remove(file_of(d), "ann", "phone", &f), 0);
	assert_string_equal(match(d, "ann", phone, 10, 0), "");
	assert_string_equal(match(d, "ann", tablet, 10, 0), "tablet");
	assert_string_equal(match(d, "bob", of_bob, 10, 0), "phone");
	assert_int_equal(app_remove(file_of(d), "ann", "phone", &f), -1);
	assert_int_equal(f.class, FAULT_AUTH);
	assert_int_equal(app_remove(file_of(d), "ann", NULL, &f), 0);
	assert_string_equal(match(d, "ann", tablet, 10, 0), "");
}

/* Typed from paper: with blanks, or nothing, between the groups. */
static void
test_groups_are_for_the_eye(void **state)
{
	const struct test_dir	*d = *state;
	char			 p[APP_PASSWORD + 1];
	char			 q[APP_PASSWORD + 1] = "";
	size_t			 n = 0;

	add(d, "ann", "phone", "", "", p);
	for (size_t i = 0; p[i] != '\0'; i++)
		if (p[i] != '-')
			q[n++] = p[i];
	assert_string_equal(match(d, "ann", q, 10, 0), "phone");
	q[n] = 'a';
	assert_string_equal(match(d, "ann", q, 10, 0), "");
	q[n - 1] = '\0';
	assert_string_equal(match(d, "ann", q, 10, 0), "");
}

static void
test_where_and_until_when(void **state)
{
	const struct test_dir	*d = *state;
	char			 p[APP_PASSWORD + 1];

	add(d, "ann", "phone", "10.0.0.0/8,2001:db8::/32", "1970-01-02", p);
	assert_string_equal(match(d, "ann", p, 10, 2 * DAY - 1), "phone");
	assert_string_equal(match(d, "ann", p, 10, 2 * DAY), "it has expired");
	assert_string_equal(match(d, "ann", p, 11, 0),
	    "it is for other networks");
}

static void
test_what_cannot_be_added(void **state)
{
	static const struct app_new bad[] = {
		{ "an n", "phone", "", "" }, { "ann", "", "", "" },
		{ "ann", "my phone", "", "" }, { "ann", "a=b", "", "" },
		{ "ann", "x", "10.0.0.1/8", "" }, { "ann", "x", "", "soon" },
		{ "ann", "x", "", "1970-01-01" },	/* it is the second */
		{ "ann\nbob", "x", "", "" }, { "ann", "x\nbob", "", "" },
	};
	const struct test_dir	*d = *state;
	const struct app_new	 again = { "ann", "phone", "", "" };
	char			 p[APP_PASSWORD + 1];
	struct fault		 f;

	add(d, "ann", "phone", "", "", p);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (app_add(file_of(d), &bad[i], DAY, -1, p, &f) != -1)
			fail_msg("row %zu", i);
		assert_int_equal(f.class, FAULT_PROTO);
	}
	assert_int_equal(app_add(file_of(d), &again, 0, -1, p, &f), -1);
	assert_int_equal(f.class, FAULT_AUTH);
	for (unsigned i = 1; i < APP_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%u", i);
		add(d, "ann", name, "", "", p);
		assert_string_equal(match(d, "ann", p, 10, 0), name);
	}
	assert_int_equal(app_add(file_of(d), &(struct app_new){ "ann", "more",
	    "", "" }, 0, -1, p, &f), -1);
	assert_int_equal(f.class, FAULT_AUTH);
}

/* Comments, and what we do not understand, stay as they are. */
static void
test_other_lines_stay(void **state)
{
	const struct test_dir	*d = *state;
	FILE			*file = fopen(file_of(d), "w");
	char			 p[APP_PASSWORD + 1];
	struct fault		 f;

	fputs("# ours\nann old hash=later-version", file);
	fclose(file);
	assert_int_equal(chmod(file_of(d), 0600), 0);
	add(d, "ann", "phone", "", "", p);
	assert_string_equal(match(d, "ann", p, 10, 0), "phone");
	assert_int_equal(app_remove(file_of(d), "ann", "phone", &f), 0);
	assert_true(span_eq(slurp(file_of(d)),
	    SPAN("# ours\nann old hash=later-version\n")));
}

/* An id that is given once more has not been used. */
static void
test_last_use(void **state)
{
	const struct test_dir	*d = *state;
	const struct app_new	 n = { "ann", "phone", "", "" };
	int			 fd = app_used_open(d->path);
	char			 p[APP_PASSWORD + 1];
	struct fault		 f;

	assert_true(fd >= 0);
	assert_int_equal(app_add(file_of(d), &n, 0, fd, p, &f), 0);
	assert_int_equal(app_used(fd, 1), 0);
	app_used_note(fd, 1, 10000);
	assert_int_equal(app_used(fd, 1), 10000);
	app_used_note(fd, 1, 10000 + 3599);
	assert_int_equal(app_used(fd, 1), 10000);
	app_used_note(fd, 1, 10000 + 3600);
	assert_int_equal(app_used(fd, 1), 13600);
	app_used_note(fd, 1, 5);		/* the clock was wrong */
	assert_int_equal(app_used(fd, 1), 5);
	assert_int_equal(app_used(fd, 2), 0);
	assert_int_equal(app_remove(file_of(d), "ann", NULL, &f), 0);
	assert_int_equal(app_add(file_of(d), &n, 0, fd, p, &f), 0);
	assert_int_equal(app_used(fd, 1), 0);
	assert_int_equal(app_used(-1, 1), 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
#define IN_A_FOLDER(t) \
		cmocka_unit_test_setup_teardown(t, test_dir_setup, \
		    test_dir_teardown)
		IN_A_FOLDER(test_each_device_has_its_own),
		IN_A_FOLDER(test_groups_are_for_the_eye),
		IN_A_FOLDER(test_where_and_until_when),
		IN_A_FOLDER(test_what_cannot_be_added),
		IN_A_FOLDER(test_other_lines_stay),
		IN_A_FOLDER(test_last_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

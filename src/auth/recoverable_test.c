/* SPDX-License-Identifier: ISC */
/* APOP and CRAM-MD5 against rows: who can, who cannot, and why. */
#include "auth/auth_priv.h"
#include "auth/exchange.h"
#include "auth/recoverable.h"
#include "sasl/md5.h"
#include "sys/module.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define STAMP	"<1896.697170952.0@dbc.mtview.ca.us>"
#define HASHED	/* wonderland */ \
	"$5$rounds=1000$saltsalt$vBgBHnZUORY1qtmvLflcYV8HWBW8XuM5paPh79lY6F3"

static const char	rows[] =
	"ann:{PLAIN}wonderland:1500:1500::::\n"
	"clear:{CLEARTEXT}wonderland:1500:1500::::\n"
	"hashed:" HASHED ":1500:1500::::\n"
	"scram:{SCRAM-SHA-256}4096,AAAA,AAAA,AAAA:1500:1500::::\n"
	"odd:{ODD}x:1500:1500::::\n"
	"empty::1500:1500::::\n"
	"void:{PLAIN}:1500:1500::::\n"
	"star:*:1500:1500::::\n"
	"shut:{PLAIN}wonderland:1500:1500::::nologin\n"
	"root:{PLAIN}wonderland:0:0::::\n";
static char			path[] = "/tmp/popper-recoverable-test.XXXXXX";
static struct auth_conf		conf;
static unsigned			opened;
static bool			missing = true;

/* In place of a module's file. */
void *
module_symbol(const char *file UNUSED, const char *symbol UNUSED,
    struct fault *f)
{
	opened++;
	if (!missing)
		return (void *)(uintptr_t)&popper_md5;
	(void)fault_set(f, FAULT_PERM, "no such file");
	return NULL;
}

static int
setup(void **state UNUSED)
{
	int fd = mkstemp(path);

	conf = (struct auth_conf){
		.source = AUTH_FILE, .passwd_file = path, .virtual_user = "",
		.uid_min = 1000, .uid_max = 60000, .gid_min = 100,
		.gids_denied = "", .deny_file = "/nonexistent/deny",
		.allow_file = "", .master_users = "", .master_separator = "*",
		.shells_file = "/nonexistent/shells", .rpop_file = "",
		.client_ca = "", .client_crl = "", .client_users = "",
		.pam_service = "popper", .state_dir = "/nonexistent",
		.app_password_file = "/nonexistent/apps", .recoverable = true,
	};
	return fd >= 0 && write(fd, rows, sizeof(rows) - 1) > 0 &&
	    close(fd) == 0 ? 0 : -1;
}

static int
teardown(void **state UNUSED)
{
	return unlink(path);
}

static void
ask_secret(enum auth_method method, const char *user, struct span secret,
    struct auth_verdict *v)
{
	struct auth_request	 q = { .method = method };
	struct fault		 f = { 0 };
	void			*state;

	assert_true(span_cstr(span_str(user), q.user, sizeof(q.user)));
	assert_true(secret_set(&q.secret, secret));
	assert_int_equal(auth_file_ops.prepare(&conf, &state, &f), 0);
	auth_check(&conf, state, &q, v);
	auth_file_ops.done(state);
}

/* As a client that knows this password. */
static void
ask(enum auth_method method, const char *user, const char *password,
    struct auth_verdict *v)
{
	char text[sizeof(STAMP) + SASL_MD5_TEXT] = STAMP;

	assert_true((method == AUTH_METHOD_APOP ? popper_md5.apop :
	    popper_md5.cram)(SPAN(STAMP), span_str(password),
	    text + strlen(STAMP)));
	ask_secret(method, user, span_str(text), v);
}

static const enum auth_method	both[] = { AUTH_METHOD_APOP,
				    AUTH_METHOD_CRAM_MD5 };

/* First of all: it cannot be forgotten again. */
static void
test_missing(void **state UNUSED)
{
	const struct auth_state	none = { 0 };
	struct auth_verdict	v;

	conf.recoverable = false;
	auth_exchange_prepare(&conf, &none, AUTH_METHOD_APOP);
	ask(AUTH_METHOD_APOP, "ann", "wonderland", &v);
	assert_int_equal(v.reason, REASON_NO_SECRET);
	conf.recoverable = true;
	auth_exchange_prepare(&conf, &none, AUTH_METHOD_PASS);
	assert_int_equal(opened, 0);
	auth_exchange_prepare(&conf, &none, AUTH_METHOD_APOP);
	assert_int_equal(opened, 1);
	ask(AUTH_METHOD_APOP, "ann", "wonderland", &v);
	assert_int_equal(v.result, AUTH_ERROR);
	missing = false;
	opened = 0;
	recoverable_open();
	recoverable_open();
	assert_int_equal(opened, 1);
}

static const struct {
	const char		*user;
	const char		*password;
	enum auth_reason	 reason;
} cases[] = {
	{ "ann",	"wonderland",	REASON_NONE },
	{ "clear",	"wonderland",	REASON_NONE },
	{ "ann",	"Wonderland",	REASON_BAD_PASSWORD },
	{ "ann",	"",		REASON_BAD_PASSWORD },
	{ "hashed",	"wonderland",	REASON_NO_SECRET },
	{ "hashed",	HASHED,		REASON_NO_SECRET },
	{ "hashed",	"hashed",	REASON_NO_SECRET },
	{ "scram",	"wonderland",	REASON_NO_SECRET },
	{ "odd",	"x",		REASON_NO_SECRET },
	{ "empty",	"",		REASON_LOCKED },
	{ "void",	"",		REASON_LOCKED },
	{ "void",	"void",		REASON_LOCKED },
	{ "star",	"*",		REASON_LOCKED },
	{ "shut",	"wonderland",	REASON_LOCKED },
	{ "root",	"wonderland",	REASON_UID },
	{ "nobody",	"wonderland",	REASON_UNKNOWN_USER },
	{ "nobody",	"nobody",	REASON_UNKNOWN_USER },
	{ "ann*ann",	"wonderland",	REASON_UNKNOWN_USER },
	{ "../ann",	"wonderland",	REASON_BAD_NAME },
};

static void
test_table(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t k = 0; k < ARRAY_LEN(both); k++) {
			struct auth_verdict v;

			ask(both[k], cases[i].user, cases[i].password, &v);
			if (v.reason != cases[i].reason)
				fail_msg("%s, %s: %s", cases[i].user,
				    cases[i].password,
				    auth_reason_word(v.reason));
			assert_int_equal(v.result, v.reason == REASON_NONE ?
			    AUTH_OK : AUTH_REFUSED);
			assert_int_equal(v.print, 0);	/* never vouched for */
		}
}

/* One is not the other, and no password. */
static void
test_which(void **state UNUSED)
{
	char			text[sizeof(STAMP) + SASL_MD5_TEXT] = STAMP;
	struct auth_verdict	v;

	assert_true(popper_md5.apop(SPAN(STAMP), SPAN("wonderland"),
	    text + strlen(STAMP)));
	ask_secret(AUTH_METHOD_APOP, "ann", span_str(text), &v);
	assert_int_equal(v.result, AUTH_OK);
	ask_secret(AUTH_METHOD_CRAM_MD5, "ann", span_str(text), &v);
	assert_int_equal(v.reason, REASON_BAD_PASSWORD);
	ask_secret(AUTH_METHOD_PASS, "ann", span_str(text), &v);
	assert_int_equal(v.reason, REASON_BAD_PASSWORD);
	text[1]++;		/* another stamp */
	ask_secret(AUTH_METHOD_APOP, "ann", span_str(text), &v);
	assert_int_equal(v.reason, REASON_BAD_PASSWORD);
}

/* A front that was taken over may say anything. */
static void
test_malformed(void **state UNUSED)
{
	static const uint8_t		zeros[SECRET_MAX];
	static const struct span	bad[] = {
		SPAN("x"), SPAN("wonderland"), { zeros, sizeof(zeros) },
		SPAN("b913a602c7eda7a495b4e6e7334d3890"),
		SPAN("<x>b913a602c7eda7a495b4e6e7334d389"),
		SPAN("<x>B913A602C7EDA7A495B4E6E7334D3890"),
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (size_t k = 0; k < ARRAY_LEN(both); k++) {
			struct auth_verdict v;

			ask_secret(both[k], "ann", bad[i], &v);
			if (v.reason != REASON_BAD_MESSAGE)
				fail_msg("%zu: %s", i,
				    auth_reason_word(v.reason));
		}
}

static void
test_others(void **state UNUSED)
{
	struct auth_verdict v;

	conf.app_passwords = AUTH_APP_ONLY;
	ask(AUTH_METHOD_APOP, "ann", "wonderland", &v);
	assert_int_equal(v.reason, REASON_APP);
	conf.app_passwords = AUTH_APP_YES;
	ask(AUTH_METHOD_APOP, "ann", "wonderland", &v);
	assert_int_equal(v.result, AUTH_OK);
	conf.app_passwords = AUTH_APP_NO;
	/* The next database may know him, if it is not PAM. */
	conf.more = true;
	ask(AUTH_METHOD_CRAM_MD5, "nobody", "wonderland", &v);
	assert_int_equal(v.reason, REASON_UNKNOWN_USER);
	assert_false(auth_passes_on(&conf, &v));
	conf.more_rows = true;
	ask(AUTH_METHOD_CRAM_MD5, "nobody", "wonderland", &v);
	assert_true(auth_passes_on(&conf, &v));
	conf.more = conf.more_rows = false;
	conf.access = (struct conf_list){ .n = 1, .line = { 3 },
		.item = { "deny method=apop" } };
	ask(AUTH_METHOD_APOP, "ann", "wonderland", &v);
	assert_int_equal(v.reason, REASON_RULE);
	ask(AUTH_METHOD_CRAM_MD5, "ann", "wonderland", &v);
	assert_int_equal(v.result, AUTH_OK);
	conf.access.n = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

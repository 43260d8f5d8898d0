/* SPDX-License-Identifier: ISC */
#include "role/settings.h"

#include "role/certificate.h"

#include "proto/lang.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char	folder[] = "/tmp/popper-settings-XXXXXX";

static bool	lost;		/* nobody knows the working folder */

char	*__real_getcwd(char *out, size_t cap);
char	*__wrap_getcwd(char *out, size_t cap);
char *
__wrap_getcwd(char *out, size_t cap)
{
	errno = ENOMEM;
	return lost ? NULL : __real_getcwd(out, cap);
}

static void
put_file(const char *name, const char *text)
{
	char	path[200];
	FILE   *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
setup(void **state)
{
	char path[200];

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/sub", folder);
	return mkdir(path, 0700);
}

static int
teardown(void **state)
{
	static const char *const names[] = {
		"popper.conf", "bad.conf", "sub/c", "sub", "",
	};
	char path[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		if (remove(path) != 0)
			return -1;
	}
	return 0;
}

/* Start in the folder, as if typed there. */
static enum settings_result
load(struct settings *s, const char *flags, const char *const *words)
{
	char   *argv[12] = { (char *)"popper" };
	int	argc = 1;

	assert_int_equal(chdir(folder), 0);
	for (; *words != NULL; words++)
		argv[argc++] = (char *)*words;
	return settings_load(argc, argv, flags, s);
}
#define LOAD(s, ...) load(s, "bdsTt", (const char *const[]){ __VA_ARGS__, NULL })

/* The defaults are those of docs/design.md section 4. */
static void
test_defaults(void **state)
{
	const struct conf_mistake *m;
	struct settings		   s;
	char			   config[200];

	(void)state;
	put_file("popper.conf", "# nothing\n");
	snprintf(config, sizeof(config), "%s/popper.conf", folder);
	assert_int_equal(LOAD(&s, "--config", config), SETTINGS_GOOD);
	assert_int_equal(conf_mistakes(s.store, &m), 0);
	assert_true(s.config_found);
	assert_string_equal(s.config, config);
	assert_string_equal(s.config_name, "popper.conf");
	assert_int_equal(s.role.isolation, ISOLATION_SPLIT);
	assert_int_equal(s.role.listen.n, 1);
	assert_string_equal(s.role.listen.item[0], "*:110");
	assert_int_equal(s.role.timeout_s, 120);
	assert_true(s.role.temp_max == UINT64_C(4) << 30);
	assert_int_equal(s.auth.source, AUTH_PAM);
	assert_int_equal(s.auth.uid_min, 1000);
	assert_string_equal(s.auth.passwd_file, "/etc/popper/users");
	assert_string_equal(s.drop.maildrop, "/var/mail/%u");
	assert_string_equal(s.drop.maildrop_else, "~/Maildir/");
	assert_true(s.drop.status_headers);
	assert_null(drop_expire_told(&s.drop));
	assert_int_equal(drop_expire_days(&s.drop), EXPIRE_NEVER);
	assert_null(s.bull.dir);
	assert_true(s.xtnd.xmit);
	assert_string_equal(s.xtnd.xmit_command, "/usr/sbin/sendmail");
	assert_int_equal(s.log.to, LOG_TO_SYSLOG);
	assert_string_equal(s.log.socket, "/dev/log");
	settings_fini(&s);
}

static void
test_expire(void **state)
{
	static const struct {
		const char	*expire;
		bool		 enforced;
		const char	*told;
		uint64_t	 before;	/* at day 1000 */
		bool		 retrieved;
	} cases[] = {
		{ "never", true, NULL, 0, false },
		{ "0", true, "0", 0, true },
		{ "0", false, "0", 0, false },
		{ "30", true, "30", 969 * 86400, false },
		{ "30", false, "30", 0, false },
		{ "999", true, "999", 0, false },	/* before 1970 */
		{ "36500", true, "36500", 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct drop_settings s = { .expire = cases[i].expire,
		    .expire_delete = cases[i].enforced };

		if (cases[i].told == NULL)
			assert_null(drop_expire_told(&s));
		else
			assert_string_equal(drop_expire_told(&s), cases[i].told);
		assert_int_equal(drop_expire_before(&s, 1000 * 86400),
		    cases[i].before);
		assert_int_equal(drop_expires_retrieved(&s),
		    cases[i].retrieved);
	}
}

static void
test_flags(void **state)
{
	struct settings s;
	char		want[200];

	(void)state;
	put_file("popper.conf", "timeout = 300\nstatistics = no\n"
	    "bulletins = boards\nauth = file\nlog_facility = local3\n");
	assert_int_equal(LOAD(&s, "-ds", "-T600", "-b", "bull", "-t", "/t",
	    "--config=popper.conf"), SETTINGS_GOOD);
	assert_true(s.log.debug);
	assert_true(s.log.statistics);
	assert_int_equal(s.role.timeout_s, 600);
	assert_string_equal(s.log.trace_file, "/t");
	snprintf(want, sizeof(want), "%s/bull", folder);
	assert_string_equal(s.bull.dir, want);
	assert_int_equal(s.auth.source, AUTH_FILE);
	settings_fini(&s);
	/* Twice in a process: getopt begins anew. */
	assert_int_equal(LOAD(&s, "--config", "popper.conf"), SETTINGS_GOOD);
	assert_int_equal(s.role.timeout_s, 300);
	assert_string_equal(s.bull.dir, "boards");
	settings_fini(&s);
}

/* The same words mean the same files, from wherever it is asked. */
static void
test_again(void **state)
{
	char *argv[] = { (char *)"popper", (char *)"-b", (char *)"bull",
		(char *)"--config", (char *)"sub/c", NULL };
	const struct conf_mistake *m;
	struct settings s;
	struct settings t;
	char		want[200];

	(void)state;
	put_file("sub/c", "timeout = 300\nrun_dir = run\n");
	snprintf(want, sizeof(want), "%s/bull", folder);
	assert_int_equal(load(&s, "bdsTt", (const char *const[]){ "-b", "bull",
	    "--config", "sub/c", NULL }), SETTINGS_GOOD);
	put_file("sub/c", "timeout = 400\nrun_dir = run\n");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(chdir(i == 0 ? "." : "/"), 0);
		assert_int_equal(settings_again(&s, 5, argv, "bdsTt", &t),
		    SETTINGS_GOOD);
		assert_int_equal(t.role.timeout_s, 400);
		assert_string_equal(t.bull.dir, want);
		assert_string_equal(t.role.run_dir, "run");
		assert_string_equal(t.start, s.start);
		settings_fini(&t);
	}
	assert_int_equal(s.role.timeout_s, 300);
	/* What is known is not asked for again. */
	lost = true;
	assert_int_equal(settings_again(&s, 5, argv, "bdsTt", &t), SETTINGS_GOOD);
	lost = false;
	assert_string_equal(t.bull.dir, want);
	assert_string_equal(t.start, s.start);
	settings_fini(&t);
	s.start[0] = 'x';			/* a folder that is gone */
	assert_int_equal(settings_again(&s, 5, argv, "bdsTt", &t),
	    SETTINGS_CONFIG);
	assert_int_equal(conf_mistakes(t.store, &m), 1);
	assert_non_null(strstr(m[0].text, "cannot be entered"));
	settings_fini(&t);
	settings_fini(&s);
}

static void
test_log_conf(void **state)
{
	struct settings s;
	struct log_conf c;

	(void)state;
	put_file("popper.conf", "log_facility = local3\ndebug = yes\n");
	assert_int_equal(LOAD(&s, "--config", "popper.conf"), SETTINGS_GOOD);
	log_conf_of(&s.log, &c);
	assert_int_equal(c.facility, 19);
	assert_int_equal(c.trace_fd, -1);
	assert_true(c.debug);
	settings_fini(&s);
}

/* popper works from the folder of its file. */
static void
test_folder(void **state)
{
	struct settings s;
	char	       *here;
	char		want[200];

	(void)state;
	put_file("sub/c", "passwd_file = users\n");
	assert_int_equal(LOAD(&s, "--config", "sub/c"), SETTINGS_GOOD);
	assert_string_equal(s.auth.passwd_file, "users");
	here = getcwd(NULL, 0);
	snprintf(want, sizeof(want), "%s/sub", folder);
	assert_string_equal(here, want);
	free(here);
	settings_fini(&s);
}

static const struct {
	const char	*words[5];
	int		 result;
	const char	*says;
} wrong[] = {
	{ { "-x" },			SETTINGS_USAGE,	"there are -bdsTt, --config" },
	{ { "-T" },			SETTINGS_USAGE,	"value is missing" },
	{ { "-T", "soon" },		SETTINGS_USAGE,	"such as 600" },
	{ { "-T", "-5" },		SETTINGS_USAGE,	"timeout: \"-5\"" },
	{ { "--timeout", "3" },		SETTINGS_USAGE,	"no such option" },
	{ { "--config" },		SETTINGS_USAGE,	"--config: the name" },
	{ { "inbox" },			SETTINGS_USAGE,	"inbox: no command, and no" },
	{ { "-s", "--", "-d" },		SETTINGS_USAGE,	"-d: no command, and no" },
	{ { "--config", "none" },	SETTINGS_CONFIG, "none" },
	{ { "--config", "no/ne" },	SETTINGS_CONFIG, "no/" },
	{ { "--config", "sub" },	SETTINGS_CONFIG, "cannot be read" },
	{ { "--config", "bad.conf" },	SETTINGS_CONFIG, "such as 600" },
	{ { "--config", "bad.conf", "-x" }, SETTINGS_USAGE, "no such flag" },
};

static void
test_wrong(void **state)
{
	(void)state;
	put_file("bad.conf", "timeout = soon\nauth = file\n");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const struct conf_mistake *m;
		struct settings		   s;
		int	rc = (int)load(&s, "bdsTt", wrong[i].words);
		size_t	n = conf_mistakes(s.store, &m);

		if (rc != wrong[i].result || n == 0 ||
		    strstr(m[0].text, wrong[i].says) == NULL)
			fail_msg("%s %s: %d, %zu, %s", wrong[i].words[0],
			    wrong[i].words[1], rc, n, n > 0 ? m[0].text : "");
		/* Usable all the same; the host may have a popper.conf. */
		if (strcmp(wrong[i].words[0], "--config") == 0)
			assert_int_equal(s.role.timeout_s, 120);
		else
			assert_true(s.role.timeout_s > 0);
		settings_fini(&s);
	}
}

static void
test_a_flag_that_is_not_allowed_here(void **state)
{
	struct settings s;

	(void)state;
	assert_int_equal(load(&s, "", (const char *const[]){ "-s", NULL }),
	    SETTINGS_USAGE);
	assert_false(s.log.statistics);
	settings_fini(&s);
}

#define H15	"hhhhhhhhhhhhhhh"
#define H51	H15 H15 H15 "hhhhhh"
#define H255	H51 H51 H51 H51 H51

/* Values that only this room can judge. */
static const struct { const char *text; bool good; } judged[] = {
	{ "name_servers = 127.0.0.1",			true },
	{ "name_servers = 127.0.0.1:5353 ::1 [::1]:53",	true },
	{ "name_servers =",				true },
	{ "name_servers = localhost",			false },
	{ "name_servers = *:53",			false },
	{ "name_servers = :53",				false },
	{ "name_servers = 127.0.0.1:99999",		false },
	{ "listen = 127.0.0.1:1110 [::1]:1110",		true },
	{ "listen = pop3",				false },
	{ "hostname = mail.example.org",		true },
	{ "hostname = \"a b\"",				false },
	{ "metrics = /" H51 H51 "hhhh",			true },
	{ "metrics = /" H51 H51 "hhhhhh",		false },
	{ "ctl_socket = /" H51 H51 "hh",		true },
	{ "ctl_socket = /" H51 H51 "hhh",		false },
	{ "log_socket = /" H51 H51 "hhhh",		true },
	{ "log_socket = /" H51 H51 "hhhhhh",		false },
	{ "journal_socket = /" H51 H51 "hhhhhh",	false },
	{ "hostname = " H255,				true },
	{ "hostname = " H255 "h",			false },
	{ "maildrop = /var/mail/%1/%2/%u",		true },
	{ "maildrop = ~/mbox",				true },
	{ "maildrop = %h/100%%",			true },
	{ "maildrop = /var/mail/all",			false },
	{ "maildrop = /var/mail/%s",			false },
	{ "maildrop = /var/mail/%u%",			false },
	{ "maildrop = ~joe/%u",				false },
	{ "maildrop =",					false },
	{ "maildrop_else =",				true },
	{ "maildrop_else = maildir:%h/mail",		true },
	{ "maildrop_else = /var/mail/all",		false },
	{ "xmit_sender = %u@example.org",		true },
	{ "xmit_sender = %u",				false },
	{ "xmit_sender = a@b@c",			false },
	{ "xmit_sender = -f@b",				false },
	{ "xmit_sender = %s@b",				false },
	{ "xmit_command = sendmail",			false },
	{ "pam_service = ../login",			false },
	{ "uid_min = 0",				false },
	{ "auth_tries = 0",				false },
	{ "max_sessions = 100000",			true },
	{ "max_sessions = 100001",			false },
	{ "max_sessions = 4294967295",			false },
};

static void
test_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(judged); i++) {
		struct settings s;

		put_file("popper.conf", judged[i].text);
		if ((LOAD(&s, "--config", "popper.conf") == SETTINGS_GOOD) !=
		    judged[i].good)
			fail_msg("%s", judged[i].text);
		settings_fini(&s);
	}
}

/* The option has the languages that there are, by their numbers. */
static void
test_languages(void **state UNUSED)
{
	const struct conf_option *row = NULL;

	for (size_t i = 0; i < settings_nrooms; i++)
		for (const struct conf_option *r = settings_rooms[i].rows;
		    r->name != NULL; r++)
			if (strcmp(r->name, "language") == 0)
				row = r;
	assert_non_null(row);
	for (uint8_t i = 0; i < lang_count(); i++)
		assert_string_equal(row->words[i], lang_tag(i));
	assert_null(row->words[lang_count()]);
}

/* Once at each of 21, 7 and 1 days, and when it is over. */
static void
test_certificate_due(void **state)
{
	static const int64_t	day = 86400;

	(void)state;
	assert_int_equal(certificate_due(22 * day), 0);
	assert_int_equal(certificate_due(21 * day + 1), 0);
	assert_int_equal(certificate_due(21 * day), 1);
	assert_int_equal(certificate_due(7 * day + 1), 1);
	assert_int_equal(certificate_due(7 * day), 2);
	assert_int_equal(certificate_due(day + 1), 2);
	assert_int_equal(certificate_due(day), 3);
	assert_int_equal(certificate_due(1), 3);
	assert_int_equal(certificate_due(0), CERTIFICATE_WARNINGS);
	assert_int_equal(certificate_due(-400 * day), CERTIFICATE_WARNINGS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_languages),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_expire),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_log_conf),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_a_flag_that_is_not_allowed_here),
		cmocka_unit_test(test_judged),
		cmocka_unit_test(test_certificate_due),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

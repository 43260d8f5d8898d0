/* SPDX-License-Identifier: ISC */
#include "cmd/passwd.h"

#include "cmd/foresee.h"

#include "auth/app.h"
#include "auth/prep.h"
#include "base/attr.h"
#include "base/fault.h"
#include "cmd/start.h"
#include "sys/file.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char usage_text[] =
"usage: popper passwd app [--config FILE] [--networks LIST] [--expires DAY]\n"
"                         add USER NAME\n"
"       popper passwd app [--config FILE] remove USER [NAME]\n"
"       popper passwd app [--config FILE] list [USER]\n"
"\n"
"App passwords: one for each device of a user, beside the account's own.\n"
"popper.conf's app_passwords has them taken, app_password_file names the file.\n"
"\n"
"  add              make one for the device NAME, and print it: it is not kept\n"
"                   in a form that could be shown again\n"
"  remove           take it back, or without NAME all of the user's\n"
"  list             user, device, when it was made and last used, how long and\n"
"                   from where it is good\n"
"\n"
"  --networks LIST  only from there: 192.0.2.0/24,2001:db8::/32\n"
"  --expires DAY    the last day on which it is good: 2027-01-31 (UTC)\n"
"  --config FILE    instead of " POPPER_SYSCONFDIR "/popper.conf\n"
"\n"
"Manual: popper-passwd(8)\n";

enum { OPT_CONFIG = 256, OPT_NETWORKS, OPT_EXPIRES, OPT_HELP };

static const struct option options[] = {
	{ "config",	required_argument,	NULL,	OPT_CONFIG },
	{ "networks",	required_argument,	NULL,	OPT_NETWORKS },
	{ "expires",	required_argument,	NULL,	OPT_EXPIRES },
	{ "help",	no_argument,		NULL,	OPT_HELP },
	{ NULL,		0,			NULL,	0 }
};

#define DAY_TEXT	16

struct job {
	char		*config;
	const char	*networks;
	const char	*expires;
	const char	*user;		/* NULL: all, for list */
	char		 prepared[IDENTITY_USER_MAX + 1];	/* his name */
	const char	*name;		/* NULL: all of the user's, for remove */
	const char	*file;
	int		 used;
};

struct command {
	const char	*word;
	int		 least;		/* of arguments */
	int		 most;
	int		(*run)(const struct job *j);
};

static int
bad_usage(const char *why)
{
	return start_usage("passwd app", why);
}

/* ---- the commands ---- */

static int
add(const struct job *j)
{
	const struct app_new	n = {
		.user = j->user,
		.name = j->name,
		.networks = j->networks == NULL ? "" : j->networks,
		.expires = j->expires == NULL ? "" : j->expires,
	};
	char			password[APP_PASSWORD + 1];
	struct fault		f;

	if (app_add(j->file, &n, (int64_t)time(NULL), j->used, password,
	    &f) != 0)
		return passwd_complain(&f);
	printf("%s\n", password);
	explicit_bzero(password, sizeof(password));
	if (fflush(stdout) == 0)
		return STATUS_OK;
	fprintf(stderr, "popper passwd: it could not be shown, and is taken "
	    "back\n");
	return app_remove(j->file, j->user, j->name, &f) == 0 ? STATUS_FAILED :
	    passwd_complain(&f);
}

/* Does no user database know him?  One that cannot be asked may. */
static bool
is_nobody(const struct settings *s, const char *user)
{
	static struct auth_verdict	 v;
	static struct auth_request	 q = { .method = AUTH_METHOD_PASS };
	struct auth_conf		 one = s->auth;
	struct fault			 f;

	if (!span_cstr(span_str(user), q.user, sizeof(q.user)))
		return false;
	for (size_t i = 0; i < auth_databases(&s->auth); i++) {
		auth_select(&one, i);
		if (foresee(s, &one, &q, &v, &f) != 0 ||
		    v.reason != REASON_UNKNOWN_USER)
			return false;
	}
	return true;
}

/* What else is needed for it to be taken. */
static void
warn(const struct settings *s, const char *user)
{
	if (s->auth.app_passwords == AUTH_APP_NO)
		fprintf(stderr, "popper passwd: it is not taken yet: set "
		    "app_passwords = yes in %s\n", s->config);
	if (is_nobody(s, user))
		fprintf(stderr, "popper passwd: no user database knows %s: "
		    "nobody can log in with it\n", user);
}

static int
take_back(const struct job *j)
{
	struct fault f;

	return app_remove(j->file, j->user, j->name, &f) == 0 ? STATUS_OK :
	    passwd_complain(&f);
}

static const char *
day(int64_t when, char out[DAY_TEXT])
{
	time_t		t = (time_t)when;
	struct tm	tm;

	if (when == 0 || when == APP_EVER || gmtime_r(&t, &tm) == NULL ||
	    strftime(out, DAY_TEXT, "%Y-%m-%d", &tm) == 0)
		snprintf(out, DAY_TEXT, "-");
	return out;
}

static void
print_row(void *ctx, unsigned line, const struct app_row *row)
{
	const struct job	*j = ctx;
	char			 used[DAY_TEXT];
	char			 expires[DAY_TEXT];

	if (row == NULL) {
		fprintf(stderr, "popper passwd: %s:%u: this is no app password\n",
		    j->file, line);
		return;
	}
	if (j->user != NULL && !span_eq(row->user, span_str(j->user)))
		return;
	passwd_print_column(row->user, '\t');
	passwd_print_column(row->name, '\t');
	passwd_print_column(row->created, '\t');
	passwd_print_column(span_str(day(app_used(j->used, row->id), used)),
	    '\t');
	passwd_print_column(span_str(day(row->expires == APP_EVER ? APP_EVER :
	    row->expires - 1, expires)), '\t');
	passwd_print_column(row->networks, '\n');
}

static int
list(const struct job *j)
{
	struct job	copy = *j;
	struct fault	f;

	return app_each(j->file, print_row, &copy, &f) != 0 ?
	    passwd_complain(&f) : STATUS_OK;
}

static const struct command commands[] = {
	{ "add", 2, 2, add },
	{ "remove", 1, 2, take_back },
	{ "list", 0, 1, list },
};

/* ---- the command line ---- */

/* -1: run it; else an exit status. */
static int
parse(int argc, char **argv, struct job *j, const struct command **c_r)
{
	int c;

	optind = 0;			/* getopt starts anew */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case OPT_CONFIG:	j->config = optarg; break;
		case OPT_NETWORKS:	j->networks = optarg; break;
		case OPT_EXPIRES:	j->expires = optarg; break;
		case OPT_HELP:		fputs(usage_text, stdout);
					return STATUS_OK;
		default:		return bad_usage(NULL);
		}
	}
	*c_r = NULL;
	for (size_t i = 0; optind < argc && i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[optind], commands[i].word) == 0)
			*c_r = &commands[i];
	c = argc - optind - 1;		/* arguments of it */
	if (*c_r == NULL || c < (*c_r)->least || c > (*c_r)->most)
		return bad_usage("the commands are add USER NAME, remove USER "
		    "[NAME], and list [USER]");
	if ((*c_r)->run != add && (j->networks != NULL || j->expires != NULL))
		return bad_usage("--networks and --expires are for add");
	j->user = c > 0 ? argv[optind + 1] : NULL;
	j->name = c > 1 ? argv[optind + 2] : NULL;
	return -1;
}

int
cmd_passwd_app(int argc, char **argv)
{
	struct job		 j = { .used = -1 };
	const struct command	*c = NULL;
	struct settings		 s;
	char			 program[] = "popper";
	char			 option[] = "--config";
	int			 status = parse(argc, argv, &j, &c);
	char			*words[] = { program, option, j.config, NULL };
	struct fault		 f;

	if (status >= 0)
		return status;
	/* Mistakes in the file are popper check's to tell: this needs paths of it. */
	if (settings_load(j.config != NULL ? 3 : 1, words, "", &s) ==
	    SETTINGS_USAGE) {
		settings_fini(&s);
		return bad_usage("--config");
	}
	if (prep_open(&s.auth, &f) != 0) {
		settings_fini(&s);
		return passwd_complain(&f);
	}
	if (j.user != NULL && strlen(j.user) < sizeof(j.prepared)) {
		prep_name(j.user, j.prepared);
		j.user = j.prepared;
	}
	j.file = s.auth.app_password_file;
	j.used = app_used_open(s.role.state_dir);
	status = c->run(&j);
	fd_close(&j.used);
	if (status == STATUS_OK && c->run == add)
		warn(&s, j.user);
	settings_fini(&s);
	return status;
}

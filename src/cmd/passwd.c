/* SPDX-License-Identifier: ISC */
#include "cmd/passwd.h"

#include "auth/passwd_file.h"
#include "auth/prep.h"
#include "base/attr.h"
#include "base/fault.h"
#include "base/secret.h"
#include "cmd/start.h"
#include "drop/path.h"
#include "role/settings.h"
#include "sys/identity.h"
#include "sys/secmem.h"
#include "sys/term.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_FILE	POPPER_SYSCONFDIR "/users"
#define STORED_MAX	(SECRET_MAX + 64)	/* {PLAIN} and the longest */

static const char usage_text[] =
"usage: popper passwd [--file FILE] [--scheme SCHEME] [--uid N --gid N]\n"
"                     [--home DIR] [--maildrop PATH] [--config FILE] USER\n"
"       popper passwd [--file FILE] [--config FILE]\n"
"                     --delete | --disable | --enable USER\n"
"       popper passwd [--file FILE] --list\n"
"       popper passwd [--scheme SCHEME] [--config FILE] --hash\n"
"       popper passwd app ...               app passwords: see --help of that\n"
"\n"
"Sets the password of a virtual user, who is added when there is none of that\n"
"name.  The password is asked for twice on the terminal; when standard input\n"
"is no terminal, its first line is the password.\n"
"\n"
"  --file FILE      the password file (" DEFAULT_FILE ")\n"
"  --scheme SCHEME  yescrypt (default), sha512, bcrypt,\n"
"                   scram-sha-256, scram-sha-1, or plain\n"
"  --uid N --gid N  whose rights the session has, instead of virtual_user's\n"
"  --home DIR       home directory, where .popbull is kept\n"
"  --maildrop PATH  the user's mbox, absolute or ~/..., instead of the template,\n"
"                   or with a / at the end his Maildir;\n"
"                   %% is a percent sign\n"
"  --delete         remove the user\n"
"  --disable        nobody can log in as the user; the password is kept\n"
"  --enable         that is over\n"
"  --list           print the users, without their passwords\n"
"  --hash           change nothing: print what to store, for a database in SQL\n"
"  --config FILE    where utf8_user stands: whether name and password may be in\n"
"                   UTF-8 (" POPPER_SYSCONFDIR "/popper.conf)\n"
"\n"
"Manual: popper-passwd(8)\n";

enum { OPT_FILE = 256, OPT_SCHEME, OPT_UID, OPT_GID, OPT_HOME, OPT_MAILDROP,
    OPT_DELETE, OPT_DISABLE, OPT_ENABLE, OPT_LIST, OPT_HASH, OPT_CONFIG,
    OPT_HELP };

static const struct option options[] = {
	{ "file",	required_argument,	NULL,	OPT_FILE },
	{ "scheme",	required_argument,	NULL,	OPT_SCHEME },
	{ "uid",	required_argument,	NULL,	OPT_UID },
	{ "gid",	required_argument,	NULL,	OPT_GID },
	{ "home",	required_argument,	NULL,	OPT_HOME },
	{ "maildrop",	required_argument,	NULL,	OPT_MAILDROP },
	{ "delete",	no_argument,		NULL,	OPT_DELETE },
	{ "disable",	no_argument,		NULL,	OPT_DISABLE },
	{ "enable",	no_argument,		NULL,	OPT_ENABLE },
	{ "list",	no_argument,		NULL,	OPT_LIST },
	{ "hash",	no_argument,		NULL,	OPT_HASH },
	{ "config",	required_argument,	NULL,	OPT_CONFIG },
	{ "help",	no_argument,		NULL,	OPT_HELP },
	{ NULL,		0,			NULL,	0 }
};

struct job {
	const char		*file;		/* NULL: the default */
	const char		*scheme;	/* NULL: not said */
	struct passwd_change	 change;
	char			*config;	/* NULL: the default */
	const char		*user;		/* NULL: --list, --hash */
	char			 name[IDENTITY_USER_MAX + 1];	/* where it is
						   prepared */
	bool			 disable;
	bool			 enable;
	bool			 remove;
	bool			 list;
	bool			 hash;
	bool			 help;
};

static int
bad_usage(const char *why)
{
	return start_usage("passwd", why);
}

int
passwd_complain(const struct fault *f)
{
	start_say("passwd", f->text);
	if (f->err == ENOENT)
		return STATUS_FAILED;
	switch (f->class) {
	case FAULT_PROTO:
		return STATUS_USAGE;
	case FAULT_PERM:
		return STATUS_DENIED;
	case FAULT_TEMP:
	case FAULT_IN_USE:
	case FAULT_DELAY:
		return STATUS_TEMP;
	case FAULT_NONE:
	case FAULT_AUTH:
	case FAULT_LIMIT:
	case FAULT_PEER:
		break;
	}
	return STATUS_FAILED;
}

static int
parse(int argc, char **argv, struct job *job)
{
	int c;

	/* 0, not 1: getopt starts anew, whoever used it before. */
	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case OPT_FILE:		job->file = optarg; break;
		case OPT_SCHEME:	job->scheme = optarg; break;
		case OPT_UID:		job->change.uid = optarg; break;
		case OPT_GID:		job->change.gid = optarg; break;
		case OPT_HOME:		job->change.home = optarg; break;
		case OPT_MAILDROP:	job->change.maildrop = optarg; break;
		case OPT_DELETE:	job->remove = true; break;
		case OPT_DISABLE:	job->disable = true; break;
		case OPT_ENABLE:	job->enable = true; break;
		case OPT_LIST:		job->list = true; break;
		case OPT_HASH:		job->hash = true; break;
		case OPT_CONFIG:	job->config = optarg; break;
		case OPT_HELP:		job->help = true; return 0;
		default:		return bad_usage(NULL);
		}
	}
	if (optind < argc)
		job->user = argv[optind++];
	return optind < argc ? bad_usage("more than one USER") : 0;
}

/* What goes with what; then the defaults. */
static int
check(struct job *job)
{
	const struct passwd_change *c = &job->change;
	bool columns = c->uid != NULL || c->gid != NULL || c->home != NULL ||
	    c->maildrop != NULL;
	bool sets = job->scheme != NULL || columns;

	if (job->disable + job->enable + job->remove + job->list + job->hash > 1)
		return bad_usage("one of --disable, --enable, --delete, --list and"
		    " --hash");
	if (job->list && (job->user != NULL || job->config != NULL || sets))
		return bad_usage("--list goes with --file alone");
	if (job->hash && (job->user != NULL || job->file != NULL || columns))
		return bad_usage("--hash goes with --scheme and --config alone");
	if ((job->disable || job->enable || job->remove) && sets)
		return bad_usage("--disable, --enable and --delete set nothing");
	if (job->user == NULL && !job->hash && !job->list)
		return bad_usage("no USER given");
	if (job->file == NULL)
		job->file = DEFAULT_FILE;
	if (job->disable || job->enable)
		job->change.lock = job->disable ? PASSWD_CLOSE : PASSWD_OPEN;
	if ((c->uid == NULL) != (c->gid == NULL))
		return bad_usage("--uid and --gid go together");
	if (job->scheme != NULL && !passwd_scheme_known(job->scheme))
		return bad_usage("the schemes are yescrypt, sha512, bcrypt, "
		    "scram-sha-256, scram-sha-1 and plain");
	return 0;
}

/* ---- the password ---- */

static int
ask_twice(const char *user, struct secret *x, struct fault *f)
{
	AUTO(secret_wipe) struct secret	again = { 0 };
	char				prompt[320];

	secmem_lock(&again, sizeof(again));
	(void)snprintf(prompt, sizeof(prompt), "New password%s%s: ",
	    user == NULL ? "" : " for ", user == NULL ? "" : user);
	if (term_ask(prompt, x, f) < 0)
		return -1;
	if (x->n == 0)
		return fault_set(f, FAULT_AUTH, "the password is empty");
	if (term_ask("Once more: ", &again, f) < 0)
		return -1;
	if (!secret_eq(secret_span(x), secret_span(&again)))
		return fault_set(f, FAULT_AUTH,
		    "the two are not the same; nothing was changed");
	return 0;
}

/* Some devices need it; who has misread a scheme's name does not. */
static void
warn_plain(const struct job *job)
{
	if (job->scheme != NULL && strcmp(job->scheme, "plain") == 0)
		fprintf(stderr, "popper passwd: warning: the password itself is "
		    "stored, and who reads it there can log in wherever it is "
		    "used\n");
}

static int
get_password(const struct job *job, char *stored, size_t cap, struct fault *f)
{
	AUTO(secret_wipe) struct secret	x = { 0 };
	int				rc;

	secmem_lock(&x, sizeof(x));
	rc = term_interactive() ? ask_twice(job->user, &x, f) :
	    term_read(&x, f);
	if (rc < 0)
		return -1;
	if (!prep_password(&x, true))
		return fault_set(f, FAULT_AUTH, "the password is not in UTF-8, or"
		    " holds what no password may (RFC 4013)");
	if (x.n == 0)
		return fault_set(f, FAULT_AUTH, "the password is empty");
	warn_plain(job);
	return passwd_hash(job->scheme == NULL ? "yescrypt" : job->scheme, &x,
	    stored, cap, f);
}

/* As a login would find the maildrop; which home there is, if none is set now,
 * is not looked at. */
static int
check_maildrop(const struct job *job, struct fault *f)
{
	const struct passwd_change	*c = &job->change;
	char				 path[IDENTITY_PATH_MAX + 1];

	if (c->maildrop == NULL || c->maildrop[0] == '\0' ||
	    drop_path_expand(c->maildrop, job->user, c->home == NULL ? "/home" :
	    c->home, path, sizeof(path), f) == 0)
		return 0;
	f->class = FAULT_PROTO;		/* a mistake in the arguments */
	return -1;
}

static int
set_password(struct job *job)
{
	char		stored[STORED_MAX];
	struct fault	f;
	int		rc;

	/* What is wrong with the name should be known before typing. */
	rc = passwd_change_check(job->user, &job->change, &f);
	if (rc == 0)
		rc = check_maildrop(job, &f);
	if (rc == 0)
		rc = get_password(job, stored, sizeof(stored), &f);
	if (rc == 0) {
		job->change.password = stored;
		rc = passwd_file_put(job->file, job->user, &job->change, &f);
	}
	explicit_bzero(stored, sizeof(stored));
	if (rc < 0)
		return passwd_complain(&f);
	if (passwd_file_check(job->file, &f) < 0)
		fprintf(stderr, "popper passwd: the password is set, but nobody "
		    "can log in: %s\n", f.text);
	return STATUS_OK;
}

/* For databases that are not ours to write. */
static int
print_hash(const struct job *job)
{
	char		stored[STORED_MAX];
	struct fault	f;
	int		status = STATUS_OK;

	if (get_password(job, stored, sizeof(stored), &f) < 0)
		status = passwd_complain(&f);
	else
		puts(stored);
	explicit_bzero(stored, sizeof(stored));
	return status;
}

static int
remove_user(const struct job *job)
{
	struct fault f;

	return passwd_file_put(job->file, job->user, NULL, &f) < 0 ?
	    passwd_complain(&f) : STATUS_OK;
}

static int
lock_user(const struct job *job)
{
	struct fault f;

	return passwd_file_put(job->file, job->user, &job->change, &f) < 0 ?
	    passwd_complain(&f) : STATUS_OK;
}

/* ---- the list ---- */

void
passwd_print_column(struct span s, char end)
{
	if (s.n == 0)
		putchar('-');
	for (size_t i = 0; i < s.n; i++)
		putchar(s.p[i] < ' ' || s.p[i] == 0x7f ? '?' : s.p[i]);
	putchar(end);
}

static void
print_row(void *ctx, const struct passwd_row *row)
{
	const char *scheme = row->nologin ? "locked" :
	    passwd_scheme_word(row->password);

	(void)ctx;
	passwd_print_column(row->user, '\t');
	passwd_print_column(span_str(scheme), '\t');
	passwd_print_column(row->uid, '\t');
	passwd_print_column(row->gid, '\t');
	passwd_print_column(row->home, '\t');
	passwd_print_column(row->maildrop, '\n');
}

static int
list_users(const struct job *job)
{
	struct fault f;

	return passwd_file_each(job->file, print_row, NULL, &f) < 0 ?
	    passwd_complain(&f) : STATUS_OK;
}

/* What a client says will come prepared, if the server says so.  Mistakes in the
 * file are popper check's to tell. */
static int
prepare(struct job *job)
{
	char		 program[] = "popper";
	char		 option[] = "--config";
	char		*words[] = { program, option, job->config, NULL };
	struct settings	 s;
	struct fault	 f;
	int		 result;

	if (settings_peek(job->config != NULL ? 3 : 1, words, &s) ==
	    SETTINGS_USAGE) {
		settings_fini(&s);
		return bad_usage("--config");
	}
	result = prep_open(&s.auth, &f);
	settings_fini(&s);
	if (result != 0)
		return passwd_complain(&f);
	/* What is no name is complained of later. */
	if (job->user == NULL || strlen(job->user) >= sizeof(job->name))
		return STATUS_OK;
	prep_name(job->user, job->name);
	job->user = job->name;
	return STATUS_OK;
}

int
cmd_passwd(int argc, char **argv)
{
	struct job	job = { 0 };
	int		status;

	if (argc > 1 && strcmp(argv[1], "app") == 0)
		return cmd_passwd_app(argc - 1, argv + 1);
	status = parse(argc, argv, &job);
	if (status == 0 && job.help) {
		fputs(usage_text, stdout);
		return STATUS_OK;
	}
	if (status == 0)
		status = check(&job);
	if (status == 0)
		status = prepare(&job);
	if (status != 0)
		return status;
	if (job.list)
		return list_users(&job);
	if (job.hash)
		return print_hash(&job);
	if (job.change.lock != PASSWD_AS_IS)
		return lock_user(&job);
	return job.remove ? remove_user(&job) : set_password(&job);
}

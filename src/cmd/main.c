/* SPDX-License-Identifier: ISC */
/*
 * popper: which command is meant, and its argv.  Floor 5.
 */
#include "cmd/bulletin.h"
#include "cmd/check.h"
#include "cmd/ctl.h"
#include "cmd/passwd.h"
#include "cmd/reload.h"
#include "cmd/start.h"
#include "cmd/uidl.h"
#include "role/master.h"
#include "role/monitor.h"
#include "role/recover.h"
#include "role/serve.h"

#include "sys/file.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "sys/term.h"
#include "watch/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OLD_FLAGS	"bdsTt"
#define HOSTNAME_MAX	256
#define INETD_PAUSE_MS	1000	/* who waits has inetd start us again at once */

#define FLAGS_TEXT \
"  -b dir         bulletins: the folder they are in\n" \
"  -d             debugging: to the log, and SO_DEBUG on the socket\n" \
"  -s             a line of statistics at the end of each session\n" \
"  -T secs        end a session that is silent for so long (120)\n" \
"  -t trace-file  debugging to this file\n" \
"  --config FILE  instead of " POPPER_SYSCONFDIR "/popper.conf\n"

static const char usage_text[] =
"usage: popper [-b dir] [-d] [-s] [-T secs] [-t trace-file] [--config FILE]\n"
"           one POP3 session on standard input and output (inetd)\n"
"       popper serve [the same options]     listen and serve\n"
"       popper check [--config FILE]        judge configuration and permissions\n"
"       popper passwd [options] USER        manage the password file\n"
"       popper bulletin add|list|remove     manage bulletins\n"
"       popper recover [--quick]            finish interrupted updates\n"
"       popper ctl WORD...                  look at popper serve, and tell it\n"
"       popper uidl export|import|verify    unique-ids of another server\n"
"       popper --help | --version\n"
"\n"
FLAGS_TEXT
"\n"
"Manual: popper(8), popper.conf(5)\n";

static const char serve_text[] =
"usage: popper serve [-b dir] [-d] [-s] [-T secs] [-t trace-file]\n"
"                    [--config FILE]\n"
"\n"
"Listens where the configuration file says, or at the sockets that a service\n"
"manager or inetd hands over, and serves POP3 until SIGTERM, in the foreground.\n"
"SIGHUP has it read the configuration once more.\n"
"\n"
FLAGS_TEXT
"\n"
"Exit status: 0 when it was told to end, 64 for a bad command line, 77 when it\n"
"needs root, 78 for a bad configuration, 1 when it could not begin.\n"
"Manual: popper(8), popper.conf(5)\n";

static const char recover_text[] =
"usage: popper recover [--quick] [--config FILE]\n"
"\n"
"Finishes updates of maildrops that were interrupted, each with the rights of the\n"
"user whose mail it is.  Doing it twice does no harm.\n"
"--quick looks only at maildrops whose session left its lock behind, and at all\n"
"of them when nobody has done so for an hour.\n"
"Exit status: 0 when nothing is left to do, 75 when some could not be finished now\n"
"(the log says why), 64 for a bad command line, 77 when it needs root, 78 for a bad\n"
"configuration.\n"
"Manual: popper-recover(8)\n";

static const char version_text[] =
"popper " POPPER_VERSION "\n"
"authentication: PAM, password file, SQLite, PostgreSQL, bearer tokens,\n"
"    Kerberos, client certificates\n"
"maildrops: mbox, Maildir\n";

/* Standard error is no client's: a terminal, or a file or pipe of its own. */
static bool
somebody_reads(void)
{
	return term_shows() ||
	    (!fd_is_socket(2) && !fd_same(2, 0) && !fd_same(2, 1));
}

/* Where the client is: taken off 0, 1 and 2, so that no library's message can
 * ever reach it. */
static int
take_client(int *in_r, int *out_r, struct fault *f)
{
	if (fd_dup_high(0, in_r, f) != 0)
		return -1;
	*out_r = *in_r;
	if (!fd_same(0, 1) && fd_dup_high(1, out_r, f) != 0)
		return -1;
	return somebody_reads() ? 0 : fd_null_standard(f);
}

static int
cmd_session(int argc, char **argv)
{
	static struct settings	s;
	static struct names	names;
	struct fault		f;
	char			hostname[HOSTNAME_MAX];
	bool			told = somebody_reads();
	int			in;
	int			out;
	int			status;

	if (take_client(&in, &out, &f) != 0)
		return STATUS_FAILED;
	status = start(argc, argv, OLD_FLAGS, told, &s);
	if (status == STATUS_OK)
		status = start_allowed(&s, told);
	if (status == STATUS_OK && s.role.isolation == ISOLATION_SPLIT)
		status = start_names(&s, &names, names_of_session, told);
	if (status != STATUS_OK)
		return status;
	/* What was to be told there is told; the rest is for the log. */
	if (told && !term_shows() && fd_null_standard(&f) != 0)
		return STATUS_FAILED;
	monitor_hostname(&s, hostname, sizeof(hostname));
	status = monitor_run(&s, hostname, in, out);
	/* The rest goes with the process; a sanitizer looks for what was forgotten. */
	if (!POPPER_SANITIZED)
		spawn_exit(status);
	log_close();
	settings_fini(&s);
	return status;
}

static int
print(const char *text)
{
	fputs(text, stdout);
	return STATUS_OK;
}

static int
cmd_help(int argc UNUSED, char **argv UNUSED)
{
	return print(usage_text);
}

/* What inetd hands over for `wait`, before anything is written there.  -1: it has
 * not started us. */
static int
take_listener(int *fd_r, struct fault *f)
{
	*fd_r = -1;
	if (!sock_listens(0))
		return 0;
	if (fd_dup_high(0, fd_r, f) != 0)
		return -1;
	return somebody_reads() ? 0 : fd_null_standard(f);
}

static int
serve(struct edition *e, struct reload *r, int inetd)
{
	const struct edition_source	again = reload_source(r);
	struct fault			f = { 0 };
	bool				split = e->s.role.isolation ==
					    ISOLATION_SPLIT;
	bool				told = e->s.log.to == LOG_TO_STDERR ||
					    inetd >= 0;
	int				status;

	monitor_hostname(&e->s, e->hostname, sizeof(e->hostname));
	recover_beside(&e->s);
	status = split ? master_run(e, &again, inetd, &f) :
	    serve_run(e, &again, inetd, &f);
	reload_forget(r);
	if (status != STATUS_OK && !told)
		fprintf(stderr, "popper: %s\n", f.text);
	return status;
}

static int
cmd_serve(int argc, char **argv)
{
	struct reload	r = {
		.argc = argc, .argv = argv, .flags = OLD_FLAGS, .link = -1,
		.folder = -1,
	};
	struct edition	*e;
	struct fault	 f;
	int		 inetd;
	int		 status;

	if (start_word(&argc, argv, "--help"))
		return print(serve_text);
	if (take_listener(&inetd, &f) != 0)
		return STATUS_FAILED;
	e = edition_new();
	status = start(argc, argv, OLD_FLAGS, inetd < 0, &e->s);
	if (status == STATUS_OK)
		status = start_allowed(&e->s, inetd < 0);
	if (status == STATUS_OK && check_start(&e->s, inetd < 0, &f) != 0)
		status = STATUS_CONFIG;
	if (status == STATUS_OK && e->s.role.isolation == ISOLATION_SPLIT)
		status = start_names(&e->s, &e->names, names_to_numbers,
		    inetd < 0);
	if (status == STATUS_OK && check_absent(&e->s, CHECK_START, inetd < 0,
	    &f) != 0)
		status = STATUS_CONFIG;
	if (status == STATUS_OK)
		status = serve(e, &r, inetd);	/* takes it */
	else
		edition_free(e);
	if (status != STATUS_OK && inetd >= 0)
		clock_sleep(INETD_PAUSE_MS);
	log_close();
	return status;
}

static int
cmd_recover(int argc, char **argv)
{
	static struct settings	s;
	bool			quick = start_word(&argc, argv, "--quick");
	int			status;
	int			open;

	if (start_word(&argc, argv, "--help"))
		return print(recover_text);
	status = start(argc, argv, "", true, &s);
	if (status == STATUS_OK)
		status = start_allowed(&s, true);
	if (status != STATUS_OK)
		return status;
	open = recover_run(&s, quick);
	if (open > 0)
		fprintf(stderr, "popper: %d maildrops could not be recovered"
		    " now; the log says why\n", open);
	log_close();
	settings_fini(&s);
	return open == 0 ? STATUS_OK : STATUS_TEMP;
}

static int
cmd_version(int argc UNUSED, char **argv UNUSED)
{
	return print(version_text);
}

static const struct command_word {
	const char	*word;
	int		(*run)(int argc, char **argv);
} words[] = {
	{ "serve",	cmd_serve },
	{ "check",	cmd_check },
	{ "passwd",	cmd_passwd },
	{ "bulletin",	cmd_bulletin },
	{ "recover",	cmd_recover },
	{ "ctl",	cmd_ctl },
	{ "uidl",	cmd_uidl },
	{ "--help",	cmd_help },
	{ "--version",	cmd_version },
};

/* A word in a line of inetd's (where a session was meant): what it prints would
 * speak to a client. */
static bool
speaks_to_client(void)
{
	return fd_is_socket(0) && !sock_listens(0) &&
	    (fd_same(0, 1) || fd_same(0, 2));
}

/* What was printed has come to where it should, or the command has failed. */
static int
finish(int status)
{
	bool ended = fflush(stdout) == 0;

	if (ended && !ferror(stdout))
		return status;
	fprintf(stderr, "popper: standard output: %s\n", ended ?
	    "not all of it was taken" : strerrordesc_np(errno));
	return status == STATUS_OK ? STATUS_FAILED : status;
}

int
main(int argc, char **argv)
{
	static char	name[32];	/* by which getopt complains */
	struct fault	f;

	if (fd_fill_standard(&f) != 0)
		return STATUS_FAILED;
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(words); i++) {
		if (strcmp(argv[1], words[i].word) != 0)
			continue;
		if (speaks_to_client() && fd_null_standard(&f) != 0)
			return STATUS_FAILED;
		(void)snprintf(name, sizeof(name), "popper %s", words[i].word);
		argv[1] = name;
		return finish(words[i].run(argc - 1, argv + 1));
	}
	return sock_listens(0) ? cmd_serve(argc, argv) : cmd_session(argc, argv);
}

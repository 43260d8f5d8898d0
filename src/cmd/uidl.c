/* SPDX-License-Identifier: ISC */
/*
 * Runs as: an operator, root with isolation = split.  Reads from: the configuration
 * and the user databases; what is in a maildrop, or in a list of unique-ids, is
 * read by a child that is as powerless as a session (uidl_work.c); its answer is
 * checked.
 */
#include "cmd/uidl.h"

#include "auth/prep.h"
#include "cmd/foresee.h"
#include "cmd/start.h"
#include "cmd/uidl_priv.h"
#include "drop/former.h"
#include "drop/promise.h"
#include "role/host.h"
#include "role/reach.h"
#include "sys/cage.h"
#include "sys/cage_files.h"
#include "sys/file.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ROOTS	"/etc/ssl/certs/ca-certificates.crt"

#define SID		"uidl"		/* of a session that is none */

static const char usage_text[] =
"usage: popper uidl [--config FILE] export USER\n"
"       popper uidl [options] import USER [LIST]\n"
"       popper uidl [options] verify USER [LIST]\n"
"\n"
"Unique-ids that clients know from another server, so that they need not fetch\n"
"all mail again after a move.\n"
"\n"
"  export           print number, octets and unique-id of each message\n"
"  import           promise the ids of the old server for the messages here\n"
"  verify           print where the old server's ids are not ours\n"
"\n"
"  --from list      they are in LIST (standard input): the old server's answer to\n"
"                   UIDL, or what popper uidl export prints; this is the default\n"
"  --from dovecot   in the Maildir's dovecot-uidlist, or in LIST; see --format\n"
"  --from courier   in the Maildir's courierpop3dsizelist, or in LIST\n"
"  --from cyrus     in LIST, a mailbox's folder of Cyrus IMAP; see --format\n"
"  --from x-uidl    in the X-UIDL: fields of the messages (qpopper, GNU)\n"
"  --from qpopper   there, or made of header lines, as qpopper does; qpopper-old:\n"
"                   with its old-style-uid\n"
"  --from uid       made of X-UID: and X-IMAPbase: (Dovecot, UW), see --format\n"
"  --from popa3d    made of header fields, as popa3d does\n"
"  --from md5       likewise, as Dovecot does with %m\n"
"  --from tpop3d    made of the first octets of the messages, as tpop3d does\n"
"  --from pop3s://USER@HOST   what the old server itself says, or pop3:// with\n"
"                   STARTTLS; asks for the password, or reads a line of standard\n"
"                   input\n"
"  --plaintext      pop3:// without TLS: whoever is between reads the password\n"
"  --ca-file FILE   certificates that vouch for that server\n"
"                   (" DEFAULT_ROOTS ")\n"
"  --format FORM    dovecot (default), uw, cyrus, courier, or a form like\n"
"                   Dovecot's pop3_uidl_format: %08Xu%08Xv\n"
"  --dry-run        say what would change, and change nothing\n"
"  --fresh          forget what was promised before\n"
"  --config FILE    instead of " POPPER_SYSCONFDIR "/popper.conf\n"
"\n"
"Manual: popper-uidl(8)\n";

enum {
	OPT_FROM = 256, OPT_FORMAT, OPT_DRY_RUN, OPT_FRESH, OPT_PLAINTEXT, OPT_CA_FILE,
	OPT_CONFIG, OPT_HELP,
};

static const struct option options[] = {
	{ "from",	required_argument,	NULL,	OPT_FROM },
	{ "format",	required_argument,	NULL,	OPT_FORMAT },
	{ "dry-run",	no_argument,		NULL,	OPT_DRY_RUN },
	{ "fresh",	no_argument,		NULL,	OPT_FRESH },
	{ "plaintext",	no_argument,		NULL,	OPT_PLAINTEXT },
	{ "ca-file",	required_argument,	NULL,	OPT_CA_FILE },
	{ "config",	required_argument,	NULL,	OPT_CONFIG },
	{ "help",	no_argument,		NULL,	OPT_HELP },
	{ NULL,		0,			NULL,	0 }
};

struct job {
	struct uidl_work	 work;
	struct uidl_server	 server;	/* url NULL: nobody is asked */
	const char		*user;
	const char		*file;		/* LIST; NULL: standard input */
	char			*config;
	bool			 fresh;
	bool			 help;
};

static int
bad_usage(const char *why)
{
	return start_usage("uidl", why);
}

int
uidl_complain(const struct fault *f)
{
	return start_complain("uidl", f);
}

/* ---- the command line ---- */

static int
take_words(char **words, int n, struct job *job)
{
	if (n < 2)
		return bad_usage("the commands are export USER, import USER "
		    "[LIST], and verify USER [LIST]");
	job->work.word = words[0];
	job->user = words[1];
	job->work.listed = n > 2;
	if (n > 2 && strcmp(words[2], "-") != 0)
		job->file = words[2];
	if (!uidl_word_known(job->work.word) || n > 3)
		return bad_usage("the commands are export USER, import USER "
		    "[LIST], and verify USER [LIST]");
	return 0;
}

static int
parse(int argc, char **argv, struct job *job)
{
	int c;

	/* 0, not 1: getopt starts anew, whoever used it before. */
	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case OPT_FROM:		job->work.from = optarg; break;
		case OPT_FORMAT:	job->work.format = optarg; break;
		case OPT_DRY_RUN:	job->work.dry_run = true; break;
		case OPT_FRESH:		job->fresh = true; break;
		case OPT_PLAINTEXT:	job->server.plaintext = true; break;
		case OPT_CA_FILE:	job->server.roots = optarg; break;
		case OPT_CONFIG:	job->config = optarg; break;
		case OPT_HELP:		job->help = true; return 0;
		default:		return bad_usage(NULL);
		}
	}
	return take_words(argv + optind, argc - optind, job);
}

static bool
of_cyrus(const struct job *job)
{
	return job->work.from != NULL && strcmp(job->work.from, "cyrus") == 0;
}

/* A URL is a form by itself. */
static int
check_from(struct job *job)
{
	struct uidl_work *w = &job->work;

	if (w->from == NULL)
		w->from = "list";
	if (strncmp(w->from, "pop3", 4) == 0 && strstr(w->from, "://") != NULL) {
		job->server.url = w->from;
		job->server.user = job->user;
		w->from = "pop3";
	} else if (strcmp(w->from, "pop3") == 0 || !uidl_from_known(w->from)) {
		return bad_usage("--from list, dovecot, courier, cyrus, x-uidl, "
		    "qpopper, qpopper-old, uid, popa3d, md5, tpop3d, or a URL: pop3s://user@host");
	}
	if (job->server.url == NULL && (job->server.plaintext ||
	    job->server.roots != NULL))
		return bad_usage("--plaintext and --ca-file go with a URL");
	if (job->server.plaintext && (job->server.roots != NULL ||
	    strncmp(job->server.url, "pop3://", strlen("pop3://")) != 0))
		return bad_usage("--plaintext goes with pop3://, which has no"
		    " certificate to be judged");
	if (job->server.roots == NULL)
		job->server.roots = DEFAULT_ROOTS;
	return 0;
}

static int
check_list_and_format(struct job *job)
{
	struct uidl_work	*w = &job->work;
	bool			 cyrus = of_cyrus(job);

	if (!uidl_from_list(w->from) && w->listed)
		return bad_usage("LIST goes with --from list, dovecot, courier and "
		    "cyrus");
	if (cyrus && job->file == NULL)
		return bad_usage("--from cyrus needs LIST: the folder with the "
		    "user's cyrus.index and messages");
	if (!uidl_from_format(w->from) && w->format != NULL)
		return bad_usage("--format goes with --from uid, dovecot and cyrus");
	if (w->format == NULL)
		w->format = cyrus ? "cyrus" : "dovecot";
	return former_format(w->format) != NULL ? 0 : bad_usage("--format is a "
	    "server's name, or has %u, %v, %08Xu or %08Xv in it, and a %u");
}

/* What goes with what; then the defaults. */
static int
check(struct job *job)
{
	const struct uidl_work	*w = &job->work;
	bool			 export = strcmp(w->word, "export") == 0;
	bool			 import = strcmp(w->word, "import") == 0;
	int			 status;

	if (export && (w->from != NULL || w->format != NULL || w->listed ||
	    job->server.plaintext || job->server.roots != NULL))
		return bad_usage("export prints, and reads nothing");
	if (!import && (w->dry_run || job->fresh))
		return bad_usage("--dry-run and --fresh go with import");
	if (export)
		return 0;
	status = check_from(job);
	return status != 0 ? status : check_list_and_format(job);
}

/* ---- whose maildrop ---- */

/* Of a login under TLS on this host, the password apart. */
static int
find_user(const struct settings *s, const char *user, struct identity *id,
    struct fault *f)
{
	static struct auth_verdict	 v;
	static struct auth_request	 q;
	struct auth_conf		 one = s->auth;
	size_t				 n = auth_databases(&one);

	q.way.tls = true;
	if (!sock_addr_parse("127.0.0.1", &q.peer) ||
	    strlen(user) > IDENTITY_USER_MAX)
		return fault_set(f, FAULT_PROTO, "the user's name is too long");
	if (prep_open(&s->auth, f) != 0)
		return -1;
	prep_name(user, q.user);
	for (size_t i = 0; i < n; i++) {
		auth_select(&one, i);
		if (foresee(s, &one, &q, &v, f) != 0)
			return -1;
		if (!auth_passes_on(&one, &v))
			break;
	}
	*id = v.id;
	return v.result == AUTH_OK ? 0 : fault_set(f, FAULT_AUTH,
	    "%s could not log in: %s", user, auth_reason_word(v.reason));
}

/* ---- the work ---- */

int
uidl_child(void (*be)(void *ctx), void *ctx, const char *who, struct fault *f)
{
	pid_t	pid = spawn_fork(f);
	int	status;

	if (pid == 0)
		be(ctx);
	if (pid < 0)
		return -1;
	(void)spawn_wait(pid, -1, &status);
	return status < 128 ? status : fault_set(f, FAULT_TEMP, "%s died of signal"
	    " %d", who, status - 128);
}

struct worker {
	const struct host	*host;
	const struct uidl_work	*work;
};

/* With the rights and the cage of a session, and the descriptors of the work. */
static NORETURN void
be_worker(void *ctx)
{
	const struct host	*h = ((struct worker *)ctx)->host;
	const struct uidl_work	*w = ((struct worker *)ctx)->work;
	const int	keep[] = { w->list, w->mbox, w->promises, w->out, h->dirfd };
	struct reach	none = { -1, -1, { 0 }, { 0 } };
	struct fault	f;
	bool		degraded;
	int		status;

	fd_close_others(3, keep, ARRAY_LEN(keep));
	if (cage_limits(CAGE_SESSION, &f) != 0 ||
	    identity_become(h->id, true, &f) != 0 ||
	    (h->maildir ? reach_enter(&none, h, REACH_RECOVERY, &f) :
	    cage_files_nothing(NULL, 0, &f)) != 0 ||
	    cage_enter(CAGE_SESSION, &degraded, &f) != 0)
		spawn_exit(uidl_complain(&f));
	status = uidl_do(w);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "popper uidl: %s\n", strerrordesc_np(errno));
		status = STATUS_FAILED;
	}
	spawn_exit(status);
}

/* The exit status, or -1. */
static int
work(const struct host *h, const struct uidl_work *w, struct fault *f)
{
	if (uidl_prepare(w, f) != 0)
		return -1;
	return uidl_child(be_worker, &(struct worker){ h, w },
	    "who reads the maildrop", f);
}

/* What the child has made is kept if it is what it should be. */
static int
keep(const struct host *h, int fd, struct fault *f)
{
	struct promises	p;
	size_t		n;
	int		r = promises_load(fd, &p, f);

	n = p.n;
	if (r == 0 && (n > 0 || h->promises >= 0))
		r = host_promise(h, span_of(p.text, p.size), f);
	promises_fini(&p);
	return r;
}

static int
run_locked(const struct job *job, struct host *h, const struct identity *id,
    struct fault *f)
{
	AUTO(fd_close) int	out = -1;
	AUTO(fd_close) int	mbox = -1;
	struct uidl_work	w = job->work;
	int			status;

	if (host_has_remains(h))
		return fault_set(f, FAULT_TEMP, "an update of %s is unfinished, or "
		    "an older popper left mail beside it: let the user log in "
		    "once", h->path);
	if (h->maildir)
		w.maildir = h->path;
	else if (host_copy(h, UINT64_MAX, &mbox, &w.size, f) != 0)
		return -1;
	if (file_open_memory(&out, f) != 0)
		return -1;
	w.mbox = mbox;
	w.out = out;
	w.uid = id->uid;
	w.promises = job->fresh ? -1 : h->promises;
	status = work(h, &w, f);
	if (status == STATUS_OK && strcmp(w.word, "import") == 0 &&
	    !w.dry_run && keep(h, out, f) != 0)
		return -1;
	return status;
}

/* *answer_r: what it says, if there is somebody to be asked.  The exit status, or -1. */
static int
look_there(const struct job *job, const struct settings *s, int *answer_r,
    struct fault *f)
{
	if (job->server.url != NULL)
		return uidl_ask(s, &job->server, answer_r, f);
	return of_cyrus(job) ? uidl_read_cyrus(s, job->work.list,
	    job->work.format, answer_r, f) : STATUS_OK;
}

/* In words for who can wait, or end it. */
static void
explain_in_use(const struct host *h, struct fault *f)
{
	const struct host_holder *o = &h->holder;

	if (!o->known)
		(void)fault_set(f, FAULT_IN_USE, "the maildrop is in use, by a"
		    " session or another popper uidl: try again when it has"
		    " ended");
	else if (strcmp(o->sid, SID) == 0)
		(void)fault_set(f, FAULT_IN_USE, "the maildrop is in use, for"
		    " %" PRIu64 " s by popper uidl, process %" PRIu64 ": try again"
		    " when it has ended", o->age_s, o->pid);
	else
		(void)fault_set(f, FAULT_IN_USE, "the maildrop is in use, for"
		    " %" PRIu64 " s by session %s of %s, process %" PRIu64 ": try"
		    " again when it has ended, or end it with popper ctl kick"
		    " %s", o->age_s, o->sid, o->ip, o->pid, o->sid);
}

static int
run_for(struct job *job, const struct settings *s)
{
	static struct host	h;
	AUTO(fd_close) int	answer = -1;
	struct identity		id;
	struct fault		f = { 0 };
	int			status;

	if (find_user(s, job->user, &id, &f) != 0)
		return uidl_complain(&f);
	status = look_there(job, s, &answer, &f);
	if (status != STATUS_OK)
		return status > 0 ? status : uidl_complain(&f);
	if (answer >= 0)
		job->work.list = answer;
	if (host_open(&h, s, &id, &f) != 0)
		return uidl_complain(&f);
	status = -1;
	if (host_session_lock(&h, SID, "local", &f) == 0)
		status = run_locked(job, &h, &id, &f);
	else if (f.class == FAULT_IN_USE)
		explain_in_use(&h, &f);
	host_close(&h);
	return status >= 0 ? status : uidl_complain(&f);
}

int
cmd_uidl(int argc, char **argv)
{
	static struct settings	s;
	AUTO(fd_close) int	fd = -1;
	struct job		job = { 0 };
	char			program[] = "popper";
	char			option[] = "--config";
	char			*words[] = { program, option, NULL, NULL };
	struct fault		f;
	int			status = parse(argc, argv, &job);

	if (status == 0 && job.help) {
		fputs(usage_text, stdout);
		return STATUS_OK;
	}
	if (status == 0)
		status = check(&job);
	if (status != 0)
		return status;
	/* Before start, which leaves for the folder of the configuration. */
	if (job.file != NULL && file_open(FILE_CWD, job.file, FILE_READ |
	    FILE_FOLLOW | (of_cyrus(&job) ? FILE_DIR : 0), 0, &fd, &f) != 0)
		return uidl_complain(&f);
	job.work.list = fd >= 0 ? fd : 0;
	words[2] = job.config;
	status = start(job.config != NULL ? 3 : 1, words, "", true, &s);
	if (status == STATUS_OK)
		status = start_allowed(&s, true);
	if (status == STATUS_OK)
		status = run_for(&job, &s);
	log_close();
	settings_fini(&s);
	return status;
}

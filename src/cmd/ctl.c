/* SPDX-License-Identifier: ISC */
/*
 * Runs as: an operator.  Reads from: its arguments, popper.conf, popper serve.
 * Trusts: popper serve for what it says; texts in it are strangers' and escaped.
 */
#include "cmd/ctl_priv.h"

#include "auth/prep.h"
#include "role/permit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RELOAD_WAIT_MS	150000		/* one may be under way, with fronts that hang */
#define TRACE_S		60
#define TRACE_OCTETS	((uint64_t)1 << 20)

static const char usage_text[] =
"usage: popper ctl [--config FILE] [--json] who [SID | USER | @ADDRESS]\n"
"       popper ctl [--config FILE] [--json] status\n"
"       popper ctl [--config FILE] kick [--hard] SID | USER | @ADDRESS\n"
"       popper ctl [--config FILE] [--json] penalties [USER | @ADDRESS]\n"
"       popper ctl [--config FILE] penalties --clear USER | @ADDRESS\n"
"       popper ctl [--config FILE] [--json] why [--listener ADDRESS:PORT]\n"
"                  [--method METHOD] [--tls] USER@ADDRESS\n"
"       popper ctl [--config FILE] flush [USER]\n"
"       popper ctl [--config FILE] [--json] trace [--for SECONDS] [--size OCTETS]\n"
"                  SID | USER | @ADDRESS | @NETWORK | USER@ADDRESS\n"
"       popper ctl [--config FILE] stop | reload\n"
"\n"
"Looks at a running popper serve, or tells it something.\n"
"\n"
"  who            its sessions, with their maildrops\n"
"  status         its processes, limits and counts\n"
"  kick           end sessions; nothing is deleted, but one that is deleting\n"
"                 finishes.  --hard: kill them, when they do not end\n"
"  penalties      who guesses passwords, and waits for it; --clear forgives\n"
"  why            what would become of a login, as far as can be told without\n"
"                 its password, there, that way (pass), under TLS\n"
"  flush          forget which passwords were right: each is hashed, or given to\n"
"                 PAM, when it is used the next time\n"
"  trace          show what these clients and popper say, as it goes on, without\n"
"                 passwords and mail; ends after SECONDS (60, at most 3600), after\n"
"                 OCTETS of output (1048576), or with Ctrl-C\n"
"  stop           end popper serve, as SIGTERM does\n"
"  reload         have it read its configuration again, as SIGHUP does, and be\n"
"                 told why when that is refused\n"
"\n"
"  --config FILE  instead of " POPPER_SYSCONFDIR "/popper.conf\n"
"  --json         one object a line\n"
"\n"
"Manual: popper-ctl(8)\n";

static int
do_who(struct job *j)
{
	uint32_t n;

	return job_ask(j, MSG_CTL_WHO, &n);
}

static int
do_status(struct job *j)
{
	uint32_t n;

	return job_ask(j, MSG_CTL_STATUS, &n);
}

static int
do_penalties(struct job *j)
{
	uint32_t	n;
	int		status;

	if ((j->given & GIVEN(OPT_CLEAR)) == 0)
		return job_ask(j, MSG_CTL_PENALTIES, &n);
	if (j->whom.kind != CTL_USER && j->whom.kind != CTL_ADDRESS)
		return job_bad_usage("--clear goes with USER or @ADDRESS");
	status = job_ask(j, MSG_CTL_CLEAR, &n);
	if (status == STATUS_OK)
		job_show(j, "cleared", j->words[1], 0);
	return status;
}

static int
do_kick(struct job *j)
{
	uint32_t	n = 0;
	int		status;

	if (j->whom.kind == CTL_ALL)
		return job_bad_usage("kick whom?");
	status = job_ask(j, (j->given & GIVEN(OPT_HARD)) != 0 ? MSG_CTL_KILL :
	    MSG_CTL_KICK, &n);
	if (status != STATUS_OK)
		return status;
	printf("%" PRIu32 " session%s told to end\n", n, n == 1 ? "" : "s");
	return n > 0 ? STATUS_OK : STATUS_FAILED;
}

/* After a reload there are several who remember. */
static int
do_flush(struct job *j)
{
	uint32_t	n = 0;
	int		status;

	if (j->whom.kind != CTL_ALL && j->whom.kind != CTL_USER)
		return job_bad_usage("flush USER, or nothing behind it");
	j->from_all = true;
	status = job_ask(j, MSG_CTL_FLUSH, &n);
	if (status == STATUS_OK)
		printf("%" PRIu32 " password%s forgotten\n", n,
		    n == 1 ? "" : "s");
	return status;
}

static int
do_stop(struct job *j)
{
	uint32_t	n = 0;
	int		status = job_ask(j, MSG_CTL_STOP, &n);

	if (status == STATUS_OK)
		printf("popper serve is ending, with %" PRIu32 " session%s\n",
		    n, n == 1 ? "" : "s");
	return status;
}

/* What it was told, and takes the configuration all the same. */
static void
tell_warning(const char *name, const char *text)
{
	char line[CTL_NAME_MAX + CTL_TEXT_MAX + 3];

	(void)snprintf(line, sizeof(line), "%s: %s", name, text);
	start_say("ctl", line);
}

static int
do_reload(struct job *j)
{
	uint32_t	n = 0;
	int		status;

	j->wait_ms = RELOAD_WAIT_MS;
	j->tell = tell_warning;
	status = job_ask(j, MSG_CTL_RELOAD, &n);
	if (status == STATUS_OK)
		printf("the configuration is good, and for those who connect"
		    " from now on\n");
	return status;
}

static const struct ctl_word {
	const char	*word;
	int		 most;		/* words behind it */
	unsigned	 takes;		/* GIVEN() */
	int		(*run)(struct job *j);
} ctl_words[] = {
	{ "trace",	1, GIVEN(OPT_JSON) | GIVEN(OPT_FOR) | GIVEN(OPT_SIZE),
	    job_trace },
	{ "who",	1, GIVEN(OPT_JSON), do_who },
	{ "status",	0, GIVEN(OPT_JSON), do_status },
	{ "kick",	1, GIVEN(OPT_HARD), do_kick },
	{ "penalties",	1, GIVEN(OPT_JSON) | GIVEN(OPT_CLEAR), do_penalties },
	{ "why",	1, GIVEN(OPT_JSON) | GIVEN(OPT_LISTENER) |
	    GIVEN(OPT_METHOD) | GIVEN(OPT_TLS), job_why },
	{ "flush",	1, 0, do_flush },
	{ "stop",	0, 0, do_stop },
	{ "reload",	0, 0, do_reload },
};

/* NULL: there is none of that name. */
static const struct ctl_word *
find_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(ctl_words); i++)
		if (strcmp(ctl_words[i].word, word) == 0)
			return &ctl_words[i];
	return NULL;
}

static int
refuse_option(const struct ctl_word *w, unsigned given)
{
	char why[64];

	(void)snprintf(why, sizeof(why), "%s takes no --%s", w->word,
	    job_refused_option(given, w->takes));
	return job_bad_usage(why);
}

/* What goes with what. */
static int
check(struct job *j, const struct ctl_word **w_r)
{
	const struct ctl_word *w;

	*w_r = w = j->nwords > 0 ? find_word(j->words[0]) : NULL;
	if (w == NULL)
		return job_bad_usage("who, status, kick, penalties, why,"
		    " flush, trace, stop or reload?");
	if ((j->given & ~w->takes) != 0)
		return refuse_option(w, j->given);
	if (j->nwords - 1 > w->most)
		return job_bad_usage("too many words");
	if (j->nwords == 1)
		return STATUS_OK;
	return job_parse_whom(j, w->run == job_trace);
}

/* Mistakes in the file are popper check's to tell: this needs a path of it.  One that
 * is not there would be another server's. */
static int
load(struct job *j)
{
	char		 name[] = "ctl";
	char		 option[] = "--config";
	char		*argv[] = { name, option, j->config, NULL };
	char		 said[sizeof(j->whom.user)];
	char		 why[512];
	struct fault	 f;

	if (settings_load(j->config == NULL ? 1 : 3, argv, "",
	    &j->settings) == SETTINGS_USAGE)
		return job_bad_usage("--config");
	if (j->config != NULL && !j->settings.config_found) {
		(void)snprintf(why, sizeof(why), "the configuration file %s"
		    " cannot be read", j->config);
		start_say("ctl", why);
		return STATUS_CONFIG;
	}
	memcpy(said, j->whom.user, sizeof(said));
	if (prep_open(&j->settings.auth, &f) == 0)
		prep_name(said, j->whom.user);
	return STATUS_OK;
}

int
cmd_ctl(int argc, char **argv)
{
	static struct job	j;
	const struct ctl_word	*w;
	int			status;

	j.wait_ms = CTL_WAIT_MS;
	j.trace_s = TRACE_S;
	j.trace_octets = TRACE_OCTETS;
	status = job_parse(argc, argv, &j);
	if (j.help) {
		fputs(usage_text, stdout);
		return STATUS_OK;
	}
	if (status == STATUS_OK)
		status = check(&j, &w);
	if (status == STATUS_OK)
		status = load(&j);
	if (status != STATUS_OK)
		return status;
	status = w->run(&j);
	if (j.json && j.rows > 0 && w->run != do_who)
		printf("}\n");
	settings_fini(&j.settings);
	return status;
}

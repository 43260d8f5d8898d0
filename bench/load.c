/* SPDX-License-Identifier: ISC */
/*
 * The benchmark's load generator: a POP3 client many times over, which checks
 * every answer.  `load --help` tells the options; docs/benchmark.md what the
 * lines mean that it prints.  One process may hold as many connections as it
 * may open descriptors: start several for more.
 */
#include "prove.h"
#include "secure.h"
#include "swarm.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define STATUS_USAGE	64
#define FILE_MAX	(512u << 20)
#define MS		INT64_C(1000000)
#define SCRIPT_MAX	16

static const enum word login_script[] = {
	WORD_GREETING, WORD_USER, WORD_PASS, WORD_STAT, WORD_QUIT, WORD_END,
};
static const enum word retr_script[] = {
	WORD_GREETING, WORD_USER, WORD_PASS, WORD_STAT, WORD_RETR, WORD_QUIT,
	WORD_END,
};
static const enum word poll_script[] = {
	WORD_GREETING, WORD_USER, WORD_PASS, WORD_STAT, WORD_UIDL, WORD_LIST,
	WORD_QUIT, WORD_END,
};
static const enum word top_script[] = {
	WORD_GREETING, WORD_USER, WORD_PASS, WORD_STAT, WORD_TOP, WORD_QUIT,
	WORD_END,
};
static const enum word drain_script[] = {
	WORD_GREETING, WORD_USER, WORD_PASS, WORD_STAT, WORD_DELE, WORD_QUIT,
	WORD_END,
};
/* Nothing of it is to be stored. */
static const enum word bulk_script[] = {
	WORD_GREETING, WORD_USER, WORD_PASS, WORD_STAT, WORD_RETR, WORD_LEAVE,
	WORD_END,
};
static const enum word strangers_script[] = {
	WORD_GREETING, WORD_HOLD, WORD_QUIT, WORD_END,
};
static const enum word drip_script[] = {
	WORD_GREETING, WORD_HOLD, WORD_END,
};
static const enum word sessions_script[] = {
	WORD_GREETING, WORD_USER, WORD_PASS, WORD_HOLD, WORD_NOOP, WORD_QUIT,
	WORD_END,
};

enum {				/* struct scenario.needs */
	USERS	= 1u << 0,
	HOLD	= 1u << 1,
	MAIL	= 1u << 2,
	RATE	= 1u << 3,
	END	= 1u << 4,	/* --seconds or --sessions */
};

static const struct scenario {
	const char	*name;
	const enum word	*script;
	unsigned	 needs;
} scenarios[] = {
	{ "login",		login_script,		USERS | END },
	{ "retr",		retr_script,		USERS | END | MAIL },
	{ "bulk",		bulk_script,		USERS | END | MAIL },
	{ "poll",		poll_script,		USERS | END | MAIL },
	{ "top",		top_script,		USERS | END | MAIL },
	{ "drain",		drain_script,		USERS | END | MAIL },
	{ "probe",		login_script,		USERS | END | RATE },
	{ "idle-strangers",	strangers_script,	HOLD },
	{ "idle-sessions",	sessions_script,	USERS | HOLD },
};

static const char usage_text[] =
"usage: load SCENARIO --to ADDRESS:PORT [options]\n"
"scenarios:\n"
"  login           USER, PASS, STAT, QUIT, as fast as they end\n"
"  retr            the same, and every message fetched\n"
"  bulk            the same, and then they hang up\n"
"  poll            login with UIDL and LIST\n"
"  top             login with TOP n 0 of every message\n"
"  drain           login with every message deleted\n"
"  probe           as login, begun --rate times a second\n"
"  idle-strangers  hold connections after the greeting\n"
"  idle-sessions   hold logged-in sessions; then NOOP each once, and QUIT\n"
"options:\n"
"  --users FILE      `name password` a line\n"
"  --connections N   at work at a time (8)\n"
"  --hold N          how many to hold; they go on at a line of standard input\n"
"  --seconds S       begin none after so long\n"
"  --sessions K      begin so many\n"
"  --rate R          a second\n"
"  --from ADDRESS    first source address (127.0.0.1)\n"
"  --sources N       use N addresses from there on, in turn\n"
"  --line WORD=TEXT  the whole line that answers WORD (greeting, stls, user,\n"
"                    pass, stat, uidl, list, retr, top, dele, noop, quit); else\n"
"                    any +OK, and numbers\n"
"  --mail FILE       what follows +OK of RETR 1; again: of RETR 2, and so on\n"
"  --count N         so many messages: those of --mail in turn, with the\n"
"                    number in seven digits where " MAIL_MARK " stands (as many as\n"
"                    --mail)\n"
"  --ahead N         send so many RETR, TOP or DELE without an answer (1)\n"
"  --tls FILE        TLS 1.3 from the first octet; FILE (PEM): who may have\n"
"                    signed a certificate for " SECURE_HOST "\n"
"  --stls FILE       the same after STLS\n"
"  --scram           AUTH SCRAM-SHA-256 instead of USER and PASS\n"
"  --resume          with the last ticket that was given\n"
"  --any-size        LIST may tell any size\n"
"  --drip MS         held strangers send an octet so often\n"
"  --timeout S       for an answer (30)\n";

static void NORETURN
usage(const char *what)
{
	fprintf(stderr, "load: %s (load --help)\n", what);
	exit(STATUS_USAGE);
}

static uint64_t
number(const char *text, uint64_t max)
{
	uint64_t	n;

	if (!num_parse(span_str(text), max, &n))
		usage("not a number, or too large");
	return n;
}

/* A whole file; ends the process when it cannot be had. */
static struct buf
read_file(const char *path)
{
	struct buf	 b;
	uint8_t		*p;
	size_t		 n = 1;
	FILE		*f = fopen(path, "rb");

	if (f == NULL) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	buf_init(&b, FILE_MAX);
	while (n > 0 && (p = buf_reserve(&b, 1 << 16)) != NULL) {
		n = fread(p, 1, 1 << 16, f);
		buf_extend(&b, n);
	}
	if (n > 0 || ferror(f)) {
		fprintf(stderr, "%s: cannot be read, or is too large\n", path);
		exit(EXIT_FAILURE);
	}
	fclose(f);
	return b;
}

static char *
take_word(struct span *line)
{
	struct span	 word = span_word(line);
	char		*s = xalloc(word.n + 1, 1);

	if (word.n == 0)
		usage("--users: a line without name and password");
	memcpy(s, word.p, word.n);
	return s;
}

static void
read_users(struct plan *p, const char *path)
{
	struct buf	 b = read_file(path);
	struct span	 rest = buf_span(&b);
	struct user	*users = NULL;
	size_t		 cap = 0;
	struct span	 line;

	while (span_line(&rest, &line)) {
		users = xgrow(users, p->users_n, &cap, sizeof(*users));
		users[p->users_n].name = take_word(&line);
		users[p->users_n++].password = take_word(&line);
	}
	p->users = users;
	buf_fini(&b);
}

static void
read_mail(struct plan *p, const char *path, size_t *cap)
{
	static struct mail	*mail;
	struct answers		*a = &p->answers;
	struct buf		 b = read_file(path);	/* as long as we live */

	mail = xgrow(mail, a->mails, cap, sizeof(*mail));
	if (!mail_init(&mail[a->mails++], buf_span(&b)))
		usage("--mail: no message");
	a->mail = mail;
}

static void
set_line(struct plan *p, const char *text)
{
	struct span	s = span_str(text);
	size_t		at = span_find(s, '=');
	enum word	w;

	if (at == s.n || !word_find(span_first(s, at), &w))
		usage("--line: WORD=TEXT");
	p->answers.line[w] = text + at + 1;
}

static void
set_address(struct sockaddr_in *to, const char *text, bool with_port)
{
	struct span	s = span_str(text);
	size_t		at = with_port ? span_find(s, ':') : s.n;
	char		host[INET_ADDRSTRLEN];

	*to = (struct sockaddr_in){ .sin_family = AF_INET };
	if (!span_cstr(span_first(s, at), host, sizeof(host)) ||
	    inet_pton(AF_INET, host, &to->sin_addr) != 1)
		usage("not an IPv4 address");
	if (with_port)
		to->sin_port = htons((uint16_t)number(
		    at < s.n ? text + at + 1 : "", UINT16_MAX));
}

static int64_t
interval_ns(uint64_t rate)
{
	if (rate == 0)
		usage("--rate: at least one");
	return 1000 * MS / (int64_t)rate;
}

static void
use_tls(struct plan *p, const char *ca, bool resume)
{
	if (p->tls == PLAN_PLAIN) {
		if (resume)
			usage("--resume goes with --tls and --stls");
		return;
	}
	secure_init(ca, resume);
}

/* The script with STLS behind the greeting and SCRAM for USER, as told. */
static void
amend_script(struct plan *p, bool scram)
{
	static enum word	amended[SCRIPT_MAX];
	size_t			n = 0;

	for (const enum word *w = p->script; *w != WORD_END; w++) {
		amended[n++] = scram && *w == WORD_USER ? WORD_SCRAM : *w;
		if (amended[n - 1] == WORD_SCRAM)
			amended[n++] = WORD_PROOF;
		if (*w == WORD_GREETING && p->tls == PLAN_STLS)
			amended[n++] = WORD_STLS;
	}
	amended[n] = WORD_END;
	if (scram)
		prove_init();
	p->script = amended;
}

static void
read_options(struct plan *p, int argc, char **argv, const char **ca_r,
    bool *scram_r, bool *resume_r, size_t *count_r)
{
	static const struct option	options[] = {
		{ "to",			required_argument, NULL, 't' },
		{ "users",		required_argument, NULL, 'u' },
		{ "connections",	required_argument, NULL, 'c' },
		{ "hold",		required_argument, NULL, 'h' },
		{ "seconds",		required_argument, NULL, 's' },
		{ "sessions",		required_argument, NULL, 'k' },
		{ "rate",		required_argument, NULL, 'r' },
		{ "from",		required_argument, NULL, 'f' },
		{ "sources",		required_argument, NULL, 'n' },
		{ "line",		required_argument, NULL, 'l' },
		{ "mail",		required_argument, NULL, 'm' },
		{ "count",		required_argument, NULL, 'N' },
		{ "ahead",		required_argument, NULL, 'a' },
		{ "any-size",		no_argument,	   NULL, 'L' },
		{ "drip",		required_argument, NULL, 'd' },
		{ "tls",		required_argument, NULL, 'x' },
		{ "stls",		required_argument, NULL, 'X' },
		{ "scram",		no_argument,	   NULL, 'S' },
		{ "resume",		no_argument,	   NULL, 'R' },
		{ "timeout",		required_argument, NULL, 'T' },
		{ "help",		no_argument,	   NULL, 'H' },
		{ NULL },
	};
	size_t				mail_cap = 0;
	int				c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			set_address(&p->to, optarg, true);
			break;
		case 'u':
			read_users(p, optarg);
			break;
		case 'c':
			p->connections = number(optarg, 1 << 20);
			break;
		case 'h':
			p->hold = number(optarg, 1 << 20);
			break;
		case 's':
			p->for_ns = (int64_t)number(optarg, 86400) * 1000 * MS;
			break;
		case 'k':
			p->sessions = number(optarg, UINT32_MAX);
			break;
		case 'r':
			p->every_ns = interval_ns(number(optarg, 1000000));
			break;
		case 'f':
			set_address(&p->from, optarg, false);
			break;
		case 'n':
			p->sources = number(optarg, 1 << 24);
			break;
		case 'l':
			set_line(p, optarg);
			break;
		case 'm':
			read_mail(p, optarg, &mail_cap);
			break;
		case 'N':
			*count_r = number(optarg, MAIL_COUNT_MAX);
			break;
		case 'a':
			p->ahead = number(optarg, SWARM_AHEAD_MAX);
			break;
		case 'L':
			p->answers.any_size = true;
			break;
		case 'd':
			p->drip_ns = (int64_t)number(optarg, 3600000) * MS;
			break;
		case 'x':
		case 'X':
			p->tls = c == 'x' ? PLAN_TLS : PLAN_STLS;
			*ca_r = optarg;
			break;
		case 'S':
			*scram_r = true;
			break;
		case 'R':
			*resume_r = true;
			break;
		case 'T':
			p->timeout_ns = (int64_t)number(optarg, 86400) *
			    1000 * MS;
			break;
		case 'H':
			fputs(usage_text, stdout);
			exit(EXIT_SUCCESS);
		default:
			exit(STATUS_USAGE);
		}
	}
}

static void
check_plan(const struct plan *p, unsigned needs)
{
	if (p->to.sin_port == 0)
		usage("--to is missing");
	if (p->connections == 0)
		usage("--connections: at least one");
	if (p->ahead == 0)
		usage("--ahead: at least one");
	if ((needs & USERS) != 0 && p->users_n == 0)
		usage("--users is missing");
	if ((needs & HOLD) != 0 ? p->hold == 0 : p->hold > 0)
		usage("--hold goes with the idle scenarios");
	if ((needs & USERS) != 0 && p->hold > p->users_n)
		usage("--hold: more than there are users");
	if ((needs & MAIL) != 0 && p->answers.mails == 0)
		usage("--mail is missing");
	if ((needs & RATE) != 0 ? p->every_ns == 0 : p->every_ns > 0)
		usage("--rate goes with probe");
	if ((needs & END) != 0 && p->for_ns == 0 && p->sessions == 0)
		usage("--seconds or --sessions is missing");
	if (p->drip_ns > 0 && p->script != drip_script)
		usage("--drip goes with idle-strangers");
}

static void
set_scenario(struct plan *p, const char *name, unsigned *needs_r)
{
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		if (!span_eq(span_str(scenarios[i].name), span_str(name)))
			continue;
		p->name = scenarios[i].name;
		p->script = scenarios[i].script;
		*needs_r = scenarios[i].needs;
		/* What has been dripped is no command: they just go. */
		if (p->drip_ns > 0 && p->script == strangers_script)
			p->script = drip_script;
		return;
	}
	usage("no such scenario");
}

/* A descriptor for each connection, as far as we are allowed. */
static void
raise_limit(void)
{
	struct rlimit	r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int
main(int argc, char **argv)
{
	static struct plan	p = { .connections = 8, .ahead = 1,
	    .timeout_ns = 30000 * MS };
	size_t			count = SIZE_MAX;
	unsigned		needs = 0;
	const char		*ca = NULL;
	bool			scram = false;
	bool			resume = false;

	set_address(&p.from, "127.0.0.1", false);
	read_options(&p, argc, argv, &ca, &scram, &resume, &count);
	p.answers.count = count == SIZE_MAX ? p.answers.mails : count;
	if (optind != argc - 1)
		usage("one scenario, please");
	set_scenario(&p, argv[optind], &needs);
	check_plan(&p, needs);
	if ((needs & USERS) == 0)
		p.users_n = 0;
	use_tls(&p, ca, resume);
	amend_script(&p, scram);
	raise_limit();
	return swarm_run(&p) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

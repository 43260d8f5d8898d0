/* SPDX-License-Identifier: ISC */
/*
 * Runs as: an operator.  Reads from: its arguments, popper.conf, popper serve.
 * Trusts: popper serve for what it says; texts in it are strangers' and escaped.
 */
#include "cmd/ctl.h"

#include "auth/app.h"
#include "auth/prep.h"
#include "base/num.h"
#include "cmd/foresee.h"
#include "cmd/start.h"
#include "cmd/tail.h"
#include "role/ctl.h"
#include "role/host.h"
#include "role/offers.h"
#include "role/pace.h"
#include "role/permit.h"
#include "role/trace.h"

#include "sys/file.h"
#include "sys/local.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define WAIT_MS		30000
#define RELOAD_WAIT_MS	150000		/* one may be under way, with fronts that hang */
#define TRACE_S		60
#define TRACE_OCTETS	((uint64_t)1 << 20)
#define TRACE_MOST	((uint64_t)1 << 30)

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

enum { OPT_CONFIG = 256, OPT_JSON, OPT_HARD, OPT_CLEAR, OPT_FOR, OPT_SIZE,
    OPT_LISTENER, OPT_METHOD, OPT_TLS, OPT_HELP };

static const struct option options[] = {
	{ "config",	required_argument,	NULL,	OPT_CONFIG },
	{ "json",	no_argument,		NULL,	OPT_JSON },
	{ "hard",	no_argument,		NULL,	OPT_HARD },
	{ "clear",	no_argument,		NULL,	OPT_CLEAR },
	{ "for",	required_argument,	NULL,	OPT_FOR },
	{ "size",	required_argument,	NULL,	OPT_SIZE },
	{ "listener",	required_argument,	NULL,	OPT_LISTENER },
	{ "method",	required_argument,	NULL,	OPT_METHOD },
	{ "tls",	no_argument,		NULL,	OPT_TLS },
	{ "help",	no_argument,		NULL,	OPT_HELP },
	{ NULL,		0,			NULL,	0 }
};

/* Of the options that not every command takes, JSON to TLS. */
#define GIVEN(option)	(1u << ((option) - OPT_JSON))

struct job {
	struct settings	 settings;
	char		*config;
	unsigned	 given;
	bool		 json;
	bool		 help;
	uint64_t	 trace_s;
	uint64_t	 trace_octets;
	char		**words;
	int		 nwords;
	struct ctl_whom	 whom;
	struct network	 network;	/* trace @NETWORK */
	enum auth_method method;	/* why */
	struct auth_way	 way;
	uint64_t	 rows;
	bool		 from_all;	/* several answer: until the end */
	int		 wait_ms;	/* for an answer */
	/* Of the facts that come, those; NULL: all. */
	bool		 (*wants)(const char *name);
};

static int
bad_usage(const char *why)
{
	return start_usage("ctl", why);
}

static bool
is_absent(const struct fault *f)
{
	return f->err == ENOENT || f->err == ECONNREFUSED;
}

static int
complain(const struct fault *f)
{
	if (is_absent(f)) {
		fprintf(stderr, "popper ctl: popper serve does not run here (%s)\n",
		    f->text);
		return STATUS_FAILED;
	}
	fprintf(stderr, "popper ctl: %s%s\n", f->text, f->err == EACCES ?
	    "; root, and members of ctl_group, may ask" : "");
	if (f->class == FAULT_AUTH || f->err == EACCES)
		return STATUS_DENIED;
	if (f->class == FAULT_PERM)
		return STATUS_CONFIG;
	return f->class == FAULT_TEMP ? STATUS_TEMP : STATUS_FAILED;
}

/* --- what is said ------------------------------------------------------------- */

static void
print_json_text(const char *text)
{
	char	value[LOG_JSON_MAX];

	log_json(value, span_str(text));
	fputs(value, stdout);
}

static const char *
shown(const char *text, char value[LOG_VALUE_MAX])
{
	log_value(value, LOG_VALUE_MAX, span_str(text[0] == '\0' ? "-" : text));
	return value;
}

static const char *const stages[PLACES_STAGES] = {
	[PLACES_EXPECTED]	= "login",
	[PLACES_RUNS]		= "session",
	[PLACES_UPDATES]	= "update",
	[PLACES_RECOVERS]	= "recovery",
};

static void
print_row_json(const struct ctl_row *row, const char *sid)
{
	const struct places_view *v = &row->view;

	printf("{\"sid\":\"%s\",\"pid\":%" PRIu32 ",\"age_s\":%" PRIu64
	    ",\"stage\":\"%s\",\"ip\":\"%s\",\"user\":", sid, v->pid,
	    v->age_ms / 1000, stages[v->stage], v->peer->text);
	print_json_text(v->user);
	printf(",\"maildrop\":");
	print_json_text(v->path);
	printf(",\"db\":");
	print_json_text(row->db);
	printf(",\"method\":\"%s\"}\n", auth_method_word(row->method));
}

static int
print_session(struct job *j, struct link_in *in, struct fault *f)
{
	struct ctl_row	row;
	char		sid[WIRE_SID_MAX];
	char		user[LOG_VALUE_MAX];
	char		path[LOG_VALUE_MAX];
	char		db[LOG_VALUE_MAX];

	if (ctl_get_session(in, &row, f) != 0)
		return -1;
	wire_sid_text(row.view.sid, sid);
	if (j->json) {
		print_row_json(&row, sid);
		return 0;
	}
	if (j->rows++ == 0)
		printf("%-12s  %7s  %7s  %-8s  %-15s  %-16s  %-8s  %-11s  %s\n",
		    "SID", "PID", "AGE_S", "STAGE", "IP", "USER", "DB", "METHOD",
		    "MAILDROP");
	printf("%-12s  %7" PRIu32 "  %7" PRIu64 "  %-8s  %-15s  %-16s  %-8s"
	    "  %-11s  %s\n", sid, row.view.pid, row.view.age_ms / 1000,
	    stages[row.view.stage], row.peer.text, shown(row.user, user),
	    shown(row.db, db), auth_method_word(row.method),
	    shown(row.path, path));
	return 0;
}

/* text NULL: a number. */
static void
show(struct job *j, const char *name, const char *text, uint64_t number)
{
	char value[LOG_VALUE_MAX];

	if (j->json) {
		putchar(j->rows == 0 ? '{' : ',');
		print_json_text(name);
		putchar(':');
	} else {
		printf("%-28s ", name);
	}
	if (text == NULL)
		printf("%" PRIu64, number);
	else if (j->json)
		print_json_text(text);
	else
		printf("%s", shown(text, value));
	if (!j->json)
		putchar('\n');
	j->rows++;
}

static int
print_fact(struct job *j, struct link_in *in, struct fault *f)
{
	char		name[CTL_NAME_MAX + 1];
	char		text[CTL_TEXT_MAX + 1];
	bool		is_number;
	uint64_t	number;

	if (!link_get_cstr(in, name, sizeof(name)))
		return fault_set(f, FAULT_PEER, "a fact");
	is_number = link_get_u8(in) != 0;
	number = link_get_u64(in);
	if (!link_get_cstr(in, text, sizeof(text)) || link_get_end(in, f) != 0)
		return fault_set(f, FAULT_PEER, "a fact");
	if (j->wants != NULL && !j->wants(name))
		return 0;
	show(j, name, is_number ? NULL : text, number);
	return 0;
}

/* --- asking ---------------------------------------------------------------------- */

/* To the nth of the servers. */
static int
connect_to(const struct job *j, size_t nth, int *fd_r, struct fault *f)
{
	char path[IDENTITY_PATH_MAX + 1];

	ctl_path(&j->settings, nth, path, sizeof(path));
	return local_connect(path, fd_r, f);
}

/* DONE: adds to *n_r; -1: it was a no. */
static int
read_done(struct link_in *in, uint32_t *n_r, struct fault *f)
{
	char	text[CTL_TEXT_MAX + 1];
	uint8_t	class = link_get_u8(in);

	*n_r += link_get_u32(in);
	if (!link_get_cstr(in, text, sizeof(text)) || class > FAULT_PEER)
		return fault_set(f, FAULT_PEER, "an answer");
	return class == FAULT_NONE ? 0 : fault_set(f, (enum fault_class)class,
	    "%s", text);
}

/* 0: all was said, *n_r is so many more; -1: a fault, or an answer was a no. */
static int
read_answers(struct job *j, int fd, uint32_t *n_r, struct fault *f)
{
	struct link_in	in;
	bool		done = false;
	int		got;
	int		result = 0;

	while (result == 0 && (j->from_all || !done)) {
		got = link_recv(fd, permit_ctl_answer, permit_ctl_answer_n, 0,
		    j->wait_ms, &in, f);
		if (got == 0 && done)
			break;
		if (got <= 0)
			return got < 0 ? -1 : fault_set(f, FAULT_TEMP,
			    "popper serve has given up answering");
		done = in.type == MSG_CTL_DONE;
		result = done ? read_done(&in, n_r, f) :
		    in.type == MSG_CTL_SESSION ? print_session(j, &in, f) :
		    in.type == MSG_CTL_FACT ? print_fact(j, &in, f) :
		    fault_set(f, FAULT_PEER, "an answer");
		link_in_fini(&in);
	}
	return result;
}

/* What the next server says is an object, or a part, of its own. */
static void
part(struct job *j, uint16_t type)
{
	if (j->json && j->rows > 0) {
		printf("}\n");
		j->rows = 0;
	} else if (!j->json && type == MSG_CTL_STATUS) {
		putchar('\n');
	}
}

static int
ask_one(struct job *j, size_t nth, bool more, uint16_t type, uint32_t *n_r,
    struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct link_out		m;

	link_out_init(&m, type);
	ctl_put_whom(&m, &j->whom);
	if (connect_to(j, nth, &fd, f) != 0 ||
	    link_send(fd, &m, NULL, 0, f) != 0)
		return -1;
	if (more)
		part(j, type);
	return read_answers(j, fd, n_r, f);
}

/* All servers that inetd has started side by side; most often there is one. */
static int
ask(struct job *j, uint16_t type, uint32_t *n_r)
{
	struct fault	first;
	struct fault	f = { 0 };
	int		status = STATUS_OK;
	bool		found = false;

	*n_r = 0;
	for (size_t n = 0; n < CTL_SERVERS_MAX; n++) {
		bool failed = ask_one(j, n, found, type, n_r, &f) != 0;

		if (n == 0)
			first = f;
		if (failed && is_absent(&f))
			continue;
		found = true;
		if (failed)
			status = complain(&f);
	}
	return found ? status : complain(&first);
}

/* --- the commands ------------------------------------------------------------------ */

static int
do_who(struct job *j)
{
	uint32_t n;

	return ask(j, MSG_CTL_WHO, &n);
}

static int
do_status(struct job *j)
{
	uint32_t n;

	return ask(j, MSG_CTL_STATUS, &n);
}

static int
do_penalties(struct job *j)
{
	uint32_t	n;
	int		status;

	if ((j->given & GIVEN(OPT_CLEAR)) == 0)
		return ask(j, MSG_CTL_PENALTIES, &n);
	if (j->whom.kind != CTL_USER && j->whom.kind != CTL_ADDRESS)
		return bad_usage("--clear goes with USER or @ADDRESS");
	status = ask(j, MSG_CTL_CLEAR, &n);
	if (status == STATUS_OK)
		show(j, "cleared", j->words[1], 0);
	return status;
}

static const char unknown[] = "the password";
static const char unknown_pam[] = "the password, and what PAM's modules say";
static const char unknown_rpop[] = "the client's port and its user's name";

static const char *
what_is_unknown(const struct job *j, const struct auth_conf *c)
{
	if (j->method == AUTH_METHOD_RPOP)
		return unknown_rpop;
	return c->source == AUTH_PAM ? unknown_pam : unknown;
}

static void
show_verdict(struct job *j, const struct auth_conf *c,
    const struct auth_verdict *v)
{
	show(j, "rules", v->result == AUTH_OK ? "passed" :
	    v->result == AUTH_REFUSED ? "refused" : "error", 0);
	if (v->result != AUTH_OK)
		show(j, "reason", auth_reason_word(v->reason), 0);
	if (v->detail[0] != '\0')
		show(j, "detail", v->detail, 0);
	if (v->result == AUTH_OK) {
		show(j, "account", v->id.user, 0);
		show(j, "uid", NULL, v->id.uid);
		show(j, "gid", NULL, v->id.gid);
		show(j, "not_known", what_is_unknown(j, c), 0);
	}
}

static void
show_delay(struct job *j, const struct identity *id)
{
	const unsigned	delay_s = pace_of(&j->settings.role, id);
	struct fault	f;
	unsigned	wait_s;

	if (delay_s == 0)
		return;
	if (host_login_wait(&j->settings, id, &wait_s, &f) != 0) {
		show(j, "login_delay", "not seen", 0);
		show(j, "detail", f.text, 0);
		return;
	}
	show(j, "login_delay", wait_s > 0 ? "refused" : "passed", 0);
	show(j, "login_delay_s", NULL, delay_s);
	show(j, "login_delay_left_s", NULL, wait_s);
}

static void
show_maildrop(struct job *j, const struct identity *id)
{
	char		path[IDENTITY_PATH_MAX + 1];
	enum host_which	which;
	struct fault	f;

	if (host_where(&j->settings, id, path, &which, &f) != 0) {
		show(j, "maildrop", "not seen", 0);
		show(j, "detail", f.text, 0);
		return;
	}
	show(j, "maildrop", path, 0);
	if (which == HOST_ELSE)
		show(j, "maildrop_by", "maildrop_else", 0);
}

struct apps {
	struct job			*j;
	const struct auth_verdict	*v;	/* of any that is good by itself */
	uint64_t			 n;
};

/* Which of these is meant is not known. */
static void
show_app(void *ctx, unsigned line UNUSED, const struct app_row *row)
{
	struct apps	*a = ctx;
	const int64_t	 now = (int64_t)time(NULL);
	const char	*why;
	char		 name[CTL_NAME_MAX + 1];
	char		 text[CTL_TEXT_MAX + 1];

	if (row == NULL || !span_eq(row->user, span_str(a->j->whom.user)) ||
	    a->n == APP_MAX)
		return;
	a->n++;
	why = app_hindered(row, &a->j->whom.addr, now);
	if (why == NULL && a->v->result != AUTH_OK)
		why = a->v->detail[0] != '\0' ? a->v->detail :
		    auth_reason_word(a->v->reason);
	(void)snprintf(name, sizeof(name), "app_password_%" PRIu64, a->n);
	(void)snprintf(text, sizeof(text), "%.*s %s%s%s%.*s",
	    (int)row->name.n, (const char *)row->name.p, why == NULL ? "passed" :
	    "refused: ", why == NULL ? "" : why, row->networks.n == 0 ? "" :
	    ", networks=", (int)row->networks.n, (const char *)row->networks.p);
	show(a->j, name, text, 0);
}

/* A password is said: of one that is hashed there is no digest. */
static bool
takes_apps(const struct job *j)
{
	return j->settings.auth.app_passwords != AUTH_APP_NO &&
	    !auth_method_vouched(j->method) && !auth_by_digest(j->method) &&
	    !auth_by_exchange(j->method);
}

static void
show_apps(struct job *j, const struct auth_verdict *v)
{
	struct apps	a = { .j = j, .v = v };
	struct fault	f;

	if (app_each(j->settings.auth.app_password_file, show_app, &a, &f) != 0 &&
	    f.err != ENOENT)
		show(j, "app_passwords", f.text, 0);
	else
		show(j, "app_passwords", NULL, a.n);
}

/* By the code that judges logins: the first database that knows the name decides,
 * and *db_r is that one. */
static int
judge(const struct job *j, bool by_app, struct auth_conf *db_r,
    struct auth_verdict *v, struct fault *f)
{
	static struct auth_request	q;
	size_t				n = auth_databases(&j->settings.auth);

	q = (struct auth_request){
		.method = j->method, .peer = j->whom.addr, .way = j->way,
		.by_app = by_app,
	};
	memcpy(q.user, j->whom.user, sizeof(q.user));
	*db_r = j->settings.auth;
	for (size_t i = 0; i < n; i++) {
		auth_select(db_r, i);
		if (foresee(&j->settings, db_r, &q, v, f) != 0)
			return -1;
		if (!auth_passes_on(db_r, v))
			break;
	}
	return 0;
}

/* With app_passwords access may decide otherwise of one than of the account's own. */
static void
show_rules(struct job *j)
{
	static struct auth_verdict	v;
	static struct auth_verdict	beside;		/* the account's own is taken, too */
	const bool			apps = takes_apps(j);
	const bool			only = apps &&
					    j->settings.auth.app_passwords ==
					    AUTH_APP_ONLY;
	const struct auth_verdict	*of_app = only ? &v : &beside;
	const struct identity		*id;
	struct auth_conf		one;
	struct fault			f;

	if (judge(j, only, &one, &v, &f) != 0 ||
	    (apps && !only && judge(j, true, &one, &beside, &f) != 0)) {
		show(j, "rules", "not seen", 0);
		show(j, "db", one.db, 0);
		show(j, "detail", f.text, 0);
		return;
	}
	show_verdict(j, &one, &v);
	if (v.reason != REASON_UNKNOWN_USER)
		show(j, "db", one.db, 0);
	if (v.result != AUTH_OK && (!apps || of_app->result != AUTH_OK))
		return;
	if (apps)
		show_apps(j, of_app);
	id = v.result == AUTH_OK ? &v.id : &of_app->id;
	show_maildrop(j, id);
	show_delay(j, id);
}

/* Whether the client gets as far as to be judged. */
static void
show_connection(struct job *j)
{
	const char *why = offers_hinder(&j->settings, j->method, &j->whom.addr,
	    &j->way);

	show(j, "connection", why == NULL ? "passed" : "refused", 0);
	if (why != NULL)
		show(j, "connection_detail", why, 0);
}

static bool
is_limit(const char *name)
{
	static const char *const names[] = { "sessions", "max_sessions",
	    "user_sessions", "max_sessions_per_user", "address_connections",
	    "max_sessions_per_address", "network_connections",
	    "max_sessions_per_network" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static int
do_why(struct job *j)
{
	uint32_t	n;
	int		status;

	if (j->whom.kind != CTL_BOTH)
		return bad_usage("why USER@ADDRESS");
	show_connection(j);
	show_rules(j);
	status = ask(j, MSG_CTL_PENALTIES, &n);
	j->wants = is_limit;
	if (status == STATUS_OK)
		status = ask(j, MSG_CTL_STATUS, &n);
	return status;
}

static int
do_kick(struct job *j)
{
	uint32_t	n = 0;
	int		status;

	if (j->whom.kind == CTL_ALL)
		return bad_usage("kick whom?");
	status = ask(j, (j->given & GIVEN(OPT_HARD)) != 0 ? MSG_CTL_KILL :
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
		return bad_usage("flush USER, or nothing behind it");
	j->from_all = true;
	status = ask(j, MSG_CTL_FLUSH, &n);
	if (status == STATUS_OK)
		printf("%" PRIu32 " password%s forgotten\n", n,
		    n == 1 ? "" : "s");
	return status;
}

static int
do_stop(struct job *j)
{
	uint32_t	n = 0;
	int		status = ask(j, MSG_CTL_STOP, &n);

	if (status == STATUS_OK)
		printf("popper serve is ending, with %" PRIu32 " session%s\n",
		    n, n == 1 ? "" : "s");
	return status;
}

static int
do_reload(struct job *j)
{
	uint32_t	n = 0;
	int		status;

	j->wait_ms = RELOAD_WAIT_MS;
	status = ask(j, MSG_CTL_RELOAD, &n);
	if (status == STATUS_OK)
		printf("the configuration is good, and for those who connect"
		    " from now on\n");
	return status;
}

/* What was named, as a trace wants it. */
static struct trace_whom
whom_of(const struct job *j)
{
	struct trace_whom w = { .sid = j->whom.sid, .network = j->network };

	if (w.network.family == 0 && j->whom.addr.family != 0) {
		w.network.family = j->whom.addr.family;
		w.network.bits = w.network.family == 4 ? 32 : 128;
		memcpy(w.network.raw, j->whom.addr.raw, sizeof(w.network.raw));
	}
	memcpy(w.user, j->whom.user, sizeof(w.user));
	return w;
}

/* The listener for its lines, when it is on. */
static int
begin_trace(struct job *j, size_t nth, int *ctl_r, int *listener_r,
    struct fault *f)
{
	const struct trace_whom w = whom_of(j);
	struct link_out		m;
	struct link_in		in;
	uint32_t		n = 0;
	int			got;

	link_out_init(&m, MSG_CTL_TRACE);
	link_put_u32(&m, (uint32_t)j->trace_s);
	trace_put_whom(&m, &w);
	if (connect_to(j, nth, ctl_r, f) != 0 ||
	    link_send(*ctl_r, &m, NULL, 0, f) != 0)
		return -1;
	got = link_recv(*ctl_r, permit_ctl_answer, permit_ctl_answer_n, 0,
	    WAIT_MS, &in, f);
	if (got <= 0)
		return got < 0 ? -1 : fault_set(f, FAULT_TEMP, "no answer came");
	if (in.type == MSG_CTL_DONE && read_done(&in, &n, f) != 0)
		return -1;
	if (in.type != MSG_CTL_TRACER)
		return fault_set(f, FAULT_PEER, "an answer");
	*listener_r = link_get_fd(&in, 0);
	return 0;
}

/* Of one server beside the last, in a process that ends as we do, by itself. */
static int
tail_beside(struct tail_start *t, struct fault *f)
{
	pid_t pid = spawn_fork(f);

	if (pid == 0)
		tail_main(t);
	fd_close(&t->ctl);
	fd_close(&t->listener);
	return pid < 0 ? -1 : 0;
}

static int
do_trace(struct job *j)
{
	struct tail_start	t = { .ctl = -1 };
	struct fault		first;
	struct fault		f = { 0 };

	if (j->whom.kind == CTL_ALL)
		return bad_usage("trace whom?");
	for (size_t n = 0; n < CTL_SERVERS_MAX; n++) {
		struct tail_start one = {
			.conf = &j->settings.role,
			.ctl = -1,
			.listener = -1,
			.ms = 1000 * j->trace_s,
			.octets = j->trace_octets,
			.json = j->json,
		};
		bool failed = begin_trace(j, n, &one.ctl, &one.listener, &f) != 0;

		if (n == 0)
			first = f;
		if (failed)
			fd_close(&one.ctl);
		if (failed && is_absent(&f))
			continue;
		if (failed || (t.ctl >= 0 && tail_beside(&t, &f) != 0))
			return complain(&f);
		t = one;
	}
	if (t.ctl < 0)
		return complain(&first);
	tail_main(&t);
}

static const struct ctl_word {
	const char	*word;
	int		 most;		/* words behind it */
	unsigned	 takes;		/* GIVEN() */
	int		(*run)(struct job *j);
} ctl_words[] = {
	{ "trace",	1, GIVEN(OPT_JSON) | GIVEN(OPT_FOR) | GIVEN(OPT_SIZE),
	    do_trace },
	{ "who",	1, GIVEN(OPT_JSON), do_who },
	{ "status",	0, GIVEN(OPT_JSON), do_status },
	{ "kick",	1, GIVEN(OPT_HARD), do_kick },
	{ "penalties",	1, GIVEN(OPT_JSON) | GIVEN(OPT_CLEAR), do_penalties },
	{ "why",	1, GIVEN(OPT_JSON) | GIVEN(OPT_LISTENER) |
	    GIVEN(OPT_METHOD) | GIVEN(OPT_TLS), do_why },
	{ "flush",	1, 0, do_flush },
	{ "stop",	0, 0, do_stop },
	{ "reload",	0, 0, do_reload },
};

/* --- arguments -------------------------------------------------------------------- */

static bool
is_sid(const char *text, uint64_t *sid_r)
{
	uint64_t	sid = 0;
	size_t		n = 0;

	for (; text[n] != '\0'; n++) {
		uint8_t	c = ascii_lower((uint8_t)text[n]);

		if (!ascii_isdigit(c) && (c < 'a' || c > 'f'))
			return false;
		sid = sid << 4 | (uint64_t)(ascii_isdigit(c) ? c - '0' :
		    c - 'a' + 10);
	}
	*sid_r = sid;
	return n == 12;
}

/* USER@ADDRESS; there are names with an @ in them. */
static bool
is_both(struct span text, struct ctl_whom *w)
{
	char	address[SOCK_ADDR_MAX];
	size_t	at = text.n;

	while (at > 0 && text.p[at - 1] != '@')
		at--;
	if (at < 2 || !span_cstr(span_skip(text, at), address,
	    sizeof(address)) || !sock_addr_parse(address, &w->addr))
		return false;
	w->kind = CTL_BOTH;
	return span_cstr(span_first(text, at - 1), w->user, sizeof(w->user));
}

/*
 * SID, USER, @ADDRESS or USER@ADDRESS.  Whose name looks like a sid is named with
 * an @ behind.
 */
static int
parse_whom(const char *text, struct ctl_whom *w)
{
	struct span name = span_str(text);

	if (text[0] == '@') {
		w->kind = CTL_ADDRESS;
		return sock_addr_parse(text + 1, &w->addr) ? STATUS_OK :
		    bad_usage("behind the @ stands an address");
	}
	if (is_sid(text, &w->sid)) {
		w->kind = CTL_SID;
		return STATUS_OK;
	}
	if (is_both(name, w))
		return STATUS_OK;
	w->kind = CTL_USER;
	if (name.n > 1 && name.p[name.n - 1] == '@')
		name.n--;
	return span_cstr(name, w->user, sizeof(w->user)) ? STATUS_OK :
	    bad_usage("a name too long");
}

static bool
is_network(const char *text)
{
	return text[0] == '@' && strchr(text, '/') != NULL;
}

static int
parse_network(struct job *j)
{
	char expected[128];

	j->whom.kind = CTL_ADDRESS;
	return network_read(span_str(j->words[1] + 1), &j->network, expected,
	    sizeof(expected)) ? STATUS_OK : bad_usage("behind the @ stands an"
	    " address or a network");
}

/* Of a wildcard one is as good as the other. */
static bool
parse_listener(const char *text, struct sock_addr *out)
{
	struct sock_addr	at[2];
	size_t			n = sock_listen_parse(text, at);

	if (n > 0)
		*out = at[n - 1];
	return n > 0;
}

static bool
parse_method(const char *text, enum auth_method *out)
{
	for (unsigned m = 0; m < AUTH_METHODS; m++) {
		*out = (enum auth_method)m;
		if (strcmp(text, auth_method_word(*out)) == 0)
			return true;
	}
	return false;
}

/* 1 to most. */
static bool
parse_number(const char *text, uint64_t most, uint64_t *out)
{
	return num_parse(span_str(text), most, out) && *out > 0;
}

/* One that not every command takes: NULL, or what would be one. */
static const char *
parse_option(int c, const char *value, struct job *j)
{
	j->given |= GIVEN(c);
	switch (c) {
	case OPT_FOR:
		return parse_number(value, CTL_TRACE_MOST_S, &j->trace_s) ? NULL :
		    "--for 1 to 3600 seconds";
	case OPT_SIZE:
		return parse_number(value, TRACE_MOST, &j->trace_octets) ? NULL :
		    "--size of 1 octet to a GiB";
	case OPT_LISTENER:
		return parse_listener(value, &j->way.local) ? NULL :
		    "--listener 192.0.2.1:995";
	case OPT_METHOD:
		return parse_method(value, &j->method) ? NULL :
		    "--method pass, plain, ...";
	default:
		return NULL;
	}
}

static int
parse(int argc, char **argv, struct job *j)
{
	const char	*why;
	int		 c;

	/* 0, not 1: getopt starts anew, whoever used it before. */
	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case OPT_CONFIG:	j->config = optarg; break;
		case OPT_HELP:		j->help = true; return STATUS_OK;
		case '?':		return bad_usage(NULL);
		default:
			why = parse_option(c, optarg, j);
			if (why != NULL)
				return bad_usage(why);
		}
	}
	j->json = (j->given & GIVEN(OPT_JSON)) != 0;
	j->way.tls = (j->given & GIVEN(OPT_TLS)) != 0;
	j->words = argv + optind;
	j->nwords = argc - optind;
	return STATUS_OK;
}

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

	for (size_t i = 0; options[i].name != NULL; i++)
		if (options[i].val >= OPT_JSON && options[i].val <= OPT_TLS &&
		    (given & ~w->takes & GIVEN(options[i].val)) != 0)
			(void)snprintf(why, sizeof(why), "%s takes no --%s",
			    w->word, options[i].name);
	return bad_usage(why);
}

/* What goes with what. */
static int
check(struct job *j, const struct ctl_word **w_r)
{
	const struct ctl_word *w;

	*w_r = w = j->nwords > 0 ? find_word(j->words[0]) : NULL;
	if (w == NULL)
		return bad_usage("who, status, kick, penalties, why, flush, trace,"
		    " stop or reload?");
	if ((j->given & ~w->takes) != 0)
		return refuse_option(w, j->given);
	if (j->nwords - 1 > w->most)
		return bad_usage("too many words");
	if (j->nwords == 1)
		return STATUS_OK;
	return w->run == do_trace && is_network(j->words[1]) ? parse_network(j) :
	    parse_whom(j->words[1], &j->whom);
}

/* Mistakes in the file are popper check's to tell: this needs a path of it. */
static int
load(struct job *j)
{
	char		 name[] = "ctl";
	char		 option[] = "--config";
	char		*argv[] = { name, option, j->config, NULL };
	char		 said[sizeof(j->whom.user)];
	struct fault	 f;

	if (settings_load(j->config == NULL ? 1 : 3, argv, "",
	    &j->settings) == SETTINGS_USAGE)
		return bad_usage("--config");
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

	j.wait_ms = WAIT_MS;
	j.trace_s = TRACE_S;
	j.trace_octets = TRACE_OCTETS;
	status = parse(argc, argv, &j);
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

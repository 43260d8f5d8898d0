/* SPDX-License-Identifier: ISC */
/*
 * Runs as: whoever started it, never root.  Reads from: the client, the
 * password file, the mail of that one user.  For tests, for debugging, for
 * hosts where all maildrops belong to one user anyway: a mistake in the parser is
 * not contained here.  The parts are those of the other assembly; questions are
 * direct calls.
 */
#include "role/single.h"

#include "auth/auth.h"
#include "pop/authorize.h"
#include "role/ask.h"
#include "role/attempt.h"
#include "role/listen.h"
#include "role/pump.h"
#include "role/secure.h"
#include "role/session.h"
#include "role/tokens.h"
#include "role/worker.h"

#include "sys/secmem.h"
#include "watch/log.h"

struct single {
	const struct settings	*conf;
	const struct sock_addr	*peer;
	const struct sock_addr	*local;
	struct authorize	 auth;
	struct pump		 pump;
	struct identity		 id;
	struct secure_house	 house;
	struct secure		 secure;
	bool			 starts_tls;	/* STLS was answered */
	uint8_t			 room[LIMIT_INPUT];	/* the pump's */
};

/* One database after the other, until one knows the name.  -1: it could not be
 * asked, and the log has the reason. */
static int
ask_all(const struct settings *conf, struct auth_request *q,
    struct auth_verdict *v)
{
	struct auth_conf one = conf->auth;

	for (size_t i = 0; i < auth_databases(&conf->auth); i++) {
		const struct auth_ops	*ops;
		struct fault		 f;
		void			*state;

		auth_select(&one, i);
		ops = auth_ops_of(&one);
		if (auth_open(&one, &state, &f) != 0) {
			log_fault(LEVEL_ERR, "auth-error", &f);
			attempt_log_unjudged(q->user, &q->peer,
			    "see auth-error");
			return -1;
		}
		auth_check(&one, state, q, v);
		ops->done(state);
		if (!auth_passes_on(&one, v))
			break;
	}
	return 0;
}

/* -1: it could not be asked about. */
static int
ask_token(const struct settings *conf, struct auth_request *q, struct span token,
    struct auth_verdict *v)
{
	struct tokens	t;
	struct fault	f;

	if (tokens_open(conf, &t, &f) != 0) {
		log_fault(LEVEL_ERR, "auth-error", &f);
		attempt_log_unjudged(q->user, &q->peer, "see auth-error");
		return -1;
	}
	(void)tokens_judge(&t, q, token, v);	/* it is opened anew each time */
	tokens_close(&t);
	return v->result != AUTH_OK ? 0 : ask_all(conf, q, v);
}

/* The same check as a worker's; the delay is slept, nobody else is served. */
static enum authorize_answer
check(struct single *s)
{
	static struct auth_request	 q;
	static struct auth_verdict	 v;
	uint64_t			 began = clock_ms();
	uint64_t			 due;
	int				 asked;

	secmem_lock(&q, sizeof(q));
	q.peer = *s->peer;
	q.way.local = *s->local;
	q.way.tls = s->secure.stream != NULL;
	q.method = (enum auth_method)s->auth.ask.method;
	q.master[0] = '\0';
	if (!span_cstr(span_of(s->auth.name, s->auth.name_n), q.user,
	    sizeof(q.user)))
		q.user[0] = '\0';
	q.token_good = false;
	ASSERT(secret_set(&q.secret, secret_span(&s->auth.ask.secret)));
	asked = auth_by_token(q.method) ? ask_token(s->conf, &q,
	    authorize_secret(&s->auth), &v) : ask_all(s->conf, &q, &v);
	secret_wipe(&q.secret);
	if (asked != 0)
		return ANSWER_ERROR;
	s->id = v.id;
	if (v.result == AUTH_OK) {
		worker_log_proof(&q, &v);
		return ANSWER_YES;
	}
	worker_log_failure(&q, &v);
	due = ask_refusal_ms(&s->conf->role, began);
	if (due > clock_ms())
		clock_sleep((unsigned)(due - clock_ms()));
	return v.result == AUTH_ERROR ? ANSWER_ERROR : ANSWER_NO;
}

static enum pump_next
next_of(enum authorize_next n)
{
	return n == AUTHORIZE_CLOSE ? PUMP_CLOSE :
	    n == AUTHORIZE_TLS ? PUMP_LEAVE : PUMP_LINE;
}

static void
expect(struct single *s)
{
	pump_expect(&s->pump, authorize_width(&s->auth),
	    authorize_is_secret(&s->auth));
}

static enum pump_next
on_line(void *ctx, struct span line, struct buf *out)
{
	struct single		*s = ctx;
	enum authorize_next	 n;
	enum authorize_answer	 a;

	n = authorize_line(&s->auth, line, out);
	expect(s);
	s->starts_tls = n == AUTHORIZE_TLS;
	if (n != AUTHORIZE_ASK)
		return next_of(n);
	a = check(s);
	if (a == ANSWER_YES)
		return PUMP_LEAVE;
	n = authorize_answer(&s->auth, a, out);
	expect(s);
	return next_of(n);
}

static enum pump_next
on_too_long(void *ctx, struct buf *out)
{
	struct single	*s = ctx;
	enum authorize_next n = authorize_too_long(&s->auth, out);

	expect(s);
	return next_of(n);
}

static const struct pump_ops single_ops = {
	.line = on_line,
	.too_long = on_too_long,
};

/* The identity is the account's; the process stays what it is. */
static void
run_session(struct single *s, const char *hostname, const char *sid, int in,
    int out)
{
	struct host		host;
	struct fault		f;
	struct session_start	start = {
		.conf = s->conf,
		.id = &s->id,
		.facts = &host,
		.direct = &host,
		.hostname = hostname,
		.peer = s->peer,
		.in = in,
		.out = out,
		.link = -1,
		.log_link = -1,
		.far = -1,
		.wire = s->pump.wire,
		.wire_ctx = s->pump.wire_ctx,
		.rest_fd = -1,
		.rest = pump_rest(&s->pump),
		.words = s->auth.words,
	};
	bool			opened;

	identity_own(&s->id);
	opened = host_open(&host, s->conf, &s->id, &f) == 0;
	if (!opened || host_login(&host, sid, s->peer->text, &f) != 0)
		start.refused = &f;
	session_run(&start);
	if (opened)
		host_close(&host);
}

static int
open_tls(struct single *s, struct fault *f)
{
	static struct certificates	files;
	int				result;

	result = secure_house_open(&s->house, s->conf, &files, f);
	if (result == 0 && files.n > 0)
		result = secure_house_use(&s->house, &files, f);
	certificates_close(&files);
	return result;
}

static int
start_tls(struct single *s, const struct listen_rules *rules)
{
	if (secure_begin(&s->secure, &s->house, rules->policy, SPAN(""),
	    &s->pump, s->peer) != 0)
		return -1;
	s->starts_tls = false;
	authorize_secured(&s->auth);
	secure_know(&s->secure, &s->house, s->peer, &s->auth);
	return 0;
}

/* The AUTHORIZATION state, before and behind STLS. */
static enum pump_end
talk(struct single *s, const struct listen_rules *rules)
{
	enum pump_end	end;
	bool		greeted = false;

	s->starts_tls = rules->tls;
	for (;;) {
		if (s->starts_tls && start_tls(s, rules) != 0)
			return PUMP_END_ABORTED;
		if (!greeted)
			authorize_greet(&s->auth, &s->pump.out);
		greeted = true;
		end = pump_run(&s->pump, PUMP_LINE);
		if (end != PUMP_END_LEFT || !s->starts_tls)
			return end;
	}
}

int
single_run(const struct settings *conf, const char *hostname,
    const char *sid, const struct sock_addr *peer,
    const struct sock_addr *local,
    const struct listen_rules *rules, int in, int out)
{
	static struct single	s;
	struct fault		f;
	enum pump_end		end;

	secmem_lock(&s, sizeof(s));
	s.conf = conf;
	s.peer = peer;
	s.local = local;
	if (open_tls(&s, &f) != 0) {
		log_fault(LEVEL_ERR, "tls-certificate", &f);
		return 1;
	}
	authorize_init(&s.auth, hostname,
	    conf->role.hide_version ? NULL : POPPER_VERSION,
	    conf->role.auth_tries, conf->role.max_bad_commands,
	    conf->role.max_commands_before_login,
	    conf->auth.rpop_file[0] != '\0');
	s.auth.login_delay_s = conf->role.login_delay_s;
	s.auth.expire = drop_expire_told(&conf->drop);
	s.auth.preferred = (uint8_t)conf->role.language;
	s.auth.master = auth_master_mark(&conf->auth);
	s.auth.needs_tls = listen_needs_tls(&conf->role, peer);
	s.auth.stls = s.house.tls != NULL && !rules->tls;
	s.auth.tokens = token_wanted(&conf->token);
	pump_init(&s.pump);
	s.pump.in = in;
	s.pump.out_fd = out;
	s.pump.room = s.room;
	s.pump.idle_s = conf->role.timeout_s;
	s.pump.deadline_ms = clock_ms() + 1000ull * conf->role.login_timeout_s;
	s.pump.drain_s = conf->role.drain_timeout_s;
	s.pump.ops = &single_ops;
	s.pump.ctx = &s;
	expect(&s);
	end = talk(&s, rules);
	if (end == PUMP_END_LEFT && s.secure.stream != NULL)
		secure_log_old(&s.secure, span_of(s.auth.name, s.auth.name_n), peer);
	if (end == PUMP_END_LEFT)
		run_session(&s, hostname, sid, in, out);
	else
		pump_drain(&s.pump);
	authorize_fini(&s.auth);
	pump_fini(&s.pump);
	secure_close(&s.secure);
	return 0;
}

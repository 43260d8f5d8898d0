/* SPDX-License-Identifier: ISC */
/*
 * Runs as: whoever started it, never root.  Reads from: the client, the
 * password file, the mail of that one user.  For tests, for debugging, for
 * hosts where all maildrops belong to one user anyway: a mistake in the parser is
 * not contained here.  The parts are those of the other assembly; questions are
 * direct calls.
 */
#include "role/single.h"

#include "auth/exchange.h"
#include "auth/prep.h"
#include "pop/authorize.h"
#include "role/attempt.h"
#include "role/kerberos.h"
#include "role/listen.h"
#include "role/offers.h"
#include "role/pump.h"
#include "role/secure.h"
#include "role/session.h"
#include "role/tokens.h"
#include "role/worker.h"

#include "sys/file.h"
#include "sys/secmem.h"
#include "sys/sock.h"
#include "watch/log.h"

struct single {
	const struct single_start *c;
	struct authorize	 auth;
	struct pump		 pump;
	struct identity		 id;
	struct secure_house	 house;
	struct secure		 secure;
	bool			 starts_tls;	/* STLS was answered */
	struct auth_conf	 one;		/* the database that is asked now */
	void			*state;		/* owns; what it has prepared */
	struct auth_exchange	 x;
	struct kerberos		 kerberos;	/* open while x is by it */
	uint64_t		 asked_ms;
	uint8_t			 room[LIMIT_INPUT];	/* the pump's */
};

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
	return 0;
}

static enum pump_next
next_of(enum authorize_next n)
{
	return n == AUTHORIZE_CLOSE ? PUMP_CLOSE :
	    n == AUTHORIZE_TLS ? PUMP_LEAVE : PUMP_LINE;
}

static void
end_question(struct single *s)
{
	auth_exchange_end(&s->x);
	if (s->state != NULL)
		auth_ops_of(&s->one)->done(s->state);
	s->state = NULL;
	kerberos_close(&s->kerberos);
}

/* To the nth database. */
static int
begin_question(struct single *s, const struct auth_request *q, size_t nth,
    struct fault *f)
{
	end_question(s);
	s->one = s->c->conf->auth;
	auth_select(&s->one, nth);
	if (auth_open(&s->one, &s->state, f) != 0)
		return -1;
	auth_exchange_prepare(&s->one, s->state, q->method);
	return !auth_by_own_exchange(q->method) ? 0 :
	    auth_exchange_begin(&s->x, &s->one, s->state, q, f);
}

/* What the client's next words are to be, or its verdict; the delay is slept, nobody
 * else is served. */
static enum pump_next
told(struct single *s, const struct auth_request *q,
    const struct auth_verdict *v, struct buf *out)
{
	uint64_t due;

	s->id = v->id;
	if (v->result == AUTH_OK) {
		worker_log_proof(q, v);
		return PUMP_LEAVE;
	}
	worker_log_failure(q, v);
	due = attempt_refusal_ms(&s->c->conf->role, s->asked_ms);
	if (due > clock_ms())
		clock_sleep((unsigned)(due - clock_ms()));
	return next_of(authorize_answer(&s->auth, v->result == AUTH_ERROR ?
	    ANSWER_ERROR : ANSWER_NO, out));
}

static enum pump_next
ask_back(struct single *s, struct buf *challenge, struct buf *out)
{
	authorize_challenge(&s->auth, span_str(s->x.q.user), buf_span(challenge),
	    out);
	buf_fini(challenge);
	return PUMP_LINE;
}

static enum pump_next
cannot_ask(struct single *s, struct auth_request *q, const struct fault *f,
    struct buf *out)
{
	end_question(s);
	secret_wipe(&q->secret);
	log_fault(LEVEL_ERR, "auth-error", f);
	attempt_log_unjudged(q->user, &q->peer, "see auth-error");
	return next_of(authorize_answer(&s->auth, ANSWER_ERROR, out));
}

/* One database after the other, until one knows the name. */
static enum pump_next
ask_databases(struct single *s, struct auth_request *q, struct span message,
    bool broken, struct buf *out)
{
	static struct auth_verdict	v;
	size_t				nth = 0;
	struct buf			challenge;
	struct fault			f;

	do {
		if (begin_question(s, q, nth, &f) != 0)
			return cannot_ask(s, q, &f, out);
		if (!auth_by_own_exchange(q->method))
			auth_check(&s->one, s->state, q, &v);
		else if (auth_exchange_step(&s->x, message, broken, &challenge,
		    &v) == AUTH_STEP_MORE)
			return ask_back(s, &challenge, out);
		else
			memcpy(q->user, s->x.q.user, sizeof(q->user));
	} while (auth_passes_on(&s->one, &v) &&
	    ++nth < auth_databases(&s->c->conf->auth));
	end_question(s);
	secret_wipe(&q->secret);
	return told(s, q, &v, out);
}

/* One more message of an exchange. */
static enum pump_next
go_on(struct single *s, struct span message, bool broken, struct buf *out)
{
	static struct auth_verdict	v;
	static struct auth_request	q;
	struct buf			challenge;
	enum pump_next			next;

	s->asked_ms = clock_ms();
	if (auth_exchange_step(&s->x, message, broken, &challenge, &v) ==
	    AUTH_STEP_MORE)
		return ask_back(s, &challenge, out);
	if (s->kerberos.k != NULL && v.result == AUTH_OK) {
		q = s->x.q;
		return ask_databases(s, &q, SPAN(""), false, out);
	}
	next = told(s, &s->x.q, &v, out);
	end_question(s);
	return next;
}

/* Of GSSAPI. */
static enum pump_next
begin_kerberos(struct single *s, struct auth_request *q, const struct wire_asked *a,
    struct buf *out)
{
	struct fault f;

	end_question(s);
	if (kerberos_open(s->c->conf, &s->kerberos, &f) != 0 ||
	    kerberos_begin(&s->kerberos, &s->x, q, &f) != 0)
		return cannot_ask(s, q, &f, out);
	return go_on(s, a->secret, a->broken, out);
}

/* The same check as a worker's. */
static enum pump_next
check(struct single *s, struct buf *out)
{
	static struct auth_request	 q;
	static struct auth_verdict	 v;
	uint8_t				 binding[AUTH_BINDING_MAX];
	const struct auth_way		 way = {
		.local = *s->c->local, .tls = s->secure.stream != NULL,
	};
	const struct wire_asked		 a = asked_of(&s->auth, &s->secure, &way,
					    binding);

	s->asked_ms = clock_ms();
	secmem_lock(&q, sizeof(q));
	q = (struct auth_request){ .peer = *s->c->peer };
	asked_take(&a, &q);
	if (q.method == AUTH_METHOD_GSSAPI)
		return begin_kerberos(s, &q, &a, out);
	if (auth_by_token(q.method)) {
		if (ask_token(s->c->conf, &q, a.secret, &v) != 0)
			return next_of(authorize_answer(&s->auth, ANSWER_ERROR,
			    out));
		if (v.result != AUTH_OK)
			return told(s, &q, &v, out);
	}
	return ask_databases(s, &q, a.secret, a.broken, out);
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
	enum authorize_next	 n = authorize_line(&s->auth, line, out);
	enum pump_next		 next = next_of(n);

	s->starts_tls = n == AUTHORIZE_TLS;
	if (!authorize_exchanges(&s->auth))
		end_question(s);	/* it was given up */
	if (n == AUTHORIZE_ASK)
		next = check(s, out);
	else if (n == AUTHORIZE_RESPOND)
		next = go_on(s, buf_span(&s->auth.ask.message),
		    s->auth.ask.broken, out);
	expect(s);
	return next;
}

static enum pump_next
on_too_long(void *ctx, struct buf *out)
{
	struct single	*s = ctx;
	enum authorize_next n = authorize_too_long(&s->auth, out);

	end_question(s);
	expect(s);
	return next_of(n);
}

static const struct pump_ops single_ops = {
	.line = on_line,
	.too_long = on_too_long,
};

/* The identity is the account's; the process stays what it is. */
static void
run_session(struct single *s)
{
	struct host		host;
	struct fault		f;
	struct session_start	start = {
		.conf = s->c->conf,
		.id = &s->id,
		.facts = &host,
		.direct = &host,
		.hostname = s->c->hostname,
		.peer = s->c->peer,
		.in = s->c->in,
		.out = s->c->out,
		.link = -1,
		.log_link = -1,
		.far = -1,
		.wire = s->pump.wire,
		.wire_ctx = s->pump.wire_ctx,
		.rest_fd = -1,
		.rest = pump_rest(&s->pump),
		.words = authorize_words(&s->auth),
		.clock_kept = clock_is_kept(),
		.boot = file_boot(),
	};
	bool			opened;

	identity_own(&s->id);
	opened = host_open(&host, s->c->conf, &s->id, &f) == 0;
	if (!opened || host_login(&host, s->c->sid, s->c->peer->text, &f) != 0)
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

	result = secure_house_open(&s->house, s->c->conf, &files, f);
	if (result == 0 && files.n > 0)
		result = secure_house_use(&s->house, &files, f);
	certificates_close(&files);
	return result;
}

/* What is read before the client is; a failure is told. */
static int
open_house(struct single *s)
{
	struct fault f;

	if (open_tls(s, &f) != 0) {
		log_fault(LEVEL_ERR, "tls-certificate", &f);
		return -1;
	}
	if (prep_open(&s->c->conf->auth, &f) != 0) {
		log_fault(LEVEL_ERR, "auth-error", &f);
		return -1;
	}
	return 0;
}

static void
begin_authorize(struct single *s)
{
	offers_begin(&s->auth, s->c->hostname, s->c->conf);
	s->auth.master = auth_master_mark(&s->c->conf->auth);
	s->auth.needs_tls = listen_needs_tls(&s->c->conf->role, s->c->peer);
	s->auth.stls = s->house.tls != NULL && !s->c->rules->tls;
	s->auth.tokens = token_wanted(&s->c->conf->token);
	s->auth.offers = offers_of(s->c->conf, &s->secure);
}

static void
begin_pump(struct single *s)
{
	const struct role_settings *r = &s->c->conf->role;

	pump_init(&s->pump);
	s->pump.in = s->c->in;
	s->pump.out_fd = s->c->out;
	s->pump.room = s->room;
	s->pump.idle_s = r->timeout_s;
	s->pump.deadline_ms = clock_ms() + 1000ull * r->login_timeout_s;
	s->pump.drain_s = r->drain_timeout_s;
	s->pump.ops = &single_ops;
	s->pump.ctx = s;
	expect(s);
}

static int
start_tls(struct single *s)
{
	if (secure_begin(&s->secure, &s->house, s->c->rules->policy, SPAN(""),
	    &s->pump, s->c->peer) != 0)
		return -1;
	s->starts_tls = false;
	authorize_secured(&s->auth);
	secure_know(&s->secure, &s->house, s->c->peer, &s->auth);
	s->auth.offers = offers_of(s->c->conf, &s->secure);
	return 0;
}

/* The AUTHORIZATION state, before and behind STLS. */
static enum pump_end
talk(struct single *s)
{
	enum pump_end	end;
	bool		greeted = false;

	s->starts_tls = s->c->rules->tls;
	for (;;) {
		if (s->starts_tls && start_tls(s) != 0)
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
single_run(const struct single_start *c)
{
	static struct single	s;
	enum pump_end		end;

	secmem_lock(&s, sizeof(s));
	s.c = c;
	if (open_house(&s) != 0)
		return 1;
	begin_authorize(&s);
	begin_pump(&s);
	end = talk(&s);
	end_question(&s);
	if (end == PUMP_END_LEFT && s.secure.stream != NULL)
		secure_log_old(&s.secure, span_of(s.auth.name, s.auth.name_n),
		    c->peer);
	if (end == PUMP_END_LEFT)
		run_session(&s);
	else
		pump_drain(&s.pump);
	authorize_fini(&s.auth);
	pump_fini(&s.pump);
	secure_close(&s.secure);
	return 0;
}

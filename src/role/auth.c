/* SPDX-License-Identifier: ISC */
/*
 * Runs as: auth_user, in an empty root folder, with seccomp, no processes, no
 * files, no network.  Reads from: the fronts (what strangers say, bounded; a
 * front may have been taken over), its workers, the master.  Trusts: the workers.
 * Gives up, in order: descriptors, root folder, limits, groups, gid, uid, system
 * calls.
 *
 * A question waits in its front's row, then it is with a worker, then its answer
 * waits for its time:
 *
 *   CHECK --> row of its front --> worker --GRANT--> ADMIT (to the master)
 *               | too late           | DENY, or none in time
 *               +--------------------+--> due at a fixed time --> VERDICT
 *
 * With PAM each question gets a worker of its own, with a password file workers
 * stay (worker.c); auth_workers of them at a time.  The time for all of it,
 * auth_timeout, begins with CHECK.
 *
 * With several databases each has workers, and a row in each front, of its own: one
 * that hangs keeps nobody waiting whom another one knows.  A question whose worker
 * does not know the name goes into the row of the next database.
 *
 * What says a bearer token goes to a worker for tokens first, which knows no user: it
 * says whose the token is (PROVEN), and then the databases are asked who that is, as of
 * anybody who knew his password.
 *
 * GSSAPI is judged in the same way by a worker for Kerberos, in an exchange.
 *
 * In an exchange of messages (exchange.h in auth/) the worker asks back.  Then the
 * question is held until the client's response comes, and goes to that same worker,
 * which answers others meanwhile:
 *
 *   worker --CHALLENGE--> held --RESPONSE--> row of its worker --> worker
 *                           | ABORT, or none in time: forgotten
 *
 * A name is known when a worker has read it: who guesses is judged again by it, as if
 * he had just come.
 *
 * What was right is vouched for the next time (verdict.h), so that the worker
 * need not hash it; whether the user may log in is the worker's to say, always.
 *
 * Everything is bounded, and each front has its share of it: a front that was
 * taken over, or an attack through one, leaves the others theirs.  Who asks
 * beyond that is answered ERROR at once.  A password is wiped when the worker
 * has it.  Who guesses waits longer, or is not judged at all (penalty.h).
 */
#include "role/auth.h"

#include "pop/authorize.h"
#include "role/ask.h"
#include "role/attempt.h"
#include "role/ctl.h"
#include "role/due.h"
#include "role/kerberos.h"
#include "role/limit.h"
#include "role/penalty.h"
#include "role/permit.h"
#include "role/tokens.h"
#include "role/verdict.h"
#include "role/wire.h"
#include "role/worker.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/secret.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/identity.h"
#include "sys/loop.h"
#include "sys/outbox.h"
#include "sys/secmem.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"
#include "watch/metrics.h"

#include <errno.h>
#include <stdlib.h>

#define FRONTS_MAX	64
#define QUESTIONS_MAX	4096	/* that wait, or are with a worker */
#define ANSWERS_MAX	65536	/* and those whose answer is not due */
#define BATCH		32	/* messages of one front in a row */
#define HELD_MS		5000	/* beyond what a front gives its client for a response */
#define COUNT_MS	1000	/* after a change, penalties are counted for metrics */
#define FADE_MS		10000	/* and so often while there are scores, which fade */

struct question {
	struct question		*next;
	uint64_t		 sid;
	uint64_t		 asked_ms;
	uint32_t		 front;		/* index */
	uint32_t		 epoch;		/* of that front */
	struct sock_addr	 peer;		/* the client */
	struct sock_addr	 socket;	/* who is at its other end */
	struct auth_way		 way;
	uint8_t			 db;		/* which one is asked */
	uint8_t			 method;
	size_t			 user_n;
	uint8_t			 user[IDENTITY_USER_MAX];
	struct secret		 secret;
	struct buf		 token;		/* owns; in its place */
	bool			 proven;	/* that was good: user is whose it is */
	struct penalty_case	 who;
	/* Of an exchange: */
	struct buf		 message;	/* owns; what is to be judged now */
	bool			 broken;
	size_t			 binding_n;
	uint8_t			 binding[AUTH_BINDING_MAX];
	struct worker		*with;		/* who has begun it; NULL: it has
						   ended */
	struct map_node		 in;		/* by sid, to its end */
	bool			 held;
	struct question		*before;	/* in the row of those that are */
	uint64_t		 until_ms;	/* and no longer */
	uint8_t			 key[VERDICT_KEY];
	uint64_t		 vouched;	/* a print, or 0 */
	uint32_t		 flushes;	/* when it was given to a worker */
};

#define ROWS	(KERBEROS_DB + 1)	/* the last two are no databases */

struct row {
	struct question		*first;		/* owns: those that wait */
	struct question		**last;
};

struct front {
	struct auth		*a;
	uint32_t		 index;
	uint32_t		 epoch;		/* raised when it goes: what is left
						   of it is nobody's */
	int			 link;		/* owns; -1: gone */
	struct loop_watch	 watch;
	struct outbox		 out;		/* verdicts */
	struct row		 rows[ROWS];	/* for each database, and tokens */
	size_t			 questions;	/* of its share */
	size_t			 answers;	/* that are not due */
	size_t			 held;
};

struct worker {
	struct auth		*a;
	uint8_t			 db;
	int			 link;		/* owns; -1: none */
	struct loop_watch	 watch;
	struct question		*q;		/* owns; NULL: idle */
	struct question		*first;		/* owns: responses that wait */
	struct question		**last;
	size_t			 held;		/* and exchanges of its that do */
	bool			 retired;	/* the last question it gets */
};

struct database {
	bool			 one_each;	/* a worker answers one question */
	bool			 vouched;	/* what was right is remembered */
};

struct auth {
	const struct settings	*conf;
	struct database		 dbs[ROWS];	/* from TOKENS_DB on zero */
	uint8_t			 ndbs;
	struct loop		*loop;
	int			 master;
	struct loop_watch	 master_watch;
	int			 warden;
	struct loop_watch	 warden_watch;
	int			 log_link;
	struct front		 fronts[FRONTS_MAX];
	size_t			 nfronts;
	size_t			 turn;		/* the front that is next */
	bool			 leaving;	/* ends with the last front */
	struct worker		*workers;
	size_t			 nworkers;
	struct question		*pool;
	size_t			 used;		/* of the pool, ever */
	struct question		*unused;
	struct due_heap		 due;
	struct map		 exchanges;	/* that have begun */
	struct question		*held;		/* owns; the oldest first */
	struct question		*held_last;
	struct loop_watch	 timer;
	struct penalty		*penalty;
	struct loop_watch	 gauges;	/* when they are counted again */
	bool			 changed;	/* which is soon */
	struct verdict_cache	*cache;		/* NULL: there is none */
	uint32_t		 flushes;	/* of it */
	struct quiet		 full;
	struct quiet		 late;
	struct quiet		 delayed;
	struct quiet		 unjudged;
	struct link_in		 in;		/* both may hold a password */
	struct link_out		 out;
};

static void	serve_rows(struct auth *a);

/* An address for many. */
static void
log_penalty(struct quiet *quiet, bool judged, const struct question *q)
{
	struct log_line	l;
	uint64_t	n;

	if (!quiet_speak(quiet, &n))
		return;
	log_begin(&l, LEVEL_WARN, judged ? "login-delayed" :
	    "login-unjudged");
	log_str(&l, "ip", q->peer.text);
	log_num(&l, "times", n);
	log_end(&l);
}

static void
on_gauges(void *ctx, unsigned what UNUSED)
{
	struct auth		*a = ctx;
	struct penalty_sum	 s = { 0 };

	/* Who leaves has a successor, with the same table. */
	if (!a->leaving)
		penalty_count(a->penalty, clock_ms(), &s);
	for (unsigned i = 0; i < PENALTY_LEVELS; i++)
		metric_set(METRIC_PENALTY_ADDRESS + i, s.delayed[i]);
	a->changed = false;
	if (s.scores > 0)
		loop_watch_set(&a->gauges, 0, FADE_MS);
	else
		loop_watch_fini(&a->gauges);
}

/* A look at all scores: not at each change. */
static void
penalties_changed(struct auth *a)
{
	if (!a->changed)
		loop_watch_set(&a->gauges, 0, COUNT_MS);
	a->changed = true;
}

/* How a question ended; those that were judged, and after how long. */
static void
count(const struct question *q, enum metric pass, bool judged)
{
	metric_add(pass + (enum metric)q->method, 1);
	if (judged)
		metric_observe(METRIC_LOGIN_MS, clock_ms() - q->asked_ms);
}

/* The line of an attempt that no worker has judged, or in vain. */
static void
log_lost(const struct question *q, const char *why)
{
	char user[IDENTITY_USER_MAX + 1];

	wire_log_sid(q->sid);
	attempt_log_unjudged(span_cstr(span_of(q->user, q->user_n), user,
	    sizeof(user)) ? user : NULL, &q->peer, why);
	log_set_sid("");
}

/* ------------------------------------------------------------- questions */

/* Locked when it is used for the first time.  There is room: each front has its
 * share, and of those who are gone there is what workers still think about. */
static struct question *
question_new(struct auth *a)
{
	struct question *q = a->unused;

	if (q != NULL) {
		a->unused = q->next;
	} else {
		ASSERT(a->used < QUESTIONS_MAX + a->nworkers);
		q = &a->pool[a->used++];
		secmem_lock(q, sizeof(*q));
	}
	q->next = NULL;
	q->with = NULL;
	q->held = false;
	q->binding_n = 0;
	return q;
}

static struct span
secret_of(const struct question *q)
{
	return buf_len(&q->token) > 0 ? buf_span(&q->token) :
	    secret_span(&q->secret);
}

/* It is to be judged before any database is asked. */
static bool
needs_proof(const struct question *q)
{
	return auth_by_proof((enum auth_method)q->method) && !q->proven;
}

static struct front *
front_of(struct auth *a, uint32_t index, uint32_t epoch)
{
	struct front *f = &a->fronts[index];

	return f->link >= 0 && f->epoch == epoch ? f : NULL;
}

static void
question_free(struct auth *a, struct question *q)
{
	struct front *f = front_of(a, q->front, q->epoch);

	if (f != NULL)
		f->questions--;
	map_take(&a->exchanges, &q->in);
	secret_wipe(&q->secret);
	buf_fini(&q->token);
	buf_fini(&q->message);
	q->next = a->unused;
	a->unused = q;
}

static uint64_t
deadline_of(const struct auth *a, const struct question *q)
{
	return q->asked_ms + 1000ull * a->conf->role.auth_timeout_s;
}

static uint64_t
until(uint64_t ms)
{
	uint64_t now = clock_ms();

	return ms > now ? ms - now : 0;
}

static void
row_put(struct row *r, struct question *q)
{
	*r->last = q;
	r->last = &q->next;
}

static struct question *
row_take(struct row *r)
{
	struct question *q = r->first;

	r->first = q->next;
	if (r->first == NULL)
		r->last = &r->first;
	q->next = NULL;
	return q;
}

/* -------------------------------------------------------------- exchanges */

static bool
by_exchange(const struct question *q)
{
	return auth_by_exchange((enum auth_method)q->method) && !q->proven;
}

/* Its worker is free for others until the client has answered. */
static void
hold(struct auth *a, struct question *q)
{
	struct front *f = front_of(a, q->front, q->epoch);

	q->until_ms = clock_ms() + HELD_MS +
	    1000ull * a->conf->role.login_timeout_s;
	buf_fini(&q->message);
	q->next = NULL;
	q->before = a->held_last;
	*(q->before == NULL ? &a->held : &q->before->next) = q;
	a->held_last = q;
	q->held = true;
	if (f != NULL)
		f->held++;
}

/* It is the caller's then. */
static void
held_take(struct auth *a, struct question *q)
{
	struct front *f = front_of(a, q->front, q->epoch);

	*(q->before == NULL ? &a->held : &q->before->next) = q->next;
	*(q->next == NULL ? &a->held_last : &q->next->before) = q->before;
	q->next = NULL;
	q->held = false;
	if (f != NULL)
		f->held--;
}

/* NULL: there is none of this front's. */
static struct question *
exchange_find(const struct front *f, uint64_t sid)
{
	struct map_node *n = map_first(&f->a->exchanges, sid);

	for (; n != NULL; n = map_next(n)) {
		struct question *q = n->of;

		if (q->front == f->index && q->epoch == f->epoch)
			return q;
	}
	return NULL;
}

/* One that waits for the client. */
static struct question *
held_find(const struct front *f, uint64_t sid)
{
	struct question *q = exchange_find(f, sid);

	return q != NULL && q->held ? q : NULL;
}

/* Nobody wants its verdict any more. */
static void
tell_abort(struct auth *a, const struct question *q)
{
	struct worker	*w = q->with;
	struct fault	 f;

	if (w == NULL)
		return;
	w->held--;
	link_out_init(&a->out, MSG_ABORT);
	link_put_u64(&a->out, q->sid);
	if (w->link >= 0 && link_send(w->link, &a->out, NULL, 0, &f) != 0)
		log_fault(LEVEL_DEBUG, "worker-start", &f);
}

/* Nothing was judged, so there is no line, and nothing to count. */
static void
forget(struct auth *a, struct question *q)
{
	struct front *f = front_of(a, q->front, q->epoch);

	held_take(a, q);
	penalty_end(a->penalty, &q->who);
	tell_abort(a, q);
	if (f != NULL)
		f->answers--;
	question_free(a, q);
}

static void
take_message(struct question *q, struct span octets, bool broken)
{
	q->secret.n = 0;
	q->broken = broken;
	buf_init(&q->message, AUTH_MESSAGE_MAX);
	ASSERT(buf_append(&q->message, octets) == 0);
}

/* Whose name it is, a worker has read. */
static void
know_user(struct auth *a, struct question *q, struct span user)
{
	uint64_t guess = q->sid;

	if (q->user_n > 0 || user.n == 0)
		return;
	memcpy(q->user, user.p, user.n);
	q->user_n = user.n;
	penalty_end(a->penalty, &q->who);
	/* No two proofs are the same, so each one counts; a token may come again. */
	if (!by_exchange(q))
		guess = q->who.guess;
	penalty_case(a->penalty, &q->peer, user, span_of(&guess,
	    sizeof(guess)), &q->who);
}

/* ---------------------------------------------------------------- fronts */

static void
front_close(struct front *f)
{
	if (f->link < 0)
		return;
	loop_watch_fini(&f->watch);
	outbox_clear(&f->out);
	fd_close(&f->link);
	for (size_t i = 0; i < ROWS; i++)
		while (f->rows[i].first != NULL) {
			struct question *q = row_take(&f->rows[i]);

			log_lost(q, "the connection was lost");
			question_free(f->a, q);
		}
	for (struct question *q = f->a->held, *next; q != NULL; q = next) {
		next = q->next;
		if (q->front == f->index)
			forget(f->a, q);
	}
	due_drop(&f->a->due, f->index);
	f->epoch++;
	f->questions = f->answers = f->held = 0;
}

/* One that is left unread is given up; it has its patience. */
static void
on_lost(void *ctx, uint16_t type UNUSED, uint32_t tag UNUSED,
    const struct fault *why)
{
	if (why->class != FAULT_LIMIT)
		front_close(ctx);
}

static void
tell(struct front *f, uint64_t sid, uint8_t answer)
{
	struct link_out	*m = &f->a->out;

	link_out_init(m, MSG_VERDICT);
	link_put_u64(m, sid);
	link_put_u8(m, answer);
	outbox_put(&f->out, m, 0, NULL, 0);
}

/* The deadline of who has waited longest in some row of this front. */
static uint64_t
next_of(const struct auth *a, const struct front *f)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < ROWS; i++) {
		const struct question *q = f->rows[i].first;

		if (q != NULL && deadline_of(a, q) < next)
			next = deadline_of(a, q);
	}
	return next;
}

static uint64_t
next_event(const struct auth *a)
{
	uint64_t next = due_next(&a->due);

	for (size_t i = 0; i < a->nfronts; i++) {
		uint64_t at = next_of(a, &a->fronts[i]);

		if (at < next)
			next = at;
	}
	for (size_t i = 0; i < a->nworkers; i++) {
		const struct question *q = a->workers[i].q;

		if (q != NULL && deadline_of(a, q) < next)
			next = deadline_of(a, q);
		q = a->workers[i].first;
		if (q != NULL && deadline_of(a, q) < next)
			next = deadline_of(a, q);
	}
	if (a->held != NULL && a->held->until_ms < next)
		next = a->held->until_ms;
	return next;
}

static void
set_timer(struct auth *a)
{
	uint64_t next = next_event(a);

	if (next == UINT64_MAX)
		loop_watch_fini(&a->timer);
	else
		loop_watch_set(&a->timer, 0, until(next));
}

/* The end of a question: its answer is told at that time. */
static void
decide_at(struct auth *a, struct question *q, enum authorize_answer answer,
    uint64_t at_ms)
{
	const struct due d = {
		.at_ms	= at_ms,
		.sid	= q->sid,
		.front	= q->front,
		.answer	= (uint8_t)answer,
	};

	if (front_of(a, q->front, q->epoch) != NULL)
		due_put(&a->due, &d);
	question_free(a, q);
	set_timer(a);
}

/* At a fixed time after it came, or a multiple of that, whatever the reason. */
static void
decide(struct auth *a, struct question *q, enum authorize_answer answer)
{
	decide_at(a, q, answer, ask_refusal_ms(&a->conf->role, q->asked_ms));
}

/* NO; later, where many were wrong before (penalty.h).  Fronts wait as long as
 * a judgement may take. */
static void
refuse(struct auth *a, struct question *q)
{
	const struct role_settings	*r = &a->conf->role;
	uint64_t			 at = ask_refusal_ms(r, q->asked_ms);
	unsigned			 n = penalty_wrong(a->penalty, &q->who,
					    clock_ms());
	uint64_t			 delay_s = r->auth_fail_delay_s << n;

	count(q, METRIC_LOGIN_REFUSED, true);
	penalties_changed(a);
	if (delay_s > r->auth_timeout_s)
		delay_s = r->auth_timeout_s;
	if (n > 0 && delay_s > 0) {
		if (at < q->asked_ms + 1000 * delay_s)
			at = q->asked_ms + 1000 * delay_s;
		penalty_until(a->penalty, &q->who, at);
		metric_add(METRIC_REFUSAL_DELAYED, 1);
		log_penalty(&a->delayed, true, q);
	}
	decide_at(a, q, ANSWER_NO, at);
}

/* Once more: much may have gone wrong since it was asked. */
static bool
may_be_judged(struct auth *a, struct question *q)
{
	uint64_t now = clock_ms();

	if (((q->db > 0 && q->db < TOKENS_DB) || q->proven) && q->with == NULL)
		return true;		/* that has begun */
	penalty_end(a->penalty, &q->who);
	if (!penalty_judged(a->penalty, &q->who, now))
		return false;
	penalty_begin(a->penalty, &q->who, now,
	    now + 1000ull * a->conf->role.auth_timeout_s);
	return true;
}

/* Its password is not even looked at. */
static void
leave_unjudged(struct auth *a, struct question *q)
{
	log_penalty(&a->unjudged, false, q);
	count(q, METRIC_LOGIN_UNJUDGED, false);
	decide(a, q, ANSWER_ERROR);
}

static void
log_late(struct auth *a, const struct question *q)
{
	uint64_t n;

	if (!quiet_speak(&a->late, &n))
		return;
	wire_log_sid(q->sid);
	log_text(LEVEL_ERR, "auth-timeout",
	    "no verdict in %u s (auth_timeout), %llu since the last such"
	    " line; is the user database alive?",
	    a->conf->role.auth_timeout_s, (unsigned long long)n);
	log_set_sid("");
}

/* In the midst of an exchange. */
static void
lose(struct auth *a, struct question *q)
{
	log_lost(q, "its worker has ended");
	count(q, METRIC_LOGIN_ERROR, true);
	decide(a, q, ANSWER_ERROR);
}

static struct question *
response_take(struct worker *w)
{
	struct question *q = w->first;

	w->first = q->next;
	if (w->first == NULL)
		w->last = &w->first;
	q->next = NULL;
	w->held--;
	return q;
}

/* It has died, or what it knew is old.  Exchanges that are held end when the client
 * says more. */
static void
worker_close(struct worker *w)
{
	struct auth *a = w->a;

	loop_watch_fini(&w->watch);
	fd_close(&w->link);
	w->retired = false;
	for (struct question *q = a->held; q != NULL; q = q->next)
		if (q->with == w)
			q->with = NULL;
	while (w->first != NULL)
		lose(a, response_take(w));
	w->held = 0;
}

/* What it was asked, with an answer; the worker is idle, or gone. */
static void
worker_decide(struct worker *w, enum authorize_answer answer)
{
	struct question *q = w->q;

	w->q = NULL;
	count(q, METRIC_LOGIN_ERROR, true);
	decide(w->a, q, answer);
}

static void
tell_due(struct auth *a)
{
	struct due d;

	while (due_take(&a->due, clock_ms(), &d)) {
		struct front *f = &a->fronts[d.front];

		f->answers--;
		tell(f, d.sid, d.answer);
	}
}

static void
row_end_late(struct auth *a, struct row *r, uint64_t now)
{
	while (r->first != NULL && deadline_of(a, r->first) <= now) {
		struct question *q = row_take(r);

		log_late(a, q);
		log_lost(q, "see auth-timeout");
		count(q, METRIC_LOGIN_ERROR, true);
		decide(a, q, ANSWER_ERROR);
	}
}

/* Those whose time is over, with a worker or for want of one. */
static void
end_late(struct auth *a)
{
	uint64_t now = clock_ms();

	for (struct worker *w = a->workers; w < a->workers + a->nworkers; w++) {
		if (w->q == NULL || deadline_of(a, w->q) > now)
			continue;
		log_late(a, w->q);
		log_lost(w->q, "see auth-timeout");
		worker_decide(w, ANSWER_ERROR);
		worker_close(w);
	}
	while (a->held != NULL && a->held->until_ms <= now)
		forget(a, a->held);
	for (struct front *f = a->fronts; f < a->fronts + a->nfronts; f++)
		for (size_t i = 0; i < ROWS; i++)
			row_end_late(a, &f->rows[i], now);
}

static void
on_timer(void *ctx, unsigned what UNUSED)
{
	struct auth *a = ctx;

	tell_due(a);
	end_late(a);
	serve_rows(a);
	set_timer(a);
}

/* -1: the front speaks nonsense. */
static int
read_check(struct link_in *m, struct question *q, struct fault *f)
{
	struct wire_asked asked;

	q->sid = link_get_u64(m);
	if (wire_get_peer(m, &q->peer, f) != 0 ||
	    wire_get_asked(m, &asked, f) != 0 ||
	    wire_get_peer(m, &q->socket, f) != 0 || link_get_end(m, f) != 0)
		return -1;
	q->method = asked.method;
	q->way = asked.way;
	if (q->sid == 0 || (by_exchange(q) && asked.user.n > 0))
		return fault_set(f, FAULT_PEER, "a question without sense");
	q->user_n = asked.user.n;
	if (asked.user.n > 0)
		memcpy(q->user, asked.user.p, asked.user.n);
	q->binding_n = asked.binding.n;
	if (asked.binding.n > 0)
		memcpy(q->binding, asked.binding.p, asked.binding.n);
	if (!by_exchange(q)) {
		if (needs_proof(q))
			return buf_append(&q->token, asked.secret);
		ASSERT(secret_set(&q->secret, asked.secret));
		return 0;
	}
	take_message(q, asked.secret, asked.broken);
	return 0;
}

/* So many of a front's may be held that there is room for passwords. */
static bool
may_exchange(const struct front *f)
{
	return f->held < QUESTIONS_MAX / f->a->nfronts / 2;
}

static bool
has_room(const struct front *f)
{
	return f->questions < QUESTIONS_MAX / f->a->nfronts &&
	    f->answers + f->out.n < f->out.max;
}

static void
refuse_full(struct front *f, uint64_t sid)
{
	struct log_line	l;
	uint64_t	n;

	if (quiet_speak(&f->a->full, &n)) {
		log_begin(&l, LEVEL_ERR, "auth-queue-full");
		log_num(&l, "front", f->index);
		log_num(&l, "refused", n);
		log_end(&l);
	}
	metric_add(METRIC_LOGIN_UNJUDGED, 1);
	tell(f, sid, ANSWER_ERROR);
}

/* Whose password it is: a master user's has his own score, with what stands before
 * his name, so that it is no user's. */
static struct span
guessed(const struct auth *a, const struct question *q)
{
	struct span	name = span_of(q->user, q->user_n);
	struct span	user;
	struct span	master;

	return auth_master_split(&a->conf->auth, name, &user, &master) ?
	    span_skip(name, user.n) : name;
}

static int
on_check(struct front *f, struct link_in *m, struct fault *why)
{
	struct auth	*a = f->a;
	struct question	*q;

	if (!has_room(f)) {
		refuse_full(f, link_get_u64(m));
		return 0;
	}
	q = question_new(a);
	q->front = f->index;
	q->epoch = f->epoch;
	q->db = 0;
	q->proven = false;
	buf_init(&q->token, AUTH_TOKEN_MAX);
	q->asked_ms = clock_ms();
	f->questions++;
	buf_init(&q->message, 0);
	if (read_check(m, q, why) != 0) {
		question_free(a, q);
		return -1;
	}
	/* Responses would be anybody's, and wrong ones count for another user. */
	if (by_exchange(q) && exchange_find(f, q->sid) != NULL) {
		question_free(a, q);
		return fault_set(why, FAULT_PEER, "an exchange within another");
	}
	if (by_exchange(q) && !may_exchange(f)) {
		refuse_full(f, q->sid);
		question_free(a, q);
		return 0;
	}
	f->answers++;
	if (by_exchange(q))
		map_put(&a->exchanges, &q->in, q->sid, q);
	penalty_case(a->penalty, &q->peer, guessed(a, q), secret_of(q),
	    &q->who);
	/* It has none yet: who says rubbish must not make others wait who say a token
	 * and no name, or begin an exchange. */
	if (q->user_n == 0)
		q->who.key[PENALTY_USER] = 0;
	if (!penalty_judged(a->penalty, &q->who, q->asked_ms)) {
		leave_unjudged(a, q);
		return 0;
	}
	if (needs_proof(q))
		q->db = by_exchange(q) ? KERBEROS_DB : TOKENS_DB;
	row_put(&f->rows[q->db], q);
	return 0;
}

/* What its client says to a challenge; perhaps nobody remembers it. */
static int
on_response(struct front *f, struct link_in *m, struct fault *why)
{
	struct auth	*a = f->a;
	struct question	*q;
	struct span	 octets;
	uint64_t	 sid;
	bool		 broken;

	if (wire_get_response(m, &sid, &octets, &broken, why) != 0)
		return -1;
	q = held_find(f, sid);
	if (q == NULL) {
		if (f->answers + f->out.n < f->out.max)
			tell(f, sid, ANSWER_ERROR);
		return 0;
	}
	held_take(a, q);
	q->asked_ms = clock_ms();
	take_message(q, octets, broken);
	if (q->with == NULL) {
		lose(a, q);
		return 0;
	}
	*q->with->last = q;
	q->with->last = &q->next;
	return 0;
}

static int
on_message(struct front *f, struct link_in *m, struct fault *why)
{
	struct question *q;

	if (m->type == MSG_CHECK)
		return on_check(f, m, why);
	if (m->type == MSG_RESPONSE)
		return on_response(f, m, why);
	q = held_find(f, link_get_u64(m));
	if (q != NULL)
		forget(f->a, q);
	return 0;
}

static void
on_front(void *ctx, unsigned what UNUSED)
{
	struct front	*f = ctx;
	struct auth	*a = f->a;
	struct fault	 why = { 0 };
	int		 got = 1;

	for (int i = 0; i < BATCH && got == 1 && f->link >= 0; i++) {
		got = link_recv(f->link, permit_check, permit_check_n, 0, 0,
		    &a->in, &why);
		if (got == 1 && on_message(f, &a->in, &why) != 0)
			got = -1;
		link_in_fini(&a->in);
	}
	if (got < 0 && why.err != ETIMEDOUT)
		log_fault(LEVEL_ERR, "front-misbehaved", &why);
	if (got == 0 || (got < 0 && why.err != ETIMEDOUT))
		front_close(f);
	if (f->link >= 0)
		loop_watch_set(&f->watch, LOOP_READ, LOOP_NEVER);
	serve_rows(a);
	set_timer(a);
}

static void
front_open(struct front *f, int link)
{
	f->link = link;
	f->out = (struct outbox){ .link = link, .lost = on_lost, .ctx = f,
	    .max = ANSWERS_MAX / f->a->nfronts };
	outbox_init(&f->out, f->a->loop);
	for (size_t i = 0; i < ROWS; i++)
		f->rows[i] = (struct row){ NULL, &f->rows[i].first };
	loop_watch_init(&f->watch, f->a->loop, link, on_front, f);
	loop_watch_set(&f->watch, LOOP_READ, LOOP_NEVER);
}

/* --------------------------------------------------------------- workers */

/* Who has logged in is told to the master alone. */
static void
admit(struct worker *w, struct wire_admit *who)
{
	struct auth		*a = w->a;
	struct question		*q = w->q;
	struct front		*f = front_of(a, q->front, q->epoch);
	struct fault		 why;

	if (f == NULL) {
		log_lost(q, "the connection was lost");
		worker_decide(w, ANSWER_ERROR);
		return;
	}
	who->sid = q->sid;
	who->front = q->front;
	who->peer = q->peer;
	who->socket = q->socket;
	wire_put_admit(&a->out, who);
	if (link_send(a->master, &a->out, NULL, 0, &why) != 0) {
		log_fault(LEVEL_ERR, "master-link", &why);
		log_lost(q, "see master-link");
		worker_decide(w, ANSWER_ERROR);
		return;
	}
	penalty_right(a->penalty, &q->who, clock_ms());
	count(q, METRIC_LOGIN_OK, true);
	f->answers--;
	w->q = NULL;
	question_free(a, q);
}

static void
log_worker(const struct worker *w, const char *word, const char *text)
{
	wire_log_sid(w->q->sid);
	log_text(LEVEL_ERR, word, "%s", text);
	log_set_sid("");
}

/* What it was right against is what we vouched for: nothing was hashed. */
static bool
was_cached(const struct question *q, uint64_t print)
{
	return print != 0 && print == q->vouched;
}

/* That it was right is worth remembering, unless that is how we knew; or somebody
 * wanted it forgotten meanwhile. */
static void
remember(struct auth *a, const struct question *q, uint64_t print)
{
	if (a->cache != NULL && a->dbs[q->db].vouched && print != 0 &&
	    !was_cached(q, print) && q->flushes == a->flushes)
		verdict_put(a->cache, q->key, span_of(q->user, q->user_n),
		    print, clock_ms());
}

static bool
read_user(struct auth *a, struct question *q, struct link_in *m)
{
	struct span	user = link_get_span(m, IDENTITY_USER_MAX);
	struct fault	f;

	if (link_get_end(m, &f) != 0)
		return false;
	know_user(a, q, user);
	return true;
}

/* Who guesses may not learn that it was right this time.  False: that is told. */
static bool
know_granted(struct worker *w, struct span user)
{
	struct auth	*a = w->a;
	struct question	*q = w->q;

	if (q->user_n > 0)
		return true;
	know_user(a, q, user);
	if (penalty_judged(a->penalty, &q->who, clock_ms()))
		return true;
	w->q = NULL;
	leave_unjudged(a, q);
	return false;
}

/* The worker wants to know more.  False: it has no sense. */
static bool
on_challenge(struct worker *w, struct link_in *m)
{
	struct auth	*a = w->a;
	struct question	*q = w->q;
	struct front	*f = front_of(a, q->front, q->epoch);
	uint64_t	 sid;
	struct span	 user;
	struct span	 octets;
	struct fault	 why;

	if (wire_get_challenge(m, &sid, &user, &octets, &why) != 0 ||
	    sid != q->sid || !by_exchange(q)) {
		log_worker(w, "worker-died", "a challenge without sense");
		log_lost(q, "see worker-died");
		worker_decide(w, ANSWER_ERROR);
		return false;
	}
	w->q = NULL;
	w->held++;
	q->with = w;
	know_user(a, q, user);
	if (f == NULL) {
		tell_abort(a, q);
		penalty_end(a->penalty, &q->who);
		question_free(a, q);
	} else if (!may_be_judged(a, q)) {
		tell_abort(a, q);
		leave_unjudged(a, q);
	} else {
		hold(a, q);
		wire_put_challenge(&a->out, sid, user, octets);
		outbox_put(&f->out, &a->out, 0, NULL, 0);
	}
	return true;
}

/* A yes; false: it has no sense. */
static bool
on_grant(struct worker *w, struct link_in *m)
{
	UNZEROED struct wire_admit who;
	struct fault	f;
	uint64_t	print = 0;

	if (m->type == MSG_GRANT_PRINT)
		print = link_get_u64(m);
	if (wire_get_identity(m, &who.id, &f) != 0 ||
	    link_get_end(m, &f) != 0) {
		log_worker(w, "grant-refused", f.text);
		log_lost(w->q, "see grant-refused");
		worker_decide(w, ANSWER_ERROR);
		return false;
	}
	if (!know_granted(w, span_str(who.id.user)))
		return true;
	remember(w->a, w->q, print);
	who.cached = was_cached(w->q, print);
	admit(w, &who);
	return true;
}

/* Now it is asked there. */
static void
pass_on(struct worker *w, uint8_t db)
{
	struct auth	*a = w->a;
	struct question	*q = w->q;
	struct front	*f = front_of(a, q->front, q->epoch);

	w->q = NULL;
	if (f == NULL) {
		log_lost(q, "the connection was lost");
		question_free(a, q);
		return;
	}
	q->db = db;
	row_put(&f->rows[db], q);
	set_timer(a);
}

static bool
on_deny(struct worker *w, enum wire_deny how)
{
	if (how == DENY_UNDECIDED) {
		worker_decide(w, ANSWER_ERROR);
		/* Who judges tokens is well: who it has asked is not. */
		return w->db >= TOKENS_DB;
	}
	if (how == DENY_UNKNOWN && w->q->with == NULL &&
	    w->db + 1 < w->a->ndbs) {
		pass_on(w, w->db + 1);
		return true;
	}
	refuse(w->a, w->q);
	w->q = NULL;
	return true;
}

/* A token or a ticket is good: who that is, is for the databases to say.  False: it has no sense. */
static bool
on_proven(struct worker *w, struct link_in *m)
{
	struct question	*q = w->q;
	struct span	 user = link_get_span(m, sizeof(q->user));
	struct fault	 f;

	if (link_get_end(m, &f) != 0 || user.n == 0 || (q->user_n > 0 &&
	    !span_eq(user, span_of(q->user, q->user_n)))) {
		log_worker(w, "worker-misbehaved", "a proof without sense");
		log_lost(q, "see worker-misbehaved");
		worker_decide(w, ANSWER_ERROR);
		return false;
	}
	know_user(w->a, q, user);
	q->proven = true;
	q->with = NULL;
	pass_on(w, 0);
	return true;
}

/* Its decision; false: it is of no more use. */
static bool
on_decision(struct worker *w, struct link_in *m)
{
	if (m->type == MSG_RETIRED) {
		w->retired = true;
		return w->q != NULL;
	}
	if (w->q == NULL) {
		log_text(LEVEL_ERR, "worker-misbehaved", "an answer to nothing");
		return false;
	}
	if (m->type == MSG_PROVEN)
		return on_proven(w, m);
	if (m->type == MSG_CHALLENGE)
		return on_challenge(w, m);
	if (m->type == MSG_DENY || m->type == MSG_DENY_USER) {
		enum wire_deny how = (enum wire_deny)link_get_u8(m);

		if (m->type == MSG_DENY_USER && !read_user(w->a, w->q, m))
			how = DENY_UNDECIDED;
		return on_deny(w, how);
	}
	return on_grant(w, m);
}

static int
hear(struct worker *w, struct link_in *m, struct fault *f)
{
	return w->db >= TOKENS_DB ? link_recv(w->link, permit_proof,
	    permit_proof_n, 0, 0, m, f) : link_recv(w->link, permit_decision,
	    permit_decision_n, 0, 0, m, f);
}

/* It has spoken, or ended. */
static void
on_worker(void *ctx, unsigned what UNUSED)
{
	struct worker	*w = ctx;
	struct auth	*a = w->a;
	struct fault	 f = { .text = "it has ended" };
	bool		 useful = false;
	int		 got = hear(w, &a->in, &f);

	if (got == 1) {
		useful = on_decision(w, &a->in);
		link_in_fini(&a->in);
	} else if (w->q != NULL) {
		log_worker(w, "worker-died", f.text);
		log_lost(w->q, "see worker-died");
		worker_decide(w, ANSWER_ERROR);
	}
	if (!useful || (w->q == NULL && (w->retired ||
	    (a->dbs[w->db].one_each && w->held == 0))))
		worker_close(w);
	else
		loop_watch_set(&w->watch, LOOP_READ, LOOP_NEVER);
	serve_rows(a);
}

static int
worker_open(struct worker *w, struct fault *f)
{
	AUTO(fd_close) int	its = -1;
	struct auth		*a = w->a;

	if (link_pair(&w->link, &its, f) != 0)
		return -1;
	link_out_init(&a->out, MSG_WORKER);
	link_put_u8(&a->out, w->db);
	if (link_send(a->warden, &a->out, &its, 1, f) != 0) {
		fd_close(&w->link);
		return fault_prefix(f, "the warden: ");
	}
	loop_watch_init(&w->watch, a->loop, w->link, on_worker, w);
	loop_watch_set(&w->watch, LOOP_READ, LOOP_NEVER);
	return 0;
}

/* Was this very question answered with yes? */
static void
vouch(const struct auth *a, struct question *q)
{
	q->vouched = 0;
	q->flushes = a->flushes;
	if (a->cache == NULL || !a->dbs[q->db].vouched ||
	    auth_method_vouched((enum auth_method)q->method) ||
	    auth_by_digest((enum auth_method)q->method) || by_exchange(q))
		return;
	verdict_key(a->cache, q->db, q->method,
	    span_of(q->user, q->user_n), secret_span(&q->secret), q->key);
	q->vouched = verdict_find(a->cache, q->key, clock_ms());
}

static void
put_question(struct auth *a, struct question *q)
{
	const struct wire_asked asked = {
		.method = q->method,
		.way = q->way,
		.user = by_exchange(q) ? SPAN("") : span_of(q->user, q->user_n),
		.secret = by_exchange(q) ? buf_span(&q->message) :
		    secret_of(q),
		.broken = q->broken,
		.binding = span_of(q->binding, q->binding_n),
	};

	vouch(a, q);
	link_out_init(&a->out, MSG_QUESTION);
	link_put_u64(&a->out, q->sid);
	link_put_u64(&a->out, q->vouched);
	wire_put_peer(&a->out, &q->peer);
	wire_put_asked(&a->out, &asked);
}

static int
worker_ask(struct worker *w, struct question *q, struct fault *f)
{
	struct auth	*a = w->a;
	int		 result;

	if (q->with == NULL)
		put_question(a, q);
	else
		wire_put_response(&a->out, q->sid, buf_span(&q->message),
		    q->broken);
	result = link_send(w->link, &a->out, NULL, 0, f);
	link_out_wipe(&a->out);
	if (result != 0)
		return -1;
	if (q->db + 1 == a->ndbs || q->with != NULL) {
		secret_wipe(&q->secret);
		buf_fini(&q->message);
	}
	buf_fini(&q->token);
	w->q = q;
	return 0;
}

/* To the worker that has begun the exchange. */
static void
give_response(struct worker *w)
{
	struct auth	*a = w->a;
	struct question	*q = response_take(w);
	struct fault	 f;

	if (!may_be_judged(a, q)) {
		w->held++;
		tell_abort(a, q);
		leave_unjudged(a, q);
	} else if (worker_ask(w, q, &f) != 0) {
		worker_close(w);
		lose(a, q);
	}
}

/* An idle worker that has ended is found out here: then another one is tried. */
static void
give(struct worker *w, struct question *q)
{
	struct fault f;

	if (w->link >= 0 && worker_ask(w, q, &f) == 0)
		return;
	if (w->link >= 0)
		worker_close(w);
	if (worker_open(w, &f) == 0) {
		if (worker_ask(w, q, &f) == 0)
			return;
		worker_close(w);
	}
	log_fault(LEVEL_ERR, "worker-start", &f);
	log_lost(q, "see worker-start");
	count(q, METRIC_LOGIN_ERROR, true);
	decide(w->a, q, ANSWER_ERROR);
}

/* With PAM it lives for one question. */
static bool
takes_more(const struct worker *w)
{
	return w->q == NULL && (w->held == 0 ||
	    (!w->a->dbs[w->db].one_each &&
	    w->held < WORKER_EXCHANGES_MAX));
}

/* An idle one, or room for a new one; the first ones first, so that those that
 * are not needed sleep. */
static struct worker *
free_worker(struct auth *a, size_t db)
{
	struct worker *empty = NULL;

	for (struct worker *w = a->workers; w < a->workers + a->nworkers; w++) {
		if (w->db != db)
			continue;
		if (w->link >= 0 && takes_more(w))
			return w;
		if (w->link < 0 && empty == NULL)
			empty = w;
	}
	return empty;
}

/* The fronts take turns. */
static struct front *
next_front(struct auth *a, size_t db)
{
	for (size_t i = 0; i < a->nfronts; i++) {
		struct front *f = &a->fronts[(a->turn + i) % a->nfronts];

		if (f->link >= 0 && f->rows[db].first != NULL) {
			a->turn = (f->index + 1) % a->nfronts;
			return f;
		}
	}
	return NULL;
}

/* Nobody asks any more, and no worker thinks. */
static bool
is_over(const struct auth *a)
{
	for (size_t i = 0; i < a->nfronts; i++)
		if (a->fronts[i].link >= 0)
			return false;
	for (size_t i = 0; i < a->nworkers; i++)
		if (a->workers[i].q != NULL)
			return false;
	return true;
}

static void
serve_database(struct auth *a, size_t db)
{
	struct worker	*w;
	struct front	*f;

	while ((w = free_worker(a, db)) != NULL &&
	    (f = next_front(a, db)) != NULL) {
		struct question *q = row_take(&f->rows[db]);

		if (may_be_judged(a, q))
			give(w, q);
		else
			leave_unjudged(a, q);
	}
}

static void
serve_rows(struct auth *a)
{
	for (struct worker *w = a->workers; w < a->workers + a->nworkers; w++)
		while (w->link >= 0 && w->q == NULL && w->first != NULL)
			give_response(w);
	for (size_t i = 0; i < ROWS; i++)
		serve_database(a, i);
	if (a->leaving && is_over(a))
		loop_end(a->loop);
}

/* ------------------------------------------------------------- all of it */

/* An operator has what was right forgotten: of one user, or of all. */
static int
on_flush(struct auth *a, struct fault *f)
{
	AUTO(fd_close) int	client = link_get_fd(&a->in, 0);
	struct ctl_whom		w;
	size_t			n = 0;

	if (ctl_get_whom(&a->in, &w, f) != 0)
		return -1;
	if (w.kind != CTL_ALL && w.kind != CTL_USER) {
		ctl_done(client, FAULT_PROTO, 0, "a user, or nobody");
		return 0;
	}
	a->flushes++;
	if (a->cache != NULL)
		n = w.kind == CTL_ALL ? verdict_flush(a->cache) :
		    verdict_forget(a->cache, span_str(w.user));
	ctl_done(client, FAULT_NONE, n, "");
	return 0;
}

static int
on_ctl(struct auth *a, struct fault *f)
{
	if (a->in.type == MSG_CTL_FLUSH)
		return on_flush(a, f);
	if (a->in.type == MSG_CTL_CLEAR)
		penalties_changed(a);
	return ctl_penalties(a->penalty, &a->conf->role, &a->in, f);
}

/* And with us ends what we were asked. */
static void
give_up(struct auth *a, const char *why)
{
	for (size_t i = 0; i < a->nworkers; i++) {
		if (a->workers[i].q != NULL)
			log_lost(a->workers[i].q, why);
		for (const struct question *q = a->workers[i].first; q != NULL;
		    q = q->next)
			log_lost(q, why);
	}
	for (size_t i = 0; i < a->nfronts * ROWS; i++)
		for (const struct question *q = a->fronts[i / ROWS].
		    rows[i % ROWS].first; q != NULL; q = q->next)
			log_lost(q, why);
	loop_end(a->loop);
}

static void
stop(struct auth *a)
{
	give_up(a, "popper was stopped");
}

/* A front in place of one that has died; or the master's end.  After a reload
 * other processes take our place, and we end with our fronts. */
static void
on_master(void *ctx, unsigned what UNUSED)
{
	struct auth	*a = ctx;
	struct fault	 f;
	uint32_t	 index;
	int		 got;

	got = link_recv(a->master, permit_to_auth, permit_to_auth_n, 0, 0,
	    &a->in, &f);
	if (got != 1) {
		if (got < 0)
			log_fault(LEVEL_ERR, "master-link", &f);
		stop(a);
		return;
	}
	if (a->in.type == MSG_LEAVE) {
		a->leaving = true;
		penalties_changed(a);
		serve_rows(a);
	} else if (a->in.type != MSG_FRONT) {
		if (on_ctl(a, &f) != 0)
			log_fault(LEVEL_ERR, "master-link", &f);
	} else if ((index = link_get_u32(&a->in)) < a->nfronts) {
		front_close(&a->fronts[index]);
		front_open(&a->fronts[index], link_get_fd(&a->in, 0));
	}
	link_in_fini(&a->in);
	loop_watch_set(&a->master_watch, LOOP_READ, LOOP_NEVER);
}

/* Nothing ever comes from there but its end: without it there is no worker. */
static void
on_warden(void *ctx, unsigned what UNUSED)
{
	struct auth *a = ctx;

	log_text(LEVEL_ERR, "warden-died", "nobody can log in");
	give_up(a, "see warden-died");
}

static void
on_term(void *ctx)
{
	stop(ctx);
}

static int
reopen_log(void *ctx)
{
	const struct auth *a = ctx;

	return ask_log(a->log_link);
}

static int
enter_cage(const struct role_settings *r, struct fault *f)
{
	bool	degraded;

	return cage_step_down(r->auth_user, r->chroot_dir, CAGE_AUTH, f) != 0 ||
	    cage_enter(CAGE_AUTH, &degraded, f) != 0 ? -1 : 0;
}

static void
shed(const struct auth_start *s)
{
	int	keep[FRONTS_MAX + 3];
	size_t	n = 0;

	ASSERT(s->nfronts > 0 && s->nfronts <= FRONTS_MAX);
	for (size_t i = 0; i < s->nfronts; i++)
		keep[n++] = s->fronts[i];
	keep[n++] = s->master;
	keep[n++] = s->warden;
	keep[n++] = s->log_link;
	shed_descriptors(keep, n);
}

/* Before the cage: the library looks at the processor, and for chance. */
static void
make_cache(struct auth *a)
{
	const struct role_settings	*r = &a->conf->role;
	struct fault			 f;
	bool				 any = false;

	for (size_t i = 0; i < a->ndbs; i++)
		any = any || a->dbs[i].vouched;
	if (r->auth_cache_ttl_s == 0 || !any)
		return;
	a->cache = verdict_new(r->auth_cache_size, 1000ull * r->auth_cache_ttl_s,
	    &f);
	if (a->cache == NULL)
		log_fault(LEVEL_WARN, "auth-no-cache", &f);
}

static void
know_databases(struct auth *a)
{
	struct auth_conf one = a->conf->auth;

	a->ndbs = (uint8_t)auth_databases(&one);
	for (size_t i = 0; i < a->ndbs; i++) {
		bool pam;

		auth_select(&one, i);
		pam = one.source == AUTH_PAM;
		a->dbs[i] = (struct database){
			.one_each = pam,
			.vouched = !pam || a->conf->role.auth_cache_pam,
		};
	}
}

static size_t
workers_of(const struct auth *a, size_t db)
{
	const struct settings	*c = a->conf;
	unsigned		 n = c->role.auth_workers;

	if (db == TOKENS_DB)
		return token_wanted(&c->token) ? TOKENS_WORKERS : 0;
	if (db == KERBEROS_DB)
		return krb_wanted(&c->krb) ? KERBEROS_WORKERS : 0;
	return db >= a->ndbs ? 0 : n > 0 ? n : 2 * spawn_processors();
}

static void
make_workers(struct auth *a)
{
	struct worker *w;

	for (size_t db = 0; db < ROWS; db++)
		a->nworkers += workers_of(a, db);
	w = a->workers = xalloc(a->nworkers, sizeof(*a->workers));
	for (size_t db = 0; db < ROWS; db++)
		for (size_t n = workers_of(a, db); n > 0; n--, w++)
			*w = (struct worker){ .a = a, .link = -1,
			    .db = (uint8_t)db, .last = &w->first };
}

/* Whose memory is bounded by what the settings say, and by this file. */
static void
make_tables(struct auth *a)
{
	make_workers(a);
	a->pool = xalloc(QUESTIONS_MAX + a->nworkers,
	    sizeof(*a->pool));
	due_init(&a->due, ANSWERS_MAX);
	penalty_join(a->penalty, (uint32_t)spawn_self(), 1000ull *
	    (a->conf->role.auth_timeout_s + a->conf->role.auth_fail_delay_s));
	make_cache(a);
}

static void
watch_all(struct auth *a, const struct auth_start *s)
{
	for (size_t i = 0; i < s->nfronts; i++) {
		a->fronts[i] = (struct front){
			.a = a, .index = (uint32_t)i, .link = -1,
		};
		if (s->fronts[i] >= 0)
			front_open(&a->fronts[i], s->fronts[i]);
	}
	loop_watch_init(&a->master_watch, a->loop, a->master, on_master, a);
	loop_watch_set(&a->master_watch, LOOP_READ, LOOP_NEVER);
	loop_watch_init(&a->warden_watch, a->loop, a->warden, on_warden, a);
	loop_watch_set(&a->warden_watch, LOOP_READ, LOOP_NEVER);
	loop_watch_init(&a->timer, a->loop, -1, on_timer, a);
	loop_watch_init(&a->gauges, a->loop, -1, on_gauges, a);
	penalties_changed(a);		/* what others have seen */
	loop_on_signal(a->loop, LOOP_STOP, on_term, a);
}

void
auth_main(const struct auth_start *s)
{
	static struct auth	a;		/* holds passwords: locked */
	struct fault		f;

	shed(s);
	signals_take(SIGNALS_CONNECTION);
	a.conf = s->conf;
	a.penalty = s->penalty;
	a.master = s->master;
	a.warden = s->warden;
	a.log_link = s->log_link;
	a.nfronts = s->nfronts;
	log_set_reopen(reopen_log, &a);
	secmem_lock(&a, sizeof(a));
	know_databases(&a);
	make_tables(&a);
	a.loop = loop_new(&f);
	if (a.loop == NULL || (watch_all(&a, s),
	    enter_cage(&a.conf->role, &f)) != 0) {
		log_fault(LEVEL_ERR, "auth-cage", &f);
		spawn_exit(1);
	}
	loop_run(a.loop);
	spawn_exit(0);
}

/* SPDX-License-Identifier: ISC */
/*
 * Workers: their links, and who gets which question.
 *
 * Runs as: auth_user, caged, in auth.c.  Reads from: workers.  Trusts: them.
 */
#include "role/auth_priv.h"

#include "role/permit.h"
#include "role/tokens.h"
#include "role/verdict.h"
#include "role/wire.h"
#include "role/worker.h"

#include "sys/file.h"
#include "watch/log.h"

void
worker_close(struct worker *w)
{
	struct auth *a = w->a;

	loop_watch_fini(&w->watch);
	fd_close(&w->link);
	w->retired = false;
	for (struct question *q = a->held; q != NULL; q = q->next)
		if (q->with == w)
			q->with = NULL;
	while (w->responses.first != NULL)
		question_lose(a, row_take(&w->responses));
	w->held = 0;
}

void
worker_undecided(struct worker *w)
{
	struct question *q = w->q;

	w->q = NULL;
	question_count(q, METRIC_LOGIN_ERROR, true);
	question_decide(w->a, q, ANSWER_ERROR);
}

static int
hear(struct worker *w, struct link_in *m, struct fault *f)
{
	return w->db >= TOKENS_DB ? link_recv(w->link, permit_proof,
	    permit_proof_n, 0, 0, m, f) : link_recv(w->link, permit_decision,
	    permit_decision_n, 0, 0, m, f);
}

/* It has spoken, or ended.  False: it is of no more use. */
static bool
heed(struct worker *w)
{
	struct auth	*a = w->a;
	struct fault	 f = { .text = "it has ended" };
	bool		 useful = false;

	if (hear(w, &a->in, &f) == 1) {
		useful = worker_answer(w, &a->in);
		link_in_fini(&a->in);
	} else if (w->q != NULL) {
		worker_log(w, "worker-died", f.text);
		question_log_lost(w->q, "see worker-died");
		worker_undecided(w);
	}
	return useful;
}

/* There is nothing that it has begun; or that has lasted too long. */
static bool
is_done(const struct worker *w)
{
	if (w->q != NULL || (!w->retired && !w->a->dbs[w->db].one_each))
		return false;
	return w->held == 0 || (w->retired && clock_ms() >= w->until_ms);
}

static void
on_worker(void *ctx, unsigned what)
{
	struct worker	*w = ctx;
	bool		 useful = (what & LOOP_READ) == 0 || heed(w);
	uint64_t	 now = clock_ms();

	if (!useful || is_done(w))
		worker_close(w);
	else
		loop_watch_set(&w->watch, LOOP_READ, !w->retired || w->q != NULL ?
		    LOOP_NEVER : w->until_ms > now ? w->until_ms - now : 0);
	auth_serve_rows(w->a);
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
	    auth_by_digest((enum auth_method)q->method) ||
	    question_by_exchange(q))
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
		.user = question_by_exchange(q) ? SPAN("") :
		    span_of(q->user, q->user_n),
		.secret = question_by_exchange(q) ? buf_span(&q->message) :
		    question_secret(q),
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
	struct question	*q = row_take(&w->responses);
	struct fault	 f;

	if (!question_may_be_judged(a, q)) {
		exchange_tell_abort(a, q);
		question_leave_unjudged(a, q);
		return;
	}
	w->held--;
	if (worker_ask(w, q, &f) != 0) {
		worker_close(w);
		question_lose(a, q);
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
	question_log_lost(q, "see worker-start");
	question_count(q, METRIC_LOGIN_ERROR, true);
	question_decide(w->a, q, ANSWER_ERROR);
}

/* With PAM it lives for one question. */
static bool
takes_more(const struct worker *w)
{
	return w->q == NULL && !w->retired && (w->held == 0 ||
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

		if (question_may_be_judged(a, q))
			give(w, q);
		else
			question_leave_unjudged(a, q);
	}
}

void
auth_serve_rows(struct auth *a)
{
	for (struct worker *w = a->workers; w < a->workers + a->nworkers; w++)
		while (w->link >= 0 && w->q == NULL &&
		    w->responses.first != NULL)
			give_response(w);
	for (size_t i = 0; i < AUTH_ROWS; i++)
		serve_database(a, i);
	if (a->leaving && is_over(a))
		loop_end(a->loop);
}

/* SPDX-License-Identifier: ISC */
/*
 * What a question comes to, and when that is told: no at its fixed time, later for who
 * guesses; an end for who has waited too long.
 *
 * Runs as: auth_user, caged, in auth.c.  Reads from: nobody.
 */
#include "role/auth_priv.h"

#include "role/attempt.h"
#include "role/penalty.h"
#include "role/wire.h"

#include "watch/log.h"
#include "watch/metrics.h"

#define COUNT_MS	1000	/* after a change, penalties are counted for metrics */
#define FADE_MS		10000	/* and so often while there are scores, which fade */

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

void
auth_on_gauges(void *ctx, unsigned what UNUSED)
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
void
auth_penalties_changed(struct auth *a)
{
	if (!a->changed)
		loop_watch_set(&a->gauges, 0, COUNT_MS);
	a->changed = true;
}

/* The deadline of who has waited longest in some row of this front. */
static uint64_t
next_of(const struct auth *a, const struct front *f)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < AUTH_ROWS; i++) {
		const struct question *q = f->rows[i].first;

		if (q != NULL && question_deadline(a, q) < next)
			next = question_deadline(a, q);
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

		if (q != NULL && question_deadline(a, q) < next)
			next = question_deadline(a, q);
		q = a->workers[i].responses.first;
		if (q != NULL && question_deadline(a, q) < next)
			next = question_deadline(a, q);
	}
	if (a->held != NULL && a->held->until_ms < next)
		next = a->held->until_ms;
	return next;
}

static uint64_t
until(uint64_t ms)
{
	uint64_t now = clock_ms();

	return ms > now ? ms - now : 0;
}

void
auth_set_timer(struct auth *a)
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
	auth_set_timer(a);
}

void
question_decide(struct auth *a, struct question *q, enum authorize_answer answer)
{
	decide_at(a, q, answer, attempt_refusal_ms(&a->conf->role, q->asked_ms));
}

void
question_refuse(struct auth *a, struct question *q)
{
	const struct role_settings	*r = &a->conf->role;
	uint64_t			 at = attempt_refusal_ms(r, q->asked_ms);
	unsigned			 n = penalty_wrong(a->penalty, &q->who,
					    clock_ms());
	uint64_t			 delay_s = r->auth_fail_delay_s << n;

	question_count(q, METRIC_LOGIN_REFUSED, true);
	auth_penalties_changed(a);
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

bool
question_may_be_judged(struct auth *a, struct question *q)
{
	uint64_t now = clock_ms();

	if (((q->db > 0 && q->db < TOKENS_DB) || q->proven) && q->with == NULL)
		return true;		/* that has begun */
	/* Nothing is judged yet, and whose device it is will be known then. */
	if (question_by_exchange(q) && q->user_n == 0)
		return true;
	penalty_end(a->penalty, &q->who);
	if (!penalty_judged(a->penalty, &q->who, now))
		return false;
	penalty_begin(a->penalty, &q->who, now,
	    now + 1000ull * a->conf->role.auth_timeout_s);
	return true;
}

void
question_leave_unjudged(struct auth *a, struct question *q)
{
	log_penalty(&a->unjudged, false, q);
	question_count(q, METRIC_LOGIN_UNJUDGED, false);
	question_decide(a, q, ANSWER_ERROR);
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

void
question_lose(struct auth *a, struct question *q)
{
	question_log_lost(q, "its worker has ended");
	question_count(q, METRIC_LOGIN_ERROR, true);
	question_decide(a, q, ANSWER_ERROR);
}

static void
tell_due(struct auth *a)
{
	struct due d;

	while (due_take(&a->due, clock_ms(), &d)) {
		struct front *f = &a->fronts[d.front];

		f->answers--;
		front_tell(f, d.sid, d.answer);
	}
}

static void
row_end_late(struct auth *a, struct row *r, uint64_t now)
{
	while (r->first != NULL && question_deadline(a, r->first) <= now) {
		struct question *q = row_take(r);

		log_late(a, q);
		question_log_lost(q, "see auth-timeout");
		question_count(q, METRIC_LOGIN_ERROR, true);
		question_decide(a, q, ANSWER_ERROR);
	}
}

/* Those whose time is over, with a worker or for want of one. */
static void
end_late(struct auth *a)
{
	uint64_t now = clock_ms();

	for (struct worker *w = a->workers; w < a->workers + a->nworkers; w++) {
		if (w->q == NULL || question_deadline(a, w->q) > now)
			continue;
		log_late(a, w->q);
		question_log_lost(w->q, "see auth-timeout");
		worker_undecided(w);
		worker_close(w);
	}
	while (a->held != NULL && a->held->until_ms <= now)
		exchange_forget(a, a->held);
	for (struct front *f = a->fronts; f < a->fronts + a->nfronts; f++)
		for (size_t i = 0; i < AUTH_ROWS; i++)
			row_end_late(a, &f->rows[i], now);
}

void
auth_on_timer(void *ctx, unsigned what UNUSED)
{
	struct auth *a = ctx;

	tell_due(a);
	end_late(a);
	auth_serve_rows(a);
	auth_set_timer(a);
}

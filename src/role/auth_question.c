/* SPDX-License-Identifier: ISC */
/*
 * Questions: from where there is room for one to where that is given back, rows of
 * them, and exchanges that are held until the client has answered.
 *
 * Runs as: auth_user, caged, in auth.c.  Reads from: nobody.
 */
#include "role/auth_priv.h"

#include "role/attempt.h"
#include "role/permit.h"
#include "role/wire.h"

#include "sys/secmem.h"
#include "watch/log.h"

#define HELD_MS		5000	/* beyond what a front gives its client for a response */

/* Locked when it is used for the first time. */
struct question *
question_new(struct front *f)
{
	struct auth	*a = f->a;
	struct question	*q = a->unused;

	if (q != NULL) {
		a->unused = q->next;
	} else {
		ASSERT(a->used < AUTH_QUESTIONS_MAX + a->nworkers);
		q = &a->pool[a->used++];
		secmem_lock(q, sizeof(*q));
	}
	q->next = NULL;
	q->asked_ms = clock_ms();
	q->front = f->index;
	q->epoch = f->epoch;
	q->db = 0;
	buf_init(&q->token, AUTH_TOKEN_MAX);
	q->proven = false;
	buf_init(&q->message, 0);
	q->binding_n = 0;
	q->with = NULL;
	q->held = false;
	f->questions++;
	return q;
}

struct span
question_secret(const struct question *q)
{
	return buf_len(&q->token) > 0 ? buf_span(&q->token) :
	    secret_span(&q->secret);
}

bool
question_needs_proof(const struct question *q)
{
	return auth_by_proof((enum auth_method)q->method) && !q->proven;
}

struct front *
front_of(struct auth *a, uint32_t index, uint32_t epoch)
{
	struct front *f = &a->fronts[index];

	return f->link >= 0 && f->epoch == epoch ? f : NULL;
}

void
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

uint64_t
question_deadline(const struct auth *a, const struct question *q)
{
	return q->asked_ms + 1000ull * a->conf->role.auth_timeout_s;
}

void
row_put(struct row *r, struct question *q)
{
	*r->last = q;
	r->last = &q->next;
}

struct question *
row_take(struct row *r)
{
	struct question *q = r->first;

	r->first = q->next;
	if (r->first == NULL)
		r->last = &r->first;
	q->next = NULL;
	return q;
}

void
question_count(const struct question *q, enum metric pass, bool judged)
{
	metric_add(pass + (enum metric)q->method, 1);
	if (judged)
		metric_observe(METRIC_LOGIN_MS, clock_ms() - q->asked_ms);
}

void
question_log_lost(const struct question *q, const char *why)
{
	char user[IDENTITY_USER_MAX + 1];

	wire_log_sid(q->sid);
	attempt_log_unjudged(span_cstr(span_of(q->user, q->user_n), user,
	    sizeof(user)) ? user : NULL, &q->peer, why);
	log_set_sid("");
}

void
question_take_message(struct question *q, struct span octets, bool broken)
{
	q->secret.n = 0;
	q->broken = broken;
	buf_init(&q->message, AUTH_MESSAGE_MAX);
	ASSERT(buf_append(&q->message, octets) == 0);
}

bool
question_by_exchange(const struct question *q)
{
	return auth_by_exchange((enum auth_method)q->method) && !q->proven;
}

void
exchange_hold(struct auth *a, struct question *q)
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

void
exchange_take(struct auth *a, struct question *q)
{
	struct front *f = front_of(a, q->front, q->epoch);

	*(q->before == NULL ? &a->held : &q->before->next) = q->next;
	*(q->next == NULL ? &a->held_last : &q->next->before) = q->before;
	q->next = NULL;
	q->held = false;
	if (f != NULL)
		f->held--;
}

struct question *
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

void
exchange_tell_abort(struct auth *a, const struct question *q)
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

void
exchange_forget(struct auth *a, struct question *q)
{
	struct front *f = front_of(a, q->front, q->epoch);

	exchange_take(a, q);
	penalty_end(a->penalty, &q->who);
	exchange_tell_abort(a, q);
	if (f != NULL)
		f->answers--;
	question_free(a, q);
}

void
question_know_user(struct auth *a, struct question *q, struct span user)
{
	uint64_t guess = q->sid;

	if (q->user_n > 0 || user.n == 0)
		return;
	memcpy(q->user, user.p, user.n);
	q->user_n = user.n;
	penalty_end(a->penalty, &q->who);
	/* No two proofs are the same, so each one counts; a token may come again. */
	if (!question_by_exchange(q))
		guess = q->who.guess;
	penalty_case(a->penalty, &q->peer, user, span_of(&guess,
	    sizeof(guess)), &q->who);
}

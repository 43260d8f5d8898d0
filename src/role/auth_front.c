/* SPDX-License-Identifier: ISC */
/*
 * Fronts: their links, what they ask, and their share of what there is room for.
 *
 * Runs as: auth_user, caged, in auth.c.  Reads from: fronts, what strangers say,
 * bounded; one may have been taken over.  Trusts: none.
 */
#include "role/auth_priv.h"

#include "pop/authorize.h"
#include "role/kerberos.h"
#include "role/permit.h"
#include "role/tokens.h"
#include "role/wire.h"

#include "sys/file.h"
#include "watch/log.h"
#include "watch/metrics.h"

#include <errno.h>

#define BATCH		32	/* messages of one front in a row */

void
front_close(struct front *f)
{
	if (f->link < 0)
		return;
	loop_watch_fini(&f->watch);
	outbox_clear(&f->out);
	fd_close(&f->link);
	for (size_t i = 0; i < AUTH_ROWS; i++)
		while (f->rows[i].first != NULL) {
			struct question *q = row_take(&f->rows[i]);

			question_log_lost(q, "the connection was lost");
			question_free(f->a, q);
		}
	for (struct question *q = f->a->held, *next; q != NULL; q = next) {
		next = q->next;
		if (q->front == f->index)
			exchange_forget(f->a, q);
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

void
front_tell(struct front *f, uint64_t sid, uint8_t answer)
{
	struct link_out	*m = &f->a->out;

	link_out_init(m, MSG_VERDICT);
	link_put_u64(m, sid);
	link_put_u8(m, answer);
	outbox_put(&f->out, m, 0, NULL, 0);
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
	if (q->sid == 0 || (question_by_exchange(q) && asked.user.n > 0))
		return fault_set(f, FAULT_PEER, "a question without sense");
	q->user_n = asked.user.n;
	if (asked.user.n > 0)
		memcpy(q->user, asked.user.p, asked.user.n);
	q->binding_n = asked.binding.n;
	if (asked.binding.n > 0)
		memcpy(q->binding, asked.binding.p, asked.binding.n);
	if (!question_by_exchange(q)) {
		if (question_needs_proof(q))
			return buf_append(&q->token, asked.secret);
		ASSERT(secret_set(&q->secret, asked.secret));
		return 0;
	}
	question_take_message(q, asked.secret, asked.broken);
	return 0;
}

/* So many of a front's may be held that there is room for passwords. */
static bool
may_exchange(const struct front *f)
{
	return f->held < AUTH_QUESTIONS_MAX / f->a->nfronts / 2;
}

static bool
has_room(const struct front *f)
{
	return f->questions < AUTH_QUESTIONS_MAX / f->a->nfronts &&
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
	front_tell(f, sid, ANSWER_ERROR);
}

/* Whose secret it is: a master user's has his own score, with what stands before
 * his name, so that it is no user's.  By a token, a certificate or a digest there is
 * none: that name is one user's, whatever is in it. */
static struct span
guessed(const struct auth *a, const struct question *q)
{
	struct span	name = span_of(q->user, q->user_n);
	struct span	user;
	struct span	master;

	return auth_takes_masters((enum auth_method)q->method) &&
	    auth_master_split(&a->conf->auth, name, &user, &master) ?
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
	q = question_new(f);
	if (read_check(m, q, why) != 0) {
		question_free(a, q);
		return -1;
	}
	/* Responses would be anybody's, and wrong ones count for another user. */
	if (question_by_exchange(q) && exchange_find(f, q->sid) != NULL) {
		question_free(a, q);
		return fault_set(why, FAULT_PEER, "an exchange within another");
	}
	if (question_by_exchange(q) && !may_exchange(f)) {
		refuse_full(f, q->sid);
		question_free(a, q);
		return 0;
	}
	f->answers++;
	if (question_by_exchange(q))
		map_put(&a->exchanges, &q->in, q->sid, q);
	penalty_case(a->penalty, &q->peer, guessed(a, q), question_secret(q),
	    &q->who);
	/* It has none yet: who says rubbish must not make others wait who say a token
	 * and no name, or begin an exchange. */
	if (q->user_n == 0)
		q->who.key[PENALTY_USER] = 0;
	if (!question_by_exchange(q) &&
	    !penalty_judged(a->penalty, &q->who, q->asked_ms)) {
		question_leave_unjudged(a, q);
		return 0;
	}
	if (question_needs_proof(q))
		q->db = question_by_exchange(q) ? KERBEROS_DB : TOKENS_DB;
	row_put(&f->rows[q->db], q);
	return 0;
}

/* One that waits for the client. */
static struct question *
held_find(const struct front *f, uint64_t sid)
{
	struct question *q = exchange_find(f, sid);

	return q != NULL && q->held ? q : NULL;
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
			front_tell(f, sid, ANSWER_ERROR);
		return 0;
	}
	exchange_take(a, q);
	q->asked_ms = clock_ms();
	question_take_message(q, octets, broken);
	if (q->with == NULL) {
		question_lose(a, q);
		return 0;
	}
	row_put(&q->with->responses, q);
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
		exchange_forget(f->a, q);
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
	auth_serve_rows(a);
	auth_set_timer(a);
}

void
front_open(struct front *f, int link)
{
	f->link = link;
	f->out = (struct outbox){ .link = link, .lost = on_lost, .ctx = f,
	    .max = AUTH_ANSWERS_MAX / f->a->nfronts };
	outbox_init(&f->out, f->a->loop);
	for (size_t i = 0; i < AUTH_ROWS; i++)
		f->rows[i] = (struct row){ NULL, &f->rows[i].first };
	loop_watch_init(&f->watch, f->a->loop, link, on_front, f);
	loop_watch_set(&f->watch, LOOP_READ, LOOP_NEVER);
}

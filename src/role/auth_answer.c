/* SPDX-License-Identifier: ISC */
/*
 * What a worker's answer means: a yes for the master, a no, a challenge for the client,
 * or a question to the next database.
 *
 * Runs as: auth_user, caged, in auth.c.  Reads from: workers.  Trusts: them.
 */
#include "role/auth_priv.h"

#include "role/permit.h"
#include "role/tokens.h"
#include "role/verdict.h"
#include "role/wire.h"
#include "role/worker.h"

#include "watch/log.h"

void
worker_log(const struct worker *w, const char *word, const char *text)
{
	wire_log_sid(w->q->sid);
	log_text(LEVEL_ERR, word, "%s", text);
	log_set_sid("");
}

/* Who has logged in is told to the master alone. */
static void
admit(struct worker *w, struct wire_admit *who)
{
	struct auth		*a = w->a;
	struct question		*q = w->q;
	struct front		*f = front_of(a, q->front, q->epoch);
	struct fault		 why;

	if (f == NULL) {
		question_log_lost(q, "the connection was lost");
		worker_undecided(w);
		return;
	}
	who->sid = q->sid;
	who->front = q->front;
	who->peer = q->peer;
	who->socket = q->socket;
	wire_put_admit(&a->out, who);
	if (link_send(a->master, &a->out, NULL, 0, &why) != 0) {
		log_fault(LEVEL_ERR, "master-link", &why);
		question_log_lost(q, "see master-link");
		worker_undecided(w);
		return;
	}
	penalty_right(a->penalty, &q->who, clock_ms());
	question_count(q, METRIC_LOGIN_OK, true);
	f->answers--;
	w->q = NULL;
	question_free(a, q);
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
	question_know_user(a, q, user);
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
	question_know_user(a, q, user);
	if (penalty_judged(a->penalty, &q->who, clock_ms()))
		return true;
	w->q = NULL;
	question_leave_unjudged(a, q);
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
	    sid != q->sid || !question_by_exchange(q)) {
		worker_log(w, "worker-died", "a challenge without sense");
		question_log_lost(q, "see worker-died");
		worker_undecided(w);
		return false;
	}
	w->q = NULL;
	w->held++;
	q->with = w;
	question_know_user(a, q, user);
	if (f == NULL) {
		exchange_tell_abort(a, q);
		penalty_end(a->penalty, &q->who);
		question_free(a, q);
	} else if (!question_may_be_judged(a, q)) {
		exchange_tell_abort(a, q);
		question_leave_unjudged(a, q);
	} else {
		exchange_hold(a, q);
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
		worker_log(w, "grant-refused", f.text);
		question_log_lost(w->q, "see grant-refused");
		worker_undecided(w);
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
		question_log_lost(q, "the connection was lost");
		question_free(a, q);
		return;
	}
	q->db = db;
	row_put(&f->rows[db], q);
	auth_set_timer(a);
}

static bool
on_deny(struct worker *w, enum wire_deny how)
{
	if (how == DENY_UNDECIDED) {
		worker_undecided(w);
		/* Who judges tokens is well: who it has asked is not. */
		return w->db >= TOKENS_DB;
	}
	if (how == DENY_UNKNOWN && w->q->with == NULL &&
	    w->db + 1 < w->a->ndbs) {
		pass_on(w, w->db + 1);
		return true;
	}
	question_refuse(w->a, w->q);
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
		worker_log(w, "worker-misbehaved", "a proof without sense");
		question_log_lost(q, "see worker-misbehaved");
		worker_undecided(w);
		return false;
	}
	question_know_user(w->a, q, user);
	q->proven = true;
	q->with = NULL;
	pass_on(w, 0);
	return true;
}

bool
worker_answer(struct worker *w, struct link_in *m)
{
	if (m->type == MSG_RETIRED && !w->retired) {
		w->retired = true;
		w->until_ms = clock_ms() + WORKER_RETIRED_MS;
		return w->q != NULL || w->held > 0;
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

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, in the master.  Reads from: the first message of a session's
 * link, which is root's; then questions without an argument.
 *
 *   EXPECTED --START--> RUNS --end--> (gone)
 *      | 10 s             | died in UPDATE
 *      v                  v
 *    (gone)            RECOVERS --> (gone)
 *
 * Whether a process is at an end says its parent: the spawner, or, for those that
 * have lost theirs, we ourselves.
 *
 * What takes no time is answered here: the dotlock, the release of the session
 * lock.  What may have to wait is a hand's, which answers in our place.
 */
#include "role/places.h"

#include "role/ask.h"
#include "role/ask_log.h"
#include "role/attempt.h"
#include "role/host.h"
#include "role/limit.h"
#include "role/listen.h"
#include "role/order.h"
#include "role/permit.h"
#include "role/session.h"
#include "role/session_end.h"
#include "role/trace.h"
#include "role/wire.h"

#include "drop/digest.h"

#include "base/alloc.h"
#include "base/map.h"
#include "sys/file.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>

#define EXPECTED_MS	10000		/* from the grant to START */
#define HAND		0x80000000u	/* of a tag: not the session itself */
#define ORDERS_MAX	65536		/* that the spawner has not read yet */
#define LOST_TEXT	"the connection was lost"
#define BEGIN_FDS	3		/* more of one that has not told its facts */
#define OTHER_FDS	256		/* of the master, for what is no session */

enum table { BY_SID, BY_SLOT, BY_USER, BY_PID, TABLES };

struct place {
	struct map_node		 in[TABLES];
	struct places		*all;
	struct nest		*nest;
	uint32_t		 slot;
	uint64_t		 sid;
	size_t			 front;
	enum places_stage	 stage;
	uint64_t		 since_ms;
	struct sock_addr	 peer;		/* the client */
	struct sock_addr	 socket;	/* who is at its other end */
	struct identity_brief {
		uid_t	 uid;
		gid_t	 gid;
		char	*user;			/* owns */
	} who;
	int			 link;		/* owns; -1: closed */
	struct loop_watch	 watch;
	bool			 facts_due;
	bool			 begins;	/* no facts have come yet */
	bool			 hand;		/* one is at work */
	pid_t			 parent;	/* the spawner that forked it; or
						   the usher whose it is */
	bool			 perhaps_lost;	/* a spawner died before that was
						   known: was it forked at all? */
	bool			 ended;
	uint32_t		 status;
	bool			 updates;
	bool			 summed;
	struct host_facts	 drop;
	size_t			 person_n;
	uint8_t			 person[];	/* the end of an order, as sent */
};

struct places {
	struct loop		*loop;
	struct tally		*tally;
	size_t			 row;
	bool			 stopping;
	struct map		 tables[TABLES];
	uint32_t		 last_slot;
	size_t			 n;
	size_t			 begin;		/* that do not run yet */
	struct limit_log	 limits;
};

struct places *
places_new(struct loop *l, struct tally *t, size_t row)
{
	struct places *p = xalloc(1, sizeof(*p));

	p->loop = l;
	p->tally = t;
	p->row = row;
	p->limits.refused = tally_refused(t, row);
	return p;
}

size_t
places_count(const struct places *p)
{
	return p->n;
}

/* --- one place ------------------------------------------------------------------ */

static void	on_session(void *ctx, unsigned what);

static void
put(struct place *x, enum table t, uint64_t key)
{
	map_put(&x->all->tables[t], &x->in[t], key, x);
}

/* 0: not yet, not any more, or an usher's. */
static pid_t
pid_of(const struct place *x)
{
	return x->in[BY_PID].of == NULL ? 0 : (pid_t)x->in[BY_PID].key;
}

static uint64_t
user_key(const char *user)
{
	return digest_mark(span_str(user));
}

static unsigned
count_user(const struct places *p, const char *user)
{
	unsigned n = 0;

	for (const struct map_node *x = map_first(&p->tables[BY_USER],
	    user_key(user)); x != NULL; x = map_next(x))
		n += strcmp(((const struct place *)x->of)->who.user, user) == 0;
	return n;
}

static uint32_t
new_slot(struct places *p)
{
	do
		p->last_slot = (p->last_slot + 1) & ~HAND;
	while (p->last_slot == 0 || map_find(&p->tables[BY_SLOT], p->last_slot) != NULL);
	return p->last_slot;
}

/* Its parent has died, so that we are its parent. */
static bool
is_ours(const struct place *x)
{
	return pid_of(x) != 0 && x->parent != x->nest->spawner;
}

static void
set_ended(struct place *x, uint32_t status)
{
	map_take(&x->all->tables[BY_PID], &x->in[BY_PID]);
	x->ended = true;
	x->status = status;
}

static void
set_begins(struct place *x, bool begins)
{
	x->all->begin += begins ? 1u : 0u;
	x->all->begin -= x->begins ? 1u : 0u;
	x->begins = begins;
}

static void
place_free(struct place *x)
{
	for (enum table t = BY_SID; t < TABLES; t++)
		map_take(&x->all->tables[t], &x->in[t]);
	set_begins(x, false);
	x->all->n--;
	x->nest->n--;
	loop_watch_fini(&x->watch);
	fd_close(&x->link);
	host_facts_fini(&x->drop);
	free(x->who.user);
	free(x);
}

/* Its attempt came to no session. */
static void
place_lost(struct place *x, const char *why)
{
	wire_log_sid(x->sid);
	attempt_log_unjudged(x->who.user, &x->peer, why);
	place_free(x);
}

static void
on_late(void *ctx, unsigned what UNUSED)
{
	place_lost(ctx, LOST_TEXT);
}

static enum authorize_answer
full(struct places *p, enum limit which, const struct sock_addr *peer,
    const struct identity *id, enum authorize_answer a)
{
	limit_reached(&p->limits, which, peer);
	attempt_log_unjudged(id->user, peer, limit_word(which));
	return a;
}

/* Whether there is a place for somebody; else his attempt was logged. */
static enum authorize_answer
judge(struct places *p, const struct nest *n, const struct sock_addr *peer,
    struct identity *id)
{
	enum auth_reason why;

	if (!auth_identity_allowed(&n->conf->auth, id, &why)) {
		log_text(LEVEL_ERR, "grant-refused", "%s",
		    auth_reason_word(why));
		attempt_log_unjudged(id->user, peer, "see grant-refused");
		return ANSWER_ERROR;
	}
	/* Who has no descriptor left can hear nobody, and would blame who sent
	 * one. */
	if (p->n >= n->conf->role.max_sessions ||
	    p->n + BEGIN_FDS * p->begin + OTHER_FDS >= fd_limit())
		return full(p, LIMIT_SESSIONS, peer, id, ANSWER_FULL);
	if (count_user(p, id->user) >= n->conf->role.max_sessions_per_user)
		return full(p, LIMIT_USER, peer, id, ANSWER_USER_FULL);
	return ANSWER_YES;
}

enum authorize_answer
places_admit(struct places *p, struct nest *n, size_t front,
    const struct wire_admit *who)
{
	struct identity			 id = who->id;
	UNZEROED struct link_out	 m;
	struct place			*x;
	enum authorize_answer		 a = ANSWER_ERROR;

	if (who->sid != 0 && map_find(&p->tables[BY_SID], who->sid) == NULL)
		a = judge(p, n, &who->peer, &id);
	if (a != ANSWER_YES)
		return a;
	order_put_person(&m, &who->peer, &id, who->cached);
	x = xalloc(1, sizeof(*x) + m.n);
	*x = (struct place){
		.all = p,
		.nest = n,
		.slot = new_slot(p),
		.sid = who->sid,
		.front = front,
		.stage = PLACES_EXPECTED,
		.since_ms = clock_ms(),
		.peer = who->peer,
		.socket = who->socket,
		.who = { id.uid, id.gid, xstrdup(id.user) },
		.link = -1,
		.person_n = m.n,
	};
	memcpy(x->person, m.b, m.n);
	put(x, BY_SID, x->sid);
	put(x, BY_SLOT, x->slot);
	put(x, BY_USER, user_key(id.user));
	loop_watch_init(&x->watch, p->loop, -1, on_late, x);
	loop_watch_set(&x->watch, 0, EXPECTED_MS);
	p->n++;
	n->n++;
	set_begins(x, true);
	return ANSWER_YES;
}

/* --- orders ------------------------------------------------------------------------ */

/* As if the spawner had not been able to fork. */
static void
on_lost_order(void *ctx, uint16_t type, uint32_t tag, const struct fault *f)
{
	struct nest *n = ctx;

	log_fault(LEVEL_ERR, "spawner-link", f);
	if (type != MSG_SIGNAL && type != MSG_SIGNAL_ALL && type != MSG_REAP)
		places_ended(n->all, n, tag, SESSION_UNBORN);
}

void
nest_init(struct nest *n, struct places *p, const struct settings *conf)
{
	*n = (struct nest){
		.all = p,
		.conf = conf,
		.orders = { .link = -1, .max = ORDERS_MAX,
		    .lost = on_lost_order, .ctx = n },
	};
	outbox_init(&n->orders, p->loop);
	if (conf->role.max_sessions + OTHER_FDS > fd_limit())
		log_text(LEVEL_WARN, "few-descriptors", "max_sessions = %u: a"
		    " process may open %zu descriptors, %u more are needed",
		    conf->role.max_sessions, fd_limit(),
		    (unsigned)(conf->role.max_sessions + OTHER_FDS - fd_limit()));
}

/* Takes the descriptors.  tag: of the place, as in the order. */
static void
give_order(struct nest *n, uint32_t tag, const struct link_out *m, int *fds,
    uint8_t nfds)
{
	outbox_put(&n->orders, m, tag, fds, nfds);
	for (uint8_t i = 0; i < nfds; i++)
		fd_close(&fds[i]);
}

static void
order_init(struct link_out *m, const struct place *x, uint16_t type,
    uint32_t tag, uint8_t question)
{
	order_put(m, type, tag, x->sid, question, &x->drop,
	    span_of(x->person, x->person_n));
}

/* An usher that has lost its spawner is our child and hears nobody else: this is for all
 * that it has.  Once it has ended, its number may be another's. */
static void
signal_usher(const struct place *x, bool hard)
{
	int status;

	if (x->parent > 0 && spawn_wait(x->parent, 0, &status) == 0)
		(hard ? spawn_kill : spawn_stop)(x->parent);
}

static void
order_signal(struct place *x, bool hard)
{
	UNZEROED struct link_out m;

	if (is_ours(x))
		(hard ? spawn_kill : spawn_stop)(pid_of(x));
	else if (x->perhaps_lost && !x->ended && (hard || x->all->stopping))
		signal_usher(x, hard);
	if (is_ours(x) || x->ended)
		return;
	link_out_init(&m, MSG_SIGNAL);
	link_put_u32(&m, x->slot);
	link_put_u8(&m, hard ? 1 : 0);
	give_order(x->nest, x->slot, &m, NULL, 0);
}

/* Its link is at an end, and its process soon: then the spawner need not look for
 * it among all that it has. */
static void
order_reap(struct place *x)
{
	UNZEROED struct link_out m;

	if (x->ended || pid_of(x) == 0 || is_ours(x))
		return;
	link_out_init(&m, MSG_REAP);
	link_put_u32(&m, x->slot);
	give_order(x->nest, x->slot, &m, NULL, 0);
}

/* A child with a link to us: session or recovery. */
static int
run(struct place *x, struct link_out *m, int *fds, uint8_t nfds,
    struct fault *f)
{
	if (link_pair(&x->link, &fds[0], f) != 0)
		return -1;
	x->facts_due = true;
	x->perhaps_lost = false;
	x->ended = false;
	loop_watch_fini(&x->watch);
	loop_watch_init(&x->watch, x->all->loop, x->link, on_session, x);
	loop_watch_set(&x->watch, LOOP_READ, LOOP_NEVER);
	give_order(x->nest, x->slot, m, fds, nfds);
	return 0;
}

int
places_start(struct places *p, size_t front, struct link_in *in,
    struct fault *f)
{
	uint64_t	 sid = link_get_u64(in);
	struct place	*x = map_find(&p->tables[BY_SID], sid);
	bool		 relay = in->type == MSG_START_RELAY;
	bool		 three = relay || in->type == MSG_START_REST;
	UNZEROED struct link_out	 m;
	int		 fds[3] = { -1, -1, -1 };
	uint8_t		 said = link_get_u8(in);
	struct words	 words;

	if (x == NULL)
		return 0;	/* it was too late; its client sees the end */
	if (x->stage != PLACES_EXPECTED || x->front != front ||
	    !words_unpack(said, &words))
		return fault_set(f, FAULT_PEER, "START of what is not its own");
	if (listen_check_client(&x->nest->conf->role, in->fds[0], &x->socket,
	    &x->peer, f) != 0) {
		if (f->err != ENOTCONN)
			return -1;
		place_lost(x, LOST_TEXT);	/* it hung up meanwhile */
		return 0;
	}
	/* Of a relay the session has one end to talk to, the client to look at. */
	fds[relay ? 2 : 1] = link_get_fd(in, 0);
	if (three)
		fds[relay ? 1 : 2] = link_get_fd(in, 1);
	order_init(&m, x, relay ? MSG_SPAWN_RELAY : three ? MSG_SPAWN_REST :
	    MSG_SPAWN, x->slot, said);
	x->stage = PLACES_RUNS;
	x->since_ms = clock_ms();
	if (run(x, &m, fds, three ? 3 : 2, f) != 0) {
		wire_log_sid(sid);
		log_fault(LEVEL_ERR, "session-start", f);
		fd_close(&fds[1]);
		fd_close(&fds[2]);
		place_lost(x, "see session-start");
		return 0;
	}
	tally_add(p->tally, p->row, &x->peer, 1);
	metric_add(METRIC_SESSIONS, 1);
	return 0;
}

/* --- the maildrop, as far as we have to do with it ------------------------------- */

static int
attach(const struct place *x, struct host *h, struct identity *id,
    struct fault *f)
{
	*id = (struct identity){ .uid = x->who.uid, .gid = x->who.gid };
	return host_attach(h, x->nest->conf, id, &x->drop, f);
}

static void
start_recovery(struct place *x)
{
	UNZEROED struct link_out	m;
	struct fault	f;
	int		fds[1] = { -1 };

	x->stage = PLACES_RECOVERS;
	order_init(&m, x, MSG_HAND, x->slot, 0);
	if (run(x, &m, fds, 1, &f) == 0)
		return;
	log_fault(LEVEL_ERR, "recovery-fork", &f);
	place_free(x);
}

/* Both its link and its process are at an end. */
static void
finish(struct place *x)
{
	UNZEROED struct identity	id;
	UNZEROED struct host	h;
	struct fault	f;
	bool		open = false;

	wire_log_sid(x->sid);
	if (x->stage == PLACES_RUNS) {
		tally_add(x->all->tally, x->all->row, &x->peer, -1);
		metric_drop(METRIC_SESSIONS);
		session_lost(x->who.user, &x->peer, (int)x->status);
	}
	if ((x->drop.locked || x->drop.dotlock.ino != 0) &&
	    x->drop.path != NULL && attach(x, &h, &id, &f) == 0) {
		open = !host_leave(&h);
		host_detach(&h, &x->drop);
	}
	if (open && x->stage == PLACES_RUNS) {
		start_recovery(x);
		return;
	}
	if (open)
		session_log_open(x->drop.path, x->drop.dotlock.ino != 0);
	place_free(x);
}

static void
finish_if_over(struct place *x)
{
	/* Nobody has its link, which is given up by who dies alone; or by an
	 * usher, whom nobody hears any more. */
	if (x->link < 0 && pid_of(x) == 0 && x->perhaps_lost && !x->ended)
		set_ended(x, x->facts_due ? SESSION_UNBORN : 0);
	if (x->link < 0 && x->ended && !x->hand)
		finish(x);
}

/*
 * A hand that is not heard of any more, or was killed, has answered its session or not:
 * we do not know.  Were we to answer as well, the session would take that for the answer
 * to its next question.  So we give our end of the link up: with the hand's, or the order
 * that was lost, the session sees the end of it, and ends.
 */
static void
give_up_hand(struct place *x)
{
	x->hand = false;
	loop_watch_fini(&x->watch);
	fd_close(&x->link);
}

void
places_ended(struct places *p, const struct nest *n, uint32_t tag,
    uint32_t status)
{
	struct place *x = map_find(&p->tables[BY_SLOT], tag & ~HAND);

	if (x == NULL || x->nest != n)
		return;
	if ((tag & HAND) == 0) {
		set_ended(x, status & ~ENDED_RELEASED);
		if ((status & ENDED_RELEASED) != 0)
			x->drop.locked = false;
	} else if (x->hand && status > 128) {	/* by a signal */
		give_up_hand(x);
	} else if (x->hand) {
		x->hand = false;
		if (status != 0)
			ask_refuse(x->link);
		loop_watch_set(&x->watch, LOOP_READ, LOOP_NEVER);
	}
	finish_if_over(x);
}

void
places_reaped(struct places *p, pid_t pid, uint32_t status)
{
	struct place *x = map_find(&p->tables[BY_PID], (uint64_t)pid);

	if (x == NULL)
		return;
	wire_log_sid(x->sid);
	set_ended(x, status);
	finish_if_over(x);
}

static void
lose_parent(struct place *x)
{
	x->perhaps_lost = pid_of(x) == 0;
	if (x->hand)
		give_up_hand(x);
	if (x->all->stopping)
		order_signal(x, false);
	finish_if_over(x);
}

void
places_spawner_died(struct places *p, const struct nest *n)
{
	struct map_walk	 w = map_walk(&p->tables[BY_SID]);
	struct place	*x;

	while ((x = map_walk_on(&w)) != NULL)
		if (x->stage != PLACES_EXPECTED && x->nest == n)
			lose_parent(x);
}

/* --- questions ------------------------------------------------------------------ */

static int
on_facts(struct place *x, struct link_in *in, struct fault *f)
{
	pid_t	pid;
	int	status;

	if (order_get_facts(in, &x->drop, &pid, &x->parent, f) != 0)
		return -1;
	x->facts_due = false;
	set_begins(x, false);
	if (!x->ended && pid != 0)
		put(x, BY_PID, (uint64_t)pid);
	/* It may be dead, and reaped: how it ended nobody knows any more. */
	if (is_ours(x) && spawn_wait(pid, 0, &status) != 0)
		set_ended(x, 0);
	else if (x->all->stopping && (is_ours(x) || x->perhaps_lost))
		order_signal(x, false);
	return 0;
}

/* A question for which a process is forked, so that nobody else waits. */
static void
give_hand(struct place *x, uint16_t type)
{
	UNZEROED struct link_out	m;
	struct fault	f;
	int		link = -1;

	if (fd_dup_high(x->link, &link, &f) != 0) {
		log_fault(LEVEL_ERR, "session-hand", &f);
		ask_refuse(x->link);
		return;
	}
	order_init(&m, x, MSG_HAND, x->slot | HAND, (uint8_t)type);
	x->hand = true;
	give_order(x->nest, x->slot | HAND, &m, &link, 1);
}

static int
on_question(struct place *x, struct link_in *in, struct fault *f)
{
	UNZEROED struct identity	id;
	UNZEROED struct host	h;
	enum metric	end;
	int		r;

	if (in->type == MSG_LOG_ASK)
		return ask_answer_log(x->link, f);
	if (in->type == MSG_TRACE_ASK)
		return ask_answer_trace(x->link, trace_wants(&(struct trace_who){
		    x->sid, span_str(x->who.user), &x->peer }), f);
	if (in->type == MSG_SUMMARY) {
		r = wire_take_summary(in, clock_ms() - x->since_ms, &x->summed,
		    &end, f);
		if (r == 0)
			limit_ended(&x->all->limits, end, &x->peer);
		return r;
	}
	x->updates = in->type == MSG_LOCK_UPDATE || (x->updates &&
	    in->type != MSG_UNLOCK && in->type != MSG_RELEASE &&
	    in->type != MSG_GIVE_UP);
	switch (in->type) {
	case MSG_LOCK_SCAN:
	case MSG_LOCK_UPDATE:
	case MSG_REFRESH:
	case MSG_UNLOCK:
	case MSG_RELEASE:
	case MSG_GIVE_UP:
		break;
	default:
		give_hand(x, in->type);
		return 0;
	}
	if (x->drop.path == NULL)
		return fault_set(f, FAULT_PEER, "there is no maildrop");
	if (attach(x, &h, &id, f) != 0)
		return -1;
	r = ask_serve(x->link, in->type, &h, f);
	host_detach(&h, &x->drop);
	return r;
}

static void
on_session(void *ctx, unsigned what UNUSED)
{
	struct place	*x = ctx;
	UNZEROED struct link_in	 in;
	struct fault	 f;
	int		 got;

	wire_log_sid(x->sid);
	if (x->facts_due)
		got = link_recv(x->link, permit_facts, permit_facts_n, 0, 0,
		    &in, &f);
	else
		got = link_recv(x->link, permit_from_served,
		    permit_from_served_n, x->stage == PLACES_RUNS ? PHASE_SESSION :
		    PHASE_RECOVERY, 0, &in, &f);
	if (got == 1) {
		if ((x->facts_due ? on_facts(x, &in, &f) :
		    on_question(x, &in, &f)) != 0)
			got = -1;
		link_in_fini(&in);
	}
	if (got < 0 && f.err != EPIPE) {	/* EPIPE: it died behind its question */
		log_fault(LEVEL_ERR, "session-misbehaved", &f);
		order_signal(x, true);
	}
	if (got == 1) {
		if (!x->hand)
			loop_watch_set(&x->watch, LOOP_READ, LOOP_NEVER);
		return;
	}
	loop_watch_fini(&x->watch);
	fd_close(&x->link);
	order_reap(x);
	finish_if_over(x);
}

/* --- time --------------------------------------------------------------------------- */

bool
places_hold_dotlock(const struct places *p)
{
	struct map_walk		 w = map_walk(&p->tables[BY_SID]);
	const struct place	*x;

	while ((x = map_walk_on(&w)) != NULL)
		if (x->drop.dotlock.ino != 0)
			return true;
	return false;
}

void
places_front_died(struct places *p, size_t front)
{
	struct map_walk	 w = map_walk(&p->tables[BY_SID]);
	struct place	*x;

	while ((x = map_walk_on(&w)) != NULL)
		if (x->stage == PLACES_EXPECTED && x->front == front)
			place_lost(x, LOST_TEXT);
}

static struct places_view
view_of(const struct place *x)
{
	return (struct places_view){
		.sid = x->sid,
		.user = x->who.user,
		.peer = &x->peer,
		.pid = (uint32_t)pid_of(x),
		.age_ms = clock_ms() - x->since_ms,
		.stage = x->stage == PLACES_RUNS && x->updates ? PLACES_UPDATES :
		    x->stage,
		.path = x->drop.locked ? x->drop.path : "",
		.person = span_of(x->person, x->person_n),
	};
}

size_t
places_each(struct places *p, enum places_act act, bool (*fn)(void *ctx,
    const struct places_view *v), void *ctx)
{
	struct map_walk	 w = map_walk(&p->tables[BY_SID]);
	struct place	*x;
	size_t		 n = 0;

	while ((x = map_walk_on(&w)) != NULL) {
		const struct places_view v = view_of(x);

		if ((act != PLACES_LOOK && x->stage == PLACES_EXPECTED) || !fn(ctx, &v))
			continue;
		if (act != PLACES_LOOK)
			order_signal(x, act == PLACES_KILL);
		n++;
	}
	return n;
}

void
places_stop(struct places *p)
{
	struct map_walk	 w = map_walk(&p->tables[BY_SID]);
	struct place	*x;

	p->stopping = true;
	/* Those of the spawner hear it from there, by one order. */
	while ((x = map_walk_on(&w)) != NULL)
		if (x->stage == PLACES_EXPECTED)
			place_lost(x, "popper was stopped");
		else if (is_ours(x) || (x->perhaps_lost && !x->facts_due))
			order_signal(x, false);
}

void
nest_stop(struct nest *n)
{
	struct link_out m;

	link_out_init(&m, MSG_SIGNAL_ALL);
	give_order(n, 0, &m, NULL, 0);
}

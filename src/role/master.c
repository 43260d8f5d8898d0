/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root.  Reads from: its configuration; typed, bounded messages of the
 * roles that it starts.  No octet of a client's, no password, no answer of a name
 * server.  Trusts: auth for who has logged in, but not for ids (checked here once
 * more); the spawner; the first message of a session, which is root's; else nobody.
 *
 * Everything that runs as root in popper serve:
 *
 *   the master's own	this file, crew.c, places.c, ctl_act.c: fewer than 1,500
 *			lines of code, which tests/floors.py counts
 *   what it shares	child.c (with ushers); order.c (with the spawner); service.c and
 *			listen.c (with serve.c); ask.c, session_end.c and those of host.h
 *			(with monitor*.c); attempt.c, edition.c, limit.c, auth/network.c, permit.c,
 *			penalty.c (made here, for auths), tally.c, trace.c, wire.c, ctl_wire.c,
 *			auth/policy.c; ctl_listen (ctl.c), exporter_listen (exporter.c)
 *			and, at a reload, cmd/reload.c, up to the fork
 *   its children	become.c, ctl_answer.c and each role's start, up to its cage; who
 *			judges a reload: check_start and check_absent (cmd/check.h),
 *			names.c, probe.c
 *   who forks		spawner.c, groups.c, usher.c, with drop/copy.c and spool.c (with
 *			a user's rights on files); session.c up to become_user
 *   passwords		warden.c, and those of worker_priv.h with auth/pam.c
 *   beneath them	base/, sys/, watch/, conf/
 *
 * Both ends of each link are kept here: a spawner, warden or resolver that dies is
 * started anew with the ends that its predecessor had, and the other side need not
 * know.  A front, an auth, or who has misbehaved leaves no link behind: the next one
 * has new ones, and the other side is told.
 *
 * A reload makes a second crew beside the first, which takes nobody any more and
 * ends with those whom it has: its fronts with their strangers, auth, warden and
 * resolver when no front has any, the spawner with the last session that it knows.
 * Who dies before is started anew, but for a front, which has nobody then.  Links of
 * a front that has no strangers any more have no other end here, so that all end.
 */
#include "role/master.h"

#include "pop/authorize.h"
#include "role/attempt.h"
#include "role/crew.h"
#include "role/exporter.h"
#include "role/gauges.h"
#include "role/host.h"
#include "role/permit.h"
#include "role/probe.h"
#include "role/service.h"
#include "role/trace.h"
#include "role/wire.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/loop.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"
#include "watch/metrics.h"

#include <stdlib.h>

#define RESPAWN_MS	1000		/* who dies at once is not started at once */
#define TICK_MS		1000
#define STOP_WAIT_MS	10000		/* for sessions, before we go */
#define UPDATE_WAIT_MS	50000		/* more, for those under a dotlock */
#define LEAVES_MS	30000		/* for a front to take nobody any more */

struct master {
	struct loop		*loop;
	struct tally		*tally;
	struct tickets		*tickets;	/* likewise; of fronts and keeper */
	struct penalty		*penalty;	/* made here, used by auths */
	struct service		 service;
	struct crew		*crew;		/* the youngest; owns all */
	struct places		*places;
	struct ctl_start	 ctl;
	int			 exporter;	/* a listener, or -1 */
	struct loop_watch	 tick;
	struct loop_watch	 judge;		/* of the settings that shall be */
	/* A reload is under way: those are judged; older fronts still take clients. */
	enum { SETTLED, JUDGED, TAKEN } reload;
	bool			 again;		/* one more is wanted */
	bool			 stopping;
	uint64_t		 began_ms;
	uint64_t		 stop_ms;
	uint64_t		 came;		/* clients, when it was asked */
};

static struct master	m;	/* one of a process; call-backs know their role */

/* --- roles ------------------------------------------------------------------- */

static void	reload_settle(const struct fault *refused);

static struct role *
front_at(struct crew *c, size_t i)
{
	return &c->roles[c->nroles - c->nfronts + i];
}

/* What a dead front has said, or done to its links, is not the next one's. */
static int
front_renew(const struct role *r, struct fault *f)
{
	struct crew			*c = r->crew;
	UNZEROED struct link_out	 out;
	const struct {
		enum kind		 kind;
		struct link_ends	*ends;
	} others[] = {
		{ AUTH,		&c->to_auth[r->index] },
		{ RESOLVER,	&c->to_resolver[r->index] },
		{ KEEPER,	&c->to_keeper[r->index] },
	};

	link_out_init(&out, MSG_FRONT);
	link_put_u32(&out, (uint32_t)r->index);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct role *to = crew_role(c, others[i].kind);

		if (to != NULL && outbox_renew(&to->child.out, &out,
		    others[i].ends, &others[i].ends->b, f) != 0)
			return -1;
	}
	return 0;
}

/* auth and its warden may both have spoilt their link: they begin together.  Fronts
 * are told, or their strangers would wait for what the dead one was asked. */
static int
auth_renew(const struct role *auth, struct fault *f)
{
	UNZEROED struct link_out	 out;
	struct crew			*c = auth->crew;

	if (c->roles[WARDEN].child.pid > 0)
		spawn_stop(c->roles[WARDEN].child.pid);
	if (link_ends_renew(&c->to_warden, f) != 0)
		return -1;
	link_out_init(&out, MSG_AUTH);
	for (size_t i = 0; i < c->nfronts; i++)
		if (c->to_auth[i].a >= 0 && outbox_renew(&front_at(c,
		    i)->child.out, &out, &c->to_auth[i], &c->to_auth[i].a, f) != 0)
			return -1;
	return 0;
}

/* Before it is started anew. */
static int
renew(struct role *r, struct fault *f)
{
	if ((r->child.mad || r->kind == FRONT || r->kind == AUTH) &&
	    child_links(&r->child, f) != 0)
		return -1;
	if (r->kind == FRONT)
		return front_renew(r, f);
	return r->kind == AUTH ? auth_renew(r, f) : 0;
}

static void
role_start(struct role *r)
{
	bool		again = r->child.began_ms != 0;
	struct fault	f;

	r->child.began_ms = clock_ms();
	r->child.pid = again && renew(r, &f) != 0 ? -1 : spawn_fork(&f);
	if (r->child.pid == 0)
		role_become(r);
	if (r->child.pid < 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		r->child.pid = 0;
		loop_watch_set(&r->again, 0, RESPAWN_MS);
	}
	if (r->kind == SPAWNER) {
		r->crew->nest.orders.link = r->child.link.a;
		r->crew->nest.spawner = r->child.pid;
	}
}

/* Of a crew that leaves, or of ours when we stop: by strangers who may log in yet, or by
 * sessions, which may have questions for a hand, or die and have to be recovered. */
static bool
is_needed(const struct role *r)
{
	const struct crew *c = r->crew;

	return (r->kind == SPAWNER && c->nest.n > 0) || (!m.stopping &&
	    (!c->leaving || (r->kind <= RESOLVER && crew_asks(c))));
}

static void
on_again(void *ctx, unsigned what UNUSED)
{
	struct role *r = ctx;

	loop_watch_fini(&r->again);
	if (is_needed(r))
		role_start(r);
}

static void
role_ended(struct role *r, int status)
{
	uint64_t	lived = clock_ms() - r->child.began_ms;
	bool		expected;

	if (r->kind == AUTH)
		penalty_left(m.penalty, (uint32_t)r->child.pid);
	r->child.pid = 0;
	if (r->kind == FRONT || r->kind == SPAWNER || r->kind == CTL)
		child_hear_out(&r->child);
	if (r->kind == FRONT) {
		tally_clear(m.tally, r->row);
		places_front_died(m.places, r->row);
	}
	if (r->kind == SPAWNER) {
		r->crew->nest.spawner = 0;
		places_spawner_died(m.places, &r->crew->nest);
	}
	expected = !is_needed(r) && (m.stopping || status == 0 ||
	    r->kind == CTL || r->kind == METRICS);
	role_count_end(r, expected);
	reload_settle(NULL);
	if (expected)
		return;
	child_log_died(&r->child, status);
	loop_watch_set(&r->again, 0, lived < RESPAWN_MS ? RESPAWN_MS : 0);
}

static struct role *
role_of_pid(pid_t pid)
{
	for (struct crew *c = m.crew; c != NULL; c = c->next)
		for (size_t i = 0; i < c->nroles; i++)
			if (c->roles[i].child.pid == pid)
				return &c->roles[i];
	return NULL;
}

static void
on_child(void *ctx UNUSED)
{
	struct role	*r;
	pid_t		 pid;
	int		 status;

	while ((pid = spawn_reap(&status)) > 0) {
		log_set_sid("");
		ctl_reaped(pid);
		r = role_of_pid(pid);
		if (r != NULL)
			role_ended(r, status);
		else
			places_reaped(m.places, pid, (uint32_t)status);
	}
}

/* --- what they say ------------------------------------------------------------- */

/* Somebody has logged in, auth says. */
static int
on_auth(struct role *auth, struct link_in *in, struct fault *f)
{
	struct crew			*c = auth->crew;
	UNZEROED struct wire_admit	who;
	UNZEROED struct link_out	verdict;
	enum authorize_answer		answer;
	struct role			*r;

	if (wire_get_admit(in, &who, f) != 0)
		return -1;
	if (who.front >= c->nfronts)
		return fault_set(f, FAULT_PEER, "front %u", who.front);
	r = front_at(c, who.front);
	wire_log_sid(who.sid);
	if (r->child.pid == 0 || m.stopping) {	/* the client is gone with it */
		attempt_log_unjudged(who.id.user, &who.peer, m.stopping ?
		    "popper was stopped" : "the connection was lost");
		return 0;
	}
	answer = places_admit(m.places, &c->nest, r->row, &who);
	link_out_init(&verdict, MSG_VERDICT);
	link_put_u64(&verdict, who.sid);
	link_put_u8(&verdict, (uint8_t)answer);
	outbox_put(&r->child.out, &verdict, 0, NULL, 0);
	return 0;
}

static int
on_front(struct role *r, struct link_in *in, struct fault *f)
{
	if (in->type != MSG_LEAVES && in->type != MSG_RELAYS)
		return places_start(m.places, r->row, in, f);
	if (!r->crew->leaving)
		return fault_set(f, FAULT_PEER, "it leaves, and was not told to");
	if (in->type == MSG_RELAYS)
		crew_link_close(r->crew, r->index);
	r->leaves = true;
	reload_settle(NULL);
	return 0;
}

static int
on_spawner(struct role *r, struct link_in *in, struct fault *f UNUSED)
{
	uint32_t tag = link_get_u32(in);

	places_ended(m.places, &r->crew->nest, tag, link_get_u32(in));
	return 0;
}

static int
on_ctl(struct role *r UNUSED, struct link_in *in, struct fault *f)
{
	const struct ctl_host h = { m.crew, m.places, m.stopping, m.began_ms };

	log_set_sid("");
	return ctl_act(&h, in, f);
}

/* Who is not here has nothing to say. */
static const struct says {
	const struct link_permit	*table;
	const size_t			*n;
	int				(*hear)(struct role *r,
					    struct link_in *in, struct fault *f);
} says[] = {
	[AUTH]		= { permit_admit, &permit_admit_n, on_auth },
	[SPAWNER]	= { permit_ended, &permit_ended_n, on_spawner },
	[CTL]		= { permit_ctl_act, &permit_ctl_act_n, on_ctl },
	[FRONT]		= { permit_start, &permit_start_n, on_front },
};

static int
on_role(void *ctx, struct link_in *in, struct fault *f)
{
	struct role *r = ctx;

	return says[r->kind].hear(r, in, f);
}

static int
role_add(struct crew *c, enum kind kind, size_t index, struct fault *f)
{
	struct role		*r = &c->roles[c->nroles++];
	const struct says	*s = &says[kind];

	*r = (struct role){ .crew = c, .kind = kind, .index = index };
	r->child = (struct child){ .word = role_word(r), .says = s->table,
	    .nsays = s->n == NULL ? 0 : *s->n, .hear = on_role, .ctx = r,
	    .traced = kind == FRONT ? trace_on : NULL };
	child_init(&r->child, m.loop);
	loop_watch_init(&r->again, m.loop, -1, on_again, r);
	return child_links(&r->child, f);
}

/* --- crews --------------------------------------------------------------------- */

static int
make_roles(struct crew *c, struct fault *f)
{
	if (role_add(c, AUTH, 0, f) != 0 || role_add(c, WARDEN, 0, f) != 0 ||
	    role_add(c, SPAWNER, 0, f) != 0 ||
	    (c->edition->s.role.peer_check && role_add(c, RESOLVER, 0, f) != 0) ||
	    (c->ctl.listener >= 0 && role_add(c, CTL, 0, f) != 0) ||
	    (c->exporter >= 0 && role_add(c, METRICS, 0, f) != 0) ||
	    (c->edition->s.role.tls_certificate.n > 0 &&
	    role_add(c, KEEPER, 0, f) != 0))
		return -1;
	for (size_t i = 0; i < c->nfronts; i++)
		if (role_add(c, FRONT, i, f) != 0)
			return -1;
	return crew_rows_take(c, m.crew, f);
}

static void
crew_free(struct crew *c)
{
	for (size_t i = 0; i < c->nroles; i++) {
		loop_watch_fini(&c->roles[i].again);
		child_close(&c->roles[i].child);
	}
	for (size_t i = 0; i < c->nfronts; i++)
		crew_link_close(c, i);
	outbox_clear(&c->nest.orders);
	edition_free(c->edition);
	free(c);
}

/* Takes e, when it succeeds; nobody is started yet. */
static struct crew *
crew_new(struct edition *e, const struct listeners *l, struct fault *f)
{
	struct crew	*c = xalloc(1, sizeof(*c));

	c->edition = e;
	c->listeners = *l;
	c->tally = m.tally;
	c->tickets = m.tickets;
	c->penalty = m.penalty;
	c->ctl = m.ctl;
	c->exporter = m.exporter;
	c->nfronts = crew_fronts_wanted(&e->s);
	if (crew_links_make(c, f) != 0 || make_roles(c, f) != 0) {
		c->edition = NULL;
		crew_free(c);
		return NULL;
	}
	nest_init(&c->nest, m.places, &e->s);
	return c;
}

static void
crew_start(struct crew *c)
{
	c->next = m.crew;
	m.crew = c;
	for (size_t i = 0; i < c->nroles; i++)
		role_start(&c->roles[i]);
}

/* -1: it has to be killed, the fault says why. */
static int
judge(const struct role *r, struct fault *f)
{
	const struct crew	*c = r->crew;
	uint64_t		 age = clock_ms() - c->since_ms;

	if (r->kind == FRONT && tally_lies(m.tally, r->row))
		return fault_set(f, FAULT_PEER, "%s: a false tally", role_word(r));
	/* Fronts may have sessions to relay, as long as there are any. */
	if (c->leaving && ((c->nest.n == 0 &&
	    age >= crew_leave_ms(&c->edition->s)) ||
	    (r->kind == FRONT && !r->leaves && age >= LEAVES_MS)))
		return fault_set(f, FAULT_PEER, "%s: it does not leave",
		    role_word(r));
	return 0;
}

/* False when it leaves, and nobody of it is left. */
static bool
crew_tick(struct crew *c)
{
	bool over = c->leaving && c->nest.n == 0;

	for (size_t i = 0; i < c->nroles; i++) {
		struct role	*r = &c->roles[i];
		struct fault	 f;

		/* Nobody takes its place; what it has not read goes as well, or a link
		 * to auth that lies there would never end. */
		if (c->leaving && r->kind == FRONT && r->child.pid == 0) {
			crew_link_close(c, r->index);
			child_close(&r->child);
		}
		if (r->child.pid == 0 || r->kind == SPAWNER)
			continue;
		over = false;
		if (judge(r, &f) != 0)
			child_misbehaved(&r->child, &f);
	}
	return !over;
}

static void
tick_crews(void)
{
	struct crew **at = &m.crew;

	while (*at != NULL) {
		struct crew *c = *at;

		if (crew_tick(c)) {
			at = &c->next;
		} else {
			*at = c->next;
			crew_free(c);
		}
	}
}

static void
tell_to_leave(struct role *r, uint32_t last_at)
{
	UNZEROED struct link_out out;

	if (r->child.pid == 0)
		return;
	link_out_init(&out, MSG_LEAVE);
	link_put_u32(&out, last_at);
	if (r->kind > RESOLVER && r->kind != FRONT)
		spawn_stop(r->child.pid);
	else if (r->kind != WARDEN && r->kind != SPAWNER)
		outbox_put(&r->child.out, &out, 0, NULL, 0);
}

static void
crew_leave(struct crew *c, const struct listeners *kept)
{
	uint32_t last_at = 0;

	c->leaving = true;
	c->since_ms = clock_ms();
	for (size_t i = 0; i < c->listeners.n; i++)
		if (!listeners_have(kept, c->listeners.one[i].fd))
			last_at |= 1u << i;
	for (size_t i = 0; i < c->nroles; i++)
		tell_to_leave(&c->roles[i], last_at);
	(void)crew_tick(c);
	listeners_close_others(&c->listeners, kept);
}

/* --- reload -------------------------------------------------------------------- */

static struct service_state
state(void)
{
	return (struct service_state){ m.crew->listeners.n,
	    places_count(m.places), m.crew->edition->s.role.max_sessions };
}

/* Are there fronts that still take clients, under older settings? */
static bool
old_ones_take(void)
{
	for (const struct crew *c = m.crew->next; c != NULL; c = c->next)
		for (size_t i = 0; i < c->nroles; i++)
			if (c->roles[i].kind == FRONT && c->roles[i].child.pid > 0 &&
			    !c->roles[i].leaves)
				return true;
	return false;
}

/* Its end, when the fronts have left; refused: at once, and why. */
static void
reload_settle(const struct fault *refused)
{
	struct service_state how = state();

	if (m.reload == SETTLED || (refused == NULL && (m.reload == JUDGED ||
	    old_ones_take())))
		return;
	m.reload = SETTLED;
	log_set_sid("");
	service_reloaded(&m.service, &how, refused);
	ctl_reload_over(refused);
	loop_watch_set(&m.tick, 0, 0);
}

/* Nothing has changed when it is refused. */
static int
change(struct fault *f)
{
	struct crew		*old = m.crew;
	struct listeners	 next;
	struct edition		*e = service_propose(&m.service, old->edition,
				    &old->listeners, &next, f);
	struct crew		*c;

	if (e == NULL)
		return -1;
	c = crew_new(e, &next, f);
	if (c == NULL) {
		service_withdraw(&m.service, e, &old->listeners, &next);
		return -1;
	}
	service_accept(&m.service, old->edition, e, &old->listeners, &next);
	crew_start(c);
	crew_leave(old, &next);
	return 0;
}

/* Or it was not, in time. */
static void
on_judged(void *ctx UNUSED, unsigned what UNUSED)
{
	struct fault f;

	loop_watch_fini(&m.judge);
	m.reload = TAKEN;
	log_set_sid("");
	if (!m.stopping)
		reload_settle(change(&f) == 0 ? NULL : &f);
}

static void
reload(void)
{
	const struct edition_ears	ears = ctl_reload_begins();
	struct fault			f;
	int				fd;

	m.again = false;
	m.reload = JUDGED;
	if (service_reload(&m.service, m.crew->edition, &ears, &fd, &f) < 0) {
		reload_settle(&f);
		return;
	}
	loop_watch_init(&m.judge, m.loop, fd, on_judged, NULL);
	loop_watch_set(&m.judge, LOOP_READ, EDITION_JUDGED_MS);
}

void
master_reload(void)
{
	m.again = true;
	loop_watch_set(&m.tick, 0, 0);
}

static void
on_hangup(void *ctx UNUSED)
{
	master_reload();
}

/* --- beginning and end ------------------------------------------------------------ */

/* A warden ends with its auth, which would take it for dead. */
static void
stop_roles(bool fronts_only)
{
	for (struct crew *c = m.crew; c != NULL; c = c->next)
		for (size_t i = 0; i < c->nroles; i++)
			if (c->roles[i].child.pid > 0 && (c->roles[i].kind ==
			    FRONT || (!fronts_only && c->roles[i].kind != WARDEN)))
				spawn_stop(c->roles[i].child.pid);
}

/* Whose port is still taken cannot be started anew: fronts have it, too. */
static bool
is_over(void)
{
	if (clock_ms() >= m.stop_ms + (places_hold_dotlock(m.places) ?
	    UPDATE_WAIT_MS : 0))
		return true;
	for (struct crew *c = m.crew; c != NULL; c = c->next)
		for (size_t i = 0; i < c->nroles; i++)
			if (c->roles[i].kind == FRONT && c->roles[i].child.pid > 0)
				return false;
	return places_count(m.places) == 0;
}

void
master_stop(void)
{
	static const struct fault stops = { .class = FAULT_TEMP,
	    .text = "popper stops" };

	if (m.stopping)
		return;
	m.stopping = true;
	m.reload = SETTLED;		/* READY is not said any more */
	(void)ctl_reload_begins();
	ctl_reload_over(&stops);
	manager_stopping(&m.service.manager);
	m.stop_ms = clock_ms() + STOP_WAIT_MS;
	listeners_close(&m.crew->listeners);
	stop_roles(true);
	places_stop(m.places);
	for (struct crew *c = m.crew; c != NULL; c = c->next)
		nest_stop(&c->nest);
	loop_watch_set(&m.tick, 0, 0);
}

static void
on_stop(void *ctx UNUSED)
{
	master_stop();
}

/*
 * For inetd, which has the socket, too: who comes from now on waits there for the next
 * server.  Nobody is cut off, so it ends only when all fronts are shut with nobody
 * within; nor is anybody waited for, as he could keep all others out for as long as he
 * stays.  Who came and went since the last look was here.
 */
static void
stop_if_idle(void)
{
	const uint64_t	came = metric_sum(METRIC_CONNECTIONS);
	const bool	empty = came == m.came && m.crew->next == NULL &&
	    places_count(m.places) == 0 && gauges_strangers(m.tally) == 0;

	m.came = came;
	if (!service_idle(&m.service, &m.crew->edition->s, empty) ||
	    !tally_shut(m.tally))
		return;
	service_returns(&m.crew->listeners);
	master_stop();
}

static void
on_tick(void *ctx UNUSED, unsigned what UNUSED)
{
	const struct service_state how = state();
	uint64_t	ms = m.stopping ? 20 : TICK_MS;

	log_set_sid("");
	if (!m.stopping) {
		tick_crews();
		if (m.again && m.reload == SETTLED)
			reload();
	}
	service_turn(&m.service, m.stopping ? NULL : &how, &ms);
	loop_watch_set(&m.tick, 0, ms);
	if (m.stopping && is_over())
		loop_end(m.loop);
	if (m.service.inetd >= 0 && !m.stopping)
		stop_if_idle();
}

static struct crew *
prepare(struct edition *e, struct fault *f)
{
	struct listeners l;

	fd_limit_raise();
	m.began_ms = clock_ms();
	m.loop = loop_new(f);
	if (m.loop == NULL)
		return NULL;
	/* Before it listens, and so is known to be there: what they ask for is done
	 * when the loop runs. */
	loop_on_signal(m.loop, LOOP_CHILD, on_child, NULL);
	loop_on_signal(m.loop, LOOP_STOP, on_stop, NULL);
	loop_on_signal(m.loop, LOOP_INTERRUPT, on_stop, NULL);
	loop_on_signal(m.loop, LOOP_HANGUP, on_hangup, NULL);
	m.tally = tally_new(TALLY_MASTER + 1, crew_most(&e->s), f);
	m.tickets = tickets_new(f);
	m.penalty = penalty_new(f);
	if (m.tally == NULL || m.penalty == NULL || m.tickets == NULL ||
	    host_folders(&e->s, f) != 0 ||
	    metrics_new(TALLY_MASTER + 1, TALLY_MASTER, f) != 0 ||
	    trace_new(e->s.role.run_dir, f) != 0 ||
	    /* Better no server than one whose fronts cannot begin. */
	    (e->s.role.tls_certificate.n > 0 && probe_cages(&e->s, f) != 0) ||
	    service_begin(&m.service, &e->s, &l, f) != 0)
		return NULL;
	ctl_listen(&e->s, m.service.inetd >= 0, &m.ctl);
	m.exporter = exporter_listen(&e->s);
	m.places = places_new(m.loop, m.tally, TALLY_MASTER);
	return crew_new(e, &l, f);
}

int
master_run(struct edition *e, const struct edition_source *source, int inetd,
    struct fault *f)
{
	struct service_state	 how;
	struct crew		*c;

	m.service = (struct service){ source, "sessions", .inetd = inetd };
	spawn_adopt();
	c = prepare(e, f);
	if (c == NULL) {
		log_fault(LEVEL_ERR, "listen", f);
		return 1;
	}
	loop_watch_init(&m.tick, m.loop, -1, on_tick, NULL);
	loop_watch_set(&m.tick, 0, 0);
	on_child(NULL);		/* one of before may have ended already */
	crew_start(c);
	how = state();
	service_ready(&m.service, &how);
	loop_run(m.loop);
	log_set_sid("");
	service_stopped(&m.service, places_count(m.places));
	stop_roles(false);
	/* If there is one: a restart listens there, and who has it may be ending still. */
	sock_shutdown(m.exporter);
	return 0;
}

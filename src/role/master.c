/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root.  Reads from: its configuration; typed, bounded messages of the
 * roles that it starts.  No octet of a client's, no password, no answer of a name
 * server.  Trusts: auth for who has logged in, but not for ids (checked here once
 * more); the spawner; the first message of a session, which is root's; else nobody.
 *
 * Code that runs as root: this file, places.c and due.c; spawner.c, host.c, ask.c and the
 * first half of session.c up to become_user; warden.c, and worker.c with the PAM
 * back end; what they call in sys/, watch/, conf/, and in listen.c and network.c,
 * which read rows of the configuration; and each role's start up to its cage.
 *
 * Links are made once and both ends kept here: who dies is started anew with the
 * ends that its predecessor had, and the other side need not know.
 */
#include "role/master.h"

#include "pop/authorize.h"
#include "role/ask.h"
#include "role/auth.h"
#include "role/due.h"
#include "role/fronts.h"
#include "role/host.h"
#include "role/listen.h"
#include "role/permit.h"
#include "role/places.h"
#include "role/resolver.h"
#include "role/spawner.h"
#include "role/tally.h"
#include "role/warden.h"
#include "role/wire.h"

#include "sys/file.h"
#include "sys/loop.h"
#include "sys/signals.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <stdio.h>
#include <stdlib.h>

#define LISTENERS_MAX	64
#define FRONTS_MAX	64
#define RESPAWN_MS	1000		/* who dies at once is not started at once */
#define TICK_MS		1000
#define STOP_WAIT_MS	10000		/* for sessions, before we go */
#define UPDATE_WAIT_MS	50000		/* more, for those under a dotlock */
#define VERDICTS_MAX	4096		/* that fronts are too busy to take */
#define AGAIN_MS	50		/* to a busy front */

/* The two ends of a link between roles. */
struct pair {
	int	a;
	int	b;
};

enum kind { AUTH, WARDEN, SPAWNER, RESOLVER, FRONT };

struct role {
	enum kind		 kind;
	size_t			 index;		/* of a front */
	pid_t			 pid;		/* 0: not there */
	uint64_t		 began_ms;
	bool			 mad;		/* it is not listened to */
	struct pair		 link;		/* a: ours, of its questions */
	struct pair		 log;		/* a: ours */
	struct loop_watch	 on_link;
	struct loop_watch	 on_log;
	struct loop_watch	 again;		/* when it is started anew */
};

struct master {
	const struct settings	*conf;
	const char		*hostname;
	struct loop		*loop;
	struct tally		*tally;
	int			 listeners[LISTENERS_MAX];
	size_t			 nlisteners;
	size_t			 nfronts;
	struct pair		 to_auth[FRONTS_MAX];	/* a: front, b: auth */
	struct pair		 to_resolver[FRONTS_MAX];
	struct pair		 to_warden;		/* a: auth */
	struct role		 roles[FRONT + FRONTS_MAX];
	size_t			 nroles;
	struct places		*places;
	struct places_spawner	 spawner;
	struct due_heap		 verdicts;	/* that are to be told again */
	struct loop_watch	 again;
	struct loop_watch	 tick;
	bool			 stopping;
	uint64_t		 stop_ms;
};

static struct master	m;	/* one of a process; call-backs know their role */

/* --- roles ------------------------------------------------------------------- */

static void	on_role(void *ctx, unsigned what);
static void	on_role_log(void *ctx, unsigned what);
static int	read_role(struct role *r, struct fault *f);

static void NORETURN
be_auth(const struct role *r)
{
	int			ends[FRONTS_MAX];
	struct auth_start	a = {
		.conf = m.conf,
		.fronts = ends,
		.nfronts = m.nfronts,
		.master = r->link.b,
		.warden = m.to_warden.a,
		.log_link = r->log.b,
	};

	for (size_t i = 0; i < m.nfronts; i++)
		ends[i] = m.to_auth[i].b;
	auth_main(&a);
}

static void NORETURN
be_resolver(const struct role *r)
{
	int			ends[FRONTS_MAX];
	struct resolver_conf	c = resolver_conf_of(m.conf);

	for (size_t i = 0; i < m.nfronts; i++)
		ends[i] = m.to_resolver[i].b;
	resolver_main(&c, ends, m.nfronts, r->link.b, r->log.b);
}

static void NORETURN
be_front(const struct role *r)
{
	struct fronts_start a = {
		.conf = m.conf,
		.host = m.hostname,
		.index = r->index,
		.of = m.nfronts,
		.listeners = m.listeners,
		.nlisteners = m.nlisteners,
		.auth = m.to_auth[r->index].a,
		.master = r->link.b,
		.resolver = m.conf->role.peer_check ?
		    m.to_resolver[r->index].a : -1,
		.log_link = r->log.b,
		.tally = m.tally,
	};

	fronts_main(&a);
}

static const char *const words[] = {
	[AUTH] = "popper-auth", [WARDEN] = "popper-warden",
	[SPAWNER] = "popper-spawner", [RESOLVER] = "popper-resolver",
	[FRONT] = "popper-front",
};

static void NORETURN
be_role(const struct role *r)
{
	struct fault f;

	spawn_name(words[r->kind]);
	/* A terminal of ours is nothing for who talks to strangers. */
	if (fd_null_standard(&f) != 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		spawn_exit(1);
	}
	if (r->kind != FRONT)
		tally_free(m.tally);
	switch (r->kind) {
	case AUTH:
		be_auth(r);
	case WARDEN:
		warden_main(m.conf, m.to_warden.b, r->log.b);
	case SPAWNER:
		spawner_main(m.conf, m.hostname, r->link.b, r->log.b);
	case RESOLVER:
		be_resolver(r);
	case FRONT:
		be_front(r);
	}
	spawn_exit(1);
}

static int
pair_renew(struct pair *p, struct fault *f)
{
	fd_close(&p->a);
	fd_close(&p->b);
	return link_pair(&p->a, &p->b, f);
}

static int
own_links(struct role *r, struct fault *f)
{
	loop_watch_fini(&r->on_link);
	loop_watch_fini(&r->on_log);
	r->mad = false;
	if (pair_renew(&r->link, f) != 0 || pair_renew(&r->log, f) != 0)
		return -1;
	loop_watch_init(&r->on_link, m.loop, r->link.a, on_role, r);
	loop_watch_init(&r->on_log, m.loop, r->log.a, on_role_log, r);
	loop_watch_set(&r->on_link, LOOP_READ, LOOP_NEVER);
	loop_watch_set(&r->on_log, LOOP_READ, LOOP_NEVER);
	return 0;
}

static struct role *
role_of(enum kind kind, size_t index)
{
	struct role *r = m.roles;

	while (r->kind != kind || r->index != index)
		r++;
	return r;
}

static int
tell_front(enum kind whom, size_t index, struct pair *p, struct fault *f)
{
	UNZEROED struct link_out out;

	if (pair_renew(p, f) != 0)
		return -1;
	link_out_init(&out, MSG_FRONT);
	link_put_u32(&out, (uint32_t)index);
	return link_send(role_of(whom, 0)->link.a, &out, &p->b, 1, f);
}

/* What a dead front has said, or done to its links, is not the next one's. */
static int
front_renew(struct role *r, struct fault *f)
{
	if (own_links(r, f) != 0 ||
	    tell_front(AUTH, r->index, &m.to_auth[r->index], f) != 0)
		return -1;
	if (m.conf->role.peer_check && tell_front(RESOLVER, r->index,
	    &m.to_resolver[r->index], f) != 0)
		log_fault(LEVEL_ERR, "resolver-link", f);
	return 0;
}

/* Before it is started anew.  auth and its warden may both have spoilt their link:
 * they begin together. */
static int
renew(struct role *r, struct fault *f)
{
	const struct role *warden = role_of(WARDEN, 0);

	if (r->kind == FRONT)
		return front_renew(r, f);
	if (r->kind == AUTH && warden->pid > 0)
		spawn_stop(warden->pid);
	if (r->kind == AUTH && pair_renew(&m.to_warden, f) != 0)
		return -1;
	return r->mad ? own_links(r, f) : 0;
}

static void
role_start(struct role *r)
{
	bool		again = r->began_ms != 0;
	struct fault	f;

	r->began_ms = clock_ms();
	r->pid = again && renew(r, &f) != 0 ? -1 : spawn_fork(&f);
	if (r->pid == 0) {
		signals_take(SIGNALS_CONNECTION);
		be_role(r);
	}
	if (r->pid < 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		r->pid = 0;
		loop_watch_set(&r->again, 0, RESPAWN_MS);
	}
	if (r->kind == SPAWNER)
		m.spawner = (struct places_spawner){ r->link.a, r->pid };
}

static void
on_again(void *ctx, unsigned what UNUSED)
{
	struct role *r = ctx;

	loop_watch_fini(&r->again);
	if (!m.stopping)
		role_start(r);
}

/* What it had said before it died still counts: it may be all of a session. */
static void
hear_out(struct role *r)
{
	struct fault f;

	if (r->kind == FRONT || r->kind == SPAWNER)
		while (!r->mad && read_role(r, &f) == 0)
			;
}

static void
role_ended(struct role *r, int status)
{
	uint64_t	lived = clock_ms() - r->began_ms;
	struct log_line	l;

	r->pid = 0;
	hear_out(r);
	if (r->kind == FRONT) {
		tally_clear(m.tally, r->index);
		due_drop(&m.verdicts, (uint32_t)r->index);
		places_front_died(m.places, r->index);
	}
	if (r->kind == SPAWNER) {
		m.spawner.pid = 0;
		places_spawner_died(m.places);
	}
	if (m.stopping)
		return;
	log_begin(&l, LEVEL_ERR, "role-died");
	log_str(&l, "role", words[r->kind]);
	log_num(&l, "status", (uint64_t)status);
	log_end(&l);
	loop_watch_set(&r->again, 0, lived < RESPAWN_MS ? RESPAWN_MS : 0);
}

static void
on_child(void *ctx UNUSED)
{
	struct role	*r;
	pid_t		 pid;
	int		 status;

	while ((pid = spawn_reap(&status)) > 0) {
		for (r = m.roles; r < m.roles + m.nroles; r++)
			if (r->pid == pid)
				break;
		if (r < m.roles + m.nroles)
			role_ended(r, status);
		else
			places_reaped(m.places, pid, (uint32_t)status);
	}
}

static int
role_add(enum kind kind, size_t index, struct fault *f)
{
	struct role *r = &m.roles[m.nroles++];

	*r = (struct role){ .kind = kind, .index = index,
	    .link = { -1, -1 }, .log = { -1, -1 } };
	loop_watch_init(&r->on_link, m.loop, -1, on_role, r);
	loop_watch_init(&r->on_log, m.loop, -1, on_role_log, r);
	loop_watch_init(&r->again, m.loop, -1, on_again, r);
	return own_links(r, f);
}

/* --- what they say ------------------------------------------------------------- */

/* Told now, or again when the front is less busy; who is not told at all leaves
 * his place when its time, or its front, is at an end. */
static void
verdict(struct due *d)
{
	UNZEROED struct link_out	out;
	struct fault	f;

	link_out_init(&out, MSG_VERDICT);
	link_put_u64(&out, d->sid);
	link_put_u8(&out, d->answer);
	if (link_send(role_of(FRONT, d->front)->link.a, &out, NULL, 0, &f) == 0)
		return;
	if (!link_busy(&f) || m.verdicts.n == m.verdicts.max) {
		log_fault(LEVEL_ERR, "front-link", &f);
		return;
	}
	d->at_ms = clock_ms() + AGAIN_MS;
	due_put(&m.verdicts, d);
	loop_watch_set(&m.again, 0, AGAIN_MS);
}

static void
on_verdicts(void *ctx UNUSED, unsigned what UNUSED)
{
	struct due d;

	while (due_take(&m.verdicts, clock_ms(), &d)) {
		wire_log_sid(d.sid);
		verdict(&d);
	}
	if (m.verdicts.n > 0)
		loop_watch_set(&m.again, 0, AGAIN_MS);
}

/* Somebody has logged in, auth says. */
static int
on_admit(struct link_in *in, struct fault *f)
{
	struct due	d = { .sid = link_get_u64(in) };
	bool		rpop;
	struct sock_addr peer;
	struct sock_addr socket;
	struct identity	id;

	d.front = link_get_u32(in);
	rpop = link_get_u8(in) != 0;
	if (wire_get_peer(in, &peer, f) != 0 ||
	    wire_get_identity(in, &id, f) != 0 ||
	    wire_get_peer(in, &socket, f) != 0 || link_get_end(in, f) != 0)
		return -1;
	if (d.front >= m.nfronts)
		return fault_set(f, FAULT_PEER, "front %u", d.front);
	wire_log_sid(d.sid);
	d.answer = (uint8_t)(m.stopping ? ANSWER_ERROR :
	    places_admit(m.places, d.sid, d.front, rpop, &peer, &socket,
	    &id));
	verdict(&d);
	return 0;
}

static int
on_ended(struct link_in *in)
{
	uint32_t tag = link_get_u32(in);

	places_ended(m.places, tag, link_get_u32(in));
	return 0;
}

static int
read_role(struct role *r, struct fault *f)
{
	/* What is not here has nothing to say. */
	static const struct says {
		const struct link_permit	*table;
		const size_t			*n;
	} says[] = {
		[AUTH]		= { permit_admit, &permit_admit_n },
		[SPAWNER]	= { permit_ended, &permit_ended_n },
		[FRONT]		= { permit_start, &permit_start_n },
	};
	const struct says *s = &says[r->kind];
	UNZEROED struct link_in	in;
	int		result = -1;
	int		got = link_recv(r->link.a, s->table,
			    s->n == NULL ? 0 : *s->n, 0, 0, &in, f);

	/* We have the other end as well: it does not close, it is shut down. */
	if (got == 0)
		return fault_set(f, FAULT_PEER, "it has shut its link down");
	if (got < 0)
		return -1;
	if (r->kind == AUTH)
		result = on_admit(&in, f);
	else if (r->kind == FRONT)
		result = places_start(m.places, r->index, &in, f);
	else
		result = on_ended(&in);
	link_in_fini(&in);
	return result;
}

/* It is not listened to any more: the next one has new links. */
static void
misbehaved(struct role *r, const struct fault *f)
{
	log_fault(LEVEL_ERR, "role-misbehaved", f);
	r->mad = true;
	if (r->pid > 0)
		spawn_kill(r->pid);
}

static void
on_role(void *ctx, unsigned what UNUSED)
{
	struct role	*r = ctx;
	struct fault	 f;

	if (read_role(r, &f) != 0)
		misbehaved(r, &f);
	else
		loop_watch_set(&r->on_link, LOOP_READ, LOOP_NEVER);
}

static void
on_role_log(void *ctx, unsigned what UNUSED)
{
	struct role	*r = ctx;
	struct fault	 f;
	int		 got = ask_serve_log(r->log.a, &f);

	if (got == 0)
		got = fault_set(&f, FAULT_PEER, "it has shut its log link down");
	if (got < 0) {
		misbehaved(r, &f);
		return;
	}
	loop_watch_set(&r->on_log, LOOP_READ, LOOP_NEVER);
}

/* --- beginning and end ------------------------------------------------------------ */

static int
listen_all(struct fault *f)
{
	int n = listen_open(&m.conf->role.listen, m.listeners, LISTENERS_MAX, f);

	if (n < 0)
		return -1;
	m.nlisteners = (size_t)n;
	/* Who is accepted inherits that. */
	for (size_t i = 0; i < m.nlisteners; i++)
		sock_tune(m.listeners[i], m.conf->role.client_gone_s);
	return 0;
}

static int
make_roles(struct fault *f)
{
	if (role_add(AUTH, 0, f) != 0 || role_add(WARDEN, 0, f) != 0 ||
	    link_pair(&m.to_warden.a, &m.to_warden.b, f) != 0 ||
	    role_add(SPAWNER, 0, f) != 0 ||
	    (m.conf->role.peer_check && role_add(RESOLVER, 0, f) != 0))
		return -1;
	for (size_t i = 0; i < m.nfronts; i++)
		if (link_pair(&m.to_auth[i].a, &m.to_auth[i].b, f) != 0 ||
		    link_pair(&m.to_resolver[i].a, &m.to_resolver[i].b, f) != 0 ||
		    role_add(FRONT, i, f) != 0)
			return -1;
	return 0;
}

static void
stop_roles(bool fronts_only)
{
	for (size_t i = 0; i < m.nroles; i++)
		if (m.roles[i].pid > 0 && (!fronts_only ||
		    m.roles[i].kind == FRONT))
			spawn_stop(m.roles[i].pid);
}

/* Sessions end without UPDATE, but one that is in it finishes. */
static void
on_stop(void *ctx UNUSED)
{
	if (m.stopping)
		return;
	m.stopping = true;
	m.stop_ms = clock_ms() + STOP_WAIT_MS;
	for (size_t i = 0; i < m.nlisteners; i++)
		fd_close(&m.listeners[i]);
	stop_roles(true);
	places_stop(m.places);
	if (places_count(m.places) == 0)
		loop_end(m.loop);
}

static void
look_at_counts(void)
{
	struct fault f;

	for (size_t i = 0; i < m.nfronts; i++)
		if (tally_lies(m.tally, i)) {
			(void)fault_set(&f, FAULT_PEER, "a false tally");
			misbehaved(role_of(FRONT, i), &f);
		}
}

static void
on_tick(void *ctx UNUSED, unsigned what UNUSED)
{
	if (!m.stopping)
		look_at_counts();
	places_tick(m.places);
	loop_watch_set(&m.tick, 0, m.stopping ? 20 : TICK_MS);
	if (m.stopping && (places_count(m.places) == 0 ||
	    clock_ms() >= m.stop_ms + (places_hold_dotlock(m.places) ?
	    UPDATE_WAIT_MS : 0)))
		loop_end(m.loop);
}

static void
say_stopped(void)
{
	size_t n = places_count(m.places);

	if (n > 0)
		log_text(LEVEL_WARN, "stopped", "%zu sessions did not end in"
		    " time; they end by themselves", n);
	else
		log_text(LEVEL_NOTE, "stopped", "all connections have ended");
}

static int
prepare(struct fault *f)
{
	const struct role_settings *r = &m.conf->role;

	m.nfronts = r->fronts > 0 ? r->fronts : spawn_processors();
	if (m.nfronts > FRONTS_MAX)
		m.nfronts = FRONTS_MAX;
	fd_limit_raise();
	m.loop = loop_new(f);
	if (m.loop == NULL)
		return -1;
	m.tally = tally_new(m.nfronts + 1, r->max_sessions > r->max_strangers ?
	    r->max_sessions : r->max_strangers, f);
	if (m.tally == NULL || host_folders(m.conf, f) != 0 || make_roles(f) != 0 || listen_all(f) != 0)
		return -1;
	m.places = places_new(m.conf, m.loop, m.tally, m.nfronts, &m.spawner);
	return 0;
}

int
master_run(const struct settings *conf, const char *hostname, struct fault *f)
{
	m.conf = conf;
	m.hostname = hostname;
	spawn_adopt();
	if (prepare(f) != 0) {
		log_fault(LEVEL_ERR, "listen", f);
		return 1;
	}
	loop_on_signal(m.loop, LOOP_CHILD, on_child, NULL);
	loop_on_signal(m.loop, LOOP_STOP, on_stop, NULL);
	loop_on_signal(m.loop, LOOP_INTERRUPT, on_stop, NULL);
	due_init(&m.verdicts, VERDICTS_MAX);
	loop_watch_init(&m.again, m.loop, -1, on_verdicts, NULL);
	loop_watch_init(&m.tick, m.loop, -1, on_tick, NULL);
	loop_watch_set(&m.tick, 0, TICK_MS);
	on_child(NULL);		/* whoever ended before we listened */
	for (size_t i = 0; i < m.nroles; i++)
		role_start(&m.roles[i]);
	loop_run(m.loop);
	say_stopped();
	stop_roles(false);
	return 0;
}

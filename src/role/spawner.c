/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, with a few descriptors and no secret: so a fork is cheap however
 * many sessions there are.  Reads from: the master's orders, nothing else.  Trusts:
 * the master.  Its children become the user (session.c), or answer one question of
 * a session's as root and end (a hand: a file that may have to wait for the disk,
 * a message that the MTA takes its time for).
 *
 * As root, before it is the user, a session finds its maildrop and takes its locks;
 * what the master must know of that is the first message on its link.
 */
#include "role/spawner.h"

#include "role/ask.h"
#include "role/ask_log.h"
#include "role/groups.h"
#include "role/host.h"
#include "role/order.h"
#include "role/permit.h"
#include "role/session.h"
#include "role/wire.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/loop.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <stdlib.h>

#define LISTS		256u		/* of children, by pid and by slot; a page each
					   would be copied at each fork */
#define BROOD_MAX	256		/* children who share our memory */
#define SWEEP_MS	500

struct kid {
	struct kid	*next;		/* of the same list, by pid */
	struct kid	*next_slot;	/* likewise, by slot */
	struct kid	*next_soon;	/* likewise, of those who end soon */
	pid_t		 pid;
	uint32_t	 slot;
	unsigned	 brood;
	bool		 hand;
	bool		 soon;
};

struct spawner {
	const struct settings	*conf;
	const char		*hostname;
	int			 master;
	int			 log_link;
	struct loop		*loop;
	struct loop_watch	 watch;
	pid_t			 self;
	struct kid		*kids[LISTS];
	struct kid		*by_slot[LISTS];
	struct kid		*soon;
	struct loop_watch	 sweep;
	bool			 sweeps;	/* its time is set */
	unsigned		 brood;		/* number of the youngest */
	unsigned		 brood_n;	/* who of it is alive */
	struct groups		*groups;	/* of sessions that share */
};

/*
 * --- in the child ------------------------------------------------------------
 *
 * What is large is static: each page of the stack that somebody comes by is one
 * that parent and child must copy.
 */

static void NORETURN
talk(const struct spawner *s, const struct order *o, bool recovery,
    const struct host *h, bool locked, const struct fault *refused)
{
	struct session_start	start = order_start(s->conf, s->hostname, o,
				    h);
	struct fault		f;

	start.refused = locked ? NULL : refused;
	if (order_send_facts(o->link, h, spawn_self(), s->self, &f) != 0) {
		log_fault(LEVEL_ERR, "session-start", &f);
		spawn_exit(1);
	}
	if (recovery && !locked) {
		log_fault(LEVEL_NOTE, "recovery-not-now", refused);
		spawn_exit(1);
	}
	if (recovery)
		session_recover_main(&start);
	session_main(&start);
}

static void NORETURN
be_session(const struct spawner *s, const struct order *o, bool recovery)
{
	static struct host	h;
	struct fault		refused = { 0 };
	char			sid[WIRE_SID_MAX];
	bool			locked;

	wire_sid_text(o->sid, sid);
	/* A home may be on a file server that is away. */
	if (!recovery)
		spawn_deadline(s->conf->drop.lock_timeout_s);
	locked = host_open_again(&h, s->conf, &o->id, o->which, &refused) == 0;
	spawn_deadline(0);
	locked = locked && (recovery ? host_session_lock : host_login)(&h, sid,
	    o->peer.text, &refused) == 0;
	if (locked && !recovery)
		host_lock_ahead(&h);
	talk(s, o, recovery, &h, locked, &refused);
}

/* A question of a session's, answered by us in the master's place. */
static void NORETURN
be_hand(const struct spawner *s, const struct order *o)
{
	static struct host	h;
	struct fault		f;

	if (host_open_again(&h, s->conf, &o->id, o->which, &f) != 0) {
		log_fault(LEVEL_ERR, "session-hand", &f);
		spawn_exit(1);
	}
	h.locked = o->locked;
	if (ask_serve(o->link, o->question, &h, &f) != 0) {
		log_fault(LEVEL_ERR, "session-hand", &f);
		spawn_exit(1);
	}
	spawn_exit(0);
}

/* --- children ------------------------------------------------------------------ */

static void
expect_end(struct spawner *s, struct kid *k)
{
	if (k->soon)
		return;
	k->soon = true;
	k->next_soon = s->soon;
	s->soon = k;
}

static void
remember(struct spawner *s, pid_t pid, uint32_t slot, bool hand)
{
	struct kid **by_pid = &s->kids[(size_t)pid % LISTS];
	struct kid **by_slot = &s->by_slot[slot % LISTS];
	struct kid *k = xalloc(1, sizeof(*k));

	*k = (struct kid){
		.next = *by_pid, .next_slot = *by_slot, .pid = pid,
		.slot = slot, .brood = s->brood, .hand = hand,
	};
	*by_pid = *by_slot = k;
	s->brood_n++;
	if (hand)			/* it has no link to end */
		expect_end(s, k);
}

/* Its slot, which tells the master who it was. */
static bool
forget(struct spawner *s, pid_t pid, uint32_t *slot_r)
{
	struct kid **at = &s->kids[(size_t)pid % LISTS];
	struct kid *k;

	while (*at != NULL && (*at)->pid != pid)
		at = &(*at)->next;
	k = *at;
	if (k == NULL)
		return false;
	*at = k->next;
	at = &s->by_slot[k->slot % LISTS];
	while (*at != k)
		at = &(*at)->next_slot;
	*at = k->next_slot;
	if (k->soon) {
		at = &s->soon;
		while (*at != k)
			at = &(*at)->next_soon;
		*at = k->next_soon;
	}
	if (k->brood == s->brood)
		s->brood_n--;
	*slot_r = k->slot;
	free(k);
	return true;
}

static void
tell_end(void *ctx, uint32_t slot, int status)
{
	struct spawner	*s = ctx;
	static struct link_out	m;
	struct fault	f;

	link_out_init(&m, MSG_ENDED);
	link_put_u32(&m, slot);
	link_put_u32(&m, (uint32_t)status);
	if (link_send_wait(s->master, &m, &f) != 0) {
		log_fault(LEVEL_ERR, "spawner-link", &f);
		loop_end(s->loop);
	}
}

static void
reaped(struct spawner *s, pid_t pid, int status)
{
	uint32_t slot;

	if (forget(s, pid, &slot))
		tell_end(s, slot, status);
	else
		groups_reaped(s->groups, pid, status);
}

/* One by one: wait(2) for any of them walks through all, each time. */
static void
reap_soon(struct spawner *s)
{
	int status;

	for (struct kid *k = s->soon, *next; k != NULL; k = next) {
		next = k->next_soon;
		if (spawn_wait(k->pid, 0, &status) != 0)
			reaped(s, k->pid, status);
	}
}

static void
on_child(void *ctx)
{
	struct spawner *s = ctx;

	reap_soon(s);
	groups_reap(s->groups);
	if (!s->sweeps)
		loop_watch_set(&s->sweep, 0, SWEEP_MS);
	s->sweeps = true;
}

/* Whoever has ended otherwise. */
static void
on_sweep(void *ctx, unsigned what UNUSED)
{
	struct spawner	*s = ctx;
	pid_t		 pid;
	int		 status;

	s->sweeps = false;
	while ((pid = spawn_reap(&status)) > 0)
		reaped(s, pid, status);
}

/* --- orders ------------------------------------------------------------------ */

/* So many have a part of our memory: others get one of another (spawn_renew). */
static void
end_brood(struct spawner *s)
{
	if (s->brood_n < BROOD_MAX)
		return;
	spawn_renew();
	s->brood++;
	s->brood_n = 0;
}

static void
carry_out(struct spawner *s, struct order *o, bool hand)
{
	struct fault	f;
	pid_t		pid = spawn_fork_bare(&f);

	if (pid == 0) {
		signals_take(SIGNALS_CONNECTION);
		fd_close(&s->master);
		wire_log_sid(o->sid);
		if (hand && o->question != 0) {
			spawn_name("popper-hand");
			be_hand(s, o);
		}
		spawn_name(hand ? "popper-recover" : "popper-session");
		be_session(s, o, hand);
	}
	if (pid > 0) {
		remember(s, pid, o->slot, hand && o->question != 0);
	} else {
		log_fault(LEVEL_ERR, "session-fork", &f);
		if (!hand)
			order_refuse(o->client);
		tell_end(s, o->slot, SESSION_UNBORN);
	}
	order_close(o);
	end_brood(s);			/* while the child works */
}

static void
signal_slot(struct spawner *s, struct link_in *m)
{
	uint32_t	slot = link_get_u32(m);
	bool		hard = link_get_u8(m) != 0;

	if (groups_signal(s->groups, slot, hard))
		return;
	for (struct kid *k = s->by_slot[slot % LISTS]; k != NULL;
	    k = k->next_slot)
		if (k->slot == slot && hard)
			spawn_kill(k->pid);
		else if (k->slot == slot)
			spawn_stop(k->pid);
}

/* Now, or when its signal comes. */
static void
reap_slot(struct spawner *s, uint32_t slot)
{
	struct kid	*k = s->by_slot[slot % LISTS];
	int		 status;

	while (k != NULL && k->slot != slot)
		k = k->next_slot;
	if (k == NULL)
		return;
	expect_end(s, k);
	if (spawn_wait(k->pid, 0, &status) != 0)
		reaped(s, k->pid, status);
}

/* A hand finishes what it does. */
static void
stop_all(struct spawner *s)
{
	groups_stop(s->groups);
	for (size_t i = 0; i < LISTS; i++)
		for (struct kid *k = s->kids[i]; k != NULL; k = k->next)
			if (!k->hand)
				spawn_stop(k->pid);
}

static void
on_master(void *ctx, unsigned what UNUSED)
{
	static struct link_in	m;
	static struct order	o;
	struct spawner	*s = ctx;
	struct fault	 f;
	int		 got = link_recv(s->master, permit_spawn, permit_spawn_n,
			    0, 0, &m, &f);

	if (got != 1) {
		if (got < 0)
			log_fault(LEVEL_ERR, "spawner-link", &f);
		loop_end(s->loop);
		return;
	}
	if (m.type == MSG_SIGNAL) {
		signal_slot(s, &m);
	} else if (m.type == MSG_SIGNAL_ALL) {
		stop_all(s);
	} else if (m.type == MSG_REAP) {
		reap_slot(s, link_get_u32(&m));
	} else if (order_read(&m, &o, &f) == 0) {
		if (groups_give(s->groups, &m, &o))
			order_close(&o);
		else
			carry_out(s, &o, m.type == MSG_HAND);
	} else {
		log_fault(LEVEL_ERR, "spawner-link", &f);
		loop_end(s->loop);
	}
	link_in_fini(&m);
	loop_watch_set(&s->watch, LOOP_READ, LOOP_NEVER);
}

static int
reopen_log(void *ctx)
{
	const struct spawner *s = ctx;

	return ask_log(s->log_link);
}

static void
ignore(void *ctx UNUSED)
{
	/* The master says when; sessions that run outlive us. */
}

void
spawner_main(const struct settings *conf, const char *hostname, int master,
    int log_link)
{
	static struct spawner	s;
	/* For accounts; for the loop, which ushers have, too. */
	static const char *const unneeded[] = { "libnss_", "libevent_core" };
	const int		keep[] = { master, log_link };
	struct fault		f;

	shed_descriptors(keep, ARRAY_LEN(keep));
	s.conf = conf;
	s.hostname = hostname;
	s.master = master;
	s.log_link = log_link;
	s.self = spawn_self();
	(void)file_boot();		/* its children know it */
	log_set_reopen(reopen_log, &s);
	s.loop = loop_new(&f);
	if (s.loop == NULL) {
		log_fault(LEVEL_ERR, "spawner-start", &f);
		spawn_exit(1);
	}
	s.groups = groups_new(conf, hostname, s.loop, tell_end, &s);
	spawn_without(unneeded, conf->role.sessions_per_process > 1 ? 1 :
	    ARRAY_LEN(unneeded));
	loop_watch_init(&s.watch, s.loop, master, on_master, &s);
	loop_watch_set(&s.watch, LOOP_READ, LOOP_NEVER);
	loop_watch_init(&s.sweep, s.loop, -1, on_sweep, &s);
	loop_on_signal(s.loop, LOOP_CHILD, on_child, &s);
	loop_on_signal(s.loop, LOOP_STOP, ignore, &s);
	loop_run(s.loop);
	spawn_exit(0);
}

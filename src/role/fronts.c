/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front_user, in an empty root folder, with seccomp, no processes, no
 * files.  Reads from: strangers; verdicts of auth and master.  Trusts: nobody.
 * Gives up, in order: descriptors, root folder, limits, groups, gid, uid, system
 * calls.
 *
 *   AWAITS --PROXY header--> TALKS          (where the listener wants one)
 *
 *   TALKS --PASS--> ASKED --yes, from the master--> LEAVES --> (START: a session's)
 *     |  ^            |
 *     |  +-----no-----+
 *     +--end--> DRAINS --> closed
 *
 * Under TLS the way in has a stage before TALKS, SHAKES (at once, or after STLS), and
 * the way out another one: the session gets one end of a pair of sockets, and its
 * client stays here, as RELAYS, to the end.
 *
 * After a reload it takes nobody any more (LEAVE), and ends with the last of them.
 *
 * A grant never passes through here: what says yes is the master, to which the
 * client's socket then goes, with what it had pipelined in a pipe.
 */
#include "role/fronts.h"

#include "auth/prep.h"
#include "role/ask_log.h"
#include "role/fronts_priv.h"
#include "role/permit.h"
#include "role/wire.h"

#include "base/alloc.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/secmem.h"
#include "sys/spawn.h"
#include "watch/log.h"

#define AUTH_GONE_MS	500		/* the master told us of the next one before */

/* Nobody here will ask them any more: they may end, says the master, when no other
 * front does either. */
static void
let_go(struct front_house *h)
{
	struct loop_watch *const	w[] = { &h->auth_gone, &h->auth };
	UNZEROED struct link_out	m;
	struct fault			f;

	if (h->auth.fd < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		int fd = w[i]->fd;

		loop_watch_fini(w[i]);
		w[i]->fd = -1;
		fd_close(&fd);
	}
	fd_close(&h->resolver);
	link_out_init(&m, MSG_RELAYS);
	if (!h->stopping && link_send_wait(h->a->master, &m, &f) != 0)
		log_fault(LEVEL_ERR, "front-link", &f);
}

/* Everybody is counted, or one of those who were refused, or relayed. */
void
fronts_end_if_empty(struct front_house *h)
{
	if (!h->leaving || h->n + h->refused > 0)
		return;
	if (h->relays == 0)
		loop_end(h->loop);
	else
		let_go(h);
}

static void	new_auth(struct front_house *h, int link);

static void
on_link(struct front_house *h, struct loop_watch *w, bool of_master)
{
	UNZEROED struct link_in	m;
	struct fault	f;
	int		got = of_master ? link_recv(w->fd, permit_to_front,
			    permit_to_front_n, 0, 0, &m, &f) :
			    link_recv(w->fd, permit_verdict, permit_verdict_n,
			    0, 0, &m, &f);

	if (got == 1) {
		if (m.type == MSG_LEAVE)
			fronts_leave_listeners(h, link_get_u32(&m));
		else if (m.type == MSG_AUTH)
			new_auth(h, link_get_fd(&m, 0));
		else if (m.type == MSG_CHALLENGE)
			fronts_challenge(h, &m);
		else
			fronts_verdict(h, &m, of_master);
		link_in_fini(&m);
		loop_watch_set(w, LOOP_READ, LOOP_NEVER);
		return;
	}
	if (got < 0)
		log_fault(LEVEL_ERR, "front-link", &f);
	/* Without them nobody can log in: the master starts us anew; or auth, and
	 * then it has told us before. */
	if (got < 0 || of_master)
		loop_end(h->loop);
	else
		loop_watch_set(&h->auth_gone, 0, AUTH_GONE_MS);
}

static void
on_auth(void *ctx, unsigned what UNUSED)
{
	struct front_house *h = ctx;

	on_link(h, &h->auth, false);
}

static void
on_auth_gone(void *ctx, unsigned what UNUSED)
{
	struct front_house *h = ctx;

	loop_end(h->loop);
}

/* The last one has died: whoever waits for its answer may ask again.  O(n) */
static void
new_auth(struct front_house *h, int link)
{
	struct map_walk	 w = map_walk(&h->strangers);
	struct stranger	*s;
	int		 old = h->auth.fd;

	loop_watch_fini(&h->auth_gone);
	loop_watch_fini(&h->auth);
	fd_close(&old);
	loop_watch_init(&h->auth, h->loop, link, on_auth, h);
	loop_watch_set(&h->auth, LOOP_READ, LOOP_NEVER);
	while ((s = map_walk_on(&w)) != NULL) {
		wire_log_sid(s->sid);
		s->exchanges = false;	/* its response is unknown there */
		if (s->stage == ASKED)
			stranger_give_up(s);
	}
	fronts_end_if_empty(h);		/* it may come too late for all */
}

static void
on_master(void *ctx, unsigned what UNUSED)
{
	struct front_house *h = ctx;

	on_link(h, &h->master, true);
}

/* One pair of a renewal: with the last one all are taken, or none. */
static int
on_pair(struct front_house *h, struct link_in *in, struct fault *f)
{
	struct certificates	*c = h->coming;
	size_t			 i = link_get_u32(in);
	size_t			 of = link_get_u32(in);
	struct span		 name = link_get_span(in, CERTIFICATE_PATH_MAX);

	if (link_get_end(in, f) != 0)
		return -1;
	if (i == 0 && c->n > 0)
		certificates_close(c);
	if (i != c->n || i >= of || of > TLS_PAIRS_MAX ||
	    !span_cstr(name, c->one[i].name, sizeof(c->one[i].name)))
		return fault_set(f, FAULT_PEER, "a certificate out of turn");
	for (size_t k = 0; k < CERTIFICATE_FILES; k++)
		c->one[i].fd[k] = link_get_fd(in, (uint8_t)k);
	c->n++;
	if (c->n < of)
		return 0;
	if (c->asks != (h->a->conf->auth.client_ca[0] != '\0'))
		return fault_set(f, FAULT_PEER, "certificates without those of"
		    " clients");
	if (secure_house_use(&h->secure, c, f) != 0)
		log_fault(LEVEL_ERR, "tls-certificate", f);
	certificates_close(c);
	return 0;
}

/* What comes before the pairs of a renewal, where clients are asked for theirs. */
static void
on_clients(struct front_house *h, struct link_in *in)
{
	struct certificates	*c = h->coming;
	uint8_t			 there = link_get_u8(in);

	certificates_close(c);
	c->asks = true;
	c->checks_revoked = h->a->conf->auth.client_crl[0] != '\0';
	for (size_t k = 0; k < CLIENTS_FILES; k++) {
		c->clients[k] = link_get_fd(in, (uint8_t)k);
		if ((there & 1u << k) == 0)
			fd_close(&c->clients[k]);
	}
}

static void
on_keeper(void *ctx, unsigned what UNUSED)
{
	struct front_house	*h = ctx;
	UNZEROED struct link_in	 m;
	struct fault		 f;
	int			 got = link_recv(h->keeper.fd, permit_certificate,
				    permit_certificate_n, 0, 0, &m, &f);

	if (got == 1) {
		if (m.type == MSG_CLIENTS)
			on_clients(h, &m);
		else
			got = on_pair(h, &m, &f) == 0 ? 1 : -1;
		link_in_fini(&m);
	}
	if (got < 0)
		log_fault(LEVEL_ERR, "keeper-link", &f);
	if (got == 1)
		loop_watch_set(&h->keeper, LOOP_READ, LOOP_NEVER);
}

static int
reopen_log(void *ctx)
{
	const struct fronts_start *a = ctx;

	return ask_log(a->log_link);
}

static int
reach_trace(void *ctx)
{
	const struct fronts_start *a = ctx;

	return ask_trace(a->log_link, ASK_TRACE_MS);
}

static int
enter_cage(const struct fronts_start *a, struct fault *f)
{
	bool	degraded;

	return cage_step_down(a->conf->role.front_user,
	    a->conf->role.chroot_dir, CAGE_FRONTS, f) != 0 ||
	    cage_enter(CAGE_FRONTS, &degraded, f) != 0 ? -1 : 0;
}

/* We end: strangers see that, and it stands in the log. */
static void
dismiss(struct front_house *h, bool relays)
{
	struct map_walk	 w = map_walk(&h->strangers);
	struct stranger	*s;

	while ((s = map_walk_on(&w)) != NULL) {
		if (s->stage == RELAYS && !relays)
			continue;
		wire_log_sid(s->sid);
		if (s->stage != DRAINS && s->stage != RELAYS)
			stranger_log_end(s, PUMP_END_STOPPED);
		stranger_free(s);
	}
}

/* Whose sessions end in peace have a last reply to come through here: the second
 * time it is meant for them, too. */
static void
on_stop(void *ctx)
{
	struct front_house *h = ctx;

	fronts_close_listeners(h);
	if (!h->stopping)
		dismiss(h, false);
	if (h->stopping || h->relays == 0)
		loop_end(h->loop);
	h->leaving = h->stopping = true;
}

static void
house_init(struct front_house *h, const struct fronts_start *a)
{
	h->a = a;
	h->resolver = a->resolver;
	h->limits.refused = tally_refused(a->tally, a->index);
	h->max = (a->conf->role.max_strangers + a->of - 1) / a->of;
	loop_watch_init(&h->auth, h->loop, a->auth, on_auth, h);
	loop_watch_init(&h->auth_gone, h->loop, -1, on_auth_gone, h);
	loop_watch_init(&h->master, h->loop, a->master, on_master, h);
	loop_watch_set(&h->auth, LOOP_READ, LOOP_NEVER);
	loop_watch_set(&h->master, LOOP_READ, LOOP_NEVER);
	if (a->keeper >= 0) {
		h->coming = xalloc(1, sizeof(*h->coming));
		loop_watch_init(&h->keeper, h->loop, a->keeper, on_keeper, h);
		loop_watch_set(&h->keeper, LOOP_READ, LOOP_NEVER);
	}
	fronts_listen(h);
	loop_on_signal(h->loop, LOOP_STOP, on_stop, h);
}

void
fronts_main(const struct fronts_start *a)
{
	static struct front_house	h;	/* its room holds passwords */
	static struct certificates	files;
	int				keep[LISTENERS_MAX + 5];
	size_t				n = 0;
	struct fault			f;

	ASSERT(a->nlisteners <= LISTENERS_MAX);
	for (; n < a->nlisteners; n++)
		keep[n] = a->listeners[n];
	keep[n++] = a->auth;
	keep[n++] = a->master;
	keep[n++] = a->resolver;
	keep[n++] = a->keeper;
	keep[n++] = a->log_link;
	shed_descriptors(keep, n);
	log_set_reopen(reopen_log, (void *)(uintptr_t)a);
	trace_set_ask(reach_trace, (void *)(uintptr_t)a);
	h.loop = loop_new(&f);
	if (h.loop == NULL || prep_open(&a->conf->auth, &f) != 0) {
		log_fault(LEVEL_ERR, "front-start", &f);
		spawn_exit(1);
	}
	house_init(&h, a);
	h.secure.tickets = a->tickets;
	if (secure_house_open(&h.secure, a->conf, &files, &f) != 0) {
		log_fault(LEVEL_ERR, "tls-certificate", &f);
		spawn_exit(1);
	}
	if (enter_cage(a, &f) != 0) {
		log_fault(LEVEL_ERR, "front-cage", &f);
		spawn_exit(1);
	}
	if (files.n > 0 && secure_house_use(&h.secure, &files, &f) != 0) {
		log_fault(LEVEL_ERR, "tls-certificate", &f);
		spawn_exit(1);
	}
	certificates_close(&files);
	secmem_lock(&h.room, sizeof(h.room));
	loop_run(h.loop);
	dismiss(&h, true);
	spawn_exit(0);
}

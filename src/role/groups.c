/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, in the spawner.  Reads from: ushers, who are root, too.
 *
 * A group is an usher with its shared process.  It is full with
 * sessions_per_process seats, takes nobody new after SERVED_MAX sessions, and ends
 * when it has been empty for a while: by the end of its link, so that no order can
 * be under way then.
 */
#include "role/groups.h"

#include "role/permit.h"
#include "role/usher.h"

#include "base/alloc.h"
#include "base/map.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <stdlib.h>

#define GROUPS_MAX	1024		/* beyond: processes of their own */
#define SERVED_MAX	200000
#define IDLE_MS		60000
#define SEAT_FDS	4		/* of an usher */
#define OTHER_FDS	64

struct group {
	struct group		*next;
	struct groups		*all;
	uid_t			 uid;
	gid_t			 gid;
	size_t			 ngids;
	gid_t			 gids[IDENTITY_GIDS_MAX];
	pid_t			 pid;
	int			 link;		/* owns; -1: it takes nobody */
	unsigned		 seats;		/* taken now */
	unsigned		 served;
	struct loop_watch	 watch;
	struct loop_watch	 idle;
};

struct seat {
	struct map_node	 in;			/* by slot */
	struct group	*group;
};

struct groups {
	const struct settings	*conf;
	const char		*hostname;
	struct loop		*loop;
	size_t			 most;		/* seats of a group */
	void			(*ended)(void *ctx, uint32_t slot, int status);
	void			*ctx;
	struct group		*first;
	size_t			 n;
	struct map		 seats;
};

struct groups *
groups_new(const struct settings *conf, const char *hostname, struct loop *l,
    void (*ended)(void *ctx, uint32_t slot, int status), void *ctx)
{
	struct groups	*g = xalloc(1, sizeof(*g));
	size_t		 fds = fd_limit();

	g->conf = conf;
	g->most = conf->role.sessions_per_process;
	/* Where that is low, one seat too many would cost all others. */
	if (fds < OTHER_FDS + SEAT_FDS * g->most)
		g->most = fds < OTHER_FDS ? 0 : (fds - OTHER_FDS) / SEAT_FDS;
	g->hostname = hostname;
	g->loop = l;
	g->ended = ended;
	g->ctx = ctx;
	return g;
}

/* --- a group ------------------------------------------------------------------- */

/* It takes nobody any more, and ends when nobody is left. */
static void
dismiss(struct group *x)
{
	loop_watch_fini(&x->watch);
	loop_watch_fini(&x->idle);
	fd_close(&x->link);
}

static void
on_idle(void *ctx, unsigned what UNUSED)
{
	dismiss(ctx);
}

static void
seat_over(struct seat *s, int status)
{
	struct group	*x = s->group;
	uint32_t	 slot = (uint32_t)s->in.key;

	map_take(&x->all->seats, &s->in);
	free(s);
	if (--x->seats == 0 && x->link >= 0)
		loop_watch_set(&x->idle, 0,
		    x->served >= SERVED_MAX ? 0 : IDLE_MS);
	x->all->ended(x->all->ctx, slot, status);
}

static int
on_ended(struct group *x, struct link_in *m, struct fault *f)
{
	uint32_t	 slot = link_get_u32(m);
	int		 status = (int)link_get_u32(m);
	struct seat	*s = map_find(&x->all->seats, slot);

	if (s == NULL || s->group != x)
		return fault_set(f, FAULT_PEER, "slot %u is not there", slot);
	seat_over(s, status);
	return 0;
}

static void
on_usher(void *ctx, unsigned what UNUSED)
{
	struct group	*x = ctx;
	UNZEROED struct link_in m;
	struct fault	 f;
	int		 got = link_recv(x->link, permit_ended, permit_ended_n, 0,
			    0, &m, &f);

	if (got == 1) {
		if (on_ended(x, &m, &f) != 0)
			got = -1;
		link_in_fini(&m);
	}
	if (got < 0) {
		log_fault(LEVEL_ERR, "role-misbehaved", &f);
		spawn_kill(x->pid);
	}
	if (got == 1) {
		loop_watch_set(&x->watch, LOOP_READ, LOOP_NEVER);
	} else {
		dismiss(x);
		groups_reap(x->all);	/* its signal may have come before */
	}
}

static bool
is_of(const struct group *x, const struct identity *id)
{
	return x->uid == id->uid && x->gid == id->gid &&
	    x->ngids == id->ngids &&
	    memcmp(x->gids, id->gids, id->ngids * sizeof(id->gids[0])) == 0;
}

static struct group *
group_new(struct groups *g, const struct identity *id, struct fault *f)
{
	struct group		*x;
	struct usher_start	 start = {
		.conf = g->conf,
		.hostname = g->hostname,
		.id = id,
	};
	int			 link;
	pid_t			 pid;

	if (link_pair(&link, &start.spawner, f) != 0)
		return NULL;
	pid = spawn_fork(f);
	if (pid == 0) {
		signals_take(SIGNALS_CONNECTION);
		spawn_name("popper-usher");
		usher_main(&start);
	}
	fd_close(&start.spawner);
	if (pid < 0) {
		fd_close(&link);
		return NULL;
	}
	x = xalloc(1, sizeof(*x));
	*x = (struct group){ .next = g->first, .all = g, .uid = id->uid,
	    .gid = id->gid, .ngids = id->ngids, .pid = pid, .link = link };
	memcpy(x->gids, id->gids, id->ngids * sizeof(id->gids[0]));
	g->first = x;
	g->n++;
	loop_watch_init(&x->watch, g->loop, link, on_usher, x);
	loop_watch_init(&x->idle, g->loop, -1, on_idle, x);
	loop_watch_set(&x->watch, LOOP_READ, LOOP_NEVER);
	return x;
}

/* One with a free seat for this identity, or NULL. */
static struct group *
group_for(struct groups *g, const struct identity *id)
{
	struct fault f;

	for (struct group *x = g->first; x != NULL; x = x->next)
		if (x->link >= 0 && is_of(x, id) && x->served < SERVED_MAX &&
		    x->seats < g->most)
			return x;
	if (g->n < GROUPS_MAX) {
		struct group *x = group_new(g, id, &f);

		if (x == NULL)
			log_fault(LEVEL_ERR, "session-fork", &f);
		return x;
	}
	return NULL;
}

/* --- the spawner's calls --------------------------------------------------------- */

static bool
may_share(const struct groups *g, const struct link_in *m,
    const struct order *o)
{
	const struct settings *c = g->conf;

	return g->most > 1 && o->id.virtual &&
	    (m->type == MSG_SPAWN || m->type == MSG_SPAWN_REST ||
	    m->type == MSG_SPAWN_RELAY) &&
	    c->drop.status_headers &&
	    (c->bull.dir == NULL || c->bull.dir[0] == '\0');
}

bool
groups_give(struct groups *g, const struct link_in *m, const struct order *o)
{
	const int	 fds[3] = { o->link, o->client, o->far >= 0 ? o->far :
			    o->rest };
	static struct link_out out;	/* not on the stack, which each fork has copied,
					   also where nobody shares */
	struct group	*x;
	struct seat	*s;
	struct fault	 f;

	if (!may_share(g, m, o))
		return false;
	x = group_for(g, &o->id);
	if (x == NULL)
		return false;
	link_out_init(&out, m->type);
	link_put_raw(&out, span_of(m->b, m->n));
	if (link_send(x->link, &out, fds, fds[2] >= 0 ? 3 : 2, &f) != 0) {
		log_fault(LEVEL_DEBUG, "usher-busy", &f);
		return false;
	}
	loop_watch_fini(&x->idle);
	x->seats++;
	x->served++;
	s = xalloc(1, sizeof(*s));
	s->group = x;
	map_put(&g->seats, &s->in, o->slot, s);
	return true;
}

bool
groups_signal(struct groups *g, uint32_t slot, bool hard)
{
	struct seat	*s = map_find(&g->seats, slot);
	UNZEROED struct link_out m;
	struct fault	 f;

	if (s == NULL)
		return false;
	link_out_init(&m, MSG_SIGNAL);
	link_put_u32(&m, slot);
	link_put_u8(&m, hard ? 1 : 0);
	if (s->group->link < 0 ||
	    link_send(s->group->link, &m, NULL, 0, &f) == 0)
		return true;
	log_fault(LEVEL_ERR, "usher-busy", &f);
	if (hard)
		spawn_kill(s->group->pid);
	return true;
}

void
groups_stop(struct groups *g)
{
	UNZEROED struct link_out m;
	struct fault		 f;

	link_out_init(&m, MSG_SIGNAL_ALL);
	for (const struct group *x = g->first; x != NULL; x = x->next)
		if (x->link >= 0 && link_send(x->link, &m, NULL, 0, &f) != 0)
			log_fault(LEVEL_ERR, "usher-busy", &f);
}

static void
log_died(int status)
{
	struct log_line l;

	log_begin(&l, LEVEL_ERR, "role-died");
	log_str(&l, "role", "popper-usher");
	log_num(&l, "status", (uint64_t)status);
	log_end(&l);
}

void
groups_reaped(struct groups *g, pid_t pid, int status)
{
	struct map_walk	  w = map_walk(&g->seats);
	struct group	**at = &g->first;
	struct group	 *x;
	struct seat	 *s;

	while (*at != NULL && (*at)->pid != pid)
		at = &(*at)->next;
	x = *at;
	if (x == NULL)
		return;
	dismiss(x);
	if (x->seats > 0)
		log_died(status);
	while ((s = map_walk_on(&w)) != NULL)
		if (s->group == x)
			seat_over(s, status);
	*at = x->next;
	g->n--;
	free(x);
}

void
groups_reap(struct groups *g)
{
	int status;

	for (struct group *x = g->first, *next; x != NULL; x = next) {
		next = x->next;
		if (x->link < 0 && spawn_wait(x->pid, 0, &status) != 0)
			groups_reaped(g, x->pid, status);
	}
}

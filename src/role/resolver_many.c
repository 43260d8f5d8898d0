/* SPDX-License-Identifier: ISC */
/*
 * The resolver of popper serve: looks up the clients of all fronts.
 * Runs as: root until it has read resolv.conf and the table of hosts; then
 * front_user in an empty chroot, with sockets for name servers alone.
 * Reads from: fronts, which may have been taken over; name servers, that is,
 * whoever owns a client's address.
 * Trusts: nobody; a front can make it ask for addresses, and write lines with
 * any sid that say no more than what name servers say.
 * Gives up, in this order: descriptors, root folder, limits, identity, system
 * calls.
 *
 * An address is looked up once, for all of its clients that wait, and what was
 * found is kept for a while.  Each client has its own line in the log.
 *
 *	(new) -> QUEUED -> ASKING -> KNOWN -> (forgotten, or QUEUED again)
 *	                      \-> LATE -/
 *
 * LATE: its time is over and its clients have been told so, but c-ares is not
 * done with the question: that keeps its place among those being asked.
 */
#include "role/resolver_priv.h"

#include "role/ask_log.h"
#include "role/permit.h"
#include "role/wire.h"

#include "sys/file.h"
#include "sys/loop.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>

enum {
	ASKING_MAX	= 256,		/* look-ups at a time */
	QUEUED_MAX	= 1024,
	WAITING_MAX	= ASKING_MAX + QUEUED_MAX,	/* clients */
	WAITING_EACH	= 64,		/* clients of one address */
	KNOWN_MAX	= 4096,		/* addresses */
	KNOWN_MS	= 5 * 60 * 1000,
	SILENCE_MS	= 30 * 1000,	/* a dead name server may come back */
	SKIPPED_SOON_MS	= 1000,		/* one line for those of a second, */
	SKIPPED_EACH_MS	= 60 * 1000,	/* and one in a minute */
	CHAINS		= 1024,
	BATCH		= 64,		/* messages of a link at a time */
};

enum peer_state { QUEUED, ASKING, LATE, KNOWN, STATES };

/* A client that waits. */
struct waiting {
	struct waiting	*next;
	uint64_t	 sid;
};

struct peer {
	struct resolver_many	*many;		/* borrows */
	struct peer		*chain;		/* others with this hash */
	struct peer		*before;	/* in the list of its state */
	struct peer		*after;
	enum peer_state		 state;
	uint64_t		 until_ms;	/* ASKING: its time; KNOWN: how
						   long that is believed */
	struct waiting		*waiting;	/* owns; QUEUED and ASKING */
	size_t			 nwaiting;
	struct resolver_look	 look;
};

struct list {
	struct peer	*first;		/* the oldest */
	struct peer	*last;
	size_t		 n;
};

struct front {
	struct resolver_many	*many;		/* borrows */
	int			 link;		/* owns; -1: closed */
	struct loop_watch	 watch;
};

/* A socket of c-ares'. */
struct asked {
	struct resolver_many	*many;		/* borrows */
	struct asked		*next;
	unsigned		 what;		/* LOOP_READ | LOOP_WRITE */
	struct loop_watch	 watch;
};

struct resolver_many {
	struct loop		*loop;		/* owns */
	struct loop_watch	 timer;
	ares_channel		 channel;	/* owns */
	struct asked		*asked;		/* owns */
	uint64_t		 timeout_ms;
	struct resolver_hosts	 hosts;
	struct front		*fronts;	/* owns */
	size_t			 nfronts;
	size_t			 nopen;
	int			 master;	/* -1: none */
	struct loop_watch	 master_watch;
	struct list		 lists[STATES];
	struct peer		*chains[CHAINS];	/* owns */
	uint64_t		 seed;		/* nobody can choose a chain */
	size_t			 nwaiting;
	uint64_t		 skipped;	/* not told yet */
	uint64_t		 skipped_due_ms;
	uint64_t		 skipped_told_ms;
};

/* ------------------------------------------------------- addresses */

static struct peer **
chain_of(struct resolver_many *m, const struct sock_addr *a)
{
	uint64_t	h = m->seed ^ a->family;
	size_t		n = a->family == 4 ? 4 : 16;

	for (size_t i = 0; i < n; i++) {
		h = (h ^ a->raw[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	return &m->chains[h % CHAINS];
}

static bool
same(const struct sock_addr *a, const struct sock_addr *b)
{
	return a->family == b->family &&
	    memcmp(a->raw, b->raw, a->family == 4 ? 4 : 16) == 0;
}

static void
list_remove(struct peer *p)
{
	struct list *l = &p->many->lists[p->state];

	*(p->before != NULL ? &p->before->after : &l->first) = p->after;
	*(p->after != NULL ? &p->after->before : &l->last) = p->before;
	p->before = p->after = NULL;
	l->n--;
}

static void
list_append(struct peer *p, enum peer_state state)
{
	struct list *l = &p->many->lists[state];

	p->state = state;
	p->before = l->last;
	*(l->last != NULL ? &l->last->after : &l->first) = p;
	l->last = p;
	l->n++;
}

static void
move(struct peer *p, enum peer_state state)
{
	list_remove(p);
	list_append(p, state);
}

static void	on_found(void *ctx);

static struct peer *
peer_new(struct resolver_many *m, const struct sock_addr *a)
{
	struct peer **chain = chain_of(m, a);
	struct peer *p = xalloc(1, sizeof(*p));

	p->many = m;
	p->look = (struct resolver_look){
		.channel = m->channel, .peer = *a, .fn = on_found, .ctx = p,
	};
	p->chain = *chain;
	*chain = p;
	list_append(p, QUEUED);
	return p;
}

static struct peer *
peer_find(struct resolver_many *m, const struct sock_addr *a)
{
	struct peer *p = *chain_of(m, a);

	while (p != NULL && !same(&p->look.peer, a))
		p = p->chain;
	return p;
}

/* Nobody waits for it, and c-ares is done with it. */
static void
peer_forget(struct peer *p)
{
	struct peer **at = chain_of(p->many, &p->look.peer);

	while (*at != p)
		at = &(*at)->chain;
	*at = p->chain;
	list_remove(p);
	free(p);
}

/* ------------------------------------------------------- what is said */

static void
tell(const struct peer *p, uint64_t sid, const struct resolver_found *found)
{
	wire_log_sid(sid);
	resolver_say(&p->look.peer, found);
	log_set_sid("");
}

static void
tell_all(struct peer *p, const struct resolver_found *found)
{
	while (p->waiting != NULL) {
		struct waiting *w = p->waiting;

		p->waiting = w->next;
		tell(p, w->sid, found);
		free(w);
	}
	p->many->nwaiting -= p->nwaiting;
	p->nwaiting = 0;
}

static void
skip(struct resolver_many *m)
{
	uint64_t now = clock_ms();

	if (m->skipped++ > 0)
		return;
	m->skipped_due_ms = now + SKIPPED_SOON_MS;
	if (m->skipped_told_ms != 0 &&
	    m->skipped_due_ms < m->skipped_told_ms + SKIPPED_EACH_MS)
		m->skipped_due_ms = m->skipped_told_ms + SKIPPED_EACH_MS;
}

static void
tell_skipped(struct resolver_many *m)
{
	struct log_line l;

	log_begin(&l, LEVEL_NOTE, "peer-skipped");
	log_num(&l, "clients", m->skipped);
	log_str(&l, "text", "Too many at a time to look up their names");
	log_end(&l);
	m->skipped = 0;
	m->skipped_told_ms = clock_ms();
}

/* ------------------------------------------------------- asking */

static void
on_found(void *ctx)
{
	struct peer *p = ctx;

	p->until_ms = clock_ms() +
	    (p->look.found.what == FOUND_SILENCE ? SILENCE_MS : KNOWN_MS);
	move(p, KNOWN);
	tell_all(p, &p->look.found);
}

static void
begin(struct peer *p)
{
	p->until_ms = clock_ms() + p->many->timeout_ms;
	move(p, ASKING);
	resolver_look_begin(&p->look);
}

static const struct resolver_found silence = { .what = FOUND_SILENCE };

static void
give_up(struct peer *p)
{
	p->look.over = true;
	move(p, LATE);
	tell_all(p, &silence);
}

static void
wait_for_it(struct peer *p, uint64_t sid)
{
	struct resolver_many	*m = p->many;
	struct waiting		**end = &p->waiting;
	struct waiting		*w = xalloc(1, sizeof(*w));

	while (*end != NULL)		/* WAITING_EACH at the most */
		end = &(*end)->next;
	w->sid = sid;
	*end = w;
	p->nwaiting++;
	m->nwaiting++;
}

static void
on_peer(struct resolver_many *m, uint64_t sid, const struct sock_addr *a)
{
	struct peer *p;

	if (a->family == 0 || resolver_hosts_has(&m->hosts, a))
		return;
	p = peer_find(m, a);
	if (p != NULL && p->state == KNOWN && clock_ms() < p->until_ms) {
		tell(p, sid, &p->look.found);
		return;
	}
	if (p != NULL && p->state == LATE) {
		tell(p, sid, &silence);
		return;
	}
	if (m->nwaiting >= WAITING_MAX ||
	    (p != NULL && p->nwaiting >= WAITING_EACH)) {
		skip(m);
		return;
	}
	if (p == NULL)
		p = peer_new(m, a);
	else if (p->state == KNOWN)
		move(p, QUEUED);
	wait_for_it(p, sid);
}

/* ------------------------------------------------------- the loop */

/* When the next of these is due: a time-out of c-ares's, the end of the oldest
 * look-up's time, the line about those who were skipped. */
static uint64_t
next_ms(struct resolver_many *m, uint64_t now)
{
	uint64_t	 due_ms = resolver_next_ms(m->channel);
	const struct peer *asking = m->lists[ASKING].first;
	uint64_t	 next = LOOP_NEVER;

	if (due_ms != UINT64_MAX)
		next = now + due_ms;
	if (asking != NULL && asking->until_ms < next)
		next = asking->until_ms;
	if (m->skipped > 0 && m->skipped_due_ms < next)
		next = m->skipped_due_ms;
	return next;
}

/* At the end of each call-back: whose time is over, who is next, until when. */
static void
settle(struct resolver_many *m)
{
	struct list	*l = m->lists;
	uint64_t	 now = clock_ms();
	uint64_t	 next;

	while (l[ASKING].first != NULL && l[ASKING].first->until_ms <= now)
		give_up(l[ASKING].first);
	while (l[QUEUED].first != NULL &&
	    l[ASKING].n + l[LATE].n < ASKING_MAX)
		begin(l[QUEUED].first);
	while (l[KNOWN].n > KNOWN_MAX)
		peer_forget(l[KNOWN].first);
	if (m->skipped > 0 && m->skipped_due_ms <= now)
		tell_skipped(m);
	now = clock_ms();
	next = next_ms(m, now);
	if (next == LOOP_NEVER)
		loop_watch_fini(&m->timer);
	else
		loop_watch_set(&m->timer, 0, next > now ? next - now : 0);
}

static void
on_timer(void *ctx, unsigned what UNUSED)
{
	struct resolver_many *m = ctx;

	ares.process_fd(m->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	settle(m);
}

static void
on_asked(void *ctx, unsigned what)
{
	struct asked		*a = ctx;
	struct resolver_many	*m = a->many;
	int			 fd = a->watch.fd;

	/* First: what c-ares does may close the socket, and a is gone. */
	loop_watch_set(&a->watch, a->what, LOOP_NEVER);
	ares.process_fd(m->channel, what & LOOP_READ ? fd : ARES_SOCKET_BAD,
	    what & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
	settle(m);
}

/* c-ares tells what it waits for on a socket; nothing: it will be closed. */
static void
on_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct resolver_many	*m = ctx;
	struct asked		**at = &m->asked;
	struct asked		*a;

	while (*at != NULL && (*at)->watch.fd != fd)
		at = &(*at)->next;
	a = *at;
	if (!readable && !writable) {
		if (a == NULL)
			return;
		*at = a->next;
		loop_watch_fini(&a->watch);
		free(a);
		return;
	}
	if (a == NULL) {
		a = *at = xalloc(1, sizeof(*a));
		a->many = m;
		loop_watch_init(&a->watch, m->loop, fd, on_asked, a);
	}
	a->what = (readable ? LOOP_READ : 0u) | (writable ? LOOP_WRITE : 0u);
	loop_watch_set(&a->watch, a->what, LOOP_NEVER);
}

static void	on_front(void *ctx, unsigned what);

static void
open_front(struct front *f, int link)
{
	f->link = link;
	f->many->nopen++;
	loop_watch_init(&f->watch, f->many->loop, link, on_front, f);
	loop_watch_set(&f->watch, LOOP_READ, LOOP_NEVER);
}

static void
close_front(struct front *f)
{
	if (f->link < 0)
		return;
	loop_watch_fini(&f->watch);
	fd_close(&f->link);
	f->many->nopen--;
}

/* 1: there may be more; 0: not now; -1: the link is closed, or has to be. */
static int
read_message(struct front *f)
{
	UNZEROED struct link_in		in;
	struct sock_addr	a;
	struct fault		why;
	uint64_t		sid;
	int			got;

	got = link_recv(f->link, permit_peer, permit_peer_n, 0, 0, &in, &why);
	if (got == 1) {
		sid = link_get_u64(&in);
		if (wire_get_peer(&in, &a, &why) == 0 &&
		    link_get_end(&in, &why) == 0)
			on_peer(f->many, sid, &a);
		else
			got = -1;
		link_in_fini(&in);
	} else if (got == 0) {
		return -1;
	} else if (why.class == FAULT_TEMP && why.err == ETIMEDOUT) {
		return 0;
	}
	if (got == -1)
		log_fault(LEVEL_ERR, "resolver-link", &why);
	return got;
}

static void
on_front(void *ctx, unsigned what UNUSED)
{
	struct front	*f = ctx;
	int		 got = 1;

	for (size_t i = 0; i < BATCH && got == 1; i++)
		got = read_message(f);
	if (got == -1)
		close_front(f);
	else
		loop_watch_set(&f->watch, LOOP_READ, LOOP_NEVER);
	if (f->many->nopen == 0 && f->many->master < 0)
		loop_end(f->many->loop);
	settle(f->many);
}

/* A front in place of one that has died; or the master's end.  After a reload
 * others take our place, and we end with our fronts. */
static void
on_master(void *ctx, unsigned what UNUSED)
{
	struct resolver_many	*m = ctx;
	struct link_in		 in;
	struct fault		 why;
	uint32_t		 index;
	int			 got;

	got = link_recv(m->master, permit_to_resolver, permit_to_resolver_n, 0,
	    0, &in, &why);
	if (got != 1) {
		if (got < 0)
			log_fault(LEVEL_ERR, "master-link", &why);
		loop_end(m->loop);
		return;
	}
	index = link_get_u32(&in);
	if (in.type == MSG_LEAVE) {
		loop_watch_fini(&m->master_watch);
		m->master = -1;		/* from now on, as without one */
		if (m->nopen == 0)
			loop_end(m->loop);
		link_in_fini(&in);
		return;
	}
	if (index < m->nfronts) {
		close_front(&m->fronts[index]);
		open_front(&m->fronts[index], link_get_fd(&in, 0));
	}
	link_in_fini(&in);
	loop_watch_set(&m->master_watch, LOOP_READ, LOOP_NEVER);
}

static void
on_stop(void *ctx)
{
	struct resolver_many *m = ctx;

	loop_end(m->loop);
}

/* ------------------------------------------------------- the process */

static void
watch_all(struct resolver_many *m, const int *fronts, size_t nfronts, int master)
{
	m->fronts = xalloc(nfronts, sizeof(*m->fronts));
	m->nfronts = nfronts;
	for (size_t i = 0; i < nfronts; i++) {
		m->fronts[i] = (struct front){ .many = m, .link = -1 };
		if (fronts[i] >= 0)
			open_front(&m->fronts[i], fronts[i]);
	}
	m->master = master;
	if (master < 0)
		return;
	loop_watch_init(&m->master_watch, m->loop, master, on_master, m);
	loop_watch_set(&m->master_watch, LOOP_READ, LOOP_NEVER);
}

int
resolver_many_prepare(const struct resolver_conf *c, const int *fronts,
    size_t nfronts, int master, struct resolver_many **m_r, struct fault *f)
{
	struct resolver_many *m = xalloc(1, sizeof(*m));

	m->loop = loop_new(f);
	if (m->loop == NULL ||
	    resolver_channel_open(c, on_state, m, &m->channel, f) == -1) {
		loop_free(m->loop);
		free(m);
		return -1;
	}
	m->timeout_ms = c->timeout_ms;
	random_bytes(&m->seed, sizeof(m->seed));
	resolver_hosts_load(c->hosts, &m->hosts);
	loop_watch_init(&m->timer, m->loop, -1, on_timer, m);
	loop_on_signal(m->loop, LOOP_STOP, on_stop, m);
	watch_all(m, fronts, nfronts, master);
	*m_r = m;
	return 0;
}

/* Whoever still waits is not told: the server ends. */
void
resolver_many_work(struct resolver_many *m)
{
	if (m->nopen > 0 || m->master >= 0)
		loop_run(m->loop);
	if (m->skipped > 0)
		tell_skipped(m);
}

static int
reopen_log(void *ctx)
{
	return ask_log(*(const int *)ctx);
}

static void
shed(const int *fronts, size_t nfronts, int master, int log_link)
{
	int *keep = xalloc(nfronts + 2, sizeof(*keep));

	memcpy(keep, fronts, nfronts * sizeof(*keep));
	keep[nfronts] = master;
	keep[nfronts + 1] = log_link;
	shed_descriptors(keep, nfronts + 2);
	free(keep);
}

void
resolver_main(const struct resolver_conf *c, const int *fronts, size_t nfronts,
    int master, int log_link)
{
	struct resolver_many	*m;
	struct fault		 f;

	shed(fronts, nfronts, master, log_link);
	log_set_reopen(reopen_log, &log_link);
	if (resolver_many_prepare(c, fronts, nfronts, master, &m, &f) == -1 ||
	    resolver_enter_cage(c, m->channel, &f) == -1) {
		log_fault(LEVEL_ERR, "peer-check", &f);
		spawn_exit(EXIT_FAILURE);
	}
	resolver_many_work(m);
	log_close();
	spawn_exit(EXIT_SUCCESS);
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, with the descriptors of its sessions.  Reads from: orders, which
 * are the master's; three messages of the shared process, whose texts it only
 * hands on; of a spool its octets, for a copy, without a look at them.
 * Trusts: the spawner; of the shared process that a session of its own wants a
 * process, since all of those belong to one uid.
 *
 *   order --> look, lock, copy --SEAT--> shared process --LEFT--> (over)
 *         ^     |                          | MOVE (it wants to write, or more)
 *         |     +--not plain--> own process <--+   ... --end--> (over)
 *         |     |                 ^
 *     plain     +--a home--> a process that looks there; in time, or it is ended
 *         +-------------------+
 *
 * A home may lie on a file server that is away, and no look into it ever end: that
 * is to cost nobody but its user, so no home is looked at here.
 *
 * The shared process can open nothing and has no way to a maildrop but the copies:
 * so what writes is always a process of one session, with the reach of one.  The
 * lock of who is seated is ours, and so is the link on which the master is asked.
 */
#include "role/usher.h"

#include "proto/limits.h"
#include "role/ask_log.h"
#include "role/child.h"
#include "role/order.h"
#include "role/pace.h"
#include "role/permit.h"
#include "role/shared.h"
#include "role/trace.h"
#include "role/wire.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/loop.h"
#include "sys/signals.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <stdlib.h>

#define LISTS		256u		/* of seats, by slot */
#define AGAIN_MS	1000		/* a process that dies at once */

struct seat {
	struct seat	*next;			/* of the same list */
	uint32_t	 slot;
	uint64_t	 sid;
	pid_t		 pid;		/* its own process; 0: it is seated */
	int		 link;		/* to the master; owns, as the next six;
					   -1 when it has a process of its own */
	int		 client;
	int		 far;		/* of a relay: the client's own; or -1 */
	int		 rest;		/* of the input, until it is seated; or -1 */
	int		 copy;
	int		 lock;
	int		 look;		/* from pid, which looks at a home; or -1 */
	struct loop_watch on_look;
	bool		 stops;		/* it was told to */
	char		*lock_name;	/* owns */
	struct loop_watch watch;	/* of link, without a spawner */
	uint64_t	 size;		/* of the copy */
	enum host_which	 which;		/* maildrop it is a copy of */
	uint64_t	 since_ms;	/* it is locked */
	size_t		 n;
	uint8_t		 order[];	/* as it came */
};

struct usher {
	const struct usher_start	*c;
	struct loop			*loop;
	struct loop_watch		 on_spawner;
	int				 spawner;	/* owns; -1: it has ended */
	pid_t				 self;
	bool				 stops;		/* so we are told */
	struct child			 shared;	/* mad: it takes nobody */
	struct seat			*seats[LISTS];
	size_t				 n;
};

static struct usher	u;	/* one of a process */

static void	on_master_gone(void *ctx, unsigned what);
static void	on_look(void *ctx, unsigned what);
static void	settle(struct seat *s, struct order *o, enum host_which which);

/* --- seats ----------------------------------------------------------------------- */

static struct seat **
find(uint32_t slot)
{
	struct seat **s = &u.seats[slot % LISTS];

	while (*s != NULL && (*s)->slot != slot)
		s = &(*s)->next;
	return s;
}

static struct seat *
seat_new(const struct link_in *m, const struct order *o)
{
	struct seat *s = xalloc(1, sizeof(*s) + m->n);

	*s = (struct seat){ .next = u.seats[o->slot % LISTS], .slot = o->slot,
	    .sid = o->sid, .link = -1, .client = -1, .far = -1, .rest = -1,
	    .copy = -1, .lock = -1, .look = -1, .since_ms = clock_ms(),
	    .n = m->n };
	memcpy(s->order, m->b, m->n);
	loop_watch_init(&s->watch, u.loop, -1, on_master_gone, s);
	loop_watch_init(&s->on_look, u.loop, -1, on_look, s);
	u.seats[o->slot % LISTS] = s;
	u.n++;
	return s;
}

static void
seat_close(struct seat *s)
{
	loop_watch_fini(&s->watch);
	loop_watch_fini(&s->on_look);
	fd_close(&s->link);
	fd_close(&s->client);
	fd_close(&s->far);
	fd_close(&s->rest);
	fd_close(&s->copy);
	fd_close(&s->lock);
	fd_close(&s->look);
}

static void
end_if_over(void)
{
	if (u.spawner < 0 && u.n == 0)
		loop_end(u.loop);
}

/* To the shared process, about one of its sessions. */
static void
tell_shared(uint16_t type, uint32_t slot, bool gone)
{
	UNZEROED struct link_out m;

	if (u.shared.pid == 0 || u.shared.mad)
		return;
	link_out_init(&m, type);
	link_put_u32(&m, slot);
	if (type == MSG_SIGNAL)
		link_put_u8(&m, gone ? 1 : 0);
	outbox_put(&u.shared.out, &m, 0, NULL, 0);
}

/*
 * All is closed before the master may look for what is left.  The lock of who is
 * seated is ours to give back: nobody else has it.  waits: QUIT's answer does.
 */
static void
seat_over(struct seat **at, int status, bool waits)
{
	struct seat	*s = *at;
	bool		 locked = s->lock >= 0;
	UNZEROED struct link_out m;
	struct fault	 f;

	*at = s->next;
	u.n--;
	if (locked && waits)
		pace_end(&u.c->conf->role, s->lock_name);
	if (locked)
		host_session_forget(u.c->conf, s->lock_name);
	if (waits)
		tell_shared(MSG_FREE, s->slot, false);
	seat_close(s);
	link_out_init(&m, MSG_ENDED);
	link_put_u32(&m, s->slot);
	link_put_u32(&m, (uint32_t)status | (locked ? ENDED_RELEASED : 0));
	free(s->lock_name);
	free(s);
	if (u.spawner >= 0 && link_send_wait(u.spawner, &m, &f) != 0)
		log_fault(LEVEL_ERR, "spawner-link", &f);
	end_if_over();
}

/* --- a process of its own -------------------------------------------------------- */

/* In the child: what is left of the order's descriptors goes with it. */
static void
born(const struct order *o)
{
	signals_take(SIGNALS_CONNECTION);
	spawn_name("popper-session");
	wire_log_sid(o->sid);
}

static void NORETURN
be_own(const struct order *o, const struct host *h, bool told,
    const struct fault *refused)
{
	struct session_start	start = order_start(u.c->conf, u.c->hostname, o,
				    h);
	char			sid[WIRE_SID_MAX];
	struct fault		f;

	born(o);
	wire_sid_text(o->sid, sid);
	if (h->locked)
		host_session_hold(h, sid, o->peer.text, clock_ms());
	else
		start.refused = refused;
	if (!told && order_send_facts(o->link, h, 0, u.self, &f) != 0) {
		log_fault(LEVEL_ERR, "session-start", &f);
		spawn_exit(SESSION_UNBORN);
	}
	session_main(&start);
}

static void
seat_stop(struct seat *s)
{
	s->stops = true;
	if (s->pid > 0)
		spawn_stop(s->pid);
	else
		tell_shared(MSG_SIGNAL, s->slot, false);
}

static int
fork_for(struct seat **at, int client)
{
	struct fault f;

	(*at)->pid = spawn_fork(&f);
	if ((*at)->pid >= 0)
		return (*at)->pid;
	log_fault(LEVEL_ERR, "session-fork", &f);
	order_refuse(client);
	seat_over(at, SESSION_UNBORN, false);
	return -1;
}

/* The order of a seat once more, with its descriptors, which stay the seat's. */
static int
order_again(const struct seat *s, struct order *o, struct fault *f)
{
	static struct link_in m;

	link_in_again(&m, s->far >= 0 ? MSG_SPAWN_RELAY : s->rest >= 0 ?
	    MSG_SPAWN_REST : MSG_SPAWN, span_of(s->order, s->n));
	m.fds[0] = s->link;
	m.fds[1] = s->client;
	m.fds[2] = s->far >= 0 ? s->far : s->rest;
	m.nfds = m.fds[2] >= 0 ? 3 : 2;
	return order_read(&m, o, f);
}

/* --- a home ------------------------------------------------------------------------ */

/*
 * In the child, which has nothing of anybody else's for as long as it hangs.  It
 * says that what it found may be shared, and ends; or becomes the session.
 */
static void NORETURN
be_looking(const struct order *o, int told)
{
	const int	keep[] = { o->link, o->client, o->rest, o->far, told };
	struct host	h;
	struct fault	refused = { 0 };
	struct fault	f;
	char		sid[WIRE_SID_MAX];
	bool		open;

	born(o);
	shed_descriptors(keep, ARRAY_LEN(keep));
	wire_sid_text(o->sid, sid);
	open = host_open(&h, u.c->conf, &o->id, &refused) == 0;
	if (open && h.which == HOST_NAMED && !h.maildir &&
	    h.news == HOST_NEWS_NONE)
		spawn_exit(file_write(told, "", 1, &f) == 0 ? 0 :
		    SESSION_UNBORN);
	h.locked = open && host_login(&h, sid, o->peer.text, &refused) == 0;
	fd_close(&told);
	be_own(o, &h, false, &refused);
}

static void
look_at_home(struct seat *s, struct order *o)
{
	struct fault	f;
	int		told;
	int		pid = -1;

	if (fd_pipe(&s->look, &told, &f) != 0 ||
	    fd_set_nonblock(s->look, &f) != 0) {
		log_fault(LEVEL_ERR, "session-fork", &f);
		order_refuse(o->client);
		seat_over(find(o->slot), SESSION_UNBORN, false);
	} else {
		pid = fork_for(find(o->slot), o->client);
	}
	if (pid == 0)
		be_looking(o, told);
	fd_close(&told);
	if (pid < 0)
		return;
	s->link = fd_take(&o->link);
	s->client = fd_take(&o->client);
	s->far = fd_take(&o->far);
	s->rest = fd_take(&o->rest);
	s->on_look.fd = s->look;
	loop_watch_set(&s->on_look, LOOP_READ,
	    1000ull * u.c->conf->drop.lock_timeout_s);
}

/* Its client is told by a session that has no maildrop. */
static void
look_too_late(struct seat *s, const struct order *o)
{
	struct host	h = { .conf = u.c->conf, .id = &o->id, .dirfd = -1,
			    .session_lock = -1, .journal = -1, .promises = -1 };
	struct fault	why;
	int		pid;

	spawn_kill(s->pid);
	(void)fault_set(&why, FAULT_TEMP, "his home does not answer within %u s"
	    " (lock_timeout); mend its file system, or take that away (umount"
	    " -f, umount -l): %s", u.c->conf->drop.lock_timeout_s, o->id.home);
	pid = fork_for(find(s->slot), s->client);
	if (pid == 0)
		be_own(o, &h, false, &why);
	if (pid > 0)
		seat_close(s);
}

/* What may be shared is settled as if nobody had looked. */
static void
look_is_over(struct seat *s, struct order *o)
{
	uint32_t slot = s->slot;
	bool	 stops = s->stops;

	loop_watch_fini(&s->on_look);
	fd_close(&s->look);
	s->link = s->client = s->far = s->rest = -1;	/* the order's */
	s->pid = 0;
	settle(s, o, HOST_NAMED);
	order_close(o);
	s = *find(slot);
	if (stops && s != NULL)
		seat_stop(s);
}

static void
on_look(void *ctx, unsigned what)
{
	struct seat	*s = ctx;
	struct order	 o;
	struct fault	 f;
	uint8_t		 octet;
	ssize_t		 n = file_read(s->look, &octet, 1, &f);

	if (n == 0 || order_again(s, &o, &f) != 0)
		seat_close(s);		/* it is the session */
	else if (n == 1)
		look_is_over(s, &o);
	else if ((what & LOOP_TIMEOUT) != 0)
		look_too_late(s, &o);
}

/* What MOVE says; borrows from it. */
struct move {
	bool			fresh;		/* there is no `to` */
	struct session_moved	to;
	int			rest;		/* of the input; -1: nothing */
};

static int
move_read(struct link_in *m, struct move *v, struct fault *f)
{
	struct session_moved	*to = &v->to;
	struct span		 marks;

	v->rest = m->type == MSG_MOVE_REST ? m->fds[0] : -1;
	v->fresh = link_get_u8(m) != 0;
	if (!v->fresh) {
		to->began_ms = link_get_u64(m);
		to->octets_in = link_get_u64(m);
		to->octets_out = link_get_u64(m);
		to->marks.retrieved = link_get_u64(m);
		to->marks.last = link_get_u32(m);
		marks = link_get_span(m, sizeof(to->marks.of));
		to->marks.n = marks.n;
		if (marks.n > 0)
			memcpy(to->marks.of, marks.p, marks.n);
		to->line = link_get_span(m, LIMIT_LINE);
		if (!words_unpack(link_get_u8(m), &to->words))
			return fault_set(f, FAULT_PEER, "words of nobody");
	}
	return link_get_end(m, f);
}

static void NORETURN
be_moved(const struct seat *s, struct move *v)
{
	struct session_start	start;
	struct order		o;
	struct host		h;
	struct fault		f = { 0 };
	char			sid[WIRE_SID_MAX];

	wire_log_sid(s->sid);
	wire_sid_text(s->sid, sid);
	v->to.copy = s->copy;
	v->to.size = s->size;
	if (order_again(s, &o, &f) != 0 ||
	    host_open_again(&h, u.c->conf, &o.id, s->which, &f) != 0) {
		log_fault(LEVEL_ERR, "session-start", &f);
		spawn_exit(SESSION_UNBORN);
	}
	born(&o);
	start = order_start(u.c->conf, u.c->hostname, &o, &h);
	start.rest_fd = v->rest;
	start.moved = v->fresh ? NULL : &v->to;
	if (host_session_adopt(&h, s->lock, &f) != 0)
		start.refused = &f;
	host_session_hold(&h, sid, o.peer.text, s->since_ms);
	session_main(&start);
}

/* --- the shared process ---------------------------------------------------------------- */

static int
shared_start(struct fault *f)
{
	struct shared_start start = {
		.conf = u.c->conf,
		.hostname = u.c->hostname,
		.id = u.c->id,
		.parent = u.self,
	};
	pid_t			pid = -1;

	u.shared.began_ms = clock_ms();
	if (child_links(&u.shared, f) == 0)
		pid = spawn_fork(f);
	if (pid == 0) {
		signals_take(SIGNALS_CONNECTION);
		spawn_name(u.shared.word);
		start.usher = u.shared.link.b;
		start.log_link = u.shared.log.b;
		shared_main(&start);
	}
	if (pid < 0) {
		child_close(&u.shared);
		return -1;
	}
	child_let_go(&u.shared);
	u.shared.pid = pid;
	return 0;
}

static bool
shared_is_there(void)
{
	struct fault f;

	if (u.shared.pid > 0)
		return !u.shared.mad;
	if (u.shared.began_ms != 0 &&
	    clock_ms() - u.shared.began_ms < AGAIN_MS)
		return false;
	if (shared_start(&f) == 0)
		return true;
	log_fault(LEVEL_ERR, "session-fork", &f);
	return false;
}

static void
shared_died(int status)
{
	u.shared.pid = 0;
	child_close(&u.shared);
	child_log_died(&u.shared, status);
	for (size_t i = 0; i < LISTS; i++)
		for (struct seat **s = &u.seats[i]; *s != NULL;)
			if ((*s)->pid == 0)
				seat_over(s, status, false);
			else
				s = &(*s)->next;
}

/* 0; -1: nobody can take it there. */
static int
send_seat(const struct seat *s, const struct order *o, struct fault *f)
{
	const int	fds[3] = { o->client, s->copy, o->far >= 0 ? o->far :
			    o->rest };
	UNZEROED struct link_out m;

	link_out_init(&m, o->far >= 0 ? MSG_SEAT_RELAY : o->rest >= 0 ?
	    MSG_SEAT_REST : MSG_SEAT);
	link_put_u32(&m, o->slot);
	link_put_u64(&m, o->sid);
	link_put_u64(&m, s->size);
	wire_put_peer(&m, &o->peer);
	link_put_span(&m, span_str(o->id.user));
	link_put_u8(&m, o->cached ? 1 : 0);
	link_put_u8(&m, words_pack(o->words));
	link_put_span(&m, span_str(o->id.db));
	link_put_u32(&m, pace_of(&u.c->conf->role, &o->id));
	link_put_u8(&m, o->id.method);
	return link_send(u.shared.link.a, &m, fds, fds[2] >= 0 ? 3 : 2, f);
}

/*
 * The master hears what was found out before it hears of the session: *told_r.
 * -1: it is nothing for the shared process, or that takes nothing.
 */
static int
seat_it(struct seat *s, struct order *o, struct host *h, bool *told_r)
{
	struct fault f;

	if (host_has_remains(h) || h->promises >= 0 ||
	    host_copy(h, USHER_COPY_MAX, &s->copy, &s->size, &f) != 0)
		return -1;
	*told_r = order_send_facts(o->link, h, 0, u.self, &f) == 0;
	if (!*told_r || send_seat(s, o, &f) != 0) {
		log_fault(LEVEL_DEBUG, "usher-busy", &f);
		fd_close(&s->copy);
		return -1;
	}
	s->link = fd_take(&o->link);
	s->client = fd_take(&o->client);
	s->far = fd_take(&o->far);
	s->lock = fd_take(&h->session_lock);
	s->lock_name = xstrdup(h->lock);
	s->which = h->which;
	s->watch.fd = s->link;
	if (u.spawner < 0)
		loop_watch_set(&s->watch, LOOP_READ, LOOP_NEVER);
	h->locked = false;		/* it is the seat's */
	return 0;
}

/* which: HOST_NEAR, or what somebody has found for it. */
static void
settle(struct seat *s, struct order *o, enum host_which which)
{
	UNZEROED struct host	 h;
	struct fault	 refused = { 0 };
	char		 sid[WIRE_SID_MAX];
	bool		 there = shared_is_there();
	bool		 told = false;
	pid_t		 pid;

	wire_log_sid(o->sid);
	wire_sid_text(o->sid, sid);
	if (host_open_again(&h, u.c->conf, &o->id, which, &refused) == 0) {
		h.server = there ? u.shared.pid : 0;
		if (host_login(&h, sid, o->peer.text, &refused) == 0 &&
		    there && seat_it(s, o, &h, &told) == 0) {
			host_close(&h);
			return;
		}
	} else if (h.which == HOST_ANY) {
		look_at_home(s, o);
		return;
	}
	pid = fork_for(find(o->slot), o->client);
	if (pid == 0)
		be_own(o, &h, told, &refused);
	if (pid > 0) {		/* the child has inherited the lock */
		h.locked = false;
		fd_close(&h.session_lock);
	}
	host_close(&h);
}

/* --- what it hears --------------------------------------------------------------------- */

/* The master's end has closed: it has nothing to say on that link. */
static void
on_master_gone(void *ctx, unsigned what UNUSED)
{
	const struct seat *s = ctx;

	if (s->pid == 0)
		tell_shared(MSG_SIGNAL, s->slot, true);
}

static void
signal_seat(struct link_in *m)
{
	uint32_t	 slot = link_get_u32(m);
	bool		 hard = link_get_u8(m) != 0;
	struct seat	*s = *find(slot);

	if (s == NULL)
		return;
	if (s->pid > 0 && hard)
		spawn_kill(s->pid);
	else if (hard && u.shared.pid > 0)
		/* It was taken over, and all that it has with it. */
		spawn_kill(u.shared.pid);
	else
		seat_stop(s);
}

static void
stop_all(void)
{
	if (u.shared.pid > 0)
		spawn_stop(u.shared.pid);
	for (size_t i = 0; i < LISTS; i++)
		for (struct seat *s = u.seats[i]; s != NULL; s = s->next)
			if (s->pid > 0)
				seat_stop(s);
}

static int
on_order(struct link_in *m, struct fault *f)
{
	struct order o;

	if (m->type == MSG_SIGNAL) {
		signal_seat(m);
		return 0;
	}
	if (m->type == MSG_SIGNAL_ALL) {
		stop_all();
		return 0;
	}
	if (order_read(m, &o, f) != 0)
		return -1;
	settle(seat_new(m, &o), &o, HOST_NEAR);
	order_close(&o);
	return 0;
}

static void
on_spawner(void *ctx UNUSED, unsigned what UNUSED)
{
	UNZEROED struct link_in m;
	struct fault	f;
	int		got = link_recv(u.spawner, permit_usher, permit_usher_n, 0,
			    0, &m, &f);

	if (got == 1) {
		if (on_order(&m, &f) != 0)
			got = -1;
		link_in_fini(&m);
	}
	if (got == 1) {
		loop_watch_set(&u.on_spawner, LOOP_READ, LOOP_NEVER);
		return;
	}
	if (got < 0)
		log_fault(LEVEL_ERR, "spawner-link", &f);
	loop_watch_fini(&u.on_spawner);
	fd_close(&u.spawner);
	/* Perhaps the master is gone, too: then these links say so. */
	for (size_t i = 0; i < LISTS; i++)
		for (struct seat *s = u.seats[i]; s != NULL; s = s->next)
			if (s->pid == 0)
				loop_watch_set(&s->watch, LOOP_READ, LOOP_NEVER);
	if (u.stops)
		stop_all();
	end_if_over();
}

/* What it did is the master's to count, on the link that is ours. */
static int
on_left(struct seat **at, struct link_in *m, struct fault *f)
{
	bool			waits = link_get_u8(m) != 0;
	struct wire_summary	sum;
	UNZEROED struct link_out out;
	struct fault		why;

	if (wire_get_summary(m, clock_ms() - (*at)->since_ms, &sum, f) != 0)
		return -1;
	link_out_init(&out, MSG_SUMMARY);
	wire_put_summary(&out, &sum);
	if (link_send((*at)->link, &out, NULL, 0, &why) != 0)
		log_fault(LEVEL_DEBUG, "session-summary", &why);
	seat_over(at, 0, waits);
	return 0;
}

static int
on_part(void *ctx UNUSED, struct link_in *m, struct fault *f)
{
	static struct move v;
	uint32_t	  slot = link_get_u32(m);
	struct seat	**at = find(slot);

	if (*at == NULL || (*at)->pid != 0)
		return fault_set(f, FAULT_PEER, "slot %u is not seated", slot);
	if (m->type == MSG_LEFT)
		return on_left(at, m, f);
	if (move_read(m, &v, f) != 0)
		return -1;
	if (fork_for(at, (*at)->client) == 0)
		be_moved(*at, &v);
	if (*at != NULL && (*at)->slot == slot)
		seat_close(*at);	/* the child has it all */
	return 0;
}

/* Of those who are seated. */
static bool
is_any_traced(void)
{
	for (size_t i = 0; i < LISTS; i++)
		for (const struct seat *s = u.seats[i]; s != NULL; s = s->next) {
			struct order	o;
			struct fault	f;

			if (s->pid == 0 && order_again(s, &o, &f) == 0 &&
			    trace_wants(&(struct trace_who){ s->sid,
			    span_str(o.id.user), &o.peer }))
				return true;
		}
	return false;
}

static struct seat **
find_by_pid(pid_t pid)
{
	for (size_t i = 0; i < LISTS; i++)
		for (struct seat **s = &u.seats[i]; *s != NULL; s = &(*s)->next)
			if ((*s)->pid == pid)
				return s;
	return NULL;
}

static void
on_child(void *ctx UNUSED)
{
	struct seat	**at;
	pid_t		  pid;
	int		  status;

	while ((pid = spawn_reap(&status)) > 0) {
		if (pid == u.shared.pid) {
			shared_died(status);
			continue;
		}
		at = find_by_pid(pid);
		if (at != NULL && (*at)->look >= 0) {
			on_look(*at, 0);	/* its last words */
			at = find_by_pid(pid);
		}
		if (at != NULL)
			seat_over(at, status, false);
	}
}

/* The spawner says when; and when that has died, the master, in this way. */
static void
on_stop(void *ctx UNUSED)
{
	u.stops = true;
	if (u.spawner < 0)
		stop_all();
}

static int
reopen_log(void *ctx UNUSED)
{
	return log_connect();
}

void
usher_main(const struct usher_start *c)
{
	const int	keep[] = { c->spawner };
	struct fault	f;

	shed_descriptors(keep, ARRAY_LEN(keep));
	log_set_reopen(reopen_log, NULL);
	u.c = c;
	u.spawner = c->spawner;
	u.self = spawn_self();
	u.loop = loop_new(&f);
	if (u.loop == NULL) {
		log_fault(LEVEL_ERR, "session-start", &f);
		spawn_exit(1);
	}
	u.shared = (struct child){ .word = "popper-shared",
	    .says = permit_from_shared, .nsays = permit_from_shared_n,
	    .hear = on_part, .traced = is_any_traced };
	child_init(&u.shared, u.loop);
	loop_watch_init(&u.on_spawner, u.loop, u.spawner, on_spawner, NULL);
	loop_watch_set(&u.on_spawner, LOOP_READ, LOOP_NEVER);
	loop_on_signal(u.loop, LOOP_CHILD, on_child, NULL);
	loop_on_signal(u.loop, LOOP_STOP, on_stop, NULL);
	loop_run(u.loop);
	spawn_exit(0);		/* and the shared process with us */
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: the user of many sessions (uid, gid, groups); Landlock that leaves no
 * file, seccomp that opens none, no processes.  Reads from: those users' commands;
 * copies of their maildrops, which came open.
 * Trusts: its usher, and is killed when that ends.
 * Gives up, in order: descriptors, limits, groups, gid, uid, all files, system
 * calls.
 *
 *   TALKS --end--> DRAINS --> PARTS (until the usher has been told) --> gone
 *     |                         ^
 *     +--a command that is not for here (MOVE): its own process goes on
 *
 * Nothing here waits: what would is not done here.
 */
#include "role/shared.h"

#include "pop/say.h"
#include "pop/transact.h"
#include "proto/command.h"
#include "role/ask_log.h"
#include "role/offers.h"
#include "role/pace.h"
#include "role/permit.h"
#include "role/pump.h"
#include "role/session.h"
#include "role/session_end.h"
#include "role/wire.h"

#include "base/alloc.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/loop.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define LISTS		256u		/* of seats, by slot */
#define AGAIN_MS	50		/* when the usher is busy */

enum stage { TALKS, DRAINS, PARTS };

struct seat {
	struct seat		*next;		/* of the same list */
	uint32_t		 slot;
	uint64_t		 sid;
	enum stage		 stage;
	char			*user;		/* owns */
	struct sock_addr	 peer;
	int			 client;	/* owns; or a relay */
	int			 far;		/* owns; then the client; or -1 */
	int			 copy;		/* owns */
	int			 rest;		/* of its input; owns; or -1 */
	struct pop_host		 host;
	struct pop_conf		 conf;
	struct pop		*pop;		/* owns */
	struct pump		 pump;
	struct buf		 due;		/* the command that it moves for */
	uint64_t		 began_ms;
	enum pump_end		 end;		/* DRAINS, PARTS */
	uint64_t		 end_ms;	/* DRAINS */
	bool			 asks;		/* the usher was busy: once more */
	bool			 left;		/* the usher has been told */
	struct loop_watch	 watch;
};

struct shared {
	const struct shared_start	*c;
	struct loop			*loop;
	struct loop_watch		 on_usher;
	struct seat			*seats[LISTS];
	uint8_t				 room[LIMIT_INPUT];	/* of all pumps */
};

static struct shared	sh;	/* one of a process */

/* --- the end of a seat ------------------------------------------------------------ */

static struct seat **
find(uint32_t slot)
{
	struct seat **s = &sh.seats[slot % LISTS];

	while (*s != NULL && (*s)->slot != slot)
		s = &(*s)->next;
	return s;
}

static void
seat_free(struct seat *s)
{
	*find(s->slot) = s->next;
	loop_watch_fini(&s->watch);
	if (s->pop != NULL)
		pop_free(s->pop);
	pump_fini(&s->pump);
	buf_fini(&s->due);
	fd_close(&s->client);
	fd_close(&s->far);
	fd_close(&s->copy);
	fd_close(&s->rest);
	free(s->user);
	free(s);
}

/* What its own process must know. */
static void
put_marks(const struct seat *s, struct link_out *m)
{
	UNZEROED struct pop_marks	marks;
	struct fault			f;
	bool				fresh = s->pop == NULL ||
					    pop_marks_get(s->pop, &marks, &f) != 0;

	link_put_u8(m, fresh ? 1 : 0);
	if (fresh)
		return;
	link_put_u64(m, s->began_ms);
	link_put_u64(m, s->pump.octets_in);
	link_put_u64(m, s->pump.octets_out);
	link_put_u64(m, marks.retrieved);
	link_put_u32(m, marks.last);
	link_put_span(m, span_of(marks.of, marks.n));
	link_put_span(m, buf_span(&s->due));
	link_put_u8(m, words_pack(pop_words(s->pop)));
}

/* As a front does it: what is not read of the input goes along in a pipe. */
static int
keep_rest(struct seat *s, struct fault *f)
{
	AUTO(fd_close) int	to = -1;
	struct span		rest = pump_rest(&s->pump);

	if (rest.n == 0 || s->rest >= 0)
		return 0;
	return fd_pipe(&s->rest, &to, f) != 0 ? -1 :
	    file_write(to, rest.p, rest.n, f);
}

static struct session_sum
sum_of(const struct seat *s)
{
	return (struct session_sum){
		.user = s->user,
		.ip = s->peer.text,
		.pop = s->pop,
		.end = s->end,
		.octets_in = s->pump.octets_in,
		.octets_out = s->pump.octets_out,
		.began_ms = s->began_ms,
		.gone_s = sh.c->conf->role.client_gone_s,
		.statistics = sh.c->conf->log.statistics,
	};
}

/* quits: as far as counts go it has: nothing of it can fail. */
static void
put_left(const struct seat *s, struct link_out *m, bool quits)
{
	const struct session_sum sum = sum_of(s);
	struct wire_summary	 counts;

	session_summary(&sum, &counts);
	if (quits)
		counts.end = METRIC_END_QUIT;
	link_put_u8(m, quits ? 1 : 0);
	wire_put_summary(m, &counts);
}

static int
send_part(struct seat *s, struct fault *f)
{
	UNZEROED struct link_out	m;
	bool				moves = buf_len(&s->due) > 0 ||
					    s->pop == NULL;

	if (moves && keep_rest(s, f) != 0)
		return -1;
	link_out_init(&m, !moves ? MSG_LEFT : s->rest < 0 ? MSG_MOVE :
	    MSG_MOVE_REST);
	link_put_u32(&m, s->slot);
	if (moves)
		put_marks(s, &m);
	else
		put_left(s, &m, false);
	return link_send(sh.c->usher, &m, &s->rest, s->rest < 0 ? 0 : 1, f);
}

/* It is the usher's to go on with; when that is busy, in a while. */
static void
part(struct seat *s)
{
	struct fault f;

	s->stage = PARTS;
	loop_watch_fini(&s->watch);
	if (s->left || send_part(s, &f) == 0) {
		seat_free(s);
		return;
	}
	log_fault(LEVEL_DEBUG, "usher-busy", &f);
	loop_watch_set(&s->watch, 0, AGAIN_MS);
}

/* What the client still says is swallowed, or our last reply could be lost. */
static void
drain(struct seat *s)
{
	uint64_t ms = 1000ull * sh.c->conf->role.drain_timeout_s;

	sock_shutdown_write(s->client);
	s->stage = DRAINS;
	s->end_ms = clock_ms() + ms;
	loop_watch_set(&s->watch, LOOP_READ, ms);
}

static void
drain_more(struct seat *s)
{
	struct fault	f;
	ssize_t		n = sock_read(s->client, sh.room, sizeof(sh.room), &f);
	uint64_t	now = clock_ms();

	if (n == 0 || (n < 0 && f.err != EAGAIN) || now >= s->end_ms)
		part(s);
	else
		loop_watch_set(&s->watch, LOOP_READ, s->end_ms - now);
}

/* --- its life ---------------------------------------------------------------------- */

static void
wait_more(struct seat *s)
{
	unsigned	events;
	uint64_t	ms = pump_wish(&s->pump, &events);

	if (pump_pending(&s->pump))
		ms = 0;			/* but others first */
	if (s->asks)
		ms = AGAIN_MS;
	loop_watch_set(&s->watch, (events & PUMP_READ ? LOOP_READ : 0u) |
	    (events & PUMP_WRITE ? LOOP_WRITE : 0u), ms);
}

static void
go_on(struct seat *s, enum pump_end end)
{
	struct session_sum sum;

	if (end == PUMP_GOES_ON) {
		wait_more(s);
	} else if (end == PUMP_END_LEFT) {
		part(s);
	} else {
		s->end = end;
		sum = sum_of(s);
		session_log_end(&sum);
		if (end == PUMP_END_TIMEOUT || end == PUMP_END_SLOW)
			pump_forget(&s->pump);
		if (end == PUMP_END_CLOSED)
			drain(s);
		else
			part(s);
	}
}

/* The maildrop is free before QUIT is answered. */
static enum pump_next
ask_free(struct seat *s)
{
	UNZEROED struct link_out m;
	struct fault		 f;

	link_out_init(&m, MSG_LEFT);
	link_put_u32(&m, s->slot);
	put_left(s, &m, true);
	s->left = link_send(sh.c->usher, &m, NULL, 0, &f) == 0;
	s->asks = !s->left;
	return PUMP_HOLD;
}

static void
on_seat(void *ctx, unsigned what)
{
	struct seat	*s = ctx;
	unsigned	 events;

	wire_log_sid(s->sid);
	if (s->stage == PARTS)
		part(s);
	else if (s->stage == DRAINS)
		drain_more(s);
	else if (s->asks)
		go_on(s, pump_answered(&s->pump, ask_free(s)));
	else if ((what & (LOOP_READ | LOOP_WRITE)) == 0 &&
	    !pump_pending(&s->pump) && pump_wish(&s->pump, &events) == 0)
		go_on(s, pump_over(&s->pump));
	else
		go_on(s, pump_event(&s->pump,
		    (what & LOOP_READ ? PUMP_READ : 0u) |
		    (what & LOOP_WRITE ? PUMP_WRITE : 0u)));
}

static enum pump_next
next_of(enum pop_next n)
{
	switch (n) {
	case POP_NEXT_LINE:
		return PUMP_LINE;
	case POP_NEXT_FILL:
		return PUMP_FILL;
	case POP_NEXT_CLOSE:
		return PUMP_CLOSE;
	case POP_NEXT_FILE:
	case POP_NEXT_TAKEN:
	case POP_NEXT_COLLECT:
	case POP_NEXT_ABORT:
		break;
	}
	return PUMP_ABORT;
}

static enum pump_next
on_line(void *ctx, struct span line, struct buf *out)
{
	struct seat	*s = ctx;
	struct command	 cmd;
	bool		 good = command_parse(line, POP_TRANSACTION, &cmd) ==
			    COMMAND_OK;

	if (good && ((cmd.id == CMD_QUIT && pop_is_changed(s->pop)) ||
	    cmd.id >= CMD_XTND_BBOARDS)) {
		ASSERT(buf_append(&s->due, line) == 0);
		return PUMP_LEAVE;
	}
	if (good && cmd.id == CMD_QUIT)
		return ask_free(s);
	return next_of(pop_line(s->pop, line, out));
}

static enum pump_next
on_too_long(void *ctx, struct buf *out)
{
	struct seat *s = ctx;

	return next_of(pop_too_long(s->pop, out));
}

static enum pump_next
on_fill(void *ctx, struct buf *out)
{
	struct seat *s = ctx;

	return next_of(pop_fill(s->pop, out));
}

static const struct pump_ops ops = {
	.line = on_line,
	.too_long = on_too_long,
	.fill = on_fill,
};

static void
on_free(struct seat *s)
{
	if (s->stage != TALKS || s->pump.next != PUMP_HOLD)
		return;
	wire_log_sid(s->sid);
	go_on(s, pump_answered(&s->pump, next_of(pop_line(s->pop,
	    SPAN("QUIT"), &s->pump.out))));
}

/* --- its beginning ------------------------------------------------------------------- */

static void
tell(void *ctx, const char *id, const char *text)
{
	const struct seat	*s = ctx;
	struct log_line		 l;

	log_begin(&l, LEVEL_WARN, id);
	log_str(&l, "user", s->user);
	log_str(&l, "text", text);
	log_end(&l);
}

static void
release(void *ctx UNUSED, bool done UNUSED)
{
	/* It is, before QUIT goes to pop/. */
}

/* Files and messages to send are for XTND, which is not for here. */
static void
seat_conf(struct seat *s)
{
	const struct settings *c = sh.c->conf;

	s->host = (struct pop_host){
		.ctx = s,
		.release = release,
		.tell = tell,
	};
	s->conf = (struct pop_conf){
		.host = sh.c->hostname,
		.tokens = token_wanted(&c->token),
		.implementation = c->role.hide_version ? NULL : POPPER_IDENT,
		.bboards = "",
		.bad_max = c->role.max_bad_commands,
		.preferred = (uint8_t)c->role.language,
		.utf8 = (enum pop_utf8)c->role.utf8_messages,
		.status = true,
		.expire = drop_expire_told(&c->drop),
		.own_delays = pace_differs(&c->role),
		.utf8_user = c->auth.utf8_user,
		.expire_before = drop_expire_before(&c->drop,
		    (uint64_t)time(NULL)),
		.expire_retrieved = drop_expires_retrieved(&c->drop),
		/* Whoever has something old moves, and is held there. */
		.expire_held = false,
		.ask = &s->host,
	};
}

static void
seat_pump(struct seat *s)
{
	const struct role_settings *r = &sh.c->conf->role;

	pump_init(&s->pump);
	s->pump.in = s->pump.out_fd = s->client;
	s->pump.far_fd = s->far;
	s->pump.room = sh.room;
	s->pump.shared = true;
	s->pump.idle_s = r->timeout_s;
	s->pump.min_rate = r->min_rate;
	s->pump.gone_s = r->client_gone_s;
	s->pump.ops = &ops;
	s->pump.ctx = s;
	s->pump.who = (struct trace_who){ s->sid, SPAN(""), &s->peer };
}

static void
begin(struct seat *s, uint64_t size, const char *db, bool cached,
    enum auth_method method)
{
	UNZEROED struct pop_marks marks;
	struct drop		*d;
	struct fault		f;

	if (mbox_open_image(s->copy, size, &d, &f) != 0) {
		part(s);	/* its own process will say why */
		return;
	}
	s->pop = pop_new(&s->conf, d, NULL, NULL, -1, NULL);
	if (pop_marks_get(s->pop, &marks, &f) != 0) {
		pop_free(s->pop);
		s->pop = NULL;
		part(s);
		return;
	}
	session_log_login(s->user, s->peer.text, sh.c->id->uid, db,
	    cached, method);
	pop_welcome(s->pop, &s->pump.out);
	go_on(s, pump_start(&s->pump, PUMP_LINE));
}

static int
take_seat(struct link_in *m, struct fault *f)
{
	struct seat		*s = xalloc(1, sizeof(*s));
	AUTO(fd_close) int	 rest = -1;
	char			 user[IDENTITY_USER_MAX + 1];
	uint64_t		 size;
	char			 db[IDENTITY_DB_MAX + 1];
	bool			 cached;
	uint8_t			 method;

	s->client = link_get_fd(m, 0);
	s->copy = link_get_fd(m, 1);
	s->rest = -1;
	rest = m->type == MSG_SEAT_REST ? link_get_fd(m, 2) : -1;
	s->far = m->type == MSG_SEAT_RELAY ? link_get_fd(m, 2) : -1;
	s->slot = link_get_u32(m);
	s->sid = link_get_u64(m);
	size = link_get_u64(m);
	s->began_ms = clock_ms();
	seat_conf(s);
	seat_pump(s);
	buf_init(&s->due, LIMIT_LINE);
	loop_watch_init(&s->watch, sh.loop, s->client, on_seat, s);
	if (wire_get_peer(m, &s->peer, f) != 0 ||
	    !link_get_cstr(m, user, sizeof(user)))
		return fault_set(f, FAULT_PEER, "a seat");
	cached = link_get_u8(m) != 0;
	if (!words_unpack(link_get_u8(m), &s->conf.words) ||
	    !link_get_cstr(m, db, sizeof(db)))
		return fault_set(f, FAULT_PEER, "a seat");
	s->conf.login_delay_s = link_get_u32(m);
	method = link_get_u8(m);
	if (link_get_end(m, f) != 0 || method >= AUTH_METHODS || *find(s->slot) != NULL)
		return fault_set(f, FAULT_PEER, "a seat");
	s->conf.offers = offers_later(sh.c->conf, &s->conf.words);
	s->user = xstrdup(user);
	s->pump.who.user = span_str(s->user);
	s->next = sh.seats[s->slot % LISTS];
	sh.seats[s->slot % LISTS] = s;
	wire_log_sid(s->sid);
	if (rest >= 0)
		pump_preload(&s->pump, session_read_rest(rest));
	begin(s, size, db, cached, (enum auth_method)method);
	return 0;
}

static void
end_seat(struct seat *s, enum pump_end end)
{
	wire_log_sid(s->sid);
	if (s->stage == TALKS)
		go_on(s, end);
}

static int
on_message(struct link_in *m, struct fault *f)
{
	struct seat *s;

	if (m->type == MSG_SEAT || m->type == MSG_SEAT_REST ||
	    m->type == MSG_SEAT_RELAY)
		return take_seat(m, f);
	s = *find(link_get_u32(m));
	if (s == NULL)
		return 0;		/* it has just gone */
	if (m->type == MSG_FREE)
		on_free(s);
	else
		end_seat(s, link_get_u8(m) != 0 ? PUMP_END_ORPHANED :
		    PUMP_END_STOPPED);
	return 0;
}

static void
on_usher(void *ctx UNUSED, unsigned what UNUSED)
{
	UNZEROED struct link_in m;
	struct fault	f;
	int		got = link_recv(sh.c->usher, permit_seat, permit_seat_n, 0,
			    0, &m, &f);

	if (got == 1) {
		if (on_message(&m, &f) != 0)
			got = -1;
		link_in_fini(&m);
	}
	if (got == 1) {
		loop_watch_set(&sh.on_usher, LOOP_READ, LOOP_NEVER);
		return;
	}
	if (got < 0)
		log_fault(LEVEL_ERR, "usher-link", &f);
	loop_end(sh.loop);
}

/* --- the process ------------------------------------------------------------------------ */

/* Of all sessions that have not come to their end yet. */
static void
end_all(enum pump_end end)
{
	for (size_t i = 0; i < LISTS; i++)
		for (struct seat *s = sh.seats[i], *next; s != NULL; s = next) {
			next = s->next;
			end_seat(s, end);
		}
}

static void
on_stop(void *ctx UNUSED)
{
	end_all(PUMP_END_STOPPED);
}

static int
reopen_log(void *ctx UNUSED)
{
	return ask_log(sh.c->log_link);
}

static int
reach_trace(void *ctx UNUSED)
{
	return ask_trace(sh.c->log_link, ASK_TRACE_MS);
}

static int
enter_cage(const struct shared_start *c, struct fault *f)
{
	bool degraded;

	if (cage_limits(CAGE_SHARED, f) != 0 ||
	    identity_become(c->id, true, f) != 0)
		return -1;
	spawn_tie(c->parent);
	return cage_enter(CAGE_SHARED, &degraded, f);
}

void
shared_main(const struct shared_start *c)
{
	const int	keep[] = { c->usher, c->log_link };
	struct fault	f;

	shed_descriptors(keep, ARRAY_LEN(keep));
	sh.c = c;
	log_set_reopen(reopen_log, NULL);
	trace_set_ask(reach_trace, NULL);
	sh.loop = loop_new(&f);
	if (sh.loop == NULL) {
		log_fault(LEVEL_ERR, "session-start", &f);
		spawn_exit(SESSION_UNBORN);
	}
	loop_watch_init(&sh.on_usher, sh.loop, c->usher, on_usher, NULL);
	loop_watch_set(&sh.on_usher, LOOP_READ, LOOP_NEVER);
	loop_on_signal(sh.loop, LOOP_STOP, on_stop, NULL);
	if (enter_cage(c, &f) != 0) {
		log_fault(LEVEL_ERR, "session-cage", &f);
		spawn_exit(SESSION_UNBORN);
	}
	loop_run(sh.loop);
	end_all(PUMP_END_ORPHANED);
	spawn_exit(0);
}

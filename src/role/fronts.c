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
#include "pop/authorize.h"
#include "role/ask.h"
#include "role/limit.h"
#include "role/listen.h"
#include "role/offers.h"
#include "role/permit.h"
#include "role/proxied.h"
#include "role/pump.h"
#include "role/relay.h"
#include "role/secure.h"
#include "role/wire.h"

#include "base/alloc.h"
#include "base/map.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/loop.h"
#include "sys/secmem.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>

#define ACCEPTS		64		/* of one listener at a time */
#define LEAVE_ACCEPTS	4096		/* more than its queue holds */
#define REFUSED_MAX	256		/* whom we hear out after a refusal */
#define PATIENCE_S	30		/* beyond auth's own bounds: its queue */
#define AUTH_GONE_MS	500		/* the master told us of the next one before */
#define PAUSE_MS	100		/* without descriptors: no spin */
#define LEAVE_MS	10000		/* as long as the master waits for START */
#define AGAIN_MS	50		/* to a master that is busy */
#define FULL_TEXT	"-ERR [SYS/TEMP] Too many connections, try again later.\r\n"

enum stage { AWAITS, SHAKES, TALKS, ASKED, LEAVES, RELAYS, DRAINS };

struct stranger {
	struct map_node		 in;		/* by sid */
	struct front_house	*house;
	uint64_t		 sid;
	int			 fd;		/* owns */
	enum stage		 stage;
	bool			 counted;	/* of max_strangers */
	bool			 tallied;	/* of its address and network */
	bool			 quiet;		/* a proxy's own: see popper.conf(5) */
	uint64_t		 end_ms;	/* DRAINS, LEAVES; ASKED: of our
						   patience */
	struct sock_addr	 peer;		/* the client */
	struct sock_addr	 socket;	/* who is at its other end */
	const struct listen_rules *rules;
	struct proxied		*proxied;	/* owns; AWAITS */
	struct loop_watch	 watch;
	struct authorize	 auth;		/* may hold a secret */
	struct pump		 pump;
	bool			 starts_tls;	/* STLS was answered */
	bool			 exchanges;	/* auth waits for a response */
	struct secure		 secure;
	struct relay		*relay;		/* owns; RELAYS */
	struct loop_watch	 session;	/* its other side */
};

struct front_house;

/* A listener, by its number. */
struct door {
	struct front_house	*house;
	size_t			 i;
};

struct front_house {
	const struct fronts_start	*a;
	struct loop			*loop;
	struct map			 strangers;	/* by sid */
	size_t				 n;		/* counted ones */
	size_t				 max;
	size_t				 refused;	/* DRAINS, not counted */
	size_t				 relays;	/* RELAYS, not counted */
	struct limit_log		 limits;
	struct quiet			 no_accept;
	struct quiet			 no_proxy;
	struct quiet			 no_verdict;
	struct listen_rules		 rules[LISTENERS_MAX];
	struct loop_watch		 listeners[LISTENERS_MAX];
	struct door			 doors[LISTENERS_MAX];	/* of them */
	size_t				 nlisteners;
	bool				 leaving;
	struct loop_watch		 auth;
	struct loop_watch		 auth_gone;	/* and nobody in its place */
	struct loop_watch		 master;
	int				 resolver;	/* or -1 */
	struct loop_watch		 pause;
	struct loop_watch		 keeper;
	struct certificates		*coming;	/* owns; of a renewal */
	struct secure_house		 secure;
	bool				 stopping;	/* it stays for relays alone */
	uint8_t				 room[LIMIT_INPUT];	/* of all pumps */
	uint8_t				 relay_room[RELAY_ROOM];
};

/* --- strangers ----------------------------------------------------------- */

static void
untally(struct stranger *s)
{
	if (s->tallied)
		tally_add(s->house->a->tally, s->house->a->index, &s->peer, -1);
	s->tallied = false;
}

static void
uncount(struct stranger *s)
{
	untally(s);
	if (!s->counted)
		return;
	s->counted = false;
	s->house->n--;
	metric_drop(METRIC_STRANGERS);
}

/* Nobody here will ask them any more: they may end. */
static void
let_go(struct front_house *h)
{
	struct loop_watch *const w[] = { &h->auth_gone, &h->auth };

	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		int fd = w[i]->fd;

		loop_watch_fini(w[i]);
		w[i]->fd = -1;
		fd_close(&fd);
	}
	fd_close(&h->resolver);
}

/* Everybody is counted, or one of those who were refused, or relayed. */
static void
end_if_empty(struct front_house *h)
{
	if (!h->leaving || h->n + h->refused > 0)
		return;
	if (h->relays == 0)
		loop_end(h->loop);
	else
		let_go(h);
}

static void	abort_exchange(struct front_house *h, uint64_t sid);

static void
stranger_free(struct stranger *s)
{
	if (s->exchanges)
		abort_exchange(s->house, s->sid);
	if (s->stage == DRAINS && !s->counted)
		s->house->refused--;
	if (s->stage == RELAYS)
		s->house->relays--;
	uncount(s);
	map_take(&s->house->strangers, &s->in);
	loop_watch_fini(&s->watch);
	loop_watch_fini(&s->session);
	if (s->relay != NULL)
		relay_fini(s->relay);
	free(s->relay);
	secure_close(&s->secure);
	pump_fini(&s->pump);
	authorize_fini(&s->auth);
	free(s->proxied);
	fd_close(&s->fd);
	tally_exit(s->house->a->tally, s->house->a->index);
	end_if_empty(s->house);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

/* The limit that has ended it, if it was one. */
static void
log_limit_of(const struct stranger *s, enum pump_end end)
{
	const struct authorize	*a = &s->auth;
	enum limit		 limit = LIMITS;

	if (end == PUMP_END_TIMEOUT && clock_ms() >= s->pump.deadline_ms)
		limit = LIMIT_LOGIN_TIME;
	else if (end == PUMP_END_CLOSED && a->lines > a->lines_max)
		limit = LIMIT_COMMANDS;
	else if (end == PUMP_END_CLOSED && a->bad >= a->bad_max)
		limit = LIMIT_BAD_COMMANDS;
	if (limit != LIMITS && !s->quiet)
		limit_reached(&s->house->limits, limit, &s->peer);
}

static void
log_end_of(const struct stranger *s, enum pump_end end)
{
	struct log_line l;

	log_begin(&l, LEVEL_DEBUG, "stranger-end");
	log_str(&l, "ip", s->peer.text);
	log_str(&l, "reason", s->auth.quit ? "quit" : pump_end_word(end));
	log_end(&l);
}

/* What they still say is swallowed: octets that lie unread at close would make
 * the kernel destroy our last reply. */
static void
drain(struct stranger *s)
{
	uint64_t ms = 1000ull * s->house->a->conf->role.drain_timeout_s;

	secure_end(&s->secure);
	sock_shutdown_write(s->fd);
	s->stage = DRAINS;
	s->end_ms = clock_ms() + ms;
	loop_watch_set(&s->watch, LOOP_READ, ms);
}

static void
drain_more(struct stranger *s)
{
	struct fault	f;
	ssize_t		n = sock_read(s->fd, s->house->room,
			    sizeof(s->house->room), &f);
	uint64_t	now = clock_ms();

	if (n == 0 || (n < 0 && f.err != EAGAIN) || now >= s->end_ms)
		stranger_free(s);
	else
		loop_watch_set(&s->watch, LOOP_READ, s->end_ms - now);
}

/* --- the way out: to the master ------------------------------------------ */

/* One that goes on in the clear: all of it is the session's. */
static int
send_socket(struct stranger *s, struct fault *f)
{
	AUTO(fd_close) int	rest = -1;
	struct span		text = pump_rest(&s->pump);
	UNZEROED struct link_out m;

	if (text.n > 0 && wire_rest(text, &rest, f) != 0)
		return -1;
	link_out_init(&m, rest >= 0 ? MSG_START_REST : MSG_START);
	link_put_u64(&m, s->sid);
	link_put_u8(&m, words_pack(authorize_words(&s->auth)));
	return link_send(s->house->a->master, &m, (int[]){ s->fd, rest },
	    rest >= 0 ? 2 : 1, f);
}

static void	on_session(void *ctx, unsigned what);

static void
relay_more(struct stranger *s)
{
	unsigned	client;
	unsigned	session;
	uint64_t	ms = relay_wish(s->relay, &client, &session);

	loop_watch_set(&s->watch, (client & PUMP_READ ? LOOP_READ : 0u) |
	    (client & PUMP_WRITE ? LOOP_WRITE : 0u),
	    ms == UINT64_MAX ? LOOP_NEVER : ms);
	loop_watch_set(&s->session, (session & PUMP_READ ? LOOP_READ : 0u) |
	    (session & PUMP_WRITE ? LOOP_WRITE : 0u), LOOP_NEVER);
}

static void
relay(struct stranger *s, unsigned ready)
{
	if (relay_turn(s->relay, ready, s->house->relay_room))
		relay_more(s);
	else
		stranger_free(s);
}

static void
on_session(void *ctx, unsigned what UNUSED)
{
	struct stranger *s = ctx;

	wire_log_sid(s->sid);
	relay(s, RELAY_SESSION);
}

/* One end of a pair is the session's; what was read beyond the login goes that way. */
static int
send_relay(struct stranger *s, struct fault *f)
{
	AUTO(fd_close) int	ours = -1;
	AUTO(fd_close) int	theirs = -1;
	UNZEROED struct link_out m;

	link_out_init(&m, MSG_START_RELAY);
	link_put_u64(&m, s->sid);
	link_put_u8(&m, words_pack(authorize_words(&s->auth)));
	if (sock_pair(&ours, &theirs, f) != 0 || link_send(s->house->a->master,
	    &m, (int[]){ s->fd, theirs }, 2, f) != 0)
		return -1;
	secure_log_old(&s->secure, span_of(s->auth.name, s->auth.name_n),
	    &s->peer);
	s->relay = xalloc(1, sizeof(*s->relay));
	loop_watch_init(&s->session, s->house->loop, ours, on_session, s);
	relay_init(s->relay, &s->secure, fd_take(&ours), pump_rest(&s->pump),
	    s->house->a->conf->role.drain_timeout_s);
	return 0;
}

static int
send_start(struct stranger *s, struct fault *f)
{
	return s->secure.stream == NULL ? send_socket(s, f) : send_relay(s, f);
}

/* It is no stranger any more; what it was is not kept. */
static void
stay(struct stranger *s)
{
	uncount(s);
	authorize_fini(&s->auth);
	pump_fini(&s->pump);
	s->stage = RELAYS;
	s->house->relays++;
	end_if_empty(s->house);
	relay(s, 0);
}

/* Whatever is short just now: it is tried as long as the master waits for it. */
static void
leave(struct stranger *s)
{
	struct fault	f;
	uint64_t	now = clock_ms();

	if (s->stage != LEAVES) {
		s->stage = LEAVES;
		s->end_ms = now + LEAVE_MS;
	}
	if (send_start(s, &f) != 0) {
		if (now < s->end_ms) {
			loop_watch_set(&s->watch, 0, AGAIN_MS);
			return;
		}
		log_fault(LEVEL_ERR, "front-handover", &f);
	}
	if (s->relay != NULL)
		stay(s);
	else
		stranger_free(s);
}

static void
wait_more(struct stranger *s)
{
	unsigned	events;
	uint64_t	ms = pump_wish(&s->pump, &events);
	uint64_t	now = clock_ms();

	if (s->stage == ASKED && now + ms > s->end_ms)
		ms = s->end_ms > now ? s->end_ms - now : 1;
	if (pump_pending(&s->pump))
		ms = 0;			/* but others first */
	loop_watch_set(&s->watch, (events & PUMP_READ ? LOOP_READ : 0u) |
	    (events & PUMP_WRITE ? LOOP_WRITE : 0u), ms);
}

static void		on_header(struct stranger *s);
static void		start_tls(struct stranger *s);
static void		shake(struct stranger *s);

static void
go_on(struct stranger *s, enum pump_end end)
{
	if (end == PUMP_GOES_ON) {
		wait_more(s);
	} else if (end == PUMP_END_LEFT && s->starts_tls) {
		start_tls(s);
	} else if (end == PUMP_END_LEFT) {
		leave(s);
	} else {
		log_limit_of(s, end);
		log_end_of(s, end);
		/* Who drains beyond the bound stays within the limits. */
		if (s->house->refused < REFUSED_MAX) {
			uncount(s);
			s->house->refused++;
		}
		drain(s);
	}
}

static enum pump_next	on_announced(struct stranger *s, struct buf *out);

static enum pump_next
next_of(enum authorize_next n)
{
	switch (n) {
	case AUTHORIZE_MORE:
		return PUMP_LINE;
	case AUTHORIZE_ASK:
	case AUTHORIZE_RESPOND:
		return PUMP_HOLD;
	case AUTHORIZE_TLS:
		return PUMP_LEAVE;
	case AUTHORIZE_CLIENT:
	case AUTHORIZE_CLOSE:
		break;
	}
	return PUMP_CLOSE;
}

/* When auth dies, all who have asked it, and all who ask then, meet the same. */
static void
log_unjudged(struct front_house *h, const char *why)
{
	struct log_line	l;
	uint64_t	n;

	if (!quiet_speak(&h->no_verdict, &n))
		return;
	log_begin(&l, LEVEL_ERR, "front-link");
	log_str(&l, "text", why);
	log_num(&l, "times", n);
	log_end(&l);
}

/* Who was asked has died, or forgotten it. */
static void
give_up(struct stranger *s)
{
	log_unjudged(s->house, "no verdict has come");
	s->stage = TALKS;
	go_on(s, pump_answered(&s->pump, next_of(authorize_answer(&s->auth,
	    ANSWER_ERROR, &s->pump.out))));
}

static void
on_stranger(void *ctx, unsigned what)
{
	struct stranger	*s = ctx;
	unsigned	 events;

	wire_log_sid(s->sid);
	if (s->stage == AWAITS)
		on_header(s);
	else if (s->stage == SHAKES)
		shake(s);
	else if (s->stage == RELAYS)
		relay(s, what & (LOOP_READ | LOOP_WRITE) ? RELAY_CLIENT : 0);
	else if (s->stage == DRAINS)
		drain_more(s);
	else if (s->stage == LEAVES)
		leave(s);
	else if (s->stage == ASKED && clock_ms() >= s->end_ms)
		give_up(s);
	else if ((what & (LOOP_READ | LOOP_WRITE)) != 0)
		go_on(s, pump_event(&s->pump,
		    (what & LOOP_READ ? PUMP_READ : 0u) |
		    (what & LOOP_WRITE ? PUMP_WRITE : 0u)));
	else if (pump_pending(&s->pump))
		go_on(s, pump_event(&s->pump, 0));
	else if (pump_wish(&s->pump, &events) == 0)
		go_on(s, pump_over(&s->pump));
	else
		wait_more(s);
}

/* --- what they say ---------------------------------------------------------- */

/* Who has hung up came from nowhere. */
static struct auth_way
way_of(const struct stranger *s)
{
	struct auth_way	way = { .tls = s->secure.stream != NULL };
	struct fault	f;

	if (sock_local(s->fd, &way.local, &f) != 0)
		way.local.family = 0;
	return way;
}

static int
ask(struct stranger *s, struct fault *f)
{
	const struct auth_way		way = way_of(s);
	UNZEROED struct link_out	m;
	uint8_t			binding[AUTH_BINDING_MAX];
	struct wire_asked	asked = asked_of(&s->auth, &s->secure, &way,
				    binding);
	int			result;

	link_out_init(&m, MSG_CHECK);
	link_put_u64(&m, s->sid);
	wire_put_peer(&m, &s->peer);
	wire_put_asked(&m, &asked);
	wire_put_peer(&m, &s->socket);
	result = link_send(s->house->auth.fd, &m, NULL, 0, f);
	link_out_wipe(&m);
	authorize_asked(&s->auth);
	return result;
}

static int
respond(struct stranger *s, struct fault *f)
{
	UNZEROED struct link_out	m;
	int		result;

	s->exchanges = false;
	wire_put_response(&m, s->sid, buf_span(&s->auth.ask.message),
	    s->auth.ask.broken);
	result = link_send(s->house->auth.fd, &m, NULL, 0, f);
	link_out_wipe(&m);
	authorize_asked(&s->auth);
	return result;
}

/* Best effort: auth has a bound of its own for who does not go on. */
static void
abort_exchange(struct front_house *h, uint64_t sid)
{
	struct link_out	m;
	struct fault	f;

	link_out_init(&m, MSG_ABORT);
	link_put_u64(&m, sid);
	if (h->auth.fd >= 0 && link_send(h->auth.fd, &m, NULL, 0, &f) != 0)
		log_fault(LEVEL_DEBUG, "front-link", &f);
}

/* The client has given up what auth is in the midst of. */
static void
look_at_exchange(struct stranger *s)
{
	if (!s->exchanges || authorize_exchanges(&s->auth))
		return;
	s->exchanges = false;
	abort_exchange(s->house, s->sid);
}

/* Longer than auth can take for an answer. */
static uint64_t
patience_ms(const struct settings *c)
{
	return 1000ull * (c->role.auth_timeout_s + c->role.auth_fail_delay_s +
	    PATIENCE_S);
}

static void
expect(struct stranger *s)
{
	pump_expect(&s->pump, authorize_width(&s->auth),
	    authorize_is_secret(&s->auth));
}

static enum pump_next
on_line(void *ctx, struct span line, struct buf *out)
{
	struct stranger		*s = ctx;
	enum authorize_next	 n;
	struct fault		 f;

	n = authorize_line(&s->auth, line, out);
	expect(s);
	look_at_exchange(s);
	s->pump.who.user = span_of(s->auth.name, s->auth.name_n);
	if (n == AUTHORIZE_CLIENT)
		return on_announced(s, out);
	s->starts_tls = n == AUTHORIZE_TLS;
	if (n != AUTHORIZE_ASK && n != AUTHORIZE_RESPOND)
		return next_of(n);
	if ((n == AUTHORIZE_ASK ? ask(s, &f) : respond(s, &f)) == 0) {
		s->stage = ASKED;
		s->end_ms = clock_ms() + patience_ms(s->house->a->conf);
		return PUMP_HOLD;
	}
	log_unjudged(s->house, f.text);
	return next_of(authorize_answer(&s->auth, ANSWER_ERROR, out));
}

static enum pump_next
on_too_long(void *ctx, struct buf *out)
{
	struct stranger		*s = ctx;
	enum authorize_next	 n = authorize_too_long(&s->auth, out);

	expect(s);
	look_at_exchange(s);
	return next_of(n);
}

static const struct pump_ops ops = {
	.line = on_line,
	.too_long = on_too_long,
};

/* Why not: auth knows of two ways alone. */
static enum authorize_answer
answer_of(uint8_t answer, bool of_master)
{
	if (answer == ANSWER_NO || (of_master && (answer == ANSWER_FULL ||
	    answer == ANSWER_USER_FULL)))
		return (enum authorize_answer)answer;
	return ANSWER_ERROR;
}

/* One verdict; of a stranger that has gone meanwhile it means nothing. */
static void
on_verdict(struct front_house *h, struct link_in *m, bool of_master)
{
	uint64_t		 sid = link_get_u64(m);
	uint8_t			 answer = link_get_u8(m);
	struct stranger		*s = map_find(&h->strangers, sid);
	enum pump_next		 next = PUMP_LEAVE;

	if (s == NULL || s->stage != ASKED)
		return;
	wire_log_sid(sid);
	s->stage = TALKS;
	if (answer != ANSWER_YES || !of_master)
		next = next_of(authorize_answer(&s->auth,
		    answer_of(answer, of_master), &s->pump.out));
	expect(s);
	go_on(s, pump_answered(&s->pump, next));
}

static void
on_challenge(struct front_house *h, struct link_in *m)
{
	struct stranger	*s;
	struct span	 user;
	struct span	 octets;
	uint64_t	 sid;
	struct fault	 f;

	if (wire_get_challenge(m, &sid, &user, &octets, &f) != 0) {
		log_fault(LEVEL_ERR, "front-link", &f);
		return;
	}
	s = map_find(&h->strangers, sid);
	if (s == NULL || s->stage != ASKED) {
		abort_exchange(h, sid);
		return;
	}
	wire_log_sid(sid);
	s->stage = TALKS;
	s->exchanges = true;
	authorize_challenge(&s->auth, user, octets, &s->pump.out);
	s->pump.who.user = span_of(s->auth.name, s->auth.name_n);
	expect(s);
	go_on(s, pump_answered(&s->pump, PUMP_LINE));
}

static void	leave_listeners(struct front_house *h, uint32_t ours);
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
			leave_listeners(h, link_get_u32(&m));
		else if (m.type == MSG_AUTH)
			new_auth(h, link_get_fd(&m, 0));
		else if (m.type == MSG_CHALLENGE)
			on_challenge(h, &m);
		else
			on_verdict(h, &m, of_master);
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
			give_up(s);
	}
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

/* --- the way in --------------------------------------------------------------- */

/* Which limit this client would break; LIMITS: none. */
static enum limit
limit_of(const struct stranger *s)
{
	const struct fronts_start	*a = s->house->a;
	const struct role_settings	*r = &a->conf->role;

	if (tally_count(a->tally, TALLY_ADDRESS, &s->peer) >=
	    listen_per_address(s->rules, r))
		return LIMIT_ADDRESS;
	if (tally_count(a->tally, TALLY_NETWORK, &s->peer) >=
	    listen_per_network(s->rules, r))
		return LIMIT_NETWORK;
	return LIMITS;
}

/* One line for many. */
static void
log_proxy(struct front_house *h, const struct sock_addr *peer, const char *why)
{
	uint64_t n;

	if (quiet_speak(&h->no_proxy, &n))
		proxied_log_refused(peer, n, why);
}

static void
tell_resolver(const struct stranger *s)
{
	UNZEROED struct link_out	m;
	struct fault	f;

	if (s->house->resolver < 0 || s->peer.family == 0)
		return;
	link_out_init(&m, MSG_PEER);
	link_put_u64(&m, s->sid);
	wire_put_peer(&m, &s->peer);
	/* A resolver that is busy misses one: it is for the log alone. */
	if (link_send(s->house->resolver, &m, NULL, 0, &f) != 0)
		log_fault(LEVEL_DEBUG, "peer-check", &f);
}

/* Is there room for one more of this client's?  Then it is counted. */
static bool
take_up(struct stranger *s)
{
	struct front_house	*h = s->house;
	enum limit		 limit = limit_of(s);

	if (limit != LIMITS) {
		limit_reached(&h->limits, limit, &s->peer);
		return false;
	}
	s->tallied = true;
	tally_add(h->a->tally, h->a->index, &s->peer, 1);
	tell_resolver(s);
	return true;
}

static struct stranger *
stranger_new(struct front_house *h, int fd, const struct sock_addr *peer,
    const struct listen_rules *rules)
{
	const struct role_settings	*r = &h->a->conf->role;
	struct stranger			*s = xalloc(1, sizeof(*s));

	s->house = h;
	s->fd = fd;
	s->stage = TALKS;
	s->peer = s->socket = *peer;
	s->rules = rules;
	s->sid = wire_new_sid();
	map_put(&h->strangers, &s->in, s->sid, s);
	offers_begin(&s->auth, h->a->host, h->a->conf);
	pump_init(&s->pump);
	s->pump.in = s->pump.out_fd = fd;
	s->pump.room = h->room;
	s->pump.shared = true;
	s->pump.idle_s = r->timeout_s;
	s->pump.deadline_ms = clock_ms() + 1000ull * r->login_timeout_s;
	s->pump.ops = &ops;
	s->pump.ctx = s;
	s->pump.who = (struct trace_who){ s->sid, SPAN(""), &s->peer };
	expect(s);
	loop_watch_init(&s->watch, h->loop, fd, on_stranger, s);
	loop_watch_init(&s->session, h->loop, -1, on_session, s);
	return s;
}

/* Beyond the bound they are told as well, but not heard out. */
static void
refuse(struct stranger *s, struct span text)
{
	struct fault	f;
	bool		told = sock_write(s->fd, text, &f) > 0;

	(void)trace_say(&s->pump.who, TRACE_SERVER, span_first(text,
	    span_find(text, '\r')));
	uncount(s);
	s->stage = DRAINS;
	if (s->house->refused++ >= REFUSED_MAX || !told)
		stranger_free(s);
	else
		drain(s);
}

static void
greet(struct stranger *s)
{
	authorize_greet(&s->auth, &s->pump.out);
	go_on(s, pump_start(&s->pump, PUMP_LINE));
}

/* --- TLS ---------------------------------------------------------------------------- */

static void
count_handshake(const struct stranger *s)
{
	struct tls_facts facts;

	s->secure.tls->facts(s->secure.stream, &facts);
	metric_add(strcmp(facts.protocol, "TLSv1.3") == 0 ? METRIC_TLS_13 :
	    strcmp(facts.protocol, "TLSv1.2") == 0 ? METRIC_TLS_12 :
	    METRIC_TLS_OLD, 1);
	if (facts.resumed)
		metric_add(METRIC_TLS_RESUMED, 1);
}

static void
shaken(struct stranger *s)
{
	bool greeted = s->starts_tls;

	pump_again(&s->pump);
	s->pump.wire = &secure_wire;
	s->pump.wire_ctx = &s->secure;
	s->starts_tls = false;
	s->stage = TALKS;
	authorize_secured(&s->auth);
	secure_know(&s->secure, &s->house->secure, &s->peer, &s->auth);
	s->auth.offers = offers_of(s->house->a->conf, &s->secure);
	if (greeted)
		go_on(s, pump_start(&s->pump, PUMP_LINE));
	else
		greet(s);
}

static void
shake(struct stranger *s)
{
	const struct secure	*x = &s->secure;
	uint64_t		 now = clock_ms();
	struct fault		 f = { .err = 0 };

	if (x->tls->handshake(x->stream, &f) == 0) {
		count_handshake(s);
		shaken(s);
		return;
	}
	if (f.err == EAGAIN && now < s->pump.deadline_ms) {
		loop_watch_set(&s->watch, x->tls->wants(x->stream) &
		    TLS_WANTS_WRITE ? LOOP_WRITE : LOOP_READ,
		    s->pump.deadline_ms - now);
		return;
	}
	secure_log_failed(&s->peer, &f);
	metric_add(METRIC_TLS_FAILED, 1);
	go_on(s, f.err == EAGAIN ? PUMP_END_TIMEOUT : PUMP_END_ABORTED);
}

/* What was said in the clear is forgotten, were it the half of a command.  (Behind a
 * PROXY header it may be the beginning of TLS.) */
static void
start_tls(struct stranger *s)
{
	struct fault f;

	s->stage = SHAKES;
	if (secure_open(&s->secure, &s->house->secure, s->rules->policy, s->fd,
	    s->fd, s->starts_tls ? SPAN("") : pump_rest(&s->pump), &f) == 0) {
		shake(s);
		return;
	}
	secure_log_failed(&s->peer, &f);
	go_on(s, PUMP_END_ABORTED);
}

/* It is known whose connection it is. */
static void
welcome(struct stranger *s)
{
	const struct settings *c = s->house->a->conf;

	if (!s->quiet && !listen_takes(s->rules, &s->peer)) {
		limit_reached(&s->house->limits, LIMIT_NETWORKS, &s->peer);
		refuse(s, SPAN(LISTEN_NETWORKS_TEXT));
		return;
	}
	if (!s->quiet && !take_up(s)) {
		refuse(s, SPAN(FULL_TEXT));
		return;
	}
	s->auth.xclient = networks_have(&c->role.xclient_networks, &s->peer);
	s->auth.master = auth_master_mark(&c->auth);
	s->auth.needs_tls = listen_needs_tls(&c->role, &s->peer);
	s->auth.stls = s->house->secure.tls != NULL && !s->rules->tls;
	s->auth.tokens = token_wanted(&c->token);
	s->auth.offers = offers_of(c, &s->secure);
	if (s->rules->tls)
		start_tls(s);
	else
		greet(s);
}

/* XCLIENT: it is somebody else's. */
static enum pump_next
on_announced(struct stranger *s, struct buf *out)
{
	const struct proxy_client *c = &s->auth.announced;

	untally(s);
	s->quiet = false;
	if (c->family != 0)
		sock_addr_set(&s->peer, c->family, c->raw, c->port);
	s->auth.needs_tls = listen_needs_tls(&s->house->a->conf->role, &s->peer);
	proxied_log_announced(&s->peer, &s->socket, "xclient");
	if (!take_up(s)) {
		ASSERT(buf_append(out, SPAN(FULL_TEXT)) == 0);
		return PUMP_CLOSE;
	}
	authorize_moved(&s->auth, out);
	return PUMP_LINE;
}

static void
await_header(struct stranger *s)
{
	uint64_t now = clock_ms();

	s->stage = AWAITS;
	loop_watch_set(&s->watch, LOOP_READ, s->proxied->end_ms > now ?
	    s->proxied->end_ms - now : 1);
}

static void
on_header(struct stranger *s)
{
	struct front_house	*h = s->house;
	struct span		 rest;
	const char		*why;

	switch (proxied_read(s->proxied, s->fd, h->room, sizeof(h->room),
	    &s->peer, &rest, &why)) {
	case PROXIED_MORE:
		await_header(s);
		return;
	case PROXIED_SILENT:
		log_end_of(s, PUMP_END_EOF);
		stranger_free(s);
		return;
	case PROXIED_BAD:
		log_proxy(h, &s->socket, why);
		stranger_free(s);
		return;
	case PROXIED_ITSELF:
		s->quiet = true;
		break;
	case PROXIED_CLIENT:
		proxied_log_announced(&s->peer, &s->socket, "proxy");
		break;
	}
	free(s->proxied);
	s->proxied = NULL;
	s->stage = TALKS;
	pump_preload(&s->pump, rest);
	welcome(s);
}

/* Who was taken, and is within (role/tally.h). */
static void
arrive(struct front_house *h, int fd, const struct sock_addr *peer,
    const struct listen_rules *rules)
{
	struct stranger	*s;

	if (rules->proxy &&
	    !networks_have(&h->a->conf->role.proxy_networks, peer)) {
		log_set_sid("");
		log_proxy(h, peer, "it is not in proxy_networks");
		fd_close(&fd);
		tally_exit(h->a->tally, h->a->index);
		return;
	}
	s = stranger_new(h, fd, peer, rules);
	metric_add(METRIC_CONNECTIONS, 1);
	wire_log_sid(s->sid);
	if (h->n >= h->max) {
		limit_reached(&h->limits, LIMIT_STRANGERS, peer);
		refuse(s, SPAN(FULL_TEXT));
		return;
	}
	s->counted = true;
	h->n++;
	metric_add(METRIC_STRANGERS, 1);
	if (!rules->proxy) {
		welcome(s);
		return;
	}
	s->proxied = xalloc(1, sizeof(*s->proxied));
	proxied_init(s->proxied);
	await_header(s);
}

static void
listen_on(struct front_house *h)
{
	for (size_t i = 0; i < h->nlisteners; i++)
		loop_watch_set(&h->listeners[i], LOOP_READ, LOOP_NEVER);
}

static void
on_pause(void *ctx, unsigned what UNUSED)
{
	listen_on(ctx);
}

/* No descriptors are left: others may have given some back in a while. */
static void
pause_all(struct front_house *h)
{
	for (size_t i = 0; i < h->nlisteners; i++)
		loop_watch_fini(&h->listeners[i]);
	loop_watch_set(&h->pause, 0, PAUSE_MS);
}

/* Whoever waits there, `most` at a time.  -1: there is no room for more, or popper ends;
 * 1: another front has left it. */
static int
accept_some(struct front_house *h, size_t i, unsigned most)
{
	struct sock_addr	peer;
	struct fault		f;
	uint64_t		times;
	int			fd;

	while (most-- > 0) {
		if (!tally_enter(h->a->tally, h->a->index))
			return -1;
		if (sock_accept(h->listeners[i].fd, &fd, &peer, &f) == 0) {
			arrive(h, fd, &peer, &h->rules[i]);
			continue;
		}
		tally_exit(h->a->tally, h->a->index);
		if (f.err == EAGAIN || f.err == EINVAL)
			return f.err == EINVAL;
		if (f.err == ECONNABORTED)
			continue;
		if (quiet_speak(&h->no_accept, &times))
			log_fault(LEVEL_ERR, "accept", &f);
		return -1;
	}
	return 0;
}

/* Another front may have been faster: nobody is there then. */
static void
on_listener(void *ctx, unsigned what UNUSED)
{
	struct door		*d = ctx;
	struct front_house	*h = d->house;
	int			 rc = accept_some(h, d->i, ACCEPTS);

	if (rc == 0)
		loop_watch_set(&h->listeners[d->i], LOOP_READ, LOOP_NEVER);
	else if (rc < 0)
		pause_all(h);
}

static void
close_listeners(struct front_house *h)
{
	loop_watch_fini(&h->pause);
	while (h->nlisteners > 0) {
		int fd = h->listeners[--h->nlisteners].fd;

		loop_watch_fini(&h->listeners[h->nlisteners]);
		fd_close(&fd);
	}
}

/* Who waits at one that nobody else has was taken by the kernel already.  Then it is
 * over for all: a process that has just been forked may have a copy still, and nobody
 * must come to that. */
static void
leave_listeners(struct front_house *h, uint32_t ours)
{
	struct link_out	m;
	struct fault	f;

	for (size_t i = 0; i < h->nlisteners; i++)
		if ((ours >> i & 1) != 0) {
			(void)accept_some(h, i, LEAVE_ACCEPTS);
			sock_shutdown(h->listeners[i].fd);
		}
	close_listeners(h);
	link_out_init(&m, MSG_LEAVES);
	if (link_send_wait(h->a->master, &m, &f) != 0)
		log_fault(LEVEL_ERR, "front-link", &f);
	h->leaving = true;
	end_if_empty(h);
}

/* --- the process ------------------------------------------------------------------ */

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
			log_end_of(s, PUMP_END_STOPPED);
		stranger_free(s);
	}
}

/* Whose sessions end in peace have a last reply to come through here: the second
 * time it is meant for them, too. */
static void
on_stop(void *ctx)
{
	struct front_house *h = ctx;

	close_listeners(h);
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
	loop_watch_init(&h->pause, h->loop, -1, on_pause, h);
	loop_watch_set(&h->auth, LOOP_READ, LOOP_NEVER);
	loop_watch_set(&h->master, LOOP_READ, LOOP_NEVER);
	if (a->keeper >= 0) {
		h->coming = xalloc(1, sizeof(*h->coming));
		loop_watch_init(&h->keeper, h->loop, a->keeper, on_keeper, h);
		loop_watch_set(&h->keeper, LOOP_READ, LOOP_NEVER);
	}
	h->nlisteners = a->nlisteners;
	for (size_t i = 0; i < a->nlisteners; i++) {
		struct sock_addr	local;
		struct fault		f;

		h->doors[i] = (struct door){ h, i };
		loop_watch_init(&h->listeners[i], h->loop, a->listeners[i],
		    on_listener, &h->doors[i]);
		/* Not to know the rules must not mean that there are none. */
		ASSERT(sock_local(a->listeners[i], &local, &f) == 0);
		listen_rules_at(&a->conf->role.listen, &local, &h->rules[i]);
	}
	listen_on(h);
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

/* SPDX-License-Identifier: ISC */
/*
 * The way out: the client's socket goes to the master.  Under TLS its session gets one
 * end of a pair of sockets, and the client stays here.
 *
 * Runs as: front_user, caged, in fronts.c.  Reads from: clients under TLS, and their
 * sessions (relay.h).
 */
#include "role/fronts_priv.h"

#include "role/permit.h"
#include "role/wire.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "watch/log.h"

#define LEAVE_MS	10000		/* as long as the master waits for START */
#define AGAIN_MS	50		/* to a master that is busy */

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

void
stranger_relay(struct stranger *s, unsigned ready)
{
	if (relay_turn(s->relay, ready, s->house->relay_room))
		relay_more(s);
	else
		stranger_free(s);
}

void
stranger_on_session(void *ctx, unsigned what UNUSED)
{
	struct stranger *s = ctx;

	wire_log_sid(s->sid);
	stranger_relay(s, RELAY_SESSION);
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
	loop_watch_init(&s->session, s->house->loop, ours, stranger_on_session,
	    s);
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
	stranger_uncount(s);
	authorize_fini(&s->auth);
	pump_fini(&s->pump);
	s->stage = RELAYS;
	s->house->relays++;
	fronts_end_if_empty(s->house);
	stranger_relay(s, 0);
}

void
stranger_leave(struct stranger *s)
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

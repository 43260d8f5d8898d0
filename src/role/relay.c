/* SPDX-License-Identifier: ISC */
#include "role/relay.h"

#include "sys/file.h"
#include "sys/sock.h"

#include <errno.h>
#include <limits.h>

/* Blocks of each direction before others have their turn. */
#define RELAY_TURN	4

void
relay_init(struct relay *r, struct secure *client, int session,
    struct span first, unsigned drain_s)
{
	*r = (struct relay){ .client = client, .session = session,
	    .drain_s = drain_s };
	buf_init(&r->up, RELAY_ROOM);
	buf_init(&r->down, RELAY_ROOM);
	ASSERT(buf_append(&r->up, first) == 0);
}

void
relay_fini(struct relay *r)
{
	buf_fini(&r->up);
	buf_fini(&r->down);
	fd_close(&r->session);
}

/* As sock_read and sock_write: the two sides alike. */
static ssize_t
side_read(struct relay *r, bool client, uint8_t *p, size_t n, struct fault *f)
{
	return client ? secure_wire.read(r->client, p, n, f) :
	    sock_read(r->session, p, n, f);
}

static ssize_t
side_write(struct relay *r, bool client, struct span s, struct fault *f)
{
	return client ? secure_wire.write(r->client, s, f) :
	    sock_write(r->session, s, f);
}

/* What is left of it is kept.  0, or -1: that side is gone. */
static int
give(struct relay *r, bool client, struct span s, struct buf *kept)
{
	struct fault	f;
	ssize_t		n;

	while (s.n > 0) {
		n = side_write(r, client, s, &f);
		if (n < 0 && f.err != EAGAIN)
			return -1;
		if (n < 0)
			break;
		s = span_skip(s, (size_t)n);
	}
	if (s.n > 0)
		ASSERT(buf_append(kept, s) == 0);
	return 0;
}

static int
give_kept(struct relay *r, bool client, struct buf *kept)
{
	struct fault	f;
	ssize_t		n;

	while (buf_len(kept) > 0) {
		n = side_write(r, client, buf_span(kept), &f);
		if (n < 0)
			return f.err == EAGAIN ? 0 : -1;
		buf_consume(kept, (size_t)n);
	}
	buf_fini(kept);		/* an idle one keeps no room */
	return 0;
}

/*
 * As side_read.  The session is asked until it has nothing more (or has had its turn):
 * its end is close behind the last reply, and goes out with that.
 */
static ssize_t
take(struct relay *r, bool client, uint8_t *room, bool *ended, struct fault *f)
{
	size_t	n = 0;
	ssize_t	got;

	for (int i = 0; i < RELAY_TURN && n < RELAY_ROOM; i++) {
		got = side_read(r, client, room + n, RELAY_ROOM - n, f);
		*ended = got == 0;
		if (got <= 0)
			return n > 0 || got == 0 ? (ssize_t)n : -1;
		n += (size_t)got;
		if (client)
			break;
	}
	return (ssize_t)n;
}

/* One direction.  0, or -1: one side is gone, and the other need not know more. */
static int
carry(struct relay *r, bool down, bool ready, struct buf *kept, bool *ended,
    uint8_t *room)
{
	struct fault	f;
	ssize_t		n;

	if (buf_len(kept) > 0 && give_kept(r, down, kept) != 0)
		return -1;
	for (int i = 0; i < RELAY_TURN && ready && !*ended &&
	    buf_len(kept) == 0; i++) {
		n = take(r, !down, room, ended, &f);
		if (n < 0)
			return f.err == EAGAIN ? 0 : -1;
		if (down && *ended)
			secure_ends(r->client);
		if (give(r, down, span_of(room, (size_t)n), kept) != 0)
			return -1;
		ready = down ? n == RELAY_ROOM : secure_wire.pending(r->client);
	}
	return 0;
}

/* An end is passed on when all that came before it is. */
static void
pass_ends(struct relay *r)
{
	if (r->client_ended && buf_len(&r->up) == 0)
		sock_shutdown_write(r->session);
	if (!r->session_ended || buf_len(&r->down) > 0 || r->end_ms != 0)
		return;
	secure_end(r->client);
	sock_shutdown_write(r->client->out);
	r->end_ms = clock_ms() + 1000ull * r->drain_s;
}

bool
relay_turn(struct relay *r, unsigned ready, uint8_t *room)
{
	bool client = (ready & RELAY_CLIENT) != 0 ||
	    secure_wire.pending(r->client);

	if (carry(r, true, (ready & RELAY_SESSION) != 0, &r->down,
	    &r->session_ended, room) != 0 ||
	    carry(r, false, client, &r->up, &r->client_ended, room) != 0)
		return false;
	pass_ends(r);
	if (r->end_ms == 0)
		return true;
	return !r->client_ended && clock_ms() < r->end_ms;
}

void
relay_run(struct relay *r, uint8_t *room)
{
	unsigned ready = 0;

	while (relay_turn(r, ready, room)) {
		unsigned	client;
		unsigned	session;
		uint64_t	ms = relay_wish(r, &client, &session);
		struct wait_for	w[3] = {
			{ .fd = client & PUMP_READ ? r->client->in : -1,
			    .events = WAIT_READ },
			{ .fd = client & PUMP_WRITE ? r->client->out : -1,
			    .events = WAIT_WRITE },
			{ .fd = session != 0 ? r->session : -1,
			    .events = (uint8_t)((session & PUMP_READ ?
			    WAIT_READ : 0) | (session & PUMP_WRITE ?
			    WAIT_WRITE : 0)) },
		};

		(void)sock_wait(w, ARRAY_LEN(w), ms < INT_MAX ? (int)ms : -1);
		ready = (w[0].ready || w[1].ready ? RELAY_CLIENT : 0u) |
		    (w[2].ready ? RELAY_SESSION : 0u);
	}
}

uint64_t
relay_wish(const struct relay *r, unsigned *client_r, unsigned *session_r)
{
	uint64_t	now = clock_ms();
	bool		up = buf_len(&r->up) == 0 && !r->client_ended;
	bool		down = buf_len(&r->down) == 0 && !r->session_ended;

	*client_r = (up ? PUMP_READ : 0u) |
	    (buf_len(&r->down) > 0 ? PUMP_WRITE : 0u);
	*session_r = (down ? PUMP_READ : 0u) |
	    (buf_len(&r->up) > 0 ? PUMP_WRITE : 0u);
	if (up && secure_wire.pending(r->client))
		return 0;
	if (up && (secure_wire.wants(r->client) & PUMP_WRITE) != 0)
		*client_r |= PUMP_WRITE;
	if (r->end_ms == 0)
		return UINT64_MAX;
	return r->end_ms > now ? r->end_ms - now : 0;
}

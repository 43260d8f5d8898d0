/* SPDX-License-Identifier: ISC */
#include "role/wire.h"

#include "role/permit.h"

#include "sys/file.h"
#include "watch/log.h"

#include <inttypes.h>
#include <stdio.h>

#define SID_BITS	48

/* Of what a session can have done: generous, and no more than that. */
#define SLACK_MS	1000
#define OCTETS_A_MS	(16ull << 20)	/* 128 Gbit/s */
#define LEAST_MESSAGE	8		/* octets of a reply to RETR */
#define MESSAGES_MAX	(2u << 20)	/* that a drop shows */

void
wire_put_identity(struct link_out *m, const struct identity *id)
{
	link_put_span(m, span_str(id->user));
	link_put_u32(m, id->uid);
	link_put_u32(m, id->gid);
	link_put_u32(m, (uint32_t)id->ngids);
	for (size_t i = 0; i < id->ngids; i++)
		link_put_u32(m, id->gids[i]);
	link_put_span(m, span_str(id->home));
	link_put_span(m, span_str(id->maildrop));
	link_put_u8(m, id->virtual ? 1 : 0);
	link_put_span(m, span_str(id->db));
	link_put_u8(m, id->method);
	link_put_u8(m, id->own_delay ? 1 : 0);
	link_put_u32(m, id->login_delay_s);
}

static bool
one_line(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

int
wire_get_identity(struct link_in *m, struct identity *id, struct fault *f)
{
	*id = (struct identity){ 0 };
	if (!link_get_cstr(m, id->user, sizeof(id->user)))
		return fault_set(f, FAULT_PEER, "grant: user");
	id->uid = link_get_u32(m);
	id->gid = link_get_u32(m);
	id->ngids = link_get_u32(m);
	if (id->ngids > IDENTITY_GIDS_MAX)
		return fault_set(f, FAULT_PEER, "grant: groups");
	for (size_t i = 0; i < id->ngids; i++)
		id->gids[i] = link_get_u32(m);
	if (!link_get_cstr(m, id->home, sizeof(id->home)) ||
	    !link_get_cstr(m, id->maildrop, sizeof(id->maildrop)))
		return fault_set(f, FAULT_PEER, "grant: paths");
	if (!one_line(id->user) || !one_line(id->home) ||
	    !one_line(id->maildrop))
		return fault_set(f, FAULT_PEER, "grant: control characters");
	id->virtual = link_get_u8(m) != 0;
	if (!link_get_cstr(m, id->db, sizeof(id->db)) || !one_line(id->db))
		return fault_set(f, FAULT_PEER, "grant: database");
	id->method = link_get_u8(m);
	id->own_delay = link_get_u8(m) != 0;
	id->login_delay_s = link_get_u32(m);
	return id->method < AUTH_METHODS ? 0 :
	    fault_set(f, FAULT_PEER, "grant: method");
}

void
wire_put_peer(struct link_out *m, const struct sock_addr *a)
{
	size_t n = a->family == 4 ? 4 : a->family == 6 ? 16 : 0;

	link_put_u8(m, a->family);
	link_put_span(m, span_of(a->raw, n));
	link_put_u32(m, a->port);
}

int
wire_get_peer(struct link_in *m, struct sock_addr *a, struct fault *f)
{
	struct span	raw;
	uint32_t	port;

	*a = (struct sock_addr){ .family = link_get_u8(m) };
	raw = link_get_span(m, sizeof(a->raw));
	port = link_get_u32(m);
	if (raw.n != (a->family == 4 ? 4u : a->family == 6 ? 16u : 0u) ||
	    (a->family != 0 && raw.n == 0) || port > UINT16_MAX)
		return fault_set(f, FAULT_PEER, "an address");
	if (raw.n > 0)
		memcpy(a->raw, raw.p, raw.n);
	a->port = (uint16_t)port;
	sock_addr_text(a);
	return 0;
}

void
wire_put_way(struct link_out *m, const struct auth_way *w)
{
	wire_put_peer(m, &w->local);
	link_put_u8(m, w->tls ? 1 : 0);
}

int
wire_get_way(struct link_in *m, struct auth_way *w, struct fault *f)
{
	if (wire_get_peer(m, &w->local, f) != 0)
		return -1;
	w->tls = link_get_u8(m) != 0;
	return 0;
}

void
wire_put_asked(struct link_out *m, const struct wire_asked *a)
{
	link_put_u8(m, a->method);
	wire_put_way(m, &a->way);
	link_put_span(m, a->user);
	link_put_span(m, a->secret);
	link_put_u8(m, a->broken ? 1 : 0);
	link_put_span(m, a->binding);
}

int
wire_get_asked(struct link_in *m, struct wire_asked *a, struct fault *f)
{
	a->method = link_get_u8(m);
	if (a->method >= AUTH_METHODS)
		return fault_set(f, FAULT_PEER, "a question without sense");
	if (wire_get_way(m, &a->way, f) != 0)
		return -1;
	a->user = link_get_span(m, IDENTITY_USER_MAX);
	a->secret = link_get_span(m, auth_by_exchange(
	    (enum auth_method)a->method) ? AUTH_MESSAGE_MAX : auth_by_token(
	    (enum auth_method)a->method) ? AUTH_TOKEN_MAX : SECRET_MAX);
	a->broken = link_get_u8(m) != 0;
	a->binding = link_get_span(m, AUTH_BINDING_MAX);
	return m->bad ? link_get_end(m, f) : 0;
}

void
wire_put_challenge(struct link_out *m, uint64_t sid, struct span user,
    struct span octets)
{
	link_out_init(m, MSG_CHALLENGE);
	link_put_u64(m, sid);
	link_put_span(m, user);
	link_put_span(m, octets);
}

int
wire_get_challenge(struct link_in *m, uint64_t *sid_r, struct span *user_r,
    struct span *octets_r, struct fault *f)
{
	*sid_r = link_get_u64(m);
	*user_r = link_get_span(m, IDENTITY_USER_MAX);
	*octets_r = link_get_span(m, AUTH_CHALLENGE_MAX);
	return link_get_end(m, f);
}

void
wire_put_response(struct link_out *m, uint64_t sid, struct span octets,
    bool broken)
{
	link_out_init(m, MSG_RESPONSE);
	link_put_u64(m, sid);
	link_put_span(m, octets);
	link_put_u8(m, broken ? 1 : 0);
}

int
wire_get_response(struct link_in *m, uint64_t *sid_r, struct span *octets_r,
    bool *broken_r, struct fault *f)
{
	*sid_r = link_get_u64(m);
	*octets_r = link_get_span(m, AUTH_MESSAGE_MAX);
	*broken_r = link_get_u8(m) != 0;
	return link_get_end(m, f);
}

int
wire_rest(struct span rest, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int	from = -1;
	AUTO(fd_close) int	to = -1;

	if (fd_pipe(&from, &to, f) != 0 || fd_set_nonblock(to, f) != 0 ||
	    file_write(to, rest.p, rest.n, f) != 0)
		return -1;
	*fd_r = fd_take(&from);
	return 0;
}

void
wire_put_admit(struct link_out *m, const struct wire_admit *a)
{
	link_out_init(m, MSG_ADMIT);
	link_put_u64(m, a->sid);
	link_put_u32(m, a->front);
	link_put_u8(m, a->cached ? 1 : 0);
	wire_put_peer(m, &a->peer);
	wire_put_identity(m, &a->id);
	wire_put_peer(m, &a->socket);
}

int
wire_get_admit(struct link_in *m, struct wire_admit *a, struct fault *f)
{
	a->sid = link_get_u64(m);
	a->front = link_get_u32(m);
	a->cached = link_get_u8(m) != 0;
	if (wire_get_peer(m, &a->peer, f) != 0 ||
	    wire_get_identity(m, &a->id, f) != 0 ||
	    wire_get_peer(m, &a->socket, f) != 0)
		return -1;
	return link_get_end(m, f);
}

void
wire_put_summary(struct link_out *m, const struct wire_summary *s)
{
	link_put_u8(m, (uint8_t)(s->end - METRIC_END_QUIT));
	link_put_u64(m, s->retrieved);
	link_put_u64(m, s->deleted);
	link_put_u64(m, s->octets_in);
	link_put_u64(m, s->octets_out);
	link_put_u64(m, s->ms);
	link_put_u64(m, s->lock_ms);
}

static uint64_t
get_most(struct link_in *m, uint64_t most)
{
	uint64_t n = link_get_u64(m);

	return n < most ? n : most;
}

int
wire_get_summary(struct link_in *m, uint64_t ms, struct wire_summary *s,
    struct fault *f)
{
	uint8_t		end = link_get_u8(m);
	uint64_t	octets = (ms + SLACK_MS) * OCTETS_A_MS;

	if (end > METRIC_END_CRASH - METRIC_END_QUIT)
		return fault_set(f, FAULT_PEER, "a session's end");
	s->end = METRIC_END_QUIT + end;
	s->retrieved = get_most(m, octets / LEAST_MESSAGE);
	s->deleted = get_most(m, MESSAGES_MAX);
	s->octets_in = get_most(m, octets);
	s->octets_out = get_most(m, octets);
	s->ms = get_most(m, ms + SLACK_MS);
	s->lock_ms = get_most(m, ms + SLACK_MS);
	return link_get_end(m, f);
}

int
wire_take_summary(struct link_in *m, uint64_t ms, bool *once, enum metric *end_r,
    struct fault *f)
{
	struct wire_summary s;

	if (*once)
		return fault_set(f, FAULT_PEER, "two ends of a session");
	*once = true;
	if (wire_get_summary(m, ms, &s, f) != 0)
		return -1;
	*end_r = s.end;
	metric_add(s.end, 1);
	metric_add(METRIC_RETRIEVED, s.retrieved);
	metric_add(METRIC_DELETED, s.deleted);
	metric_add(METRIC_OCTETS_IN, s.octets_in);
	metric_add(METRIC_OCTETS_OUT, s.octets_out);
	metric_observe(METRIC_SESSION_MS, s.ms);
	if (s.lock_ms > 0)
		metric_observe(METRIC_LOCK_MS, s.lock_ms);
	return 0;
}

uint64_t
wire_new_sid(void)
{
	uint64_t sid = 0;

	while (sid == 0) {
		random_bytes(&sid, sizeof(sid));
		sid &= (1ull << SID_BITS) - 1;
	}
	return sid;
}

void
wire_sid_text(uint64_t sid, char out[WIRE_SID_MAX])
{
	(void)snprintf(out, WIRE_SID_MAX, "%012" PRIx64, sid);
}

void
wire_log_sid(uint64_t sid)
{
	char text[WIRE_SID_MAX];

	wire_sid_text(sid, text);
	log_set_sid(text);
}

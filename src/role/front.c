/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front_user, in an empty root folder, with seccomp, no processes, no
 * files.  Reads from: the stranger; the monitor's answers.  Trusts: nobody.
 * Gives up, in order: descriptors, root folder, limits, groups, gid, uid, system calls.
 *
 * Before the cage it reads no octet of the client's, and a PROXY header is one of
 * a stranger's.
 */
#include "role/front.h"

#include "auth/prep.h"
#include "pop/authorize.h"
#include "role/ask_log.h"
#include "role/limit.h"
#include "role/offers.h"
#include "role/permit.h"
#include "role/proxied.h"
#include "role/pump.h"
#include "role/relay.h"
#include "role/secure.h"
#include "role/wire.h"

#include "sys/cage.h"
#include "sys/file.h"
#include "sys/secmem.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

struct state {
	const struct front	*c;
	struct sock_addr	 peer;		/* the client */
	bool			 itself;	/* a proxy without a client */
	bool			 tls_before;	/* it came to the proxy by TLS */
	struct authorize	 auth;
	struct pump		 pump;
	struct secure_house	 house;
	struct secure		 secure;
	bool			 starts_tls;	/* STLS was answered */
	bool			 exchanges;	/* the worker waits for a response */
	struct link_out		 said;		/* on the stack each page of it would
						   be a new one, and hold a password */
	uint8_t			 room[LIMIT_INPUT];	/* the pump's */
};

static int
reopen_log(void *ctx)
{
	const struct front *c = ctx;

	return ask_log(c->log_link);
}

static int
enter_cage(const struct front *c, struct fault *f)
{
	bool	degraded;

	return cage_step_down(c->conf->role.front_user,
	    c->conf->role.chroot_dir, CAGE_FRONT, f) != 0 ||
	    cage_enter(CAGE_FRONT, &degraded, f) != 0 ? -1 : 0;
}

/* One record for the worker, and a word to the monitor that it is there. */
static int
ask(struct state *s, struct fault *f)
{
	const struct auth_way		way = {
		.local = *s->c->local,
		.tls = s->secure.stream != NULL || s->tls_before,
	};
	uint8_t			binding[AUTH_BINDING_MAX];
	struct wire_asked	asked = asked_of(&s->auth, &s->secure, &way,
				    binding);
	int			result;

	link_out_init(&s->said, MSG_CREDENTIAL);
	wire_put_asked(&s->said, &asked);
	result = link_send(s->c->credential, &s->said, NULL, 0, f);
	link_out_wipe(&s->said);
	authorize_asked(&s->auth);
	link_out_init(&s->said, MSG_ASK);
	link_put_u8(&s->said, asked.method);
	if (result == 0)
		result = link_send(s->c->link, &s->said, NULL, 0, f);
	return result;
}

static int
tell_monitor(struct state *s, uint16_t type, struct fault *f)
{
	link_out_init(&s->said, type);
	return link_send(s->c->link, &s->said, NULL, 0, f);
}

/* Likewise, to the worker that is there already. */
static int
respond(struct state *s, struct fault *f)
{
	int result;

	s->exchanges = false;
	wire_put_response(&s->said, 0, buf_span(&s->auth.ask.message),
	    s->auth.ask.broken);
	result = link_send(s->c->credential, &s->said, NULL, 0, f);
	link_out_wipe(&s->said);
	authorize_asked(&s->auth);
	return result != 0 ? -1 : tell_monitor(s, MSG_WENT_ON, f);
}

/* The client has given it up: so may the worker. */
static enum authorize_next
look_at_exchange(struct state *s, enum authorize_next n)
{
	struct fault f;

	if (!s->exchanges || authorize_exchanges(&s->auth))
		return n;
	s->exchanges = false;
	/* The worker first: what is asked next is for the next one. */
	link_out_init(&s->said, MSG_ABORT);
	link_put_u64(&s->said, 0);
	if (link_send(s->c->credential, &s->said, NULL, 0, &f) == 0 &&
	    tell_monitor(s, MSG_ABORT, &f) == 0)
		return n;
	log_fault(LEVEL_ERR, "front-link", &f);
	return AUTHORIZE_CLOSE;
}

/* Whose connection it is.  The monitor judges whether that may be said here. */
static int
tell_client(struct state *s, bool xclient, struct fault *f)
{
	link_out_init(&s->said, MSG_CLIENT);
	link_put_u8(&s->said, xclient ? 1 : 0);
	wire_put_peer(&s->said, &s->peer);
	return link_send(s->c->link, &s->said, NULL, 0, f);
}

/* XCLIENT: it is somebody else's. */
static enum pump_next
on_announced(struct state *s, struct buf *out)
{
	const struct proxy_client	*c = &s->auth.announced;
	struct fault			 f;

	if (c->family != 0)
		sock_addr_set(&s->peer, c->family, c->raw, c->port);
	if (tell_client(s, true, &f) != 0) {
		log_fault(LEVEL_ERR, "front-link", &f);
		return PUMP_ABORT;
	}
	proxied_log_announced(&s->peer, s->c->peer, "xclient");
	authorize_moved(&s->auth, out);
	return PUMP_LINE;
}

static void
expect(struct state *s)
{
	pump_expect(&s->pump, authorize_width(&s->auth),
	    authorize_is_secret(&s->auth));
}

static enum pump_next
on_line(void *ctx, struct span line, struct buf *out)
{
	struct state		*s = ctx;
	enum authorize_next	 n;
	struct fault		 f;

	n = look_at_exchange(s, authorize_line(&s->auth, line, out));
	expect(s);
	s->starts_tls = n == AUTHORIZE_TLS;
	if (n == AUTHORIZE_CLIENT)
		return on_announced(s, out);
	if ((n == AUTHORIZE_ASK && ask(s, &f) != 0) ||
	    (n == AUTHORIZE_RESPOND && respond(s, &f) != 0)) {
		log_fault(LEVEL_ERR, "front-link", &f);
		n = authorize_answer(&s->auth, ANSWER_ERROR, out);
	}
	return pump_after(n);
}

static enum pump_next
on_too_long(void *ctx, struct buf *out)
{
	struct state	*s = ctx;
	enum authorize_next n = look_at_exchange(s,
	    authorize_too_long(&s->auth, out));

	expect(s);
	return pump_after(n);
}

/* The worker has sent it before the monitor told us so. */
static enum pump_next
take_challenge(struct state *s, struct buf *out)
{
	UNZEROED struct link_in	m;
	struct fault		f = { .text = "no challenge" };
	uint64_t		sid;
	struct span		user;
	struct span		octets;

	if (link_recv(s->c->credential, permit_challenge, permit_challenge_n, 0,
	    0, &m, &f) != 1) {
		log_fault(LEVEL_ERR, "front-link", &f);
		return pump_after(authorize_answer(&s->auth, ANSWER_ERROR, out));
	}
	if (wire_get_challenge(&m, &sid, &user, &octets, &f) == 0) {
		s->exchanges = true;
		authorize_challenge(&s->auth, user, octets, out);
		expect(s);
	}
	link_in_fini(&m);
	if (s->exchanges)
		return PUMP_LINE;
	log_fault(LEVEL_ERR, "front-link", &f);
	return pump_after(authorize_answer(&s->auth, ANSWER_ERROR, out));
}

/* The monitor's answer has come (or the monitor is gone). */
static enum pump_next
on_answer(void *ctx, struct buf *out)
{
	struct state	*s = ctx;
	UNZEROED struct link_in	 m;
	struct fault	 f;
	uint8_t		 answer = ANSWER_ERROR;
	enum authorize_next n;

	if (link_recv(s->c->link, permit_answer, permit_answer_n, 0, 0, &m,
	    &f) == 1) {
		if (m.type == MSG_WENT_ON)
			return take_challenge(s, out);
		answer = link_get_u8(&m);
		link_in_fini(&m);
	} else {
		log_text(LEVEL_ERR, "front-link", "no answer from the monitor");
	}
	if (answer == ANSWER_YES)
		return PUMP_LEAVE;
	n = authorize_answer(&s->auth,
	    answer == ANSWER_NO ? ANSWER_NO : ANSWER_ERROR, out);
	expect(s);
	return pump_after(n);
}

static const struct pump_ops front_ops = {
	.line = on_line,
	.too_long = on_too_long,
	.held = on_answer,
};

/* What the client had pipelined goes to the session through a pipe. */
static void
hand_over(struct state *s)
{
	AUTO(fd_close) int	rest = -1;
	struct fault		f;

	link_out_init(&s->said, MSG_HANDOVER);
	link_put_u8(&s->said, words_pack(authorize_words(&s->auth)));
	if (wire_rest(pump_rest(&s->pump), &rest, &f) != 0 ||
	    link_send(s->c->link, &s->said, &rest, 1, &f) != 0)
		log_fault(LEVEL_ERR, "front-handover", &f);
}

/* Under TLS this process stays: the session gets one end of a pair. */
static void
hand_over_relay(struct state *s)
{
	static uint8_t		room[RELAY_ROOM];
	AUTO(fd_close) int	ours = -1;
	AUTO(fd_close) int	theirs = -1;
	struct relay		r;
	struct fault		f;

	link_out_init(&s->said, MSG_HANDOVER_RELAY);
	link_put_u8(&s->said, words_pack(authorize_words(&s->auth)));
	if (sock_pair(&ours, &theirs, &f) != 0 ||
	    link_send(s->c->link, &s->said, &theirs, 1, &f) != 0) {
		log_fault(LEVEL_ERR, "front-handover", &f);
		return;
	}
	fd_close(&theirs);
	secure_log_old(&s->secure, span_of(s->auth.name, s->auth.name_n),
	    &s->peer);
	relay_init(&r, &s->secure, fd_take(&ours), pump_rest(&s->pump),
	    s->c->conf->role.drain_timeout_s);
	authorize_fini(&s->auth);
	pump_fini(&s->pump);
	relay_run(&r, room);
	relay_fini(&r);
}

static void
log_end_of(const struct state *s, enum pump_end end)
{
	struct log_line l;

	log_begin(&l, end == PUMP_END_ORPHANED ? LEVEL_ERR : LEVEL_DEBUG,
	    "stranger-end");
	log_str(&l, "ip", s->peer.text);
	log_str(&l, "reason", s->auth.quit ? "quit" : pump_end_word(end));
	log_end(&l);
}

/* MORE: it is over meanwhile, and that was told. */
static enum proxied_result
read_header(struct state *s, struct span *rest, const char **why)
{
	enum proxied_result	r = PROXIED_MORE;
	struct proxied		p;

	proxied_init(&p);
	while (r == PROXIED_MORE) {
		uint64_t	now = clock_ms();
		struct wait_for	w[] = {
			{ .fd = s->c->in, .events = WAIT_READ },
			{ .fd = s->c->link, .events = WAIT_READ },
		};

		(void)sock_wait(w, ARRAY_LEN(w), p.end_ms > now ?
		    (int)(p.end_ms - now) : 0);
		if (w[1].ready || signals_stopping()) {
			log_end_of(s, w[1].ready ? PUMP_END_ORPHANED :
			    PUMP_END_STOPPED);
			break;
		}
		r = proxied_read(&p, s->c->in, s->room, sizeof(s->room),
		    &s->peer, rest, why);
	}
	s->tls_before = r == PROXIED_CLIENT && p.tls;
	return r;
}

/* The PROXY header that comes first.  False: there is nobody to be served. */
static bool
await_header(struct state *s)
{
	struct span	rest;
	struct fault	f;
	const char	*why;
	int		told = -1;

	switch (read_header(s, &rest, &why)) {
	case PROXIED_MORE:
		return false;
	case PROXIED_SILENT:
		log_end_of(s, PUMP_END_EOF);
		return false;
	case PROXIED_BAD:
		proxied_log_refused(s->c->peer, 1, why);
		return false;
	case PROXIED_ITSELF:
		s->itself = true;
		told = tell_monitor(s, MSG_CLIENT_ITSELF, &f);
		break;
	case PROXIED_CLIENT:
		proxied_log_announced(&s->peer, s->c->peer, "proxy");
		told = tell_client(s, false, &f);
		break;
	}
	if (told != 0)
		log_fault(LEVEL_ERR, "front-link", &f);
	else
		pump_preload(&s->pump, rest);
	return told == 0;
}

/* Its network is served, or not: the greeting. */
static enum pump_next
welcome(struct state *s)
{
	static struct limit_log limits;

	if (!s->itself && !listen_takes(s->c->rules, &s->peer)) {
		limit_reached(&limits, LIMIT_NETWORKS, &s->peer);
		ASSERT(buf_append(&s->pump.out, SPAN(LISTEN_NETWORKS_TEXT)) ==
		    0);
		return PUMP_CLOSE;
	}
	s->auth.xclient = networks_have(&s->c->conf->role.xclient_networks,
	    &s->peer);
	s->auth.master = auth_master_mark(&s->c->conf->auth);
	s->auth.needs_tls = !s->tls_before &&
	    listen_needs_tls(&s->c->conf->role, &s->peer);
	s->auth.stls = s->house.tls != NULL && !s->c->rules->tls &&
	    !s->tls_before;
	s->auth.tokens = token_wanted(&s->c->conf->token);
	s->auth.offers = offers_of(s->c->conf, &s->secure);
	authorize_greet(&s->auth, &s->pump.out);
	return PUMP_LINE;
}

/* (Behind a PROXY header what was read may be the beginning of TLS.) */
static int
start_tls(struct state *s)
{
	struct span first = s->starts_tls ? SPAN("") : pump_rest(&s->pump);

	if (secure_begin(&s->secure, &s->house, s->c->rules->policy, first,
	    &s->pump, &s->peer) != 0)
		return -1;
	s->starts_tls = false;
	authorize_secured(&s->auth);
	secure_know(&s->secure, &s->house, &s->peer, &s->auth);
	s->auth.offers = offers_of(s->c->conf, &s->secure);
	return 0;
}

/* The AUTHORIZATION state, before and behind STLS. */
static enum pump_end
talk(struct state *s)
{
	enum pump_end	end;

	if (s->c->rules->tls && (s->house.tls == NULL || start_tls(s) != 0))
		return PUMP_END_ABORTED;
	end = pump_run(&s->pump, welcome(s));
	while (end == PUMP_END_LEFT && s->starts_tls)
		end = start_tls(s) != 0 ? PUMP_END_ABORTED :
		    pump_run(&s->pump, PUMP_LINE);
	return end;
}

static void
serve(struct state *s)
{
	enum pump_end end;

	if (s->c->rules->proxy && !await_header(s))
		return;
	end = talk(s);
	if (end == PUMP_END_LEFT && s->secure.stream != NULL) {
		hand_over_relay(s);
	} else if (end == PUMP_END_LEFT) {
		hand_over(s);
	} else {
		log_end_of(s, end);
		pump_drain(&s->pump);
	}
}

/* A certificate that is not good is no reason not to serve who needs none. */
static void
use_certificates(struct state *s, struct certificates *files)
{
	struct fault f;

	if (files->n > 0 && secure_house_use(&s->house, files, &f) != 0) {
		log_fault(LEVEL_ERR, "tls-certificate", &f);
		s->house.tls = NULL;
	}
	certificates_close(files);
}

static void
begin_pump(struct state *s)
{
	const struct role_settings *r = &s->c->conf->role;

	pump_init(&s->pump);
	s->pump.in = s->c->in;
	s->pump.out_fd = s->c->out;
	s->pump.hold_fd = s->c->link;
	s->pump.room = s->room;
	s->pump.idle_s = r->timeout_s;
	s->pump.deadline_ms = clock_ms() + 1000ull * r->login_timeout_s;
	s->pump.drain_s = r->drain_timeout_s;
	s->pump.ops = &front_ops;
	s->pump.ctx = s;
	expect(s);
}

void
front_main(const struct front *c)
{
	static struct state		s;	/* holds a secret: locked */
	const int			keep[] = {
		c->in, c->out, c->link, c->credential, c->log_link,
	};
	static struct certificates	files;
	struct fault			f;

	shed_descriptors(keep, ARRAY_LEN(keep));
	log_set_reopen(reopen_log, (void *)(uintptr_t)c);
	if (secure_house_open(&s.house, c->conf, &files, &f) != 0) {
		log_fault(LEVEL_ERR, "tls-certificate", &f);
		s.house.tls = NULL;
	}
	if (prep_open(&c->conf->auth, &f) != 0) {
		log_fault(LEVEL_ERR, "front-start", &f);
		spawn_exit(1);
	}
	if (enter_cage(c, &f) != 0) {
		log_fault(LEVEL_ERR, "front-cage", &f);
		spawn_exit(1);
	}
	secmem_lock(&s, sizeof(s));
	s.c = c;
	s.peer = *c->peer;
	offers_begin(&s.auth, c->host, c->conf);
	use_certificates(&s, &files);
	begin_pump(&s);
	serve(&s);
	authorize_fini(&s.auth);
	pump_fini(&s.pump);
	secure_close(&s.secure);
	spawn_exit(0);
}

/* SPDX-License-Identifier: ISC */
/*
 * The way in: who waits at a listener is taken, told apart from his proxy, measured
 * against the limits, met by TLS, and greeted.
 *
 * Runs as: front_user, caged, in fronts.c.  Reads from: strangers: PROXY headers, and
 * TLS (tls/).  Trusts: the proxies of proxy_networks and xclient_networks, for whose
 * connection it is.
 */
#include "role/fronts_priv.h"

#include "role/offers.h"
#include "role/permit.h"
#include "role/wire.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>

#define ACCEPTS		64		/* of one listener at a time */
#define LEAVE_ACCEPTS	4096		/* more than its queue holds */
#define PAUSE_MS	100		/* without descriptors: no spin */
#define FULL_TEXT	"-ERR [SYS/TEMP] Too many connections, try again later.\r\n"

/* --- limits, and the greeting ----------------------------------------------- */

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

static void
greet(struct stranger *s)
{
	authorize_greet(&s->auth, &s->pump.out);
	stranger_go_on(s, pump_start(&s->pump, PUMP_LINE));
}

/* --- TLS -------------------------------------------------------------------- */

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
		stranger_go_on(s, pump_start(&s->pump, PUMP_LINE));
	else
		greet(s);
}

void
stranger_shake(struct stranger *s)
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
	stranger_go_on(s, f.err == EAGAIN ? PUMP_END_TIMEOUT : PUMP_END_ABORTED);
}

/* What was said in the clear is forgotten, were it the half of a command.  (Behind a
 * PROXY header it may be the beginning of TLS.) */
void
stranger_start_tls(struct stranger *s)
{
	struct fault f;

	s->stage = SHAKES;
	if (secure_open(&s->secure, &s->house->secure, s->rules->policy, s->fd,
	    s->fd, s->starts_tls ? SPAN("") : pump_rest(&s->pump), &f) == 0) {
		stranger_shake(s);
		return;
	}
	secure_log_failed(&s->peer, &f);
	stranger_go_on(s, PUMP_END_ABORTED);
}

/* --- from a listener to the greeting ---------------------------------------- */

/* It is known whose connection it is. */
static void
welcome(struct stranger *s)
{
	const struct settings *c = s->house->a->conf;

	if (!s->quiet && !listen_takes(s->rules, &s->peer)) {
		limit_reached(&s->house->limits, LIMIT_NETWORKS, &s->peer);
		stranger_refuse(s, SPAN(LISTEN_NETWORKS_TEXT));
		return;
	}
	if (!s->quiet && !take_up(s)) {
		stranger_refuse(s, SPAN(FULL_TEXT));
		return;
	}
	s->auth.xclient = networks_have(&c->role.xclient_networks, &s->peer);
	s->auth.master = auth_master_mark(&c->auth);
	s->auth.needs_tls = !s->tls_before &&
	    listen_needs_tls(&c->role, &s->peer);
	s->auth.stls = s->house->secure.tls != NULL && !s->rules->tls &&
	    !s->tls_before;
	s->auth.tokens = token_wanted(&c->token);
	s->auth.offers = offers_of(c, &s->secure);
	if (s->rules->tls)
		stranger_start_tls(s);
	else
		greet(s);
}

enum pump_next
stranger_announced(struct stranger *s, struct buf *out)
{
	const struct proxy_client *c = &s->auth.announced;

	stranger_untally(s);
	s->quiet = false;
	if (c->family != 0)
		sock_addr_set(&s->peer, c->family, c->raw, c->port);
	s->auth.needs_tls = !s->tls_before &&
	    listen_needs_tls(&s->house->a->conf->role, &s->peer);
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

void
stranger_header(struct stranger *s)
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
		stranger_log_end(s, PUMP_END_EOF);
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
		s->tls_before = s->proxied->tls;
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
		stranger_refuse(s, SPAN(FULL_TEXT));
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

/* --- listeners -------------------------------------------------------------- */

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

void
fronts_listen(struct front_house *h)
{
	const struct fronts_start *a = h->a;

	loop_watch_init(&h->pause, h->loop, -1, on_pause, h);
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
}

void
fronts_close_listeners(struct front_house *h)
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
void
fronts_leave_listeners(struct front_house *h, uint32_t ours)
{
	struct link_out	m;
	struct fault	f;

	for (size_t i = 0; i < h->nlisteners; i++)
		if ((ours >> i & 1) != 0) {
			(void)accept_some(h, i, LEAVE_ACCEPTS);
			sock_shutdown(h->listeners[i].fd);
		}
	fronts_close_listeners(h);
	link_out_init(&m, MSG_LEAVES);
	if (link_send_wait(h->a->master, &m, &f) != 0)
		log_fault(LEVEL_ERR, "front-link", &f);
	h->leaving = true;
	fronts_end_if_empty(h);
}

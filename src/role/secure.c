/* SPDX-License-Identifier: ISC */
#include "role/secure.h"

#include "role/limit.h"

#include "base/alloc.h"
#include "sys/signals.h"
#include "sys/sock.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TICKET_S	86400u		/* a client may resume for a day */

/* --- certificates ------------------------------------------------------------------- */

int
secure_house_open(struct secure_house *h, const struct settings *s,
    struct certificates *files, struct fault *f)
{
	files->n = 0;
	if (s->role.tls_certificate.n == 0)
		return 0;
	h->client_by = s->auth.client_by;
	h->tls = tls_load(f);
	return h->tls == NULL ? -1 : certificates_open(s, files, f);
}

static void
use_users(struct secure_house *h, struct span rows)
{
	buf_fini(&h->client_users);
	buf_init(&h->client_users, CLIENTS_FILE_MAX);
	ASSERT(buf_append(&h->client_users, rows) == 0);
}

int
secure_house_use(struct secure_house *h, const struct certificates *c,
    struct fault *f)
{
	struct certificate_texts *t = certificates_read(c, f);
	struct tls_context	 *new[LISTEN_POLICIES] = { NULL };
	bool			  good = t != NULL;
	struct tls_setup	  setup = {
		.pair = good ? t->pair : NULL,
		.npairs = c->n,
		.tickets = h->tickets,
		.ticket_s = TICKET_S,
		.clients = good && c->asks ? &t->clients : NULL,
	};

	for (size_t i = 0; good && i < LISTEN_POLICIES; i++) {
		setup.old = i == LISTEN_OLD;
		new[i] = h->tls->context_new(&setup, f);
		good = new[i] != NULL;
	}
	for (size_t i = 0; i < LISTEN_POLICIES; i++) {
		struct tls_context *gone = good ? h->of[i] : new[i];

		if (good)
			h->of[i] = new[i];
		h->tls->context_free(gone);
	}
	if (good)
		use_users(h, t->users);
	certificate_texts_free(t);
	return good ? 0 : -1;
}

/* --- one connection ----------------------------------------------------------------- */

static ssize_t
under_read(void *ctx, void *p, size_t n, struct fault *f)
{
	struct secure	*s = ctx;
	struct span	 first = span_first(buf_span(&s->first), n);

	if (first.n == 0)
		return sock_read(s->in, p, n, f);
	memcpy(p, first.p, first.n);
	buf_consume(&s->first, first.n);
	if (buf_len(&s->first) == 0)
		buf_fini(&s->first);
	return (ssize_t)first.n;
}

static ssize_t
under_write(void *ctx, struct span text, struct fault *f)
{
	const struct secure *s = ctx;

	return s->ending ? sock_write_more(s->out, text, f) :
	    sock_write(s->out, text, f);
}

static const struct tls_io under = { under_read, under_write };

int
secure_open(struct secure *s, const struct secure_house *h,
    enum listen_policy policy, int in, int out, struct span first,
    struct fault *f)
{
	ASSERT(s->stream == NULL && h->tls != NULL);
	*s = (struct secure){ .tls = h->tls, .in = in, .out = out };
	buf_init(&s->first, LIMIT_INPUT);
	ASSERT(buf_append(&s->first, first) == 0);
	s->stream = h->tls->open(h->of[policy], &under, s, f);
	return s->stream == NULL ? -1 : 0;
}

void
secure_close(struct secure *s)
{
	if (s->stream != NULL)
		s->tls->close(s->stream);
	s->stream = NULL;
	free(s->client);
	s->client = NULL;
	buf_fini(&s->first);
}

/* --- who the client is ---------------------------------------------------------------- */

static void
log_client(const struct sock_addr *peer, const struct tls_client *c,
    const char *why)
{
	static struct quiet	quiet;
	struct log_line		l;
	uint64_t		times;

	if (!quiet_speak(&quiet, &times))
		return;
	log_begin(&l, LEVEL_WARN, "tls-client-refused");
	log_str(&l, "ip", peer->text);
	log_str(&l, "subject", c->subject);
	log_num(&l, "times", times);
	log_str(&l, "detail", why);
	log_end(&l);
}

static const char *
name_of(const struct tls_client *c, enum external_by by)
{
	switch (by) {
	case EXTERNAL_FILE:
		break;
	case EXTERNAL_EMAIL:
		return c->email;
	case EXTERNAL_CN:
		return c->common;
	case EXTERNAL_DNS:
		return c->dns;
	}
	return c->subject;
}

void
secure_know(struct secure *s, const struct secure_house *h,
    const struct sock_addr *peer, struct authorize *a)
{
	struct secure_client	*who;
	struct tls_client	 c;
	struct fault		 f;
	struct span		 user;
	int			 shown = s->tls->client(s->stream, &c, &f);
	size_t			 n = 0;

	if (shown < 0)
		log_client(peer, &c, f.text);
	if (shown <= 0)
		return;
	who = xalloc(1, sizeof(*who));
	if (external_proof(c.fingerprint, name_of(&c, h->client_by), who->proof))
		n = external_users(h->client_by, buf_span(&h->client_users),
		    span_str(who->proof), &user);
	if (n == 0 || (n == 1 && !span_cstr(user, who->user,
	    sizeof(who->user)))) {
		log_client(peer, &c, "it is no user's");
		free(who);
		return;
	}
	s->client = who;
	authorize_vouched(a, span_str(who->user), span_str(who->proof));
}

void
secure_log_failed(const struct sock_addr *peer, const struct fault *f)
{
	struct log_line l;

	log_begin(&l, LEVEL_DEBUG, "tls-failed");
	log_str(&l, "ip", peer->text);
	log_str(&l, "detail", f->text);
	log_end(&l);
}

static int
shake(struct secure *s, uint64_t deadline_ms, struct fault *f)
{
	while (s->tls->handshake(s->stream, f) != 0) {
		uint64_t	now = clock_ms();
		bool		writes = (s->tls->wants(s->stream) &
				    TLS_WANTS_WRITE) != 0;
		struct wait_for	w = { .fd = writes ? s->out : s->in,
				    .events = writes ? WAIT_WRITE : WAIT_READ };

		if (f->err != EAGAIN)
			return -1;
		if (now >= deadline_ms || signals_stopping())
			return fault_set(f, FAULT_TEMP, "handshake: too late");
		(void)sock_wait(&w, 1, (int)(deadline_ms - now));
	}
	return 0;
}

int
secure_begin(struct secure *s, const struct secure_house *h,
    enum listen_policy policy, struct span first, struct pump *p,
    const struct sock_addr *peer)
{
	struct fault f;

	if (secure_open(s, h, policy, p->in, p->out_fd, first, &f) != 0 ||
	    shake(s, p->deadline_ms, &f) != 0) {
		secure_log_failed(peer, &f);
		return -1;
	}
	pump_again(p);
	p->wire = &secure_wire;
	p->wire_ctx = s;
	return 0;
}

void
secure_log_old(const struct secure *s, struct span user,
    const struct sock_addr *peer)
{
	struct tls_facts	facts;
	struct log_line		l;

	s->tls->facts(s->stream, &facts);
	if (!facts.old)
		return;
	log_begin(&l, LEVEL_NOTE, "tls-old");
	log_field(&l, "user", user);
	log_str(&l, "ip", peer->text);
	log_str(&l, "protocol", facts.protocol);
	log_str(&l, "cipher", facts.cipher);
	log_end(&l);
}

bool
secure_binds(const struct secure *s)
{
	return s->stream != NULL && s->tls->binds(s->stream);
}

size_t
secure_binding(const struct secure *s, uint8_t out[TLS_BINDING_MAX])
{
	return s->stream == NULL ? 0 : s->tls->binding(s->stream, out);
}

void
secure_ends(struct secure *s)
{
	s->ending = true;
}

void
secure_end(struct secure *s)
{
	struct fault f;

	secure_ends(s);
	if (s->stream != NULL)
		(void)s->tls->end(s->stream, &f);
}

static void
wire_end(void *ctx)
{
	secure_end(ctx);
}

static ssize_t
wire_read(void *ctx, void *p, size_t n, struct fault *f)
{
	const struct secure *s = ctx;

	return s->tls->read(s->stream, p, n, f);
}

static ssize_t
wire_write(void *ctx, struct span text, struct fault *f)
{
	const struct secure *s = ctx;

	return s->tls->write(s->stream, text, f);
}

static unsigned
wire_wants(const void *ctx)
{
	const struct secure	*s = ctx;
	unsigned		 wants = s->tls->wants(s->stream);

	return (wants & TLS_WANTS_READ ? PUMP_READ : 0u) |
	    (wants & TLS_WANTS_WRITE ? PUMP_WRITE : 0u);
}

static bool
wire_pending(const void *ctx)
{
	const struct secure *s = ctx;

	return s->tls->pending(s->stream);
}

const struct pump_wire secure_wire = {
	.read = wire_read,
	.write = wire_write,
	.wants = wire_wants,
	.pending = wire_pending,
	.end = wire_end,
};

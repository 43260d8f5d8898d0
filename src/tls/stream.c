/* SPDX-License-Identifier: ISC */
/*
 * One connection.  OpenSSL reads and writes through a BIO of ours, which calls
 * whoever opened the stream.
 *
 * What the handshake says is held until we wait for the client: a flight is one
 * write, and the ticket behind a handshake of TLS 1.3, for which no client waits, goes
 * out with the first reply.
 */
#include "tls/tls_priv.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <openssl/err.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MAX	65536		/* more than any flight of ours */

struct tls_stream {
	struct tls_context	*context;
	SSL			*ssl;
	const struct tls_io	*io;
	void			*ctx;
	unsigned		 wants;
	bool			 broken;	/* nothing more may be said */
	bool			 shaking;	/* what is written is held */
	bool			 dry;		/* the last read found no whole record */
	struct buf		 held;
	struct fault		 under;		/* of io */
};

static BIO_METHOD *method;

static int
under_read(BIO *b, char *p, size_t n, size_t *n_r)
{
	struct tls_stream	*s = BIO_get_data(b);
	ssize_t			 got = s->io->read(s->ctx, p, n, &s->under);

	BIO_clear_retry_flags(b);
	*n_r = got > 0 ? (size_t)got : 0;
	if (got < 0 && s->under.err == EAGAIN)
		BIO_set_retry_read(b);
	return got > 0;
}

/* What is held, and then p in the same call: how much of p has gone out; -1. */
static ssize_t
put_behind_held(struct tls_stream *s, struct span p)
{
	size_t	before = buf_len(&s->held);
	size_t	put;
	ssize_t	n;

	ASSERT(buf_append(&s->held, p) == 0);
	n = s->io->write(s->ctx, buf_span(&s->held), &s->under);
	s->held.n -= p.n;		/* OpenSSL has it as well */
	if (n < 0)
		return -1;
	put = (size_t)n;
	buf_consume(&s->held, put < before ? put : before);
	if (put <= before)
		return fault_errno(&s->under, FAULT_TEMP, EAGAIN, "write");
	buf_fini(&s->held);
	return (ssize_t)(put - before);
}

/* 0; -1 with s->under: not all of it went out. */
static int
flush_held(struct tls_stream *s)
{
	ssize_t n;

	while (buf_len(&s->held) > 0) {
		n = s->io->write(s->ctx, buf_span(&s->held), &s->under);
		if (n < 0)
			return -1;
		buf_consume(&s->held, (size_t)n);
	}
	buf_fini(&s->held);
	return 0;
}

static ssize_t
put(struct tls_stream *s, struct span p)
{
	if (s->shaking && buf_len(&s->held) + p.n <= HELD_MAX) {
		ASSERT(buf_append(&s->held, p) == 0);
		return (ssize_t)p.n;
	}
	return buf_len(&s->held) == 0 ? s->io->write(s->ctx, p, &s->under) :
	    put_behind_held(s, p);
}

static int
under_write(BIO *b, const char *p, size_t n, size_t *n_r)
{
	struct tls_stream	*s = BIO_get_data(b);
	ssize_t			 gone = put(s, span_of(p, n));

	BIO_clear_retry_flags(b);
	*n_r = gone > 0 ? (size_t)gone : 0;
	if (gone < 0 && s->under.err == EAGAIN)
		BIO_set_retry_write(b);
	return gone > 0;
}

static long
under_control(BIO *b, int what, long n, void *p)
{
	(void)b;
	(void)n;
	(void)p;
	return what == BIO_CTRL_FLUSH;	/* nothing is kept here */
}

static BIO *
bio_new(struct tls_stream *s)
{
	BIO *b;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
		    "popper");
		if (method == NULL ||
		    BIO_meth_set_read_ex(method, under_read) != 1 ||
		    BIO_meth_set_write_ex(method, under_write) != 1 ||
		    BIO_meth_set_ctrl(method, under_control) != 1)
			return NULL;
	}
	b = BIO_new(method);
	if (b != NULL) {
		BIO_set_data(b, s);
		BIO_set_init(b, 1);
	}
	return b;
}

struct tls_stream *
stream_open(struct tls_context *c, const struct tls_io *io, void *ctx,
    struct fault *f)
{
	struct tls_stream	*s = xalloc(1, sizeof(*s));
	BIO			*b;

	s->io = io;
	s->ctx = ctx;
	s->context = c;
	buf_init(&s->held, 2 * HELD_MAX);
	s->ssl = context_stream(c);
	b = s->ssl == NULL ? NULL : bio_new(s);
	if (b == NULL) {
		(void)tls_fault(f, FAULT_TEMP, "TLS");
		if (s->ssl != NULL)
			stream_close(s);
		else
			free(s);
		return NULL;
	}
	SSL_set_bio(s->ssl, b, b);
	SSL_set_accept_state(s->ssl);
	return s;
}

/* What a call that did not succeed means.  0: an orderly end; -1. */
static int
outcome(struct tls_stream *s, int result, const char *what, struct fault *f)
{
	s->wants = 0;
	switch (SSL_get_error(s->ssl, result)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
		s->wants = TLS_WANTS_READ;
		break;
	case SSL_ERROR_WANT_WRITE:
		s->wants = TLS_WANTS_WRITE;
		break;
	case SSL_ERROR_SYSCALL:
		s->broken = true;
		if (s->under.err != 0)
			*f = s->under;
		else
			(void)fault_set(f, FAULT_PROTO, "%s: cut off", what);
		f->err = f->err == EAGAIN ? EIO : f->err;
		return -1;
	default:
		s->broken = true;
		return tls_fault(f, FAULT_PROTO, what);
	}
	(void)fault_set(f, FAULT_TEMP, "%s: not now", what);
	f->err = EAGAIN;
	return -1;
}

static void
begin(struct tls_stream *s)
{
	ERR_clear_error();
	s->under.err = 0;
}

/* 0, or -1, as the stream's calls. */
static int
shake(struct tls_stream *s, struct fault *f)
{
	int result;

	begin(s);
	s->shaking = true;
	result = SSL_do_handshake(s->ssl);
	s->shaking = false;
	if (result == 1)
		return 0;
	if (outcome(s, result, "handshake", f) != 0)
		return -1;
	s->broken = true;
	return fault_set(f, FAULT_PROTO, "handshake: the client has closed it");
}

int
stream_handshake(struct tls_stream *s, struct fault *f)
{
	int result = shake(s, f);

	if (result == 0 && SSL_version(s->ssl) == TLS1_3_VERSION)
		return 0;
	/* Also when it has failed: an alert tells why. */
	if (flush_held(s) == 0 || s->broken)
		return result;
	*f = s->under;
	s->wants = TLS_WANTS_WRITE;
	return -1;
}

ssize_t
stream_read(struct tls_stream *s, void *p, size_t n, struct fault *f)
{
	size_t	got;
	int	result;

	begin(s);
	result = SSL_read_ex(s->ssl, p, n, &got);
	s->dry = result != 1;
	return result == 1 ? (ssize_t)got : outcome(s, result, "read", f);
}

/* As much as goes out; a record at a time is OpenSSL's. */
ssize_t
stream_write(struct tls_stream *s, struct span text, struct fault *f)
{
	size_t	put;
	int	result;

	begin(s);
	result = SSL_write_ex(s->ssl, text.p, text.n, &put);
	if (result == 1)
		return (ssize_t)put;
	if (outcome(s, result, "write", f) != 0)
		return -1;
	return fault_set(f, FAULT_TEMP, "write: the client has closed it");
}

unsigned
stream_wants(const struct tls_stream *s)
{
	return s->wants;
}

bool
stream_pending(const struct tls_stream *s)
{
	/* The beginning of a record is pending, too, as OpenSSL has it. */
	return !s->dry && SSL_has_pending(s->ssl) == 1;
}

int
stream_end(struct tls_stream *s, struct fault *f)
{
	int result;

	if (s->broken || SSL_in_init(s->ssl) != 0)
		return 0;
	begin(s);
	result = SSL_shutdown(s->ssl);
	return result >= 0 ? 0 : outcome(s, result, "close", f);
}

/* Would CIPHERS, and the digests of its security level, be without this one? */
static bool
is_old(SSL *ssl)
{
	const SSL_CIPHER	*c = SSL_get_current_cipher(ssl);
	int			 version = SSL_version(ssl);
	int			 nid = c == NULL ? NID_undef :
				    SSL_CIPHER_get_cipher_nid(c);
	int			 signed_by;

	if (version != TLS1_2_VERSION)
		return version < TLS1_2_VERSION;
	return SSL_CIPHER_get_kx_nid(c) != NID_kx_ecdhe ||
	    (nid != NID_aes_128_gcm && nid != NID_aes_256_gcm &&
	    nid != NID_chacha20_poly1305) ||
	    (SSL_get_signature_nid(ssl, &signed_by) == 1 &&
	    signed_by == NID_sha1);
}

void
stream_facts(const struct tls_stream *s, struct tls_facts *out)
{
	const char	*name = SSL_get_servername(s->ssl,
			    TLSEXT_NAMETYPE_host_name);
	const char	*cipher = SSL_get_cipher_name(s->ssl);

	*out = (struct tls_facts){
		.resumed = SSL_session_reused(s->ssl) == 1,
		.old = is_old(s->ssl),
	};
	(void)span_cstr(span_str(SSL_get_version(s->ssl)), out->protocol,
	    sizeof(out->protocol));
	if (cipher != NULL)
		(void)span_cstr(span_str(cipher), out->cipher,
		    sizeof(out->cipher));
	if (name != NULL)
		(void)span_cstr(span_str(name), out->name, sizeof(out->name));
}

int
stream_client(const struct tls_stream *s, struct tls_client *out,
    struct fault *f)
{
	return client_tell(s->ssl, out, f);
}

bool
stream_binds(const struct tls_stream *s)
{
	return SSL_version(s->ssl) == TLS1_3_VERSION ||
	    SSL_get_extms_support(s->ssl) == 1;
}

/* No context: with TLS 1.2 that is another value than an empty one, and the one that
 * GnuTLS has. */
size_t
stream_binding(const struct tls_stream *s, uint8_t out[TLS_BINDING_MAX])
{
	static const char	label[] = "EXPORTER-Channel-Binding";
	bool			now = SSL_version(s->ssl) == TLS1_3_VERSION;
	size_t			n;

	if (!stream_binds(s) ||
	    SSL_export_keying_material(s->ssl, out, TLS_BINDING_EXPORTER, label,
	    sizeof(label) - 1, NULL, 0, 0) != 1)
		return 0;
	if (now || SSL_session_reused(s->ssl) == 1)
		return TLS_BINDING_EXPORTER;
	n = SSL_get_peer_finished(s->ssl, out + TLS_BINDING_EXPORTER,
	    TLS_BINDING_MAX - TLS_BINDING_EXPORTER);
	if (n > TLS_BINDING_MAX - TLS_BINDING_EXPORTER)
		n = 0;			/* cut off: none that we know is so long */
	return TLS_BINDING_EXPORTER + n;
}

void
stream_close(struct tls_stream *s)
{
	if (s == NULL)
		return;
	SSL_free(s->ssl);
	context_free(s->context);
	buf_fini(&s->held);
	free(s);
}

/* SPDX-License-Identifier: ISC */
/*
 * Certificates and policy.  Pairs of the same names and of different kinds (RSA,
 * ECDSA) are one shop; the client's SNI chooses the shop, its signature algorithms
 * the pair in it.
 */
#include "tls/tls_priv.h"

#include "base/alloc.h"

#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROTOCOL	"\4pop3"	/* as RFC 7301 s.3.1 spells it */
#define GROUPS		"X25519:P-256:P-384"
/* The first one costs least, and is nobody's weak point. */
#define SUITES		"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:" \
			"TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS		"ECDHE+AESGCM:ECDHE+CHACHA20"
/* Of TLS 1.0: nothing with a broken cipher, forward secrecy first. */
#define CIPHERS_OLD	CIPHERS ":ECDHE+AES:AES:!aNULL:!PSK:!SRP:@SECLEVEL=0"

struct shop {
	SSL_CTX		*ctx;
	struct pair	*pair;		/* borrows */
	size_t		 npairs;
};

struct tls_context {
	struct pair	 pair[TLS_PAIRS_MAX];
	size_t		 npairs;
	struct shop	 shop[TLS_PAIRS_MAX];
	size_t		 nshops;
	struct clients	 clients;
	size_t		 users;		/* itself, and each stream */
};

/* --- what a handshake asks ------------------------------------------------------ */

/* Who speaks another protocol was lured here (ALPACA). */
static int
on_alpn(SSL *s, const unsigned char **out, unsigned char *n,
    const unsigned char *offered, unsigned offered_n, void *ctx)
{
	unsigned char *chosen;

	(void)s;
	(void)ctx;
	if (SSL_select_next_proto(&chosen, n, (const unsigned char *)PROTOCOL,
	    sizeof(PROTOCOL) - 1, offered, offered_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int
on_name(SSL *s, int *alert, void *ctx)
{
	const struct tls_context	*c = ctx;
	const char			*name = SSL_get_servername(s,
					    TLSEXT_NAMETYPE_host_name);

	(void)alert;
	if (c->nshops == 1)
		return SSL_TLSEXT_ERR_OK;
	for (size_t i = 0; name != NULL && i < c->nshops; i++)
		if (X509_check_host(c->shop[i].pair->leaf, name, strlen(name), 0,
		    NULL) == 1) {
			(void)SSL_set_SSL_CTX(s, c->shop[i].ctx);
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_OK;	/* the first one's name may do */
}

static int
on_status(SSL *s, void *ctx)
{
	const struct tls_context	*c = ctx;
	const X509			*x = SSL_get_certificate(s);

	for (size_t i = 0; i < c->npairs; i++) {
		const struct pair	*p = &c->pair[i];
		uint8_t			*copy;

		if (p->leaf != x || p->ocsp == NULL || (p->ocsp_ends != 0 &&
		    p->ocsp_ends <= (int64_t)time(NULL)))
			continue;
		copy = OPENSSL_memdup(p->ocsp, p->ocsp_n);
		if (copy == NULL)
			break;
		SSL_set_tlsext_status_ocsp_resp(s, copy, (long)p->ocsp_n);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* --- making one ------------------------------------------------------------------ */

/* No renegotiation, no compression, no early data: none of them is needed. */
static int
set_policy(SSL_CTX *x, const struct tls_setup *s)
{
	static const unsigned char id[] = "popper";

	SSL_CTX_set_options(x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(x, 1);	/* one read for many records */
	(void)SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
	tickets_use(x, s);
	return SSL_CTX_set_min_proto_version(x, s->old ? TLS1_VERSION :
	    TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(x, s->old ? CIPHERS_OLD : CIPHERS) == 1 &&
	    SSL_CTX_set_ciphersuites(x, SUITES) == 1 &&
	    SSL_CTX_set1_groups_list(x, GROUPS) == 1 &&
	    SSL_CTX_set_session_id_context(x, id, sizeof(id) - 1) == 1 ? 0 : -1;
}

static SSL_CTX *
ctx_new(struct tls_context *c, const struct tls_setup *s, struct fault *f)
{
	SSL_CTX *x = SSL_CTX_new(TLS_server_method());

	if (x == NULL || set_policy(x, s) != 0 || clients_use(x, &c->clients) != 0) {
		(void)tls_fault(f, FAULT_PERM, "TLS");
		SSL_CTX_free(x);
		return NULL;
	}
	SSL_CTX_set_alpn_select_cb(x, on_alpn, NULL);
	(void)SSL_CTX_set_tlsext_servername_callback(x, on_name);
	(void)SSL_CTX_set_tlsext_servername_arg(x, c);
	(void)SSL_CTX_set_tlsext_status_cb(x, on_status);
	(void)SSL_CTX_set_tlsext_status_arg(x, c);
	return x;
}

/* Every name of one is a name of the other. */
static bool
covers(X509 *a, X509 *b)
{
	GENERAL_NAMES	*all = X509_get_ext_d2i(b, NID_subject_alt_name, NULL,
			    NULL);
	bool		 same = true;

	for (int i = 0; same && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_DNS)
			same = X509_check_host(a, (const char *)
			    ASN1_STRING_get0_data(g->d.dNSName),
			    (size_t)ASN1_STRING_length(g->d.dNSName), 0,
			    NULL) == 1;
	}
	same = same && (all != NULL || X509_NAME_cmp(X509_get_subject_name(a),
	    X509_get_subject_name(b)) == 0);
	GENERAL_NAMES_free(all);
	return same;
}

/* One that has these names and no pair of this kind; else a new one. */
static struct shop *
shop_for(struct tls_context *c, struct pair *p, const struct tls_setup *s,
    struct fault *f)
{
	struct shop *new = &c->shop[c->nshops];

	for (size_t i = 0; i < c->nshops; i++) {
		struct shop	*at = &c->shop[i];
		bool		 has_kind = false;

		for (size_t k = 0; k < at->npairs; k++)
			has_kind |= EVP_PKEY_get_base_id(at->pair[k].key) ==
			    EVP_PKEY_get_base_id(p->key);
		if (!has_kind && at->pair + at->npairs == p &&
		    covers(at->pair->leaf, p->leaf) &&
		    covers(p->leaf, at->pair->leaf))
			return at;
	}
	*new = (struct shop){ .ctx = ctx_new(c, s, f), .pair = p };
	if (new->ctx == NULL)
		return NULL;
	c->nshops++;
	return new;
}

static int
add_pair(struct tls_context *c, const struct tls_setup *s, size_t i,
    struct fault *f)
{
	struct pair	*p = &c->pair[i];
	struct shop	*at;

	if (pair_read(&s->pair[i], p, f) != 0)
		return -1;
	c->npairs++;
	at = shop_for(c, p, s, f);
	if (at == NULL)
		return -1;
	if (SSL_CTX_use_cert_and_key(at->ctx, p->leaf, p->key, p->chain, 1) != 1)
		return tls_fault(f, FAULT_PERM, s->pair[i].name);
	at->npairs++;
	return 0;
}

struct tls_context *
context_new(const struct tls_setup *s, struct fault *f)
{
	struct tls_context *c = xalloc(1, sizeof(*c));

	ASSERT(s->npairs > 0 && s->npairs <= TLS_PAIRS_MAX);
	c->users = 1;
	if (s->clients != NULL && clients_read(s->clients, &c->clients, f) != 0) {
		context_free(c);
		return NULL;
	}
	for (size_t i = 0; i < s->npairs; i++)
		if (add_pair(c, s, i, f) != 0) {
			context_free(c);
			return NULL;
		}
	return c;
}

void
context_free(struct tls_context *c)
{
	if (c == NULL || --c->users > 0)
		return;
	for (size_t i = 0; i < c->nshops; i++)
		SSL_CTX_free(c->shop[i].ctx);
	for (size_t i = 0; i < c->npairs; i++)
		pair_fini(&c->pair[i]);
	clients_fini(&c->clients);
	free(c);
}

int
context_judge(const struct tls_pair *p, struct tls_judgement *out,
    struct fault *f)
{
	const struct tls_setup	 alone = { .pair = p, .npairs = 1 };
	struct tls_context	*c = context_new(&alone, f);

	if (c == NULL)
		return -1;
	pair_tell(&c->pair[0], out);
	context_free(c);
	return 0;
}

SSL *
context_stream(struct tls_context *c)
{
	SSL *s = SSL_new(c->shop[0].ctx);

	if (s != NULL)
		c->users++;
	return s;
}

/* SPDX-License-Identifier: ISC */
/*
 * Inside the room.
 */
#ifndef TLS_TLS_PRIV_H
#define TLS_TLS_PRIV_H

#include "tls/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

/* A pair, read.  Owns all. */
struct pair {
	X509		*leaf;
	STACK_OF(X509)	*chain;		/* without the leaf */
	EVP_PKEY	*key;
	uint8_t		*ocsp;		/* of OpenSSL's heap; NULL: none */
	size_t		 ocsp_n;
	int64_t		 ocsp_ends;	/* seconds since 1970; 0: it does not say */
};

int	pair_read(const struct tls_pair *from, struct pair *out, struct fault *f)
	    MUSTUSE;
void	pair_fini(struct pair *p);
void	pair_tell(const struct pair *p, struct tls_judgement *out);

/* Whom clients' certificates may come from.  Owns all. */
struct clients {
	X509_STORE		*store;		/* NULL: none are asked for */
	STACK_OF(X509_NAME)	*names;
	int64_t			 crl_ends;
};

int	clients_read(const struct tls_clients *from, struct clients *c,
	    struct fault *f) MUSTUSE;
void	clients_fini(struct clients *c);
int	clients_judge(const struct tls_clients *from, int64_t *crl_ends,
	    struct fault *f) MUSTUSE;
/* Streams of ctx ask; -1: OpenSSL knows why. */
int	clients_use(SSL_CTX *ctx, const struct clients *c) MUSTUSE;
int	client_tell(const SSL *s, struct tls_client *out, struct fault *f);

/* Seconds since 1970; 0: it is no time. */
int64_t	tls_seconds(const ASN1_TIME *t);

/* Of PEM, where nobody is there to be asked for one. */
int	tls_no_password(char *buf, int size, int rwflag, void *ctx);

/* What OpenSSL has to say, first error first; -1. */
int	tls_fault(struct fault *f, enum fault_class class, const char *what);

/* Tickets are made and opened with keys of s, if it has some. */
void	tickets_use(SSL_CTX *c, const struct tls_setup *s);

struct tls_context	*context_new(const struct tls_setup *s, struct fault *f);
void			 context_free(struct tls_context *c);
/* A pair by itself: whether it can be used, and what it says. */
int			 context_judge(const struct tls_pair *p,
			    struct tls_judgement *out, struct fault *f);
/* A stream of it, without its ends; NULL: no memory. */
SSL			*context_stream(struct tls_context *c);

struct tls_stream	*stream_open(struct tls_context *c,
			    const struct tls_io *io, void *ctx, struct fault *f);
int			 stream_handshake(struct tls_stream *s, struct fault *f);
ssize_t			 stream_read(struct tls_stream *s, void *p, size_t n,
			    struct fault *f);
ssize_t			 stream_write(struct tls_stream *s, struct span text,
			    struct fault *f);
unsigned		 stream_wants(const struct tls_stream *s);
bool			 stream_pending(const struct tls_stream *s);
int			 stream_end(struct tls_stream *s, struct fault *f);
void			 stream_facts(const struct tls_stream *s,
			    struct tls_facts *out);
int			 stream_client(const struct tls_stream *s,
			    struct tls_client *out, struct fault *f);
bool			 stream_binds(const struct tls_stream *s);
size_t	stream_binding(const struct tls_stream *s, uint8_t out[TLS_BINDING_MAX]);
void			 stream_close(struct tls_stream *s);

#endif

/* SPDX-License-Identifier: ISC */
#include "secure.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_AHEAD	(1 << 17)	/* the client is to cost little */

static SSL_CTX		*ctx;
static SSL_SESSION	*last;		/* owns; of whoever had one last */
static bool		 resumes;

static void
say_why(char *why, size_t cap, const char *what)
{
	unsigned long	code = ERR_get_error();
	const char	*reason = ERR_reason_error_string(code);

	snprintf(why, cap, "TLS: %s: %s", what,
	    reason == NULL ? "cut off" : reason);
}

/* Takes the session. */
static int
on_session(SSL *ssl, SSL_SESSION *new)
{
	(void)ssl;
	SSL_SESSION_free(last);
	last = new;
	return 1;
}

void
secure_init(const char *ca, bool again)
{
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL || SSL_CTX_load_verify_file(ctx, ca) != 1 ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "X25519") != 1) {
		ERR_print_errors_fp(stderr);
		exit(EXIT_FAILURE);
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	resumes = again;
	if (again)
		SSL_CTX_sess_set_new_cb(ctx, on_session);
}

/* A struct secure is OpenSSL's own. */
static SSL *
ssl_of(const struct secure *s)
{
	return (SSL *)(uintptr_t)s;
}

/* A copy: OpenSSL gives a session up with the first connection that used it. */
static void
resume(SSL *ssl)
{
	SSL_SESSION *copy = SSL_SESSION_dup(last);

	if (copy != NULL)
		(void)SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
}

struct secure *
secure_new(int fd)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_set1_host(ssl, SECURE_HOST) != 1 ||
	    SSL_set_tlsext_host_name(ssl, SECURE_HOST) != 1) {
		fputs("no memory for TLS\n", stderr);
		exit(EXIT_FAILURE);
	}
	if (resumes && last != NULL)
		resume(ssl);
	SSL_set_connect_state(ssl);
	return (struct secure *)ssl;
}

void
secure_free(struct secure *s)
{
	if (s == NULL)
		return;
	/* Else OpenSSL thinks that the session is not to be resumed. */
	(void)SSL_set_quiet_shutdown(ssl_of(s), 1);
	(void)SSL_shutdown(ssl_of(s));
	SSL_free(ssl_of(s));
	ERR_clear_error();
}

int
secure_shake(struct secure *s, bool *writes_r, char *why, size_t cap)
{
	SSL	*ssl = ssl_of(s);
	int	 result = SSL_do_handshake(ssl);
	int	 error = SSL_get_error(ssl, result);

	*writes_r = error == SSL_ERROR_WANT_WRITE;
	if (result == 1)
		return 0;
	errno = EAGAIN;
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
		say_why(why, cap, "handshake");
		errno = EPROTO;
	}
	return -1;
}

bool
secure_resumed(const struct secure *s)
{
	return SSL_session_reused(ssl_of(s)) == 1;
}

ssize_t
secure_read(struct secure *s, void *p, size_t n, char *why, size_t cap)
{
	SSL	*ssl = ssl_of(s);
	size_t	 got;
	int	 result = SSL_read_ex(ssl, p, n, &got);

	if (result == 1)
		return (ssize_t)got;
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
		errno = EAGAIN;
		return -1;
	default:
		say_why(why, cap, "read");
		errno = EPROTO;
		return -1;
	}
}

ssize_t
secure_write(struct secure *s, const void *p, size_t n)
{
	size_t put;

	if (SSL_write_ex(ssl_of(s), p, n, &put) == 1)
		return (ssize_t)put;
	ERR_clear_error();
	errno = EPIPE;
	return -1;
}

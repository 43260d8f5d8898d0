/* SPDX-License-Identifier: ISC */
/*
 * Certificates of clients: who may have signed them, and what one says about who
 * has it.
 *
 * One is asked for, never required; whoever shows one that is not good is as good as
 * whoever shows none.  A session with one is never resumed: what is known of it then
 * is what was true at the last handshake, and it may have been revoked since.
 */
#include "tls/tls_priv.h"

#include "base/codec.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string.h>
#include <time.h>

#define AUTHORITIES_MAX	64
#define CRLS_MAX	64
#define DEPTH_MAX	4		/* authorities between root and client */
#define AUTH_LEVEL	2		/* 112 bits: no SHA-1, no RSA below 2048 */

/* --- who is trusted, and what they have revoked ---------------------------------- */

/* The end of a PEM text, or what is none. */
static bool
at_end(void)
{
	unsigned long e = ERR_peek_last_error();

	ERR_clear_error();
	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	    ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static bool
add_authority(struct clients *c, X509 *x)
{
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(x));

	if (name != NULL && sk_X509_NAME_push(c->names, name) > 0)
		return X509_STORE_add_cert(c->store, x) == 1;
	X509_NAME_free(name);
	return false;
}

static int
read_authorities(struct span text, struct clients *c, struct fault *f)
{
	BIO	*b = BIO_new_mem_buf(text.p, (int)text.n);
	X509	*x;
	int	 n = 0;
	bool	 good = b != NULL;

	while (good && (x = PEM_read_bio_X509(b, NULL, tls_no_password,
	    NULL)) != NULL) {
		good = n++ < AUTHORITIES_MAX && X509_check_ca(x) > 0 &&
		    add_authority(c, x);
		X509_free(x);
	}
	BIO_free(b);
	if (good && at_end() && n > 0)
		return 0;
	ERR_clear_error();
	return fault_set(f, FAULT_PERM, "tls_client_ca: it must hold certificates"
	    " of authorities (PEM), at most %d", AUTHORITIES_MAX);
}

static void
note_end(struct clients *c, const X509_CRL *crl)
{
	const ASN1_TIME	*next = X509_CRL_get0_nextUpdate(crl);
	int64_t		 ends = next == NULL ? 0 : tls_seconds(next);

	if (ends != 0 && (c->crl_ends == 0 || ends < c->crl_ends))
		c->crl_ends = ends;
}

static int
read_revoked(struct span text, struct clients *c, struct fault *f)
{
	BIO		*b = BIO_new_mem_buf(text.p, (int)text.n);
	X509_CRL	*crl;
	int		 n = 0;
	bool		 good = b != NULL;

	while (good && (crl = PEM_read_bio_X509_CRL(b, NULL,
	    tls_no_password, NULL)) != NULL) {
		good = n++ < CRLS_MAX && X509_STORE_add_crl(c->store, crl) == 1;
		note_end(c, crl);
		X509_CRL_free(crl);
	}
	BIO_free(b);
	if (good && at_end() && n > 0 && X509_STORE_set_flags(c->store,
	    X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1)
		return 0;
	ERR_clear_error();
	return fault_set(f, FAULT_PERM, "tls_client_crl: it must hold lists of"
	    " revoked certificates (PEM), at most %d", CRLS_MAX);
}

int
clients_read(const struct tls_clients *from, struct clients *c, struct fault *f)
{
	*c = (struct clients){
		.store = X509_STORE_new(),
		.names = sk_X509_NAME_new_null(),
	};
	if (c->store == NULL || c->names == NULL)
		(void)fault_set(f, FAULT_TEMP, "no memory");
	else if (read_authorities(from->authorities, c, f) == 0 &&
	    (!from->checks_revoked || read_revoked(from->revoked, c, f) == 0))
		return 0;
	clients_fini(c);
	return -1;
}

void
clients_fini(struct clients *c)
{
	X509_STORE_free(c->store);
	sk_X509_NAME_pop_free(c->names, X509_NAME_free);
	*c = (struct clients){ .store = NULL };
}

int
clients_judge(const struct tls_clients *from, int64_t *crl_ends, struct fault *f)
{
	struct clients c;

	if (clients_read(from, &c, f) != 0)
		return -1;
	*crl_ends = c.crl_ends;
	clients_fini(&c);
	return 0;
}

/* --- a handshake ------------------------------------------------------------------- */

/* What came of it is kept by OpenSSL (SSL_get_verify_result). */
static int
on_verify(X509_STORE_CTX *x, void *ctx)
{
	(void)ctx;
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(x),
	    AUTH_LEVEL);
	if (X509_verify_cert(x) != 1 &&
	    X509_STORE_CTX_get_error(x) == X509_V_OK)
		X509_STORE_CTX_set_error(x, X509_V_ERR_UNSPECIFIED);
	return 1;
}

static SSL_TICKET_RETURN
on_decrypted(SSL *s, SSL_SESSION *session, const unsigned char *name, size_t n,
    SSL_TICKET_STATUS status, void *ctx)
{
	(void)s;
	(void)name;
	(void)n;
	(void)ctx;
	if ((status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) ||
	    SSL_SESSION_get0_peer(session) != NULL)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE :
	    SSL_TICKET_RETURN_USE_RENEW;
}

int
clients_use(SSL_CTX *ctx, const struct clients *c)
{
	/* Who was not asked when his ticket was made is asked now. */
	static const unsigned char	 id[] = "popper clients";
	STACK_OF(X509_NAME)		*names;

	if (c->store == NULL)
		return 0;
	names = SSL_dup_CA_list(c->names);
	if (names == NULL ||
	    SSL_CTX_set1_verify_cert_store(ctx, c->store) != 1 ||
	    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) != 1 ||
	    SSL_CTX_set_session_ticket_cb(ctx, NULL, on_decrypted, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return -1;
	}
	SSL_CTX_set_client_CA_list(ctx, names);		/* its now */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_verify_depth(ctx, DEPTH_MAX);
	SSL_CTX_set_cert_verify_callback(ctx, on_verify, NULL);
	return 0;
}

/* --- what one says ------------------------------------------------------------------ */

/* As a user's name may be: all else is no name. */
static void
take_name(const uint8_t *p, size_t n, char out[TLS_NAME_MAX])
{
	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] > '~')
			return;
	if (!span_cstr(span_of(p, n), out, TLS_NAME_MAX))
		out[0] = '\0';
}

/* The only one of that kind; "": there is none, or there are several. */
static void
take_alternative(const GENERAL_NAMES *all, int type, char out[TLS_NAME_MAX])
{
	int n = 0;

	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type != type)
			continue;
		take_name(ASN1_STRING_get0_data(g->d.ia5),
		    (size_t)ASN1_STRING_length(g->d.ia5), out);
		n++;
	}
	if (n != 1)
		out[0] = '\0';
}

static void
take_common(const X509_NAME *name, char out[TLS_NAME_MAX])
{
	int		 at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char	*text = NULL;
	int		 n;

	out[0] = '\0';
	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return;
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(
	    X509_NAME_get_entry(name, at)));
	if (n > 0)
		take_name(text, (size_t)n, out);
	OPENSSL_free(text);
}

static void
take_subject(const X509_NAME *name, char out[TLS_NAME_MAX])
{
	BIO	*b = BIO_new(BIO_s_mem());
	char	*text;
	long	 n;

	out[0] = '\0';
	if (b != NULL && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) > 0 &&
	    (n = BIO_get_mem_data(b, &text)) > 0 &&
	    !span_cstr(span_of(text, (size_t)n), out, TLS_NAME_MAX))
		out[0] = '\0';
	BIO_free(b);
}

static bool
take_fingerprint(const X509 *x, char out[TLS_FINGERPRINT_MAX])
{
	unsigned char	hash[EVP_MAX_MD_SIZE];
	unsigned	n;

	if (X509_digest(x, EVP_sha256(), hash, &n) != 1 ||
	    2 * n + 1 != TLS_FINGERPRINT_MAX)
		return false;
	hex_encode(span_of(hash, n), out);
	out[2 * n] = '\0';
	return true;
}

int
client_tell(const SSL *s, struct tls_client *out, struct fault *f)
{
	X509		*x = SSL_get0_peer_certificate(s);
	long		 result = SSL_get_verify_result(s);
	GENERAL_NAMES	*all;

	*out = (struct tls_client){ .subject = "" };
	if (x == NULL)
		return 0;
	take_subject(X509_get_subject_name(x), out->subject);
	if (result != X509_V_OK || SSL_session_reused(s) == 1)
		return fault_set(f, FAULT_PERM, "%s",
		    X509_verify_cert_error_string(result));
	if (!take_fingerprint(x, out->fingerprint))
		return fault_set(f, FAULT_TEMP, "no digest of it");
	take_common(X509_get_subject_name(x), out->common);
	all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	take_alternative(all, GEN_EMAIL, out->email);
	take_alternative(all, GEN_DNS, out->dns);
	GENERAL_NAMES_free(all);
	ERR_clear_error();
	return 1;
}

/* SPDX-License-Identifier: ISC */
/*
 * A certificate, the chain above it and its key, from PEM; and what can be said
 * about them before anybody meets them.
 */
#include "tls/tls_priv.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string.h>
#include <time.h>

#define CHAIN_MAX	10

int
tls_fault(struct fault *f, enum fault_class class, const char *what)
{
	unsigned long	 e = ERR_get_error();
	const char	*data = NULL;
	const char	*text = "no reason given";
	int		 flags = 0;

	if (e != 0) {
		text = ERR_reason_error_string(e);
		(void)ERR_peek_error_data(&data, &flags);
	}
	ERR_clear_error();
	return fault_set(f, class, "%s: %s", what,
	    text != NULL ? text : "an error that OpenSSL has no word for");
}

/* Nobody is there to be asked for one. */
int
tls_no_password(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)ctx;
	return -1;
}

static int
wrong(struct fault *f, const struct tls_pair *from, const char *text)
{
	ERR_clear_error();
	return fault_set(f, FAULT_PERM, "%s: %s", from->name, text);
}

static BIO *
open_text(struct span s)
{
	return s.n > 0 && s.n <= INT_MAX ? BIO_new_mem_buf(s.p, (int)s.n) : NULL;
}

/* The rest of the file; an end without a certificate is none of PEM's errors. */
static int
read_chain(BIO *b, struct pair *p)
{
	X509		*x;
	unsigned long	 e;

	p->chain = sk_X509_new_null();
	while (p->chain != NULL && (x = PEM_read_bio_X509(b, NULL, tls_no_password,
	    NULL)) != NULL)
		if (sk_X509_num(p->chain) == CHAIN_MAX ||
		    sk_X509_push(p->chain, x) <= 0) {
			X509_free(x);
			return -1;
		}
	e = ERR_peek_last_error();
	if (p->chain == NULL || ERR_GET_LIB(e) != ERR_LIB_PEM ||
	    ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
		return -1;
	ERR_clear_error();
	return 0;
}

static int
read_certificates(const struct tls_pair *from, struct pair *p, struct fault *f)
{
	BIO	*b = open_text(from->chain);
	int	 result = 0;

	p->leaf = b == NULL ? NULL : PEM_read_bio_X509_AUX(b, NULL, tls_no_password,
	    NULL);
	if (p->leaf == NULL)
		result = wrong(f, from, "there is no certificate in it (PEM, the"
		    " server's own first)");
	else if (read_chain(b, p) != 0)
		result = wrong(f, from, "what follows its first certificate"
		    " cannot be read");
	BIO_free(b);
	return result;
}

static int
read_key(const struct tls_pair *from, struct pair *p, struct fault *f)
{
	BIO *b = open_text(from->key);

	p->key = b == NULL ? NULL : PEM_read_bio_PrivateKey(b, NULL, tls_no_password,
	    NULL);
	BIO_free(b);
	if (p->key == NULL)
		return wrong(f, from, "its private key cannot be read (PEM,"
		    " without a passphrase)");
	if (X509_check_private_key(p->leaf, p->key) != 1)
		return wrong(f, from, "the private key belongs to another"
		    " certificate");
	return 0;
}

/* Each one signs the one before. */
static int
look_at_chain(const struct tls_pair *from, const struct pair *p,
    struct fault *f)
{
	X509 *below = p->leaf;

	for (int i = 0; i < sk_X509_num(p->chain); i++) {
		X509 *above = sk_X509_value(p->chain, i);

		if (X509_check_issued(above, below) != X509_V_OK ||
		    X509_verify(below, X509_get0_pubkey(above)) != 1)
			return wrong(f, from, "its certificates are no chain:"
			    " each must be signed by the one that follows");
		below = above;
	}
	return 0;
}

/* The answer about this certificate, among those of the response. */
static OCSP_SINGLERESP *
find_answer(OCSP_BASICRESP *all, const X509 *leaf)
{
	for (int i = 0; i < OCSP_resp_count(all); i++) {
		OCSP_SINGLERESP	*one = OCSP_resp_get0(all, i);
		ASN1_INTEGER	*serial = NULL;

		if (OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)
		    (uintptr_t)OCSP_SINGLERESP_get0_id(one)) == 1 &&
		    ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0)
			return one;
	}
	return NULL;
}

int64_t
tls_seconds(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* "good", and about this one.  Its signature is the client's to verify. */
static bool
is_good(OCSP_RESPONSE *r, struct pair *p)
{
	OCSP_BASICRESP	*all = r == NULL || OCSP_response_status(r) !=
			    OCSP_RESPONSE_STATUS_SUCCESSFUL ? NULL :
			    OCSP_response_get1_basic(r);
	OCSP_SINGLERESP	*one = all == NULL ? NULL : find_answer(all, p->leaf);
	ASN1_GENERALIZEDTIME *next = NULL;
	bool		 good = one != NULL && OCSP_single_get0_status(one, NULL,
			    NULL, NULL, &next) == V_OCSP_CERTSTATUS_GOOD;

	p->ocsp_ends = next == NULL ? 0 : tls_seconds(next);
	OCSP_BASICRESP_free(all);
	return good;
}

static int
read_response(const struct tls_pair *from, struct pair *p, struct fault *f)
{
	const unsigned char	*at = from->ocsp.p;
	OCSP_RESPONSE		*r;
	bool			 good;

	if (from->ocsp.n == 0)
		return 0;
	r = d2i_OCSP_RESPONSE(NULL, &at, (long)from->ocsp.n);
	good = is_good(r, p);
	OCSP_RESPONSE_free(r);
	if (!good)
		return wrong(f, from, "its OCSP response does not say that it is"
		    " good");
	p->ocsp = OPENSSL_memdup(from->ocsp.p, from->ocsp.n);
	p->ocsp_n = from->ocsp.n;
	return p->ocsp != NULL ? 0 : fault_set(f, FAULT_TEMP, "no memory");
}

int
pair_read(const struct tls_pair *from, struct pair *p, struct fault *f)
{
	*p = (struct pair){ .leaf = NULL };
	if (read_certificates(from, p, f) == 0 && read_key(from, p, f) == 0 &&
	    look_at_chain(from, p, f) == 0 && read_response(from, p, f) == 0)
		return 0;
	pair_fini(p);
	return -1;
}

void
pair_fini(struct pair *p)
{
	X509_free(p->leaf);
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	OPENSSL_free(p->ocsp);
	*p = (struct pair){ .leaf = NULL };
}

static void
take_name(struct tls_judgement *out, const char *p, size_t n)
{
	if (out->nnames < TLS_NAMES_MAX && span_cstr(span_of(p, n),
	    out->name[out->nnames], TLS_NAME_MAX))
		out->nnames++;
}

/* The subject's common name counts where there is no other, as in X509_check_host. */
static void
names_of(X509 *x, struct tls_judgement *out)
{
	GENERAL_NAMES	*all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
			    NULL);
	char		 common[TLS_NAME_MAX];
	int		 n;

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_DNS)
			take_name(out, (const char *)ASN1_STRING_get0_data(
			    g->d.dNSName),
			    (size_t)ASN1_STRING_length(g->d.dNSName));
	}
	GENERAL_NAMES_free(all);
	n = X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName,
	    common, sizeof(common));
	if (out->nnames == 0 && n > 0)
		take_name(out, common, (size_t)n);
}

void
pair_tell(const struct pair *p, struct tls_judgement *out)
{
	*out = (struct tls_judgement){
		.begins = tls_seconds(X509_get0_notBefore(p->leaf)),
		.ends = tls_seconds(X509_get0_notAfter(p->leaf)),
		.ocsp_ends = p->ocsp_ends,
	};
	names_of(p->leaf, out);
}

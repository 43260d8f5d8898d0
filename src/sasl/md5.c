/* SPDX-License-Identifier: ISC */
/* MD5 and HMAC-MD5 by OpenSSL. */
#include "sasl/md5.h"

#include "base/codec.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define MD5_SIZE	16

static bool
put_text(const uint8_t *sum, size_t n, bool ok, char out[SASL_MD5_TEXT])
{
	if (!ok || n != MD5_SIZE) {
		ERR_clear_error();
		return false;
	}
	hex_encode(span_of(sum, n), out);
	return true;
}

static bool
apop_digest(struct span stamp, struct span secret, char out[SASL_MD5_TEXT])
{
	EVP_MD_CTX	*c = EVP_MD_CTX_new();
	uint8_t		 sum[EVP_MAX_MD_SIZE];
	unsigned	 n = 0;
	bool		 ok = c != NULL &&
			    EVP_DigestInit_ex(c, EVP_md5(), NULL) == 1 &&
			    EVP_DigestUpdate(c, stamp.p, stamp.n) == 1 &&
			    EVP_DigestUpdate(c, secret.p, secret.n) == 1 &&
			    EVP_DigestFinal_ex(c, sum, &n) == 1;

	EVP_MD_CTX_free(c);
	return put_text(sum, n, ok, out);
}

static bool
cram_digest(struct span stamp, struct span secret, char out[SASL_MD5_TEXT])
{
	uint8_t	sum[EVP_MAX_MD_SIZE];
	size_t	n = 0;
	bool	ok = EVP_Q_mac(NULL, "HMAC", NULL, "MD5", NULL, secret.p,
		    secret.n, stamp.p, stamp.n, sum, sizeof(sum), &n) != NULL;

	return put_text(sum, n, ok, out);
}

static bool
prepare(void)
{
	char unused[SASL_MD5_TEXT];

	return apop_digest(SPAN("?"), SPAN("?"), unused) &&
	    cram_digest(SPAN("?"), SPAN("?"), unused);
}

const struct sasl_md5_ops popper_md5 = {
	.abi = SASL_MD5_ABI,
	.prepare = prepare,
	.apop = apop_digest,
	.cram = cram_digest,
};

/* SPDX-License-Identifier: ISC */
/*
 * Public keys of a JWKS.  A key is good for one algorithm: what a token says about
 * that chooses among the keys, never how one is used.
 */
#include "token/token_priv.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>

#include <stdlib.h>

#define RSA_BITS_MIN	2048		/* RFC 7518 s.3.3 */
#define RSA_BITS_MAX	8192		/* a check costs its square */
#define RSA_MAX		(RSA_BITS_MAX / 8)
#define EXPONENT_MAX	4		/* octets; common ones have 3 */
#define COORDINATE	32		/* octets, of P-256 and Ed25519 */

static const struct alg {
	const char	*name;
	const char	*kty;
	const char	*curve;		/* crv; NULL: has none */
} algs[ALG_COUNT] = {
	[ALG_RS256]	= { "RS256", "RSA", NULL },
	[ALG_ES256]	= { "ES256", "EC", "P-256" },
	[ALG_EDDSA]	= { "EdDSA", "OKP", "Ed25519" },
};

int
alg_of(const char *name)
{
	for (int i = 0; i < ALG_COUNT; i++)
		if (name != NULL && strcmp(name, algs[i].name) == 0)
			return i;
	return -1;
}

/* A member of a key, in octets; false: it is not there, or too long. */
static bool
take(const json_t *jwk, const char *name, uint8_t *out, size_t cap, size_t *n_r)
{
	const char *text = json_text(jwk, name);

	return text != NULL &&
	    base64url_decode(span_str(text), out, cap, n_r) && *n_r > 0;
}

static EVP_PKEY *
make(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM	*params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX	*ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY	*key = NULL;

	if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *
make_rsa(const json_t *jwk)
{
	uint8_t		 n[RSA_MAX];
	uint8_t		 e[EXPONENT_MAX];
	size_t		 n_n, e_n;
	OSSL_PARAM_BLD	*bld;
	BIGNUM		*bn, *be;
	EVP_PKEY	*key = NULL;

	if (!take(jwk, "n", n, sizeof(n), &n_n) ||
	    !take(jwk, "e", e, sizeof(e), &e_n))
		return NULL;
	bld = OSSL_PARAM_BLD_new();
	bn = BN_bin2bn(n, (int)n_n, NULL);
	be = BN_bin2bn(e, (int)e_n, NULL);
	if (bld != NULL && bn != NULL && be != NULL && BN_is_odd(bn) &&
	    BN_is_odd(be) && !BN_is_one(be) && BN_num_bits(bn) >= RSA_BITS_MIN &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		key = make("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	return key;
}

/* OpenSSL looks whether the point is on the curve. */
static EVP_PKEY *
make_ec(const json_t *jwk)
{
	uint8_t		 point[1 + 2 * COORDINATE] = { POINT_CONVERSION_UNCOMPRESSED };
	size_t		 x_n, y_n;
	OSSL_PARAM_BLD	*bld;
	EVP_PKEY	*key = NULL;

	if (!take(jwk, "x", point + 1, COORDINATE, &x_n) ||
	    !take(jwk, "y", point + 1 + COORDINATE, COORDINATE, &y_n) ||
	    x_n != COORDINATE || y_n != COORDINATE)
		return NULL;
	bld = OSSL_PARAM_BLD_new();
	if (bld != NULL && OSSL_PARAM_BLD_push_utf8_string(bld,
	    OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
	    sizeof(point)) == 1)
		key = make("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

static EVP_PKEY *
make_ed(const json_t *jwk)
{
	uint8_t x[COORDINATE];
	size_t	n;

	if (!take(jwk, "x", x, sizeof(x), &n) || n != sizeof(x))
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, n);
}

/* Of what kind, if a token may be checked by it at all; -1. */
static int
kind_of(const json_t *jwk)
{
	const char	*kty = json_text(jwk, "kty");
	const char	*crv = json_text(jwk, "crv");
	const json_t	*alg = json_object_get(jwk, "alg");
	const json_t	*use = json_object_get(jwk, "use");
	int		 found = -1;

	for (int i = 0; i < ALG_COUNT; i++)
		if (kty != NULL && strcmp(kty, algs[i].kty) == 0 &&
		    (algs[i].curve == NULL ||
		    (crv != NULL && strcmp(crv, algs[i].curve) == 0)))
			found = i;
	/* RFC 7517 s.4.2, s.4.4: what it is not meant for it is not used for. */
	if (found < 0 ||
	    (alg != NULL && alg_of(json_string_value(alg)) != found) ||
	    (use != NULL && (!json_is_string(use) ||
	    strcmp(json_string_value(use), "sig") != 0)))
		return -1;
	return found;
}

static void
add(struct token_keys *out, const json_t *jwk)
{
	static EVP_PKEY *(*const makers[ALG_COUNT])(const json_t *) = {
		[ALG_RS256] = make_rsa, [ALG_ES256] = make_ec,
		[ALG_EDDSA] = make_ed,
	};
	const char	*kid = json_text(jwk, "kid");
	int		 alg = kind_of(jwk);
	EVP_PKEY	*key;

	if (alg < 0 || out->n == KEYS_MAX ||
	    (kid != NULL && strlen(kid) > KID_MAX) ||
	    (key = makers[alg](jwk)) == NULL)
		return;
	out->v[out->n++] = (struct token_key){
		.alg = (enum token_alg)alg,
		.kid = kid == NULL ? NULL : strdup(kid),
		.key = key,
	};
}

int
keys_read(struct span text, struct token_keys *out, struct fault *f)
{
	json_t		*set = json_strict(text);
	const json_t	*list = json_object_get(set, "keys");
	size_t		 n = json_array_size(list);

	*out = (struct token_keys){ 0 };
	for (size_t i = 0; i < n; i++)
		add(out, json_array_get(list, i));
	if (!json_is_array(list))
		(void)fault_set(f, FAULT_PERM, "no JWKS: no object with a list of"
		    " keys, no member twice (RFC 7517)");
	else if (out->n == 0)
		(void)fault_set(f, FAULT_PERM, "none of its %zu keys is for RS256"
		    " (2048 bits and more), ES256 or EdDSA (Ed25519)", n);
	json_decref(set);
	return out->n > 0 ? 0 : -1;
}

void
keys_free(struct token_keys *k)
{
	for (size_t i = 0; i < k->n; i++) {
		EVP_PKEY_free(k->v[i].key);
		free(k->v[i].kid);
	}
	k->n = 0;
}

const struct token_key *
keys_find(const struct token_keys *k, enum token_alg alg, const char *kid)
{
	const struct token_key *found = NULL;

	for (size_t i = 0; i < k->n; i++) {
		const struct token_key *key = &k->v[i];

		if (key->alg != alg || (kid != NULL &&
		    (key->kid == NULL || strcmp(key->kid, kid) != 0)))
			continue;
		if (found != NULL)
			return NULL;	/* which one? */
		found = key;
	}
	return found;
}

/* Two numbers side by side (RFC 7518 s.3.4), as the library wants them. */
static int
ecdsa_der(struct span raw, uint8_t **der_r)
{
	ECDSA_SIG	*sig = ECDSA_SIG_new();
	BIGNUM		*r = NULL;
	BIGNUM		*s = NULL;
	int		 n = -1;

	*der_r = NULL;
	if (raw.n == 2 * COORDINATE) {
		r = BN_bin2bn(raw.p, COORDINATE, NULL);
		s = BN_bin2bn(raw.p + COORDINATE, COORDINATE, NULL);
	}
	if (sig != NULL && r != NULL && s != NULL &&
	    ECDSA_SIG_set0(sig, r, s) == 1) {
		n = i2d_ECDSA_SIG(sig, der_r);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	return n;
}

static bool
verify(EVP_PKEY *key, const EVP_MD *digest, struct span text,
    struct span signature)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	bool		 right = ctx != NULL &&
			    EVP_DigestVerifyInit(ctx, NULL, digest, NULL, key) == 1 &&
			    EVP_DigestVerify(ctx, signature.p, signature.n, text.p,
			    text.n) == 1;

	EVP_MD_CTX_free(ctx);
	return right;
}

bool
key_verifies(const struct token_key *k, struct span text, struct span signature)
{
	uint8_t	*der;
	int	 n;
	bool	 right;

	switch (k->alg) {
	case ALG_RS256:
		/* PKCS #1 1.5 is what OpenSSL does unless it is told otherwise. */
		return verify(k->key, EVP_sha256(), text, signature);
	case ALG_EDDSA:
		return verify(k->key, NULL, text, signature);
	case ALG_ES256:
		n = ecdsa_der(signature, &der);
		right = n > 0 && verify(k->key, EVP_sha256(), text,
		    span_of(der, (size_t)n));
		OPENSSL_free(der);
		return right;
	case ALG_COUNT:
		break;
	}
	return false;
}

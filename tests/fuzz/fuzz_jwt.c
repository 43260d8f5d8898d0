/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: bearer tokens (src/sasl/bearer.c, src/token/).  The first octet of the
 * input chooses who reads the rest: a mechanism's message, a token with its header and
 * claims, a set of keys, or what a server says about a token.
 */
#include "sasl/bearer.h"
#include "token/token_priv.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct token_conf conf = {
	.jwks = "x", .introspection = "", .issuer = "i", .audience = "a b",
	.scope = "", .user_claim = "sub",
};

static void
check_message(struct span in)
{
	struct sasl_bearer b;

	for (int i = 0; i < 2; i++) {
		if (!(i == 0 ? sasl_oauthbearer(in, &b) : sasl_xoauth2(in, &b)))
			continue;
		ASSERT(b.token.n > 0 && b.token.p > in.p &&
		    b.token.p + b.token.n + 2 <= in.p + in.n);
		ASSERT(b.user_n <= sizeof(b.user) && (i == 0 || b.user_n > 0));
	}
}

static void
check_claims(json_t *claims)
{
	char	name[TOKEN_NAME_MAX + 1] = "";
	int64_t	until;

	if (claims != NULL && claims_judge(&conf, claims, true, 1000, SPAN(""),
	    name, &until) == NULL)
		ASSERT(name[0] != '\0' && until > 0);
	if (claims != NULL && claims_judge(&conf, claims, false, 1000, SPAN("u"),
	    name, &until) == NULL)
		ASSERT(name[0] == 'u' && name[1] == '\0');
	json_decref(claims);
}

static void
check_token(struct span in)
{
	static struct jwt j;

	if (jwt_read(in, &j) == NULL) {
		ASSERT(in.n <= TOKEN_MAX && j.signature_n > 0 && j.header != NULL);
		check_claims(jwt_claims(&j));
	}
	jwt_fini(&j);
}

static void
check_keys(struct span in)
{
	static struct token_keys	keys;
	struct fault			f;

	if (keys_read(in, &keys, &f) == 0)
		for (size_t i = 0; i < keys.n; i++)
			ASSERT(!key_verifies(&keys.v[i], in, in));
	keys_free(&keys);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = span_of(data, n);

	if (n == 0)
		return 0;
	in = span_skip(in, 1);
	switch (data[0] % 4) {
	case 0:
		check_message(in);
		break;
	case 1:
		check_token(in);
		break;
	case 2:
		check_keys(in);
		break;
	default:
		check_claims(json_strict(in));
	}
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * Keys of a file, tokens that the test signs by itself.  What asks a server is tested
 * with one (tests/bearer).
 */
#include "token/token_priv.h"

#include "base/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define SET_MAX		16384
#define ROOM		(2 * TOKEN_MAX)	/* of a token */
#define CLAIMS_MAX	1024

enum key { KEY_RSA, KEY_EC, KEY_ED, KEY_RSA_SMALL, KEY_P384, KEY_OTHER, KEYS };

static EVP_PKEY	*keys[KEYS];
static char	 jwks[SET_MAX];

static const struct token_conf conf = {
	.jwks = "keys.json", .introspection = "", .client_file = "",
	.issuer = "https://id.example.org", .audience = "mail popper",
	.scope = "", .user_claim = "sub", .ca_file = "",
};

/* ---- making them ---- */

static void
url64(struct span s, char *out)
{
	size_t n = base64_encode(s, out);

	while (n > 0 && out[n - 1] == '=')
		n--;
	out[n] = '\0';
	for (char *p = out; *p != '\0'; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
}

static void
number64(EVP_PKEY *key, const char *name, int width, char *out)
{
	BIGNUM	*bn = NULL;
	uint8_t	 b[1024];
	int	 n;

	assert_int_equal(EVP_PKEY_get_bn_param(key, name, &bn), 1);
	n = width > 0 ? BN_bn2binpad(bn, b, width) : BN_bn2bin(bn, b);
	assert_true(n > 0);
	url64(span_of(b, (size_t)n), out);
	BN_free(bn);
}

/* A key as a JWKS has it, without its last brace; more: members of it. */
static void
add_jwk(char *set, EVP_PKEY *key, const char *more)
{
	char	a[1024], b[1024];
	uint8_t	raw[64];
	size_t	raw_n = sizeof(raw);
	size_t	n = strlen(set);

	if (EVP_PKEY_is_a(key, "RSA")) {
		number64(key, OSSL_PKEY_PARAM_RSA_N, 0, a);
		number64(key, OSSL_PKEY_PARAM_RSA_E, 0, b);
		(void)snprintf(set + n, SET_MAX - n, "%s{\"kty\":\"RSA\","
		    "\"n\":\"%s\",\"e\":\"%s\"%s}", n > 0 ? "," : "", a, b, more);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		int width = (EVP_PKEY_get_bits(key) + 7) / 8;

		number64(key, OSSL_PKEY_PARAM_EC_PUB_X, width, a);
		number64(key, OSSL_PKEY_PARAM_EC_PUB_Y, width, b);
		(void)snprintf(set + n, SET_MAX - n, "%s{\"kty\":\"EC\","
		    "\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s}",
		    n > 0 ? "," : "", width == 32 ? "P-256" : "P-384", a, b, more);
	} else {
		assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &raw_n), 1);
		url64(span_of(raw, raw_n), a);
		(void)snprintf(set + n, SET_MAX - n, "%s{\"kty\":\"OKP\","
		    "\"crv\":\"Ed25519\",\"x\":\"%s\"%s}", n > 0 ? "," : "", a,
		    more);
	}
}

static void
end_set(char *set, char *out, size_t cap)
{
	(void)snprintf(out, cap, "{\"keys\":[%s]}", set);
}

static int
make_keys(void **state)
{
	char set[SET_MAX - 64] = "";

	(void)state;
	keys[KEY_RSA] = EVP_RSA_gen(2048);
	keys[KEY_RSA_SMALL] = EVP_RSA_gen(1024);
	keys[KEY_EC] = EVP_EC_gen("P-256");
	keys[KEY_P384] = EVP_EC_gen("P-384");
	keys[KEY_ED] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	keys[KEY_OTHER] = EVP_EC_gen("P-256");
	for (size_t i = 0; i < KEYS; i++)
		assert_non_null(keys[i]);
	add_jwk(set, keys[KEY_RSA], ",\"kid\":\"r\",\"use\":\"sig\","
	    "\"alg\":\"RS256\"");
	add_jwk(set, keys[KEY_EC], ",\"kid\":\"e\"");
	add_jwk(set, keys[KEY_ED], ",\"kid\":\"d\"");
	add_jwk(set, keys[KEY_RSA_SMALL], ",\"kid\":\"small\"");
	add_jwk(set, keys[KEY_P384], ",\"kid\":\"p384\"");
	add_jwk(set, keys[KEY_EC], ",\"kid\":\"enc\",\"use\":\"enc\"");
	add_jwk(set, keys[KEY_RSA], ",\"kid\":\"ps\",\"alg\":\"PS256\"");
	add_jwk(set, keys[KEY_OTHER], ",\"kid\":\"twice\"");
	add_jwk(set, keys[KEY_EC], ",\"kid\":\"twice\"");
	end_set(set, jwks, sizeof(jwks));
	return 0;
}

static int
free_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS; i++)
		EVP_PKEY_free(keys[i]);
	return 0;
}

static size_t
ecdsa_raw(const uint8_t *der, size_t n, int width, uint8_t *out)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);

	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, width), width);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + width, width),
	    width);
	ECDSA_SIG_free(sig);
	return 2 * (size_t)width;
}

static size_t
sign(EVP_PKEY *key, const char *text, uint8_t *out, size_t cap)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	uint8_t		 b[1024];
	size_t		 n = sizeof(b);
	bool		 ed = EVP_PKEY_is_a(key, "ED25519");

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, ed ? NULL : EVP_sha256(),
	    NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, b, &n, (const uint8_t *)text,
	    strlen(text)), 1);
	EVP_MD_CTX_free(ctx);
	if (EVP_PKEY_is_a(key, "EC"))
		return ecdsa_raw(b, n, (EVP_PKEY_get_bits(key) + 7) / 8, out);
	assert_true(n <= cap);
	memcpy(out, b, n);
	return n;
}

static void
add_text(char *out, const char *a, const char *b)
{
	size_t n = strlen(out);

	(void)snprintf(out + n, ROOM - n, "%s%s", a, b);
}

/* key NULL: the signature is empty. */
static void
make_token(const char *header, const char *claims, EVP_PKEY *key, char *out)
{
	uint8_t	sig[1024];
	char	h[TOKEN_MAX], c[TOKEN_MAX], s[2048];

	url64(span_str(header), h);
	url64(span_str(claims), c);
	(void)snprintf(out, ROOM, "%s.%s", h, c);
	s[0] = '\0';
	if (key != NULL)
		url64(span_of(sig, sign(key, out, sig, sizeof(sig))), s);
	add_text(out, ".", s);
}

static void
judge_with(const struct token_conf *c, const char *set, const char *user,
    const char *token, struct token_verdict *v)
{
	const struct token_files files = { .jwks = span_str(set) };
	struct fault	 f;
	struct token	*t = popper_token.open(c, &files, &f);

	assert_non_null(t);
	popper_token.judge(t, span_str(user), span_str(token), v);
	popper_token.close(t);
}

/* ---- what is good, and what is not ---- */

#define GOOD_CLAIMS	"\"iss\":\"https://id.example.org\",\"aud\":\"mail\"," \
	"\"sub\":\"ann\",\"exp\":%NOW+600%"

struct row {
	const char	*name;
	const char	*header;
	const char	*claims;	/* %NOW+n% */
	enum key	 key;		/* that signs */
	const char	*user;		/* the client says */
	const char	*detail;	/* the beginning; NULL: it is good */
};

#define H(alg, kid)	"{\"alg\":\"" alg "\",\"kid\":\"" kid "\"}"
#define C(x)		"{" x "}"
#define ALL		C(GOOD_CLAIMS)
#define WITH(x)		C(GOOD_CLAIMS "," x)
#define REST		"\"iss\":\"https://id.example.org\",\"sub\":\"ann\""

static const struct row rows[] = {
	{ "RS256", H("RS256", "r"), ALL, KEY_RSA, "ann", NULL },
	{ "ES256", H("ES256", "e"), ALL, KEY_EC, "ann", NULL },
	{ "EdDSA", H("EdDSA", "d"), ALL, KEY_ED, "ann", NULL },
	{ "whoever it is", H("EdDSA", "d"), ALL, KEY_ED, "", NULL },
	{ "no kid, one key", "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}", ALL, KEY_ED,
	  "ann", NULL },
	{ "typ", "{\"alg\":\"EdDSA\",\"kid\":\"d\",\"typ\":\"application/at+jwt\"}",
	  ALL, KEY_ED, "ann", NULL },
	{ "just expired", H("EdDSA", "d"), C(REST ",\"aud\":\"mail\","
	  "\"exp\":%NOW-30%"), KEY_ED, "ann", NULL },
	{ "a fraction", H("EdDSA", "d"), C(REST ",\"aud\":\"mail\","
	  "\"exp\":%NOW+60%.5"), KEY_ED, "ann", NULL },
	{ "several audiences", H("EdDSA", "d"), C(REST ",\"aud\":[\"x\",\"popper\"],"
	  "\"exp\":%NOW+60%"), KEY_ED, "ann", NULL },
	{ "times", H("EdDSA", "d"), WITH("\"nbf\":%NOW+30%,\"iat\":%NOW+30%"),
	  KEY_ED, "ann", NULL },

	{ "alg none", H("none", "e"), ALL, KEY_EC, "ann", "alg:" },
	{ "alg None", H("None", "e"), ALL, KEY_EC, "ann", "alg:" },
	{ "no alg", "{\"kid\":\"e\"}", ALL, KEY_EC, "ann", "alg:" },
	{ "alg is a number", "{\"alg\":1,\"kid\":\"e\"}", ALL, KEY_EC, "ann", "alg:" },
	{ "HS256", H("HS256", "r"), ALL, KEY_RSA, "ann", "alg:" },
	{ "RS512", H("RS512", "r"), ALL, KEY_RSA, "ann", "alg:" },
	{ "PS256", H("PS256", "ps"), ALL, KEY_RSA, "ann", "alg:" },
	{ "key is for PS256", H("RS256", "ps"), ALL, KEY_RSA, "ann", "kid:" },
	{ "key is to encrypt", H("ES256", "enc"), ALL, KEY_EC, "ann", "kid:" },
	{ "another key's alg", H("RS256", "e"), ALL, KEY_EC, "ann", "kid:" },
	{ "small key", H("RS256", "small"), ALL, KEY_RSA_SMALL, "ann", "kid:" },
	{ "wrong curve", H("ES256", "p384"), ALL, KEY_P384, "ann", "kid:" },
	{ "which of two", H("ES256", "twice"), ALL, KEY_EC, "ann", "kid:" },
	{ "no kid, several", "{\"alg\":\"ES256\"}", ALL, KEY_EC, "ann", "kid:" },
	{ "unknown kid", H("ES256", "x"), ALL, KEY_EC, "ann", "kid:" },
	{ "kid is a number", "{\"alg\":\"ES256\",\"kid\":1}", ALL, KEY_EC, "ann",
	  "kid:" },
	{ "another's key", H("ES256", "e"), ALL, KEY_OTHER, "ann", "its signature" },
	{ "P-384's signature", H("ES256", "e"), ALL, KEY_P384, "ann",
	  "its signature" },
	{ "crit", "{\"alg\":\"ES256\",\"kid\":\"e\",\"crit\":[\"exp\"]}", ALL, KEY_EC,
	  "ann", "crit:" },
	{ "b64", "{\"alg\":\"ES256\",\"kid\":\"e\",\"b64\":true}", ALL, KEY_EC, "ann",
	  "crit:" },
	{ "typ of others", "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"dpop+jwt\"}",
	  ALL, KEY_EC, "ann", "typ:" },
	{ "alg twice", "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"e\"}", ALL,
	  KEY_EC, "ann", "its header" },
	{ "header is a list", "[1]", ALL, KEY_EC, "ann", "its header" },
	{ "header is deep", "{\"alg\":\"ES256\",\"x\":[[[[[[[[[[1]]]]]]]]]]}", ALL,
	  KEY_EC, "ann", "its header" },
	{ "header is cut", "{\"alg\":\"ES256\"", ALL, KEY_EC, "ann", "its header" },

	{ "claims are no JSON", H("ES256", "e"), "hello", KEY_EC, "ann",
	  "its claims" },
	{ "claims are deep", H("ES256", "e"), WITH("\"x\":[[[[[[[[[[]]]]]]]]]]"),
	  KEY_EC, "ann", "its claims" },
	{ "sub twice", H("ES256", "e"), WITH("\"sub\":\"bob\""), KEY_EC, "ann",
	  "its claims" },
	{ "NUL in sub", H("ES256", "e"), C("\"iss\":\"https://id.example.org\","
	  "\"aud\":\"mail\",\"exp\":%NOW+60%,\"sub\":\"ann\\u0000x\""), KEY_EC,
	  "ann", "its claims" },
	{ "expired", H("ES256", "e"), C(REST ",\"aud\":\"mail\",\"exp\":%NOW-61%"),
	  KEY_EC, "ann", "exp: it has" },
	{ "no exp", H("ES256", "e"), C(REST ",\"aud\":\"mail\""), KEY_EC, "ann",
	  "exp: it is" },
	{ "exp is text", H("ES256", "e"), C(REST ",\"aud\":\"mail\","
	  "\"exp\":\"%NOW+60%\""), KEY_EC, "ann", "exp: it is" },
	{ "exp is huge", H("ES256", "e"), C(REST ",\"aud\":\"mail\",\"exp\":1e300"),
	  KEY_EC, "ann", "exp: it is" },
	{ "exp is negative", H("ES256", "e"), C(REST ",\"aud\":\"mail\",\"exp\":-1"),
	  KEY_EC, "ann", "exp: it is" },
	{ "exp is 0", H("ES256", "e"), C(REST ",\"aud\":\"mail\",\"exp\":0"),
	  KEY_EC, "ann", "exp: it is" },
	{ "exp is less than 1", H("ES256", "e"), C(REST ",\"aud\":\"mail\","
	  "\"exp\":0.9"), KEY_EC, "ann", "exp: it is" },
	{ "not yet", H("ES256", "e"), WITH("\"nbf\":%NOW+90%"), KEY_EC, "ann",
	  "nbf:" },
	{ "from the future", H("ES256", "e"), WITH("\"iat\":%NOW+90%"), KEY_EC, "ann",
	  "iat:" },
	{ "no iss", H("ES256", "e"), C("\"aud\":\"mail\",\"sub\":\"ann\","
	  "\"exp\":%NOW+60%"), KEY_EC, "ann", "iss:" },
	{ "iss of others", H("ES256", "e"), C("\"iss\":\"https://id.example.org/\","
	  "\"aud\":\"mail\",\"sub\":\"ann\",\"exp\":%NOW+60%"), KEY_EC, "ann",
	  "iss:" },
	{ "no aud", H("ES256", "e"), C(REST ",\"exp\":%NOW+60%"), KEY_EC, "ann",
	  "aud:" },
	{ "aud of others", H("ES256", "e"), C(REST ",\"aud\":[\"web\",1],"
	  "\"exp\":%NOW+60%"), KEY_EC, "ann", "aud:" },
	{ "aud is two words", H("ES256", "e"), C(REST ",\"aud\":\"mail popper\","
	  "\"exp\":%NOW+60%"), KEY_EC, "ann", "aud:" },
	{ "no sub", H("ES256", "e"), C("\"iss\":\"https://id.example.org\","
	  "\"aud\":\"mail\",\"exp\":%NOW+60%"), KEY_EC, "", "it names no" },
	{ "sub is empty", H("ES256", "e"), C("\"iss\":\"https://id.example.org\","
	  "\"aud\":\"mail\",\"exp\":%NOW+60%,\"sub\":\"\""), KEY_EC, "",
	  "it names no" },
	{ "of another user", H("ES256", "e"), ALL, KEY_EC, "bob", "it is another" },
	{ "case counts", H("ES256", "e"), ALL, KEY_EC, "Ann", "it is another" },
};

/* %NOW+n% as seconds. */
static void
fill(const char *text, char out[CLAIMS_MAX])
{
	const char	*at;
	char		*end;
	size_t		 n = 0;

	while ((at = strstr(text, "%NOW")) != NULL) {
		long more = strtol(at + 4, &end, 10);

		n += (size_t)snprintf(out + n, CLAIMS_MAX - n, "%.*s%lld",
		    (int)(at - text), text, (long long)time(NULL) + more);
		text = end + 1;
	}
	(void)snprintf(out + n, CLAIMS_MAX - n, "%s", text);
}

static void
check(const char *name, const struct token_verdict *v, const char *detail)
{
	if (detail == NULL && v->result != TOKEN_GOOD)
		fail_msg("%s: refused: %s", name, v->detail);
	if (detail == NULL)
		assert_string_equal(v->user, "ann");
	else if (v->result != TOKEN_REFUSED ||
	    strncmp(v->detail, detail, strlen(detail)) != 0)
		fail_msg("%s: %d, %s", name, (int)v->result, v->detail);
}

static void
test_rows(void **state)
{
	char	claims[CLAIMS_MAX];
	char	token[ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct token_verdict v;

		fill(rows[i].claims, claims);
		make_token(rows[i].header, claims, keys[rows[i].key], token);
		judge_with(&conf, jwks, rows[i].user, token, &v);
		check(rows[i].name, &v, rows[i].detail);
	}
}

/* HS256 with what everybody knows, the public key, for a secret. */
static void
test_key_confusion(void **state)
{
	struct token_verdict	v;
	char			claims[CLAIMS_MAX];
	char			token[ROOM];
	char			sig[256];
	char			pem[4096];
	uint8_t			mac[32];
	unsigned		mac_n = sizeof(mac);
	BIO			*bio = BIO_new(BIO_s_mem());
	int			n;

	(void)state;
	assert_int_equal(PEM_write_bio_PUBKEY(bio, keys[KEY_RSA]), 1);
	n = BIO_read(bio, pem, sizeof(pem));
	BIO_free(bio);
	fill(ALL, claims);
	make_token(H("HS256", "r"), claims, NULL, token);
	token[strlen(token) - 1] = '\0';
	assert_non_null(HMAC(EVP_sha256(), pem, n, (uint8_t *)token,
	    strlen(token), mac, &mac_n));
	url64(span_of(mac, mac_n), sig);
	add_text(token, ".", sig);
	judge_with(&conf, jwks, "ann", token, &v);
	check("HS256 with the public key", &v, "alg:");
}

/* One octet of a good one at a time. */
static void
test_changed(void **state)
{
	struct token_verdict	v;
	char			claims[CLAIMS_MAX];
	char			token[ROOM];

	(void)state;
	fill(ALL, claims);
	make_token(H("EdDSA", "d"), claims, keys[KEY_ED], token);
	for (size_t i = 0; token[i] != '\0'; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		judge_with(&conf, jwks, "ann", token, &v);
		if (v.result != TOKEN_REFUSED)
			fail_msg("octet %zu", i);
		token[i] = was;
	}
	judge_with(&conf, jwks, "ann", token, &v);
	check("the token itself", &v, NULL);
}

static void
test_forms(void **state)
{
	static const char *const no[] = {
		".", "..", "...", "a.b", "a.b.c.d", "e30.e30.", "e30..e30",
		".e30.e30", "e30.e30.e30=", "e30.e30.e3", "e30.e31.+/+/",
		"e30=.e30.e30",
	};
	struct token_verdict	v;
	char			longer[TOKEN_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		judge_with(&conf, jwks, "ann", no[i], &v);
		check(no[i], &v, "");
	}
	memset(longer, 'e', sizeof(longer) - 1);
	longer[1000] = longer[2000] = '.';
	longer[sizeof(longer) - 1] = '\0';
	judge_with(&conf, jwks, "ann", longer, &v);
	check("too long", &v, "longer than");
	longer[sizeof(longer) - 2] = '\0';
	judge_with(&conf, jwks, "ann", longer, &v);
	check("as long as can be", &v, "no signature");
}

static void
test_conf(void **state)
{
	struct token_verdict	v;
	struct token_conf	c = conf;
	char			claims[CLAIMS_MAX];
	char			token[ROOM];

	(void)state;
	fill(WITH("\"scope\":\"mail openid\",\"email\":\"ann\",\"n\":1"), claims);
	make_token(H("EdDSA", "d"), claims, keys[KEY_ED], token);
	c.scope = "openid mail";
	judge_with(&c, jwks, "ann", token, &v);
	check("scope", &v, NULL);
	c.scope = "mail admin";
	judge_with(&c, jwks, "ann", token, &v);
	check("scope", &v, "scope:");
	assert_string_equal(v.user, "ann");	/* who guesses must wait, or he */
	c.issuer = "https://other.example.org";
	judge_with(&c, jwks, "ann", token, &v);
	check("issuer", &v, "iss:");
	assert_string_equal(v.user, "");	/* another one's ann */
	c.issuer = conf.issuer;
	c.scope = "";
	c.user_claim = "email";
	judge_with(&c, jwks, "ann", token, &v);
	check("claim", &v, NULL);
	c.user_claim = "n";
	judge_with(&c, jwks, "", token, &v);
	check("claim", &v, "it names no");
}

static void
test_jwks(void **state)
{
	static const char *const bad[] = {
		"", "{}", "[]", "{\"keys\":1}", "{\"keys\":[]}", "{\"keys\":[1]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}]}",
		"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}]}",
	};
	struct token_keys	k;
	struct fault		f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (keys_read(span_str(bad[i]), &k, &f) == 0)
			fail_msg("%s", bad[i]);
		keys_free(&k);
	}
	assert_int_equal(keys_read(span_str(jwks), &k, &f), 0);
	assert_int_equal(k.n, 5);
	keys_free(&k);
}

static void
test_cache(void **state)
{
	struct cache	*c = cache_new();
	char		 name[TOKEN_NAME_MAX + 1];

	(void)state;
	cache_put(c, SPAN("ann"), SPAN("token"), 100, "ann");
	assert_true(cache_find(c, SPAN("ann"), SPAN("token"), 99, name));
	assert_string_equal(name, "ann");
	assert_false(cache_find(c, SPAN("ann"), SPAN("token"), 100, name));
	assert_false(cache_find(c, SPAN("bob"), SPAN("token"), 99, name));
	assert_false(cache_find(c, SPAN(""), SPAN("token"), 99, name));
	assert_false(cache_find(c, SPAN("an"), SPAN("ntoken"), 99, name));
	assert_false(cache_find(c, SPAN("ann"), SPAN("token2"), 99, name));
	cache_free(c);
}

static void
test_urls(void **state)
{
	static const char *const good[] = {
		"https://id.example.org/jwks", "http://127.0.0.1:8080/", "http://[::1]/x",
		"http://localhost:1/x", "http://localhost",
	};
	static const char *const bad[] = {
		"", "https://", "http://id.example.org/", "http://127.0.0.1.example.org/",
		"http://127.0.0.1@example.org/", "http://127.0.0.1:x@example.org/",
		"http://localhostx/", "file:///etc/passwd", "HTTPS://x/", "/etc/jwks",
		"https://a b/", "https://a\n/", "ftp://127.0.0.1/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!token_is_url(good[i]))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (token_is_url(bad[i]))
			fail_msg("%s", bad[i]);
}

static void
test_url_ports(void **state)
{
	static const struct {
		const char	*url;
		uint16_t	 port;
	} cases[] = {
		{ "https://id.example.org/jwks", 443 }, { "http://localhost", 80 },
		{ "https://id.example.org:8443", 8443 },
		{ "https://id.example.org:8443?x=:1", 8443 },
		{ "https://id.example.org#:1", 443 }, { "https://id.example.org:/", 443 },
		{ "https://[2001:db8::1]/x:2", 443 }, { "https://[2001:db8::1]:9/", 9 },
		{ "https://me:1@id.example.org/", 443 }, { "https://me:1@x:65535/", 65535 },
		{ "https://x:65536/", 0 }, { "https://x:y/", 0 }, { "/etc/jwks", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (token_url_port(cases[i].url) != cases[i].port)
			fail_msg("%s", cases[i].url);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_key_confusion),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_jwks),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_url_ports),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}

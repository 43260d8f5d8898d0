/* SPDX-License-Identifier: ISC */
/*
 * The server's end of SCRAM against the RFCs' own numbers, and against libgsasl's
 * client.
 */
#include "sasl/sasl.h"

#include "base/codec.h"

#include <gsasl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 5802 s.5 and RFC 7677 s.3: what was said, joined as s.3 has it. */
static const struct rfc {
	enum sasl_hash	 hash;
	const char	*salt;
	const char	*said;
	const char	*proof;
	const char	*verifier;
} rfcs[] = {
	{ SASL_SHA_1, "QSXCR+Q6sek8bf92",
	  "n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
	  "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,"
	  "i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
	  "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
	{ SASL_SHA_256, "W22ZaJ0SNY7soEsUEjb6gQ==",
	  "n=user,r=rOprNGfwEbeRWgbNEkqO,"
	  "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	  "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,"
	  "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	  "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	  "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
};

static void
sign(enum sasl_hash hash, const uint8_t *key, const char *text, uint8_t *out)
{
	const EVP_MD	*md = hash == SASL_SHA_1 ? EVP_sha1() : EVP_sha256();
	unsigned	 n = 0;

	assert_non_null(HMAC(md, key, (int)sasl_hash_size(hash),
	    (const uint8_t *)text, strlen(text), out, &n));
	assert_int_equal(n, sasl_hash_size(hash));
}

static void
assert_base64(const uint8_t *p, size_t n, const char *want)
{
	char text[100];

	text[base64_encode(span_of(p, n), text)] = '\0';
	assert_string_equal(text, want);
}

/* The password is "pencil" in both. */
static void
test_rfc(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rfcs); i++) {
		const struct rfc	*r = &rfcs[i];
		struct sasl_scram	 s = { .iterations = 4096 };
		uint8_t			 sum[SASL_HASH_MAX];
		uint8_t			 proof[SASL_HASH_MAX];
		uint8_t			 back[SASL_HASH_MAX];
		size_t			 n = 0;

		assert_true(base64_decode(span_str(r->salt), s.salt,
		    sizeof(s.salt), &s.salt_n));
		assert_true(popper_sasl.keys(r->hash, SPAN("pencil"), &s));
		sign(r->hash, s.server, r->said, sum);
		assert_base64(sum, sasl_hash_size(r->hash), r->verifier);
		/* Its proof opens what is stored. */
		assert_true(base64_decode(span_str(r->proof), proof,
		    sizeof(proof), &n));
		assert_int_equal(n, sasl_hash_size(r->hash));
		sign(r->hash, s.stored, r->said, sum);
		for (size_t k = 0; k < n; k++)
			proof[k] ^= sum[k];
		assert_int_equal(EVP_Digest(proof, n, back, NULL,
		    r->hash == SASL_SHA_1 ? EVP_sha1() : EVP_sha256(), NULL), 1);
		assert_memory_equal(back, s.stored, n);
	}
}

/* ---- exchanges with libgsasl's client ---- */

static struct {
	enum sasl_hash	 hash;
	unsigned	 asked;
	char		 user[SASL_NAME_MAX];
	const char	*password;	/* that is stored */
} known;

static bool
stored(void *ctx UNUSED, const char *user, bool keys, struct sasl_scram *out)
{
	known.asked++;
	(void)snprintf(known.user, sizeof(known.user), "%s", user);
	*out = (struct sasl_scram){ .iterations = 4096, .salt_n = 16 };
	memset(out->salt, 7, 16);
	return !keys || popper_sasl.keys(known.hash, span_str(known.password),
	    out);
}

static const char	exporter[] = "0123456789abcdef0123456789ABCDEF";

struct talk {
	enum sasl_hash	 hash;
	bool		 plus;
	bool		 bound;		/* the server knows a binding */
	const char	*user;
	const char	*authzid;
	const char	*password;
	const char	*binding;	/* the client's; NULL: none */
	enum sasl_step	 end;
};

static int
on_client(Gsasl *lib UNUSED, Gsasl_session *s, Gsasl_property p)
{
	const struct talk	*t = gsasl_session_hook_get(s);
	char			 b64[100];

	switch ((int)p) {
	case GSASL_AUTHID:
		return gsasl_property_set(s, p, t->user);
	case GSASL_AUTHZID:
		return t->authzid == NULL ? GSASL_NO_CALLBACK :
		    gsasl_property_set(s, p, t->authzid);
	case GSASL_PASSWORD:
		return gsasl_property_set(s, p, t->password);
	case GSASL_CB_TLS_EXPORTER:
		if (t->binding == NULL)
			return GSASL_NO_CALLBACK;
		b64[base64_encode(span_str(t->binding), b64)] = '\0';
		return gsasl_property_set(s, p, b64);
	}
	return GSASL_NO_CALLBACK;
}

/* Until one of them has had enough: the server's last word. */
static enum sasl_step
talk(const struct talk *t)
{
	const struct sasl_setup setup = {
		.hash = t->hash, .plus = t->plus, .stored = stored,
		.exporter = t->bound ? span_str(exporter) : SPAN(""),
	};
	struct fault	 f;
	struct buf	 out;
	struct sasl	*x = popper_sasl.start(&setup, &f);
	Gsasl		*lib;
	Gsasl_session	*s;
	enum sasl_step	 step = SASL_CHALLENGE;
	char		*said = NULL;
	size_t		 n = 0;
	int		 rc;

	known.hash = t->hash;
	known.asked = 0;
	assert_non_null(x);
	assert_int_equal(gsasl_init(&lib), GSASL_OK);
	gsasl_callback_set(lib, on_client);
	assert_int_equal(gsasl_client_start(lib, t->hash == SASL_SHA_1 ?
	    t->plus ? "SCRAM-SHA-1-PLUS" : "SCRAM-SHA-1" :
	    t->plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256", &s), GSASL_OK);
	gsasl_session_hook_set(s, (void *)(uintptr_t)t);
	buf_init(&out, 1024);
	rc = gsasl_step(s, NULL, 0, &said, &n);
	while ((step == SASL_CHALLENGE || step == SASL_PROVEN) && (rc == GSASL_OK ||
	    rc == GSASL_NEEDS_MORE)) {
		buf_clear(&out);
		step = popper_sasl.step(x, span_of(said, n), &out);
		gsasl_free(said);
		said = NULL;
		n = 0;
		if (step == SASL_CHALLENGE || step == SASL_PROVEN)
			rc = gsasl_step(s, (const char *)buf_span(&out).p,
			    buf_len(&out), &said, &n);
	}
	gsasl_free(said);
	gsasl_finish(s);
	gsasl_done(lib);
	popper_sasl.end(x);
	buf_fini(&out);
	return step;
}

static void
test_talks(void **state UNUSED)
{
	static const struct talk talks[] = {
		{ SASL_SHA_1, false, false, "ann", NULL, "wonderland", NULL,
		  SASL_DONE },
		{ SASL_SHA_256, false, false, "ann", NULL, "wonderland", NULL,
		  SASL_DONE },
		{ SASL_SHA_256, false, false, "ann", NULL, "wrong", NULL,
		  SASL_WRONG },
		{ SASL_SHA_256, false, false, "ann", "ann", "wonderland", NULL,
		  SASL_DONE },
		{ SASL_SHA_256, false, false, "ann", "bob", "wonderland", NULL,
		  SASL_WRONG },
		/* SASLprep: a soft hyphen is nothing, a ligature two letters. */
		{ SASL_SHA_256, false, false, "a\xc2\xadnn", NULL,
		  "wonder\xc2\xadland", NULL, SASL_DONE },
		{ SASL_SHA_256, true, true, "ann", NULL, "wonderland", exporter,
		  SASL_DONE },
		{ SASL_SHA_1, true, true, "ann", NULL, "wonderland", exporter,
		  SASL_DONE },
		{ SASL_SHA_256, true, true, "ann", NULL, "wonderland",
		  "of another connection", SASL_WRONG },
		{ SASL_SHA_256, true, false, "ann", NULL, "wonderland", exporter,
		  SASL_MALFORMED },
		{ SASL_SHA_256, false, true, "ann", NULL, "wonderland", NULL,
		  SASL_DONE },
	};

	known.password = "wonderland";
	for (size_t i = 0; i < ARRAY_LEN(talks); i++) {
		enum sasl_step end = talk(&talks[i]);

		if (end != talks[i].end)
			fail_msg("talk %zu ends with %d", i, end);
		if (end == SASL_DONE) {
			assert_string_equal(known.user, "ann");
			assert_int_equal(known.asked, 2);
		}
	}
}

/* Who could have had -PLUS does not say that the server had none, unless somebody in
 * between has taken it off the list. */
static void
test_downgrade(void **state UNUSED)
{
	for (int bound = 0; bound < 2; bound++) {
		const struct sasl_setup	 setup = {
			.hash = SASL_SHA_256, .stored = stored,
			.exporter = bound ? span_str(exporter) : SPAN(""),
		};
		struct fault		 f;
		struct buf		 out;
		struct sasl		*x = popper_sasl.start(&setup, &f);

		known.hash = SASL_SHA_256;
		known.password = "wonderland";
		buf_init(&out, 1024);
		assert_int_equal(popper_sasl.step(x, SPAN("y,,n=ann,r=abc"),
		    &out), bound ? SASL_MALFORMED : SASL_CHALLENGE);
		popper_sasl.end(x);
		buf_fini(&out);
	}
}

/* What is no message at all, at each step. */
static void
test_malformed(void **state UNUSED)
{
	static const struct span firsts[] = {
		SPAN(""), SPAN("n"), SPAN("n,,"), SPAN("n,,n=ann"),
		SPAN("n,,n=,r=abc"), SPAN("n,,n=ann,r="),
		SPAN("n,,n=ann\0,r=abc"), SPAN("n,,m=x,n=ann,r=abc"),
		SPAN("x,,n=ann,r=abc"), SPAN("p=tls-exporter,,n=ann,r=abc"),
		SPAN("\xff\xfe"), SPAN("n,,n=ann,r=abc\0"),
	};
	static const char *const finals[] = {
		"", "c=biws", "c=biws,r=%s", "c=biws,r=%s,p=", "c=biws,r=x%s,p=AAAA",
		"c=eSws,r=%s,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"c=biws,r=%s,p=AAAA", "c=biws,r=%s,p=!!!!", "n,,n=ann,r=abc",
	};
	const struct sasl_setup	setup = { .hash = SASL_SHA_256,
				    .stored = stored };
	struct fault		f;
	struct buf		out;

	known.hash = SASL_SHA_256;
	known.password = "wonderland";
	buf_init(&out, 1024);
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		struct sasl	*x = popper_sasl.start(&setup, &f);
		enum sasl_step	 step = popper_sasl.step(x, firsts[i], &out);

		if (step != SASL_MALFORMED && step != SASL_WRONG)
			fail_msg("first %zu: %d", i, step);
		popper_sasl.end(x);
	}
	for (size_t i = 0; i < ARRAY_LEN(finals); i++) {
		struct sasl	*x = popper_sasl.start(&setup, &f);
		char		 nonce[100] = "";
		char		 text[300];
		enum sasl_step	 step;

		buf_clear(&out);
		assert_int_equal(popper_sasl.step(x, SPAN("n,,n=ann,r=abc"),
		    &out), SASL_CHALLENGE);
		(void)span_cstr(span_first(span_skip(buf_span(&out), 2),
		    span_find(span_skip(buf_span(&out), 2), ',')), nonce,
		    sizeof(nonce));
		assert_true(strncmp(nonce, "abc", 3) == 0 && strlen(nonce) > 20);
		(void)snprintf(text, sizeof(text), "%.*s%s%s",
		    (int)span_find(span_str(finals[i]), '%'), finals[i],
		    strchr(finals[i], '%') == NULL ? "" : nonce,
		    strchr(finals[i], '%') == NULL ? "" :
		    strchr(finals[i], '%') + 2);
		buf_clear(&out);
		step = popper_sasl.step(x, span_str(text), &out);
		if (step != SASL_MALFORMED && step != SASL_WRONG)
			fail_msg("final %zu: %d", i, step);
		popper_sasl.end(x);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc),
		cmocka_unit_test(test_talks),
		cmocka_unit_test(test_downgrade),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * CRAM-MD5 and APOP: the RFCs' own numbers, libgsasl's client, and what is no message.
 */
#include "sasl/digest.h"
#include "sasl/md5.h"

#include <gsasl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_rfc(void **state UNUSED)
{
	char out[SASL_MD5_TEXT + 1] = "";

	assert_true(popper_md5.prepare());
	/* RFC 1939 s.7 */
	assert_true(popper_md5.apop(
	    SPAN("<1896.697170952@dbc.mtview.ca.us>"), SPAN("tanstaaf"), out));
	assert_string_equal(out, "c4c9334bac560ecc979e58001b3e22fb");
	/* RFC 2195 s.2 */
	assert_true(popper_md5.cram(
	    SPAN("<1896.697170952@postoffice.reston.mci.net>"),
	    SPAN("tanstaaftanstaaf"), out));
	assert_string_equal(out, "b913a602c7eda7a495b4e6e7334d3890");
}

static int
on_client(Gsasl *lib UNUSED, Gsasl_session *s, Gsasl_property p)
{
	return gsasl_property_set(s, p, p == GSASL_AUTHID ? "ann" :
	    gsasl_session_hook_get(s));
}

/* A key of more than a block is hashed first. */
static void
test_client(void **state UNUSED)
{
	char			long_one[200];
	const char *const	passwords[] = { "x", "wonderland", long_one };
	uint8_t			seed[SASL_STAMP_SEED] = { 1, 2, 3, 4, 5 };

	memset(long_one, 'p', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		char		 stamp[SASL_STAMP_MAX];
		char		 want[SASL_MD5_TEXT];
		struct span	 user;
		struct span	 digest;
		Gsasl		*lib;
		Gsasl_session	*s;
		char		*said = NULL;
		size_t		 n = 0;

		seed[8] = (uint8_t)i;
		sasl_stamp(seed, "pop.example.org", stamp);
		assert_int_equal(gsasl_init(&lib), GSASL_OK);
		gsasl_callback_set(lib, on_client);
		assert_int_equal(gsasl_client_start(lib, "CRAM-MD5", &s),
		    GSASL_OK);
		gsasl_session_hook_set(s, (void *)(uintptr_t)passwords[i]);
		assert_int_equal(gsasl_step(s, stamp, strlen(stamp), &said, &n),
		    GSASL_OK);
		assert_true(sasl_cram_md5(span_of(said, n), &user, &digest));
		assert_true(span_eq(user, SPAN("ann")));
		assert_true(popper_md5.cram(span_str(stamp),
		    span_str(passwords[i]), want));
		assert_memory_equal(digest.p, want, sizeof(want));
		gsasl_free(said);
		gsasl_finish(s);
		gsasl_done(lib);
	}
}

/* RFC 1939 s.7 with RFC 5322 s.3.6.4; nothing that a host's name could add. */
static void
test_stamp(void **state UNUSED)
{
	static const struct {
		const char	*host;
		const char	*want;
	} hosts[] = {
		{ "pop.example.org", "pop.example.org" },
		{ "mail-1.example.org.", "mail1.example.org" },
		{ "..a..b..", "a.b" },
		{ "", "localhost" },
		{ "---", "localhost" },
		{ "a@b>c<d e\r\nf\\\"", "abcdef" },
		{ "0123456789.0123456789.0123456789.0123456789.0123456789."
		  "0123456789", "0123456789.0123456789.0123456789.0123456789."
		  "0123456789.012345678" },
		{ "0123456789.0123456789.0123456789.0123456789.0123456789."
		  "01234567..", "0123456789.0123456789.0123456789.0123456789."
		  "0123456789.01234567" },
	};
	static const uint8_t	zeros[SASL_STAMP_SEED];
	uint8_t			ones[SASL_STAMP_SEED];
	char			want[200];
	char			out[SASL_STAMP_MAX];

	memset(ones, 0xff, sizeof(ones));
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		(void)snprintf(want, sizeof(want),
		    "<0.0.000000000000000000000000@%s>", hosts[i].want);
		sasl_stamp(zeros, hosts[i].host, out);
		assert_string_equal(out, want);
		(void)snprintf(want, sizeof(want), "<4294967295.4294967295."
		    "ffffffffffffffffffffffff@%s>", hosts[i].want);
		sasl_stamp(ones, hosts[i].host, out);
		assert_string_equal(out, want);
	}
}

/* Each octet of the seed counts. */
static void
test_unlike(void **state UNUSED)
{
	uint8_t	seed[SASL_STAMP_SEED] = { 0 };
	char	first[SASL_STAMP_MAX];
	char	other[SASL_STAMP_MAX];

	sasl_stamp(seed, "h", first);
	for (size_t i = 0; i < sizeof(seed); i++) {
		seed[i] = 1;
		sasl_stamp(seed, "h", other);
		assert_string_not_equal(first, other);
		seed[i] = 0;
	}
}

#define DIGEST	"b913a602c7eda7a495b4e6e7334d3890"

static void
test_messages(void **state UNUSED)
{
	static const struct span bad[] = {
		SPAN(""), SPAN(" "), SPAN("tim"), SPAN("tim "), SPAN(DIGEST),
		SPAN(" " DIGEST), SPAN("tim" DIGEST), SPAN("tim\t" DIGEST),
		SPAN("tim " DIGEST " "), SPAN("tim " DIGEST "0"),
		SPAN("tim b913a602c7eda7a495b4e6e7334d389"),
		SPAN("tim b913a602c7eda7a495b4e6e7334d389g"),
		SPAN("tim B913A602C7EDA7A495B4E6E7334D3890"),
		SPAN("ti\0m " DIGEST), SPAN("tim " DIGEST "\0"),
	};
	struct span	user;
	struct span	digest;

	assert_true(sasl_cram_md5(SPAN("tim " DIGEST), &user, &digest));
	assert_true(span_eq(user, SPAN("tim")));
	assert_true(span_eq(digest, SPAN(DIGEST)));
	/* The last blank; whether there is such a name is judged elsewhere. */
	assert_true(sasl_cram_md5(SPAN("t i m " DIGEST), &user, &digest));
	assert_true(span_eq(user, SPAN("t i m")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (sasl_cram_md5(bad[i], &user, &digest))
			fail_msg("message %zu", i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_stamp),
		cmocka_unit_test(test_unlike),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

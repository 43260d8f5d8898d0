/* SPDX-License-Identifier: ISC */
#include "base/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* RFC 4648 s.10, and RFC 4616 s.4. */
static const struct {
	const char	*text;
	struct span	 octets;
} known[] = {
	{ "",			SPAN("") },
	{ "Zg==",		SPAN("f") },
	{ "Zm8=",		SPAN("fo") },
	{ "Zm9v",		SPAN("foo") },
	{ "Zm9vYg==",		SPAN("foob") },
	{ "Zm9vYmE=",		SPAN("fooba") },
	{ "Zm9vYmFy",		SPAN("foobar") },
	{ "AHRpbQB0YW5zdGFhZnRhbnN0YWFm", SPAN("\0tim\0tanstaaftanstaaf") },
	{ "+/+/",		SPAN("\xfb\xff\xbf") },
};

static const char *const wrong[] = {
	"Z", "Zg", "Zg=", "Zg===", "Zg==Zg==", "Zh==", "Zm9=", "=Zg=", "Z===",
	"====", "Zm9v\r", "Zm 9", "Zm9v\n", " Zm9", "Zm-_", "Zm\xff" "v", "*",
	"Zm9vZg=a", "=",
};

static void
test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct span	s = known[i].octets;
		char		text[64];
		uint8_t		out[32];
		size_t		n = base64_encode(s, text);

		assert_int_equal(n, BASE64_SIZE(s.n));
		assert_int_equal(n, strlen(known[i].text));
		assert_memory_equal(text, known[i].text, n);
		assert_true(base64_decode(span_of(text, n), out, s.n, &n));
		assert_int_equal(n, s.n);
		assert_memory_equal(out, s.p, n);
		if (s.n > 0)	/* no octet more than there is room for */
			assert_false(base64_decode(span_str(known[i].text), out,
			    s.n - 1, &n));
	}
}

static void
test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		uint8_t	out[32];
		size_t	n = 7;

		if (base64_decode(span_str(wrong[i]), out, sizeof(out), &n))
			fail_msg("%s", wrong[i]);
		assert_int_equal(n, 0);
	}
}

/* All octets, at all lengths. */
static void
test_there_and_back(void **state)
{
	uint8_t	octets[300];
	uint8_t	out[300];
	char	text[BASE64_SIZE(300)];

	(void)state;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= sizeof(octets); n++) {
		size_t got = base64_encode(span_of(octets, n), text);

		assert_true(base64_decode(span_of(text, got), out, n, &got));
		assert_int_equal(got, n);
		assert_memory_equal(out, octets, n);
	}
}

static void
test_hex(void **state)
{
	static const uint8_t	octets[] = { 0x00, 0x0f, 0x9a, 0xff };
	char			text[] = "........|";

	(void)state;
	hex_encode(span_of(octets, sizeof(octets)), text);
	assert_string_equal(text, "000f9aff|");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

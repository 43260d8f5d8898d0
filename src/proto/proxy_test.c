/* SPDX-License-Identifier: ISC */
#include "proto/proxy.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIG	"\r\n\r\n\0\r\nQUIT\n"
#define HEAD	16u
#define V4	"\xc0\x00\x02\x01\xc0\x00\x02\x02\x30\x39\x00\x6e"
#define V6	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
		"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x30\x39\x00\x6e"

static const uint8_t	v4[16] = { 192, 0, 2, 1 };
static const uint8_t	v6[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 1 };

struct header_case {
	struct span		in;
	enum proxy_result	want;
	size_t			taken;	/* DONE: 0 is all of it */
	uint8_t			family;
};

#define CASE(in, ...)	{ SPAN(in), __VA_ARGS__ }

static const struct header_case cases[] = {
	/* Version 1. */
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 12345 110\r\n", PROXY_DONE, 0, 4),
	CASE("PROXY TCP6 2001:db8::1 2001:db8::2 12345 110\r\n", PROXY_DONE, 0,
	    6),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 12345 110\r\nCAPA\r\n",
	    PROXY_DONE, 42, 4),
	CASE("PROXY UNKNOWN\r\n", PROXY_DONE, 0, 0),
	CASE("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\nQ", PROXY_DONE, 43,
	    0),
	CASE("", PROXY_MORE),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 12345 110\r", PROXY_MORE),
	CASE("CAPA\r\n", PROXY_BAD),
	CASE("PROXX", PROXY_BAD),
	CASE("proxy UNKNOWN\r\n", PROXY_BAD),
	CASE("PROXY  TCP4 192.0.2.1 192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP5 192.0.2.1 192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4  192.0.2.1 192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 12345 110 \r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 12345 110 1\r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 12345\r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 65536 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 012345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 +12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.01 192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2 192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4 2001:db8::1 192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP6 192.0.2.1 192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 12345 110\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.1\0 192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.1\t192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4 192.0.2.1 \r 192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY TCP4 example.org 192.0.2.2 12345 110\r\n", PROXY_BAD),
	CASE("PROXY\r\n", PROXY_BAD),

	/* Version 2. */
	CASE(SIG "\x21\x11\x00\x0c" V4, PROXY_DONE, 0, 4),
	CASE(SIG "\x21\x21\x00\x24" V6, PROXY_DONE, 0, 6),
	CASE(SIG "\x21\x11\x00\x0c" V4 "CAPA\r\n", PROXY_DONE, 28, 4),
	CASE(SIG "\x20\x00\x00\x00" "CAPA", PROXY_DONE, 16, 0),
	CASE(SIG "\x20\xff\x00\x03" "xyzCAPA", PROXY_DONE, 19, 0),
	CASE(SIG "\x20\x11\x00\x0c" V4, PROXY_DONE, 0, 0),
	CASE(SIG "\x21\x00\x00\x05" "hello", PROXY_DONE, 0, 0),
	CASE(SIG "\x21\x11\x00\x13" V4 "\x04\x00\x04" "pad!", PROXY_DONE, 0, 4),
	CASE(SIG "\x21\x11\x00\x0f" V4 "\xe0\x00\x00", PROXY_DONE, 0, 4),
	CASE(SIG "\x21\x11\x00\x12" V4 "\x01\x00\x00\x02\x00\x00", PROXY_DONE,
	    0, 4),
	CASE(SIG "\x21\x11\x00\x0c", PROXY_MORE),
	CASE("\r\n\r\nQ", PROXY_BAD),
	CASE(SIG "\x11\x11\x00\x0c" V4, PROXY_BAD),
	CASE(SIG "\x31\x11\x00\x0c" V4, PROXY_BAD),
	CASE(SIG "\x22\x11\x00\x0c" V4, PROXY_BAD),
	CASE(SIG "\x21\x12\x00\x0c" V4, PROXY_BAD),	/* UDP */
	CASE(SIG "\x21\x10\x00\x0c" V4, PROXY_BAD),
	CASE(SIG "\x21\x01\x00\x0c" V4, PROXY_BAD),
	CASE(SIG "\x21\x41\x00\x0c" V4, PROXY_BAD),
	CASE(SIG "\x21\x11\x00\x0b" V4, PROXY_BAD),
	CASE(SIG "\x21\x21\x00\x0c" V4, PROXY_BAD),
	CASE(SIG "\x21\x31\x00\x0c" V4, PROXY_BAD),
	CASE(SIG "\x21\x11\xff\xff", PROXY_BAD),	/* too long */
	CASE(SIG "\x21\x11\x00\x12" V4 "\x04\x00\x04" "pad", PROXY_BAD),
	CASE(SIG "\x21\x11\x00\x0e" V4 "\x04\x00", PROXY_BAD),
	CASE(SIG "\x21\x11\x00\x0d" V4 "\x04", PROXY_BAD),
	CASE(SIG "\x21\x11\x00\x12" V4 "\x03\x00\x03" "abc", PROXY_BAD),
	CASE(SIG "\x21\x11\x00\x13" V4 "\x03\x00\x04" "abcd", PROXY_BAD),
};

/* As much at a time as `step`; how much was taken. */
static enum proxy_result
feed(struct span in, size_t step, struct proxy_client *out, size_t *taken_r,
    const char **why_r)
{
	struct proxy_reader	r;
	enum proxy_result	result = PROXY_MORE;

	proxy_init(&r);
	*taken_r = 0;
	*out = (struct proxy_client){ 0 };
	while (result == PROXY_MORE && *taken_r < in.n) {
		struct span piece = span_first(span_skip(in, *taken_r), step);
		struct span rest = piece;

		result = proxy_feed(&r, &rest, out);
		*taken_r += piece.n - rest.n;
	}
	*why_r = r.why;
	return result;
}

static void
expect(const struct header_case *c)
{
	for (size_t step = 1; step <= c->in.n + 1; step++) {
		struct proxy_client	out;
		const char		*why;
		size_t			taken;

		assert_int_equal(feed(c->in, step, &out, &taken, &why), c->want);
		assert_int_equal(why != NULL, c->want == PROXY_BAD);
		assert_int_equal(out.family, c->family);
		if (c->want == PROXY_DONE)
			assert_int_equal(taken, c->taken > 0 ? c->taken :
			    c->in.n);
		if (c->family == 0)
			continue;
		assert_memory_equal(out.raw, c->family == 4 ? v4 : v6, 16);
		assert_int_equal(out.port, 12345);
	}
}

static void
test_headers(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(&cases[i]);
}

/* 107 octets are a header, 108 are none, whatever they are. */
static void
test_v1_length(void **state UNUSED)
{
	uint8_t			b[120];
	struct proxy_client	out;
	const char		*why;
	size_t			taken;

	memset(b, 'x', sizeof(b));
	memcpy(b, "PROXY UNKNOWN ", 14);
	memcpy(b + 105, "\r\n", 2);
	assert_int_equal(feed(span_of(b, 107), 1, &out, &taken, &why),
	    PROXY_DONE);
	memcpy(b + 105, "x\r\n", 3);
	assert_int_equal(feed(span_of(b, 108), 108, &out, &taken, &why),
	    PROXY_BAD);
	assert_int_equal(taken, 107);
}

static size_t
v2_long(uint8_t *b, size_t value)
{
	memcpy(b, SIG "\x21\x11", 14);
	b[14] = (uint8_t)((value + 15) >> 8);
	b[15] = (uint8_t)(value + 15);
	memcpy(b + 16, V4, 12);
	b[28] = 0xe0;
	b[29] = (uint8_t)(value >> 8);
	b[30] = (uint8_t)value;
	memset(b + 31, 'v', value);
	return value + 31;
}

static void
test_v2_length(void **state UNUSED)
{
	static uint8_t		b[8192];
	struct proxy_client	out;
	const char		*why;
	size_t			taken;

	assert_int_equal(feed(span_of(b, v2_long(b, LIMIT_PROXY_V2 - 31)), 7,
	    &out, &taken, &why), PROXY_DONE);
	assert_int_equal(taken, LIMIT_PROXY_V2);
	assert_int_equal(feed(span_of(b, v2_long(b, LIMIT_PROXY_V2 - 30)), 7,
	    &out, &taken, &why), PROXY_BAD);
	assert_true(taken <= HEAD);
}

/* A local socket's: 216 octets of names, and TLVs behind. */
static void
test_v2_local_socket(void **state UNUSED)
{
	uint8_t			b[16 + 216 + 3] = { 0 };
	struct proxy_client	out;
	const char		*why;
	size_t			taken;

	memcpy(b, SIG "\x21\x31\x00\xdb", 16);
	b[232] = 4;
	assert_int_equal(feed(span_of(b, sizeof(b)), 3, &out, &taken, &why),
	    PROXY_DONE);
	assert_int_equal(out.family, 0);
	b[234] = 1;
	assert_int_equal(feed(span_of(b, sizeof(b)), 3, &out, &taken, &why),
	    PROXY_BAD);
}

/* The sum was made by another formulation of CRC32C (from the left, polynomial
 * 0x1edc6f41; "123456789" gives 0xe3069283). */
#define SUMMED(sum)	SIG "\x21\x11\x00\x16" V4 "\x03\x00\x04" sum "\x04\x00\x00"

static void
test_checksum(void **state UNUSED)
{
	static const struct header_case	good = CASE(SUMMED("\x54\x71\x2d\xc1"),
	    PROXY_DONE, 0, 4);
	static const struct header_case	wrong = CASE(SUMMED("\x00\x00\x00\x00"),
	    PROXY_BAD);
	static const struct header_case	twice = CASE(SIG "\x21\x11\x00\x1a" V4
	    "\x03\x00\x04" "abcd" "\x03\x00\x04" "abcd", PROXY_BAD);
	uint8_t				b[64];

	expect(&good);
	expect(&wrong);
	expect(&twice);
	for (size_t i = HEAD; i < HEAD + 12; i++) {
		struct header_case changed = wrong;

		memcpy(b, good.in.p, good.in.n);
		b[i] ^= 1;
		changed.in = span_of(b, good.in.n);
		expect(&changed);
	}
}

/* What SSL says of the client, among other TLVs; its own have no say. */
static void
test_tls(void **state UNUSED)
{
#define SAYS(length, tlvs)	SPAN(SIG "\x21\x11\x00" length V4 tlvs)
	static const struct {
		struct span	in;
		bool		tls;
	} said[] = {
		{ SAYS("\x14", "\x20\x00\x05" "\1\0\0\0\0"), true },
		{ SAYS("\x14", "\x20\x00\x05" "\7\0\0\0\1"), true },
		{ SAYS("\x14", "\x20\x00\x05" "\6\1\1\1\1"), false },
		{ SAYS("\x14", "\x04\x00\x05" "\1\1\1\1\1"), false },
		{ SAYS("\x1a", "\x20\x00\x0b" "\1\0\0\0\0"
		    "\x20\x00\x03" "\0\0\0"), true },
		{ SAYS("\x1a", "\x20\x00\x05" "\1\0\0\0\0"
		    "\x04\x00\x03" "\0\0\0"), true },
		{ SPAN(SIG "\x20\x11\x00\x14" V4
		    "\x20\x00\x05" "\1\0\0\0\0"), false },	/* LOCAL */
		{ SPAN("PROXY UNKNOWN\r\n"), false },
	};
	static const struct header_case	cut = CASE(SIG "\x21\x11\x00\x13" V4
	    "\x20\x00\x04" "\1\0\0\0", PROXY_BAD);

	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		for (size_t step = 1; step <= said[i].in.n; step++) {
			struct proxy_client	out;
			const char		*why;
			size_t			taken;

			assert_int_equal(feed(said[i].in, step, &out, &taken,
			    &why), PROXY_DONE);
			assert_int_equal(out.tls, said[i].tls);
		}
	expect(&cut);
#undef SAYS
}

/* After a mistake nothing helps. */
static void
test_bad_stays_bad(void **state UNUSED)
{
	struct proxy_reader	r;
	struct proxy_client	out;
	struct span		in = SPAN("X");

	proxy_init(&r);
	assert_int_equal(proxy_feed(&r, &in, &out), PROXY_BAD);
	in = SPAN("PROXY UNKNOWN\r\n");
	assert_int_equal(proxy_feed(&r, &in, &out), PROXY_BAD);
	assert_int_equal(in.n, 15);
}

struct xclient_case {
	const char	*args;
	bool		 good;
	uint8_t		 family;
	uint16_t	 port;
};

static const struct xclient_case xclients[] = {
	{ "ADDR=192.0.2.1 PORT=12345", true, 4, 12345 },
	{ "addr=192.0.2.1", true, 4, 0 },
	{ "PORT=12345  ADDR=2001:db8::1", true, 6, 12345 },
	{ "ADDR=IPV6:2001:db8::1", true, 6, 0 },
	{ "ADDR=ipv6:2001:DB8::1 PORT=0", true, 6, 0 },
	{ "ADDR=192+2E0.2.+31", true, 4, 0 },
	{ "ADDR=192.0.2.1 PORT=[UNAVAILABLE]", true, 4, 0 },
	{ "ADDR=[UNAVAILABLE] PORT=99", true, 0, 0 },
	{ "ADDR=[TEMPUNAVAIL]", true, 0, 0 },
	/* As Dovecot 2.3 and 2.4 say it. */
	{ "ADDR=192.0.2.1 PORT=12345 SESSION=a+b/c== TTL=4 FORWARD=Zm9vPWJhcg==",
	    true, 4, 12345 },
	{ "ADDR=2001:db8::1 PORT=1 DESTADDR=::1 DESTPORT=110 SESSION=x TTL=4 "
	    "CLIENT-TRANSPORT=TLS DESTNAME=pop.example.org", true, 6, 1 },
	{ "NAME=x HELO=y PROTO=ESMTP LOGIN=ann ADDR=192.0.2.1", true, 4, 0 },
	{ "", false },
	{ "PORT=1", false },
	{ "ADDR", false },
	{ "ADDR=", false },
	{ "ADDR=192.0.2.1 ADDR=192.0.2.1", false },
	{ "ADDR=192.0.2.1 PORT=1 PORT=1", false },
	{ "ADDR=192.0.2.1 PORT=65536", false },
	{ "ADDR=192.0.2.1 PORT=-1", false },
	{ "ADDR=192.0.2.1 PORT=", false },
	{ "ADDR=192.0.2.1:110", false },
	{ "ADDR=192.0.2.1/32", false },
	{ "ADDR=IPV6:192.0.2.1", false },
	{ "ADDR=IPV6:", false },
	{ "ADDR=localhost", false },
	{ "ADDR=192+2e0.2.1", false },
	{ "ADDR=192.0.2.+3", false },
	{ "ADDR=192.0.2.1+", false },
	{ "ADDR=192.0.2.1+00", false },
	{ "ADDR=192.0.2.1=", false },
	{ "ADDR=192.0.2.1 WHO=ann", false },
	{ "=192.0.2.1", false },
	{ "ADDR=0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:000",
	    false },
};

static void
test_xclient(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(xclients); i++) {
		const struct xclient_case	*c = &xclients[i];
		struct proxy_client		 out;
		const char			*wrong;

		wrong = xclient_parse(span_str(c->args), &out);
		if ((wrong == NULL) != c->good)
			fail_msg("%s: %s", c->args, wrong);
		if (!c->good)
			continue;
		assert_int_equal(out.family, c->family);
		assert_int_equal(out.port, c->port);
		if (c->family != 0)
			assert_memory_equal(out.raw, c->family == 4 ? v4 : v6,
			    16);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_v1_length),
		cmocka_unit_test(test_v2_length),
		cmocka_unit_test(test_v2_local_socket),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_bad_stays_bad),
		cmocka_unit_test(test_xclient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * The AUTHORIZATION state: lines and replies, and what is asked.
 */
#include "pop/authorize.h"
#include "base/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the three above first */
#include <cmocka.h>

static struct buf out;

static int
setup(void **state UNUSED)
{
	buf_init(&out, LIMIT_OUTPUT);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	buf_fini(&out);
	return 0;
}

struct walk {
	const char		*line;
	enum authorize_next	 next;
	const char		*reply;		/* its beginning */
};

static void
walk(struct authorize *a, const struct walk *w, size_t n)
{
	char text[1024];

	for (size_t i = 0; i < n; i++) {
		buf_clear(&out);
		assert_int_equal(authorize_line(a, span_str(w[i].line), &out),
		    w[i].next);
		assert_true(span_cstr(buf_span(&out), text, sizeof(text)));
		assert_true(strncmp(text, w[i].reply,
		    strlen(w[i].reply)) == 0);
	}
}

static void
test_authorize(void **state UNUSED)
{
	static const struct walk w[] = {
		{ "PASS x", AUTHORIZE_MORE, "-ERR Say USER" },
		{ "USER a", AUTHORIZE_MORE, "+OK" },
		{ "CAPA", AUTHORIZE_MORE, "+OK" },
		{ "PASS x", AUTHORIZE_MORE, "-ERR Say USER" },
		{ "STAT", AUTHORIZE_MORE, "-ERR Unknown" },
		{ "AUTH FOO", AUTHORIZE_MORE, "-ERR Unknown mech" },
		{ "USER a", AUTHORIZE_MORE, "+OK" },
		{ "USER b", AUTHORIZE_MORE, "+OK" },
		{ "PASS  two  blanks ", AUTHORIZE_ASK, "" },
	};
	struct authorize a;

	authorize_init(&a, "h", "1", 2, 9, 20, true);
	walk(&a, w, ARRAY_LEN(w));
	assert_true(span_eq(span_of(a.name, a.name_n), SPAN("b")));
	assert_true(span_eq(secret_span(&a.ask.secret),
	    SPAN(" two  blanks ")));
	buf_clear(&out);
	assert_int_equal(authorize_answer(&a, ANSWER_NO, &out),
	    AUTHORIZE_MORE);
	assert_int_equal(a.ask.secret.n, 0);
	walk(&a, w, ARRAY_LEN(w));
	assert_int_equal(authorize_answer(&a, ANSWER_NO, &out),
	    AUTHORIZE_CLOSE);
}

static void
test_authorize_counts_lines(void **state UNUSED)
{
	static const struct walk w[] = {
		{ "CAPA", AUTHORIZE_MORE, "+OK" },
		{ "USER a", AUTHORIZE_MORE, "+OK" },
		{ "x", AUTHORIZE_MORE, "-ERR Unknown" },
		{ "QUIT", AUTHORIZE_CLOSE, "-ERR [SYS/TEMP] Too many commands" },
	};
	struct authorize a;

	authorize_init(&a, "h", NULL, 1, 3, 3, true);
	walk(&a, w, ARRAY_LEN(w));
	authorize_init(&a, "h", NULL, 1, 3, 1, true);
	walk(&a, w, 1);
	buf_clear(&out);
	assert_int_equal(authorize_too_long(&a, &out), AUTHORIZE_CLOSE);
	assert_true(span_starts(buf_span(&out), SPAN("-ERR [SYS/TEMP] ")));
}

static void
test_authorize_errors_close(void **state UNUSED)
{
	static const struct walk w[] = {
		{ "x", AUTHORIZE_MORE, "-ERR Unknown" },
		{ "x", AUTHORIZE_MORE, "-ERR Unknown" },
		{ "x", AUTHORIZE_CLOSE, "-ERR [SYS/TEMP] Too many bad " },
	};
	struct authorize a;

	authorize_init(&a, "h", NULL, 1, 3, 99, true);
	walk(&a, w, ARRAY_LEN(w));
	buf_clear(&out);
	assert_int_equal(authorize_answer(&a, ANSWER_ERROR, &out),
	    AUTHORIZE_CLOSE);
	assert_true(span_starts(buf_span(&out), SPAN("-ERR [SYS/TEMP] ")));
}

/* What has the form of a command, but does nothing, counts as well. */
static void
test_authorize_counts_what_does_nothing(void **state UNUSED)
{
	static const struct walk w[] = {
		{ "PASS x", AUTHORIZE_MORE, "-ERR Say USER" },
		{ "PASS x", AUTHORIZE_MORE, "-ERR Say USER" },
		{ "CAPA", AUTHORIZE_MORE, "+OK" },
		{ "PASS x", AUTHORIZE_MORE, "-ERR Say USER" },
		{ "RPOP x", AUTHORIZE_MORE, "-ERR Say USER" },
		{ "PASS x", AUTHORIZE_CLOSE, "-ERR [SYS/TEMP] Too many bad " },
	};
	struct authorize a;

	authorize_init(&a, "h", NULL, 1, 3, 99, true);
	walk(&a, w, ARRAY_LEN(w));
}

/* ---- AUTH ---- */

/* RFC 5034 s.6, RFC 4616 s.4; and what Outlook says. */
static const struct exchange {
	struct walk		 w[4];		/* up to the question */
	enum authorize_method	 method;
	struct span		 user;
	struct span		 password;
} exchanges[] = {
	{ { { "AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=", AUTHORIZE_ASK, "" } },
	  BY_PLAIN, SPAN("test"), SPAN("test") },
	{ { { "auth plain", AUTHORIZE_MORE, "+ \r\n" },
	    { "AHRpbQB0YW5zdGFhZnRhbnN0YWFm", AUTHORIZE_ASK, "" } },
	  BY_PLAIN, SPAN("tim"), SPAN("tanstaaftanstaaf") },
	{ { { "AUTH LOGIN", AUTHORIZE_MORE, "+ VXNlcm5hbWU6\r\n" },
	    { "dGlt", AUTHORIZE_MORE, "+ UGFzc3dvcmQ6\r\n" },
	    { "dGFuc3RhYWY=", AUTHORIZE_ASK, "" } },
	  BY_LOGIN, SPAN("tim"), SPAN("tanstaaf") },
	{ { { "AUTH LOGIN dGlt", AUTHORIZE_MORE, "+ UGFzc3dvcmQ6\r\n" },
	    { "dGFuc3RhYWY=", AUTHORIZE_ASK, "" } },
	  BY_LOGIN, SPAN("tim"), SPAN("tanstaaf") },
	/* A response is no command, whatever it looks like. */
	{ { { "AUTH LOGIN", AUTHORIZE_MORE, "+ " },
	    { "STAT", AUTHORIZE_MORE, "+ " },
	    { "QUIT", AUTHORIZE_ASK, "" } },
	  BY_LOGIN, SPAN("\x49\x30\x13"), SPAN("\x41\x42\x13") },
};

static size_t
walk_length(const struct walk *w, size_t most)
{
	size_t n = 0;

	while (n < most && w[n].line != NULL)
		n++;
	return n;
}

static void
test_authorize_exchanges(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(exchanges); i++) {
		const struct exchange	*x = &exchanges[i];
		struct authorize	 a;

		authorize_init(&a, "h", NULL, 2, 9, 20, false);
		assert_int_equal(authorize_width(&a), LINE_AUTH);
		walk(&a, x->w, walk_length(x->w, ARRAY_LEN(x->w)));
		assert_int_equal(a.ask.method, x->method);
		assert_true(span_eq(span_of(a.name, a.name_n), x->user));
		assert_true(span_eq(secret_span(&a.ask.secret), x->password));
		assert_false(authorize_is_secret(&a));
		authorize_fini(&a);
	}
}

/* No response at all: asked about in vain, with the time and text of all refusals. */
static void
test_authorize_bad_exchanges(void **state UNUSED)
{
	static const char *const responses[] = {
		"", "=", "====", "dGVzdA", "dGVzdA==", "AHRpbQ==", "AHRpbQA=",
		"AAB0ZXN0", "AHRpbQB0ZXN0AA==", "VXJzZWwAS3VydAB4aXBqM3BsbXE=",
		"AHRpbQB0YW5zdGFhZnRhbnN0YWFm ", " AHRpbQB0YW5z", "**", "* ",
		"AHRpbQB0YW5zdGFhZnRhbnN0YW Fm", "USER tim",
	};
	struct authorize a;

	for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
		authorize_init(&a, "h", NULL, 1, 9, 20, false);
		buf_clear(&out);
		assert_int_equal(authorize_line(&a, SPAN("AUTH PLAIN"), &out),
		    AUTHORIZE_MORE);
		assert_int_equal(authorize_width(&a), LINE_WIDE);
		assert_true(authorize_is_secret(&a));
		if (authorize_line(&a, span_str(responses[i]), &out) !=
		    AUTHORIZE_ASK)
			fail_msg("%s", responses[i]);
		assert_int_equal(a.name_n, 0);
		assert_int_equal(a.ask.secret.n, SECRET_MAX);
		buf_clear(&out);
		assert_int_equal(authorize_answer(&a, ANSWER_NO, &out),
		    AUTHORIZE_CLOSE);
		assert_true(span_starts(buf_span(&out), SPAN("-ERR [AUTH] ")));
	}
}

/* Whom TLS has found out. */
static void
test_authorize_external(void **state UNUSED)
{
	static const struct {
		const char	*line;
		const char	*user;
		size_t		 secret;
	} said[] = {
		{ "AUTH EXTERNAL =", "ann", 5 },
		{ "auth external YW5u", "ann", 5 },
		{ "AUTH EXTERNAL Ym9i", "bob", 5 },
		{ "AUTH EXTERNAL YgB4", "", SECRET_MAX },
		{ "AUTH EXTERNAL Y", "", SECRET_MAX },
	};
	struct authorize a;

	authorize_init(&a, "h", NULL, 9, 9, 20, false);
	buf_clear(&out);
	(void)authorize_line(&a, SPAN("AUTH EXTERNAL ="), &out);
	assert_true(span_starts(buf_span(&out), SPAN("-ERR Unknown mech")));
	authorize_vouched(&a, SPAN("ann"), SPAN("proof"));
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		assert_int_equal(authorize_line(&a, span_str(said[i].line), &out),
		    AUTHORIZE_ASK);
		assert_int_equal(a.ask.method, BY_EXTERNAL);
		assert_true(span_eq(span_of(a.name, a.name_n),
		    span_str(said[i].user)));
		assert_int_equal(a.ask.secret.n, said[i].secret);
		buf_clear(&out);
		assert_int_equal(authorize_answer(&a, ANSWER_NO, &out),
		    AUTHORIZE_MORE);
	}
	authorize_moved(&a, &out);		/* by XCLIENT */
	buf_clear(&out);
	(void)authorize_line(&a, SPAN("AUTH EXTERNAL ="), &out);
	assert_true(span_starts(buf_span(&out), SPAN("-ERR Unknown mech")));
}

/* ---- digests ---- */

#define DIGEST	"b913a602c7eda7a495b4e6e7334d3890"
#define OFFERS	(1u << BY_APOP | 1u << BY_CRAM_MD5)

static void
greeted(struct authorize *a, char stamp[SASL_STAMP_MAX])
{
	static const char	begins[] = "+OK popper at mail-1.h starting. ";
	struct span		said;

	authorize_init(a, "mail-1.h", NULL, 9, 9, 99, false);
	a->offers |= OFFERS;
	buf_clear(&out);
	authorize_greet(a, &out);
	said = buf_span(&out);
	assert_true(span_starts(said, span_str(begins)));
	said = span_skip(said, sizeof(begins) - 1);
	assert_true(span_cstr(span_first(said, said.n - 2), stamp,
	    SASL_STAMP_MAX));
	assert_true(stamp[0] == '<' && strstr(stamp, "@mail1.h>") != NULL);
}

static void
assert_asked(struct authorize *a, enum authorize_method method,
    const char *user, struct span stamp)
{
	struct span secret = secret_span(&a->ask.secret);

	assert_int_equal(a->ask.method, method);
	assert_true(span_eq(span_of(a->name, a->name_n), span_str(user)));
	assert_true(span_eq(span_first(secret, stamp.n), stamp));
	assert_true(span_eq(span_skip(secret, stamp.n), SPAN(DIGEST)));
	buf_clear(&out);
	assert_int_equal(authorize_answer(a, ANSWER_NO, &out), AUTHORIZE_MORE);
	assert_true(span_eq(buf_span(&out),
	    SPAN("-ERR [AUTH] Authentication failed.\r\n")));
}

static void
asks_in_vain(struct authorize *a, const char *line)
{
	buf_clear(&out);
	if (authorize_line(a, span_str(line), &out) != AUTHORIZE_ASK)
		fail_msg("%s", line);
	assert_int_equal(a->name_n, 0);
	assert_int_equal(a->ask.secret.n, SECRET_MAX);
	assert_int_equal(authorize_answer(a, ANSWER_NO, &out), AUTHORIZE_MORE);
}

/* RFC 1939 s.7 */
static void
test_authorize_apop(void **state UNUSED)
{
	static const struct walk w[] = {
		{ "USER ann", AUTHORIZE_MORE, "+OK" },
		{ "apop", AUTHORIZE_MORE, "-ERR Too few" },
		{ "APOP ann", AUTHORIZE_MORE, "-ERR Too few" },
		{ "APOP \xc3\xa4nn " DIGEST, AUTHORIZE_MORE, "-ERR Malformed" },
		{ "APOP ann " DIGEST " x", AUTHORIZE_MORE, "-ERR Too many" },
		{ "APOP ann " DIGEST, AUTHORIZE_ASK, "" },
	};
	static const struct walk again[] = {
		{ "PASS x", AUTHORIZE_MORE, "-ERR Say USER" },
		{ "APOP bob " DIGEST, AUTHORIZE_ASK, "" },
	};
	static const char *const bad[] = {
		"APOP ann x", "APOP ann " DIGEST "0", "APOP ann " DIGEST DIGEST,
		"APOP ann B913A602C7EDA7A495B4E6E7334D3890",
	};
	char			 stamp[SASL_STAMP_MAX];
	char			 other[SASL_STAMP_MAX];
	struct authorize	 a;

	greeted(&a, other);
	greeted(&a, stamp);
	assert_string_not_equal(stamp, other);
	walk(&a, w, ARRAY_LEN(w));
	assert_asked(&a, BY_APOP, "ann", span_str(stamp));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		asks_in_vain(&a, bad[i]);
	/* A wrong one costs the greeting nothing. */
	walk(&a, again, ARRAY_LEN(again));
	assert_asked(&a, BY_APOP, "bob", span_str(stamp));
	authorize_fini(&a);
}

/* No greeting had a stamp, or it was said in the clear. */
static void
test_authorize_no_apop(void **state UNUSED)
{
	static const struct walk no[] = {
		{ "APOP", AUTHORIZE_MORE, "-ERR Unknown command." },
		{ "APOP ann " DIGEST, AUTHORIZE_MORE, "-ERR Unknown command." },
	};
	static const struct walk tls[] = {
		{ "STLS", AUTHORIZE_TLS, "+OK" },
	};
	char		 stamp[SASL_STAMP_MAX];
	struct authorize a;

	authorize_init(&a, "h", NULL, 9, 9, 99, false);
	buf_clear(&out);
	authorize_greet(&a, &out);
	assert_int_equal(span_find(buf_span(&out), '<'), buf_len(&out));
	walk(&a, no, ARRAY_LEN(no));
	greeted(&a, stamp);
	a.stls = true;
	walk(&a, tls, ARRAY_LEN(tls));
	authorize_secured(&a);
	walk(&a, no, ARRAY_LEN(no));
	/* Under TLS from the first octet it is as good as any. */
	authorize_greet(&a, &out);
	buf_clear(&out);
	assert_int_equal(authorize_line(&a, SPAN("APOP ann " DIGEST), &out),
	    AUTHORIZE_ASK);
	authorize_fini(&a);
}

/* The longest host there is leaves the stamp whole. */
static void
test_authorize_long_host(void **state UNUSED)
{
	char			name[256];
	struct authorize	a;

	memset(name, 'h', 255);
	name[255] = '\0';
	authorize_init(&a, name, "1.2.3", 9, 9, 99, false);
	a.offers |= OFFERS;
	a.xclient = true;
	buf_clear(&out);
	authorize_greet(&a, &out);
	assert_true(buf_len(&out) <= 512);
	assert_true(span_eq(span_skip(buf_span(&out), buf_len(&out) - 4),
	    SPAN("h>\r\n")));
	authorize_fini(&a);
}

/* What the server says first. */
static void
challenged(struct authorize *a, char stamp[SASL_STAMP_MAX])
{
	uint8_t		octets[SASL_STAMP_MAX];
	struct span	said;
	size_t		n = 0;

	buf_clear(&out);
	assert_int_equal(authorize_line(a, SPAN("AUTH CRAM-MD5"), &out),
	    AUTHORIZE_MORE);
	said = buf_span(&out);
	assert_true(span_starts(said, SPAN("+ ")));
	said = span_skip(said, 2);
	assert_true(base64_decode(span_first(said, said.n - 2), octets,
	    sizeof(octets), &n));
	assert_true(span_cstr(span_of(octets, n), stamp, SASL_STAMP_MAX));
	assert_true(stamp[0] == '<' && stamp[n - 1] == '>');
}

/* RFC 2195, RFC 5034 s.4 */
static void
test_authorize_cram(void **state UNUSED)
{
	static const struct walk otherwise[] = {
		{ "*", AUTHORIZE_MORE, "-ERR Authentication cancelled." },
		{ "CAPA", AUTHORIZE_MORE, "+OK" },
	};
	static const char *const bad[] = {
		"", "=", "!", "YW5u", "YW5uIHg=",	/* ann, ann x */
		"QVVUSCBQTEFJTg==",
	};
	char			 first[SASL_STAMP_MAX];
	char			 stamp[SASL_STAMP_MAX];
	char			 text[100];
	struct authorize	 a;

	greeted(&a, first);
	challenged(&a, stamp);
	assert_string_not_equal(first, stamp);
	walk(&a, otherwise, ARRAY_LEN(otherwise));
	assert_int_equal(a.failures, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		challenged(&a, first);
		assert_string_not_equal(first, stamp);
		asks_in_vain(&a, bad[i]);
		assert_int_equal(a.ask.method, BY_CRAM_MD5);
	}
	/* The server is first. */
	asks_in_vain(&a, "AUTH CRAM-MD5 =");
	asks_in_vain(&a, "AUTH CRAM-MD5 YW5u");
	a.failures = 0;
	challenged(&a, stamp);
	text[base64_encode(SPAN("ann " DIGEST), text)] = '\0';
	buf_clear(&out);
	assert_int_equal(authorize_line(&a, span_str(text), &out),
	    AUTHORIZE_ASK);
	assert_asked(&a, BY_CRAM_MD5, "ann", span_str(stamp));
	authorize_fini(&a);
	authorize_init(&a, "h", NULL, 9, 9, 99, false);
	buf_clear(&out);
	(void)authorize_line(&a, SPAN("AUTH CRAM-MD5"), &out);
	assert_true(span_starts(buf_span(&out), SPAN("-ERR Unknown mech")));
}

static void
test_authorize_auth_otherwise(void **state UNUSED)
{
	static const struct walk w[] = {
		{ "AUTH", AUTHORIZE_MORE,
		  "+OK Mechanisms follow.\r\nPLAIN\r\nLOGIN\r\n.\r\n" },
		{ "AUTH PLAIN", AUTHORIZE_MORE, "+ \r\n" },
		{ "*", AUTHORIZE_MORE, "-ERR Authentication cancelled." },
		{ "AUTH LOGIN", AUTHORIZE_MORE, "+ " },
		{ "dGlt", AUTHORIZE_MORE, "+ " },
		{ "*", AUTHORIZE_MORE, "-ERR Authentication cancelled." },
		{ "AUTH SCRAM-SHA-256", AUTHORIZE_MORE, "-ERR Unknown mech" },
		{ "AUTH PLAIN x y", AUTHORIZE_MORE, "-ERR Too many" },
		{ "USER a", AUTHORIZE_MORE, "+OK" },
		{ "AUTH LOGIN", AUTHORIZE_MORE, "+ " },
		{ "*", AUTHORIZE_MORE, "-ERR Authentication cancelled." },
		{ "PASS x", AUTHORIZE_MORE, "-ERR Say USER" },
	};
	struct authorize a;

	authorize_init(&a, "h", NULL, 1, 9, 99, false);
	walk(&a, w, ARRAY_LEN(w));
	assert_int_equal(a.failures, 0);
	/* A line that is too long ends the exchange. */
	(void)authorize_line(&a, SPAN("AUTH PLAIN"), &out);
	assert_int_equal(authorize_too_long(&a, &out), AUTHORIZE_MORE);
	assert_int_equal(authorize_line(&a, SPAN("QUIT"), &out),
	    AUTHORIZE_CLOSE);
	assert_true(a.quit);
}

/* Before TLS nobody is asked for a password, and of a name nothing is kept. */
static void
test_authorize_tls(void **state UNUSED)
{
	static const struct walk before[] = {
		{ "USER a", AUTHORIZE_MORE, "-ERR [SYS/PERM] Passwords are" },
		{ "PASS x", AUTHORIZE_MORE, "-ERR [SYS/PERM] Passwords are" },
		{ "AUTH", AUTHORIZE_MORE, "-ERR [SYS/PERM] Passwords are" },
		{ "AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=", AUTHORIZE_MORE,
		  "-ERR [SYS/PERM] Passwords are" },
		{ "STLS now", AUTHORIZE_MORE, "-ERR Too many" },
		{ "STLS", AUTHORIZE_TLS, "+OK" },
	};
	static const struct walk after[] = {
		{ "STLS", AUTHORIZE_MORE, "-ERR TLS is active." },
		{ "PASS x", AUTHORIZE_MORE, "-ERR Say USER" },
		{ "USER a", AUTHORIZE_MORE, "+OK" },
		{ "PASS x", AUTHORIZE_ASK, "" },
	};
	struct authorize a;

	authorize_init(&a, "h", NULL, 1, 9, 99, false);
	a.needs_tls = a.stls = true;
	walk(&a, before, ARRAY_LEN(before));
	authorize_secured(&a);
	walk(&a, after, ARRAY_LEN(after));
	authorize_fini(&a);
	authorize_init(&a, "h", NULL, 1, 9, 99, false);
	buf_clear(&out);
	(void)authorize_line(&a, SPAN("STLS"), &out);
	assert_true(span_starts(buf_span(&out), SPAN("-ERR Unknown command")));
}

/* Nobody is sent to where there is nothing. */
static void
test_authorize_way_in(void **state UNUSED)
{
	static const struct {
		bool		 stls, proxied, stamped;
		unsigned	 offers;
		const char	*says;
	} rows[] = {
		{ true, true, false, 0, ": set your mail program to use TLS (STLS)." },
		{ false, true, false, 1u << BY_CRAM_MD5,
		  ": set your mail program to use TLS (port 995)." },
		{ false, false, true, 1u << BY_PLAIN | 1u << BY_SCRAM_SHA_1_PLUS |
		  1u << BY_CRAM_MD5 | 1u << BY_SCRAM_SHA_1,
		  ": set your mail program to use SCRAM-SHA-1." },
		{ false, false, true, 1u << BY_PLAIN | 1u << BY_APOP,
		  ": set your mail program to use APOP." },
		{ false, false, false, 1u << BY_PLAIN | 1u << BY_LOGIN,
		  ", and TLS is not offered here." },
	};
	struct authorize a;
	char		 text[512];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		authorize_init(&a, "h", NULL, 1, 9, 99, false);
		a.needs_tls = true;
		a.stls = rows[i].stls;
		a.proxied = rows[i].proxied;
		a.stamped = rows[i].stamped;
		a.offers = rows[i].offers;
		buf_clear(&out);
		assert_int_equal(authorize_line(&a, SPAN("USER a"), &out),
		    AUTHORIZE_MORE);
		assert_true(span_cstr(buf_span(&out), text, sizeof(text)));
		if (strstr(text, rows[i].says) == NULL)
			fail_msg("%zu: %s", i, text);
		authorize_fini(&a);
	}
}

/* Who acts for another one, where master users may. */
static void
test_authorize_for_another(void **state UNUSED)
{
	static const struct {
		const char	*line;
		char		 master;
		const char	*name;
	} says[] = {
		/* ann NUL ops NUL x, ann NUL ann NUL x, NUL ann NUL x,
		 * ann NUL a*b NUL x */
		{ "AUTH PLAIN YW5uAG9wcwB4", '*', "ann*ops" },
		{ "AUTH PLAIN YW5uAG9wcwB4", '%', "ann%ops" },
		{ "AUTH PLAIN YW5uAG9wcwB4", '\0', "" },
		{ "AUTH PLAIN YW5uAGFubgB4", '*', "ann" },
		{ "AUTH PLAIN YW5uAGFubgB4", '\0', "ann" },
		{ "AUTH PLAIN AGFubgB4", '*', "ann" },
		{ "AUTH PLAIN YW5uAGEqYgB4", '*', "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(says); i++) {
		struct authorize a;

		authorize_init(&a, "h", NULL, 1, 3, 99, false);
		a.master = says[i].master;
		buf_clear(&out);
		assert_int_equal(authorize_line(&a, span_str(says[i].line),
		    &out), AUTHORIZE_ASK);
		assert_int_equal(a.name_n, strlen(says[i].name));
		assert_memory_equal(a.name, says[i].name, a.name_n);
		authorize_fini(&a);
	}
}

/* One text and one time for every wrong password: somebody has to be asked. */
static void
test_authorize_long_password(void **state UNUSED)
{
	char		 line[5 + SECRET_MAX + 2] = "PASS ";
	struct authorize a;

	memset(line + 5, 'x', SECRET_MAX + 1);
	authorize_init(&a, "h", NULL, 1, 3, 99, false);
	for (int longer = 0; longer <= 1; longer++) {
		buf_clear(&out);
		assert_int_equal(authorize_line(&a, SPAN("USER ann"), &out),
		    AUTHORIZE_MORE);
		buf_clear(&out);
		assert_int_equal(authorize_line(&a, span_of(line,
		    5 + SECRET_MAX + (size_t)longer), &out), AUTHORIZE_ASK);
		assert_int_equal(buf_len(&out), 0);
		assert_int_equal(a.ask.secret.n, SECRET_MAX);
		for (size_t i = 0; i < SECRET_MAX; i++)
			assert_int_equal(a.ask.secret.b[i], longer ? 0 : 'x');
	}
	authorize_fini(&a);
}

/* An unsupported mechanism is no failure, and no question. */
#define XOAUTH2_ANN	"dXNlcj1hbm4BYXV0aD1CZWFyZXIgYS5iLmMBAQ=="

/* A refusal is told twice, counts once, and takes one line, whatever that is. */
static void
test_authorize_token(void **state UNUSED)
{
	static const struct walk off[] = {
		{ "AUTH XOAUTH2 " XOAUTH2_ANN, AUTHORIZE_MORE, "-ERR Unknown mech" },
		{ "AUTH OAUTHBEARER", AUTHORIZE_MORE, "-ERR Unknown mech" },
	};
	static const struct walk on[] = {
		{ "AUTH XOAUTH2", AUTHORIZE_MORE, "+ \r\n" },
		{ "*", AUTHORIZE_MORE, "-ERR Authentication cancelled." },
		{ "auth xoauth2 " XOAUTH2_ANN, AUTHORIZE_ASK, "" },
	};
	static const struct walk broken[] = {
		{ "AUTH OAUTHBEARER " XOAUTH2_ANN, AUTHORIZE_ASK, "" },
	};
	static const struct walk behind[] = {
		{ "*", AUTHORIZE_MORE, "-ERR [AUTH] Authentication failed." },
	};
	struct authorize a;

	authorize_init(&a, "h", "1", 3, 9, 20, true);
	walk(&a, off, ARRAY_LEN(off));
	a.tokens = true;
	walk(&a, on, ARRAY_LEN(on));
	assert_int_equal(a.ask.method, BY_XOAUTH2);
	assert_true(span_eq(span_of(a.name, a.name_n), SPAN("ann")));
	assert_true(span_eq(authorize_secret(&a), SPAN("a.b.c")));
	authorize_asked(&a);
	assert_int_equal(authorize_secret(&a).n, 0);
	assert_int_equal(authorize_answer(&a, ANSWER_NO, &out), AUTHORIZE_MORE);
	assert_int_equal(authorize_width(&a), LINE_WIDE);
	assert_true(authorize_is_secret(&a));
	walk(&a, behind, ARRAY_LEN(behind));
	assert_int_equal(authorize_width(&a), LINE_AUTH);
	walk(&a, broken, ARRAY_LEN(broken));
	assert_int_equal(a.name_n, 0);
	assert_int_equal(authorize_secret(&a).n, 0);
	assert_int_equal(authorize_answer(&a, ANSWER_NO, &out), AUTHORIZE_MORE);
	assert_int_equal(authorize_too_long(&a, &out), AUTHORIZE_MORE);
	walk(&a, broken, ARRAY_LEN(broken));
	assert_int_equal(authorize_answer(&a, ANSWER_NO, &out), AUTHORIZE_MORE);
	assert_int_equal(authorize_line(&a, SPAN("QUIT"), &out), AUTHORIZE_CLOSE);
	authorize_fini(&a);
}

static void
test_authorize_without_rpop(void **state UNUSED)
{
	static const struct walk w[] = {
		{ "USER ann", AUTHORIZE_MORE, "+OK" },
		{ "RPOP ann", AUTHORIZE_MORE, "-ERR Unknown command." },
		{ "RPOP", AUTHORIZE_MORE, "-ERR Unknown command." },
		{ "USER ann", AUTHORIZE_MORE, "+OK" },
		{ "RPOP a b", AUTHORIZE_MORE, "-ERR Unknown command." },
		{ "USER ann", AUTHORIZE_MORE, "+OK" },
		{ "PASS x", AUTHORIZE_ASK, "" },
	};
	struct authorize a;

	authorize_init(&a, "h", NULL, 1, 3, 99, false);
	walk(&a, w, ARRAY_LEN(w));
	assert_int_equal(a.failures, 0);
	authorize_fini(&a);
}

/* Only for whom it is offered to, and only once: it is not for the client that
 * was announced. */
static void
test_authorize_xclient(void **state UNUSED)
{
	static const struct walk refused[] = {
		{ "XCLIENT ADDR=192.0.2.1", AUTHORIZE_MORE,
		    "-ERR Unknown command." },
		{ "XCLIENT", AUTHORIZE_MORE, "-ERR Unknown command." },
	};
	static const struct walk taken[] = {
		{ "CAPA", AUTHORIZE_MORE, "+OK" },
		{ "XCLIENT", AUTHORIZE_MORE, "-ERR Too few" },
		{ "XCLIENT PORT=1", AUTHORIZE_MORE, "-ERR XCLIENT: ADDR" },
		{ "USER ann", AUTHORIZE_MORE, "+OK" },
		{ "XCLIENT ADDR=192.0.2.1 PORT=7", AUTHORIZE_CLIENT, "" },
	};
	static const struct walk again[] = {
		{ "PASS x", AUTHORIZE_MORE, "-ERR Say USER" },
		{ "XCLIENT ADDR=192.0.2.1", AUTHORIZE_MORE,
		    "-ERR Unknown command." },
	};
	struct authorize a;

	authorize_init(&a, "h", NULL, 1, 20, 100, false);
	buf_clear(&out);
	authorize_greet(&a, &out);
	assert_true(span_eq(buf_span(&out), SPAN("+OK popper at h starting."
	    "\r\n")));
	walk(&a, refused, ARRAY_LEN(refused));
	a.xclient = true;
	buf_clear(&out);
	authorize_greet(&a, &out);
	assert_true(span_eq(buf_span(&out), SPAN("+OK [XCLIENT] popper at h "
	    "starting.\r\n")));
	walk(&a, taken, ARRAY_LEN(taken));
	assert_int_equal(a.announced.family, 4);
	assert_int_equal(a.announced.port, 7);
	buf_clear(&out);
	authorize_moved(&a, &out);
	assert_true(span_eq(buf_span(&out), SPAN("+OK Updated.\r\n")));
	walk(&a, again, ARRAY_LEN(again));
	authorize_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_authorize_apop, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_authorize_no_apop, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_authorize_long_host, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_authorize_cram, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_authorize, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_authorize_errors_close,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_authorize_counts_lines,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_authorize_counts_what_does_nothing,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_authorize_for_another,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_authorize_long_password,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_authorize_exchanges, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_authorize_bad_exchanges,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_authorize_external, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_authorize_auth_otherwise,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_authorize_way_in, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_authorize_tls, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_authorize_token, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_authorize_without_rpop,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_authorize_xclient, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

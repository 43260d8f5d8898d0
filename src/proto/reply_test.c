/* SPDX-License-Identifier: ISC */
#include "proto/reply.h"

#include "proto/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY	4096

static void
expect(struct buf *out, const char *want)
{
	if (!span_eq(buf_span(out), span_str(want)))
		fail_msg("got \"%.*s\", want \"%s\"", (int)buf_len(out),
		    (const char *)buf_span(out).p, want);
	buf_clear(out);
}

static void
test_lines(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, MANY);
	assert_int_equal(reply_ok(&out, "%d %d", 2, 320), 0);
	expect(&out, "+OK 2 320\r\n");
	assert_int_equal(reply_err(&out, CODE_NONE, "No."), 0);
	expect(&out, "-ERR No.\r\n");
	assert_int_equal(reply_err(&out, CODE_IN_USE, "No."), 0);
	expect(&out, "-ERR [IN-USE] No.\r\n");
	assert_int_equal(reply_err(&out, CODE_SYS_TEMP, "No."), 0);
	expect(&out, "-ERR [SYS/TEMP] No.\r\n");
	assert_int_equal(reply_err(&out, CODE_SYS_PERM, "No."), 0);
	expect(&out, "-ERR [SYS/PERM] No.\r\n");
	assert_int_equal(reply_err(&out, CODE_AUTH, "No."), 0);
	expect(&out, "-ERR [AUTH] No.\r\n");
	assert_int_equal(reply_line(&out, "%s", ""), 0);
	assert_int_equal(reply_line(&out, "1 %s", "a"), 0);
	assert_int_equal(reply_end(&out), 0);
	expect(&out, "\r\n1 a\r\n.\r\n");
	buf_fini(&out);
}

/* The usual conversions, and one among them that is the C library's. */
static void
test_conversions(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, MANY);
	assert_int_equal(reply_ok(&out, "%s: %u %zu, %llu.", "a", UINT32_MAX,
	    (size_t)0, (unsigned long long)UINT64_MAX), 0);
	expect(&out, "+OK a: 4294967295 0, 18446744073709551615.\r\n");
	assert_int_equal(reply_ok(&out, "%s%u%%%d%s", "a", 1, -2, ""), 0);
	expect(&out, "+OK a1%-2\r\n");
	assert_int_equal(reply_ok(&out, "%s", ""), 0);
	expect(&out, "+OK \r\n");
	buf_fini(&out);
}

/* What would end a line or a reply too early, or look like a code. */
static void
test_bad_octets(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, MANY);
	assert_int_equal(reply_ok(&out, "a\r\n-ERR b%cc", '\0'), 0);
	expect(&out, "+OK a  -ERR b c\r\n");
	assert_int_equal(reply_ok(&out, "%s", "[AUTH] x"), 0);
	expect(&out, "+OK  AUTH] x\r\n");
	assert_int_equal(reply_err(&out, CODE_NONE, "%s", "[AUTH] x"), 0);
	expect(&out, "-ERR  AUTH] x\r\n");
	assert_int_equal(reply_err(&out, CODE_AUTH, "%s", "[x]"), 0);
	expect(&out, "-ERR [AUTH] [x]\r\n");
	assert_int_equal(reply_line(&out, "%s", "."), 0);
	expect(&out, " \r\n");
	assert_int_equal(reply_line(&out, "%s", "a\n."), 0);
	expect(&out, "a .\r\n");
	buf_fini(&out);
}

static void
test_cut(void **state UNUSED)
{
	char		text[2 * LIMIT_REPLY];
	struct buf	out;
	size_t		len;

	memset(text, 'x', sizeof(text));
	buf_init(&out, MANY);
	for (size_t n = LIMIT_REPLY - 30; n < LIMIT_REPLY + 3; n++) {
		assert_int_equal(reply_err(&out, CODE_SYS_TEMP, "%.*s", (int)n,
		    text), 0);
		len = buf_len(&out);
		assert_int_equal(len, n + 18 < LIMIT_REPLY ? n + 18 :
		    LIMIT_REPLY);
		assert_memory_equal(buf_span(&out).p + len - 2, "\r\n", 2);
		buf_clear(&out);
	}
	buf_fini(&out);
}

/* Room for cap octets: the reply fits whole or nothing is written. */
static void
test_room(void **state UNUSED)
{
	for (size_t cap = 0; cap < 16; cap++) {
		struct buf out;

		buf_init(&out, cap);
		assert_int_equal(reply_ok(&out, "12345"), cap < 11 ? -1 : 0);
		assert_int_equal(buf_len(&out), cap < 11 ? 0 : 11);
		buf_clear(&out);
		assert_int_equal(reply_end(&out), cap < 3 ? -1 : 0);
		buf_fini(&out);
	}
}

static void
test_faults(void **state UNUSED)
{
	static const struct {
		enum fault_class	 class;
		const char		*head;
	} cases[] = {
		{ FAULT_NONE, "-ERR [SYS/TEMP] " },
		{ FAULT_TEMP, "-ERR [SYS/TEMP] " },
		{ FAULT_PERM, "-ERR [SYS/PERM] " },
		{ FAULT_IN_USE, "-ERR [IN-USE] " },
		{ FAULT_DELAY, "-ERR [LOGIN-DELAY] " },
		{ FAULT_AUTH, "-ERR [AUTH] Authentication failed.\r\n" },
		{ FAULT_LIMIT, "-ERR A" },
		{ FAULT_PROTO, "-ERR P" },
		{ FAULT_PEER, "-ERR [SYS/TEMP] " },
	};
	struct buf out;

	buf_init(&out, MANY);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault f = {
			.class = cases[i].class,
			.text = "/secret/path",
		};

		assert_int_equal(reply_fault(&out, &f), 0);
		assert_true(span_starts(buf_span(&out),
		    span_str(cases[i].head)));
		assert_int_equal(span_find(buf_span(&out), '\n'),
		    buf_len(&out) - 1);
		assert_null(memmem(buf_span(&out).p, buf_len(&out), "secret",
		    6));
		buf_clear(&out);
	}
	buf_fini(&out);
}

static void
test_capa(void **state UNUSED)
{
#define COMMON	"TOP\r\nUSER\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n" \
		"PIPELINING\r\nUTF8\r\nLANG\r\nEXPIRE NEVER\r\n"
	struct capa_facts	facts = { .phase = CAPA_BEFORE_LOGIN };
	struct buf		out;

	buf_init(&out, MANY);
	assert_int_equal(reply_capa(&out, &facts), 0);
	expect(&out, COMMON);
	facts.phase = CAPA_AFTER_LOGIN;
	assert_int_equal(reply_capa(&out, &facts), 0);
	expect(&out, COMMON);
	facts.implementation = "popper 2.0";
	assert_int_equal(reply_capa(&out, &facts), 0);
	expect(&out, COMMON "IMPLEMENTATION popper 2.0\r\n");
	facts.phase = CAPA_BEFORE_LOGIN;
	assert_int_equal(reply_capa(&out, &facts), 0);
	expect(&out, COMMON "IMPLEMENTATION popper 2.0\r\n");
	facts.implementation = NULL;
	facts.xclient = true;
	assert_int_equal(reply_capa(&out, &facts), 0);
	expect(&out, COMMON "XCLIENT ADDR PORT\r\n");
	facts.phase = CAPA_AFTER_LOGIN;
	assert_int_equal(reply_capa(&out, &facts), 0);
	expect(&out, COMMON);
	facts.login_delay_s = 900;
	assert_int_equal(reply_capa(&out, &facts), 0);
	expect(&out, COMMON "LOGIN-DELAY 900\r\n");
	facts.own_delays = true;
	assert_int_equal(reply_capa(&out, &facts), 0);
	expect(&out, COMMON "LOGIN-DELAY 900\r\n");
	facts.login_delay_s = 0;		/* RFC 2449 s.5: it stays */
	assert_int_equal(reply_capa(&out, &facts), 0);
	expect(&out, COMMON "LOGIN-DELAY 0\r\n");
	facts.phase = CAPA_BEFORE_LOGIN;	/* RFC 2449 s.6.5 */
	facts.xclient = false;
	facts.login_delay_s = 900;
	assert_int_equal(reply_capa(&out, &facts), 0);
	expect(&out, COMMON "LOGIN-DELAY 900 USER\r\n");
	facts.login_delay_s = 0;
	facts.own_delays = false;
	facts.expire = "30";
	assert_int_equal(reply_capa(&out, &facts), 0);
	assert_non_null(memmem(buf_span(&out).p, buf_len(&out),
	    "\r\nEXPIRE 30\r\n", 13));
	assert_null(memmem(buf_span(&out).p, buf_len(&out), "NEVER", 5));
	facts.expire = NULL;
	buf_clear(&out);
	facts.utf8_user = true;
	assert_int_equal(reply_capa(&out, &facts), 0);
	assert_non_null(memmem(buf_span(&out).p, buf_len(&out),
	    "\r\nUTF8 USER\r\nLANG\r\n", 19));
	facts.utf8_user = false;
	buf_fini(&out);
	buf_init(&out, sizeof(COMMON) - 2);
	assert_int_equal(reply_capa(&out, &facts), -1);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_bad_octets),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_capa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

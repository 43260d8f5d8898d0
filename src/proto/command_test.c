/* SPDX-License-Identifier: ISC */
#include "proto/command.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define A	POP_AUTHORIZATION
#define T	POP_TRANSACTION

struct parse_case {
	struct span		line;
	enum pop_state		state;
	enum command_result	want;
	enum command_id		id;
	struct span		word[LIMIT_ARGS];
	uint64_t		number[LIMIT_ARGS];
};

#define CASE(line, ...)	{ SPAN(line), __VA_ARGS__ }

static const struct parse_case cases[] = {
	/* Every command, in its plain form. */
	CASE("USER ann", A, COMMAND_OK, CMD_USER, { SPAN("ann") }),
	CASE("PASS x", A, COMMAND_OK, CMD_PASS, { SPAN("x") }),
	CASE("RPOP ann", A, COMMAND_OK, CMD_RPOP, { SPAN("ann") }),
	CASE("QUIT", A, COMMAND_OK, CMD_QUIT),
	CASE("QUIT", T, COMMAND_OK, CMD_QUIT),
	CASE("CAPA", A, COMMAND_OK, CMD_CAPA),
	CASE("CAPA", T, COMMAND_OK, CMD_CAPA),
	CASE("XCLIENT ADDR=::1 PORT=1", A, COMMAND_OK, CMD_XCLIENT,
	    { SPAN("ADDR=::1 PORT=1") }),
	CASE("STAT", T, COMMAND_OK, CMD_STAT),
	CASE("LIST", T, COMMAND_OK, CMD_LIST),
	CASE("LIST 7", T, COMMAND_OK, CMD_LIST, { SPAN("7") }, { 7 }),
	CASE("RETR 1", T, COMMAND_OK, CMD_RETR, { SPAN("1") }, { 1 }),
	CASE("DELE 10", T, COMMAND_OK, CMD_DELE, { SPAN("10") }, { 10 }),
	CASE("NOOP", T, COMMAND_OK, CMD_NOOP),
	CASE("LAST", T, COMMAND_OK, CMD_LAST),
	CASE("RSET", T, COMMAND_OK, CMD_RSET),
	CASE("TOP 1 0", T, COMMAND_OK, CMD_TOP, { SPAN("1"), SPAN("0") },
	    { 1, 0 }),
	CASE("UIDL", T, COMMAND_OK, CMD_UIDL),
	CASE("UIDL 2", T, COMMAND_OK, CMD_UIDL, { SPAN("2") }, { 2 }),
	CASE("XTND BBOARDS", T, COMMAND_OK, CMD_XTND_BBOARDS),
	CASE("XTND BBOARDS news", T, COMMAND_OK, CMD_XTND_BBOARDS,
	    { SPAN("news") }),
	CASE("XTND ARCHIVE news", T, COMMAND_OK, CMD_XTND_ARCHIVE,
	    { SPAN("news") }),
	CASE("XTND X-BBOARDS news", T, COMMAND_OK, CMD_XTND_X_BBOARDS,
	    { SPAN("news") }),
	CASE("XTND XMIT", T, COMMAND_OK, CMD_XTND_XMIT),
	CASE("XTND XLST Subject", T, COMMAND_OK, CMD_XTND_XLST,
	    { SPAN("Subject") }),
	CASE("XTND XLST From: 3", T, COMMAND_OK, CMD_XTND_XLST,
	    { SPAN("From:"), SPAN("3") }, { 0, 3 }),

	/* Old clients: case, tabs, blanks; XLIST for XLST. */
	CASE("user ann", A, COMMAND_OK, CMD_USER, { SPAN("ann") }),
	CASE("uSeR Ann", A, COMMAND_OK, CMD_USER, { SPAN("Ann") }),
	CASE("  USER\t \tann \t", A, COMMAND_OK, CMD_USER, { SPAN("ann") }),
	CASE("QUIT ", A, COMMAND_OK, CMD_QUIT),
	CASE("\tquit\t", T, COMMAND_OK, CMD_QUIT),
	CASE("TOP  1\t20  ", T, COMMAND_OK, CMD_TOP,
	    { SPAN("1"), SPAN("20") }, { 1, 20 }),
	CASE("xtnd\txlist  subject", T, COMMAND_OK, CMD_XTND_XLST,
	    { SPAN("subject") }),
	CASE("Xtnd xMiT ", T, COMMAND_OK, CMD_XTND_XMIT),

	/* PASS keeps every octet behind its first blank. */
	CASE("PASS  two  blanks ", A, COMMAND_OK, CMD_PASS,
	    { SPAN(" two  blanks ") }),
	CASE("PASS\tx\t", A, COMMAND_OK, CMD_PASS, { SPAN("x\t") }),
	CASE(" pass x", A, COMMAND_OK, CMD_PASS, { SPAN("x") }),
	CASE("PASS \x01\x1f\x7f\x80\xff\r", A, COMMAND_OK, CMD_PASS,
	    { SPAN("\x01\x1f\x7f\x80\xff\r") }),
	CASE("PASS ", A, COMMAND_OK, CMD_PASS, { SPAN("") }),
	CASE("PASS", A, COMMAND_FEW_ARGS, CMD_PASS),
	CASE("PASS a\0b", A, COMMAND_MALFORMED, CMD_PASS),
	CASE("PASS \0", A, COMMAND_MALFORMED, CMD_PASS),
	CASE("PASS x", T, COMMAND_WRONG_STATE, CMD_PASS),

	/* Nothing, nonsense, near misses. */
	CASE("", A, COMMAND_EMPTY, CMD_COUNT),
	CASE(" \t ", T, COMMAND_EMPTY, CMD_COUNT),
	CASE("HELO", A, COMMAND_UNKNOWN, CMD_COUNT),
	CASE("QUI", T, COMMAND_UNKNOWN, CMD_COUNT),
	CASE("QUITX", T, COMMAND_UNKNOWN, CMD_COUNT),
	CASE("PASSx", A, COMMAND_UNKNOWN, CMD_COUNT),
	CASE("XTND", T, COMMAND_UNKNOWN, CMD_COUNT),
	CASE("XTND FOO", T, COMMAND_UNKNOWN, CMD_COUNT),
	CASE("XTND XMI", T, COMMAND_UNKNOWN, CMD_COUNT),
	CASE("XMIT", T, COMMAND_UNKNOWN, CMD_COUNT),
	CASE("GET / HTTP/1.1", A, COMMAND_UNKNOWN, CMD_COUNT),
	CASE("USER\0ann", A, COMMAND_MALFORMED, CMD_COUNT),
	CASE("USER a\0nn", A, COMMAND_MALFORMED, CMD_USER),
	CASE("USER a\xc3\xa4", A, COMMAND_OK, CMD_USER, { SPAN("a\xc3\xa4") }),
	CASE("USER a\xc3", A, COMMAND_MALFORMED, CMD_USER),
	CASE("USER \xc0\xaf" "a", A, COMMAND_MALFORMED, CMD_USER),
	CASE("USER a\xc3\xa4\x1b", A, COMMAND_MALFORMED, CMD_USER),
	CASE("APOP a\xc3\xa4 x", A, COMMAND_OK, CMD_APOP,
	    { SPAN("a\xc3\xa4"), SPAN("x") }),
	CASE("RPOP a\xc3\xa4", A, COMMAND_MALFORMED, CMD_RPOP),
	CASE("USER a\x7f", A, COMMAND_MALFORMED, CMD_USER),
	CASE("STAT\r", T, COMMAND_MALFORMED, CMD_COUNT),
	CASE("USER ann\rPASS x", A, COMMAND_MALFORMED, CMD_USER),

	/* States. */
	CASE("STAT", A, COMMAND_WRONG_STATE, CMD_STAT),
	CASE("USER ann", T, COMMAND_WRONG_STATE, CMD_USER),
	CASE("RPOP ann", T, COMMAND_WRONG_STATE, CMD_RPOP),
	CASE("XCLIENT ADDR=::1", T, COMMAND_WRONG_STATE, CMD_XCLIENT),
	CASE("xclient \t A=1  B=2 C=3 D=4 ", A, COMMAND_OK, CMD_XCLIENT,
	    { SPAN("A=1  B=2 C=3 D=4") }),
	CASE("XCLIENT \t", A, COMMAND_FEW_ARGS, CMD_XCLIENT),
	CASE("XTND XMIT", A, COMMAND_WRONG_STATE, CMD_XTND_XMIT),
	CASE("RETR", A, COMMAND_WRONG_STATE, CMD_RETR),
	CASE("RETR x", A, COMMAND_WRONG_STATE, CMD_RETR),

	/* Argument counts. */
	CASE("USER", A, COMMAND_FEW_ARGS, CMD_USER),
	CASE("USER a b", A, COMMAND_MANY_ARGS, CMD_USER),
	CASE("QUIT now", A, COMMAND_MANY_ARGS, CMD_QUIT),
	CASE("RETR", T, COMMAND_FEW_ARGS, CMD_RETR),
	CASE("LIST 1 2", T, COMMAND_MANY_ARGS, CMD_LIST),
	CASE("TOP 1", T, COMMAND_FEW_ARGS, CMD_TOP),
	CASE("TOP 1 2 3", T, COMMAND_MANY_ARGS, CMD_TOP),
	CASE("XTND XMIT a", T, COMMAND_MANY_ARGS, CMD_XTND_XMIT),
	CASE("XTND XLST", T, COMMAND_FEW_ARGS, CMD_XTND_XLST),
	CASE("XTND XLST a 1 2", T, COMMAND_MANY_ARGS, CMD_XTND_XLST),
	CASE("XTND ARCHIVE", T, COMMAND_FEW_ARGS, CMD_XTND_ARCHIVE),
	CASE("XTND X-BBOARDS", T, COMMAND_FEW_ARGS, CMD_XTND_X_BBOARDS),
	CASE("XTND BBOARDS a b", T, COMMAND_MANY_ARGS, CMD_XTND_BBOARDS),

	/* The largest numbers. */
	CASE("RETR 2147483647", T, COMMAND_OK, CMD_RETR,
	    { SPAN("2147483647") }, { 2147483647 }),
	CASE("TOP 1 9223372036854775807", T, COMMAND_OK, CMD_TOP,
	    { SPAN("1"), SPAN("9223372036854775807") },
	    { 1, 9223372036854775807 }),
	CASE("TOP 1 9223372036854775808", T, COMMAND_BAD_NUMBER, CMD_TOP),
	CASE("TOP 1 00", T, COMMAND_BAD_NUMBER, CMD_TOP),
	CASE("TOP 1 01", T, COMMAND_BAD_NUMBER, CMD_TOP),
	CASE("TOP 1 -1", T, COMMAND_BAD_NUMBER, CMD_TOP),
	CASE("TOP 0 1", T, COMMAND_BAD_NUMBER, CMD_TOP),
	CASE("XTND XLST From 0", T, COMMAND_BAD_NUMBER, CMD_XTND_XLST),
};

static void
check(const struct parse_case *c)
{
	struct command		got;
	enum command_result	r = command_parse(c->line, c->state, &got);

	if (r != c->want || got.id != c->id)
		fail_msg("\"%.*s\": result %d, want %d; id %d, want %d",
		    (int)c->line.n, (const char *)c->line.p, r, c->want,
		    got.id, c->id);
	if (r != COMMAND_OK)
		return;
	for (size_t i = 0; i < LIMIT_ARGS; i++) {
		bool given = i < got.nargs;

		assert_true(given || c->word[i].n == 0);
		assert_true(!given || span_eq(got.word[i], c->word[i]));
		assert_int_equal(got.number[i], c->number[i]);
	}
}

static void
test_cases(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i]);
}

static void
test_odd_numbers(void **state UNUSED)
{
	static const char *const verbs[] = { "LIST", "RETR", "DELE", "UIDL" };
	static const char *const odd[] = {
		"-1", "0", "00", "01", "+1", "1a", "a1", "0x1", "1.", "1,2",
		"--1", "2147483648", "4294967296", "4294967297",
		"9223372036854775808", "18446744073709551615",
		"18446744073709551616", "18446744073709551617",
		"99999999999999999999999999999999999999",
	};
	char line[80];

	for (size_t v = 0; v < ARRAY_LEN(verbs); v++)
		for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
			struct parse_case c = {
				.state = T,
				.want = COMMAND_BAD_NUMBER,
				.id = v == 0 ? CMD_LIST : v == 1 ? CMD_RETR :
				    v == 2 ? CMD_DELE : CMD_UIDL,
			};

			snprintf(line, sizeof(line), "%s %s", verbs[v],
			    odd[i]);
			c.line = span_str(line);
			check(&c);
		}
}

/* One octet as a line, behind a keyword, inside an argument. */
static void
test_every_octet(void **state UNUSED)
{
	for (int i = 0; i < 256; i++) {
		bool			blank = i == ' ' || i == '\t';
		bool			sound = blank ||
					    (i > ' ' && i < 0x7f);
		char			alone[] = { (char)i };
		char			inside[] = "USER a?b";
		char			pass[] = "PASS a?b";
		struct command		cmd;
		enum command_result	r;

		r = command_parse(span_of(alone, 1), T, &cmd);
		assert_int_equal(r, blank ? COMMAND_EMPTY : sound ?
		    COMMAND_UNKNOWN : COMMAND_MALFORMED);
		inside[6] = (char)i;
		r = command_parse(span_of(inside, 8), A, &cmd);
		assert_int_equal(r, blank ? COMMAND_MANY_ARGS : sound ?
		    COMMAND_OK : COMMAND_MALFORMED);
		pass[6] = (char)i;
		r = command_parse(span_of(pass, 8), A, &cmd);
		assert_int_equal(r, i == 0 ? COMMAND_MALFORMED : COMMAND_OK);
		if (i != 0)
			assert_true(span_eq(cmd.word[0], span_of(pass + 5, 3)));
	}
}

/* All pairs of octets, as a line in each state: a result, nothing more. */
static void
test_every_pair(void **state UNUSED)
{
	for (int i = 0; i < 65536; i++) {
		uint8_t		line[] = { (uint8_t)(i >> 8), (uint8_t)i };
		struct command	cmd;

		for (int st = A; st <= T; st++)
			assert_int_not_equal(command_parse(span_of(line, 2),
			    (enum pop_state)st, &cmd), COMMAND_OK);
	}
}

static void
test_table(void **state UNUSED)
{
	for (size_t i = 0; i < CMD_COUNT; i++) {
		const struct command_row *row = command_row((enum command_id)i);

		assert_non_null(row->name);
		assert_non_null(row->source);
		assert_true(row->states != 0);
		assert_true(row->args_min <= row->args_max);
		assert_true(row->args_max <= LIMIT_ARGS);
		for (size_t k = 0; k < LIMIT_ARGS; k++)
			assert_int_equal(row->args[k] == ARG_NONE,
			    k >= row->args_max);
	}
	for (size_t r = 0; r < COMMAND_RESULTS; r++)
		assert_true(strlen(command_error((enum command_result)r)) > 0);
}

static void
test_redact(void **state UNUSED)
{
	static const struct {
		struct span	 line;
		const char	*want;
	} redacted[] = {
		{ SPAN("USER ann"), "USER ann" },
		{ SPAN("RETR 1a"), "RETR 1a" },
		{ SPAN("stat"), "stat" },
		{ SPAN("XTND XLST Subject 1"), "XTND XLST Subject 1" },
		{ SPAN("PASS secret"), "PASS ***" },
		{ SPAN("pass secret"), "PASS ***" },
		{ SPAN("PASS"), "PASS ***" },
		{ SPAN("PASS a\0b"), "PASS ***" },
		{ SPAN(" pass secret"), "PASS ***" },
		{ SPAN("\tPASS\tsecret"), "PASS ***" },
		{ SPAN("PAS secret"), "***" },
		{ SPAN("PASSsecret"), "***" },
		{ SPAN("PASS\x01secret"), "***" },
		{ SPAN("secret"), "***" },
		{ SPAN("\0PASS secret"), "***" },
		{ SPAN("USER ann secret"), "USER ***" },
		{ SPAN("USER ann\rPASS secret"), "USER ***" },
		{ SPAN("QUIT secret"), "QUIT ***" },
		{ SPAN("XTND secret"), "***" },
		{ SPAN("AUTH PLAIN secret"), "AUTH ***" },
		{ SPAN(""), "" },
		{ SPAN("  "), "" },
	};
	char out[64];

	for (size_t i = 0; i < ARRAY_LEN(redacted); i++) {
		struct span	want = span_str(redacted[i].want);
		size_t		n;

		/* With room for all, and for each part of it. */
		for (size_t cap = 0; cap <= sizeof(out); cap++) {
			memset(out, '#', sizeof(out));
			n = command_redact(redacted[i].line, out, cap);
			assert_true(span_eq(span_of(out, n),
			    span_first(want, cap)));
			assert_true(n == sizeof(out) || out[n] == '#');
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_odd_numbers),
		cmocka_unit_test(test_every_octet),
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_redact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

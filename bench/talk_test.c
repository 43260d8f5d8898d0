/* SPDX-License-Identifier: ISC */
/* Every answer, whole and octet by octet: what is taken, what is found out. */
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define TEXT	"Subject: x\r\n\r\n..dot\r\n.\r\n"

static struct span	mail[] = {
	{ (const uint8_t *)TEXT, sizeof(TEXT) - 1 },
};
static const struct answers	known = {
	.line = { [WORD_GREETING] = "+OK hello", [WORD_STAT] = "+OK 1 18" },
	.mail = mail,
	.mails = 1,
};
static const struct answers	unknown = { .mail = mail, .mails = 1 };

static const struct row {
	const char		*name;
	const struct answers	*answers;
	enum word		 word;
	const char		*came;
	enum verdict		 want;
} rows[] = {
	{ "as told", &known, WORD_GREETING, "+OK hello\r\n", TALK_ANSWERED },
	{ "other octet", &known, WORD_GREETING, "+OK hellp\r\n", TALK_WRONG },
	{ "too long", &known, WORD_GREETING, "+OK hello \r\n", TALK_WRONG },
	{ "no CR", &known, WORD_GREETING, "+OK hello\n", TALK_WRONG },
	{ "not yet", &known, WORD_GREETING, "+OK hello\r", TALK_MORE },
	{ "more", &known, WORD_GREETING, "+OK hello\r\nx", TALK_WRONG },
	{ "challenge", &known, WORD_SCRAM, "+ cj0x\r\n", TALK_ANSWERED },
	{ "no challenge", &known, WORD_PROOF, "+OK in\r\n", TALK_WRONG },
	{ "any", &unknown, WORD_USER, "+OK\r\n", TALK_ANSWERED },
	{ "any text", &unknown, WORD_USER, "+OK go on\r\n", TALK_ANSWERED },
	{ "no word", &unknown, WORD_USER, "+OKAY\r\n", TALK_WRONG },
	{ "error", &unknown, WORD_USER, "-ERR no\r\n", TALK_WRONG },
	{ "control", &unknown, WORD_USER, "+OK \001\r\n", TALK_WRONG },
	{ "numbers", &unknown, WORD_STAT, "+OK 1 18\r\n", TALK_ANSWERED },
	{ "one number", &unknown, WORD_STAT, "+OK 1\r\n", TALK_WRONG },
	{ "more numbers", &unknown, WORD_STAT, "+OK 1 2 3\r\n", TALK_WRONG },
	{ "wrong number", &known, WORD_STAT, "+OK 1 19\r\n", TALK_WRONG },
	{ "text", &known, WORD_RETR, "+OK\r\n" TEXT, TALK_ANSWERED },
	{ "not stuffed", &known, WORD_RETR,
	  "+OK\r\nSubject: x\r\n\r\n.dot\r\n.\r\n", TALK_WRONG },
	{ "no end", &known, WORD_RETR,
	  "+OK\r\nSubject: x\r\n\r\n..dot\r\n", TALK_MORE },
	{ "other text", &known, WORD_RETR,
	  "+OK\r\nSubject: y\r\n\r\n..dot\r\n.\r\n", TALK_WRONG },
	{ "behind it", &known, WORD_RETR, "+OK\r\n" TEXT "+", TALK_WRONG },
	{ "held", &known, WORD_HOLD, "+OK\r\n", TALK_WRONG },
	{ "after QUIT", &known, WORD_END, "x", TALK_WRONG },
};

/* In pieces of `size` octets. */
static enum verdict
feed(const struct row *r, size_t size)
{
	struct span	rest = span_str(r->came);
	enum verdict	v = TALK_MORE;
	struct talk	t;
	char		why[512];

	talk_expect(&t, r->word, 0);
	while (v == TALK_MORE && rest.n > 0) {
		v = talk_feed(&t, r->answers, span_first(rest, size), why,
		    sizeof(why));
		rest = span_skip(rest, size);
	}
	/* In pieces, what is too much comes behind a right answer. */
	return v == TALK_ANSWERED && rest.n > 0 ? TALK_WRONG : v;
}

static void
test_rows(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t size = 1; size < 64; size++) {
			if (feed(&rows[i], size) != rows[i].want)
				fail_msg("%s, in pieces of %zu", rows[i].name,
				    size);
		}
	}
}

/* A line longer than any, however it comes. */
static void
test_long_line(void **state UNUSED)
{
	struct talk	t;
	char		why[512];
	uint8_t		x = 'x';
	enum verdict	v = TALK_MORE;
	size_t		n = 0;

	talk_expect(&t, WORD_USER, 0);
	for (; v == TALK_MORE && n < 2000; n++)
		v = talk_feed(&t, &unknown, span_of(&x, 1), why, sizeof(why));
	assert_int_equal(v, TALK_WRONG);
	assert_int_equal(n, TALK_LINE_MAX + 1);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

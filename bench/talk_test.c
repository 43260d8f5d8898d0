/* SPDX-License-Identifier: ISC */
/* Every answer, whole and octet by octet: what is taken, what is found out. */
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define TEXT	"Subject: x\r\n\r\n..dot\r\n.\r\n"

/* Three messages of two patterns: the third one is as the first, with another
 * number. */
#define FIRST	"X: #######\r\n\r\n..dot #######\r\n.\r\n"
#define THIRD	"X: 0000003\r\n\r\n..dot 0000003\r\n.\r\n"

static struct mail		mail[1];
static struct mail		patterns[2];
static const struct answers	known = {
	.line = { [WORD_GREETING] = "+OK hello", [WORD_STAT] = "+OK 1 18" },
	.mail = mail,
	.mails = 1,
	.count = 1,
};
static const struct answers	unknown = {
	.mail = mail, .mails = 1, .count = 1,
};
static const struct answers	many = {
	.mail = patterns, .mails = 2, .count = 3,
};
static const struct answers	any_size = {
	.mail = mail, .mails = 1, .count = 1, .any_size = true,
};
static const struct answers	none = {
	.mail = patterns, .mails = 2, .count = 0,
};

static const struct row {
	const char		*name;
	const struct answers	*answers;
	enum word		 word;
	const char		*came;
	enum verdict		 want;
	size_t			 index;
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
	{ "its number", &many, WORD_RETR, "+OK\r\n" THIRD, TALK_ANSWERED, 2 },
	{ "another's number", &many, WORD_RETR, "+OK\r\n" THIRD, TALK_WRONG, 0 },
	{ "no number", &many, WORD_RETR, "+OK\r\n" FIRST, TALK_WRONG, 2 },
	{ "other pattern", &many, WORD_RETR, "+OK\r\n" TEXT, TALK_ANSWERED, 1 },
	{ "wrong pattern", &many, WORD_RETR, "+OK\r\n" TEXT, TALK_WRONG, 2 },
	{ "head", &many, WORD_TOP, "+OK\r\nX: 0000001\r\n\r\n.\r\n",
	  TALK_ANSWERED },
	{ "head and more", &many, WORD_TOP, "+OK\r\n" THIRD, TALK_WRONG, 2 },
	{ "no blank line", &many, WORD_TOP, "+OK\r\nX: 0000001\r\n.\r\n",
	  TALK_WRONG },
	{ "sizes", &many, WORD_LIST,
	  "+OK\r\n1 28\r\n2 20\r\n3 28\r\n.\r\n", TALK_ANSWERED },
	{ "other size", &many, WORD_LIST,
	  "+OK\r\n1 28\r\n2 21\r\n3 28\r\n.\r\n", TALK_WRONG },
	{ "one left out", &many, WORD_LIST,
	  "+OK\r\n1 28\r\n3 28\r\n.\r\n", TALK_WRONG },
	{ "too few", &many, WORD_LIST, "+OK\r\n1 28\r\n2 20\r\n.\r\n",
	  TALK_WRONG },
	{ "too many", &known, WORD_LIST, "+OK\r\n1 20\r\n2 20\r\n.\r\n",
	  TALK_WRONG },
	{ "no dot", &known, WORD_LIST, "+OK\r\n1 20\r\n", TALK_MORE },
	{ "behind the dot", &known, WORD_LIST, "+OK\r\n1 20\r\n.\r\n.",
	  TALK_WRONG },
	{ "empty", &none, WORD_LIST, "+OK\r\n.\r\n", TALK_ANSWERED },
	{ "any size", &any_size, WORD_LIST, "+OK\r\n1 19\r\n.\r\n",
	  TALK_ANSWERED },
	{ "no size", &any_size, WORD_LIST, "+OK\r\n1 x\r\n.\r\n", TALK_WRONG },
	{ "no ids", &none, WORD_UIDL, "+OK\r\n.\r\n", TALK_ANSWERED },
	{ "ids", &many, WORD_UIDL, "+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n",
	  TALK_ANSWERED },
	{ "id twice", &many, WORD_UIDL,
	  "+OK\r\n1 a\r\n2 b\r\n3 a\r\n.\r\n", TALK_WRONG },
	{ "empty id", &known, WORD_UIDL, "+OK\r\n1 \r\n.\r\n", TALK_WRONG },
	{ "id of two words", &known, WORD_UIDL, "+OK\r\n1 a b\r\n.\r\n",
	  TALK_WRONG },
	{ "id of 71", &known, WORD_UIDL, "+OK\r\n1 1234567890"
	  "123456789012345678901234567890123456789012345678901234567890x\r\n"
	  ".\r\n", TALK_WRONG },
	{ "deleted", &many, WORD_DELE, "+OK\r\n", TALK_ANSWERED, 2 },
	{ "held", &known, WORD_HOLD, "+OK\r\n", TALK_WRONG },
	{ "after QUIT", &known, WORD_END, "x", TALK_WRONG },
};

static int
make_mail(void **state UNUSED)
{
	return mail_init(&mail[0], SPAN(TEXT)) &&
	    mail_init(&patterns[0], SPAN(FIRST)) &&
	    mail_init(&patterns[1], SPAN(TEXT)) ? 0 : -1;
}

static int
free_mail(void **state UNUSED)
{
	mail_fini(&mail[0]);
	mail_fini(&patterns[0]);
	mail_fini(&patterns[1]);
	return 0;
}

/* In pieces of `size` octets. */
static enum verdict
feed(const struct row *r, size_t size)
{
	struct span	rest = span_str(r->came);
	enum verdict	v = TALK_MORE;
	struct talk	t = { .ids = NULL };
	struct span	piece;
	char		why[512];

	talk_expect(&t, r->word, r->index);
	while (v == TALK_MORE && rest.n > 0) {
		piece = span_first(rest, size);
		rest = span_skip(rest, size);
		v = talk_feed(&t, r->answers, &piece, why, sizeof(why));
		if (v != TALK_WRONG)
			assert_int_equal(piece.n, 0);
	}
	talk_fini(&t);
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
	struct talk	t = { .ids = NULL };
	struct span	in;
	char		why[512];
	enum verdict	v = TALK_MORE;
	size_t		n = 0;

	talk_expect(&t, WORD_USER, 0);
	for (; v == TALK_MORE && n < 2000; n++) {
		in = SPAN("x");
		v = talk_feed(&t, &unknown, &in, why, sizeof(why));
	}
	assert_int_equal(v, TALK_WRONG);
	assert_int_equal(n, TALK_LINE_MAX + 1);
}

/* The answers to three commands in one piece. */
static void
test_ahead(void **state UNUSED)
{
	struct span	in = SPAN("+OK\r\n" TEXT "+OK\r\n" THIRD "+OK\r\n");
	struct talk	t = { .ids = NULL };
	char		why[512];

	talk_expect(&t, WORD_RETR, 1);
	t.ahead = 1;
	assert_int_equal(talk_feed(&t, &many, &in, why, sizeof(why)),
	    TALK_ANSWERED);
	talk_expect(&t, WORD_RETR, 2);
	assert_int_equal(talk_feed(&t, &many, &in, why, sizeof(why)),
	    TALK_WRONG);
}

/* The order of ids counts, and where they are is the same. */
static void
test_ids_sum(void **state UNUSED)
{
	struct span	a = SPAN("+OK\r\n1 x\r\n2 y\r\n3 z\r\n.\r\n");
	struct span	b = SPAN("+OK\r\n1 y\r\n2 x\r\n3 z\r\n.\r\n");
	struct talk	t = { .ids = NULL };
	uint64_t	sum;
	char		why[512];

	talk_expect(&t, WORD_UIDL, 0);
	assert_int_equal(talk_feed(&t, &many, &a, why, sizeof(why)),
	    TALK_ANSWERED);
	sum = t.ids_sum;
	talk_expect(&t, WORD_UIDL, 0);
	assert_int_equal(talk_feed(&t, &many, &b, why, sizeof(why)),
	    TALK_ANSWERED);
	assert_true(sum != t.ids_sum);
	talk_fini(&t);
}

static void
test_mail(void **state UNUSED)
{
	struct mail	m;
	uint8_t		out[sizeof(THIRD)];
	struct span	want = span_str(THIRD);

	assert_false(mail_init(&m, SPAN("X: 1\r\n.\r\n")));
	assert_false(mail_init(&m, SPAN("X: 1\r\n\r\nno end\r\n")));
	assert_false(mail_init(&m, SPAN(".\r\n")));
	assert_int_equal(patterns[0].octets, 28);
	assert_int_equal(patterns[0].text.n, want.n - 3);
	mail_write(&patterns[0], 2, want.n - 3, out);
	assert_memory_equal(out, want.p, want.n - 3);
	/* From every octet to every other one. */
	for (size_t at = 0; at < want.n - 3; at++) {
		for (size_t n = 0; n <= want.n - 3 - at; n++)
			assert_int_equal(mail_agrees(&patterns[0], 2, at,
			    want.n - 3, span_of(want.p + at, n)), n);
	}
	/* One other octet. */
	memcpy(out, want.p, want.n - 3);
	for (size_t i = 0; i < want.n - 3; i++) {
		out[i] ^= 1;
		assert_int_equal(mail_agrees(&patterns[0], 2, 0, want.n - 3,
		    span_of(out, want.n - 3)), i);
		out[i] ^= 1;
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_ids_sum),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_long_line),
	};

	return cmocka_run_group_tests(tests, make_mail, free_mail);
}

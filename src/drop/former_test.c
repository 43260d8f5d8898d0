/* SPDX-License-Identifier: ISC */
#include "drop/former.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define LONGEST	"1234567890123456789012345678901234567890123456789012345678901234567890"

static void
test_list(void **state)
{
	static const struct {
		const char		*line;
		enum former_line	 want;
		uint64_t		 number;
		uint64_t		 size;
		const char		*uidl;
	} table[] = {
		{ "1 abc",		FORMER_ROW, 1, 0, "abc" },
		{ "1 abc\r",		FORMER_ROW, 1, 0, "abc" },
		{ "2\t120\tabc",	FORMER_ROW, 2, 120, "abc" },
		{ "4294967295 !",	FORMER_ROW, UINT32_MAX, 0, "!" },
		{ "1 " LONGEST,		FORMER_ROW, 1, 0, LONGEST },
		{ "3 9",		FORMER_ROW, 3, 0, "9" },
		{ "",			FORMER_NOTHING, 0, 0, "" },
		{ " \r",		FORMER_NOTHING, 0, 0, "" },
		{ "+OK",		FORMER_NOTHING, 0, 0, "" },
		{ "+OK 2 messages",	FORMER_NOTHING, 0, 0, "" },
		{ ".",			FORMER_END, 0, 0, "" },
		{ ".\r",		FORMER_END, 0, 0, "" },
		{ "1",			FORMER_BAD, 0, 0, "" },
		{ "0 abc",		FORMER_BAD, 0, 0, "" },
		{ "x abc",		FORMER_BAD, 0, 0, "" },
		{ "4294967296 abc",	FORMER_BAD, 0, 0, "" },
		{ "1 x abc",		FORMER_BAD, 0, 0, "" },
		{ "1 2 3 4",		FORMER_BAD, 0, 0, "" },
		{ "1 " LONGEST "1",	FORMER_BAD, 0, 0, "" },
		{ "1 a\177",		FORMER_BAD, 0, 0, "" },
		{ "1 \303\244",		FORMER_BAD, 0, 0, "" },
		{ "-ERR what?",		FORMER_BAD, 0, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct former_row r;

		print_message("%s\n", table[i].line);
		assert_int_equal(former_list_line(span_str(table[i].line), &r),
		    table[i].want);
		if (table[i].want != FORMER_ROW)
			continue;
		assert_int_equal(r.number, table[i].number);
		assert_int_equal(r.size, table[i].size);
		assert_int_equal(r.sized, table[i].size != 0);
		assert_true(span_eq(r.uidl, span_str(table[i].uidl)));
	}
}

static void
test_head(void **state)
{
	static const struct {
		const char	*header;
		const char	*xuidl;
		uint64_t	 uid;
		uint64_t	 validity;
	} table[] = {
		{ "Subject: x\n", "", 0, 0 },
		{ "X-UIDL: f\"9!!#8\n", "f\"9!!#8", 0, 0 },
		{ "x-uidl:\tabc \r\nX-UIDL: def\r\n", "abc", 0, 0 },
		{ "X-UIDL:\n abc\n", "", 0, 0 },	/* no program folds it */
		{ "X-UIDL: a b\nX-UIDL: c\n", "c", 0, 0 },
		{ "X-UIDL:" LONGEST "\n", LONGEST, 0, 0 },
		{ "X-UIDL:" LONGEST "1\n", "", 0, 0 },
		{ "X-IMAPbase: 1700000001 0000000042 $Junk\nX-UID: 42\n", "", 42,
		    1700000001 },
		{ "X-IMAP: 5 7\nX-UID:                        \n", "", 0, 5 },
		{ "X-UID: 4294967295\nX-UID: 2\n", "", UINT32_MAX, 0 },
		{ "X-UID: 4294967296\nX-IMAP: -1 2\n", "", 0, 0 },
		{ "Subject: x\n\nX-UIDL: body\nX-UID: 3\n", "", 0, 0 },
		{ "", "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct former_head h;

		print_message("%s", table[i].header);
		former_head(span_str(table[i].header), &h);
		assert_true(span_eq(h.xuidl, span_str(table[i].xuidl)));
		assert_int_equal(h.uid, table[i].uid);
		assert_int_equal(h.validity, table[i].validity);
	}
}

static void
test_format(void **state)
{
	static const struct {
		const char	*word;
		uint64_t	 uid;
		uint64_t	 validity;
		const char	*want;	/* NULL: no format; "": no legal id */
	} table[] = {
		{ "dovecot", 7, 0x500c3ab1, "00000007500c3ab1" },
		{ "dovecot", UINT32_MAX, UINT32_MAX, "ffffffffffffffff" },
		{ "uw", 7, 0x500c3ab1, "500c3ab100000007" },
		{ "cyrus", 7, 1700000001, "1700000001.7" },
		{ "courier", 7, 1700000001, "UID7-1700000001" },
		{ "%u", 7, 1, "7" },
		{ "%v-%u", 7, 1, "1-7" },
		{ "%Xu", 255, 1, "ff" },
		{ "%04u%%", 7, 1, "0007%" },
		{ "%020u%020u%020u%010u", 1, 1, "000000000000000000010000000000"
		    "00000000010000000000000000000100" "00000001" },
		{ "%020u%020u%020u%011u", 1, 1, "" },
		{ "%u x", 7, 1, "" },
		{ "%v", 7, 1, NULL },		/* the same for all */
		{ "", 7, 1, NULL },
		{ "qpopper", 7, 1, NULL },
		{ "%", 7, 1, NULL },
		{ "%u%", 7, 1, NULL },
		{ "%021u", 7, 1, NULL },
		{ "%8Xu", 7, 1, NULL },		/* blanks are no id */
		{ "%d%u", 7, 1, NULL },
		{ "%08X%%u", 7, 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char	*format = former_format(table[i].word);
		char		 out[DROP_UIDL_MAX + 1];
		bool		 made;

		print_message("%s\n", table[i].word);
		assert_int_equal(format == NULL, table[i].want == NULL);
		if (format == NULL)
			continue;
		made = former_make(format, table[i].uid, table[i].validity, out);
		assert_int_equal(made, table[i].want[0] != '\0');
		if (made)
			assert_string_equal(out, table[i].want);
	}
}

static void
test_dovecot_file(void **state)
{
	static const struct {
		const char	*line;
		const char	*base;	/* NULL: it is none */
		uint64_t	 uid;
		const char	*kept;
	} table[] = {
		{ "7 :1700000000.M1P2.host,S=5:2,S", "1700000000.M1P2.host,S=5", 7,
		    "" },
		{ "25 W2481 :a", "a", 25, "" },
		{ "25 W2481 P00ab S1 O3 :a:2,", "a", 25, "00ab" },
		{ "1  Gguid  :a b", "a b", 1, "" },
		{ "1 :P", "P", 1, "" },
		{ "4294967295 :a", "a", UINT32_MAX, "" },
		{ "0 :a", NULL, 0, "" },
		{ "4294967296 :a", NULL, 0, "" },
		{ "1 :", NULL, 0, "" },
		{ "1 ::2,S", NULL, 0, "" },
		{ "1 a", NULL, 0, "" },
		{ "1", NULL, 0, "" },
		{ "", NULL, 0, "" },
	};
	uint64_t		v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct former_file	file;
		bool			is;

		print_message("%s\n", table[i].line);
		is = former_dovecot_line(span_str(table[i].line), 5, &file);
		assert_int_equal(is, table[i].base != NULL);
		if (!is)
			continue;
		assert_true(span_eq(file.base, span_str(table[i].base)));
		assert_int_equal(file.uid, table[i].uid);
		assert_int_equal(file.validity, 5);
		assert_true(span_eq(file.kept, span_str(table[i].kept)));
	}
	assert_true(former_dovecot_head(SPAN("3 V1700000001 N42 Gabc"), &v));
	assert_int_equal(v, 1700000001);
	assert_false(former_dovecot_head(SPAN("1 1700000001 42"), &v));
	assert_false(former_dovecot_head(SPAN("3 N42"), &v));
	assert_false(former_dovecot_head(SPAN("3 V0"), &v));
	assert_false(former_dovecot_head(SPAN("3 V4294967296"), &v));
	assert_false(former_dovecot_head(SPAN(""), &v));
}

static void
test_courier_file(void **state)
{
	static const struct {
		const char	*line;
		const char	*base;	/* NULL: it is none */
		const char	*want;	/* NULL: no legal id */
	} table[] = {
		{ "a.b.c,S=5:2,S 120 7:1700000001", "a.b.c,S=5",
		    "UID7-1700000001" },
		{ "a 120 7:1700000001:0", "a", "UID7-1700000001" },
		{ "a 120 7:0", "a", "UID7" },
		{ "a 120 7", "a", "UID7" },
		{ "a'b+c\"d 120 0:0", "a'b+c\"d", "a+27b+2Bc+22d" },
		{ "1234567890123456789012345678901234567890123456789012345678"
		    "901234567890 1 0:0", LONGEST, LONGEST },
		{ LONGEST "1 1 0:0", LONGEST "1", NULL },
		{ "a 120", NULL, NULL },
		{ "a x 7:1", NULL, NULL },
		{ "a 1 x:1", NULL, NULL },
		{ "a 1 7:x", NULL, NULL },
		{ "a 1 7:1 b", NULL, NULL },
		{ ":2,S 1 7:1", NULL, NULL },
		{ "", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct former_file	file;
		char			out[DROP_UIDL_MAX + 1];
		bool			is;

		print_message("%s\n", table[i].line);
		is = former_courier_line(span_str(table[i].line), &file);
		assert_int_equal(is, table[i].base != NULL);
		if (!is)
			continue;
		assert_true(span_eq(file.base, span_str(table[i].base)));
		is = former_courier(&file, out);
		assert_int_equal(is, table[i].want != NULL);
		if (is)
			assert_string_equal(out, table[i].want);
	}
	assert_true(former_courier_head(SPAN("/3 8 1700000001")));
	assert_true(former_courier_head(SPAN("/2 8 1700000001")));
	assert_false(former_courier_head(SPAN("/1 8 1700000001")));
	assert_false(former_courier_head(SPAN("/3 8")));
	assert_false(former_courier_head(SPAN("/3 8 1 1")));
	assert_false(former_courier_head(SPAN("a 1 7:1")));
}

static void
test_popa3d(void **state)
{
	static const char	 header[] =
		"Return-Path: <a@x>\n"
		"Delivered-To: ann\n"
		"Date: first\n"
		"message-id: <1@x>\n"
		"Received: from a\n"
		"\tby b\n"
		"Received: from c\n"
		"Message-ID: <2@x>\n"
		"Date: second\n"
		"Delivered-To: bob\n"
		"X-Delivery-ID: 5\n"
		"\nDate: body\n";
	static const char	 want[] =
		"Delivered-To: ann\n"
		"Date: first\n"
		"message-id: <1@x>\n"
		"Received: from a\n"
		"\tby b\n"
		"Delivered-To: bob\n"
		"X-Delivery-ID: 5\n";
	char			 out[DROP_UIDL_MAX + 1];
	struct buf		 b;

	(void)state;
	buf_init(&b, sizeof(header));
	assert_int_equal(former_popa3d_text(span_str(header), &b), 0);
	assert_true(span_eq(buf_span(&b), span_str(want)));
	buf_fini(&b);
	buf_init(&b, 20);
	assert_int_equal(former_popa3d_text(span_str(header), &b), -1);
	buf_fini(&b);
	former_popa3d("00112233445566778899aabbccddeeff", out);
	assert_string_equal(out, "3322110077665544");
}

static void
test_qpopper(void **state)
{
	static const char	 from[] = "From a@x Mon Jan  1 10:00:00 2024\n";
	static const char	 header[] =
		"Return-Path: <a@x>\n"
		"received: from a\n"
		"\tby b\n"
		"X-Date: no\n"
		"Date: first\n"
		"X-UIDL: tooshort\n"
		"Received: from c\n"
		"Message-ID: <2@x>\n"
		"Subject:\n"
		"Subjects: no\n";
#define LINES	"received: from a\nDate: first\nReceived: from c\n" \
		"Message-ID: <2@x>\nSubject:\n"
	char			 out[DROP_UIDL_MAX + 1];
	struct buf		 b;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(former_qpopper_text(SPAN(from), SPAN(header), true, &b), 0);
	assert_int_equal(buf_len(&b), sizeof(from) + sizeof(LINES) - 2);
	assert_int_equal(former_qpopper_text(SPAN(from), SPAN(header), false, &b), 0);
	buf_consume(&b, sizeof(from) + sizeof(LINES) - 2);
	assert_int_equal(buf_len(&b), 2 * sizeof(from) + sizeof(LINES) - 3);
	assert_memory_equal(buf_span(&b).p, from, sizeof(from) - 1);
	assert_memory_equal(buf_span(&b).p + sizeof(from) - 1, LINES,
	    sizeof(LINES) - 1);
	buf_fini(&b);
	buf_init(&b, 20);
	assert_int_equal(former_qpopper_text(SPAN(from), SPAN(header), false, &b),
	    -1);
	buf_fini(&b);
	/* 13 would be a dot, which it never says. */
	former_qpopper("0000000000000001000000000000000d", out);
	assert_string_equal(out, "!!!!!\"!!!!!!!!!~!!!!");
	former_qpopper("ffffffffffffffffffffffffffffffff", out);
	assert_string_equal(out, "0'/#!0'/#!0'/#!0'/#!");
}

static void
test_qpopper_field(void **state)
{
	static const struct {
		const char	*header;
		const char	*want;
	} table[] = {
		{ "X-UIDL: 1234567890\nx-uidl:  12345678901 \n", "12345678901" },
		{ "X-UIDL: 12345678901234567890123456789012\n",
		  "12345678901234567890123456789012" },
		{ "X-UIDL: 123456789012345678901234567890123\n", "" },
		{ "X-UIDL: 123456 78901\nSubject: 12345678901\n", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_true(span_eq(former_qpopper_field(
		    span_str(table[i].header)), span_str(table[i].want)));
}

static void
check_head(const char *text, bool whole, bool known, bool same)
{
	uint8_t a[MBOX_DIGEST];
	uint8_t b[MBOX_DIGEST];

	assert_true(former_head_digest(span_str("A: 1\nB: 2\n 3\n\nx"), true, a));
	assert_int_equal(former_head_digest(span_str(text), whole, b),
	    known);
	assert_int_equal(memcmp(a, b, sizeof(a)) == 0, same);
}

/* The same however it was kept and sent, and with any body. */
static void
test_head_digest(void **state)
{
	(void)state;
	check_head("A: 1\r\nB: 2\r\n 3\r\n\r\nother", true, true, true);
	check_head("A: 1\nB: 2\n 3", true, true, true);
	check_head("A: 1\nStatus: RO\nX-UIDL: a\n b\nB: 2\n 3\n\n", true, true,
	    true);
	check_head("A: 1\nB: 2\n 3\n\nx", false, true, true);
	check_head("A: 1\nB: 2\n 3\n", false, false, true);
	check_head("A: 1\nB: 2\n 4\n\n", true, true, false);
	check_head("B: 2\n 3\nA: 1\n\n", true, true, false);
	check_head("A: 1\rB: 2\n 3\n\n", true, true, false);
	check_head("A: 1B: 2\n 3\n\n", true, true, false);
	check_head("", true, true, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_head_digest),
		cmocka_unit_test(test_dovecot_file),
		cmocka_unit_test(test_courier_file),
		cmocka_unit_test(test_popa3d),
		cmocka_unit_test(test_qpopper),
		cmocka_unit_test(test_qpopper_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
#include "drop/maildir_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define LETTERS	"abcdefghijklmnopqrstuvwxyz"

static void
test_parse(void **state)
{
	static const struct {
		const char *name, *base;
		uint64_t time, usec;
		bool sized;
		uint64_t size, wire;
		bool seen;
	} table[] = {
		{ "1700000000.7.mx", "1700000000.7.mx", 1700000000, 0, 0, 0, 0, 0 },
		{ "1700000000.M12P7.mx:2,S", "1700000000.M12P7.mx", 1700000000,
		    12, 0, 0, 0, 1 },
		{ "17.V801Ia0M55.mx,S=10,W=12:2,FRS", "17.V801Ia0M55.mx,S=10,W=12",
		    17, 55, 1, 10, 12, 1 },
		{ "17.H88P1.mx,W=12,S=10", "17.H88P1.mx,W=12,S=10", 17, 88, 1, 10,
		    12, 0 },
		{ "17.1.h,S=10,W=9:2,", "17.1.h,S=10,W=9", 17, 0, 0, 10, 9, 0 },
		{ "17.1.h,S=10,W=22:2,", "17.1.h,S=10,W=22", 17, 0, 0, 10, 22, 0 },
		{ "17.1.h,S=10", "17.1.h,S=10", 17, 0, 0, 10, 0, 0 },
		{ "17.1.h,S=-1,W=1", "17.1.h,S=-1,W=1", 17, 0, 0, 0, 1, 0 },
		{ "17.1.h:2,F,S", "17.1.h", 17, 0, 0, 0, 0, 0 },
		{ "17.1.h:1,S", "17.1.h", 17, 0, 0, 0, 0, 0 },
		{ "note", "note", 0, 0, 0, 0, 0, 0 },
		{ "99999999999999999999.1.h", "99999999999999999999.1.h", 0, 0,
		    0, 0, 0, 0 },
	};
	struct maildir_name n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		print_message("%s\n", table[i].name);
		assert_true(maildir_name_parse(span_str(table[i].name), &n));
		assert_true(span_eq(n.base, span_str(table[i].base)));
		assert_int_equal(n.time, table[i].time);
		assert_int_equal(n.usec, table[i].usec);
		assert_int_equal(n.has_size, table[i].sized);
		assert_int_equal(n.size, table[i].size);
		assert_int_equal(n.wire, table[i].wire);
		assert_int_equal(n.seen, table[i].seen);
	}
	assert_false(maildir_name_parse(SPAN(".hidden"), &n));
	assert_true(maildir_name_parse(SPAN(":2,S"), &n));
	assert_int_equal(n.base.n, 0);
	assert_true(n.seen);
	assert_false(maildir_name_parse(SPAN(""), &n));
}

static void
test_seen(void **state)
{
	static const struct {
		const char *name, *want;	/* "": nothing to do */
	} table[] = {
		{ "17.1.h", "17.1.h:2,S" },
		{ "17.1.h:2,", "17.1.h:2,S" },
		{ "17.1.h:2,FR", "17.1.h:2,FRS" },
		{ "17.1.h:2,FTa", "17.1.h:2,FSTa" },
		{ "17.1.h:2,Ta,x=S", "17.1.h:2,STa,x=S" },
		{ "17.1.h:2,,x", "17.1.h:2,S,x" },
		{ "17.1.h:2,FS", "" },
		{ "17.1.h:1,x", "" },
		{ "17.1.h:", "17.1.h:2,S" },
	};
	char			out[MAILDIR_NAME_MAX + 1];
	char			big[MAILDIR_NAME_MAX + 1];
	struct maildir_name	n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		print_message("%s\n", table[i].name);
		assert_true(maildir_name_parse(span_str(table[i].name), &n));
		assert_int_equal(maildir_name_seen(&n, out),
		    table[i].want[0] != '\0');
		assert_string_equal(out, table[i].want);
	}
	memset(big, 'x', sizeof(big));
	for (size_t len = 250; len <= MAILDIR_NAME_MAX; len++) {
		assert_true(maildir_name_parse(span_of(big, len), &n));
		assert_int_equal(maildir_name_seen(&n, out), len <= 251);
	}
}

static void
uidl_of(const char *name, char out[DROP_UIDL_MAX + 1])
{
	struct maildir_name n;

	assert_true(maildir_name_parse(span_str(name), &n));
	maildir_name_uidl(n.base, out);
}

static void
test_uidl(void **state)
{
	static const struct {
		const char *name, *want;	/* NULL: a digest */
	} table[] = {
		{ "17.1.h:2,S", "17.1.h" },
		{ "1234567890123456789012345678901234567890123456789012345678901"
		    "234567890", "1234567890123456789012345678901234567890123456"
		    "789012345678901234567890" },
		{ "1234567890123456789012345678901234567890123456789012345678901"
		    "2345678901", NULL },
		{ "17.1.a b", NULL },
		{ "17.1.\303\244", NULL },
		{ "17.popper-" LETTERS "-1.bulletin,S=1,W=1", LETTERS },
		{ "17.popper-" "abcdefghijklmnopqrstuvwxy2-1.bulletin",
		    "abcdefghijklmnopqrstuvwxy2" },
		{ "17.popper-" "abcdefghijklmnopqrstuvwxy1-1.bulletin",
		    "17.popper-" "abcdefghijklmnopqrstuvwxy1-1.bulletin" },
	};
	struct maildir_bulletin	b = { 17, LETTERS, 3, 10, 12 };
	struct maildir_name	n;
	char			name[MAILDIR_NAME_MAX + 1];
	char			out[DROP_UIDL_MAX + 1];
	char			twin[DROP_UIDL_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		print_message("%s\n", table[i].name);
		uidl_of(table[i].name, out);
		if (table[i].want != NULL)
			assert_string_equal(out, table[i].want);
		else
			assert_int_equal(strlen(out), 26);
	}
	maildir_name_bulletin(&b, name);
	assert_true(maildir_name_parse(span_str(name), &n));
	assert_true(n.has_size && n.size == 10 && n.wire == 12);
	uidl_of(name, out);
	assert_string_equal(out, LETTERS);
	maildir_name_uidl_twin(n.base, 1, out);
	maildir_name_uidl_twin(n.base, 2, twin);
	assert_string_not_equal(out, twin);
}

static void
test_order(void **state)
{
	static const char *const rising[] = {
		"note", "9.1.h", "17.M1P9.h", "17.M2P1.h", "17.M2P1.ha",
		"17.M10P1.h", "18.1.h",
	};
	struct maildir_name a;
	struct maildir_name b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rising); i++)
		for (size_t k = 0; k < ARRAY_LEN(rising); k++) {
			int c;

			assert_true(maildir_name_parse(span_str(rising[i]),
			    &a));
			assert_true(maildir_name_parse(span_str(rising[k]),
			    &b));
			c = maildir_name_order(&a, &b);
			assert_int_equal(c < 0, i < k);
			assert_int_equal(c > 0, i > k);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_uidl),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
#include "drop/uidl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define F1	"From ann@example.org Mon Jan  1 10:00:00 2024\n"
#define ANN	F1 "Subject: a\n\nhello\n\n"
#define BOB	"From bob Tue Feb 13 23:59:00 2024\nSubject: b\n\nho\n\n"

/* Id of message `index` of a mailbox. */
static void
uidl_in(struct span mbox, size_t index, char out[DROP_UIDL_MAX + 1])
{
	struct mbox_table	t = { 0 };
	struct mbox_scan	s;

	mbox_scan_init(&s, &t);
	mbox_scan_feed(&s, mbox);
	assert_int_equal(mbox_scan_end(&s, NULL), 0);
	assert_true(index < t.n);
	uidl_format(t.m[index].digest, t.m[index].twin, out);
	mbox_table_fini(&t);
}

static void
test_form(void **state)
{
	static const struct {
		uint8_t		 digest[MBOX_DIGEST];
		uint32_t	 twin;
		const char	*want;
	} table[] = {
		{ { 0 }, 1, "aaaaaaaaaaaaaaaaaaaaaaaaaa" },
		{ { 0 }, 2, "aaaaaaaaaaaaaaaaaaaaaaaaaa.2" },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, UINT32_MAX,
		    "777777777777777777777777" "74.4294967295" },
		/* RFC 4648 s.6: all letters */
		{ { 0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35,
		    0xcf, 0x84, 0x65, 0x3a, 0x56, 0xd7, 0xc6 }, 1,
		    "abcdefghijklmnopqrstuvwxy" "y" },
		{ { 0x42, 0x54, 0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3a, 0x56,
		    0xd7, 0xc6, 0x75, 0xbe, 0x77, 0xdf, 0xff }, 10,
		    "ijklmnopqrstuvwxyz234567" "74.10" },
		/* RFC 4648 s.10: "foobar" is MZXW6YTBOI */
		{ "foobar", 1, "mzxw6ytboiaaaaaaaaaaaaaaaa" },
	};
	char out[DROP_UIDL_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_ptr_equal(uidl_format(table[i].digest, table[i].twin,
		    out), out + strlen(table[i].want));
		assert_string_equal(out, table[i].want);
	}
}

/* An id as it was when this was written (xxhsum -H2 says the same): it is a
 * promise to clients. */
static void
test_promise(void **state)
{
	char out[DROP_UIDL_MAX + 1];

	(void)state;
	uidl_in(SPAN(ANN), 0, out);
	assert_string_equal(out, "al5xufq7d2ph4m5fqsdpl64qk4");
}

static void
test_stable(void **state)
{
	static const struct {
		const char	*what;
		struct span	 mbox;
		size_t		 index;
		bool		 same;
	} table[] = {
		{ "copy", SPAN(ANN), 0, true },
		{ "others before it", SPAN(BOB ANN), 1, true },
		{ "Status added", SPAN(F1 "Subject: a\nStatus: RO\n\nhello\n\n"),
		    0, true },
		{ "Status first", SPAN(F1 "Status: RO\nSubject: a\n\nhello\n\n"),
		    0, true },
		{ "IMAP fields", SPAN(F1 "X-IMAPbase: 1 2\n a\nX-UID: 3\n"
		    "Subject: a\nX-Status: A\nX-Keywords:    \nX-UIDL: q\n"
		    "Content-Length: 6\nLines: 1\nx-imap: 2\n\nhello\n\n"),
		    0, true },
		{ "the last blank line is missing",
		    SPAN(F1 "Subject: a\n\nhello\n"), 0, true },
		{ "mutable name in the body",
		    SPAN(F1 "Subject: a\n\nStatus: RO\nhello\n\n"), 0, false },
		{ "another field", SPAN(F1 "Subject: a\nX-Spam: no\n\nhello\n\n"),
		    0, false },
		{ "another body", SPAN(F1 "Subject: a\n\nhellO\n\n"), 0, false },
		{ "one more blank line",
		    SPAN(F1 "Subject: a\n\nhello\n\n\n"), 0, false },
		{ "another sender", SPAN(BOB), 0, false },
	};
	char first[DROP_UIDL_MAX + 1];
	char out[DROP_UIDL_MAX + 1];

	(void)state;
	uidl_in(SPAN(ANN), 0, first);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		print_message("%s\n", table[i].what);
		uidl_in(table[i].mbox, table[i].index, out);
		assert_int_equal(strcmp(first, out) == 0, table[i].same);
	}
}

static void
test_twins(void **state)
{
	char first[DROP_UIDL_MAX + 1];
	char out[DROP_UIDL_MAX + 1];
	char want[DROP_UIDL_MAX + 8];

	(void)state;
	uidl_in(SPAN(ANN), 0, first);
	for (size_t i = 0; i < 3; i++) {
		uidl_in(SPAN(ANN ANN ANN), i, out);
		(void)snprintf(want, sizeof(want), "%s%s", first,
		    i == 0 ? "" : i == 1 ? ".2" : ".3");
		assert_string_equal(out, want);
	}
	/* The first is deleted: the second takes its id. */
	uidl_in(SPAN(BOB ANN), 1, out);
	assert_string_equal(out, first);
}

/* New ones get the numbers that they have when all are numbered at once, wherever new
 * ones begin; digests of few kinds, which differ early or late. */
static void
test_new_twins(void **state)
{
	struct mbox_msg		all[60];
	struct mbox_msg		m[ARRAY_LEN(all)];
	struct mbox_table	t = { .m = all, .n = ARRAY_LEN(all) };
	struct twins		w;
	unsigned		dice = 1;

	(void)state;
	memset(all, 0, sizeof(all));
	for (size_t i = 0; i < t.n; i++) {
		dice = dice * 1103515245 + 12345;
		all[i].digest[dice >> 16 & 1 ? 1 : 15] = dice >> 20 & 7;
	}
	mbox_number_twins(&t);
	for (size_t first = 0; first <= t.n; first++) {
		struct mbox_table new = { .m = m + first, .n = t.n - first };

		memcpy(m, all, sizeof(m));
		for (size_t i = first; i < t.n; i++)
			m[i].twin = 0;
		twins_begin(&w, &new);
		for (size_t i = 0; i < first; i++)
			twins_older(&w, m[i].digest, m[i].twin);
		twins_end(&w);
		assert_memory_equal(m, all, sizeof(m));
	}
}

/* Of many kinds, as digests are, and every fourth one differs at its end alone. */
static void
put_digest(struct mbox_msg *m, unsigned kind)
{
	uint64_t half[2] = { 0 };

	half[1] = (kind + 1) * UINT64_C(0x9e3779b97f4a7c15);
	if (kind % 4 != 0)
		half[0] = half[1] * half[1];
	memcpy(m->digest, half, sizeof(m->digest));
}

static uint32_t
count_up_to(const struct mbox_msg *m, size_t i)
{
	uint32_t n = 1;

	for (size_t k = 0; k < i; k++)
		n += memcmp(m[k].digest, m[i].digest, MBOX_DIGEST) == 0;
	return n;
}

static void
test_many_twins(void **state)
{
	static struct mbox_msg	all[2000];
	struct mbox_table	t = { .m = all, .n = ARRAY_LEN(all) };
	struct mbox_table	new = { .m = all + 700, .n = t.n - 700 };
	struct twins		w;
	unsigned		dice = 1;

	(void)state;
	for (size_t i = 0; i < t.n; i++) {
		dice = dice * 1103515245 + 12345;
		put_digest(&all[i], (dice >> 16) % 1000);
	}
	mbox_number_twins(&t);
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(all[i].twin, count_up_to(all, i));
	twins_begin(&w, &new);
	for (size_t i = 0; i < 700; i++)
		twins_older(&w, all[i].digest, all[i].twin);
	twins_end(&w);
	for (size_t i = 700; i < t.n; i++)
		assert_int_equal(all[i].twin, count_up_to(all, i));
}

static struct drop_entry
entry(const char *uidl)
{
	struct drop_entry e = { 0 };

	assert_true(span_cstr(span_str(uidl), e.uidl, sizeof(e.uidl)));
	return e;
}

#define A	"aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B	"bbbbbbbbbbbbbbbbbbbbbbbbbb"

static void
test_distinct(void **state)
{
	struct drop_entry e[] = {
		entry(B), entry(A), entry(A ".2"), entry(A), entry(B), entry(A),
	};
	static const char *const want[] = {
		B, A, A ".2", A ".3", B ".2", A ".4",
	};
	struct drop_entry *list[ARRAY_LEN(e)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		list[i] = &e[i];
	drop_distinct(list, ARRAY_LEN(e), 0);
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		assert_string_equal(e[i].uidl, want[i]);
	drop_distinct(list, 0, 0);
}

/* A promised id is shown as it is, whatever it looks like. */
static void
test_distinct_promised(void **state)
{
	struct drop_entry e[] = {
		entry(A), entry(A "-of-another-server"), entry(B ".7"), entry(A),
	};
	struct drop_entry *list[] = { &e[0], &e[1], &e[2], &e[3] };

	(void)state;
	e[1].flags = e[2].flags = DROP_PROMISED;
	drop_distinct(list, ARRAY_LEN(e), 0);
	assert_string_equal(e[0].uidl, A);
	assert_string_equal(e[1].uidl, A "-of-another-server");
	assert_string_equal(e[2].uidl, B ".7");
	assert_string_equal(e[3].uidl, A ".2");
}

/* The first twin has another id, that was promised: bulletins change nothing of it. */
static void
test_distinct_own(void **state)
{
	struct drop_entry e[] = {
		entry("promised"), entry(A ".2"), entry(B), entry(A), entry(B),
	};
	static const char *const want[] = {
		"promised", A ".2", B, A ".3", B ".2",
	};
	struct drop_entry *list[ARRAY_LEN(e)];

	(void)state;
	e[0].flags = DROP_PROMISED;
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		list[i] = &e[i];
	drop_distinct(list, ARRAY_LEN(e), 3);
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		assert_string_equal(e[i].uidl, want[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_promise),
		cmocka_unit_test(test_stable),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_new_twins),
		cmocka_unit_test(test_many_twins),
		cmocka_unit_test(test_distinct),
		cmocka_unit_test(test_distinct_promised),
		cmocka_unit_test(test_distinct_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
#include "drop/mbox_scan.h"

#include "base/alloc.h"
#include "base/wide.h"
#include "drop/mbox_plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define F1	"From ann@example.org Mon Jan  1 10:00:00 2024\n"
#define F2	"From bob Tue Feb 13 23:59 CET 2024\n"
#define F3	"From c!d Wed Mar 20 01:02:03 2024 remote from uuhost\n"
#define FC	"From cr@example.org Mon Jan  1 10:00:00 2024\r\n"
#define WORDS	"From \"a b c d e f g h i j k l m n o p q r s t u v w x y z\"@x"
#define FW	WORDS " Mon Jan  1 10:00:00 2024\n"
#define FD	"From \"x Tue Jan 2 00:00:00 2024 y\"@x Mon Jan  1 10:00:00 2024\n"
#define INTERNAL	\
	"From MAILER-DAEMON Mon Jan  1 10:00:00 2024\n"			\
	"From: Mail System Internal Data <MAILER-DAEMON@x>\n"		\
	"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"	\
	"X-IMAP: 1 2\nStatus: RO\n\nThis text is part of the format\n\n"

struct want {
	const char	*text;		/* NULL at the end of the list */
	size_t		 n;
	uint64_t	 wire;
	uint32_t	 flags;		/* beside MBOX_SEPARATED */
	bool		 separated;
};
#define TEXT(t)	t, sizeof(t) - 1

static const struct {
	const char	*name;
	const char	*mbox;
	size_t		 n;
	bool		 foreign;
	struct want	 want[6];
} table[] = {
	{ "empty", TEXT(""), .want = { { 0 } } },
	{ "only blank", TEXT("\n\r\n\0\0\n"), .want = { { 0 } } },
	{ "one", TEXT(F1 "A: b\n\nhi\n\n"), .want = {
		{ TEXT("A: b\n\nhi\n"), 6 + 2 + 4, 0, true } } },
	{ "two", TEXT(F1 "A: b\n\nhi\n\n" F2 "C: d\n\nho\n\n"), .want = {
		{ TEXT("A: b\n\nhi\n"), 12, 0, true },
		{ TEXT("C: d\n\nho\n"), 12, 0, true } } },
	{ "remote from, no seconds, zone", TEXT(F2 "\n\n" F3 "\nx\n\n"
	    F1 "\ny\n"), .want = {
		{ TEXT("\n"), 2, 0, true }, { TEXT("\nx\n"), 5, 0, true },
		{ TEXT("\ny\n"), 5, 0, false } } },
	{ "no blank line before", TEXT(F1 "\na\n" F2 "b\n\n"), .want = {
		{ TEXT("\na\n" F2 "b\n"), 2 + 3 + sizeof(F2) + 3, 0, true } } },
	{ "From_ in the header", TEXT(F1 F2 "A: b\n\n\n"), .want = {
		{ TEXT(F2 "A: b\n\n"), sizeof(F2) + 6 + 2, 0, true } } },
	{ "From_ without a date", TEXT(F1 "\na\n\nFrom here on\n\n"), .want = {
		{ TEXT("\na\n\nFrom here on\n"), 2 + 3 + 2 + 14, 0, true } } },
	{ "quoted", TEXT(F1 "\na\n\n>" F2 "\n"), .want = {
		{ TEXT("\na\n\n>" F2), 2 + 3 + 2 + 1 + sizeof(F2), 0, true } } },
	{ "blank lines stay but one", TEXT(F1 "\na\n\n\n\n" F2 "\n\n\n"),
	    .want = {
		{ TEXT("\na\n\n\n"), 2 + 3 + 4, 0, true },
		{ TEXT("\n\n"), 4, 0, true } } },
	{ "header ends the message", TEXT(F1 "A: b\n\n" F2 "C: d\n"), .want = {
		{ TEXT("A: b\n"), 6, 0, true }, { TEXT("C: d\n"), 6, 0, false } } },
	{ "From_ lines alone", TEXT(F1 "\n" F2 "\n" F1), .want = {
		{ TEXT(""), 0, 0, true }, { TEXT(""), 0, 0, true },
		{ TEXT(""), 0, 0, false } } },
	{ "From_ line without LF", TEXT(F1 "\n\nFrom a Mon Jan 1 1:00 2024"),
	    .want = {
		{ TEXT("\n"), 2, 0, true },
		{ TEXT(""), 0, MBOX_HEAD_OPEN, false } } },
	{ "no LF at the end", TEXT(F1 "\nabc"), .want = {
		{ TEXT("\nabc"), 2 + 5, 0, false } } },
	{ "no LF in the header", TEXT(F1 "A: b"), .want = {
		{ TEXT("A: b"), 6, MBOX_HEAD_OPEN, false } } },
	{ "CRLF", TEXT(FC "A: b\r\n\r\nx\r\n\r\n" FC "\r\ny\r\n\r\n"), .want = {
		{ TEXT("A: b\r\n\r\nx\r\n"), 11, MBOX_CRLF, true },
		{ TEXT("\r\ny\r\n"), 5, MBOX_CRLF, true } } },
	{ "mixed line ends", TEXT(F1 "A: b\n\nx\r\ny\r\r\nz\rw\n\r\n" FC "\n"),
	    .want = {
		{ TEXT("A: b\n\nx\r\ny\r\r\nz\rw\n"), 6 + 2 + 3 + 4 + 5, 0, true },
		{ TEXT(""), 0, MBOX_CRLF, true } } },
	{ "CR that is no line end", TEXT(F1 "\na\n\r\r\n\rFrom x\n\r"), .want = {
		{ TEXT("\na\n\r\r\n\rFrom x\n\r"), 2 + 3 + 3 + 9 + 3, 0, false } } },
	/* What strangers may call themselves, as Postfix and Exim write it. */
	{ "senders of many words, and with a date", TEXT(FW "\na\n\n" FD "b: c\n"
	    "\n\n" F1 "\nd\n\n" FW), .want = {
		{ TEXT("\na\n"), 5, 0, true }, { TEXT("b: c\n\n"), 8, 0, true },
		{ TEXT("\nd\n"), 5, 0, true }, { TEXT(""), 0, 0, false } } },
	{ "many words and no date", TEXT(F1 "\na\n\n" WORDS "\r\n\r\n" F2),
	    .want = {
		{ TEXT("\na\n\n" WORDS "\r\n"), 7 + sizeof(WORDS) + 1, 0, true },
		{ TEXT(""), 0, 0, false } } },
	{ "NULs", TEXT("\0\0\0" F1 "A: \0b\n\n\0x\n\n\0" F2 "\n"), .want = {
		{ TEXT("A: \0b\n\n\0x\n\n\0" F2),
		    7 + 2 + 4 + 2 + 1 + sizeof(F2), 0, true } } },
	{ "beyond ASCII", TEXT(F1 "A: \xe9\n\n\n" F2 "\n\xc3\n\n" F1 "X-UID: "
	    "\xff\n\n\n" F3 "\na\n\n"), .want = {
		{ TEXT("A: \xe9\n\n"), 6 + 2, MBOX_8BIT, true },
		{ TEXT("\n\xc3\n"), 5, MBOX_8BIT, true },
		{ TEXT("X-UID: \xff\n\n"), 10 + 2, MBOX_8BIT, true },
		{ TEXT("\na\n"), 5, 0, true } } },
	{ "seen", TEXT(F1 "Status: RO\n\na\n\n" F2 "sTATUS:r\n\nb\n\n"
	    F3 "\nStatus: R\n\n" F1 "X-Status: R\nStatus : OR\n\n\n"), .want = {
		{ TEXT("Status: RO\n\na\n"), 17, MBOX_SEEN, true },
		{ TEXT("sTATUS:r\n\nb\n"), 15, 0, true },
		{ TEXT("\nStatus: R\n"), 13, 0, true },
		{ TEXT("X-Status: R\nStatus : OR\n\n"), 28, MBOX_SEEN, true } } },
	{ "pseudo-message", TEXT(INTERNAL F1 "\na\n\n"), .want = {
		{ TEXT("From: Mail System Internal Data <MAILER-DAEMON@x>\n"
		    "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"
		    "\nX-IMAP: 1 2\nStatus: RO\n\n"
		    "This text is part of the format\n"),
		    51 + 60 + 13 + 12 + 2 + 33, MBOX_HIDDEN | MBOX_SEEN, true },
		{ TEXT("\na\n"), 5, 0, true } } },
	{ "one sign is not enough, nor a second place", TEXT(F1 "X-IMAP: 1\n\n"
	    "\n" INTERNAL), .want = {
		{ TEXT("X-IMAP: 1\n\n"), 13, 0, true },
		{ TEXT("From: Mail System Internal Data <MAILER-DAEMON@x>\n"
		    "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"
		    "\nX-IMAP: 1 2\nStatus: RO\n\n"
		    "This text is part of the format\n"),
		    51 + 60 + 13 + 12 + 2 + 33, MBOX_SEEN, true } } },
	{ "Content-Length lies", TEXT(F1 "Content-Length: 999\n\na\n\n" F2 "\n"),
	    .want = {
		{ TEXT("Content-Length: 999\n\na\n"), 21 + 2 + 3, 0, true },
		{ TEXT(""), 0, 0, true } } },
	{ "text", TEXT("Dear all\n"), .foreign = true },
	{ "text behind blank lines", TEXT("\n\nDear all\n"), .foreign = true },
	{ "From without a date", TEXT("From me\n\n"), .foreign = true },
	{ "binary", TEXT("\0\1\2"), .foreign = true },
	{ "many words and no date", TEXT(WORDS "\n" F1 "\n"), .foreign = true },
	{ "blank before From_", TEXT(" " F1 "\n"), .foreign = true },
};

static int
scan_split(const char *mbox, size_t n, size_t split, struct mbox_table *t)
{
	struct mbox_scan s;

	*t = (struct mbox_table){ 0 };
	mbox_scan_init(&s, t);
	mbox_scan_feed(&s, span_of(mbox, split));
	mbox_scan_feed(&s, span_of(mbox + split, n - split));
	assert_int_equal(s.pos, n);
	return mbox_scan_end(&s, NULL);
}

static void
check_rows(const char *mbox, size_t n, const struct want *want,
    const struct mbox_table *t)
{
	size_t i = 0;

	for (; want[i].text != NULL; i++) {
		const struct mbox_msg *m = &t->m[i];

		assert_true(i < t->n);
		assert_int_equal(m->end - m->text, want[i].n);
		assert_memory_equal(mbox + m->text, want[i].text, want[i].n);
		assert_int_equal(m->size_wire, want[i].wire);
		assert_int_equal(m->flags, want[i].flags |
		    (want[i].separated ? MBOX_SEPARATED : 0));
		assert_int_equal(m->next, i + 1 < t->n ? t->m[i + 1].from : n);
		assert_memory_equal(mbox + m->from, "From ", 5);
		assert_true(m->head_end >= m->text && m->head_end <= m->end);
		if (m->status_len > 0)
			assert_true(m->status >= m->text &&
			    m->status + m->status_len <= m->head_end);
	}
	assert_int_equal(t->n, i);
}

static void
test_table(void **state)
{
	struct mbox_table t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int r = scan_split(table[i].mbox, table[i].n, 0, &t);

		print_message("%s\n", table[i].name);
		assert_int_equal(r, table[i].foreign ? -1 : 0);
		if (r == 0)
			check_rows(table[i].mbox, table[i].n, table[i].want,
			    &t);
		mbox_table_fini(&t);
	}
}

static void
test_delivered(void **state)
{
	static const char	all[] = F1 "\n\n" F2 "\n\n" F3 "\n\n" FC "\n\n"
				    FW "\n\n" FD "\n\nFrom a Mon Jan 1 1:00 2024";
	static const uint64_t	want[] = { 1704103200, 1707868740, 0, 1704103200,
				    1704103200, 1704103200, 1704070800 };
	struct mbox_table	t;

	(void)state;
	assert_int_equal(scan_split(all, sizeof(all) - 1, 0, &t), 0);
	assert_int_equal(t.n, ARRAY_LEN(want));
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(t.m[i].delivered, want[i]);
	mbox_table_fini(&t);
}

static void
assert_same(const struct mbox_table *a, const struct mbox_table *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_memory_equal(&a->m[i], &b->m[i], sizeof(a->m[i]));
}

static void
test_every_split(void **state)
{
	struct mbox_table whole;
	struct mbox_table t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int r = scan_split(table[i].mbox, table[i].n, 0, &whole);

		for (size_t cut = 1; cut <= table[i].n; cut++) {
			assert_int_equal(r, scan_split(table[i].mbox,
			    table[i].n, cut, &t));
			assert_same(&whole, &t);
			mbox_table_fini(&t);
		}
		mbox_table_fini(&whole);
	}
}

static void
add(char *b, size_t *len, const char *text)
{
	size_t n = strlen(text);

	memcpy(b + *len, text, n);
	*len += n;
}

static void
add_many(char *b, size_t *len, char c, size_t n)
{
	memset(b + *len, c, n);
	*len += n;
}

/* Lines around every bound of what is held, as From_, header and body. */
static void
test_long_lines(void **state)
{
	struct mbox_table	t;
	struct mbox_table	u;

	(void)state;
	for (size_t n = MBOX_HELD - 12; n < MBOX_HELD + 12; n++) {
		size_t	len = 0;
		char	*b = xalloc(4 * n + 400, 1);

		add(b, &len, F1 "Subject: x\nStatus: ");
		add_many(b, &len, 'O', n);
		add(b, &len, "\n\n");
		add_many(b, &len, '\r', n);
		add(b, &len, "\n\nFrom ");
		add_many(b, &len, 'a', n);
		add(b, &len, " Mon Jan  1 10:00:00 20245\n\n" F2 "\n");
		assert_int_equal(scan_split(b, len, 0, &t), 0);
		assert_int_equal(t.n, 2);
		assert_int_equal(t.m[0].status, sizeof(F1) - 1 + 11);
		assert_int_equal(t.m[0].status_len, 8 + n + 1);
		assert_int_equal(t.m[0].head_end, t.m[0].status + 8 + n + 1);
		for (size_t cut = 1; cut < len; cut += 7) {
			assert_int_equal(scan_split(b, len, cut, &u), 0);
			assert_same(&t, &u);
			mbox_table_fini(&u);
		}
		mbox_table_fini(&t);
		free(b);
	}
}

/* The same two messages whatever the From_ line of the second one is. */
static void
expect_two(const char *from, size_t nfrom, bool crlf, struct mbox_table *t)
{
	size_t		 len = 0;
	char		*b = xalloc(nfrom + 400, 1);
	struct mbox_table u;

	add(b, &len, F1 "A: b\n\nc\r\n\r\n");
	memcpy(b + len, from, nfrom);
	len += nfrom;
	add(b, &len, "D: e\n\nf\n\n");
	assert_int_equal(scan_split(b, len, 0, t), 0);
	assert_int_equal(t->n, 2);
	assert_int_equal(t->m[0].size_wire, 6 + 2 + 3);
	assert_int_equal(t->m[0].flags, MBOX_SEPARATED);
	assert_int_equal(t->m[0].end, t->m[0].text + 5 + 1 + 3);
	assert_int_equal(t->m[1].text, t->m[1].from + nfrom);
	assert_int_equal(t->m[1].size_wire, 6 + 2 + 3);
	assert_int_equal(t->m[1].flags,
	    MBOX_SEPARATED | (crlf ? MBOX_CRLF : 0));
	for (size_t cut = 1; cut < len; cut += 1 + cut / 9) {
		assert_int_equal(scan_split(b, len, cut, &u), 0);
		assert_same(t, &u);
		mbox_table_fini(&u);
	}
	free(b);
}

/* No From_ line is too long, first in the file or further down; nor is one
 * taken for text, or text for one, because of its length. */
static void
test_long_from_lines(void **state)
{
	static char		line[200000];
	struct mbox_table	t;
	struct mbox_table	u;

	(void)state;
	for (size_t n = 900; n < 150000; n += n / 3) {
		size_t	bare = 0;
		size_t	len;

		add(line, &bare, "From ");
		add_many(line, &bare, 'a', n);
		add(line, &bare, " Mon Jan  1 10:00:00 2024");
		len = bare;
		add(line, &len, "\n");
		expect_two(line, len, false, &t);
		len = bare;
		add(line, &len, "\r\n");
		expect_two(line, len, true, &u);
		/* the line end counts for the identity of neither */
		assert_memory_equal(t.m[0].digest, u.m[0].digest, MBOX_DIGEST);
		assert_memory_equal(t.m[1].digest, u.m[1].digest, MBOX_DIGEST);
		mbox_table_fini(&u);
		mbox_table_fini(&t);
		len = bare;
		add(line, &len, "\n\nx\n\n" F2 "\n");
		assert_int_equal(scan_split(line, len, 0, &t), 0);
		assert_int_equal(t.n, 2);
		assert_int_equal(t.m[0].text, bare + 1);
		mbox_table_fini(&t);
		assert_int_equal(scan_split(line, bare + 1, 9, &t), 0);
		assert_int_equal(t.n, 1);
		assert_int_equal(t.m[0].flags, 0);
		mbox_table_fini(&t);
		assert_int_equal(scan_split(line, bare, 9, &t), 0);
		assert_int_equal(t.n, 1);
		assert_int_equal(t.m[0].flags, MBOX_HEAD_OPEN);
		mbox_table_fini(&t);
		assert_int_equal(scan_split(line, bare - 1, 9, &t), -1);
		mbox_table_fini(&t);
	}
}

/* Sizes on the wire by another way: octet by octet, CR before lone LF. */
static uint64_t
wire_plainly(const char *p, size_t n)
{
	uint64_t	octets = 0;

	for (size_t i = 0; i < n; i++)
		octets += p[i] == '\n' && (i == 0 || p[i - 1] != '\r') ? 2 : 1;
	return n > 0 && p[n - 1] != '\n' ? octets + 2 : octets;
}

/* A last message without its last line end, and with what makes it whole: one
 * message.  `not`: it became another one. */
static void
test_missing_end(void **state)
{
	static const struct {
		const char	*torn;
		const char	*whole;
		bool		 not;
	} rows[] = {
		{ F1 "A: b\n\nabc", F1 "A: b\n\nabc\n" },
		{ F1 "A: b\n\nabc", F1 "A: b\n\nabc\n\n" F2 "\nx\n" },
		{ F1 "A: b\n\nabc", F1 "A: b\n\nabc\r\n", true },
		{ F1 "A: b\n\nabc", F1 "A: b\n\nabcd", true },
		{ F1 "A: b\n\nabc", F1 "A: b\n\nabc\n\n\n", true },
		{ F1 "A: b\n\nabc\r", F1 "A: b\n\nabc\r\r\n\n" },
		{ F1 "A: b\n\nabc\r", F1 "A: b\n\nabc\r\n", true },
		{ F1 "A: b\n\n\r", F1 "A: b\n\n\r\r\n\n" },
		{ F1 "A: b", F1 "A: b\n" },
		{ F1 "A: b", F1 "A: b\n\n" },
		{ F1 "A: b\r", F1 "A: b\r\r\n\n" },
		{ F1 "Status: R", F1 "Status: R\n\n" },
		{ F1 "A: b\nX-UID: 7\n 8", F1 "A: b\nX-UID: 7\n 8\n\n" },
		{ F1 "Lines: 3\r", F1 "Lines: 3\r\r\n\n" },
		{ "From a Mon Jan 1 1:00 2024", "From a Mon Jan 1 1:00 2024\n" },
		{ "From a Mon Jan 1 1:00 2024\r",
		  "From a Mon Jan 1 1:00 2024\r\n\r\n" },
		{ F1, F1 "\n" },
		{ F1 "\n", F1 "\n\n", true },	/* one more is text */
		{ F1 "A: b\n\nabc\n", F1 "A: b\n\nabc\n\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct mbox_msg	*a;
		const struct mbox_msg	*b;
		struct mbox_table	 t;
		struct mbox_table	 u;
		bool			 same;

		print_message("%s|\n%s|\n", rows[i].torn, rows[i].whole);
		assert_int_equal(scan_split(rows[i].torn, strlen(rows[i].torn),
		    0, &t), 0);
		assert_int_equal(scan_split(rows[i].whole,
		    strlen(rows[i].whole), 0, &u), 0);
		a = &t.m[0];
		b = &u.m[0];
		same = memcmp(a->digest, b->digest, MBOX_DIGEST) == 0 &&
		    memcmp(a->changing, b->changing, MBOX_DIGEST) == 0;
		assert_int_equal(same, !rows[i].not);
		if (same)
			assert_int_equal(a->size_wire, b->size_wire);
		mbox_table_fini(&t);
		mbox_table_fini(&u);
	}
}

/*
 * Unique-ids that clients have: no version of popper may give others to the
 * same messages.
 */
static void
test_digests_stay(void **state)
{
	static const struct {
		const char	*mbox;
		const char	*digest;
	} rows[] = {
		{ F1 "A: b\n\nhi\n\n",
		  "66fb53f65c4748a6284084c9caf6883b" },
		{ F1 "A: b\n\nhi\n",
		  "66fb53f65c4748a6284084c9caf6883b" },
		{ F2 "Status: RO\nA: b\nX-UID: 1\n 2\n\nFrom x\n\n>From y\n\n\n",
		  "1d57eedf1116f382d8c2844a11088771" },
		{ FC "A: b\r\n\r\nhi\r\n\r\n",
		  "49cbf5a08f1d67dbdf42db956e8eed3d" },
		{ F3,
		  "8a5f5822ddc111b888b1dd10bcae2422" },
		{ F3 "\n",
		  "8a5f5822ddc111b888b1dd10bcae2422" },
		{ "From x Mon Jan 1 1:00 2024",
		  "076427e11ac18f3e61ea2a7624f6a40e" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char			hex[2 * MBOX_DIGEST + 1];
		struct mbox_table	t;

		assert_int_equal(scan_split(rows[i].mbox, strlen(rows[i].mbox),
		    0, &t), 0);
		for (size_t k = 0; k < MBOX_DIGEST; k++)
			(void)snprintf(hex + 2 * k, 3, "%02x",
			    t.m[0].digest[k]);
		assert_string_equal(hex, rows[i].digest);
		mbox_table_fini(&t);
	}
}

/* k messages of random text, quoted strictly, come out as they went in. */
static size_t
random_text(char *out, size_t max)
{
	static const char *const parts[] = {
		"\n", "\r\n", "\n\n", "From ", F1, ">From x\n", "text", "Status: R\n",
		"\r", ".", "..\n", "a: b\n", "\0", " ", "Content-Length: 4\n",
	};
	size_t	n = 0;
	char	raw[2048];
	size_t	len = 0;

	for (int k = rand() % 24; k > 0; k--) {
		const char *part = parts[(size_t)rand() % ARRAY_LEN(parts)];
		size_t add = strlen(part) == 0 ? 1 : strlen(part);

		memcpy(raw + len, part, add);
		len += add;
	}
	for (size_t i = 0; i < len; i++) {
		if ((i == 0 || raw[i - 1] == '\n') && len - i >= 5 &&
		    memcmp(raw + i, "From ", 5) == 0)
			out[n++] = '>';
		out[n++] = raw[i];
	}
	if (n > 0 && out[n - 1] != '\n')
		out[n++] = '\n';
	assert_true(n < max);
	return n;
}

/* No mailbox, and its first line is longer than what is held of a line. */
static void
test_long_foreign_line(void **state)
{
	struct mbox_table t;

	(void)state;
	for (size_t n = MBOX_HELD - 2; n < 3 * MBOX_HELD; n += 61) {
		size_t	len = 0;
		char	*b = xalloc(n, 1);

		add_many(b, &len, 'x', n);
		assert_int_equal(scan_split(b, len, 0, &t), -1);
		mbox_table_fini(&t);
		free(b);
	}
}

static void
test_random(void **state)
{
	static char		b[200000];
	size_t			at[64];
	size_t			len[64];
	struct mbox_table	t;
	struct mbox_table	u;

	(void)state;
	srand(4711);
	for (int round = 0; round < 2000; round++) {
		size_t	k = (size_t)rand() % 20;
		size_t	n = 0;
		struct mbox_scan s;

		for (size_t i = 0; i < k; i++) {
			add(b, &n, i % 2 ? F1 : F3);
			at[i] = n;
			len[i] = random_text(b + n, 4096);
			n += len[i];
			b[n++] = '\n';
		}
		assert_int_equal(scan_split(b, n, 0, &t), 0);
		assert_int_equal(t.n, k);
		for (size_t i = 0; i < k; i++) {
			assert_int_equal(t.m[i].text, at[i]);
			assert_int_equal(t.m[i].end - at[i], len[i]);
			assert_int_equal(t.m[i].size_wire,
			    wire_plainly(b + at[i], len[i]));
		}
		u = (struct mbox_table){ 0 };
		mbox_scan_init(&s, &u);
		for (size_t i = 0; i < n;) {
			size_t step = (size_t)rand() % 97 + 1;

			step = step < n - i ? step : n - i;
			mbox_scan_feed(&s, span_of(b + i, step));
			i += step;
		}
		assert_int_equal(mbox_scan_end(&s, NULL), 0);
		assert_same(&t, &u);
		mbox_table_fini(&t);
		mbox_table_fini(&u);
	}
}

/* Whatever might be taken for something else, next to everything else. */
static size_t
random_mbox(char *out, size_t room)
{
#define PART(lit)	{ lit, sizeof(lit) - 1 }
	static const struct { const char *p; size_t n; } parts[] = {
		PART("\n"), PART("\n"), PART("\n\n"), PART("\r\n"), PART("\r"),
		PART("\r\n\r\n"), PART("\n\r"), PART("From "), PART("F"),
		PART("Fr"), PART(F1), PART("\n" F1), PART("\n\n" F2),
		PART("\r\n\r\n" FC), PART("\n\n" FC), PART("\n\nFrom x\n"),
		PART("\n\nFar from it"), PART("\nStatus: RO\n"),
		PART("Status: R\n"), PART("status : O\n"), PART("Status\n:"),
		PART("X-UID: 4\n 5\n"), PART("Subject: x\n y\n"), PART("A: b\n"),
		PART("X-Spam: no\n"), PART("Content-Length: 4\n"), PART(" "),
		PART("\t"), PART("Content-Type: text/plain\n"), PART("\0"),
		PART("Lines: 3"), PART("."), PART("\xe4"), PART("text"),
		PART("0123456789abcdefghijklmnopqrstuvwxyz"),
		PART("0123456789abcdefghijklmnopqrstuvwxyz\n"),
	};
#undef PART
	size_t	n = 0;
	size_t	k = 0;

	add(out, &n, rand() % 16 == 0 ? "\n" F1 : rand() % 4 == 0 ? FC : F1);
	for (int left = rand() % 40; left > 0; left--) {
		k = rand() % 4 == 0 ? k : (size_t)rand() % ARRAY_LEN(parts);
		assert_true(parts[k].n < room - n);
		memcpy(out + n, parts[k].p, parts[k].n);
		n += parts[k].n;
	}
	return n;
}

/* In one piece, and in random ones: what the plain way finds. */
static void
test_against_the_plain_way(void **state UNUSED)
{
	static char		b[8192];
	struct mbox_table	t;
	struct mbox_table	plain;

	srand(4712);
	for (int round = 0; round < 6000; round++) {
		size_t	n = random_mbox(b, sizeof(b));

		plain = (struct mbox_table){ 0 };
		assert_true(mbox_plain(span_of(b, n), &plain));
		for (int i = 0; i < 4; i++) {
			assert_int_equal(scan_split(b, n,
			    i == 0 ? 0 : (size_t)rand() % n, &t), 0);
			assert_same(&plain, &t);
			mbox_table_fini(&t);
		}
		mbox_table_fini(&plain);
	}
}

static void
test_more_than_the_table_takes(void **state)
{
	static const char	mbox[] = F1 "\n" F2 "\n" F3 "\nx\n\n" F1 "\n";
	struct mbox_table	t = { 0 };
	struct mbox_scan	s;

	(void)state;
	mbox_scan_init(&s, &t);
	s.max = 2;
	mbox_scan_feed(&s, SPAN(mbox));
	assert_int_equal(mbox_scan_end(&s, NULL), 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.m[1].next, sizeof(F1 "\n" F2 "\n") - 1);
	assert_int_equal(s.pos, sizeof(mbox) - 1);
	mbox_table_fini(&t);
}

static void
test_sizes_are_64_bit(void **state)
{
	static uint8_t		block[1 << 20];
	struct mbox_table	t = { 0 };
	struct mbox_scan	s;
	uint64_t		n = (UINT64_C(1) << 32) + 5;

	(void)state;
	/* Not 4 GiB of hashing: as if they had been there. */
	memset(block, 'x', sizeof(block));
	mbox_scan_init(&s, &t);
	mbox_scan_feed(&s, SPAN(F1 "\n"));
	mbox_scan_feed(&s, span_of(block, sizeof(block)));
	s.pos += n;
	s.wire.octets += n;
	mbox_scan_feed(&s, SPAN("\n\n" F2 "\n"));
	assert_int_equal(mbox_scan_end(&s, NULL), 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.m[0].end - t.m[0].text, n + sizeof(block) + 2);
	assert_int_equal(t.m[0].size_wire, n + sizeof(block) + 4);
	mbox_table_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_delivered),
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_long_from_lines),
		cmocka_unit_test(test_missing_end),
		cmocka_unit_test(test_digests_stay),
		cmocka_unit_test(test_long_foreign_line),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_against_the_plain_way),
		cmocka_unit_test(test_more_than_the_table_takes),
		cmocka_unit_test(test_sizes_are_64_bit),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	wide_avx2 = false;
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}

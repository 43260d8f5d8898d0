/* SPDX-License-Identifier: ISC */
#include "drop/promise.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LONGEST	"1234567890123456789012345678901234567890123456789012345678901234567890"

/* A row of a message whose digest begins with one octet. */
static struct promise
row(uint8_t first, uint32_t twin, const char *uidl)
{
	struct promise r = { .digest = { first }, .twin = twin };

	assert_true(strlen(uidl) < sizeof(r.uidl));
	memcpy(r.uidl, uidl, strlen(uidl) + 1);
	return r;
}

static void
pack(struct buf *out)
{
	struct promise rows[] = {
		row(9, 1, "00000007500c3ab1"), row(2, 2, "b"), row(2, 1, "a"),
		row(0, 1, LONGEST), row(255, UINT32_MAX, "!~"),
	};

	buf_init(out, PROMISE_TEXT_MAX);
	assert_int_equal(promises_pack(rows, ARRAY_LEN(rows), out, NULL), 0);
}

static void
expect(struct promises *p, uint8_t first, uint32_t twin, const char *want)
{
	struct promise	key = row(first, twin, "");
	char		got[DROP_UIDL_MAX + 1];
	bool		there = promises_find(p, key.digest, twin, got);

	assert_int_equal(there, want != NULL);
	if (want != NULL)
		assert_string_equal(got, want);
}

static void
test_there_and_back(void **state)
{
	struct promises	p;
	struct buf	b;

	(void)state;
	pack(&b);
	assert_int_equal(promises_read(buf_span(&b), &p, NULL), 0);
	assert_int_equal(p.n, 5);
	expect(&p, 9, 1, "00000007500c3ab1");
	expect(&p, 2, 1, "a");
	expect(&p, 2, 2, "b");
	expect(&p, 0, 1, LONGEST);
	expect(&p, 255, UINT32_MAX, "!~");
	expect(&p, 2, 3, NULL);
	expect(&p, 1, 1, NULL);
	expect(&p, 255, 1, NULL);
	promises_fini(&p);
	buf_fini(&b);
	expect(NULL, 2, 1, NULL);
	expect(&p, 2, 1, NULL);
}

static void
test_none(void **state)
{
	struct promises	p;
	struct buf	b;

	(void)state;
	buf_init(&b, PROMISE_TEXT_MAX);
	assert_int_equal(promises_pack(NULL, 0, &b, NULL), 0);
	assert_int_equal(promises_read(buf_span(&b), &p, NULL), 0);
	assert_int_equal(p.n, 0);
	promises_fini(&p);
	buf_fini(&b);
}

static struct buf asked;		/* which rows to forget */

static int
forget(void *ctx, struct span dead, struct fault *f)
{
	(void)ctx;
	(void)f;
	return buf_append(&asked, dead);
}

/* What stays of the five rows when such messages are left. */
static void
check_use(struct promises *p, const uint8_t *left, size_t n,
    const char *want)
{
	const struct drop_host	host = { .forget = forget };
	const struct drop_conf	c = { .promises = p, .host = &host };
	struct promise_use	u;
	struct promises		then;
	struct buf		text;
	struct fault		f;
	size_t			rows;
	char			uidls[256] = "";

	buf_init(&asked, PROMISE_DEAD_MAX);
	buf_init(&text, PROMISE_TEXT_MAX);
	assert_true(promise_use_begin(&u, &c));
	for (size_t i = 0; i < n; i++)
		promise_use_message(&u, row(left[i], 1, "").digest);
	promise_use_end(&u);
	if (want == NULL) {
		assert_int_equal(buf_len(&asked), 0);
		buf_fini(&text);
		return;
	}
	assert_int_equal(promises_forget(p, buf_span(&asked), &text, &rows, &f),
	    0);
	assert_int_equal(promises_read(buf_span(&text), &then, &f), 0);
	assert_int_equal(then.n, rows);
	for (size_t i = 0; i < then.n; i++) {
		size_t at = strlen(uidls);

		(void)snprintf(uidls + at, sizeof(uidls) - at, "%.*s ",
		    then.rows[i][PROMISE_FIXED - 1],
		    (const char *)then.rows[i] + PROMISE_FIXED);
	}
	assert_string_equal(uidls, want);
	promises_fini(&then);
	buf_fini(&text);
	buf_fini(&asked);
}

static void
test_use(void **state)
{
	static const uint8_t	all[] = { 2, 9, 0, 2, 77, 255 };
	struct promises		p;
	struct buf		b;

	(void)state;
	pack(&b);
	assert_int_equal(promises_read(buf_span(&b), &p, NULL), 0);
	check_use(&p, all, 0, "");
	/* Of twins the first rows stay, whichever went; there are not 2^32 - 1. */
	check_use(&p, all, 1, "a ");
	check_use(&p, all, 2, "a 00000007500c3ab1 ");
	/* Less than half of them are not worth it. */
	check_use(&p, all, 3, NULL);
	check_use(&p, all, 6, NULL);
	promises_fini(&p);
	buf_fini(&b);
}

/* A session can say what it likes: no row is changed, and none is another's. */
static void
test_forget_bad(void **state)
{
	struct promises	p;
	struct buf	b;
	struct buf	text;
	struct fault	f;
	uint8_t		dead[MBOX_DIGEST + 2];
	size_t		rows;

	(void)state;
	pack(&b);
	assert_int_equal(promises_read(buf_span(&b), &p, NULL), 0);
	memcpy(dead, p.text + p.size - MBOX_DIGEST, MBOX_DIGEST);
	memset(dead + MBOX_DIGEST, 0xff, 2);
	for (size_t n = 0; n <= sizeof(dead); n++) {
		buf_init(&text, PROMISE_TEXT_MAX);
		assert_int_equal(promises_forget(&p, span_of(dead, n), &text,
		    &rows, &f), n == MBOX_DIGEST + 1 ? 0 : -1);
		if (n == MBOX_DIGEST + 1)
			assert_int_equal(rows, 0);
		else
			assert_int_equal(f.class, FAULT_PEER);
		buf_fini(&text);
	}
	dead[0] ^= 1;
	buf_init(&text, PROMISE_TEXT_MAX);
	assert_int_equal(promises_forget(&p, span_of(dead, MBOX_DIGEST + 1),
	    &text, &rows, &f), -1);
	buf_fini(&text);
	promises_fini(&p);
	buf_fini(&b);
}

/* More of them than buckets, in some of which there are many. */
static void
test_many(void **state)
{
	enum { MANY = 3000 };
	struct promise	*rows = xalloc(MANY, sizeof(*rows));
	struct promises	 p;
	struct buf	 b;
	char		 got[DROP_UIDL_MAX + 1];
	char		 want[DROP_UIDL_MAX + 1];

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		rows[i] = row((uint8_t)(i % 5 * 60), i / 5 + 1, "");
		rows[i].digest[1] = (uint8_t)(i % 3 == 0 ? i : 0);
		(void)snprintf(rows[i].uidl, sizeof(rows[i].uidl), "n%u", i);
	}
	buf_init(&b, PROMISE_TEXT_MAX);
	assert_int_equal(promises_pack(rows, MANY, &b, NULL), 0);
	assert_int_equal(promises_read(buf_span(&b), &p, NULL), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		struct promise key = row((uint8_t)(i % 5 * 60), i / 5 + 1, "");

		key.digest[1] = (uint8_t)(i % 3 == 0 ? i : 0);
		(void)snprintf(want, sizeof(want), "n%u", i);
		assert_true(promises_find(&p, key.digest, key.twin, got));
		assert_string_equal(got, want);
		key.digest[15] = 1;
		assert_false(promises_find(&p, key.digest, key.twin, got));
		key.digest[0] = 255;
		assert_false(promises_find(&p, key.digest, key.twin, got));
	}
	promises_fini(&p);
	buf_fini(&b);
	free(rows);
}

/* Damage is found when it is opened, rows when they are needed. */
static void
test_open(void **state)
{
	struct promises	p;
	struct buf	b;
	struct fault	f;
	int		fd;

	(void)state;
	pack(&b);
	assert_int_equal(file_open_memory(&fd, NULL), 0);
	assert_int_equal(file_pwrite(fd, buf_span(&b).p, buf_len(&b), 0, NULL), 0);
	assert_int_equal(promises_open(fd, &p, NULL), 0);
	assert_null(p.rows);
	expect(&p, 2, 2, "b");
	expect(&p, 3, 1, NULL);
	assert_int_equal(p.n, 5);
	promises_fini(&p);
	assert_int_equal(file_pwrite(fd, "?", 1, buf_len(&b) / 2, NULL), 0);
	assert_int_equal(promises_open(fd, &p, &f), -1);
	assert_int_equal(f.class, FAULT_PERM);
	promises_fini(&p);
	fd_close(&fd);
	buf_fini(&b);
}

/* A damaged file is never taken for one with fewer promises. */
static void
test_damage(void **state)
{
	struct promises	p;
	struct fault	f;
	struct buf	b;
	struct span	whole;
	uint8_t		*copy;

	(void)state;
	pack(&b);
	whole = buf_span(&b);
	copy = xalloc(whole.n + 1, 1);
	for (size_t i = 0; i < whole.n; i++) {
		assert_int_equal(promises_read(span_first(whole, i), &p, &f), -1);
		assert_int_equal(f.class, FAULT_PERM);
		promises_fini(&p);
		memcpy(copy, whole.p, whole.n);
		copy[i] ^= 0x20;
		assert_int_equal(promises_read(span_of(copy, whole.n), &p, &f),
		    -1);
		assert_int_equal(f.class, FAULT_PERM);
		promises_fini(&p);
	}
	memcpy(copy, whole.p, whole.n);
	assert_int_equal(promises_read(span_of(copy, whole.n + 1), &p, &f), -1);
	promises_fini(&p);
	free(copy);
	buf_fini(&b);
}

/* With a right digest below it, as no honest writer makes it. */
static void
expect_bad(struct span before, const char *why)
{
	struct promises	p;
	struct fault	f;
	struct digest	d;
	struct buf	b;
	uint8_t		digest[MBOX_DIGEST];

	buf_init(&b, PROMISE_TEXT_MAX);
	assert_int_equal(buf_append(&b, before), 0);
	digest_init(&d);
	digest_add(&d, before);
	digest_take(&d, digest);
	assert_int_equal(buf_append(&b, span_of(digest, MBOX_DIGEST)), 0);
	assert_int_equal(promises_read(buf_span(&b), &p, &f), -1);
	if (strstr(f.text, why) == NULL)
		fail_msg("%s, not %s", f.text, why);
	promises_fini(&p);
	buf_fini(&b);
}

#define HEAD(n)		"popperu1" n "\0\0\0\0\0\0\0"
#define ROW(d, twin, n)	d "456789abcdefghi" twin "\0\0\0" n

static void
test_forged(void **state)
{
	(void)state;
	expect_bad(SPAN("popperu2\0\0\0\0\0\0\0\0"), "not a file");
	expect_bad(SPAN(HEAD("\1")), "fewer rows");
	expect_bad(SPAN("popperu1\377\377\377\377\377\377\377\377"), "fewer rows");
	expect_bad(SPAN(HEAD("\0") "x"), "more than its rows");
	expect_bad(SPAN(HEAD("\1") ROW("a", "\1", "\0")), "a row");
	expect_bad(SPAN(HEAD("\1") ROW("a", "\0", "\1x")), "a row");
	expect_bad(SPAN(HEAD("\1") ROW("a", "\1", "\2x")), "a row");
	expect_bad(SPAN(HEAD("\1") ROW("a", "\1", "\1 ")), "a row");
	expect_bad(SPAN(HEAD("\1") ROW("a", "\1", "\107" LONGEST "1")), "a row");
	expect_bad(SPAN(HEAD("\2") ROW("a", "\1", "\1x") ROW("a", "\1", "\1y")),
	    "order");
	expect_bad(SPAN(HEAD("\2") ROW("a", "\2", "\1x") ROW("a", "\1", "\1y")),
	    "order");
	expect_bad(SPAN(HEAD("\2") ROW("b", "\1", "\1x") ROW("a", "\1", "\1y")),
	    "order");
}

static void
test_refused(void **state)
{
	static const struct {
		const char	*a;
		const char	*b;
		uint8_t		 first;		/* of b's digest; a's: 1 */
		const char	*why;
	} table[] = {
		{ "x", "x", 2, "x is that of two messages" },
		{ "x", "y", 1, "x and y are of one message" },
		{ "x", "", 2, "octets of printable ASCII" },
		{ "x", "y z", 2, "octets of printable ASCII" },
		{ "x", "y\177", 2, "octets of printable ASCII" },
		{ "x", "\303\244", 2, "octets of printable ASCII" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct promise	rows[] = {
			row(1, 1, table[i].a),
			row(table[i].first, 1, table[i].b),
		};
		struct fault	f;
		struct buf	b;

		buf_init(&b, PROMISE_TEXT_MAX);
		assert_int_equal(promises_pack(rows, 2, &b, &f), -1);
		assert_int_equal(f.class, FAULT_PROTO);
		if (strstr(f.text, table[i].why) == NULL)
			fail_msg("%s, not %s", f.text, table[i].why);
		buf_fini(&b);
	}
}

static void
test_load(void **state)
{
	AUTO(fd_close) int	fd = -1;
	struct promises		p;
	struct fault		f;
	struct buf		b;

	(void)state;
	pack(&b);
	assert_int_equal(file_open_memory(&fd, &f), 0);
	assert_int_equal(promises_load(fd, &p, &f), -1);
	assert_int_equal(f.class, FAULT_PERM);
	promises_fini(&p);
	assert_int_equal(file_pwrite(fd, buf_span(&b).p, buf_len(&b), 0, &f), 0);
	assert_int_equal(promises_load(fd, &p, &f), 0);
	expect(&p, 2, 2, "b");
	promises_fini(&p);
	assert_int_equal(file_truncate(fd, (uint64_t)PROMISE_TEXT_MAX + 1, &f), 0);
	assert_int_equal(promises_load(fd, &p, &f), -1);
	assert_int_equal(f.class, FAULT_PERM);
	promises_fini(&p);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_use),
		cmocka_unit_test(test_forget_bad),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

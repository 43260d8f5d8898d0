/* SPDX-License-Identifier: ISC */
#include "drop/index.h"

#include "base/buf.h"
#include "proto/recode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY	(2 * INDEX_ROWS + 10)	/* messages: three blocks, one of them short */

/* The first one is hidden, some are seen, some twins, some in other octets. */
static void
make_table(struct mbox_table *t, struct buf *mbox, size_t n)
{
	struct mbox_scan s;

	buf_init(mbox, 1 << 20);
	assert_int_equal(buf_append(mbox, SPAN("\n\nFrom MAILER-DAEMON Mon Jan  1 "
	    "10:00:00 2024\nFrom: Mail System Internal Data <m@x>\nSubject: DON'T "
	    "DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n\nx\n\n")), 0);
	for (size_t i = 1; i < n; i++)
		assert_int_equal(buf_appendf(mbox, "From a@x Mon Jan  1 10:00:0%zu "
		    "2024\nSubject: %zu\n%s\n%s\n\n", i % 10, i / 3,
		    i % 7 == 0 ? "Status: RO\n" : "", i % 5 == 0 ? "\xc3\xa4" :
		    "text\r\n\r\n"), 0);
	*t = (struct mbox_table){ 0 };
	mbox_scan_init(&s, t);
	mbox_scan_feed(&s, buf_span(mbox));
	assert_int_equal(mbox_scan_end(&s, NULL), 0);
	assert_int_equal(t->n, n);
}

static void
make_head(struct index_head *h, const struct mbox_table *t, uint64_t size)
{
	*h = (struct index_head){
		.generation = 0x0123456789abcdef,
		.spool = { 1, 2, size, 3, 4, 5, 6 },
		.tail = { 7, 8, 9 },
		.n = t->n,
	};
	for (size_t i = 0; i + 1 < t->n; i++)
		index_count(&h->before, &t->m[i]);
	if (t->n > 0)
		h->last = t->m[t->n - 1];
}

static void
assert_row(const struct mbox_msg *got, const struct mbox_msg *want)
{
	assert_memory_equal(got, want, sizeof(*want));
}

static void
assert_brief(const struct index_brief *got, const struct mbox_msg *want)
{
	assert_memory_equal(got->digest, want->digest, DIGEST_SIZE);
	assert_int_equal(got->size_wire, want->size_wire);
	assert_int_equal(got->size_surrogate, want->size_surrogate);
	assert_int_equal(got->twin, want->twin);
	assert_int_equal(got->flags, want->flags);
}

/* The briefs of a block need no more of it than themselves. */
static void
expect_block(const struct index_head *h, uint64_t b, const struct mbox_msg *want)
{
	static uint8_t		block[INDEX_BLOCK];
	struct mbox_msg		m[INDEX_ROWS];
	struct index_brief	briefs[INDEX_ROWS];
	size_t			rows = index_rows(h, b);
	size_t			n = INDEX_BLOCK_HEAD + rows * INDEX_BRIEF;

	index_put_block(h, b, want, rows, block);
	assert_true(index_get_block(h, b, span_of(block, index_block_size(rows)),
	    m));
	assert_true(index_get_briefs(h, b, span_of(block, n), briefs));
	assert_false(index_get_briefs(h, b, span_of(block, n - 1), briefs));
	for (size_t i = 0; i < rows; i++) {
		assert_row(&m[i], &want[i]);
		assert_brief(&briefs[i], &want[i]);
	}
}

static void
test_round_trip(void **state)
{
	static const size_t	counts[] = { 1, 2, INDEX_ROWS, INDEX_ROWS + 1,
				    INDEX_ROWS + 2, MANY };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
		struct mbox_table	t;
		struct buf		mbox;
		struct index_head	h;
		struct index_head	got;
		uint8_t			head[INDEX_HEAD];
		size_t			row = 0;

		make_table(&t, &mbox, counts[k]);
		make_head(&h, &t, buf_len(&mbox));
		index_put_head(&h, head);
		assert_true(index_get_head(span_of(head, INDEX_HEAD), &got));
		assert_row(&got.last, &h.last);
		assert_memory_equal(&got.before, &h.before, sizeof(h.before));
		assert_memory_equal(&got.spool, &h.spool, sizeof(h.spool));
		assert_memory_equal(got.tail, h.tail, DIGEST_SIZE);
		assert_int_equal(got.n, counts[k]);
		for (uint64_t b = 0; b < index_blocks(&got); b++) {
			expect_block(&h, b, t.m + row);
			row += index_rows(&got, b);
		}
		assert_int_equal(row, counts[k] - 1);
		assert_int_equal(index_rows(&got, index_blocks(&got)), 0);
		mbox_table_fini(&t);
		buf_fini(&mbox);
	}
}

static void
test_totals(void **state)
{
	struct mbox_table	t;
	struct buf		mbox;
	struct index_head	h;
	struct index_totals	all;
	uint64_t		octets = 0;

	(void)state;
	make_table(&t, &mbox, 30);
	make_head(&h, &t, buf_len(&mbox));
	for (size_t i = 1; i < t.n; i++)
		octets += t.m[i].size_wire;
	index_totals(&h, &all);
	assert_int_equal(all.messages, 29);
	assert_int_equal(all.octets, octets);
	assert_int_equal(all.last_seen, 28);
	assert_int_equal(all.eight_bit, 5);
	assert_int_equal(all.oldest, t.m[10].delivered);
	mbox_table_fini(&t);
	buf_fini(&mbox);
}

/* An index with two blocks, to be damaged. */
static struct mbox_table	table;
static struct buf		text;
static struct index_head	head;
static uint8_t			octets[INDEX_HEAD + 2 * INDEX_BLOCK];
static size_t			noctets;

static void
write_index(void)
{
	index_put_head(&head, octets);
	index_put_block(&head, 0, table.m, INDEX_ROWS, octets + index_place(0));
	index_put_block(&head, 1, table.m + INDEX_ROWS, index_rows(&head, 1),
	    octets + index_place(1));
	noctets = index_place(1) + index_block_size(index_rows(&head, 1));
}

static int
set_up(void **state)
{
	(void)state;
	make_table(&table, &text, INDEX_ROWS + 20);
	make_head(&head, &table, buf_len(&text));
	write_index();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	mbox_table_fini(&table);
	buf_fini(&text);
	return 0;
}

static bool
is_good(void)
{
	struct index_head	h;
	struct mbox_msg		m[INDEX_ROWS];

	if (!index_get_head(span_of(octets, noctets < INDEX_HEAD ? noctets :
	    INDEX_HEAD), &h))
		return false;
	for (uint64_t b = 0; b < index_blocks(&h); b++) {
		struct span in = span_skip(span_of(octets, noctets),
		    index_place(b) < noctets ? index_place(b) : noctets);

		if (!index_get_block(&h, b, span_first(in, INDEX_BLOCK), m))
			return false;
	}
	return true;
}

static void
test_each_octet_counts(void **state)
{
	(void)state;
	assert_true(is_good());
	for (size_t i = 0; i < noctets; i++) {
		octets[i] ^= (uint8_t)(1u << i % 8);
		assert_false(is_good());
		octets[i] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t n = noctets, cut = 1; cut <= n; cut += 97) {
		noctets = n - cut;
		assert_false(is_good());
		noctets = n;
	}
}

/* What a crash leaves behind: blocks are written first, the head is last. */
static void
test_older_blocks(void **state)
{
	size_t			rows = index_rows(&head, 1);
	struct mbox_table	older = table;

	(void)state;
	index_put_block(&head, 1, table.m + INDEX_ROWS, rows - 1,
	    octets + index_place(1));
	assert_false(is_good());	/* the head knows of one more */
	write_index();
	older.n -= 2;
	make_head(&head, &older, older.m[older.n - 1].next);
	index_put_head(&head, octets);
	assert_true(is_good());		/* the head is older */
	make_head(&head, &table, buf_len(&text));
	head.generation++;
	index_put_head(&head, octets);
	assert_false(is_good());	/* of another index */
	head.generation--;
	write_index();
	index_put_block(&head, 0, table.m, INDEX_ROWS, octets + index_place(1));
	noctets = sizeof(octets);
	assert_false(is_good());	/* in another's place */
	write_index();
	assert_true(is_good());
}

/* One half of a block was written, and each is whole. */
static void
test_halves(void **state)
{
	size_t		 n = INDEX_BLOCK_HEAD + INDEX_ROWS * INDEX_BRIEF;
	struct mbox_msg	 before = table.m[3];
	static uint8_t	 other[INDEX_BLOCK];

	(void)state;
	table.m[3].digest[0] ^= 1;
	index_put_block(&head, 0, table.m, INDEX_ROWS, other);
	table.m[3] = before;
	memcpy(octets + index_place(0), other, n);
	assert_false(is_good());
	memcpy(octets + index_place(0) + n, other + n, INDEX_BLOCK - n);
	assert_true(is_good());
	write_index();
}

/* --------------------------------------- lies that have a mark of their own */

static void lie_from(struct mbox_msg *m) { m->from = m->text; }
static void lie_text(struct mbox_msg *m) { m->text = m->end + 1; }
static void lie_end(struct mbox_msg *m) { m->end = m->next + 1; }
static void lie_far_end(struct mbox_msg *m) { m->end = UINT64_MAX; }
static void lie_next(struct mbox_msg *m) { m->next = UINT64_MAX; }
static void lie_gap(struct mbox_msg *m) { m->end -= 3; }
static void lie_separator(struct mbox_msg *m) { m->flags ^= MBOX_SEPARATED; }
static void lie_chain(struct mbox_msg *m) { m->from++; }
static void lie_head(struct mbox_msg *m) { m->head_end = m->end + 1; }
static void lie_head_before(struct mbox_msg *m) { m->head_end = m->text - 1; }
static void lie_small(struct mbox_msg *m) { m->size_wire = m->end - m->text - 1; }
static void lie_large(struct mbox_msg *m) { m->size_wire = UINT64_MAX; }
static void lie_twin(struct mbox_msg *m) { m->twin = 0; }
static void lie_twins(struct mbox_msg *m) { m->twin = UINT32_MAX; }
/* What is no flag, behind the twin. */
static void lie_flags(struct mbox_msg *m) { m->twin |= 1u << 28; }
static void lie_measured(struct mbox_msg *m) { m->flags |= MBOX_8BIT | MBOX_RECODED; }
static void lie_surrogate(struct mbox_msg *m) { m->size_surrogate = 1; }
static void
lie_large_surrogate(struct mbox_msg *m)
{
	m->flags = (m->flags | MBOX_RECODED) & ~(uint32_t)MBOX_8BIT;
	m->size_surrogate = RECODE_MOST * (m->size_wire + 1);
}
static void lie_hidden(struct mbox_msg *m) { m->flags |= MBOX_HIDDEN; }
static void lie_letters(struct mbox_msg *m) { m->letters = 1u << 26; }
static void
lie_status(struct mbox_msg *m)
{
	m->status = m->text;
	m->status_len = UINT64_MAX;
}
static void
lie_status_behind(struct mbox_msg *m)
{
	m->status = UINT64_MAX;
	m->status_len = 2;
}

static void (*const lies[])(struct mbox_msg *) = {
	lie_from, lie_text, lie_end, lie_far_end, lie_next, lie_gap, lie_separator,
	lie_chain, lie_head, lie_head_before, lie_small, lie_large, lie_twin,
	lie_twins, lie_flags, lie_measured, lie_surrogate, lie_large_surrogate,
	lie_hidden, lie_letters, lie_status,
	lie_status_behind,
};

static void
test_lies(void **state)
{
	static const size_t rows[] = { 5, INDEX_ROWS + 3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lies); i++)
		for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
			struct mbox_msg before = table.m[rows[k]];

			lies[i](&table.m[rows[k]]);
			write_index();
			assert_false(is_good());
			table.m[rows[k]] = before;
		}
	/* The last one stands in the head; nobody is before it there. */
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct mbox_msg before = head.last;

		lies[i](&head.last);
		write_index();
		assert_false(is_good());
		head.last = before;
	}
	write_index();
	assert_true(is_good());
}

/* What can be known of a brief, is. */
static void
test_lies_of_briefs(void **state)
{
	static void (*const seen[])(struct mbox_msg *) = {
		lie_large, lie_twin, lie_twins, lie_flags, lie_measured,
		lie_surrogate, lie_large_surrogate, lie_hidden,
	};
	struct index_brief	briefs[INDEX_ROWS];
	struct span		in = span_of(octets + index_place(0), INDEX_BRIEFS);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		struct mbox_msg before = table.m[5];

		assert_true(index_get_briefs(&head, 0, in, briefs));
		seen[i](&table.m[5]);
		write_index();
		assert_false(index_get_briefs(&head, 0, in, briefs));
		table.m[5] = before;
		write_index();
	}
	table.m[0].flags ^= MBOX_HIDDEN;	/* which it is */
	write_index();
	assert_false(index_get_briefs(&head, 0, in, briefs));
	table.m[0].flags |= MBOX_HIDDEN;
	write_index();
	assert_true(index_get_briefs(&head, 0, in, briefs));
}

static void
test_lies_of_heads(void **state)
{
	struct index_head	 h = head;
	struct {
		uint64_t	*what;
		uint64_t	 value;
	} const all[] = {
		{ &h.n, MBOX_MAX + 1 },
		{ &h.n, head.n + 2 },
		{ &h.n, 1 },
		{ &h.doubted, head.n + 1 },
		{ &h.spool.size, (uint64_t)INT64_MAX + 1 },
		{ &h.spool.size, head.spool.size + 1 },
		{ &h.spool.size, head.spool.size - 1 },
		{ &h.spool.mtime_ns, 1000000000 },
		{ &h.spool.ctime_ns, 1000000000 },
		{ &h.before.messages, head.n },
		{ &h.before.messages, 0 },
		{ &h.before.octets, UINT64_MAX },
		{ &h.before.octets, 2 * (head.spool.size + head.n) + 2 },
		{ &h.before.last_seen, head.before.messages + 1 },
		{ &h.before.eight_bit, head.before.messages + 1 },
		{ &h.before.recoded, head.before.messages + 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		uint64_t		before = *all[i].what;
		struct index_head	got;
		uint8_t			out[INDEX_HEAD];

		*all[i].what = all[i].value;
		index_put_head(&h, out);
		assert_false(index_get_head(span_of(out, INDEX_HEAD), &got));
		*all[i].what = before;
	}
}

static void
test_fit(void **state)
{
	const struct index_spool	then = { 1, 2, 3, 4, 5, 6, 7 };
	static const struct {
		struct index_spool	now;
		enum index_fit		want;
	} all[] = {
		{ { 1, 2, 3, 4, 5, 6, 7 }, INDEX_SAME },
		{ { 9, 2, 3, 4, 5, 6, 7 }, INDEX_OTHER },
		{ { 1, 9, 3, 4, 5, 6, 7 }, INDEX_OTHER },
		{ { 1, 2, 2, 4, 5, 6, 7 }, INDEX_OTHER },
		{ { 1, 2, 3, 9, 5, 6, 7 }, INDEX_OTHER },
		{ { 1, 2, 3, 4, 9, 6, 7 }, INDEX_OTHER },
		{ { 1, 2, 3, 4, 5, 9, 7 }, INDEX_OTHER },
		{ { 1, 2, 3, 4, 5, 6, 9 }, INDEX_OTHER },
		{ { 1, 2, 4, 4, 5, 6, 7 }, INDEX_GROWN },
		{ { 1, 2, 4, 9, 9, 9, 9 }, INDEX_GROWN },
		{ { 1, 9, 4, 9, 9, 9, 9 }, INDEX_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_int_equal(index_fit(&then, &all[i].now), all[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_each_octet_counts),
		cmocka_unit_test(test_older_blocks),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_lies_of_briefs),
		cmocka_unit_test(test_lies_of_heads),
		cmocka_unit_test(test_fit),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

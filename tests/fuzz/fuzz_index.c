/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: an index that anybody may have written.  Its marks are made right
 * first, or nothing would ever get past them.
 */
#include "drop/index.h"

#include "base/attr.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
set_mark(uint8_t *to, struct span of)
{
	uint64_t mark = digest_mark(of);

	for (size_t i = 0; i < 8; i++)
		to[i] = (uint8_t)(mark >> 8 * i);
}

/* Whatever is read by it lies within the spool. */
static void
check_row(const struct index_head *h, const struct mbox_msg *m)
{
	uint64_t disk = m->end - m->text;

	ASSERT(m->from < m->text && m->text <= m->end && m->end <= m->next);
	ASSERT(m->next <= h->spool.size && h->spool.size <= INT64_MAX);
	ASSERT(m->head_end >= m->text && m->head_end <= m->end);
	ASSERT(m->status_len == 0 || (m->status >= m->text &&
	    m->status + m->status_len <= m->head_end));
	ASSERT(m->size_wire >= disk && m->size_wire - disk <= disk + 2);
	ASSERT(m->twin >= 1 && m->twin <= MBOX_MAX);
}

static void
check_block(const struct index_head *h, uint64_t block, struct span in)
{
	static uint8_t		 b[INDEX_BLOCK];
	static uint8_t		 again[INDEX_BLOCK];
	static struct mbox_msg	 m[INDEX_ROWS];
	size_t			 rows = index_rows(h, block);

	memset(b, 0, sizeof(b));
	memcpy(b + 8, in.p, in.n < sizeof(b) - 8 ? in.n : sizeof(b) - 8);
	set_mark(b, span_skip(span_of(b, index_block_size(rows)), 8));
	if (!index_get_block(h, block, span_of(b, sizeof(b)), m))
		return;
	for (size_t i = 0; i < rows; i++)
		check_row(h, &m[i]);
	index_put_block(h, block, m, rows, again);
	ASSERT(index_get_block(h, block, span_of(again,
	    index_block_size(rows)), m));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t			head[INDEX_HEAD] = { 0 };
	struct index_head	h;
	struct span		in = span_of(data, n);

	memcpy(head, data, n < INDEX_HEAD ? n : INDEX_HEAD);
	set_mark(head + INDEX_HEAD - 8, span_of(head, INDEX_HEAD - 8));
	if (!index_get_head(span_of(head, INDEX_HEAD), &h))
		return 0;
	ASSERT(h.n <= MBOX_MAX && h.totals.messages <= h.n);
	if (h.n > 0)
		check_row(&h, &h.last);
	in = span_skip(in, n < INDEX_HEAD ? n : INDEX_HEAD);
	if (index_blocks(&h) > 0) {
		check_block(&h, 0, in);
		check_block(&h, index_blocks(&h) - 1, in);
	}
	return 0;
}

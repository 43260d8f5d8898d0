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
check_brief(const struct index_brief *b, const struct mbox_msg *m)
{
	struct index_brief want;

	index_brief_of(m, &want);
	ASSERT(memcmp(b->digest, want.digest, DIGEST_SIZE) == 0);
	ASSERT(b->size_wire == want.size_wire &&
	    b->size_surrogate == want.size_surrogate && b->twin == want.twin &&
	    b->flags == want.flags);
}

/* A block whose marks are right, and tell of so many rows. */
static void
set_marks(uint8_t *b, size_t rows)
{
	size_t	 n = INDEX_BLOCK_HEAD + rows * INDEX_BRIEF;

	set_mark(b, span_of(b + 8, n - 8));
	memcpy(b + n + 8, b, 8);
	set_mark(b + n, span_of(b + n + 8, INDEX_REST_HEAD - 8 +
	    rows * INDEX_REST));
}

static void
check_block(const struct index_head *h, uint64_t block, struct span in)
{
	static uint8_t			 b[INDEX_BLOCK];
	static uint8_t			 again[INDEX_BLOCK];
	static struct mbox_msg		 m[INDEX_ROWS];
	static struct index_brief	 briefs[INDEX_ROWS];
	size_t				 rows = index_rows(h, block);

	memset(b, 0, sizeof(b));
	memcpy(b + 8, in.p, in.n < sizeof(b) - 8 ? in.n : sizeof(b) - 8);
	set_marks(b, rows);
	if (!index_get_briefs(h, block, span_of(b, INDEX_BRIEFS), briefs)) {
		ASSERT(!index_get_block(h, block, span_of(b, sizeof(b)), m));
		return;
	}
	for (size_t i = 0; i < rows; i++)
		ASSERT(briefs[i].twin >= 1 && briefs[i].twin <= MBOX_MAX &&
		    briefs[i].size_wire / 2 <= h->spool.size + 1);
	if (!index_get_block(h, block, span_of(b, sizeof(b)), m))
		return;
	for (size_t i = 0; i < rows; i++) {
		check_row(h, &m[i]);
		check_brief(&briefs[i], &m[i]);
	}
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
	ASSERT(h.n <= MBOX_MAX && h.before.messages <= h.n);
	if (h.n > 0)
		check_row(&h, &h.last);
	in = span_skip(in, n < INDEX_HEAD ? n : INDEX_HEAD);
	if (index_blocks(&h) > 0) {
		check_block(&h, 0, in);
		check_block(&h, index_blocks(&h) - 1, in);
	}
	return 0;
}

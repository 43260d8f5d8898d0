/* SPDX-License-Identifier: ISC */
#include "drop/index.h"

#include <assert.h>

#define MAGIC		0x706f707065724901ull	/* "popperI", and the version */
#define LETTERS		((1u << 26) - 1)	/* 'A' to 'Z' */
#define NS_MOST		999999999u
#define FLAGS		(MBOX_SEEN | MBOX_HIDDEN | MBOX_CRLF | MBOX_HEAD_OPEN | \
			 MBOX_SEPARATED | MBOX_8BIT)

/* Where fields go, or come from: one after the other. */
struct cursor {
	uint8_t	*p;
};
struct source {
	const uint8_t	*p;
};

static void
put(struct cursor *c, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*c->p++ = (uint8_t)(v >> 8 * i);
}

/* Written so, a compiler makes one load of it. */
static uint64_t
get_4(struct source *s)
{
	const uint8_t *p = s->p;

	s->p += 4;
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static uint64_t
get_8(struct source *s)
{
	uint64_t low = get_4(s);

	return low | get_4(s) << 32;
}

static void
put_digest(struct cursor *c, const uint8_t digest[DIGEST_SIZE])
{
	memcpy(c->p, digest, DIGEST_SIZE);
	c->p += DIGEST_SIZE;
}

static void
get_digest(struct source *s, uint8_t digest[DIGEST_SIZE])
{
	memcpy(digest, s->p, DIGEST_SIZE);
	s->p += DIGEST_SIZE;
}

/* ------------------------------------------------------------------ rows */

static void
put_row(struct cursor *c, const struct mbox_msg *m)
{
	put(c, m->from, 8);
	put(c, m->text, 8);
	put(c, m->end, 8);
	put(c, m->next, 8);
	put(c, m->size_wire, 8);
	put(c, m->head_end, 8);
	put(c, m->status_len, 8);
	put(c, m->status, 8);
	put(c, m->delivered, 8);
	put(c, m->letters, 4);
	put(c, m->twin, 4);
	put(c, m->flags & ~(uint32_t)(MBOX_GONE | MBOX_DOUBTED), 4);
	put(c, 0, 4);
	put_digest(c, m->digest);
	put_digest(c, m->changing);
}

static void
get_row(struct source *s, struct mbox_msg *m)
{
	*m = (struct mbox_msg){ 0 };
	m->from = get_8(s);
	m->text = get_8(s);
	m->end = get_8(s);
	m->next = get_8(s);
	m->size_wire = get_8(s);
	m->head_end = get_8(s);
	m->status_len = get_8(s);
	m->status = get_8(s);
	m->delivered = get_8(s);
	m->letters = (uint32_t)get_4(s);
	m->twin = (uint32_t)get_4(s);
	m->flags = (uint32_t)get_4(s);
	(void)get_4(s);
	get_digest(s, m->digest);
	get_digest(s, m->changing);
}

/* Octets on the wire: each may be a line end without CR, and one more may be missing. */
static bool
is_possible_size(const struct mbox_msg *m)
{
	uint64_t disk = m->end - m->text;

	return m->size_wire >= disk && m->size_wire <= 2 * disk + 2;
}

static bool
is_possible_status(const struct mbox_msg *m)
{
	return m->status_len == 0 || (m->status >= m->text &&
	    m->status <= m->head_end &&
	    m->status_len <= m->head_end - m->status);
}

/* A message as a scan could have found it in a spool of that size. */
static bool
is_possible(const struct mbox_msg *m, const struct index_head *h)
{
	uint64_t size = h->spool.size;

	return size <= INT64_MAX && m->next <= size && m->end <= m->next &&
	    m->text <= m->end && m->from < m->text && m->next - m->end <= 2 &&
	    (m->next > m->end) == ((m->flags & MBOX_SEPARATED) != 0) &&
	    m->head_end >= m->text && m->head_end <= m->end &&
	    is_possible_size(m) && is_possible_status(m) &&
	    (m->flags & ~(uint32_t)FLAGS) == 0 && (m->letters & ~LETTERS) == 0 &&
	    m->twin >= 1 && m->twin <= h->n;
}

/* ------------------------------------------------------------------- head */

void
index_count(struct index_totals *t, const struct mbox_msg *m)
{
	if (m->flags & MBOX_HIDDEN)
		return;
	t->messages++;
	t->octets += m->size_wire;
	if (m->flags & MBOX_SEEN)
		t->last_seen = t->messages;
	if (m->flags & MBOX_8BIT)
		t->eight_bit++;
	if (m->delivered != 0 && (t->oldest == 0 || m->delivered < t->oldest))
		t->oldest = m->delivered;
}

enum index_fit
index_fit(const struct index_spool *then, const struct index_spool *now)
{
	if (then->dev != now->dev || then->ino != now->ino ||
	    then->size > now->size)
		return INDEX_OTHER;
	if (then->size < now->size)
		return INDEX_GROWN;
	return then->mtime_s == now->mtime_s && then->mtime_ns == now->mtime_ns &&
	    then->ctime_s == now->ctime_s && then->ctime_ns == now->ctime_ns ?
	    INDEX_SAME : INDEX_OTHER;
}

#define HEAD_USED	(8 + 8 + 7 * 8 + DIGEST_SIZE + 8 + 5 * 8 + INDEX_ROW)

static_assert(HEAD_USED + 24 <= INDEX_HEAD, "the fields of a head, and its mark");
static_assert(INDEX_ROW == 9 * 8 + 4 * 4 + 2 * DIGEST_SIZE, "the fields of a row");

static uint64_t
head_mark(const uint8_t *p)
{
	return digest_mark(span_of(p, INDEX_HEAD - 8));
}

void
index_put_head(const struct index_head *h, uint8_t out[INDEX_HEAD])
{
	struct cursor c = { out };

	memset(out, 0, INDEX_HEAD);
	put(&c, MAGIC, 8);
	put(&c, h->generation, 8);
	put(&c, h->spool.dev, 8);
	put(&c, h->spool.ino, 8);
	put(&c, h->spool.size, 8);
	put(&c, h->spool.mtime_s, 8);
	put(&c, h->spool.mtime_ns, 8);
	put(&c, h->spool.ctime_s, 8);
	put(&c, h->spool.ctime_ns, 8);
	put_digest(&c, h->tail);
	put(&c, h->n, 8);
	put(&c, h->totals.messages, 8);
	put(&c, h->totals.octets, 8);
	put(&c, h->totals.last_seen, 8);
	put(&c, h->totals.eight_bit, 8);
	put(&c, h->totals.oldest, 8);
	if (h->n > 0)
		put_row(&c, &h->last);
	c.p = out + INDEX_HEAD - 24;
	put(&c, h->young, 8);
	put(&c, h->doubted, 8);
	put(&c, head_mark(out), 8);
}

static bool
is_possible_head(const struct index_head *h)
{
	const struct index_totals *t = &h->totals;

	if (h->spool.size > INT64_MAX || h->spool.mtime_ns > NS_MOST ||
	    h->spool.ctime_ns > NS_MOST || h->n > MBOX_MAX ||
	    h->doubted > h->n)
		return false;
	/* at most one message is hidden, the first */
	if (t->messages > h->n || h->n - t->messages > 1 ||
	    t->last_seen > t->messages || t->eight_bit > t->messages ||
	    t->octets / 2 > h->spool.size + h->n)
		return false;
	return h->n == 0 || (is_possible(&h->last, h) &&
	    ((h->last.flags & MBOX_HIDDEN) == 0 || h->n == 1) &&
	    /* what lies behind it is not looked at when there are too many */
	    (h->last.next == h->spool.size || h->n == MBOX_MAX));
}

bool
index_get_head(struct span in, struct index_head *h)
{
	struct source	s = { in.p };
	struct source	mark;

	if (in.n < INDEX_HEAD || get_8(&s) != MAGIC)
		return false;
	mark.p = in.p + INDEX_HEAD - 8;
	if (get_8(&mark) != head_mark(in.p))
		return false;
	*h = (struct index_head){ 0 };
	h->generation = get_8(&s);
	h->spool.dev = get_8(&s);
	h->spool.ino = get_8(&s);
	h->spool.size = get_8(&s);
	h->spool.mtime_s = get_8(&s);
	h->spool.mtime_ns = get_8(&s);
	h->spool.ctime_s = get_8(&s);
	h->spool.ctime_ns = get_8(&s);
	get_digest(&s, h->tail);
	h->n = get_8(&s);
	h->totals.messages = get_8(&s);
	h->totals.octets = get_8(&s);
	h->totals.last_seen = get_8(&s);
	h->totals.eight_bit = get_8(&s);
	h->totals.oldest = get_8(&s);
	if (h->n > 0)
		get_row(&s, &h->last);
	s.p = in.p + INDEX_HEAD - 24;
	h->young = get_8(&s) != 0;
	h->doubted = get_8(&s);
	return is_possible_head(h);
}

/* ----------------------------------------------------------------- blocks */

uint64_t
index_blocks(const struct index_head *h)
{
	return h->n == 0 ? 0 : (h->n - 1 + INDEX_ROWS - 1) / INDEX_ROWS;
}

size_t
index_rows(const struct index_head *h, uint64_t block)
{
	uint64_t left = block < index_blocks(h) ?
	    h->n - 1 - block * INDEX_ROWS : 0;

	return left < INDEX_ROWS ? (size_t)left : INDEX_ROWS;
}

uint64_t
index_place(uint64_t block)
{
	return INDEX_HEAD + block * INDEX_BLOCK;
}

size_t
index_block_size(size_t rows)
{
	return INDEX_BLOCK_HEAD + rows * INDEX_ROW;
}

/* Of all but the mark itself, which comes first. */
static uint64_t
block_mark(const uint8_t *p, size_t rows)
{
	return digest_mark(span_of(p + 8, index_block_size(rows) - 8));
}

void
index_put_block(const struct index_head *h, uint64_t block,
    const struct mbox_msg *m, size_t rows, uint8_t *out)
{
	struct cursor c = { out + 8 };

	put(&c, h->generation, 8);
	put(&c, block, 8);
	put(&c, rows, 8);
	for (size_t i = 0; i < rows; i++)
		put_row(&c, &m[i]);
	c.p = out;
	put(&c, block_mark(out, rows), 8);
}

/* They follow one another, and only the first of all may be hidden. */
static bool
are_possible(const struct index_head *h, uint64_t block, const struct mbox_msg *m,
    size_t rows)
{
	for (size_t i = 0; i < rows; i++)
		if (!is_possible(&m[i], h) ||
		    (i > 0 && m[i].from != m[i - 1].next) ||
		    ((m[i].flags & MBOX_HIDDEN) && (block > 0 || i > 0)))
			return false;
	return block + 1 < index_blocks(h) || m[rows - 1].next == h->last.from;
}

bool
index_get_block(const struct index_head *h, uint64_t block, struct span in,
    struct mbox_msg *m)
{
	size_t		rows = index_rows(h, block);
	struct source	s = { in.p };
	uint64_t	mark;
	uint64_t	there;

	if (rows == 0 || in.n < INDEX_BLOCK_HEAD)
		return false;
	mark = get_8(&s);
	if (get_8(&s) != h->generation || get_8(&s) != block)
		return false;
	/* There may be more than the head speaks of: it is written last. */
	there = get_8(&s);
	if (there < rows || there > INDEX_ROWS ||
	    in.n < index_block_size((size_t)there) ||
	    mark != block_mark(in.p, (size_t)there))
		return false;
	for (size_t i = 0; i < rows; i++)
		get_row(&s, &m[i]);
	return are_possible(h, block, m, rows);
}

/* SPDX-License-Identifier: ISC */
#include "drop/index.h"

#include "proto/recode.h"

#include <assert.h>

#define MAGIC		0x706f707065724904ull	/* "popperI", and the version */
#define LETTERS		((1u << 26) - 1)	/* 'A' to 'Z' */
#define NS_MOST		999999999u
#define FLAGS		(MBOX_SEEN | MBOX_HIDDEN | MBOX_CRLF | MBOX_HEAD_OPEN | \
			 MBOX_SEPARATED | MBOX_8BIT | MBOX_RECODED)

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

/* Twin and flags share four octets. */
#define TWIN_BITS	23

static_assert(MBOX_MAX < 1u << TWIN_BITS && FLAGS < 1u << (32 - TWIN_BITS),
    "room for both");
static_assert(INDEX_BRIEF == DIGEST_SIZE + 2 * 8 + 4, "the fields of a brief");
static_assert(INDEX_REST == 8 * 8 + 4 + DIGEST_SIZE, "the fields of a rest");

void
index_brief_of(const struct mbox_msg *m, struct index_brief *out)
{
	memcpy(out->digest, m->digest, DIGEST_SIZE);
	out->size_wire = m->size_wire;
	out->size_surrogate = m->size_surrogate;
	out->twin = m->twin;
	out->flags = m->flags & ~(uint32_t)(MBOX_GONE | MBOX_DOUBTED);
}

static void
put_brief(struct cursor *c, const struct mbox_msg *m)
{
	struct index_brief b;

	index_brief_of(m, &b);
	put_digest(c, b.digest);
	put(c, b.size_wire, 8);
	put(c, b.size_surrogate, 8);
	put(c, (uint64_t)b.flags << TWIN_BITS | b.twin, 4);
}

static void
get_brief(struct source *s, struct index_brief *b)
{
	uint32_t both;

	get_digest(s, b->digest);
	b->size_wire = get_8(s);
	b->size_surrogate = get_8(s);
	both = (uint32_t)get_4(s);
	b->twin = both & ((1u << TWIN_BITS) - 1);
	b->flags = both >> TWIN_BITS;
}

static void
put_rest(struct cursor *c, const struct mbox_msg *m)
{
	put(c, m->from, 8);
	put(c, m->text, 8);
	put(c, m->end, 8);
	put(c, m->next, 8);
	put(c, m->head_end, 8);
	put(c, m->status_len, 8);
	put(c, m->status, 8);
	put(c, m->delivered, 8);
	put(c, m->letters, 4);
	put_digest(c, m->changing);
}

/* brief, rest: where they are read from. */
static void
get_row(struct source *brief, struct source *rest, struct mbox_msg *m)
{
	struct index_brief b;

	get_brief(brief, &b);
	*m = (struct mbox_msg){
		.size_wire = b.size_wire,
		.size_surrogate = b.size_surrogate,
		.twin = b.twin,
		.flags = b.flags,
	};
	memcpy(m->digest, b.digest, DIGEST_SIZE);
	m->from = get_8(rest);
	m->text = get_8(rest);
	m->end = get_8(rest);
	m->next = get_8(rest);
	m->head_end = get_8(rest);
	m->status_len = get_8(rest);
	m->status = get_8(rest);
	m->delivered = get_8(rest);
	m->letters = (uint32_t)get_4(rest);
	get_digest(rest, m->changing);
}

/* Octets on the wire: each may be a line end without CR, and one more may be missing. */
static bool
is_possible_size(const struct mbox_msg *m)
{
	uint64_t disk = m->end - m->text;

	return m->size_wire >= disk && m->size_wire <= 2 * disk + 2;
}

/* No octet of a header becomes more than 20 (proto/recode.h). */
static bool
is_possible_surrogate(const struct index_brief *b)
{
	if (b->flags & MBOX_RECODED)
		return (b->flags & MBOX_8BIT) == 0 &&
		    b->size_surrogate / RECODE_MOST <= b->size_wire;
	return b->size_surrogate == 0;
}

static bool
is_possible_status(const struct mbox_msg *m)
{
	return m->status_len == 0 || (m->status >= m->text &&
	    m->status <= m->head_end &&
	    m->status_len <= m->head_end - m->status);
}

/* What a brief says; its size, as far as that can be known from it. */
static bool
is_possible_brief(const struct index_brief *b, const struct index_head *h)
{
	return b->twin >= 1 && b->twin <= h->n &&
	    (b->flags & ~(uint32_t)FLAGS) == 0 && is_possible_surrogate(b) &&
	    b->size_wire <= 2 * h->spool.size + 2;
}

/* A message as a scan could have found it in a spool of that size. */
static bool
is_possible(const struct mbox_msg *m, const struct index_head *h)
{
	uint64_t		size = h->spool.size;
	struct index_brief	b;

	index_brief_of(m, &b);
	return size <= INT64_MAX && m->next <= size && m->end <= m->next &&
	    m->text <= m->end && m->from < m->text && m->next - m->end <= 2 &&
	    (m->next > m->end) == ((m->flags & MBOX_SEPARATED) != 0) &&
	    m->head_end >= m->text && m->head_end <= m->end &&
	    is_possible_size(m) && is_possible_status(m) &&
	    (m->flags & ~(uint32_t)FLAGS) == 0 && (m->letters & ~LETTERS) == 0 &&
	    is_possible_brief(&b, h);
}

/* ------------------------------------------------------------------- head */

static void
count_surrogate(struct index_totals *t, const struct mbox_msg *m)
{
	if ((m->flags & MBOX_RECODED) == 0)
		return;
	t->recoded++;
	t->surrogates += (int64_t)(m->size_surrogate - m->size_wire);
}

void
index_measured(struct index_totals *t, const struct mbox_msg *m)
{
	t->eight_bit--;
	count_surrogate(t, m);
}

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
	count_surrogate(t, m);
	if (m->delivered != 0 && (t->oldest == 0 || m->delivered < t->oldest))
		t->oldest = m->delivered;
}

void
index_totals(const struct index_head *h, struct index_totals *out)
{
	*out = h->before;
	if (h->n > 0)
		index_count(out, &h->last);
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

#define HEAD_END	(4 * 8)		/* at the end, with the mark */
#define HEAD_USED	(8 + 8 + 7 * 8 + DIGEST_SIZE + 8 + 7 * 8 + INDEX_ROW)

static_assert(HEAD_USED + HEAD_END <= INDEX_HEAD, "the fields of a head, and its mark");

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
	put(&c, h->before.messages, 8);
	put(&c, h->before.octets, 8);
	put(&c, h->before.last_seen, 8);
	put(&c, h->before.eight_bit, 8);
	put(&c, h->before.recoded, 8);
	put(&c, (uint64_t)h->before.surrogates, 8);
	put(&c, h->before.oldest, 8);
	if (h->n > 0) {
		put_brief(&c, &h->last);
		put_rest(&c, &h->last);
	}
	c.p = out + INDEX_HEAD - HEAD_END;
	put(&c, h->boot, 8);
	put(&c, h->young, 8);
	put(&c, h->doubted, 8);
	put(&c, head_mark(out), 8);
}

static bool
are_possible_surrogates(const struct index_totals *t)
{
	return t->recoded <= t->messages - t->eight_bit &&
	    (t->recoded > 0 || t->surrogates == 0) &&
	    (t->octets + (uint64_t)t->surrogates) / RECODE_MOST <= t->octets;
}

static bool
is_possible_head(const struct index_head *h)
{
	const struct index_totals *t = &h->before;
	uint64_t others = h->n == 0 ? 0 : h->n - 1;

	if (h->spool.size > INT64_MAX || h->spool.mtime_ns > NS_MOST ||
	    h->spool.ctime_ns > NS_MOST || h->n > MBOX_MAX ||
	    h->doubted > h->n)
		return false;
	/* at most one message is hidden, the first */
	if (t->messages > others || others - t->messages > 1 ||
	    t->last_seen > t->messages || t->eight_bit > t->messages ||
	    t->octets / 2 > h->spool.size + h->n ||
	    !are_possible_surrogates(t))
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
	struct source	rest;
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
	h->before.messages = get_8(&s);
	h->before.octets = get_8(&s);
	h->before.last_seen = get_8(&s);
	h->before.eight_bit = get_8(&s);
	h->before.recoded = get_8(&s);
	h->before.surrogates = (int64_t)get_8(&s);
	h->before.oldest = get_8(&s);
	if (h->n > 0) {
		rest.p = s.p + INDEX_BRIEF;
		get_row(&s, &rest, &h->last);
	}
	s.p = in.p + INDEX_HEAD - HEAD_END;
	h->boot = get_8(&s);
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

static size_t
briefs_size(size_t rows)
{
	return INDEX_BLOCK_HEAD + rows * INDEX_BRIEF;
}

size_t
index_block_size(size_t rows)
{
	return briefs_size(rows) + INDEX_REST_HEAD + rows * INDEX_REST;
}

/* Either mark comes first, and is of all the others. */
static uint64_t
mark_of(const uint8_t *p, size_t n)
{
	return digest_mark(span_of(p + 8, n - 8));
}

void
index_put_block(const struct index_head *h, uint64_t block,
    const struct mbox_msg *m, size_t rows, uint8_t *out)
{
	uint8_t		*rests = out + briefs_size(rows);
	struct cursor	 c = { out + 8 };
	uint64_t	 mark;

	put(&c, h->generation, 8);
	put(&c, block, 8);
	put(&c, rows, 8);
	for (size_t i = 0; i < rows; i++)
		put_brief(&c, &m[i]);
	mark = mark_of(out, briefs_size(rows));
	c.p = out;
	put(&c, mark, 8);
	c.p = rests + 8;
	put(&c, mark, 8);
	for (size_t i = 0; i < rows; i++)
		put_rest(&c, &m[i]);
	c.p = rests;
	put(&c, mark_of(rests, INDEX_REST_HEAD + rows * INDEX_REST), 8);
}

/*
 * How many rows a block has.  There may be more than the head speaks of: it is written
 * last.  0: it is none, or its briefs are not what they were.
 */
static size_t
whole_briefs(const struct index_head *h, uint64_t block, struct span in)
{
	size_t		rows = index_rows(h, block);
	struct source	s = { in.p };
	uint64_t	mark;
	uint64_t	there;

	if (rows == 0 || in.n < INDEX_BLOCK_HEAD)
		return 0;
	mark = get_8(&s);
	if (get_8(&s) != h->generation || get_8(&s) != block)
		return 0;
	there = get_8(&s);
	if (there < rows || there > INDEX_ROWS ||
	    in.n < briefs_size((size_t)there) ||
	    mark != mark_of(in.p, briefs_size((size_t)there)))
		return 0;
	return (size_t)there;
}

/* in: a block with so many rows, from its beginning on. */
static bool
whole_rests(struct span in, size_t there)
{
	struct source	s = { in.p };
	uint64_t	of_briefs = get_8(&s);
	uint64_t	mark;

	if (in.n < index_block_size(there))
		return false;
	s.p = in.p + briefs_size(there);
	mark = get_8(&s);
	return get_8(&s) == of_briefs && mark == mark_of(s.p - INDEX_REST_HEAD,
	    INDEX_REST_HEAD + there * INDEX_REST);
}

/* Only the first of all may be hidden; then the totals lack one. */
static bool
is_as_hidden(const struct index_head *h, uint64_t block, size_t i, uint32_t flags)
{
	bool hidden = (flags & MBOX_HIDDEN) != 0;

	return hidden == (block == 0 && i == 0 && h->before.messages < h->n - 1);
}

/* They follow one another. */
static bool
are_possible(const struct index_head *h, uint64_t block, const struct mbox_msg *m,
    size_t rows)
{
	for (size_t i = 0; i < rows; i++)
		if (!is_possible(&m[i], h) ||
		    (i > 0 && m[i].from != m[i - 1].next) ||
		    !is_as_hidden(h, block, i, m[i].flags))
			return false;
	return block + 1 < index_blocks(h) || m[rows - 1].next == h->last.from;
}

bool
index_get_block(const struct index_head *h, uint64_t block, struct span in,
    struct mbox_msg *m)
{
	size_t		there = whole_briefs(h, block, in);
	size_t		rows = index_rows(h, block);
	struct source	brief;
	struct source	rest;

	if (there == 0 || !whole_rests(in, there))
		return false;
	brief.p = in.p + INDEX_BLOCK_HEAD;
	rest.p = in.p + briefs_size(there) + INDEX_REST_HEAD;
	for (size_t i = 0; i < rows; i++)
		get_row(&brief, &rest, &m[i]);
	return are_possible(h, block, m, rows);
}

bool
index_get_briefs(const struct index_head *h, uint64_t block, struct span in,
    struct index_brief *out)
{
	struct source	s;
	size_t		rows = index_rows(h, block);

	if (whole_briefs(h, block, in) == 0)
		return false;
	s.p = in.p + INDEX_BLOCK_HEAD;
	for (size_t i = 0; i < rows; i++) {
		get_brief(&s, &out[i]);
		if (!is_possible_brief(&out[i], h) ||
		    !is_as_hidden(h, block, i, out[i].flags))
			return false;
	}
	return true;
}

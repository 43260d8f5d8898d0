/* SPDX-License-Identifier: ISC */
/*
 * The file with a maildrop's index: what it spares of a scan, and writing it.
 *
 * It is never waited for, locked or synced: whoever finds it damaged, half written or
 * of another state scans, and writes it anew.  Blocks go first, the head last, so a
 * head speaks of blocks that are there.
 *
 * Runs as: the user.  Reads from: the index, which the user may have written, and the
 * spool.
 */
#include "drop/mbox_priv.h"

#include "base/alloc.h"
#include "drop/uidl.h"
#include "sys/sock.h"

#include <stdlib.h>

static struct index_spool
spool_of(const struct file_facts *facts)
{
	return (struct index_spool){
		.dev = facts->dev,
		.ino = facts->ino,
		.size = facts->size,
		.mtime_s = (uint64_t)facts->mtime.tv_sec,
		.mtime_ns = (uint64_t)facts->mtime.tv_nsec,
		.ctime_s = (uint64_t)facts->ctime.tv_sec,
		.ctime_ns = (uint64_t)facts->ctime.tv_nsec,
	};
}

/* Of the last octets before `size`. */
static bool
digest_tail(int fd, uint64_t size, uint8_t out[DIGEST_SIZE])
{
	uint8_t		block[INDEX_TAIL];
	size_t		n = size < INDEX_TAIL ? (size_t)size : INDEX_TAIL;

	if (file_pread(fd, block, n, size - n, NULL) != (ssize_t)n)
		return false;
	digest_span(span_of(block, n), out);
	return true;
}

/* --------------------------------------------------------------- reading */

static bool
read_head(struct indexed *x)
{
	uint8_t b[INDEX_HEAD];

	return file_pread(x->fd, b, sizeof(b), 0, NULL) == INDEX_HEAD &&
	    index_get_head(span_of(b, sizeof(b)), &x->head) && x->head.n > 0;
}

/* Where the messages of a block begin and end; 0: not read yet. */
struct index_edge {
	uint64_t	from;
	uint64_t	next;
};

/* Blocks follow one another. */
static bool
fits_neighbours(const struct indexed *x, uint64_t k, const struct index_edge *e)
{
	const struct index_edge *all = x->edges;

	return (k == 0 || all[k - 1].next == 0 || all[k - 1].next == e->from) &&
	    (k + 1 == index_blocks(&x->head) || all[k + 1].next == 0 ||
	    all[k + 1].from == e->next);
}

static bool
read_block(struct indexed *x, uint64_t k)
{
	static uint8_t	  b[INDEX_BLOCK];
	ssize_t		  n = file_pread(x->fd, b, sizeof(b), index_place(k), NULL);
	size_t		  rows = index_rows(&x->head, k);
	struct index_edge e;

	if (x->block == NULL)
		x->block = xalloc(INDEX_ROWS, sizeof(*x->block));
	x->which = UINT64_MAX;
	if (n == -1 || !index_get_block(&x->head, k, span_of(b, (size_t)n),
	    x->block))
		return false;
	e = (struct index_edge){ x->block[0].from, x->block[rows - 1].next };
	if (!fits_neighbours(x, k, &e))
		return false;
	x->edges[k] = e;
	x->which = k;
	return true;
}

/* n: of the doubted ones. */
static void
doubt(struct mbox_msg *m, size_t rows, uint64_t n)
{
	for (size_t i = 0; i < rows && i < n; i++)
		m[i].flags |= MBOX_DOUBTED;
}

const struct mbox_msg *
indexed_row(struct indexed *x, size_t row)
{
	uint64_t k = row / INDEX_ROWS;
	uint64_t before = k * INDEX_ROWS;

	if (x->block == NULL || x->which != k) {
		if (!read_block(x, k))
			return NULL;
		doubt(x->block, index_rows(&x->head, k), x->head.doubted > before ?
		    x->head.doubted - before : 0);
	}
	return &x->block[row - before];
}

static bool
read_briefs(struct indexed *x, uint64_t k)
{
	static uint8_t	b[INDEX_BRIEFS];
	ssize_t		n = file_pread(x->fd, b, sizeof(b), index_place(k), NULL);

	if (x->briefs == NULL)
		x->briefs = xalloc(INDEX_ROWS, sizeof(*x->briefs));
	x->which_briefs = UINT64_MAX;
	if (n == -1 || !index_get_briefs(&x->head, k, span_of(b, (size_t)n),
	    x->briefs))
		return false;
	x->which_briefs = k;
	return true;
}

const struct index_brief *
indexed_brief(struct indexed *x, size_t row)
{
	uint64_t k = row / INDEX_ROWS;

	if (x->briefs == NULL || x->which_briefs != k)
		if (!read_briefs(x, k))
			return NULL;
	return &x->briefs[row % INDEX_ROWS];
}

static bool
same_tail(const struct indexed *x, int fd)
{
	uint8_t now[DIGEST_SIZE];

	return digest_tail(fd, x->head.spool.size, now) &&
	    memcmp(now, x->head.tail, DIGEST_SIZE) == 0;
}

/* Rows for all, and what is in them, but for the last, when it is wanted. */
static void
promise_rows(struct indexed *x, struct mbox_table *out)
{
	x->rows_wanted = true;
	out->n = out->cap = (size_t)x->head.n;
	out->m = xalloc(out->n, sizeof(*out->m));
	x->known = xalloc(out->n, sizeof(*x->known));
	free(x->edges);
	x->edges = xalloc((size_t)index_blocks(&x->head), sizeof(*x->edges));
	out->m[out->n - 1] = x->head.last;
	x->known[out->n - 1] = true;
}

enum index_fit
indexed_read(struct indexed *x, int fd, const struct file_facts *facts,
    struct mbox_table *out)
{
	struct index_spool	now = spool_of(facts);
	enum index_fit		fit;

	x->keep = 0;
	x->wanted = x->fd != -1;
	if (x->fd == -1 || !read_head(x))
		return INDEX_OTHER;
	fit = index_fit(&x->head.spool, &now);
	if (fit == INDEX_SAME && !x->head.young) {
		x->wanted = false;
		x->good = true;
		promise_rows(x, out);
		return INDEX_SAME;
	}
	if (fit == INDEX_OTHER || !same_tail(x, fd))
		return INDEX_OTHER;
	x->keep = (size_t)x->head.n - 1;
	x->edges = xalloc((size_t)index_blocks(&x->head), sizeof(*x->edges));
	return INDEX_GROWN;
}

void
indexed_doubt(struct indexed *x, struct mbox_table *t)
{
	x->head.doubted = x->head.n;
	doubt(&t->m[t->n - 1], 1, 1);
}

/* Of the messages before them the digests are enough. */
static bool
number_new(struct indexed *x, const struct mbox_table *t)
{
	const struct mbox_table		 new = { .m = t->m + 1, .n = t->n - 1 };
	const struct mbox_msg		*last = &x->head.last;
	const struct index_brief	*b;
	struct twins			 w;
	size_t				 row = 0;

	t->m[0].twin = last->twin;
	if (new.n == 0)
		return true;
	twins_begin(&w, &new);
	for (; row < x->keep && (b = indexed_brief(x, row)) != NULL; row++)
		twins_older(&w, b->digest, b->twin);
	twins_older(&w, last->digest, last->twin);
	twins_end(&w);
	return row == x->keep;
}

static void
take_rows(struct indexed *x, struct mbox_table *out, size_t at,
    const struct mbox_msg *m, size_t n)
{
	memcpy(out->m + at, m, n * sizeof(*m));
	memset(x->known + at, true, n);
}

bool
indexed_grow(struct indexed *x, const struct mbox_table *t, struct mbox_table *out)
{
	struct index_head	*h = &x->head;
	/* the block in which they go on is written anew */
	size_t			 part = t->n > 1 ? x->keep % INDEX_ROWS : 0;

	if (!number_new(x, t) ||
	    (part > 0 && !read_block(x, x->keep / INDEX_ROWS)))
		return false;
	for (size_t i = 0; i + 1 < t->n; i++)
		index_count(&h->before, &t->m[i]);
	h->n = x->keep + t->n;
	h->last = t->m[t->n - 1];
	h->doubted = x->keep;
	promise_rows(x, out);
	if (part > 0) {
		doubt(x->block, part, part);
		take_rows(x, out, x->keep - part, x->block, part);
	}
	take_rows(x, out, x->keep, t->m, t->n);
	return true;
}

void
indexed_measured(struct indexed *x, size_t row, const struct mbox_msg *m)
{
	if (row < x->measured)
		x->measured = row;
	if (!x->rows_wanted)
		return;
	if (row + 1 == x->head.n)
		x->head.last = *m;
	else
		index_measured(&x->head.before, m);
}

void
indexed_fini(struct indexed *x)
{
	fd_close(&x->fd);
	free(x->known);
	free(x->block);
	free(x->briefs);
	free(x->edges);
}

/* --------------------------------------------------------------- writing */

/* Blocks are about to be changed under the head: it is none until it is written. */
static bool
unmark(struct indexed *x)
{
	static const uint8_t none[8];

	return file_pwrite(x->fd, none, sizeof(none), 0, NULL) == 0;
}

/* Rows from one on are to be others: blocks with those go, so that no crash leaves them
 * under a new head. */
static bool
cut(struct indexed *x, size_t row)
{
	return unmark(x) &&
	    file_truncate(x->fd, index_place(row / INDEX_ROWS), NULL) == 0;
}

/* From the one on in which something is new, or that was cut off. */
static bool
write_blocks(const struct indexed *x, const struct mbox_table *t)
{
	static uint8_t	b[INDEX_BLOCK];
	size_t		first = x->keep < x->measured ? x->keep : x->measured;
	uint64_t	k = x->head.young || first + 1 < x->head.n ?
			    first / INDEX_ROWS : index_blocks(&x->head);

	for (; k < index_blocks(&x->head); k++) {
		size_t rows = index_rows(&x->head, k);

		index_put_block(&x->head, k, t->m + k * INDEX_ROWS, rows, b);
		if (file_pwrite(x->fd, b, index_block_size(rows), index_place(k),
		    NULL) == -1)
			return false;
	}
	return true;
}

/* Of a spool with these octets, in that state. */
static bool
write_index(struct indexed *x, int fd, const struct file_facts *facts,
    const struct mbox_table *t)
{
	uint8_t b[INDEX_HEAD];

	x->head.spool = spool_of(facts);
	if (!digest_tail(fd, facts->size, x->head.tail))
		return false;
	if (x->keep == 0) {
		random_bytes(&x->head.generation, sizeof(x->head.generation));
		if (file_truncate(x->fd, 0, NULL) == -1)
			return false;
	}
	if (x->measured < x->keep && !unmark(x))
		return false;
	if (!write_blocks(x, t))
		return false;
	x->measured = SIZE_MAX;
	index_put_head(&x->head, b);
	return file_pwrite(x->fd, b, sizeof(b), 0, NULL) == 0;
}

/* A head for a table of which all rows are there. */
static void
describe(struct indexed *x, const struct mbox_table *t, bool young)
{
	x->head = (struct index_head){
		.generation = x->head.generation,
		.n = t->n,
		.doubted = x->keep,
		.young = young,
		.last = t->m[t->n - 1],
	};
	for (size_t i = 0; i + 1 < t->n; i++)
		index_count(&x->head.before, &t->m[i]);
}

bool
indexed_write(struct indexed *x, int fd, const struct file_facts *facts,
    const struct mbox_table *t, uint64_t boot)
{
	if (!x->wanted || t->n == 0)
		return true;
	if (!x->rows_wanted)
		describe(x, t, false);
	x->head.young = false;
	x->head.boot = boot;
	x->good = write_index(x, fd, facts, t);
	return x->good;
}

void
indexed_replace(struct indexed *x, int fd, const struct mbox_table *t, size_t same)
{
	struct file_facts	facts;

	if (t->n == 0 || file_facts(fd, &facts, NULL) == -1 ||
	    t->m[t->n - 1].next != facts.size) {
		indexed_drop(x);
		return;
	}
	x->keep = !x->good ? 0 : same < t->n ? same : t->n - 1;
	if (x->keep > 0 && !cut(x, x->keep))
		x->keep = 0;
	describe(x, t, true);
	x->good = write_index(x, fd, &facts, t);
	if (!x->good)
		indexed_drop(x);
}

void
indexed_drop(struct indexed *x)
{
	x->good = false;
	x->wanted = false;
	x->keep = 0;
	if (x->fd != -1)
		(void)!file_truncate(x->fd, 0, NULL);
}

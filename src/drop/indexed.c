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
#include "sys/sock.h"

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
	struct digest	d;

	if (file_pread(fd, block, n, size - n, NULL) != (ssize_t)n)
		return false;
	digest_init(&d);
	digest_add(&d, span_of(block, n));
	digest_take(&d, out);
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

/* All messages but the last. */
static bool
read_blocks(const struct indexed *x, struct mbox_table *out)
{
	static uint8_t		b[INDEX_BLOCK];
	static struct mbox_msg	m[INDEX_ROWS];

	for (uint64_t k = 0; k < index_blocks(&x->head); k++) {
		ssize_t	n = file_pread(x->fd, b, sizeof(b), index_place(k), NULL);
		size_t	rows = index_rows(&x->head, k);

		if (n == -1 || !index_get_block(&x->head, k,
		    span_of(b, (size_t)n), m) || (out->n > 0 &&
		    out->m[out->n - 1].next != m[0].from))
			return false;
		for (size_t i = 0; i < rows; i++) {
			out->m = xgrow(out->m, out->n, &out->cap, sizeof(*out->m));
			out->m[out->n++] = m[i];
		}
	}
	return true;
}

static bool
same_tail(const struct indexed *x, int fd)
{
	uint8_t now[DIGEST_SIZE];

	return digest_tail(fd, x->head.spool.size, now) &&
	    memcmp(now, x->head.tail, DIGEST_SIZE) == 0;
}

static void
doubt(struct mbox_table *t, uint64_t n)
{
	for (size_t i = 0; i < n && i < t->n; i++)
		t->m[i].flags |= MBOX_DOUBTED;
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
	if (fit == INDEX_OTHER || (fit == INDEX_GROWN && !same_tail(x, fd)))
		return INDEX_OTHER;
	if (!read_blocks(x, out)) {
		mbox_table_fini(out);
		return INDEX_OTHER;
	}
	x->keep = out->n;
	doubt(out, fit == INDEX_GROWN ? out->n : x->head.doubted);
	if (fit == INDEX_GROWN)
		return fit;
	out->m = xgrow(out->m, out->n, &out->cap, sizeof(*out->m));
	out->m[out->n++] = x->head.last;
	x->wanted = false;
	return fit;
}

/* --------------------------------------------------------------- writing */

static bool
write_blocks(const struct indexed *x, const struct mbox_table *t)
{
	static uint8_t b[INDEX_BLOCK];

	for (uint64_t k = x->keep / INDEX_ROWS; k < index_blocks(&x->head); k++) {
		size_t rows = index_rows(&x->head, k);

		index_put_block(&x->head, k, t->m + k * INDEX_ROWS, rows, b);
		if (file_pwrite(x->fd, b, index_block_size(rows), index_place(k),
		    NULL) == -1)
			return false;
	}
	return true;
}

static bool
write_index(struct indexed *x, const struct mbox_table *t)
{
	uint8_t b[INDEX_HEAD];

	if (x->keep == 0) {
		random_bytes(&x->head.generation, sizeof(x->head.generation));
		if (file_truncate(x->fd, 0, NULL) == -1)
			return false;
	}
	if (!write_blocks(x, t))
		return false;
	index_put_head(&x->head, b);
	return file_pwrite(x->fd, b, sizeof(b), 0, NULL) == 0;
}

void
indexed_write(struct indexed *x, int fd, const struct file_facts *facts,
    const struct mbox_table *t)
{
	uint64_t generation = x->head.generation;

	if (!x->wanted || t->n == 0)
		return;
	x->head = (struct index_head){
		.generation = generation,
		.spool = spool_of(facts),
		.n = t->n,
		.doubted = x->keep,
		.last = t->m[t->n - 1],
	};
	for (size_t i = 0; i < t->n; i++)
		index_count(&x->head.totals, &t->m[i]);
	/* Without room there is none: what is half there is not to grow old. */
	if (!digest_tail(fd, facts->size, x->head.tail) || !write_index(x, t))
		indexed_drop(x);
}

void
indexed_drop(struct indexed *x)
{
	if (x->fd != -1)
		(void)!file_truncate(x->fd, 0, NULL);
}

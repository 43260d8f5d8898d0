/* SPDX-License-Identifier: ISC */
/*
 * The mbox back end: opening, reading, closing.  Runs as: the user.
 * Reads from: the spool, which anybody may have written.
 */
#include "drop/mbox_priv.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>

#define BLOCK	16384

static const struct drop_ops image_ops;

/* ------------------------------------------------------------- messages */

static void
mbox_snapshot(const struct drop *d, struct snapshot *out)
{
	*out = (struct snapshot){ d->entries, d->n };
}

static void
mbox_totals(const struct drop *d, struct drop_totals *out)
{
	*out = (struct drop_totals){
		.n = d->n,
		.octets = d->totals.octets,
		.last_seen = d->totals.last_seen,
		.eight_bit = d->totals.eight_bit,
		.surrogates = d->totals.surrogates,
		.oldest = d->totals.oldest,
	};
}

static ssize_t
mbox_read(struct drop *d, size_t i, uint64_t off, void *p, size_t n,
    struct fault *f)
{
	struct mbox_text t;

	return rows_text(d, i, &t, f) == -1 ? -1 :
	    tempdrop_read(d, &t, off, p, n, f);
}

static struct span
mbox_peek(struct drop *d, size_t i, uint64_t off)
{
	struct mbox_text t;

	return rows_text(d, i, &t, NULL) == -1 ? SPAN("") :
	    tempdrop_peek(d, &t, off);
}

static struct drop *
drop_new(const struct drop_ops *ops)
{
	/* a digest's state, within, wants more than malloc's alignment */
	struct drop *d = xalloc_aligned(_Alignof(struct drop), sizeof(*d));

	d->ops = ops;
	d->fd = -1;
	d->index.fd = -1;
	d->index.measured = SIZE_MAX;
	return d;
}

static void
mbox_close(struct drop *d)
{
	if (d == NULL)
		return;
	if (d->own_fd)
		fd_close(&d->fd);
	indexed_fini(&d->index);
	mbox_table_fini(&d->table);
	follow_free(d->follow);
	free(d->ahead.p);
	free(d->entries);
	free(d);
}

/* -------------------------------------------------------------- opening */

static int
take_snapshot(struct drop *d, struct fault *f)
{
	struct spool	s;
	int		r;

	spool_init(&s, &d->conf);
	r = spool_lock(&s, DROP_LOCK_SCAN, 0, f);
	if (r == 0 && s.fd != -1) {
		r = tempdrop_make(d, &s, f);
		if (r == -1)
			(void)fault_prefix(f, "%s: ", d->conf.path);
		spool_unlock(&s);
		if (r == 0 && d->in_place)
			(void)fd_take(&s.fd);
	}
	spool_fini(&s);
	return r;
}

/* The lock is given back by now: of a spool that has changed since, not all rows are
 * known to be what they were. */
static void
measure(struct drop *d)
{
	const struct file_facts then = d->facts;

	rows_measure(d);
	if (!spool_same_state(&d->facts, &then))
		indexed_drop(&d->index);
}

/* Without room for it there is none, and what it knows is read before it goes. */
static int
write_index(struct drop *d, struct fault *f)
{
	int r;

	if (indexed_write(&d->index, d->fd, &d->facts, &d->table,
	    d->fresh ? 0 : d->conf.boot))
		return 0;
	r = rows_all(d, f);
	indexed_drop(&d->index);
	return r == -1 ? fault_prefix(f, "%s: ", d->conf.path) : 0;
}

static int
mbox_open(const struct drop_conf *c, struct drop **drop_r, struct fault *f)
{
	struct fault	 own;
	struct drop	*d;
	bool		 did;

	*drop_r = NULL;
	if (f == NULL)
		f = &own;
	if (drop_recover(c, &did, f) == -1 || legacy_take_in(c, f) == -1)
		return -1;
	d = drop_new(&mbox_ops);
	d->conf = *c;
	if (take_snapshot(d, f) == -1) {
		mbox_close(d);
		return -1;
	}
	rows_begin(d);
	if (d->index.wanted)
		measure(d);
	if (write_index(d, f) == -1) {
		mbox_close(d);
		return -1;
	}
	*drop_r = d;
	return 0;
}

int
mbox_open_copy(const struct drop_conf *c, int fd, uint64_t size,
    struct drop **drop_r, struct fault *f)
{
	struct drop *d = drop_new(&mbox_ops);

	*drop_r = NULL;
	d->conf = *c;
	d->fd = fd;
	d->own_fd = true;
	if (mbox_scan_file(fd, 0, size, &d->table, f) == -1) {
		mbox_close(d);
		return fault_prefix(f, "%s: ", c->path);
	}
	rows_begin(d);
	*drop_r = d;
	return 0;
}

int
mbox_probe_file(int fd, struct fault *f)
{
	struct mbox_table	t = { 0 };
	struct mbox_scan	s;
	static uint8_t	block[BLOCK];
	ssize_t			n = 1;
	int			r;

	mbox_scan_init(&s, &t);
	while (n > 0 && s.part == PART_PREAMBLE) {
		n = file_pread(fd, block, sizeof(block), s.pos, f);
		if (n > 0)
			mbox_scan_feed(&s, span_of(block, (size_t)n));
	}
	r = n == -1 ? -1 : mbox_scan_end(&s, f);
	mbox_table_fini(&t);
	return r;
}

static int
mbox_probe(const struct drop_conf *c, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;
	struct fault		own;

	if (f == NULL)
		f = &own;
	if (file_open(FILE_CWD, c->path, FILE_READ, 0, &fd, f) == -1)
		return f->err == ENOENT ? 0 : -1;
	if (file_facts(fd, &facts, f) == -1 ||
	    spool_check_owner(&facts, c->uid, c->path, f) == -1)
		return -1;
	return mbox_probe_file(fd, f) == -1 ?
	    fault_prefix(f, "%s: ", c->path) : 0;
}

const struct drop_ops mbox_ops = {
	.name		= "mbox",
	.probe		= mbox_probe,
	.open		= mbox_open,
	.snapshot	= mbox_snapshot,
	.totals		= mbox_totals,
	.entry		= rows_entry,
	.size		= rows_size,
	.uidl		= rows_uidl,
	.read		= mbox_read,
	.peek		= mbox_peek,
	.commit		= mbox_commit,
	.close		= mbox_close,
};

/* --------------------------------------------------------------- images */

static int
image_probe(const struct drop_conf *c, struct fault *f)
{
	(void)c;
	return fault_set(f, FAULT_PERM, "an image has no path");
}

static int
image_open(const struct drop_conf *c, struct drop **drop_r, struct fault *f)
{
	*drop_r = NULL;
	return image_probe(c, f);
}

static int
image_commit(struct drop *d, const struct drop_change *c,
    struct drop_outcome *out, struct fault *f)
{
	(void)d;
	(void)c;
	(void)f;
	*out = (struct drop_outcome){ 0 };
	return 0;
}

static const struct drop_ops image_ops = {
	.name		= "image",
	.probe		= image_probe,
	.open		= image_open,
	.snapshot	= mbox_snapshot,
	.read		= mbox_read,
	.commit		= image_commit,
	.close		= mbox_close,
};

int
mbox_open_image(int fd, uint64_t len, struct drop **drop_r, struct fault *f)
{
	struct drop *d = drop_new(&image_ops);

	*drop_r = NULL;
	d->fd = fd;
	if (mbox_scan_file(fd, 0, len, &d->table, f) == -1) {
		mbox_close(d);
		return -1;
	}
	rows_begin(d);
	*drop_r = d;
	return 0;
}

/* Each back end has a struct of its own: all of them begin like this. */
const struct drop_ops *
drop_ops_of(const struct drop *d)
{
	return *(const struct drop_ops *const *)(const void *)d;
}

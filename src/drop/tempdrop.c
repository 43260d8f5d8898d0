/* SPDX-License-Identifier: ISC */
/*
 * The temporary maildrop: what a session reads while others change the spool.
 *
 * Strategy `always`: the spool is copied at login; a small one into memory, since
 * for it the making of a file costs more than all the rest.  When there is no room for
 * the copy (the user with the full disk is the one who must delete) the
 * session reads the spool itself, verified in place: its state (size, times,
 * inode) is compared before and after each read; when it changed, the messages
 * are looked up again, by the digests of all their octets.  A message that is
 * no longer there gives a fault, never another message's octets.
 *
 * Runs as: the user.  Reads from: the spool.
 */
#include "drop/mbox_priv.h"

#include "base/alloc.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdlib.h>

#define BLOCK		16384
#define READ_TRIES	4
/*
 * Times of files advance by the kernel's tick, at most 10 ms.  After such a
 * pause under the lock, whatever is written later has another time.
 */
#define TICK_MS		20

bool
mbox_is_full(const struct fault *f)
{
	return f->err == ENOSPC || f->err == EDQUOT || f->err == EFBIG;
}

/* ------------------------------------------------------------- the copy */

/* to -1: scan alone.  *kept_r: the copy is whole. */
static int
copy_and_scan(struct spool *s, int to, struct mbox_table *out, bool *kept_r,
    struct fault *f)
{
	struct mbox_scan	scan;
	struct fault		lost;
	static uint8_t	block[BLOCK];

	*kept_r = to != -1;
	mbox_scan_init(&scan, out);
	while (scan.pos < s->facts.size && !mbox_scan_foreign(&scan)) {
		uint64_t left = s->facts.size - scan.pos;
		size_t	 want = left < BLOCK ? (size_t)left : BLOCK;
		uint64_t at = scan.pos;
		ssize_t	 got = file_pread(s->fd, block, want, at, f);

		if (got == -1)
			return -1;
		if ((size_t)got < want)
			return fault_set(f, FAULT_TEMP,
			    "it became shorter while it was read");
		mbox_scan_feed(&scan, span_of(block, want));
		if (*kept_r && file_pwrite(to, block, want, at, &lost) == -1)
			*kept_r = false;
		if (spool_tick(s, f) == -1)
			return -1;
	}
	return mbox_scan_end(&scan, f);
}

int
tempdrop_scan(struct spool *s, struct mbox_table *out, struct fault *f)
{
	bool kept;

	return copy_and_scan(s, -1, out, &kept, f);
}

/* What is recorded now will tell any later change. */
static int
note_state(struct drop *d, struct spool *s, struct fault *f)
{
	clock_sleep(TICK_MS);
	return file_facts(s->fd, &d->facts, f);
}

/* Where the copy goes; -1: nowhere. */
static int
copy_open(const struct drop *d, uint64_t size)
{
	const struct drop_host	*h = d->conf.host;
	struct fault		 why;
	int			 copy = -1;

	if (size > d->conf.copy_max)
		h->tell(h->ctx, "drop-in-place", "larger than temp_max");
	else if ((size > d->conf.memory_max || file_open_memory(&copy, &why) == -1) &&
	    h->tempfile(h->ctx, &copy, &why) == -1)
		h->tell(h->ctx, "drop-in-place", why.text);
	else
		return copy;
	return -1;
}

int
tempdrop_make(struct drop *d, struct spool *s, struct fault *f)
{
	const struct drop_host	*h = d->conf.host;
	AUTO(fd_close) int	 copy = copy_open(d, s->facts.size);
	bool			 whole;

	if (copy_and_scan(s, copy, &d->table, &whole, f) == -1)
		return -1;
	d->own_fd = true;
	if (whole) {
		d->fd = fd_take(&copy);
		return 0;
	}
	if (copy != -1)
		h->tell(h->ctx, "drop-in-place",
		    "no room for a temporary copy");
	if (note_state(d, s, f) == -1)
		return -1;
	d->in_place = true;
	d->fd = s->fd;
	return 0;
}

/* ------------------------------------------------------------- in place */

static int
compare_octets(const struct mbox_msg *a, const struct mbox_msg *b)
{
	int c = memcmp(a->digest, b->digest, MBOX_DIGEST);

	return c != 0 ? c : memcmp(a->changing, b->changing, MBOX_DIGEST);
}

static int
by_octets(const void *a, const void *b)
{
	const struct mbox_msg *x = *(const struct mbox_msg *const *)a;
	const struct mbox_msg *y = *(const struct mbox_msg *const *)b;
	int c = compare_octets(x, y);

	return c != 0 ? c : x < y ? -1 : x > y;
}

static struct mbox_msg **
sorted(const struct mbox_table *t)
{
	struct mbox_msg **list = xalloc(t->n, sizeof(struct mbox_msg *));

	for (size_t i = 0; i < t->n; i++)
		list[i] = &t->m[i];
	qsort(list, t->n, sizeof(struct mbox_msg *), by_octets);
	return list;
}

size_t
tempdrop_match(struct mbox_table *want, const struct mbox_table *found)
{
	struct mbox_msg	**w = sorted(want);
	struct mbox_msg	**x = sorted(found);
	size_t		 gone = 0;
	size_t		 k = 0;

	for (size_t i = 0; i < want->n; i++) {
		while (k < found->n && compare_octets(x[k], w[i]) < 0)
			k++;
		if (k == found->n || compare_octets(x[k], w[i]) != 0 ||
		    x[k]->size_wire != w[i]->size_wire ||
		    /* an LF was cut off: there is less than was promised */
		    x[k]->end - x[k]->text < w[i]->end - w[i]->text) {
			w[i]->flags |= MBOX_GONE;
			gone++;
			continue;
		}
		w[i]->flags &= ~(uint32_t)MBOX_GONE;
		w[i]->from = x[k]->from;
		w[i]->text = x[k]->text;
		w[i]->end = x[k]->end;
		w[i]->next = x[k]->next;
		k++;
	}
	free(w);
	free(x);
	return gone;
}

/* A spool that was renamed or unlinked may still have all its octets. */
static bool
old_inode_serves(struct drop *d)
{
	struct mbox_table	t = { 0 };
	struct file_facts	facts;
	bool			serves = false;

	if (file_facts(d->fd, &facts, NULL) == 0 &&
	    mbox_scan_file(d->fd, 0, facts.size, &t, NULL) == 0 &&
	    tempdrop_match(&d->table, &t) == 0) {
		d->facts = facts;
		serves = true;
	}
	mbox_table_fini(&t);
	return serves;
}

static int
rescan(struct drop *d, struct spool *s, struct fault *f)
{
	struct mbox_table	t = { 0 };
	int			r = 0;

	if (s->fd != -1)
		r = tempdrop_scan(s, &t, f);
	if (r == -1 && f->class == FAULT_PERM)	/* no mailbox any more */
		r = 0;
	if (r == 0 && s->fd != -1)
		r = note_state(d, s, f);
	if (r == 0)
		(void)tempdrop_match(&d->table, &t);
	mbox_table_fini(&t);
	return r;
}

/* The spool is not what it was: find the messages again, under the lock. */
static int
find_again(struct drop *d, struct fault *f)
{
	struct spool	s;
	int		r;

	spool_init(&s, &d->conf);
	r = spool_lock(&s, DROP_LOCK_SCAN, 0, f);
	if (r == 0 && (s.fd == -1 || s.facts.ino != d->facts.ino ||
	    s.facts.dev != d->facts.dev) && old_inode_serves(d)) {
		spool_unlock(&s);
		spool_fini(&s);
		return 0;
	}
	if (r == 0)
		r = rescan(d, &s, f);
	spool_unlock(&s);
	if (r == 0 && s.fd != -1) {
		fd_close(&d->fd);
		d->fd = fd_take(&s.fd);
	}
	spool_fini(&s);
	if (r == -1 && f->class == FAULT_IN_USE)
		f->class = FAULT_TEMP;
	return r;
}

static int
unchanged(const struct drop *d, bool *same_r, struct fault *f)
{
	struct file_facts now;

	if (file_facts(d->fd, &now, f) == -1)
		return -1;
	*same_r = spool_same_state(&now, &d->facts);
	return 0;
}

static ssize_t
read_in_place(struct drop *d, const struct mbox_msg *m, uint64_t off, void *p,
    size_t n, struct fault *f)
{
	for (int try = 0; try < READ_TRIES; try++) {
		ssize_t	got;
		bool	same;

		if (unchanged(d, &same, f) == -1 ||
		    (!same && find_again(d, f) == -1))
			return -1;
		if (m->flags & MBOX_GONE)
			return fault_set(f, FAULT_TEMP, "another program "
			    "removed the message, and there was no room for a "
			    "copy");
		got = file_pread(d->fd, p, n, m->text + off, f);
		if (got == -1 || unchanged(d, &same, f) == -1)
			return -1;
		if (same)
			return got;
	}
	return fault_set(f, FAULT_TEMP, "the spool changes all the time");
}

ssize_t
tempdrop_read(struct drop *d, const struct drop_entry *e, uint64_t off, void *p,
    size_t n, struct fault *f)
{
	const struct mbox_msg *m = &d->table.m[e->locator];

	if (off >= e->size_disk)
		return 0;
	if (n > e->size_disk - off)
		n = (size_t)(e->size_disk - off);
	return d->in_place ? read_in_place(d, m, off, p, n, f) :
	    file_pread(d->fd, p, n, m->text + off, f);
}

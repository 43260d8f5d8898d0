/* SPDX-License-Identifier: ISC */
/*
 * The messages of a maildrop, as they are wanted: all of them are known after a scan;
 * of one that was opened by its index a block of rows is read when a message of it
 * is asked for.
 *
 * Runs as: the user.  Reads from: the index, which the user may have written; the
 * spool, when the index turns out to be damaged.
 */
#include "drop/mbox_priv.h"

#include "base/alloc.h"
#include "drop/promise.h"
#include "drop/recoder.h"
#include "drop/uidl.h"

#include <stdlib.h>

/* Returns its end, as uidl_format. */
static char *
put_uidl(const struct drop *d, const uint8_t digest[MBOX_DIGEST], uint32_t twin,
    char out[DROP_UIDL_MAX + 1])
{
	return promises_find(d->conf.promises, digest, twin, out) ?
	    out + strlen(out) : uidl_format(digest, twin, out);
}

static void
make_entry(const struct drop *d, const struct mbox_msg *m, size_t row,
    struct drop_entry *e)
{
	e->locator = row;
	e->size_disk = m->end - m->text;
	e->size_wire = m->size_wire;
	e->size_surrogate = m->size_surrogate;
	e->delivered = m->delivered;
	e->flags = (m->flags & MBOX_SEEN ? DROP_SEEN : 0u) |
	    (m->flags & MBOX_8BIT ? DROP_8BIT : 0u) |
	    (m->flags & MBOX_RECODED ? DROP_RECODED : 0u);
	if (promises_find(d->conf.promises, m->digest, m->twin, e->uidl))
		e->flags |= DROP_PROMISED;
	else
		uidl_format(m->digest, m->twin, e->uidl);
}

static void
make_entries(struct drop *d)
{
	d->entries = xalloc(d->table.n, sizeof(*d->entries));
	d->n = 0;
	for (size_t i = 0; i < d->table.n; i++)
		if ((d->table.m[i].flags & MBOX_HIDDEN) == 0)
			make_entry(d, &d->table.m[i], i, &d->entries[d->n++]);
}

static void
count_all(const struct mbox_table *t, struct index_totals *out)
{
	*out = (struct index_totals){ 0 };
	for (size_t i = 0; i < t->n; i++)
		index_count(out, &t->m[i]);
}

void
rows_begin(struct drop *d)
{
	if (d->index.rows_wanted) {
		index_totals(&d->index.head, &d->totals);
		d->n = (size_t)d->totals.messages;
		return;
	}
	count_all(&d->table, &d->totals);
	make_entries(d);
}

/* ---------------------------------------------------------- by the index */

/* Only the first message of all may be hidden. */
size_t
rows_row(const struct drop *d, size_t i)
{
	return i + (d->table.n - d->n);
}

/* What a scan finds out, before any is measured. */
static bool
are_same(const struct index_totals *a, const struct index_totals *b)
{
	return a->messages == b->messages && a->octets == b->octets &&
	    a->last_seen == b->last_seen && a->oldest == b->oldest;
}

static void
measure(struct drop *d, size_t i)
{
	size_t			 row = rows_row(d, i);
	struct mbox_msg		*m = &d->table.m[row];
	struct drop_entry	 e;
	struct fault		 f;

	/* What cannot be read now is told when it is asked for. */
	if ((m->flags & MBOX_8BIT) == 0 || rows_entry(d, i, &e, &f) == -1 ||
	    recoder_measure(d, i, &e, &f) == -1)
		return;
	m->flags &= ~(uint32_t)MBOX_8BIT;
	if (e.flags & DROP_RECODED) {
		m->flags |= MBOX_RECODED;
		m->size_surrogate = e.size_surrogate;
	}
	if (d->entries != NULL)
		d->entries[i] = e;
	index_measured(&d->totals, m);
	indexed_measured(&d->index, row, m);
}

static void
measure_table(struct drop *d)
{
	for (size_t i = 0; d->conf.surrogates && i < d->n; i++)
		if (!d->index.rows_wanted || d->index.known[rows_row(d, i)])
			measure(d, i);
}

/*
 * The index is damaged: as many messages as it spoke of must be found, with as many
 * octets, for that was told to the client.
 */
static int
scan_instead(struct drop *d, struct fault *f)
{
	struct mbox_table	t = { 0 };
	struct index_totals	totals = { 0 };
	bool			same = true;
	int			r;

	indexed_drop(&d->index);
	r = mbox_scan_file(d->fd, 0, d->facts.size, &t, f);
	if (r == 0 && d->in_place)
		r = tempdrop_unchanged(d, &same, f);
	count_all(&t, &totals);
	if (r == 0 && (!same || t.n != d->table.n ||
	    !are_same(&totals, &d->totals)))
		r = fault_set(f, FAULT_TEMP, "its index was damaged, and it is "
		    "not what that said");
	if (r == 0) {
		memcpy(d->table.m, t.m, t.n * sizeof(*t.m));
		d->index.rows_wanted = false;
		make_entries(d);
		totals = d->totals;
		measure_table(d);
		d->totals = totals;
	}
	mbox_table_fini(&t);
	return r;
}

/* In the table, or where it is until the next call. */
static int
look(struct drop *d, size_t row, const struct mbox_msg **m_r, struct fault *f)
{
	*m_r = &d->table.m[row];
	if (!d->index.rows_wanted || d->index.known[row])
		return 0;
	*m_r = indexed_row(&d->index, row);
	if (*m_r != NULL)
		return 0;
	*m_r = &d->table.m[row];
	return scan_instead(d, f);
}

/* It stays in the table: a message that is asked for is mostly read, or deleted. */
static int
know(struct drop *d, size_t row, struct fault *f)
{
	const struct mbox_msg *m;

	if (look(d, row, &m, f) == -1)
		return -1;
	if (m != &d->table.m[row]) {
		d->table.m[row] = *m;
		d->index.known[row] = true;
	}
	return 0;
}

int
rows_entry(struct drop *d, size_t i, struct drop_entry *out, struct fault *f)
{
	size_t row = rows_row(d, i);

	ASSERT(i < d->n);
	if (d->entries == NULL && know(d, row, f) == -1)
		return -1;
	if (d->entries != NULL)
		*out = d->entries[i];
	else
		make_entry(d, &d->table.m[row], row, out);
	return 0;
}

int
rows_text(struct drop *d, size_t i, struct mbox_text *out, struct fault *f)
{
	struct fault own;

	ASSERT(i < d->n);
	if (d->entries != NULL) {
		*out = (struct mbox_text){ (size_t)d->entries[i].locator,
		    d->entries[i].size_disk };
		return 0;
	}
	out->row = rows_row(d, i);
	if (know(d, out->row, f == NULL ? &own : f) == -1)
		return -1;
	out->size = d->table.m[out->row].end - d->table.m[out->row].text;
	return 0;
}

/* What LIST and UIDL need of a message that has no entry yet; it gets one when the
 * index is damaged. */
static int
look_short(struct drop *d, size_t i, struct index_brief *out, struct fault *f)
{
	size_t				 row = rows_row(d, i);
	const struct index_brief	*b;

	if (d->index.known[row]) {
		index_brief_of(&d->table.m[row], out);
		return 0;
	}
	b = indexed_brief(&d->index, row);
	if (b == NULL)
		return scan_instead(d, f);
	*out = *b;
	return 0;
}

int
rows_size(struct drop *d, size_t i, bool surrogate, uint64_t *wire_r,
    struct fault *f)
{
	struct index_brief b;

	ASSERT(i < d->n);
	if (d->entries == NULL && look_short(d, i, &b, f) == -1)
		return -1;
	if (d->entries != NULL)
		index_brief_of(&d->table.m[rows_row(d, i)], &b);
	*wire_r = surrogate && (b.flags & MBOX_RECODED) ? b.size_surrogate :
	    b.size_wire;
	return 0;
}

char *
rows_uidl(struct drop *d, size_t i, char *out, struct fault *f)
{
	struct index_brief b;

	ASSERT(i < d->n);
	if (d->entries == NULL && look_short(d, i, &b, f) == -1)
		return NULL;
	return d->entries != NULL ? span_put(span_str(d->entries[i].uidl), out) :
	    put_uidl(d, b.digest, b.twin, out);
}

int
rows_all(struct drop *d, struct fault *f)
{
	for (size_t i = 0; d->index.rows_wanted && i < d->table.n; i++)
		if (know(d, i, f) == -1)
			return -1;
	d->index.rows_wanted = false;
	return 0;
}

/* What older rows were not measured is then, once, however much is read for that. */
void
rows_measure(struct drop *d)
{
	struct fault f;

	measure_table(d);
	if (d->conf.surrogates && d->index.rows_wanted &&
	    d->totals.eight_bit > 0 && rows_all(d, &f) == 0)
		measure_table(d);
}

/* SPDX-License-Identifier: ISC */
/*
 * What a spool holds after an UPDATE, without another scan of it: rows that stand
 * behind a change have moved, and only messages that were changed are looked at.
 *
 * Runs as: the user.  Reads from: the spool.
 */
#include "drop/mbox_priv.h"

#include "base/alloc.h"
#include "drop/uidl.h"

struct edited {
	int			 fd;
	struct mbox_table	*out;
	uint64_t		 moved;		/* by so much, modulo 2^64 */
	bool			 twins;		/* there are some */
	bool			 removed;
};

static void
add(struct edited *e, const struct mbox_msg *m)
{
	struct mbox_table *t = e->out;

	t->m = xgrow(t->m, t->n, &t->cap, sizeof(*t->m));
	t->m[t->n++] = *m;
	e->twins |= m->twin > 1;
}

static void
add_moved(struct edited *e, const struct mbox_msg *m)
{
	struct mbox_msg r = *m;

	r.flags &= ~(uint32_t)(MBOX_GONE | MBOX_DOUBTED);
	r.from += e->moved;
	r.text += e->moved;
	r.end += e->moved;
	r.next += e->moved;
	r.head_end += e->moved;
	if (r.status_len > 0)
		r.status += e->moved;
	add(e, &r);
}

/* Fields that are edited are in ASCII. */
static void
keep_measure(struct mbox_msg *now, const struct mbox_msg *then)
{
	const uint32_t kept = MBOX_8BIT | MBOX_RECODED;

	now->flags = (now->flags & ~kept) | (then->flags & kept);
	if (then->flags & MBOX_RECODED)
		now->size_surrogate = then->size_surrogate + now->size_wire -
		    then->size_wire;
}

/* It is longer by so much; or the first one now, which may be one that is hidden. */
static bool
add_seen_again(struct edited *e, const struct mbox_msg *m, uint64_t longer)
{
	struct mbox_table	t = { 0 };
	uint64_t		from = m->from + e->moved;
	uint64_t		len = m->next - m->from + longer;
	bool			good;

	good = mbox_scan_file(e->fd, from, len, &t, NULL) == 0 && t.n == 1 &&
	    t.m[0].from == from && t.m[0].next == from + len &&
	    memcmp(t.m[0].digest, m->digest, MBOX_DIGEST) == 0;
	if (good) {
		if (e->out->n > 0)
			t.m[0].flags &= ~(uint32_t)MBOX_HIDDEN;
		keep_measure(&t.m[0], m);
		t.m[0].twin = m->twin;
		add(e, &t.m[0]);
	}
	mbox_table_fini(&t);
	return good;
}

/* edits: those that are not before it. */
static bool
add_message(struct edited *e, const struct mbox_msg *m, bool first,
    const struct mbox_edit *edits, size_t n)
{
	bool		here = n > 0 && edits[0].off < m->next;
	uint64_t	longer = 0;

	if (here && edits[0].len == 0) {
		e->moved -= edits[0].cut;
		e->removed = true;
		return true;
	}
	if (here)
		longer = edits[0].len - edits[0].cut;
	if (!here && (first || e->out->n > 0)) {
		add_moved(e, m);
		return true;
	}
	if (!add_seen_again(e, m, longer))
		return false;
	e->moved += longer;
	return true;
}

bool
mbox_edited(int fd, const struct mbox_table *t, const struct mbox_edit *edits,
    size_t n, struct mbox_table *out, size_t *same_r)
{
	struct edited	e = { .fd = fd, .out = out };
	size_t		k = 0;

	*same_r = t->n;
	for (size_t i = 0; i < t->n; i++) {
		if (k < n && edits[k].off < t->m[i].next && *same_r == t->n)
			*same_r = i;
		if (!add_message(&e, &t->m[i], i == 0, edits + k, n - k))
			return false;
		while (k < n && edits[k].off < t->m[i].next)
			k++;
	}
	if (e.twins && e.removed) {
		mbox_number_twins(out);
		*same_r = 0;
	}
	return true;
}

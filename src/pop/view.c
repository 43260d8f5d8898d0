/* SPDX-License-Identifier: ISC */
#include "pop/view.h"

#include "base/alloc.h"
#include "drop/recoder.h"

#include <stdlib.h>

static void
totals_of_entries(const struct snapshot *s, struct drop_totals *t)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct drop_entry *e = &s->entries[i];

		t->n++;
		t->octets += e->size_wire;
		t->eight_bit += (e->flags & DROP_8BIT) != 0;
		if (e->flags & DROP_RECODED)
			t->surrogates += (int64_t)(e->size_surrogate -
			    e->size_wire);
		if (e->flags & DROP_SEEN)
			t->last_seen = t->n;
		if (e->delivered != 0 &&
		    (t->oldest == 0 || e->delivered < t->oldest))
			t->oldest = e->delivered;
	}
}

static void
totals(const struct drop *d, struct drop_totals *t)
{
	struct snapshot s;

	*t = (struct drop_totals){ 0 };
	if (d == NULL)
		return;
	if (drop_ops_of(d)->totals != NULL) {
		drop_ops_of(d)->totals(d, t);
		return;
	}
	drop_ops_of(d)->snapshot(d, &s);
	totals_of_entries(&s, t);
}

/* All that a drop has at hand. */
static void
fill(struct view *v, size_t from, struct drop *d)
{
	struct snapshot s;

	if (d == NULL || drop_ops_of(d)->entry != NULL)
		return;
	drop_ops_of(d)->snapshot(d, &s);
	for (size_t i = 0; i < s.n; i++) {
		v->items[from + i].drop = d;
		v->items[from + i].index = i;
		v->items[from + i].entry = s.entries[i];
		v->known[from + i] = true;
	}
}

/* Where a message is. */
static struct drop *
drop_of(const struct view *v, size_t i, size_t *index_r)
{
	*index_r = i < v->own ? i : i - v->own;
	return i < v->own ? v->maildrop : v->bulletins;
}

/* What is known of it before it is asked for: the drop has measured it. */
static void
recode(const struct view *v, struct view_item *m)
{
	if (v->utf8 == VIEW_AS_IS || (m->entry.flags & DROP_RECODED) == 0)
		return;
	m->recoded = true;
	if (v->utf8 == VIEW_DOWNGRADED)
		m->entry.size_wire = m->entry.size_surrogate;
}

struct view_item *
view_at(struct view *v, size_t i, struct fault *f)
{
	struct view_item	*m = &v->items[i];
	struct drop		*d = drop_of(v, i, &m->index);

	if (v->known[i])
		return m;
	if (drop_ops_of(d)->entry(d, m->index, &m->entry, f) == -1)
		return NULL;
	m->drop = d;
	v->known[i] = true;
	recode(v, m);
	return m;
}

int
view_size(const struct view *v, size_t i, uint64_t *wire_r, struct fault *f)
{
	size_t		 at;
	struct drop	*d = drop_of(v, i, &at);

	if (!v->known[i])
		return drop_ops_of(d)->size(d, at, v->utf8 == VIEW_DOWNGRADED,
		    wire_r, f);
	*wire_r = v->items[i].entry.size_wire;
	return 0;
}

char *
view_uidl(const struct view *v, size_t i, char *out, struct fault *f)
{
	size_t		 at;
	struct drop	*d = drop_of(v, i, &at);

	return v->known[i] ? span_put(span_str(v->items[i].entry.uidl), out) :
	    drop_ops_of(d)->uidl(d, at, out, f);
}

int
view_all(struct view *v, struct fault *f)
{
	for (size_t i = 0; i < v->n; i++)
		if (view_at(v, i, f) == NULL)
			return -1;
	return 0;
}

/* What cannot be found out is told when it is asked for. */
static void
make_distinct(struct view *v)
{
	struct drop_entry	**list;
	struct fault		  f;

	if (view_all(v, &f) == -1)
		return;
	list = xalloc(v->n, sizeof(*list));
	for (size_t i = 0; i < v->n; i++)
		list[i] = &v->items[i].entry;
	drop_distinct(list, v->n, v->own);
	free(list);
}

void
view_init(struct view *v, struct drop *maildrop, struct drop *bulletins)
{
	struct drop_totals own;
	struct drop_totals more;

	totals(maildrop, &own);
	totals(bulletins, &more);
	*v = (struct view){
		.maildrop = maildrop,
		.bulletins = bulletins,
		.n = own.n + more.n,
		.own = own.n,
		.octets = own.octets + more.octets,
		.eight_bit = own.eight_bit + more.eight_bit > 0,
		.surrogates = own.surrogates + more.surrogates,
		.oldest = own.oldest,
		.last_at_login = (uint32_t)own.last_seen,
	};
	if (more.last_seen > 0)
		v->last_at_login = (uint32_t)(own.n + more.last_seen);
	v->items = xalloc(v->n, sizeof(*v->items));
	v->known = xalloc(v->n, sizeof(*v->known));
	fill(v, 0, maildrop);
	fill(v, own.n, bulletins);
	if (more.n > 0)
		make_distinct(v);
	view_reset(v);
}

void
view_fini(struct view *v)
{
	free(v->items);
	free(v->known);
	*v = (struct view){ 0 };
}

struct view_item *
view_find(struct view *v, uint64_t msgno, struct fault *f)
{
	f->class = FAULT_NONE;
	return msgno >= 1 && msgno <= v->n ? view_at(v, (size_t)msgno - 1, f) : NULL;
}

uint32_t
view_msgno(const struct view *v, const struct view_item *m)
{
	return (uint32_t)(m - v->items + 1);
}

/* RETR and DELE raise LAST (RFC 1081). */
static void
touch(struct view *v, const struct view_item *m)
{
	uint32_t msgno = view_msgno(v, m);

	if (msgno > v->last)
		v->last = msgno;
}

void
view_retrieve(struct view *v, struct view_item *m)
{
	touch(v, m);
	m->retrieved = true;
	v->marked = true;
}

void
view_delete(struct view *v, struct view_item *m)
{
	touch(v, m);
	if (v->read_only)
		return;
	m->deleted = true;
	v->marked = true;
	v->left--;
	v->left_octets -= m->entry.size_wire;
}

/* One that the drop has not measured. */
static void
measure(struct view *v, struct view_item *m)
{
	uint64_t	was = m->entry.size_wire;
	struct fault	f;

	/* What cannot be read now is told when it is asked for. */
	if (recoder_measure(m->drop, m->index, &m->entry, &f) == -1)
		return;
	recode(v, m);
	v->octets += m->entry.size_wire - was;
}

void
view_recode(struct view *v, enum view_utf8 how)
{
	struct fault f;

	v->utf8 = how;
	if (how == VIEW_AS_IS)
		return;
	if (how == VIEW_DOWNGRADED)
		v->octets += (uint64_t)v->surrogates;
	for (size_t i = 0; i < v->n; i++)
		if (v->known[i])
			recode(v, &v->items[i]);
	for (size_t i = 0; v->eight_bit && i < v->n; i++) {
		struct view_item *m = view_at(v, i, &f);

		if (m != NULL && (m->entry.flags & DROP_8BIT) != 0)
			measure(v, m);
	}
	v->left_octets = v->octets;
}

void
view_reset(struct view *v)
{
	v->left = v->n;
	v->left_octets = v->octets;
	for (size_t i = 0; v->marked && i < v->n; i++)
		if (v->known[i])
			v->items[i].deleted = false;
	v->last = v->last_at_login;
}

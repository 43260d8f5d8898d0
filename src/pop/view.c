/* SPDX-License-Identifier: ISC */
#include "pop/view.h"

#include "base/alloc.h"

#include <stdlib.h>

static size_t
count(const struct drop *d)
{
	struct snapshot s;

	if (d == NULL)
		return 0;
	drop_ops_of(d)->snapshot(d, &s);
	return s.n;
}

static void
append(struct view *v, struct drop *d)
{
	struct snapshot s;

	if (d == NULL)
		return;
	drop_ops_of(d)->snapshot(d, &s);
	for (size_t i = 0; i < s.n; i++)
		v->items[v->n++] = (struct view_item){
			.drop = d,
			.index = i,
			.entry = s.entries[i],
		};
}

static void
make_distinct(struct view *v)
{
	struct drop_entry **list = xalloc(v->n, sizeof(*list));

	for (size_t i = 0; i < v->n; i++)
		list[i] = &v->items[i].entry;
	drop_distinct(list, v->n);
	free(list);
}

void
view_init(struct view *v, struct drop *maildrop, struct drop *bulletins)
{
	*v = (struct view){ 0 };
	v->items = xalloc(count(maildrop) + count(bulletins),
	    sizeof(*v->items));
	append(v, maildrop);
	v->own = v->n;
	append(v, bulletins);
	if (v->n > v->own)
		make_distinct(v);
	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].entry.flags & DROP_SEEN)
			v->last_at_login = (uint32_t)(i + 1);
	view_reset(v);
}

void
view_fini(struct view *v)
{
	free(v->items);
	*v = (struct view){ 0 };
}

struct view_item *
view_find(struct view *v, uint64_t msgno)
{
	return msgno >= 1 && msgno <= v->n ? &v->items[msgno - 1] : NULL;
}

uint32_t
view_msgno(const struct view *v, const struct view_item *m)
{
	return (uint32_t)(m - v->items + 1);
}

void
view_touch(struct view *v, const struct view_item *m)
{
	uint32_t msgno = view_msgno(v, m);

	if (msgno > v->last)
		v->last = msgno;
}

void
view_delete(struct view *v, struct view_item *m)
{
	view_touch(v, m);
	if (v->read_only)
		return;
	m->deleted = true;
	v->left--;
	v->left_octets -= m->entry.size_wire;
}

void
view_reset(struct view *v)
{
	v->left = v->n;
	v->left_octets = 0;
	for (size_t i = 0; i < v->n; i++) {
		v->items[i].deleted = false;
		v->left_octets += v->items[i].entry.size_wire;
	}
	v->last = v->last_at_login;
}

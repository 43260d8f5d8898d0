/* SPDX-License-Identifier: ISC */
#include "role/due.h"

#include "base/alloc.h"

#include <stdlib.h>

void
due_init(struct due_heap *h, size_t max)
{
	*h = (struct due_heap){ .v = xalloc(max, sizeof(*h->v)), .max = max };
}

void
due_fini(struct due_heap *h)
{
	free(h->v);
	*h = (struct due_heap){ 0 };
}

static bool
before(const struct due *a, const struct due *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->nth < b->nth;
}

void
due_put(struct due_heap *h, const struct due *d)
{
	struct due	new = *d;
	size_t		at = h->n++;

	ASSERT(h->n <= h->max);
	new.nth = h->puts++;
	while (at > 0 && before(&new, &h->v[(at - 1) / 2])) {
		h->v[at] = h->v[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	h->v[at] = new;
}

/* Put d where `at` is free, or further down. */
static void
sink(struct due_heap *h, size_t at, struct due d)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < h->n && before(&h->v[child + 1], &h->v[child]))
			child++;
		if (child >= h->n || before(&d, &h->v[child]))
			break;
		h->v[at] = h->v[child];
		at = child;
	}
	h->v[at] = d;
}

bool
due_take(struct due_heap *h, uint64_t now_ms, struct due *out)
{
	if (h->n == 0 || h->v[0].at_ms > now_ms)
		return false;
	*out = h->v[0];
	h->n--;
	sink(h, 0, h->v[h->n]);
	return true;
}

void
due_drop(struct due_heap *h, uint32_t front)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].front != front)
			h->v[n++] = h->v[i];
	h->n = n;
	for (size_t i = n / 2; i-- > 0; )
		sink(h, i, h->v[i]);
}

uint64_t
due_next(const struct due_heap *h)
{
	return h->n == 0 ? UINT64_MAX : h->v[0].at_ms;
}

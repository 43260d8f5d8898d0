/* SPDX-License-Identifier: ISC */
#include "base/map.h"

#include "base/attr.h"

void
map_put(struct map *m, struct map_node *n, uint64_t key, void *of)
{
	struct map_node **at = &m->lists[key % MAP_LISTS];

	ASSERT(n->of == NULL);
	*n = (struct map_node){ *at, key, of };
	*at = n;
}

void
map_take(struct map *m, struct map_node *n)
{
	struct map_node **at = &m->lists[n->key % MAP_LISTS];

	if (n->of == NULL)
		return;
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	n->of = NULL;
}

static struct map_node *
seek(struct map_node *n, uint64_t key)
{
	while (n != NULL && n->key != key)
		n = n->next;
	return n;
}

struct map_node *
map_first(const struct map *m, uint64_t key)
{
	return seek(m->lists[key % MAP_LISTS], key);
}

struct map_node *
map_next(const struct map_node *n)
{
	return seek(n->next, n->key);
}

void *
map_find(const struct map *m, uint64_t key)
{
	struct map_node *n = map_first(m, key);

	return n == NULL ? NULL : n->of;
}

struct map_walk
map_walk(const struct map *m)
{
	return (struct map_walk){ .map = m };
}

void *
map_walk_on(struct map_walk *w)
{
	struct map_node *n = w->next;

	while (n == NULL && w->list < MAP_LISTS)
		n = w->map->lists[w->list++];
	if (n == NULL)
		return NULL;
	w->next = n->next;
	return n->of;
}

/* SPDX-License-Identifier: ISC */
/*
 * Who is it that has this number?  Lists by key, whose nodes are parts of what
 * is looked for, so that nothing is allocated; a thing with a node in
 * each of several maps has as many keys.  Several may have one key.  Floor 0, pure.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_node {
	struct map_node	*next;		/* of the same list */
	uint64_t	 key;
	void		*of;		/* borrows; NULL: in no map */
};

#define MAP_LISTS	4096u

/* Empty when it is zero. */
struct map {
	struct map_node	*lists[MAP_LISTS];
};

/* n is in no map, and is a part of `of`. */
void	map_put(struct map *m, struct map_node *n, uint64_t key, void *of);
/* Nothing is done when it is in none. */
void	map_take(struct map *m, struct map_node *n);

/* Whose key that is, or NULL.  Of several the one that was put last; the others
 * follow it. */
void		*map_find(const struct map *m, uint64_t key);
struct map_node	*map_first(const struct map *m, uint64_t key);
struct map_node	*map_next(const struct map_node *n);

/*
 * All of them, in no order; NULL at the end.  The one that was met last may be taken
 * out, and freed; nobody else.
 */
struct map_walk {
	const struct map	*map;
	size_t			 list;		/* the next one */
	struct map_node		*next;
};
struct map_walk	 map_walk(const struct map *m);
void		*map_walk_on(struct map_walk *w);

#endif

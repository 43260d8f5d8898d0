/* SPDX-License-Identifier: ISC */
/*
 * Answers that are told at their time: a heap of bounded size.  Floor 4, pure.
 */
#ifndef ROLE_DUE_H
#define ROLE_DUE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due {
	uint64_t	at_ms;
	uint64_t	sid;
	uint64_t	nth;		/* the heap's own: first come, first told */
	uint32_t	front;		/* index */
	uint8_t		answer;		/* enum authorize_answer */
};

struct due_heap {
	struct due	*v;		/* owns */
	size_t		 n;
	size_t		 max;
	uint64_t	 puts;
};

/* Room for max; memory is touched as it fills. */
void	due_init(struct due_heap *h, size_t max);
void	due_fini(struct due_heap *h);

/* The caller sees to it that there is room.  O(log n). */
void	due_put(struct due_heap *h, const struct due *d);
/* The first that is due at `now`, taken out; false: none is. */
bool	due_take(struct due_heap *h, uint64_t now_ms, struct due *out);
/* Without those for this front.  O(n). */
void	due_drop(struct due_heap *h, uint32_t front);
/* When the first is due; UINT64_MAX: there is none. */
uint64_t	due_next(const struct due_heap *h);

#endif

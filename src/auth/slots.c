/* SPDX-License-Identifier: ISC */
/* An open hash table of places in a text: 16 octets a place, at most half full. */
#include "auth/auth_priv.h"

#include "base/alloc.h"
#include "sys/sock.h"

#include <stdlib.h>

struct slot {
	uint32_t	place;		/* + 1; 0: free */
	uint32_t	tag;		/* most others need not be looked at */
};

size_t
lines_at_most(struct span text)
{
	struct span	line;
	size_t		n = 0;

	while (span_line(&text, &line))
		n++;
	return n;
}

void
slots_init(struct slots *s, size_t n)
{
	size_t size = 2;

	while (size < 2 * n)
		size *= 2;
	*s = (struct slots){
		.v = xalloc(size, sizeof(*s->v)), .mask = size - 1,
	};
	random_bytes(&s->seed, sizeof(s->seed));
}

void
slots_fini(struct slots *s)
{
	free(s->v);
	*s = (struct slots){ 0 };
}

uint64_t
slots_hash(const struct slots *s, const struct span *words, size_t n)
{
	uint64_t h = s->seed;

	for (size_t w = 0; w < n; w++) {
		for (size_t i = 0; i < words[w].n; i++) {
			h = (h ^ words[w].p[i]) * 0x9e3779b97f4a7c15u;
			h ^= h >> 29;
		}
		h += words[w].n;
	}
	return h;
}

static struct slot *
find(const struct slots *s, uint64_t h, slots_same_fn *same, const void *ctx)
{
	const uint32_t	tag = (uint32_t)(h >> 32);
	size_t		at = (size_t)h & s->mask;

	while (s->v[at].place != 0 && (s->v[at].tag != tag ||
	    !same(ctx, s->v[at].place - 1)))
		at = (at + 1) & s->mask;
	return &s->v[at];
}

void
slots_foresee(const struct slots *s, uint64_t h)
{
	__builtin_prefetch(&s->v[(size_t)h & s->mask], 1);
}

bool
slots_find(const struct slots *s, uint64_t h, slots_same_fn *same,
    const void *ctx, uint32_t *place_r)
{
	const struct slot *slot = find(s, h, same, ctx);

	if (slot->place == 0)
		return false;
	*place_r = slot->place - 1;
	return true;
}

void
slots_put(struct slots *s, uint64_t h, slots_same_fn *same, const void *ctx,
    uint32_t place)
{
	struct slot *slot = find(s, h, same, ctx);

	if (slot->place == 0)
		*slot = (struct slot){ .place = place + 1,
		    .tag = (uint32_t)(h >> 32) };
}

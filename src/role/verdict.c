/* SPDX-License-Identifier: ISC */
#include "role/verdict.h"

#include "base/alloc.h"
#include "sys/keyhash.h"
#include "sys/secmem.h"
#include "sys/sock.h"

#include <stdlib.h>
#include <string.h>

#define WAYS	8		/* entries among which a key may be */

struct entry {
	uint8_t		key[VERDICT_KEY];
	uint64_t	owner;		/* whose */
	uint64_t	print;		/* 0: free */
	uint64_t	end_ms;
};

struct verdict_cache {
	uint8_t		 secret[KEYHASH_KEY];
	uint64_t	 ttl_ms;
	size_t		 buckets;
	struct entry	*v;		/* owns: WAYS of each bucket */
};

struct verdict_cache *
verdict_new(size_t entries, uint64_t ttl_ms, struct fault *f)
{
	struct verdict_cache *c;

	if (keyhash_open(f) != 0)
		return NULL;
	c = xalloc(1, sizeof(*c));
	c->ttl_ms = ttl_ms;
	c->buckets = (entries + WAYS - 1) / WAYS;
	c->v = xalloc(c->buckets * WAYS, sizeof(*c->v));
	secmem_lock(c, sizeof(*c));
	secmem_lock(c->v, c->buckets * WAYS * sizeof(*c->v));
	random_bytes(c->secret, sizeof(c->secret));
	return c;
}

void
verdict_free(struct verdict_cache *c)
{
	(void)verdict_flush(c);
	free(c->v);
	explicit_bzero(c, sizeof(*c));
	free(c);
}

static struct span
secret_of(const struct verdict_cache *c)
{
	return span_of(c->secret, sizeof(c->secret));
}

/* The name's length is in it: a part of the name is no part of the password. */
void
verdict_key(const struct verdict_cache *c, uint8_t db, uint8_t mechanism,
    struct span user, struct span secret, uint8_t out[VERDICT_KEY])
{
	const uint64_t		user_n = user.n;
	const struct span	parts[] = {
		span_of(&db, sizeof(db)), span_of(&mechanism, sizeof(mechanism)),
		span_of(&user_n, sizeof(user_n)), user, secret,
	};

	keyhash(secret_of(c), parts, ARRAY_LEN(parts), out, VERDICT_KEY);
}

/* Shorter than a key, so it can be none. */
static uint64_t
owner_of(const struct verdict_cache *c, struct span user)
{
	uint8_t		hash[KEYHASH_LEAST];
	uint64_t	owner;

	keyhash(secret_of(c), &user, 1, hash, sizeof(hash));
	memcpy(&owner, hash, sizeof(owner));
	return owner;
}

static struct entry *
bucket_of(const struct verdict_cache *c, const uint8_t key[VERDICT_KEY])
{
	uint64_t at;

	memcpy(&at, key, sizeof(at));
	return c->v + (size_t)(at % c->buckets) * WAYS;
}

static struct entry *
find(const struct verdict_cache *c, const uint8_t key[VERDICT_KEY])
{
	struct entry *e = bucket_of(c, key);

	/* Nobody can choose what a keyed hash begins with: no time to measure. */
	for (size_t i = 0; i < WAYS; i++)
		if (e[i].print != 0 && memcmp(e[i].key, key, VERDICT_KEY) == 0)
			return &e[i];
	return NULL;
}

uint64_t
verdict_find(const struct verdict_cache *c, const uint8_t key[VERDICT_KEY],
    uint64_t now_ms)
{
	const struct entry *e = find(c, key);

	return e != NULL && now_ms < e->end_ms ? e->print : 0;
}

/* Where a new one goes: where there is none any more.  NULL: were the oldest put
 * out, and more users come in turn than there are places, none would be found. */
static struct entry *
free_place(const struct verdict_cache *c, const uint8_t key[VERDICT_KEY],
    uint64_t now_ms)
{
	struct entry *bucket = bucket_of(c, key);

	for (size_t i = 0; i < WAYS; i++)
		if (bucket[i].print == 0 || bucket[i].end_ms <= now_ms)
			return &bucket[i];
	return NULL;
}

void
verdict_put(struct verdict_cache *c, const uint8_t key[VERDICT_KEY],
    struct span user, uint64_t print, uint64_t now_ms)
{
	struct entry *e = find(c, key);

	if (e == NULL)
		e = free_place(c, key, now_ms);
	if (e == NULL)
		return;
	memcpy(e->key, key, VERDICT_KEY);
	e->owner = owner_of(c, user);
	e->print = print;
	e->end_ms = now_ms + c->ttl_ms;
}

size_t
verdict_flush(struct verdict_cache *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->buckets * WAYS; i++)
		n += c->v[i].print != 0;
	explicit_bzero(c->v, c->buckets * WAYS * sizeof(*c->v));
	random_bytes(c->secret, sizeof(c->secret));
	return n;
}

size_t
verdict_forget(struct verdict_cache *c, struct span user)
{
	uint64_t owner = owner_of(c, user);
	size_t	 n = 0;

	for (size_t i = 0; i < c->buckets * WAYS; i++) {
		struct entry *e = &c->v[i];

		if (e->print == 0 || e->owner != owner)
			continue;
		explicit_bzero(e, sizeof(*e));
		n++;
	}
	return n;
}

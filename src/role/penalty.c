/* SPDX-License-Identifier: ISC */
#include "role/penalty.h"

#include "base/alloc.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define WAYS		8		/* entries among which a key may be */
#define BUCKETS		8192		/* of scores and devices each */
#define GUESS_BUCKETS	2048
#define KEY_OCTETS	XXH3_SECRET_SIZE_MIN

#define ONE		256		/* a failure, in a score */
#define HALF_MS		(5ull * 60 * 1000)
#define GUESS_MS	(24ull * 3600 * 1000)
#define DEVICE_MS	(14ull * 24 * 3600 * 1000)

/* 32 octets; a key of 0: free. */
struct entry {
	uint64_t	key;
	uint64_t	at_ms;		/* of the last change */
	uint64_t	until_ms;	/* scores: see penalty_until */
	uint32_t	score;		/* at that time */
};

struct shelf {
	struct entry	*v;		/* owns */
	size_t		 buckets;	/* a power of 2 */
};

struct penalty {
	uint8_t		key[KEY_OCTETS];
	struct shelf	scores;
	struct shelf	devices;
	struct shelf	guesses;
};

/* So many failures are free, then so many are for a doubling. */
struct grade {
	unsigned	free;
	unsigned	step;
};

static const struct grade of_address	= { 3, 1 };
static const struct grade of_network	= { 24, 8 };
static const struct grade of_user	= { 8, 4 };

/* ---------------------------------------------------------------- shelves */

static struct shelf
shelf_new(size_t buckets)
{
	return (struct shelf){
		.v = xalloc(buckets * WAYS, sizeof(struct entry)),
		.buckets = buckets,
	};
}

static struct entry *
bucket_of(const struct shelf *s, uint64_t key)
{
	return s->v + (size_t)(key & (s->buckets - 1)) * WAYS;
}

/* NULL: it is not there. */
static struct entry *
find(const struct shelf *s, uint64_t key)
{
	struct entry *e = bucket_of(s, key);

	for (size_t i = 0; i < WAYS; i++)
		if (e[i].key == key)
			return &e[i];
	return NULL;
}

/* What is left of a score. */
static uint32_t
score_at(const struct entry *e, uint64_t now_ms)
{
	uint64_t	age = now_ms > e->at_ms ? now_ms - e->at_ms : 0;
	uint64_t	halves = age / HALF_MS;
	uint64_t	rest = age % HALF_MS;

	if (halves >= 32)
		return 0;
	return (uint32_t)((uint64_t)(e->score >> halves) *
	    (2 * HALF_MS - rest) / (2 * HALF_MS));
}

/* The lowest score goes; among equals the oldest. */
static bool
weaker(const struct entry *a, const struct entry *b, uint64_t now_ms)
{
	uint32_t sa = score_at(a, now_ms);
	uint32_t sb = score_at(b, now_ms);

	return sa != sb ? sa < sb : a->at_ms < b->at_ms;
}

/* Its entry, perhaps a new one in place of the weakest. */
static struct entry *
take(const struct shelf *s, uint64_t key, uint64_t now_ms)
{
	struct entry	*e = find(s, key);
	struct entry	*bucket = bucket_of(s, key);

	if (e != NULL)
		return e;
	e = bucket;
	for (size_t i = 0; i < WAYS; i++) {
		if (bucket[i].key == 0) {
			e = &bucket[i];
			break;
		}
		if (weaker(&bucket[i], e, now_ms))
			e = &bucket[i];
	}
	*e = (struct entry){ .key = key, .at_ms = now_ms };
	return e;
}

static bool
seen(const struct shelf *s, uint64_t key, uint64_t within_ms, uint64_t now_ms)
{
	const struct entry *e = find(s, key);

	return e != NULL && now_ms - e->at_ms < within_ms;
}

/* ------------------------------------------------------------------ cases */

/* Never 0.  `kind` keeps an address and a name of the same octets apart. */
static uint64_t
hash(const struct penalty *p, uint64_t kind, struct span a)
{
	XXH3_state_t state;

	(void)XXH3_64bits_reset_withSecret(&state, p->key, sizeof(p->key));
	(void)XXH3_64bits_update(&state, &kind, sizeof(kind));
	(void)XXH3_64bits_update(&state, a.p, a.n);
	kind = XXH3_64bits_digest(&state);
	explicit_bzero(&state, sizeof(state));
	return kind == 0 ? 1 : kind;
}

static bool
is_own_host(const struct sock_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == 0 || (a->family == 4 && a->raw[0] == 127) ||
	    (a->family == 6 && memcmp(a->raw, one, sizeof(one)) == 0);
}

void
penalty_case(const struct penalty *p, const struct sock_addr *peer,
    struct span user, struct span secret, struct penalty_case *out)
{
	size_t	n = peer->family == 6 ? 8 : 4;
	bool	own = is_own_host(peer);

	*out = (struct penalty_case){ .user = hash(p, 1, user) };
	if (!own) {
		out->address = hash(p, 2, span_of(peer->raw, n));
		out->network = hash(p, 3, span_of(peer->raw,
		    peer->family == 6 ? 6 : 3));
	}
	out->device = hash(p, out->address, user);
	out->guess = hash(p, out->device, secret);
}

static bool
is_device(const struct penalty *p, const struct penalty_case *c, uint64_t now_ms)
{
	return seen(&p->devices, c->device, DEVICE_MS, now_ms);
}

bool
penalty_judged(const struct penalty *p, const struct penalty_case *c,
    uint64_t now_ms)
{
	const struct entry *e = c->address == 0 ? NULL :
	    find(&p->scores, c->address);

	return e == NULL || e->until_ms <= now_ms || is_device(p, c, now_ms);
}

static unsigned
doublings(uint32_t score, const struct grade *g)
{
	unsigned failures = score / ONE;
	unsigned n;

	if (failures <= g->free)
		return 0;
	n = 1 + (failures - g->free - 1) / g->step;
	return n < PENALTY_DOUBLINGS ? n : PENALTY_DOUBLINGS;
}

/* The score with this failure in it (or without: it was counted), in doublings. */
static unsigned
fail(struct penalty *p, uint64_t key, bool counts, const struct grade *g,
    uint64_t now_ms)
{
	struct entry	*e;
	uint32_t	 score;

	if (key == 0)
		return 0;
	if (!counts) {
		e = find(&p->scores, key);
		return e == NULL ? 0 : doublings(score_at(e, now_ms), g);
	}
	e = take(&p->scores, key, now_ms);
	score = score_at(e, now_ms);
	if (score < UINT32_MAX - ONE)
		score += ONE;
	e->score = score;
	e->at_ms = now_ms;
	return doublings(score + ONE / 2, g);	/* decay rounds down */
}

unsigned
penalty_wrong(struct penalty *p, const struct penalty_case *c, uint64_t now_ms)
{
	const struct {
		uint64_t		 key;
		const struct grade	*grade;
	} scores[] = {
		{ c->address,	&of_address },
		{ c->network,	&of_network },
		{ c->user,	&of_user },
	};
	bool			counts = !seen(&p->guesses, c->guess, GUESS_MS,
				    now_ms);
	unsigned		most = 0;

	take(&p->guesses, c->guess, now_ms)->at_ms = now_ms;
	for (size_t i = 0; i < sizeof(scores) / sizeof(scores[0]); i++) {
		unsigned n = fail(p, scores[i].key, counts, scores[i].grade,
		    now_ms);

		if (n > most)
			most = n;
	}
	return is_device(p, c, now_ms) ? 0 : most;
}

void
penalty_until(struct penalty *p, const struct penalty_case *c, uint64_t at_ms)
{
	struct entry *e = c->address == 0 ? NULL : find(&p->scores, c->address);

	if (e != NULL && e->until_ms < at_ms)
		e->until_ms = at_ms;
}

void
penalty_right(struct penalty *p, const struct penalty_case *c, uint64_t now_ms)
{
	take(&p->devices, c->device, now_ms)->at_ms = now_ms;
}

/* ------------------------------------------------------------- all of it */

struct penalty *
penalty_new(void)
{
	struct penalty *p = xalloc(1, sizeof(*p));

	random_bytes(p->key, sizeof(p->key));
	p->scores = shelf_new(BUCKETS);
	p->devices = shelf_new(BUCKETS);
	p->guesses = shelf_new(GUESS_BUCKETS);
	return p;
}

void
penalty_free(struct penalty *p)
{
	free(p->scores.v);
	free(p->devices.v);
	free(p->guesses.v);
	explicit_bzero(p, sizeof(*p));
	free(p);
}

/* SPDX-License-Identifier: ISC */
#include "role/penalty.h"

#include "base/alloc.h"
#include "sys/shared.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define WAYS		8		/* entries among which a key may be */
#define BUCKETS		8192		/* of scores and devices each */
#define GUESS_BUCKETS	2048
#define KEY_OCTETS	XXH3_SECRET_SIZE_MIN

#define OF_USER		2		/* devices among WAYS */

#define ONE		256		/* a failure, in a score */
#define HALF_MS		(5ull * 60 * 1000)
#define GUESS_MS	(24ull * 3600 * 1000)
#define DEVICE_MS	(14ull * 24 * 3600 * 1000)
#define SKEW_MS		1000		/* who looked at the clock before another
					   one, and wrote after it */

/* 32 octets; a key of 0: free. */
struct entry {
	uint64_t	key;
	uint64_t	at_ms;		/* of the last change */
	union {
		uint64_t	until_ms;	/* scores: see penalty_until */
		uint64_t	user;		/* devices: whose, a key */
	};
	uint32_t	score;		/* at that time */
	uint32_t	level;		/* scores: enum penalty_level */
};

struct shelf {
	struct entry	*v;		/* in the table */
	size_t		 buckets;	/* a power of 2 */
};

/* Shared. */
struct table {
	uint64_t	lock;
	uint8_t		key[KEY_OCTETS];
	struct entry	scores[BUCKETS * WAYS];
	struct entry	devices[BUCKETS * WAYS];
	struct entry	guesses[GUESS_BUCKETS * WAYS];
};

/* One process's. */
struct penalty {
	struct table	*t;
	uint64_t	ticket;
	uint64_t	most_ms;	/* that anybody has to wait */
	struct shelf	scores;
	struct shelf	devices;
	struct shelf	guesses;
};

/*
 * So many failures are free, then so many are for a doubling; what is beyond
 * `judged` makes wait.  Of a network that is more than a failure in 24 seconds
 * (the longest delay, by default) adds up to, which is 18; of a user, more than
 * where a network's own limit holds its score.
 */
struct grade {
	unsigned	free;
	unsigned	step;
	unsigned	judged;
};

static const struct grade grades[PENALTY_LEVELS] = {
	[PENALTY_ADDRESS]	= { 3,	1,	3 },
	[PENALTY_NETWORK]	= { 24,	8,	24 },
	[PENALTY_USER]		= { 8,	4,	32 },
};

/* ---------------------------------------------------------------- shelves */

static void
lock(struct penalty *p)
{
	p->ticket = (p->ticket & ~(uint64_t)UINT32_MAX) |
	    (uint32_t)(p->ticket + 1);
	shared_lock(&p->t->lock, p->ticket);
}

static void
unlock(const struct penalty *p)
{
	shared_unlock(&p->t->lock, p->ticket);
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

/* Who says that it changes tomorrow is no witness. */
static uint64_t
age_ms(const struct entry *e, uint64_t now_ms)
{
	if (e->at_ms > now_ms)
		return e->at_ms - now_ms <= SKEW_MS ? 0 : UINT64_MAX;
	return now_ms - e->at_ms;
}

/* What is left of a score. */
static uint32_t
score_at(const struct entry *e, uint64_t now_ms)
{
	uint64_t	age = age_ms(e, now_ms);
	uint64_t	halves = age / HALF_MS;
	uint64_t	rest = age % HALF_MS;

	if (halves >= 32)
		return 0;
	return (uint32_t)((uint64_t)(e->score >> halves) *
	    (2 * HALF_MS - rest) / (2 * HALF_MS));
}

/* No later than the settings of this process can have it. */
static uint64_t
until_of(const struct penalty *p, struct entry *e, uint64_t now_ms)
{
	if (e->until_ms > now_ms + p->most_ms)
		e->until_ms = now_ms + p->most_ms;
	return e->until_ms;
}

/* The lowest score goes; among equals the oldest. */
static bool
weaker(const struct entry *a, const struct entry *b, uint64_t now_ms)
{
	uint32_t sa = score_at(a, now_ms);
	uint32_t sb = score_at(b, now_ms);

	return sa != sb ? sa < sb : age_ms(a, now_ms) > age_ms(b, now_ms);
}

/* In this order, so that who is killed over it leaves nobody with the score of
 * somebody else. */
static void
begin_entry(struct entry *e, uint64_t key, uint64_t now_ms)
{
	e->key = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	e->score = 0;
	e->until_ms = 0;
	e->at_ms = now_ms;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	e->key = key;
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
	begin_entry(e, key, now_ms);
	return e;
}

static bool
seen(const struct shelf *s, uint64_t key, uint64_t within_ms, uint64_t now_ms)
{
	const struct entry *e = find(s, key);

	return e != NULL && age_ms(e, now_ms) < within_ms;
}

/* ------------------------------------------------------------------ cases */

/* Never 0.  `kind` keeps an address and a name of the same octets apart. */
static uint64_t
hash(const struct penalty *p, uint64_t kind, struct span a)
{
	XXH3_state_t state;

	(void)XXH3_64bits_reset_withSecret(&state, p->t->key,
	    sizeof(p->t->key));
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

	*out = (struct penalty_case){ .key[PENALTY_USER] = hash(p, 1, user) };
	if (!own) {
		out->key[PENALTY_ADDRESS] = hash(p, 2, span_of(peer->raw, n));
		out->key[PENALTY_NETWORK] = hash(p, 3, span_of(peer->raw,
		    peer->family == 6 ? 6 : 3));
	}
	out->device = hash(p, out->key[PENALTY_ADDRESS], user);
	out->near = hash(p, out->key[PENALTY_NETWORK], user);
	out->guess = hash(p, out->device, secret);
}

static bool
is_known(const struct penalty *p, uint64_t where, uint64_t now_ms)
{
	return seen(&p->devices, where, DEVICE_MS, now_ms);
}

static bool
waits(const struct penalty *p, uint64_t key, uint64_t now_ms)
{
	struct entry *e = key == 0 ? NULL : find(&p->scores, key);

	return e != NULL && until_of(p, e, now_ms) > now_ms;
}

static bool
is_judged(const struct penalty *p, const struct penalty_case *c, uint64_t now_ms)
{
	if (is_known(p, c->device, now_ms))
		return true;
	return !waits(p, c->key[PENALTY_ADDRESS], now_ms) &&
	    !waits(p, c->key[PENALTY_NETWORK], now_ms) &&
	    (!waits(p, c->key[PENALTY_USER], now_ms) ||
	    is_known(p, c->near, now_ms));
}

bool
penalty_judged(struct penalty *p, const struct penalty_case *c, uint64_t now_ms)
{
	bool result;

	lock(p);
	result = is_judged(p, c, now_ms);
	unlock(p);
	return result;
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

/* With this failure in it (or without: it was counted). */
static uint32_t
score_of(struct penalty *p, const struct penalty_case *c, size_t level, bool counts,
    uint64_t now_ms)
{
	uint64_t	 key = c->key[level];
	struct entry	*e = counts ? take(&p->scores, key, now_ms) :
			    find(&p->scores, key);
	uint32_t	 score = e == NULL ? 0 : score_at(e, now_ms);

	if (!counts)
		return score;
	e->level = (uint32_t)level;
	if (score < UINT32_MAX - ONE)
		score += ONE;
	e->score = score;
	e->at_ms = now_ms;
	return score + ONE / 2;			/* decay rounds down */
}

static void
set_until(struct penalty *p, const struct penalty_case *c, uint64_t until_ms)
{
	for (size_t i = 0; i < PENALTY_LEVELS; i++) {
		struct entry *e = (c->waits & 1u << i) == 0 ? NULL :
		    find(&p->scores, c->key[i]);

		if (e != NULL)
			e->until_ms = until_ms;
	}
}

static void
wait_for_it(struct penalty *p, struct penalty_case *c, uint64_t now_ms,
    uint64_t until_ms)
{
	bool near = is_known(p, c->near, now_ms);

	for (size_t i = 0; i < PENALTY_LEVELS; i++) {
		uint32_t score = c->key[i] == 0 ? 0 :
		    score_of(p, c, i, false, now_ms);

		if ((score + ONE / 2) / ONE >= grades[i].judged &&
		    !(near && i == PENALTY_USER))
			c->waits |= 1u << i;
	}
	set_until(p, c, until_ms);
}

void
penalty_begin(struct penalty *p, struct penalty_case *c, uint64_t now_ms,
    uint64_t until_ms)
{
	lock(p);
	c->waits = 0;
	if (!is_known(p, c->device, now_ms))
		wait_for_it(p, c, now_ms, until_ms);
	unlock(p);
}

void
penalty_end(struct penalty *p, struct penalty_case *c)
{
	if (c->waits == 0)
		return;
	lock(p);
	set_until(p, c, 0);
	c->waits = 0;
	unlock(p);
}

/* What the case does not name is not known. */
static bool
was_there(const struct penalty *p, uint64_t where, uint64_t now_ms)
{
	return where != 0 && is_known(p, where, now_ms);
}

static void
look(const struct penalty *p, const struct penalty_case *c, uint64_t now_ms,
    struct penalty_view *out)
{
	*out = (struct penalty_view){
		.device = was_there(p, c->device, now_ms),
		.near = was_there(p, c->near, now_ms),
	};
	for (size_t i = 0; i < PENALTY_LEVELS; i++) {
		struct entry		*e = c->key[i] == 0 ? NULL :
					    find(&p->scores, c->key[i]);
		uint64_t		 until = e == NULL ? 0 :
					    until_of(p, e, now_ms);
		uint32_t		 score = e == NULL ? 0 :
					    score_at(e, now_ms) + ONE / 2;
		/* With the one that the next failure brings. */
		unsigned		 n = c->key[i] == 0 ? 0 :
					    doublings(score + ONE, &grades[i]);

		out->failures[i] = score / ONE;
		if (out->device)
			continue;
		if (n > out->doublings)
			out->doublings = n;
		if (until > out->until_ms && !(out->near && i == PENALTY_USER))
			out->until_ms = until;
	}
}

void
penalty_look(struct penalty *p, const struct penalty_case *c, uint64_t now_ms,
    struct penalty_view *out)
{
	lock(p);
	look(p, c, now_ms, out);
	unlock(p);
}

void
penalty_count(const struct penalty *p, uint64_t now_ms, struct penalty_sum *out)
{
	*out = (struct penalty_sum){ 0 };
	for (size_t i = 0; i < p->scores.buckets * WAYS; i++) {
		const struct entry	*e = &p->scores.v[i];
		uint32_t		 level = __atomic_load_n(&e->level,
					    __ATOMIC_RELAXED);

		if (e->key == 0 || level >= PENALTY_LEVELS)
			continue;
		out->scores += score_at(e, now_ms) >= ONE / 2;
		out->waiting += e->until_ms > now_ms;
		out->delayed[level] += e->until_ms > now_ms ||
		    doublings(score_at(e, now_ms) + ONE / 2 + ONE,
		    &grades[level]) > 0;
	}
	for (size_t i = 0; i < p->devices.buckets * WAYS; i++) {
		const struct entry *e = &p->devices.v[i];

		out->known += e->key != 0 && age_ms(e, now_ms) < DEVICE_MS;
	}
}

void
penalty_clear(struct penalty *p, const struct penalty_case *c)
{
	lock(p);
	for (size_t i = 0; i < PENALTY_LEVELS; i++) {
		struct entry *e = c->key[i] == 0 ? NULL :
		    find(&p->scores, c->key[i]);

		if (e == NULL)
			continue;
		e->score = 0;
		e->until_ms = 0;
	}
	unlock(p);
}

static unsigned
count_wrong(struct penalty *p, struct penalty_case *c, uint64_t now_ms)
{
	bool		counts = !seen(&p->guesses, c->guess, GUESS_MS, now_ms);
	unsigned	most = 0;

	set_until(p, c, 0);
	c->waits = 0;
	take(&p->guesses, c->guess, now_ms)->at_ms = now_ms;
	for (size_t i = 0; i < PENALTY_LEVELS; i++) {
		uint32_t score = c->key[i] == 0 ? 0 :
		    score_of(p, c, i, counts, now_ms);
		unsigned n = doublings(score, &grades[i]);

		if (n > most)
			most = n;
		if (counts && score / ONE > grades[i].judged)
			c->waits |= 1u << i;
	}
	return is_known(p, c->device, now_ms) ? 0 : most;
}

unsigned
penalty_wrong(struct penalty *p, struct penalty_case *c, uint64_t now_ms)
{
	unsigned result;

	lock(p);
	result = count_wrong(p, c, now_ms);
	unlock(p);
	return result;
}

void
penalty_until(struct penalty *p, const struct penalty_case *c, uint64_t at_ms)
{
	lock(p);
	set_until(p, c, at_ms);
	unlock(p);
}

/* Who logs in from thousands of places takes none of what others have: a third one
 * of a user in a bucket goes where his oldest was. */
static void
keep_device(struct penalty *p, uint64_t device, uint64_t user, uint64_t now_ms)
{
	struct entry	*bucket = bucket_of(&p->devices, device);
	struct entry	*oldest = NULL;
	size_t		 n = 0;

	for (size_t i = 0; i < WAYS; i++) {
		if (bucket[i].key == 0 || bucket[i].user != user)
			continue;
		n++;
		if (oldest == NULL || bucket[i].at_ms < oldest->at_ms)
			oldest = &bucket[i];
	}
	if (n < OF_USER || find(&p->devices, device) != NULL)
		oldest = take(&p->devices, device, now_ms);
	if (oldest->key != device)
		begin_entry(oldest, device, now_ms);
	oldest->at_ms = now_ms;
	oldest->user = user;
}

void
penalty_right(struct penalty *p, struct penalty_case *c, uint64_t now_ms)
{
	lock(p);
	set_until(p, c, 0);
	keep_device(p, c->device, c->key[PENALTY_USER], now_ms);
	keep_device(p, c->near, c->key[PENALTY_USER], now_ms);
	unlock(p);
}

/* ------------------------------------------------------------- all of it */

struct penalty *
penalty_new(struct fault *f)
{
	struct table	*t = shared_new(sizeof(*t), f);
	struct penalty	*p;

	if (t == NULL)
		return NULL;
	random_bytes(t->key, sizeof(t->key));
	p = xalloc(1, sizeof(*p));
	*p = (struct penalty){
		.t = t,
		.scores = { t->scores, BUCKETS },
		.devices = { t->devices, BUCKETS },
		.guesses = { t->guesses, GUESS_BUCKETS },
	};
	return p;
}

void
penalty_join(struct penalty *p, uint32_t who, uint64_t most_ms)
{
	p->ticket = SHARED_TICKET(who);
	p->most_ms = most_ms;
}

void
penalty_left(struct penalty *p, uint32_t who)
{
	shared_lock_free(&p->t->lock, who);
}

void
penalty_free(struct penalty *p)
{
	shared_free(p->t, sizeof(*p->t));
	free(p);
}

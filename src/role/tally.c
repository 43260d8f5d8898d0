/* SPDX-License-Identifier: ISC */
#include "role/tally.h"

#include "drop/digest.h"

#include "base/alloc.h"
#include "sys/shared.h"

#include <limits.h>

#define HASHES		2
#define BUCKETS		16384		/* of each hash */
#define COUNTS		(TALLY_KINDS * HASHES * BUCKETS)
#define TOTAL		COUNTS		/* behind them */
#define WITHIN		(TOTAL + 1)
#define REFUSED		(WITHIN + 1)
#define SHUT		(REFUSED + LIMITS)	/* in the master's row */
#define ROW_OCTETS	((SHUT + 1) * sizeof(uint32_t))

/* Who comes while another one is seen to be there may be seen as well. */
#define MOVING		1024

struct tally {
	uint64_t	 key[HASHES];
	uint32_t	 most;
	size_t		 rows;
	uint32_t	*row[TALLY_ROWS_MAX];	/* shared */
};

int
tally_grow(struct tally *t, size_t rows, uint32_t most, struct fault *f)
{
	if (rows > TALLY_ROWS_MAX)
		return fault_set(f, FAULT_LIMIT, "too many processes still"
		    " serve strangers under earlier settings");
	if (most > t->most)
		t->most = most;
	for (; t->rows < rows; t->rows++) {
		t->row[t->rows] = shared_new(ROW_OCTETS, f);
		if (t->row[t->rows] == NULL)
			return -1;
	}
	return 0;
}

struct tally *
tally_new(size_t rows, uint32_t most, struct fault *f)
{
	struct tally *t = xalloc(1, sizeof(*t));

	random_bytes(t->key, sizeof(t->key));
	return tally_grow(t, rows, most, f) == 0 ? t : NULL;	/* we end */
}

size_t
tally_rows(const struct tally *t)
{
	return t->rows;
}

void
tally_free(struct tally *t)
{
	for (size_t i = 0; i < t->rows; i++)
		shared_free(t->row[i], ROW_OCTETS);
	free(t);
}

int
tally_own(struct tally *t, size_t row, struct fault *f)
{
	for (size_t i = 0; i < t->rows; i++)
		if (i != row && shared_read_only(t->row[i], ROW_OCTETS, f) != 0)
			return -1;
	return 0;
}

static size_t
bucket(const struct tally *t, enum tally_of kind, size_t hash,
    const struct sock_addr *a)
{
	static const size_t octets[TALLY_KINDS][2] = {
		[TALLY_ADDRESS]	= { 4, 8 },
		[TALLY_NETWORK]	= { 3, 6 },
	};
	uint8_t	b[sizeof(t->key[0]) + 8];
	size_t	n = octets[kind][a->family == 4 ? 0 : 1];

	memcpy(b, &t->key[hash], sizeof(t->key[0]));
	memcpy(b + sizeof(t->key[0]), a->raw, n);
	return (kind * HASHES + hash) * BUCKETS +
	    digest_mark(span_of(b, sizeof(t->key[0]) + n)) % BUCKETS;
}

/* One writer: others may read an older number. */
static void
add(uint32_t *c, int n)
{
	__atomic_store_n(c, *c + (uint32_t)n, __ATOMIC_RELAXED);
}

/* What is believed of one count. */
static uint32_t
read_count(const struct tally *t, size_t row, size_t at)
{
	uint32_t n = __atomic_load_n(&t->row[row][at], __ATOMIC_RELAXED);

	return n < t->most ? n : t->most;
}

/* Of all rows. */
static unsigned
sum(const struct tally *t, size_t at)
{
	uint64_t n = 0;

	for (size_t r = 0; r < t->rows; r++)
		n += read_count(t, r, at);
	return n < UINT_MAX ? (unsigned)n : UINT_MAX;
}

void
tally_add(struct tally *t, size_t row, const struct sock_addr *a, int n)
{
	uint32_t *of = t->row[row];

	add(&of[TOTAL], n);
	for (size_t i = 0; a->family != 0 && i < TALLY_KINDS * HASHES; i++)
		add(&of[bucket(t, (enum tally_of)(i / HASHES), i % HASHES, a)],
		    n);
}

unsigned
tally_count(const struct tally *t, enum tally_of kind,
    const struct sock_addr *a)
{
	unsigned least = 0;

	for (size_t i = 0; a->family != 0 && i < HASHES; i++) {
		unsigned n = sum(t, bucket(t, kind, i, a));

		if (i == 0 || n < least)
			least = n;
	}
	return least;
}

bool
tally_lies(const struct tally *t, size_t row)
{
	uint64_t n = 0;

	for (size_t i = 0; i < COUNTS; i++)
		n += read_count(t, row, i);
	return n > TALLY_KINDS * HASHES * (2ull * t->most + MOVING);
}

/* One of them must see the other: he is within before it is asked whether it is shut,
 * and it is shut before it is asked who is within. */
bool
tally_enter(struct tally *t, size_t row)
{
	uint32_t *within = &t->row[row][WITHIN];

	__atomic_store_n(within, *within + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&t->row[TALLY_MASTER][SHUT], __ATOMIC_SEQ_CST) == 0)
		return true;
	tally_exit(t, row);
	return false;
}

void
tally_exit(struct tally *t, size_t row)
{
	add(&t->row[row][WITHIN], -1);
}

bool
tally_shut(struct tally *t)
{
	uint32_t *shut = &t->row[TALLY_MASTER][SHUT];

	__atomic_store_n(shut, 1, __ATOMIC_SEQ_CST);
	for (size_t r = 0; r < t->rows; r++)
		if (__atomic_load_n(&t->row[r][WITHIN], __ATOMIC_SEQ_CST) != 0)
			__atomic_store_n(shut, 0, __ATOMIC_SEQ_CST);
	return *shut != 0;
}

void
tally_clear(struct tally *t, size_t row)
{
	memset(t->row[row], 0, REFUSED * sizeof(uint32_t));
}

uint32_t *
tally_refused(struct tally *t, size_t row)
{
	return t->row[row] + REFUSED;
}

uint64_t
tally_refusals(const struct tally *t, enum limit which)
{
	return sum(t, REFUSED + which);
}

unsigned
tally_total(const struct tally *t, size_t row)
{
	return __atomic_load_n(&t->row[row][TOTAL], __ATOMIC_RELAXED);
}

unsigned
tally_fullest(const struct tally *t, enum tally_of kind)
{
	unsigned least = 0;

	for (size_t i = 0; i < HASHES; i++) {
		unsigned most = 0;

		for (size_t b = 0; b < BUCKETS; b++) {
			unsigned n = sum(t, (kind * HASHES + i) * BUCKETS + b);

			if (n > most)
				most = n;
		}
		if (i == 0 || most < least)
			least = most;
	}
	return least;
}

/* SPDX-License-Identifier: ISC */
#include "drop/uidl.h"

#include "base/alloc.h"
#include "base/num.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#define LETTERS	"abcdefghijklmnopqrstuvwxyz234567"

static_assert(UIDL_BASE == (MBOX_DIGEST * 8 + 4) / 5, "letters of a digest");
static_assert(UIDL_BASE + sizeof(".4294967295") <= DROP_UIDL_MAX + 1,
    "RFC 1939 s.7: 70 characters");

static uint64_t
big_endian(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static_assert(MBOX_DIGEST == 16, "two numbers");

/* Of bits that digests are put in order by, before they are compared: 256 KiB of
 * counts. */
#define SHARED_MAX	16

/* Eight letters of 40 bits, most significant first: each bit of five goes to an octet of
 * its own, and all octets become letters at once. */
static void
put_letters(uint64_t bits, char out[8])
{
	const uint64_t	each = 0x0101010101010101;
	uint64_t	digits;

	bits = (bits & 0xfffff00000) << 12 | (bits & 0xfffff);
	bits = (bits & 0x000ffc00000ffc00) << 6 | (bits & 0x000003ff000003ff);
	bits = (bits & 0x03e003e003e003e0) << 3 | (bits & 0x001f001f001f001f);
	/* 26 and more reach the highest bit, and are digits from '2' on */
	digits = (bits + (0x80 - 26) * each) >> 7 & each;
	bits = htobe64(bits + 'a' * each - digits * ('a' + 26 - '2'));
	memcpy(out, &bits, sizeof(bits));
}

/* Zeros stand behind the last bit. */
char *
uidl_format(const uint8_t digest[MBOX_DIGEST], uint32_t twin,
    char out[DROP_UIDL_MAX + 1])
{
	uint64_t	high = big_endian(digest);
	uint64_t	low = big_endian(digest + 8);
	char		last[8];

	put_letters(high >> 24, out);
	put_letters((high & 0xffffff) << 16 | low >> 48, out + 8);
	put_letters(low >> 8 & 0xffffffffff, out + 16);
	put_letters((low & 0xff) << 32, last);
	memcpy(out + 24, last, UIDL_BASE - 24);
	out += UIDL_BASE;
	if (twin > 1) {
		*out++ = '.';
		out = num_put(out, twin);
	}
	*out = '\0';
	return out;
}

int
mbox_compare(const struct mbox_msg *a, const struct mbox_msg *b)
{
	int c = memcmp(a->digest, b->digest, MBOX_DIGEST);

	return c != 0 ? c : a->twin < b->twin ? -1 : a->twin > b->twin;
}

/* What is sorted: rows are too far apart to be looked at for each comparison. */
struct ranked {
	uint64_t	 first;		/* octets of the digest */
	struct mbox_msg	*m;		/* in one array: addresses tell their order */
};

static int
compare(const struct ranked *x, uint64_t first, const uint8_t digest[MBOX_DIGEST])
{
	if (x->first != first)
		return x->first < first ? -1 : 1;
	return memcmp(x->m->digest, digest, MBOX_DIGEST);
}

static int
by_digest_and_place(const void *a, const void *b)
{
	const struct ranked *x = a;
	const struct ranked *y = b;
	int c = compare(x, y->first, y->m->digest);

	return c != 0 ? c : x->m < y->m ? -1 : x->m > y->m;
}

/* Highest bits of a number that are looked at first: so many that about one digest in
 * n begins with the same ones, for they are spread evenly. */
static unsigned
shared_bits(size_t n)
{
	unsigned bits = 1;

	while (bits < SHARED_MAX && n >> bits != 0)
		bits++;
	return bits;
}

/*
 * In the order of their highest bits: counted, then put where they belong; those that
 * share them are sorted.  Whoever finds many that do has them sorted as ever.
 */
static void
sort_ranked(const struct ranked *from, size_t n, struct ranked *to)
{
	unsigned	 bits = shared_bits(n);
	unsigned	 shift = 64 - bits;
	uint32_t	*end = xalloc((size_t)1 << bits, sizeof(*end));
	size_t		 begin = 0;

	for (size_t i = 0; i < n; i++)
		end[from[i].first >> shift]++;
	for (size_t k = 0, sum = 0; k >> bits == 0; k++) {
		sum += end[k];
		end[k] = (uint32_t)(sum - end[k]);
	}
	for (size_t i = 0; i < n; i++)
		to[end[from[i].first >> shift]++] = from[i];
	for (size_t k = 0; k >> bits == 0; begin = end[k++])
		if (end[k] - begin > 1)
			qsort(to + begin, end[k] - begin, sizeof(*to),
			    by_digest_and_place);
	free(end);
}

/* All are number one, until it is known better.  The caller frees it. */
static struct ranked *
rank(const struct mbox_table *t)
{
	struct ranked *order = xalloc(t->n, sizeof(*order));
	struct ranked *rows = xalloc(t->n, sizeof(*rows));

	for (size_t i = 0; i < t->n; i++) {
		t->m[i].twin = 1;
		rows[i].m = &t->m[i];
		memcpy(&rows[i].first, t->m[i].digest, sizeof(rows->first));
	}
	sort_ranked(rows, t->n, order);
	free(rows);
	return order;
}

static bool
same_digest(const struct ranked *a, const struct ranked *b)
{
	return a->first == b->first &&
	    memcmp(a->m->digest, b->m->digest, MBOX_DIGEST) == 0;
}

/* older: NULL, or how many came before the first of each digest.  Rows lie far apart
 * in that order, and few are looked at. */
static void
number_ranked(struct ranked *order, size_t n, const uint32_t *older)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && same_digest(&order[i - 1], &order[i]))
			order[i].m->twin = order[i - 1].m->twin + 1;
		else if (older != NULL && older[i] > 0)
			order[i].m->twin = older[i] + 1;
	}
}

void
mbox_number_twins(struct mbox_table *t)
{
	struct ranked *order = rank(t);

	number_ranked(order, t->n, NULL);
	free(order);
}

static uint16_t
two_octets(const uint8_t digest[MBOX_DIGEST])
{
	return (uint16_t)(digest[0] << 8 | digest[1]);
}

void
twins_begin(struct twins *w, const struct mbox_table *t)
{
	*w = (struct twins){
		.order = rank(t),
		.older = xalloc(t->n, sizeof(*w->older)),
		.n = t->n,
	};
	for (size_t i = 0; i < t->n; i++) {
		uint16_t two = two_octets(t->m[i].digest);

		w->met[two / 64] |= (uint64_t)1 << two % 64;
	}
}

/* The first that is not before such a digest. */
static size_t
place_of(const struct twins *w, const uint8_t digest[MBOX_DIGEST])
{
	uint64_t	first;
	size_t		low = 0;
	size_t		high = w->n;

	memcpy(&first, digest, sizeof(first));
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&w->order[middle], first, digest) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
twins_older(struct twins *w, const uint8_t digest[MBOX_DIGEST], uint32_t twin)
{
	uint16_t	two = two_octets(digest);
	size_t		i;

	if ((w->met[two / 64] >> two % 64 & 1) == 0)
		return;
	i = place_of(w, digest);
	if (i < w->n && memcmp(w->order[i].m->digest, digest, MBOX_DIGEST) == 0)
		w->older[i] = twin;
}

void
twins_end(struct twins *w)
{
	number_ranked(w->order, w->n, w->older);
	free(w->order);
	free(w->older);
}

/* ------------------------------------------------- several lists as one */

struct placed {
	struct drop_entry	*entry;
	size_t			 place;
};

/* Without the number of a twin, where the id is a digest; else all of it. */
static struct span
id_base(const char *uidl)
{
	struct span s = span_str(uidl);
	struct span base = span_first(s, UIDL_BASE);
	uint64_t twin;

	if (strspn(uidl, LETTERS) < UIDL_BASE || (s.n > UIDL_BASE &&
	    (uidl[UIDL_BASE] != '.' || !num_parse(span_skip(s, UIDL_BASE + 1),
	    UINT32_MAX, &twin))))
		return s;
	return base;
}

static int
by_base_and_place(const void *a, const void *b)
{
	const struct placed *x = a;
	const struct placed *y = b;
	struct span s = id_base(x->entry->uidl);
	struct span t = id_base(y->entry->uidl);
	int c = memcmp(s.p, t.p, s.n < t.n ? s.n : t.n);

	if (c == 0 && s.n != t.n)
		return s.n < t.n ? -1 : 1;
	return c != 0 ? c : x->place < y->place ? -1 : x->place > y->place;
}

/* These alone have twins; an id of another kind stays what it is. */
static bool
is_digest(const char *uidl)
{
	return strspn(uidl, LETTERS) >= UIDL_BASE &&
	    id_base(uidl).n == UIDL_BASE;
}

uint32_t
uidl_number(const char *uidl)
{
	uint64_t twin;

	if (!is_digest(uidl))
		return 0;
	return num_parse(span_skip(span_str(uidl), UIDL_BASE + 1), UINT32_MAX,
	    &twin) && twin > 0 ? (uint32_t)twin : 1;
}

void
uidl_set_number(char uidl[DROP_UIDL_MAX + 1], uint32_t twin)
{
	if (!is_digest(uidl))
		return;
	uidl[UIDL_BASE] = '\0';
	if (twin > 1)
		(void)snprintf(uidl + UIDL_BASE,
		    DROP_UIDL_MAX + 1 - UIDL_BASE, ".%u", twin);
}

void
drop_distinct(struct drop_entry **entries, size_t n, size_t own)
{
	struct placed	*order = xalloc(n, sizeof(*order));
	size_t		 derived = 0;
	uint32_t	 twin = 1;

	for (size_t i = 0; i < n; i++)
		if ((entries[i]->flags & DROP_PROMISED) == 0 &&
		    is_digest(entries[i]->uidl))
			order[derived++] = (struct placed){ entries[i], i };
	qsort(order, derived, sizeof(*order), by_base_and_place);
	for (size_t i = 0; i < derived; i++) {
		char *uidl = order[i].entry->uidl;

		twin = order[i].place < own ? uidl_number(uidl) : i > 0 &&
		    span_eq(id_base(order[i - 1].entry->uidl), id_base(uidl)) ?
		    twin + 1 : 1;
		uidl_set_number(uidl, twin);
	}
	free(order);
}

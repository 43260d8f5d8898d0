/* SPDX-License-Identifier: ISC */
#include "drop/uidl.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static_assert(UIDL_BASE == (MBOX_DIGEST * 8 + 4) / 5, "letters of a digest");
static_assert(UIDL_BASE + sizeof(".4294967295") <= DROP_UIDL_MAX + 1,
    "RFC 1939 s.7: 70 characters");

/* Five bits from bit `at` on; zeros behind the end. */
static unsigned
five_bits(const uint8_t digest[MBOX_DIGEST], size_t at)
{
	size_t		i = at / 8;
	unsigned	two = (unsigned)digest[i] << 8;

	if (i + 1 < MBOX_DIGEST)
		two |= digest[i + 1];
	return two >> (11 - at % 8) & 31;
}

void
uidl_format(const uint8_t digest[MBOX_DIGEST], uint32_t twin,
    char out[DROP_UIDL_MAX + 1])
{
	for (size_t i = 0; i < UIDL_BASE; i++)
		out[i] = "abcdefghijklmnopqrstuvwxyz234567"
		    [five_bits(digest, 5 * i)];
	out[UIDL_BASE] = '\0';
	if (twin > 1)
		(void)snprintf(out + UIDL_BASE, DROP_UIDL_MAX + 1 - UIDL_BASE,
		    ".%u", twin);
}

/* Rows are in one array, so their addresses tell their order. */
static int
by_digest_and_place(const void *a, const void *b)
{
	const struct mbox_msg *x = *(const struct mbox_msg *const *)a;
	const struct mbox_msg *y = *(const struct mbox_msg *const *)b;
	int c = memcmp(x->digest, y->digest, MBOX_DIGEST);

	return c != 0 ? c : x < y ? -1 : x > y;
}

int
mbox_compare(const struct mbox_msg *a, const struct mbox_msg *b)
{
	int c = memcmp(a->digest, b->digest, MBOX_DIGEST);

	return c != 0 ? c : a->twin < b->twin ? -1 : a->twin > b->twin;
}

void
mbox_number_twins(struct mbox_table *t)
{
	struct mbox_msg	**order = xalloc(t->n, sizeof(struct mbox_msg *));
	const struct mbox_msg *before;

	for (size_t i = 0; i < t->n; i++)
		order[i] = &t->m[i];
	qsort(order, t->n, sizeof(struct mbox_msg *), by_digest_and_place);
	for (size_t i = 0; i < t->n; i++) {
		before = i > 0 ? order[i - 1] : NULL;
		order[i]->twin = before != NULL && memcmp(before->digest,
		    order[i]->digest, MBOX_DIGEST) == 0 ? before->twin + 1 : 1;
	}
	free(order);
}

/* ------------------------------------------------- several lists as one */

struct placed {
	struct drop_entry	*entry;
	size_t			 place;
};

static int
by_base_and_place(const void *a, const void *b)
{
	const struct placed *x = a;
	const struct placed *y = b;
	int c = memcmp(x->entry->uidl, y->entry->uidl, UIDL_BASE);

	return c != 0 ? c : x->place < y->place ? -1 : x->place > y->place;
}

void
drop_distinct(struct drop_entry **entries, size_t n)
{
	struct placed	*order = xalloc(n, sizeof(*order));
	unsigned	 twin = 1;

	for (size_t i = 0; i < n; i++)
		order[i] = (struct placed){ entries[i], i };
	qsort(order, n, sizeof(*order), by_base_and_place);
	for (size_t i = 0; i < n; i++) {
		char *uidl = order[i].entry->uidl;

		twin = i > 0 && memcmp(order[i - 1].entry->uidl, uidl,
		    UIDL_BASE) == 0 ? twin + 1 : 1;
		uidl[UIDL_BASE] = '\0';
		if (twin > 1)
			(void)snprintf(uidl + UIDL_BASE,
			    DROP_UIDL_MAX + 1 - UIDL_BASE, ".%u", twin);
	}
	free(order);
}

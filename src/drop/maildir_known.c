/* SPDX-License-Identifier: ISC */
#include "drop/maildir_known.h"

#include "base/alloc.h"
#include "drop/digest.h"
#include "sys/sock.h"

#include <stdlib.h>

/* Where a base name is, or would be: nobody can make names that share it. */
static size_t
slot_of(const struct maildir_known *k, struct span base)
{
	size_t at = (size_t)XXH3_64bits_withSeed(base.p, base.n, k->seed) & k->mask;

	for (; k->slots[at] != 0; at = (at + 1) & k->mask) {
		struct maildir_mail m = maildir_rows_at(k->rows,
		    k->slots[at] - 1);

		if (span_eq(maildir_mail_base(&m), base))
			break;
	}
	return at;
}

void
maildir_known_init(struct maildir_known *k, const struct maildir_rows *rows)
{
	size_t room = 16;

	while (room / 2 < rows->n)
		room *= 2;
	*k = (struct maildir_known){ .rows = rows, .mask = room - 1,
	    .slots = xalloc(room, sizeof(*k->slots)) };
	random_bytes(&k->seed, sizeof(k->seed));
	for (size_t i = 0; i < rows->n; i++) {
		struct maildir_mail	m = maildir_rows_at(rows, i);
		size_t			at = slot_of(k, maildir_mail_base(&m));

		/* As many as an index says have one name: they are one. */
		if (k->slots[at] == 0)
			k->slots[at] = (uint32_t)i + 1;
	}
}

void
maildir_known_fini(struct maildir_known *k)
{
	free(k->slots);
	*k = (struct maildir_known){ .rows = NULL };
}

bool
maildir_known_find(const struct maildir_known *k, struct span base,
    struct maildir_mail *out)
{
	size_t at;

	if (k->rows == NULL)
		return false;
	at = slot_of(k, base);
	if (k->slots[at] == 0)
		return false;
	*out = maildir_rows_at(k->rows, k->slots[at] - 1);
	return (out->row->flags & MAILDIR_ROW_TWIN) == 0;
}

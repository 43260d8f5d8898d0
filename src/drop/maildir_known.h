/* SPDX-License-Identifier: ISC */
/*
 * Messages of an earlier listing, to be found by their base names.  Floor 2, pure.
 */
#ifndef DROP_MAILDIR_KNOWN_H
#define DROP_MAILDIR_KNOWN_H

#include "base/attr.h"
#include "drop/maildir_row.h"

/* {0}: none. */
struct maildir_known {
	const struct maildir_rows	*rows;		/* borrows */
	uint32_t			*slots;		/* owns; a row from 1, 0: none */
	size_t				 mask;		/* their number, less 1 */
	uint64_t			 seed;
};

/* O(rows); rows stay what they are. */
void	maildir_known_init(struct maildir_known *k, const struct maildir_rows *rows);
void	maildir_known_fini(struct maildir_known *k);
/* The one with this base name, if it has it for itself.  O(1). */
bool	maildir_known_find(const struct maildir_known *k, struct span base,
	    struct maildir_mail *out) MUSTUSE;

#endif

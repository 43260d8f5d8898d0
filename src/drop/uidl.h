/* SPDX-License-Identifier: ISC */
/*
 * Unique-ids: 128 bits of a digest in base32 (RFC 4648, lower case), and a
 * number behind it for messages that are the same to the octet.  Floor 2, pure.
 *
 * An id depends on nothing but the message, so it survives copies of the
 * spool, the loss of every cache and rewrites by mail programs.  Twins are told
 * apart by their order alone: when the first of them is deleted, the second
 * takes its id over (what the client has under that id is the same text).
 */
#ifndef DROP_UIDL_H
#define DROP_UIDL_H

#include "drop/drop.h"
#include "drop/mbox_scan.h"

#define UIDL_BASE	26		/* letters of 128 bits */

/* Set twin in every row: 1, 2... among equal digests.  O(n) mostly, O(n log n) when many
 * digests begin alike. */
void	mbox_number_twins(struct mbox_table *t);

/*
 * The same for new messages, of whose predecessors no more is at hand than digests and
 * numbers: begin, each of those in their order, end.  O(1) for one of them that has no
 * new twin, mostly; the new ones are sorted.
 */
struct twins {
	struct ranked	*order;		/* owns; of the new ones */
	uint32_t	*older;		/* owns; how many came before, for the first
					   of each digest in that order */
	size_t		 n;
	uint64_t	 met[1024];	/* a bit for each two octets that a digest
					   begins with */
};
void	twins_begin(struct twins *w, const struct mbox_table *t);
void	twins_older(struct twins *w, const uint8_t digest[MBOX_DIGEST],
	    uint32_t twin);
void	twins_end(struct twins *w);

/* A total order: by digest, then by twin. */
int	mbox_compare(const struct mbox_msg *a, const struct mbox_msg *b);

/* "BASE", or "BASE.TWIN" when twin is above 1.  Returns its end, where the NUL is. */
char	*uidl_format(const uint8_t digest[MBOX_DIGEST], uint32_t twin,
	    char out[DROP_UIDL_MAX + 1]);

/* Which number the id of a digest has, 1 without one; 0: it is of another kind, which
 * uidl_set_number leaves as it is. */
uint32_t uidl_number(const char *uidl);
void	uidl_set_number(char uidl[DROP_UIDL_MAX + 1], uint32_t twin);

#endif

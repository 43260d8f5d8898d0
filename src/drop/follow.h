/* SPDX-License-Identifier: ISC */
/*
 * Are the octets that are served those of the message?  Its digests are taken of
 * them once more while it is read from its beginning to its end.  Floor 2.
 *
 * For a spool that was changed a moment ago: times do not tell of a program that
 * heeds no lock and is still inside the write that it began before.
 */
#ifndef DROP_FOLLOW_H
#define DROP_FOLLOW_H

#include "drop/mbox_scan.h"

struct follow;

struct follow	*follow_new(void);
/* NULL: nothing is done. */
void	follow_free(struct follow *w);
/*
 * Reads what is before the text, and what is behind its `size` octets.  What cannot
 * be read is missing in the digests.
 */
void	follow_begin(struct follow *w, int fd, const struct mbox_msg *m);
void	follow_tail(struct follow *w, int fd, const struct mbox_msg *m,
	    uint64_t size);
/*
 * These are octets of m's text from `off` on, of `size` in all, whose tail was read
 * when they are the last.  False: they are, and all were not those of the message.
 * True also when they do not follow those before: then nobody can tell.
 */
bool	follow_octets(struct follow *w, const struct mbox_msg *m, uint64_t size,
	    uint64_t off, struct span octets) MUSTUSE;

#endif

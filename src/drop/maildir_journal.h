/* SPDX-License-Identifier: ISC */
/*
 * The journal of a Maildir: which files of tmp/ become mail together with a
 * note.  Floor 2; the session, then perhaps the recovery child, as the user.
 * Deletions are in no journal: each is one call of the kernel.
 *
 *	8 octets	MAILDIR_JOURNAL
 *	16		digest of what follows
 *	4		octets of the note, most significant first
 *			the note; then names, each with a NUL behind it
 *
 * An empty file, or one that was not written to its end: nothing was begun.
 */
#ifndef DROP_MAILDIR_JOURNAL_H
#define DROP_MAILDIR_JOURNAL_H

#include "base/buf.h"
#include "drop/drop.h"

#define MAILDIR_JOURNAL		"maildir1"
#define MAILDIR_JOURNAL_MAX	(1u << 20)	/* octets: some 8,000 names */

/* Is it one of these, and not an mbox's?  1, 0; -1. */
int	maildir_journal_is(int fd, struct fault *f) MUSTUSE;

/* Write it, durably.  names: as they stand in the file.  FAULT_LIMIT: too many. */
int	maildir_journal_put(int fd, struct span note, struct span names,
	    struct fault *f) MUSTUSE;

/*
 * Move the files, make the note true, empty the journal.  May be done again
 * from any point.  dirfd: the Maildir.
 */
int	maildir_journal_run(const struct drop_conf *c, int dirfd, int fd,
	    struct span note, struct span names, struct fault *f) MUSTUSE;

/* What drop_recover does for a Maildir; c->journal_fd is one of these. */
int	maildir_recover(const struct drop_conf *c, bool *did_r,
	    struct fault *f) MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Bulletins (the manual's -b): announcements that every user gets once.
 * Floor 2.  Reading runs in the session as the user; publishing in
 * `popper bulletin`.
 */
#ifndef BULL_BULL_H
#define BULL_BULL_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

#include <sys/types.h>

struct bull_conf {
	const char	*dir;		/* NULL: no bulletins */
};

/*
 * Where a user's highest number is kept: .popbull in the home folder, or
 * NAME in a state folder for users without a home.
 */
struct bull_place {
	int		 dirfd;		/* home or state folder; borrows */
	const char	*name;		/* ".popbull", or the user's file */
};

/* Who gets bulletins, and who is told of what is wrong with them. */
struct bull_reader {
	struct bull_place	 place;
	const char		*user;
	const char		*host;
	void			(*tell)(void *ctx, const char *id, const char *text);
	void			*ctx;
};

/* One bulletin in mailbox form, inside the file given to bull_collect. */
struct bull_piece {
	uint64_t	number;
	uint64_t	off;
	uint64_t	len;
};

struct bull_set {
	struct bull_piece	*pieces;	/* owns */
	size_t			 n;
	uint64_t		 highest;	/* to be recorded at QUIT */
	uint64_t		 recorded;	/* what .popbull says now */
};

/*
 * Read the folder and the user's number, seed a new user (the file is written
 * at once), and append each newer bulletin, transformed, to out_fd from
 * octet out_off on.  "user@host" (just user when it has an '@') replaces To:.
 * Order by number; equal numbers by name.  A bad bulletin (no From_ line, a
 * second From_ line, not a regular file, unreadable) is told and skipped.
 * highest is the number of the last one that was taken, or recorded.  0, with
 * an empty set when the folder or the number cannot be read (told).  -1: out_fd
 * could not be written; the set is empty.  Never a reason to refuse a login.
 */
int	bull_collect(const struct bull_conf *c, const struct bull_reader *who,
	    int out_fd, uint64_t out_off, struct bull_set *out, struct fault *f)
	    MUSTUSE;
void	bull_set_fini(struct bull_set *s);

/*
 * Record the number durably and never lower it (temp, fsync, rename, fsync).
 * What is no readable number, a link or a FIFO is replaced, not followed.
 * Without room for a temporary file an existing one is overwritten.
 */
int	bull_store(const struct bull_place *where, uint64_t number,
	    struct fault *f) MUSTUSE;

/* The note of a commit (drop_change.note): a number, and back. */
#define BULL_NOTE_MAX	64
size_t	bull_note(uint64_t number, char out[BULL_NOTE_MAX]);
bool	bull_note_parse(struct span note, uint64_t *number_r) MUSTUSE;

/*
 * `popper bulletin`.  Publish atomically the message that message_fd (a file
 * or a pipe) gives: in mailbox form, or beginning with its header; then it gets
 * a From_ line, and body lines that begin with "From " get a '>'.  title NULL:
 * the subject.  The number is above every one that the folder has seen: the
 * file .highest in it keeps what was removed.  FAULT_PROTO: no message, or two;
 * FAULT_LIMIT: over BULL_MESSAGE_MAX; FAULT_IN_USE: locked by another.
 */
#define BULL_MESSAGE_MAX	(16u << 20)
int	bull_add(const char *dir, int message_fd, const char *title,
	    uint64_t *number_r, struct fault *f) MUSTUSE;
/* All files of that number; fault.err is ENOENT when there is none. */
int	bull_remove(const char *dir, uint64_t number, struct fault *f) MUSTUSE;
/*
 * One call per file of the folder, in the order of delivery (names that begin
 * with a dot are left out); problem is NULL when it is good.  name "." and
 * number 0: a problem of the folder itself.  subject is "" when there is none.
 */
int	bull_judge(const char *dir,
	    void (*row)(void *ctx, const char *name, uint64_t number,
	    struct span subject, const char *problem), void *ctx,
	    struct fault *f) MUSTUSE;

#endif

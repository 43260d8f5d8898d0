/* SPDX-License-Identifier: ISC */
/*
 * What a listing of a large Maildir found out, kept for the next login.  Floor 2;
 * the session, as the user.  A file that anybody may have written into: every number
 * is checked before it is used, and its loss costs time alone.  Neither locked nor
 * synced: a half-written one has not its digest.
 *
 * Numbers are as this machine has them; on another one the mark is another.
 *
 *	struct maildir_index_head
 *	rows		struct maildir_index_row, in the order of base names
 *	names		each with a NUL behind it
 *	digest		16 octets, of all that stands before it
 */
#ifndef DROP_MAILDIR_INDEX_H
#define DROP_MAILDIR_INDEX_H

#include "drop/digest.h"
#include "drop/maildir_priv.h"

/* A folder, at the time of the listing. */
struct maildir_index_folder {
	uint64_t	dev;
	uint64_t	ino;
	int64_t		mtime_s;
	int64_t		mtime_ns;
	int64_t		ctime_s;
	int64_t		ctime_ns;
};

#define MAILDIR_INDEX_MAGIC	"popperm1"
#define MAILDIR_INDEX_MARK	\
	(0x0102030405060700u + sizeof(struct maildir_index_row))

struct maildir_index_head {
	char				magic[8];	/* MAILDIR_INDEX_MAGIC */
	uint64_t			mark;		/* MAILDIR_INDEX_MARK */
	uint64_t			n;		/* rows */
	uint64_t			names_n;	/* octets */
	uint64_t			settled;	/* 1: any later change of a
							   folder gives it other times */
	struct maildir_index_folder	in_new;
	struct maildir_index_folder	in_cur;
};

struct maildir_index_row {
	uint64_t	ino;
	uint64_t	size;
	uint64_t	wire;
	int64_t		mtime_s;
	int64_t		mtime_ns;
	uint64_t	delivered;
	uint32_t	name;		/* place in names */
	uint32_t	order;		/* of delivery, from 0 */
	uint32_t	flags;		/* enum maildir_index_flag */
	uint32_t	base_n;
};

enum maildir_index_flag {
	MAILDIR_INDEX_NEW	= 1u << 0,	/* lies in new/ */
	MAILDIR_INDEX_SEEN	= 1u << 1,
	MAILDIR_INDEX_8BIT	= 1u << 2,
	MAILDIR_INDEX_TWIN	= 1u << 3,	/* shares its base name */
	MAILDIR_INDEX_AS_SENT	= 1u << 4,
};

/* A file that was read; {0}: nothing. */
struct maildir_index {
	uint8_t				*text;	/* owns */
	struct maildir_index_head	 head;
	const struct maildir_index_row	*rows;	/* into text */
	const char			*names;
};

/* Octets of both folders from which it is worth a file. */
#define MAILDIR_INDEX_FROM	16384

/* False, and nothing in *out: there is none that can be believed. */
bool	maildir_index_read(int fd, struct maildir_index *out) MUSTUSE;
void	maildir_index_fini(struct maildir_index *x);
/* Are the folders as they were, so that it tells what is in them? */
bool	maildir_index_holds(const struct maildir_index *x,
	    const struct maildir_list *now);
/* The message of this base name, if just one has it; or NULL.  O(log n). */
const struct maildir_index_row	*maildir_index_find(
				    const struct maildir_index *x,
				    struct span base);
/*
 * Write what m has found out; now: clock_file_ms() from before its listing.  -1: the
 * file is of no use, and empty.
 */
int	maildir_index_write(const struct maildir *m, int fd, uint64_t now,
	    struct fault *f) MUSTUSE;

#endif

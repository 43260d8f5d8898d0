/* SPDX-License-Identifier: ISC */
/*
 * What a listing of a large Maildir found out, kept for the next login.  Floor 2;
 * the session, as the user.  A file that anybody may have written into: every number
 * is checked before it is used, and its loss costs time alone.  Neither locked nor
 * synced: a half-written one has not its marks.
 *
 * Numbers are as this machine has them; on another one the mark is another.
 *
 *	octet 0			struct maildir_index_head: of which folders, in
 *				which state, and totals
 *	MAILDIR_INDEX_PLACE	blocks of MAILDIR_INDEX_BLOCK octets; of the last one
 *				as many as it has:
 *		struct maildir_index_block
 *		rows		struct maildir_row, in the order of messages
 *		names		of these rows, a NUL behind each
 *
 * A block has as many rows as fit, and tells which; head and blocks have a mark
 * each.  Blocks are written first, so a head speaks of blocks that are there: the last
 * one may have more rows than it knows.  The generation, another one whenever an index
 * is begun, tells blocks of an older file.
 */
#ifndef DROP_MAILDIR_INDEX_H
#define DROP_MAILDIR_INDEX_H

#include "drop/drop.h"
#include "drop/maildir_row.h"
#include "sys/file.h"

#define MAILDIR_INDEX_MAGIC	"popperm2"
#define MAILDIR_INDEX_MARK	(0x0102030405060700u + sizeof(struct maildir_row))
#define MAILDIR_INDEX_PLACE	512u
#define MAILDIR_INDEX_BLOCK	32768u

/* A folder, before it was listed. */
struct maildir_index_folder {
	uint64_t	dev;
	uint64_t	ino;
	int64_t		mtime_s;
	int64_t		mtime_ns;
	int64_t		ctime_s;
	int64_t		ctime_ns;
	uint64_t	settled;	/* 1: any later change gives it other times */
};

struct maildir_index_head {
	char				magic[8];	/* MAILDIR_INDEX_MAGIC */
	uint64_t			mark;		/* MAILDIR_INDEX_MARK */
	uint64_t			generation;
	uint64_t			n;		/* messages */
	uint64_t			blocks;
	uint64_t			octets;		/* as in drop_totals */
	uint64_t			last_seen;
	uint64_t			eight_bit;
	int64_t				surrogates;
	uint64_t			oldest;
	uint64_t			alike;		/* rows whose nth is above 1 */
	uint64_t			first_new;	/* the first row that lies in
							   new/, from 0; n: none */
	struct maildir_index_folder	in_new;
	struct maildir_index_folder	in_cur;
	uint64_t			digest;		/* digest_mark of the rest */
};

struct maildir_index_block {
	uint64_t	digest;		/* digest_mark of the rest, to its last name */
	uint64_t	generation;
	uint64_t	number;		/* of blocks, from 0 */
	uint64_t	first;		/* its first message, from 0 */
	uint32_t	rows;
	uint32_t	names_n;	/* octets */
};

/* A file whose head was read; {0}, with fd -1: none. */
struct maildir_index {
	int				 fd;		/* owns */
	bool				 good;		/* head is what it says */
	struct maildir_index_head	 head;
	struct maildir_index_block	*block;		/* owns; the one that was read
							   last, MAILDIR_INDEX_BLOCK
							   octets; or NULL */
	bool				 read;		/* there is one in it */
};

/* Octets of both folders from which it is worth a file. */
#define MAILDIR_INDEX_FROM	16384

/* fd, which it takes, or -1: then there is none. */
void	maildir_index_init(struct maildir_index *x, int fd);
void	maildir_index_fini(struct maildir_index *x);
/* False: there is none that can be believed. */
bool	maildir_index_read(struct maildir_index *x) MUSTUSE;
/* Is a folder, of a head that was read, as it was, so that it tells what is in it? */
bool	maildir_index_same(const struct maildir_index_folder *then,
	    const struct file_facts *now);
/* Are both? */
bool	maildir_index_holds(const struct maildir_index *x,
	    const struct file_facts *in_new, const struct file_facts *in_cur);
/*
 * Message i.  Valid until the next call; in ascending order each block is read once.
 * False: it is damaged there.
 */
bool	maildir_index_row(struct maildir_index *x, size_t i,
	    struct maildir_mail *out) MUSTUSE;
/* All from `first` on, appended.  False: it is damaged; then *out has some. */
bool	maildir_index_rows(struct maildir_index *x, size_t first,
	    struct maildir_rows *out) MUSTUSE;

/* What is to be written: all but what the index itself sees to. */
struct maildir_index_news {
	const struct maildir_rows	*rows;	/* of all messages from `first` on; */
	size_t				 first;
	uint64_t			 keep;	/* blocks with those before stay */
	const struct drop_totals	*totals;
	uint64_t			 alike;
	uint64_t			 now;	/* clock_file_ms() before the listing */
	int				 new_fd;
	int				 cur_fd;
	const struct file_facts		*in_new;
	const struct file_facts		*in_cur;
};
/*
 * False: without success, or a message.  With nothing kept, the file is of no use
 * then; else it has to be read again.
 */
bool	maildir_index_write(struct maildir_index *x,
	    const struct maildir_index_news *news);
/* The next login takes it for none; what it has can still be read. */
void	maildir_index_drop(struct maildir_index *x);

#endif

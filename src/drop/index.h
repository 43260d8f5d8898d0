/* SPDX-License-Identifier: ISC */
/*
 * The index of an mbox, as octets: what a scan found out, so that the next session
 * need not read the maildrop again.  Floor 2, pure: blocks in, blocks out; who reads
 * and writes the file is somebody else.
 *
 * Whoever has the maildrop may have written the index.  So it is a hint: all of it is
 * checked when it is read, offsets lie within the spool and sizes are possible ones.
 * A lie that passes may cost its owner a wrong list of his own mail, never a read
 * beyond what he may read; anything odd means that there is no index.
 *
 *	octet 0		the head, INDEX_HEAD octets: of which spool in which state,
 *			the last message, and totals of all others
 *	INDEX_HEAD	blocks of INDEX_ROWS rows each, INDEX_BLOCK octets: those
 *			others
 *
 * In a block what LIST and UIDL tell of its messages comes first, a brief each, and
 * behind all of them the rest of each row: who lists reads a third.
 *
 * The head, the briefs of a block and the rests have a digest each, that of the rests
 * with that of the briefs in it.  A message that has a successor is no longer
 * changed by what is appended: so rows of blocks stay what they are while the spool
 * grows, and a block that a crash left in an older state can only have fewer.  Who
 * changes blocks otherwise (UPDATE, and who measures older rows) makes the head
 * unreadable before; UPDATE also cuts them off.  The generation, another one whenever
 * an index is begun, tells blocks of an older file.
 */
#ifndef DROP_INDEX_H
#define DROP_INDEX_H

#include "base/attr.h"
#include "base/span.h"
#include "drop/digest.h"
#include "drop/mbox_scan.h"

#define INDEX_HEAD	512u		/* octets */
#define INDEX_BRIEF	36u		/* of a message */
#define INDEX_REST	84u		/* of its row */
#define INDEX_ROW	(INDEX_BRIEF + INDEX_REST)
#define INDEX_ROWS	256u		/* in a block */
#define INDEX_BLOCK_HEAD 32u
#define INDEX_BRIEFS	(INDEX_BLOCK_HEAD + INDEX_ROWS * INDEX_BRIEF)
#define INDEX_REST_HEAD	16u
#define INDEX_BLOCK	(INDEX_BRIEFS + INDEX_REST_HEAD + INDEX_ROWS * INDEX_REST)
#define INDEX_TAIL	4096u		/* octets that are looked at, at the end
					   of what the index speaks of */

/* Which spool, in which state. */
struct index_spool {
	uint64_t	dev;
	uint64_t	ino;
	uint64_t	size;
	uint64_t	mtime_s;
	uint64_t	mtime_ns;
	uint64_t	ctime_s;
	uint64_t	ctime_ns;
};

/* Of the messages that are shown: what a session knows before any row is read. */
struct index_totals {
	uint64_t	messages;
	uint64_t	octets;		/* size_wire */
	uint64_t	last_seen;	/* number of the last one with MBOX_SEEN; 0 */
	uint64_t	eight_bit;	/* how many have MBOX_8BIT */
	uint64_t	recoded;	/* and MBOX_RECODED: octets that those */
	int64_t		surrogates;	/* have more as surrogates, or fewer */
	uint64_t	oldest;		/* the least `delivered` that is known; 0 */
};

struct index_head {
	uint64_t		generation;
	struct index_spool	spool;
	uint8_t			tail[DIGEST_SIZE];	/* of its last INDEX_TAIL
							   octets, or all */
	uint64_t		n;	/* messages, hidden ones too */
	bool			young;	/* as are all, for the spool could have been
					   changed at the same time */
	uint64_t		doubted;	/* so many at the beginning were not
						   read again when the spool had
						   grown */
	uint64_t		boot;	/* the others were read in that run of the
					   kernel (file_boot), and nobody was
					   writing to the spool; 0: who knows */
	struct index_totals	before;	/* of all but the last */
	struct mbox_msg		last;	/* n > 0 */
};

/* As in struct mbox_msg. */
struct index_brief {
	uint8_t		digest[DIGEST_SIZE];
	uint64_t	size_wire;
	uint64_t	size_surrogate;
	uint32_t	twin;
	uint32_t	flags;
};

enum index_fit {
	INDEX_SAME,			/* the spool is what it was */
	INDEX_GROWN,			/* it may have been appended to: if its
					   octets at the old end are what they
					   were, rows but the last are good */
	INDEX_OTHER,
};
enum index_fit	index_fit(const struct index_spool *then,
		    const struct index_spool *now) MUSTUSE;

/* One more message, in their order. */
void	index_count(struct index_totals *t, const struct mbox_msg *m);
/* One of those has been measured since. */
void	index_measured(struct index_totals *t, const struct mbox_msg *m);
/* Of all that a head speaks of. */
void	index_totals(const struct index_head *h, struct index_totals *out);

void	index_put_head(const struct index_head *h, uint8_t out[INDEX_HEAD]);
/* False: it is none, or it is odd. */
bool	index_get_head(struct span in, struct index_head *h_r) MUSTUSE;

/* How many blocks there are, and how many rows in one of them. */
uint64_t index_blocks(const struct index_head *h);
size_t	index_rows(const struct index_head *h, uint64_t block);
/* Where it lies in the file. */
uint64_t index_place(uint64_t block);
/* Octets of a block with so many rows. */
size_t	index_block_size(size_t rows);

/* rows of them, of block number `block`; out has index_block_size(rows). */
void	index_put_block(const struct index_head *h, uint64_t block,
	    const struct mbox_msg *m, size_t rows, uint8_t *out);
/*
 * `in`: what stands at the block's place, INDEX_BLOCK octets or as many as there
 * are.  index_rows() of them come out.  False: it is odd.  O(rows).
 */
bool	index_get_block(const struct index_head *h, uint64_t block,
	    struct span in, struct mbox_msg *m) MUSTUSE;
/* The same of briefs alone, for which INDEX_BRIEFS octets are enough. */
bool	index_get_briefs(const struct index_head *h, uint64_t block,
	    struct span in, struct index_brief *out) MUSTUSE;
void	index_brief_of(const struct mbox_msg *m, struct index_brief *out);

#endif

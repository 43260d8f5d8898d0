/* SPDX-License-Identifier: ISC */
/*
 * The journal of an UPDATE: a file that holds the octets a spool is about to
 * get, before it gets them, so that whoever comes after a crash can finish.
 * Floor 2; the session, then perhaps the recovery child, as the user.
 *
 *	octet 0, 4096	two slots, written in turn: the state, with a checksum
 *	octet 8192	the plan: ranges of the old spool that are kept
 *	behind it	data: the image, or two windows used in turn; behind each
 *			the marks: a digest of every block that it overwrites
 *
 * The valid slot with the higher number counts.  No valid slot: no commit was
 * ever begun, the spool is as it was.  docs/design.md section 6 has the states,
 * their order on the disk, and why each ends in the old or the new spool.
 */
#ifndef DROP_JOURNAL_H
#define DROP_JOURNAL_H

#include "drop/digest.h"
#include "drop/drop.h"
#include "drop/spool.h"

#define JOURNAL_SLOT	4096u
#define JOURNAL_PLAN	(2 * JOURNAL_SLOT)
#define JOURNAL_DIGEST	DIGEST_SIZE
/* The least that a shrinking commit keeps for a later move. */
#define JOURNAL_WINDOW	(64u << 10)
#define JOURNAL_SAMPLE	4096u
/*
 * What a write into a spool that was cut off leaves whole, old or new: a part
 * of a page.  Writes never meet within one (file_copy).
 */
#define JOURNAL_BLOCK	512u

enum journal_step {
	/*
	 * Write the window at `to`, then go on with the sources, window by
	 * window, then CUT.  Sources lie above what is written.  A window may
	 * be the whole image.
	 */
	STEP_MOVE = 1,
	/* The new spool is longer: extend it; nothing was written yet. */
	STEP_GROW,
	/* Extended; write the window, which is the whole image. */
	STEP_GROWN,
	/* All is in its place; cut at new_size.  Octet new_size is NUL until
	 * then, and new mail never begins with one. */
	STEP_CUT,
	/* The spool is the new one; what is left does not concern it. */
	STEP_DONE,
};

/* Octets that no step changes, to know the spool by. */
struct journal_sample {
	uint64_t	off;
	uint64_t	len;		/* 0: none */
	uint8_t		digest[JOURNAL_DIGEST];
};

struct journal_state {
	uint64_t	seq;		/* of the slot */
	uint64_t	step;		/* enum journal_step */
	uint64_t	dev;		/* of the spool */
	uint64_t	ino;
	uint64_t	old_size;	/* what lies behind is new mail: the last
					   source, whatever its length */
	uint64_t	new_size;	/* GROW, GROWN, CUT */
	uint64_t	cut_from;	/* CUT: the size before */
	uint64_t	to;		/* where the window goes */
	uint64_t	len;		/* of the window; 0: it is written */
	uint64_t	data;		/* its place in the journal; marks of
					   what it overwrites follow */
	uint64_t	source;		/* next one: index into the plan */
	uint64_t	source_off;	/* and octets of it already moved */
	uint64_t	window;		/* room for later windows */
	uint64_t	nplan;
	uint64_t	legacy_ino;	/* .user.pop whose mail this commit takes
					   in; see drop/legacy.c */
	uint64_t	legacy_size;	/* 0: none */
	uint64_t	lock_ino;	/* our own dotlock; 0: the host's */
	uint64_t	note_n;
	struct journal_sample	before;	/* what is written */
	struct journal_sample	behind;	/* what is written */
	uint8_t		data_digest[JOURNAL_DIGEST];	/* with its marks */
	uint8_t		plan_digest[JOURNAL_DIGEST];
	uint8_t		note[DROP_NOTE_MAX];
};

struct journal_range {
	uint64_t	off;
	uint64_t	len;
};

struct journal {
	int			 fd;	/* borrows */
	bool			 open;	/* a valid slot may be on the disk */
	bool			 settled;	/* no step that may still come
						   writes to the spool: it needs
						   no lock */
	struct journal_state	 now;
	struct journal_range	*plan;	/* owns; now.nplan of them */
};

/* A part of an image: octets of a file, or text when fd is -1. */
struct journal_piece {
	int		 fd;
	uint64_t	 off;
	uint64_t	 len;
	const char	*text;		/* borrows */
};

/* What is to become of the spool, from octet `from` on. */
struct journal_wish {
	uint64_t			 from;
	uint64_t			 size;		/* of the new spool */
	const struct journal_piece	*image;		/* either: the octets */
	size_t				 nimage;
	const struct journal_range	*kept;		/* or: what stays, each
							   above its new place */
	size_t				 nkept;
	struct span			 note;
	uint64_t			 legacy_ino;
	uint64_t			 legacy_size;
};

/*
 * Look at a journal and make what is seen durable.  1: a commit is open;
 * 0: none (the file is empty, or a commit that was never made); -1: FAULT_PERM
 * when it is damaged.  O(size of the data).
 */
int	journal_load(struct journal *j, int fd, struct fault *f) MUSTUSE;
void	journal_fini(struct journal *j);

/*
 * Write a commit into the journal.  Room is reserved first, in the journal
 * and in the spool, so a full disk shows here.  reserve: the file's blocks are
 * all there is (DROP_RESERVE octets), it must be a wish with `kept`.
 * -1: j->open tells whether the commit may be on the disk nevertheless.
 */
int	journal_begin(struct journal *j, int fd, struct spool *s, bool reserve,
	    const struct journal_wish *w, struct fault *f) MUSTUSE;

/*
 * Is this the spool that the journal speaks of, and has nobody else rewritten
 * it meanwhile?  Up to two samples must be what they were, and each block that
 * is to be overwritten must be the old one or the new one.  O(window).
 */
int	journal_match(const struct journal *j, struct spool *s, bool *same_r,
	    struct fault *f) MUSTUSE;

/*
 * Take all steps that are left.  Afterwards the spool is the new one, durably,
 * with new mail behind it; or, *undone_r, it is the old one: only for a commit
 * that had not written to it.  -1: the journal stays as it is; unless settled,
 * the spool has to stay locked until somebody has called this again.
 * O(octets behind the first change).
 */
int	journal_run(struct journal *j, struct spool *s, bool *undone_r,
	    struct fault *f) MUSTUSE;

/* Forget the commit, durably; unless nothing could come of it any more. */
int	journal_clear(struct journal *j, struct fault *f) MUSTUSE;
/* Likewise, when journal_load found none: empty a file that is not. */
int	journal_forget(struct journal *j, struct fault *f) MUSTUSE;

/* Octets from one window's place in the journal to the other's. */
uint64_t	journal_half(const struct journal_state *s);

/* Record the next state: the other slot, durable on return. */
int	journal_put(struct journal *j, const struct journal_state *next,
	    struct fault *f) MUSTUSE;

/* Read octets of `from`, at most n, into the journal's area; see journal.c. */
int	journal_fill(struct journal *j, struct spool *s,
	    struct journal_state *next, uint64_t spool_size, struct fault *f)
	    MUSTUSE;

#endif

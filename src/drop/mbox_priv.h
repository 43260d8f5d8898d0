/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of the mbox back end: mbox.c, tempdrop.c, mbox_commit.c,
 * mbox_same.c, legacy.c, recover.c.  Floor 2.
 */
#ifndef DROP_MBOX_PRIV_H
#define DROP_MBOX_PRIV_H

#include "drop/drop.h"
#include "drop/follow.h"
#include "drop/index.h"
#include "drop/journal.h"
#include "drop/mbox_scan.h"
#include "drop/spool.h"

/* indexed.c: the index of a spool. */
struct indexed {
	int			 fd;		/* owns; -1: there is none */
	bool			 wanted;	/* to be written */
	bool			 used;		/* rows of the table are its */
	bool			 good;		/* the file is what the table says */
	bool			 rows_wanted;	/* not all are in the table yet, */
	bool			*known;		/* but those; owns */
	size_t			 keep;		/* rows in its blocks that are good */
	size_t			 measured;	/* the first that was measured since
						   they were; SIZE_MAX */
	struct index_head	 head;
	struct mbox_msg		*block;		/* owns; the rows of one, or NULL */
	uint64_t		 which;		/* of that */
	struct index_brief	*briefs;	/* owns; of one, or NULL */
	uint64_t		 which_briefs;
	struct index_edge	*edges;		/* owns; of blocks that were read */
};

/* Of a message that is read. */
struct mbox_text {
	size_t		row;
	uint64_t	size;		/* octets, as its entry has it */
};

/*
 * Octets of a spool that is read in place, and behind them those of the messages that
 * come next: of the state that the table speaks of, by what the times tell.
 */
struct ahead {
	uint8_t		*p;		/* owns; NULL before the first */
	uint64_t	 off;		/* in the spool */
	size_t		 n;		/* 0: there are none */
	size_t		 next;		/* row that is in order */
	bool		 in_order;	/* so was the one that was begun last */
};

struct drop {
	const struct drop_ops	*ops;		/* first: see drop_ops_of */
	struct drop_conf	 conf;
	struct mbox_table	 table;		/* offsets into fd */
	struct drop_entry	*entries;	/* owns; locator: row of table */
	size_t			 n;		/* messages that are shown */
	int			 fd;		/* the copy, the image, or, in
						   place, the spool; -1: empty */
	bool			 own_fd;
	bool			 in_place;
	struct file_facts	 facts;		/* in place, or with an index: of
						   the state that the table
						   speaks of */
	struct follow		*follow;	/* owns; in place, or NULL */
	struct ahead		 ahead;
	struct file_facts	 seen;		/* the spool's when it was scanned at
						   login, if any later change has
						   another time; else {0} */
	bool			 fresh;		/* but that who heeds no lock may
						   have been inside a write(2) */
	size_t			 sure;		/* rows from there on are what is in
						   that state; SIZE_MAX: none */
	struct indexed		 index;
	struct index_totals	 totals;	/* at login */
};

/*
 * What the index knows of a spool in that state, whose octets are in fd.  SAME: so
 * many rows are in the table, which indexed_row() tells; GROWN: `keep` of them would
 * be, and from head.last on a scan has to go on; OTHER: none.
 */
enum index_fit	indexed_read(struct indexed *x, int fd,
		    const struct file_facts *facts, struct mbox_table *out) MUSTUSE;
/* SAME, but who knows of which octets: each row is doubted. */
void	indexed_doubt(struct indexed *x, struct mbox_table *t);
/*
 * GROWN, and t is what that scan found, which is numbered: *out, empty as yet, gets a
 * row for all.  Rows that would have to be written again are in it.  False: a block
 * is damaged.
 */
bool	indexed_grow(struct indexed *x, const struct mbox_table *t,
	    struct mbox_table *out) MUSTUSE;
/* Of a row that is not in the table.  Valid until the next call; NULL: its block is
 * damaged. */
const struct mbox_msg	*indexed_row(struct indexed *x, size_t row) MUSTUSE;
/* The same of what LIST and UIDL tell: a third of it is read. */
const struct index_brief *indexed_brief(struct indexed *x, size_t row) MUSTUSE;
void	indexed_fini(struct indexed *x);
/* A row that is in the table was measured (rows.c): what is to be written. */
void	indexed_measured(struct indexed *x, size_t row, const struct mbox_msg *m);
/* Write what is new in it, if anything is.  boot: as in its head, of what is new.
 * False: there is no room; what is half there is not to grow old, and older rows can
 * still be read. */
bool	indexed_write(struct indexed *x, int fd, const struct file_facts *facts,
	    const struct mbox_table *t, uint64_t boot) MUSTUSE;

/* The same after an UPDATE: `same` rows are those that were there before. */
void	indexed_replace(struct indexed *x, int fd, const struct mbox_table *t,
	    size_t same);
/* There is none from now on. */
void	indexed_drop(struct indexed *x);

/*
 * rows.c.  An opened drop: make its entries, or leave them until they are wanted.
 */
void	rows_begin(struct drop *d);
/*
 * Look at those with octets beyond ASCII that nobody has looked at: what an index is
 * told need not be found out at each login.
 */
void	rows_measure(struct drop *d);
/* drop_ops.entry (its row is in the table from then on), size, uidl. */
int	rows_entry(struct drop *d, size_t i, struct drop_entry *out, struct fault *f)
	    MUSTUSE;
int	rows_size(struct drop *d, size_t i, bool surrogate, uint64_t *wire_r,
	    struct fault *f) MUSTUSE;
char	*rows_uidl(struct drop *d, size_t i, char *out, struct fault *f) MUSTUSE;
/* f may be NULL. */
int	rows_text(struct drop *d, size_t i, struct mbox_text *out, struct fault *f)
	    MUSTUSE;
/* All rows are there from now on. */
int	rows_all(struct drop *d, struct fault *f) MUSTUSE;
/* Which of them is message i? */
size_t	rows_row(const struct drop *d, size_t i);

/* "Status: ", 26 letters, CRLF, NUL. */
#define MBOX_STATUS_MAX	40

/* One change of the spool, by its octets; in ascending order. */
struct mbox_edit {
	uint64_t	off;
	uint64_t	cut;		/* octets that go */
	size_t		len;		/* 0: a whole message goes */
	char		text[MBOX_STATUS_MAX];	/* what comes instead */
};

/*
 * mbox_edited.c: of a spool with the messages of t, to which these edits were made:
 * its messages, and how many at the beginning are as they were.  False: it has to be
 * scanned.
 */
bool	mbox_edited(int fd, const struct mbox_table *t, const struct mbox_edit *edits,
	    size_t n, struct mbox_table *out, size_t *same_r) MUSTUSE;

/* tempdrop.c: copy and scan a locked spool; takes s->fd when in place. */
int	tempdrop_make(struct drop *d, struct spool *s, struct fault *f) MUSTUSE;
/* In the state that the session saw: is a message just where and what its row says,
 * and are its neighbours? */
bool	tempdrop_holds(const struct drop *d, size_t row) MUSTUSE;
/* In place: is the spool in the state that the table speaks of? */
int	tempdrop_unchanged(const struct drop *d, bool *same_r, struct fault *f)
	    MUSTUSE;
/* Scan a locked spool without copying it. */
int	tempdrop_scan(struct spool *s, struct mbox_table *out,
	    struct fault *f) MUSTUSE;
ssize_t	tempdrop_read(struct drop *d, const struct mbox_text *t, uint64_t off,
	    void *p, size_t n, struct fault *f) MUSTUSE;
/* drop_ops.peek */
struct span	tempdrop_peek(struct drop *d, const struct mbox_text *t, uint64_t off);

/* mbox_commit.c */
int	mbox_commit(struct drop *d, const struct drop_change *c,
	    struct drop_outcome *out, struct fault *f) MUSTUSE;

/*
 * mbox_same.c: are these two messages the same to the octet, From_ lines
 * included, mutable header fields left out?  A last line may lack its LF.
 * O(octets).
 */
int	mbox_same(int fd_a, const struct mbox_msg *a, int fd_b,
	    const struct mbox_msg *b, bool *same_r, struct fault *f) MUSTUSE;

/*
 * legacy.c: what an older popper left in .USER.pop beside the spool becomes
 * the first part of the spool, by a journalled commit.  0 also when there is
 * none, or none that can be used (told).
 */
int	legacy_take_in(const struct drop_conf *c, struct fault *f) MUSTUSE;
/* Empty the file that such a commit took in, unless it is another by now. */
int	legacy_empty(struct spool *s, const struct journal_state *now,
	    struct fault *f) MUSTUSE;

/* recover.c: all steps that are left of an open journal; spool locked.  On -1 it must
 * stay locked when j->open and not j->settled. */
int	mbox_carry_out(struct journal *j, struct spool *s, struct fault *f)
	    MUSTUSE;

/* No room, no quota, or a limit of the file's size. */
bool	mbox_is_full(const struct fault *f);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of the Maildir back end: maildir.c, maildir_list.c,
 * maildir_pick.c, maildir_rows.c, maildir_commit.c, maildir_deliver.c.  Floor 2.
 */
#ifndef DROP_MAILDIR_PRIV_H
#define DROP_MAILDIR_PRIV_H

#include "drop/drop.h"
#include "drop/maildir_index.h"
#include "drop/maildir_name.h"
#include "drop/maildir_row.h"
#include "sys/file.h"

/* A file in new/ or cur/, as a listing found it. */
struct maildir_file {
	size_t		name;		/* place in names */
	uint64_t	ino;
	uint16_t	base_n;		/* octets of it that are the base name */
	bool		in_new;
};

/* What both folders held, by base name. */
struct maildir_list {
	char			*names;	/* owns; each ends in a NUL */
	size_t			 names_n;
	size_t			 names_cap;
	struct maildir_file	*files;	/* owns */
	size_t			 n;
	size_t			 cap;
	int			 new_fd;	/* owns; -1 before a listing */
	int			 cur_fd;
	struct file_facts	 new_facts;	/* as they were before it */
	struct file_facts	 cur_facts;
};

struct maildir {
	const struct drop_ops	*ops;		/* first: see drop_ops_of */
	struct drop_conf	 conf;
	int			 fd;		/* the Maildir; -1: there is none */
	struct maildir_list	 first;		/* the folders at the start; files of
						   it while they are picked */
	struct maildir_list	 again;		/* where files are now; n == 0
						   until it is needed */
	bool			 listed_again;
	struct maildir_rows	 rows;		/* of messages, in order of delivery;
						   n == 0: the index has them */
	struct maildir_index	 index;
	struct drop_entry	*entries;	/* owns; NULL, as with rows: made
						   when one is asked for */
	struct drop_totals	 totals;	/* at the start */
	uint64_t		 alike;		/* rows whose nth is above 1 */
	size_t			 n;
	bool			 lost;		/* the index was damaged, and what it
						   had is not to be found */
	int			 open_fd;	/* message open_i; -1: none */
	size_t			 open_i;
	struct maildir_row	 open_row;
};

/* maildir_list.c */
void	maildir_list_init(struct maildir_list *l);
void	maildir_list_fini(struct maildir_list *l);
/* Just open both folders, and see what they are. */
int	maildir_list_open(struct maildir_list *l, int dirfd, struct fault *f)
	    MUSTUSE;
/* The files alone; the folders stay open. */
void	maildir_list_forget(struct maildir_list *l);
/*
 * List both folders.  One that is written to meanwhile is listed again, a few
 * times: readdir may show neither name of a file that is renamed.  O(n log n).
 */
int	maildir_list_take(struct maildir_list *l, int dirfd, struct fault *f)
	    MUSTUSE;
/* Those folders alone, as they are opened, once, and in their order; and by name. */
int	maildir_list_read(struct maildir_list *l, bool in_new, bool in_cur,
	    struct fault *f) MUSTUSE;
void	maildir_list_sort(struct maildir_list *l);
/* Is it still what the folders hold? */
bool	maildir_list_holds(const struct maildir_list *l);
/* Those with this base name: the first, and how many. */
const struct maildir_file	*maildir_list_find(const struct maildir_list *l,
				    struct span base, size_t *n_r);
static inline const char *
maildir_file_name(const struct maildir_list *l, const struct maildir_file *r)
{
	return l->names + r->name;
}
static inline struct span
maildir_file_base(const struct maildir_list *l, const struct maildir_file *r)
{
	return span_of(l->names + r->name, r->base_n);
}
static inline int
maildir_list_folder(const struct maildir_list *l, bool in_new)
{
	return in_new ? l->new_fd : l->cur_fd;
}

/*
 * maildir_pick.c: list both folders, and look at what is in them: all rows and totals
 * of m.  A file that is known is not read again; known may be NULL.
 */
struct maildir_known;
int	maildir_pick(struct maildir *m, const struct maildir_known *known,
	    struct fault *f) MUSTUSE;
/* Of what m->first has, sorted: the rows, in order of delivery.  1: a file went
 * meanwhile. */
int	maildir_pick_files(struct maildir *m, const struct maildir_known *known,
	    struct maildir_rows *out, struct fault *f) MUSTUSE;

/*
 * maildir_refresh.c: by an index that is older than a folder, with a look at what has
 * come there alone; the index is written.  False: it cannot be done so.
 */
bool	maildir_refresh(struct maildir *m, uint64_t now);

/*
 * maildir_rows.c, of all rows, in this order.  Surrogates of those with octets beyond
 * ASCII, where there is an index, that this is done once; ids' nth and alike; totals;
 * entries.
 */
void	maildir_rows_measure(struct maildir *m);
void	maildir_rows_number(struct maildir *m);
void	maildir_rows_count(struct maildir *m);
void	maildir_rows_entries(struct maildir *m);
/* Instead, by an index that holds.  False: it is damaged. */
bool	maildir_rows_by_index(struct maildir *m) MUSTUSE;
/* Message i, until the next call.  -1: it cannot be found out any more. */
int	maildir_row(struct maildir *m, size_t i, struct maildir_mail *out,
	    struct fault *f) MUSTUSE;
int	maildir_entry(struct drop *d, size_t i, struct drop_entry *out,
	    struct fault *f) MUSTUSE;
int	maildir_size(struct drop *d, size_t i, bool surrogate, uint64_t *wire_r,
	    struct fault *f) MUSTUSE;
char	*maildir_uidl(struct drop *d, size_t i, char *out, struct fault *f)
	    MUSTUSE;
void	maildir_totals_add(struct drop_totals *t, const struct maildir_row *r);
/* The unique-id that is made of it, without a number.  Returns its end. */
char	*maildir_mail_uidl(const struct maildir_mail *m,
	    char uidl[DROP_UIDL_MAX + 1]);
/* Is it the file that was listed? */
static inline bool
maildir_same_file(const struct maildir_row *a, const struct file_facts *b)
{
	return a->ino == b->ino && a->size == b->size &&
	    a->mtime_s == b->mtime.tv_sec &&
	    a->mtime_ns == (uint64_t)b->mtime.tv_nsec;
}
/* As maildir_key. */
struct span	maildir_mail_key(const struct maildir_mail *m,
		    uint8_t digest[DIGEST_SIZE]);

/* maildir.c: where the folders are now. */
static inline const struct maildir_list *
maildir_now(const struct maildir *m)
{
	return m->listed_again ? &m->again : &m->first;
}
/* A file, by the names that it has now; borrows. */
struct maildir_place {
	int		 folder;
	bool		 in_new;
	const char	*name;
};
/*
 * Find the file of a message, by its base name, and see that it is the one that
 * was listed.  1: there it is, until the next call; 0: it is gone, or another; -1.
 */
int	maildir_where(struct maildir *m, size_t i, struct maildir_place *out,
	    struct fault *f) MUSTUSE;
/* List the folders anew, for names that have come. */
int	maildir_list_again(struct maildir *m, struct fault *f) MUSTUSE;
/* All rows into the index, which then has them; or entries of them. */
void	maildir_settle(struct maildir *m, uint64_t now);
/* A name that was there, and is not: the folders have to be listed again. */
bool	maildir_went(const struct fault *f);
/* The Maildir itself, *fd_r -1 when there is none. */
int	maildir_open_folder(const struct drop_conf *c, int *fd_r,
	    struct fault *f) MUSTUSE;

/* maildir_commit.c */
int	maildir_commit(struct drop *d, const struct drop_change *c,
	    struct drop_outcome *out, struct fault *f) MUSTUSE;

/*
 * maildir_deliver.c: the bulletins that are kept become files of new/, and the
 * note is made true: both or neither, whatever crashes.  *size_r: octets of
 * the files.  out->extra_dropped: neither, for want of room or for another
 * reason that was told.  -1: maildir_recover will finish it.
 */
int	maildir_deliver(struct maildir *m, const struct drop_change *c,
	    struct drop_outcome *out, uint64_t *size_r, struct fault *f) MUSTUSE;

/* Append a line to maildirsize when there is one: Maildir++ s.4. */
void	maildir_count(const struct maildir *m, int64_t octets, int64_t files);

#endif

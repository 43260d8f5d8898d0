/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of the Maildir back end: maildir.c, maildir_list.c,
 * maildir_commit.c, maildir_deliver.c.  Floor 2.
 */
#ifndef DROP_MAILDIR_PRIV_H
#define DROP_MAILDIR_PRIV_H

#include "drop/drop.h"
#include "drop/maildir_name.h"
#include "sys/file.h"

/* As many messages as a mailbox may have; the rest waits until some are gone. */
#define MAILDIR_ROWS_MAX	(1u << 21)

/* A file in new/ or cur/, as a listing found it. */
struct maildir_row {
	size_t		name;		/* place in names */
	uint16_t	base_n;		/* octets of it that are the base name */
	bool		in_new;
};

/* What both folders held, by base name. */
struct maildir_list {
	char			*names;	/* owns; each ends in a NUL */
	size_t			 names_n;
	size_t			 names_cap;
	struct maildir_row	*rows;	/* owns */
	size_t			 n;
	size_t			 cap;
	int			 new_fd;	/* owns; -1 before a listing */
	int			 cur_fd;
	struct file_facts	 new_facts;	/* as they were before it */
	struct file_facts	 cur_facts;
};

/* One that is served: the file may get other names, but not other octets. */
struct maildir_msg {
	size_t		row;		/* of the first listing */
	bool		twin;		/* others had its base name */
	uint64_t	ino;
	uint64_t	size;
	struct timespec	mtime;
};

struct maildir {
	const struct drop_ops	*ops;		/* first: see drop_ops_of */
	struct drop_conf	 conf;
	int			 fd;		/* the Maildir; -1: there is none */
	struct maildir_list	 first;		/* at the start: names stay */
	struct maildir_list	 again;		/* where files are now; n == 0
						   until it is needed */
	bool			 listed_again;
	struct maildir_msg	*msgs;		/* owns; in order of delivery */
	struct drop_entry	*entries;	/* owns */
	bool			 indexed;	/* an index has what was listed */
	size_t			 n;
	int			 open_fd;	/* message open_i; -1: none */
	size_t			 open_i;
};

/* maildir_list.c */
void	maildir_list_init(struct maildir_list *l);
void	maildir_list_fini(struct maildir_list *l);
/* Just open both folders, and see what they are. */
int	maildir_list_open(struct maildir_list *l, int dirfd, struct fault *f)
	    MUSTUSE;
/* The order of rows. */
int	maildir_compare_bases(struct span a, struct span b);
/*
 * List both folders.  One that is written to meanwhile is listed again, a few
 * times: readdir may show neither name of a file that is renamed.  O(n log n).
 */
int	maildir_list_take(struct maildir_list *l, int dirfd, struct fault *f)
	    MUSTUSE;
/* Is it still what the folders hold? */
bool	maildir_list_holds(const struct maildir_list *l);
/* The rows with this base name: the first, and how many. */
const struct maildir_row	*maildir_list_find(const struct maildir_list *l,
				    struct span base, size_t *n_r);
static inline const char *
maildir_row_name(const struct maildir_list *l, const struct maildir_row *r)
{
	return l->names + r->name;
}
static inline struct span
maildir_row_base(const struct maildir_list *l, const struct maildir_row *r)
{
	return span_of(l->names + r->name, r->base_n);
}
static inline int
maildir_row_folder(const struct maildir_list *l, const struct maildir_row *r)
{
	return r->in_new ? l->new_fd : l->cur_fd;
}

/* maildir.c: where the folders are now. */
static inline const struct maildir_list *
maildir_now(const struct maildir *m)
{
	return m->listed_again ? &m->again : &m->first;
}
/*
 * Find the file of a message, by its base name, and see that it is the one that
 * was listed.  1: there it is; 0: it is gone, or another; -1.  May list the
 * folders anew, which moves the rows of maildir_now().
 */
int	maildir_where(struct maildir *m, size_t i,
	    const struct maildir_row **row_r, struct fault *f) MUSTUSE;
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

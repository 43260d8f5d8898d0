/* SPDX-License-Identifier: ISC */
/*
 * What a listing found out about a message of a Maildir: in memory, and, octet for
 * octet, in the index.  Floor 2.
 */
#ifndef DROP_MAILDIR_ROW_H
#define DROP_MAILDIR_ROW_H

#include "base/span.h"

/* As many messages as a mailbox may have; the rest waits until some are gone. */
#define MAILDIR_ROWS_MAX	(1u << 21)

enum maildir_row_flag {
	MAILDIR_ROW_NEW		= 1u << 0,	/* its file lies in new/ */
	MAILDIR_ROW_SEEN	= 1u << 1,
	MAILDIR_ROW_8BIT	= 1u << 2,	/* or it was not looked at */
	MAILDIR_ROW_TWIN	= 1u << 3,	/* others have its base name, too,
						   or it is empty */
	MAILDIR_ROW_AS_SENT	= 1u << 4,	/* as DROP_AS_SENT, */
	MAILDIR_ROW_RECODED	= 1u << 5,	/* and DROP_RECODED: it was measured */
};

#define MAILDIR_NTH_NONE	UINT32_MAX

/* The file may get other names, but not other octets. */
struct maildir_row {
	uint64_t	ino;
	uint64_t	size;		/* octets */
	uint64_t	wire;		/* with CRLF line ends */
	uint64_t	surrogate;	/* as drop_entry.size_surrogate, or 0 */
	int64_t		mtime_s;
	uint64_t	delivered;	/* as in drop_entry */
	uint32_t	mtime_ns;
	uint32_t	name;		/* place among names */
	uint32_t	name_n;		/* octets, without the NUL */
	uint32_t	base_n;		/* those of them before the colon */
	uint32_t	nth;		/* its unique-id is a digest, and it is the nth
					   with that one, from 1; 0: it is the base
					   name; MAILDIR_NTH_NONE: not known yet */
	uint32_t	flags;		/* enum maildir_row_flag */
};

/* Some of them, with their names, a NUL behind each. */
struct maildir_rows {
	struct maildir_row	*list;	/* owns */
	size_t			 n;
	size_t			 cap;
	char			*names;	/* owns */
	size_t			 names_n;
	size_t			 names_cap;
};

/* One row and its name; borrows. */
struct maildir_mail {
	const struct maildir_row	*row;
	const char			*name;
};

static inline struct span
maildir_mail_base(const struct maildir_mail *m)
{
	return span_of(m->name, m->row->base_n);
}

/* Append a copy. */
void	maildir_rows_add(struct maildir_rows *to, const struct maildir_row *row,
	    const char *name);
void	maildir_rows_fini(struct maildir_rows *r);
static inline struct maildir_mail
maildir_rows_at(const struct maildir_rows *r, size_t i)
{
	return (struct maildir_mail){ &r->list[i], r->names + r->list[i].name };
}

#endif

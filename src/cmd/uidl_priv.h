/* SPDX-License-Identifier: ISC */
/*
 * Shared by uidl.c, which has the rights, and uidl_work.c, which reads what others
 * have written and has the user's alone.  Floor 5.
 */
#ifndef CMD_UIDL_PRIV_H
#define CMD_UIDL_PRIV_H

#include "base/attr.h"
#include "base/fault.h"
#include "role/settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define UIDL_HEADER_MAX	(256u << 10)	/* of one message; more is not looked at */
#define UIDL_LIST_MAX	(256u << 20)	/* octets of a list */

struct uidl_work {
	const char	*word;		/* export, import or verify */
	const char	*from;		/* where the old ids are; NULL: export */
	const char	*format;	/* from = uid: how they are made */
	bool		 dry_run;	/* import: it will not be kept */
	int		 list;		/* that file, or one of uidl_ask's */
	bool		 listed;	/* the operator has named one */
	const char	*maildir;	/* the maildrop; NULL: */
	uid_t		 uid;		/* whose it is */
	int		 mbox;		/* a copy of it */
	uint64_t	 size;		/* of that, octets */
	int		 promises;	/* the file there is, or -1 */
	int		 out;		/* import: an empty file for the new one */
};

bool	uidl_word_known(const char *word);
bool	uidl_from_known(const char *from);
/* Of those that are known: may a LIST be named, a --format? */
bool	uidl_from_list(const char *from);
bool	uidl_from_format(const char *from);
/* Before the process becomes the user: what is needed of popper itself. */
int	uidl_prepare(const struct uidl_work *w, struct fault *f) MUSTUSE;
/*
 * Do it: prints to standard output.  The exit status.  O(octets of the maildrop).
 */
int	uidl_do(const struct uidl_work *w);

/* An old server that answers. */
struct uidl_server {
	const char	*url;		/* pop3[s]://[user@]host[:port] */
	const char	*user;		/* the one here */
	const char	*roots;		/* a file of certificates that vouch for it */
	bool		 plaintext;	/* the password may go in the clear */
};
/*
 * Ask for the password, then it for its messages: *fd_r, which the caller owns, is what
 * form "pop3" reads.  The exit status, of which the operator has been told, or -1.
 */
int	uidl_ask(const struct settings *s, const struct uidl_server *from, int *fd_r,
	    struct fault *f) MUSTUSE;

/*
 * The same of a mailbox of Cyrus: the folder's owner reads it.  format: of a unique-id,
 * for former_format, where the mailbox has not kept to uids alone.
 */
int	uidl_read_cyrus(const struct settings *s, int folder, const char *format,
	    int *fd_r, struct fault *f) MUSTUSE;

/* Run be(ctx), which ends with spawn_exit, in a child called who: the exit status, or
 * -1. */
int	uidl_child(void (*be)(void *ctx), void *ctx, const char *who,
	    struct fault *f) MUSTUSE;
/* What went wrong, for people; the exit status. */
int	uidl_complain(const struct fault *f);

#endif

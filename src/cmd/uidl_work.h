/* SPDX-License-Identifier: ISC */
/*
 * Shared by uidl_work.c, which knows the maildrop here and what to do with it, and
 * uidl_old.c, which knows the ids of old servers.  Floor 5; in the child that is the
 * user.
 */
#ifndef CMD_UIDL_WORK_H
#define CMD_UIDL_WORK_H

#include "base/buf.h"
#include "cmd/uidl_priv.h"
#include "drop/drop.h"
#include "drop/mbox_scan.h"
#include "drop/promise.h"

struct message {
	const struct mbox_msg	*m;		/* borrows; NULL: it is a file */
	struct span		 base;		/* its base name; else empty */
	uint64_t		 octets;	/* as LIST says */
	uint64_t		 disk;		/* of a file */
	uint8_t			 digest[MBOX_DIGEST];	/* it is promised by */
	uint32_t		 twin;			/* these */
	char			 derived[DROP_UIDL_MAX + 1];	/* without promise */
	char			 shown[DROP_UIDL_MAX + 1];
	char			 old[DROP_UIDL_MAX + 1];	/* "": not known */
};

struct drops {
	const struct uidl_work	*w;
	struct mbox_table	 table;		/* of an mbox */
	struct drop		*maildir;	/* owns; NULL: it is an mbox */
	struct promises		 promises;
	struct message		*v;		/* owns; as a client numbers them */
	size_t			 n;
	size_t			 foreign;	/* ids of headers that are another's */
};

/*
 * All of a list, in *b, which the caller gives back.  at_start: it is a file of memory,
 * and who has written it has left its position at the end.
 */
int	uidl_slurp(int fd, bool at_start, struct buf *b, struct fault *f) MUSTUSE;
/* Of message i of d, until the next call.  *whole_r: it is not longer than what is
 * looked at.  There may be text behind it. */
int	uidl_read_header(const struct drops *d, size_t i, struct span *out,
	    bool *whole_r, struct fault *f) MUSTUSE;
/* Fill in what is known of old ids, as w->from says. */
int	uidl_read_old(struct drops *d, struct fault *f) MUSTUSE;
/* FAULT_PROTO: two messages have the same one. */
int	uidl_check_distinct(struct drops *d, struct fault *f) MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * RFC 1082's discussion groups.  Floor 2; the session, as the user.  The
 * database is one file (popper.conf: bboards) of blocks in the configuration
 * grammar; group maildrops are mboxes that the user can read.
 */
#ifndef XTND_BBOARDS_H
#define XTND_BBOARDS_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"
#include "sys/file.h"

#define BBOARD_TOKEN_MAX	64

struct bboard {
	char	*name;			/* RFC 1082 NAME */
	char	*aliases;		/* separated by blanks, "" if none */
	char	*address;		/* ADDRESS */
	char	*request;		/* REQUEST */
	char	*flags;			/* octal */
	char	*maildrop;		/* absolute path */
	char	*archive;		/* absolute path, or "" */
};

struct bboards {
	struct bboard	*list;		/* owns */
	size_t		 n;
};

/*
 * Read the database.  Mistakes are told one by one (line number and what is
 * wrong) and such a group is left out; -1 only when the file cannot be read.
 */
int	bboards_load(const char *path, struct bboards *out,
	    void (*tell)(void *ctx, unsigned line, const char *text), void *ctx,
	    struct fault *f) MUSTUSE;
void	bboards_fini(struct bboards *b);

/* By name or alias, any case; NULL when there is none. */
const struct bboard	*bboards_find(const struct bboards *b, struct span name);

enum bboard_part { BBOARD_MAILDROP, BBOARD_ARCHIVE };

/*
 * Can the caller read it?  BBOARDS lists those: the world-readable groups and
 * his private ones (RFC 1082, "Private Discussion Groups").  1: he can; 0: he may not,
 * or there is none; -1: that cannot be found out now.
 */
int	bboard_readable(const struct bboard *b, enum bboard_part part,
	    struct fault *f) MUSTUSE;

/*
 * Copy the group's maildrop under a read lock to to_fd from octet 0.
 * *len_r octets.  FAULT_PERM when it is not readable, or has more than `max`
 * octets.
 */
int	bboard_copy(const struct bboard *b, enum bboard_part part, int to_fd,
	    uint64_t max, uint64_t *len_r, struct fault *f) MUSTUSE;

/*
 * The same to be read where it is: *now_r is what it is like now, a delivery
 * may be going on.  The caller owns *fd_r.
 */
int	bboard_open(const struct bboard *b, enum bboard_part part, int *fd_r,
	    struct file_facts *now_r, struct fault *f) MUSTUSE;
/* What it is like between two deliveries; the lock is given back at once. */
int	bboard_settled(int fd, struct file_facts *now_r, struct fault *f)
	    MUSTUSE;
/* Has nobody written to it in between? */
bool	bboard_unchanged(const struct file_facts *a,
	    const struct file_facts *b);

/*
 * MAXIMA (RFC 1082, "Definition of Terms"): of a message, from its BBoard-Id:
 * field when there is one that increases, else the previous one plus one; of
 * the group, the greatest of its messages' and of the number in the file
 * MAILDROP.cnt when that exists.
 */
uint64_t	bboard_next_maxima(uint64_t previous, struct span bboard_id);
uint64_t	bboard_count_file(const struct bboard *b, enum bboard_part part);

/* LASTDATE: when the maildrop was last written, as an RFC 822 date. */
int	bboard_lastdate(const struct bboard *b, char *out, size_t cap);

#endif

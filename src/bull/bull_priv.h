/* SPDX-License-Identifier: ISC */
/* What the files of this room share: the folder and numbers.  Floor 2. */
#ifndef BULL_BULL_PRIV_H
#define BULL_BULL_PRIV_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

/* A number has at most 18 digits: it fits in every reader of .popbull. */
#define BULL_DIGITS_MAX		18
#define BULL_NUMBER_MAX		999999999999999999ULL

enum bull_name {
	BULL_NAME_GOOD,
	BULL_NAME_OTHER,		/* does not begin with a digit */
	BULL_NAME_TOO_LONG,		/* more digits than a number has */
};
/* The number that s begins with. */
enum bull_name	bull_number(struct span s, uint64_t *number_r);

struct bull_file {
	uint64_t	 number;
	char		*name;		/* owns */
};

/* The names that begin with a digit, by number, equal ones by name. */
struct bull_names {
	uint64_t		 least;	/* numbers below are passed over */
	struct bull_file	*list;	/* owns */
	size_t			 n;
	size_t			 cap;
	/* Told about each name that does not count; NULL: nobody is. */
	void	(*skipped)(void *ctx, const char *name, enum bull_name why);
	void	*ctx;
};

/* Fills list and n; 0 or -1.  Costs what the folder has, and keeps what is told. */
int	bull_names_read(struct bull_names *b, int dirfd, struct fault *f)
	    MUSTUSE;
void	bull_names_fini(struct bull_names *b);

/*
 * Open a bulletin: a regular file, no link to one.  -1 also when it is not;
 * f->err is ENOENT when it has gone.
 */
int	bull_open(int dirfd, const char *name, int *fd_r, struct fault *f)
	    MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * One reading of the configuration, as `popper serve` uses it.  After a reload
 * there are several: who began with one keeps it.  Floor 4; constant.
 */
#ifndef ROLE_EDITION_H
#define ROLE_EDITION_H

#include "role/names.h"
#include "role/settings.h"

struct edition {
	struct settings	s;
	struct names	names;		/* numbers in place of those in s */
	char		hostname[256];
};

/*
 * Where another one comes from when the operator wants the configuration read
 * once more.  In this order: reopen, load, then use or drop.  `now` is the one
 * in use.
 */
struct edition_source {
	void	*ctx;
	/* The files of the log anew: somebody may have renamed them. */
	void	(*reopen)(void *ctx, const struct edition *now);
	/* NULL: refused; all mistakes were told, the fault says it in one line.
	 * Else the caller's, as edition_new's. */
	struct edition	*(*load)(void *ctx, const struct edition *now,
			    struct fault *f);
	/* It is in use from now on: the log goes where it says. */
	void	(*use)(void *ctx, const struct edition *now,
		    const struct edition *next);
	/* It cannot be used; all is as before. */
	void	(*drop)(void *ctx, struct edition *next);
};

struct edition	*edition_new(void);
/* NULL is fine. */
void		 edition_free(struct edition *e);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * One reading of the configuration, as `popper serve` uses it.  After a reload
 * there are several: who began with one keeps it.  Floor 4; constant.
 */
#ifndef ROLE_EDITION_H
#define ROLE_EDITION_H

#include "role/names.h"
#include "role/settings.h"

#include <sys/types.h>

#define EDITION_JUDGED_MS	32000

struct edition {
	struct settings	s;
	struct names	names;		/* numbers in place of those in s */
	char		hostname[256];
};

/* Who is told each warning about one, as the log is, by MSG_CTL_FACT: sockets. */
struct edition_ears {
	const int	*fds;
	size_t		 n;
};

/*
 * Where another one comes from when the operator wants the configuration read
 * once more.  In this order: reopen, judge, load, then use or drop.  `now` is the
 * one in use, for judge and load the same.
 */
struct edition_source {
	void	*ctx;
	/* The files of the log anew: somebody may have renamed them. */
	void	(*reopen)(void *ctx, const struct edition *now);
	/* The file is read, and a child begins to judge it, which may have to wait
	 * for others.  Its pid, to be reaped; -1: refused.  *fd_r, the source's, can
	 * be read when load knows what came of it: that is not waited for longer
	 * than EDITION_JUDGED_MS. */
	pid_t	(*judge)(void *ctx, const struct edition *now,
		    const struct edition_ears *ears, int *fd_r, struct fault *f);
	/* NULL: refused; all mistakes were told, the fault says it in one line.
	 * Else the caller's, as edition_new's.  Waits for the rest of that time. */
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

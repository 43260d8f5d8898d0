/* SPDX-License-Identifier: ISC */
/*
 * Which files a session can reach (Landlock).  Floor 4; the session's process,
 * as the user.  What its user may not do with a file, it cannot either; this
 * takes away the rest of what he may.
 */
#ifndef ROLE_REACH_H
#define ROLE_REACH_H

#include "base/attr.h"
#include "role/host.h"

enum reach_for { REACH_SESSION, REACH_RECOVERY };

/*
 * The two folders in which a session keeps what lives longer than it does.  The
 * user's home only when there is something to do in it: the number of bulletins
 * is kept there; with none in the configuration, an interrupted update may still
 * have one to write.
 */
struct reach {
	int		state_fd;	/* below state_dir; owns; -1: none, */
	int		home_fd;	/* owns; -1: none, */
	struct fault	no_state;	/* or this is why */
	struct fault	no_home;
};

/* As the user.  A folder that cannot be opened is not there. */
void	reach_open(struct reach *r, const struct host *h);

/*
 * Needs h->dirfd, the folder of the spool or of the Maildir.  0; -1: do not go on.  A kernel
 * without Landlock is told in a debug line.
 */
int	reach_enter(const struct reach *r, const struct host *h,
	    enum reach_for why, struct fault *f) MUSTUSE;
/* The same for a process that reads files of that folder. */
int	reach_reading(int dirfd, struct fault *f) MUSTUSE;

#endif

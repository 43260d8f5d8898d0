/* SPDX-License-Identifier: ISC */
/*
 * The process that serves many sessions of one uid (TRANSACTION state).  Floor 4.
 */
#ifndef ROLE_SHARED_H
#define ROLE_SHARED_H

#include "base/attr.h"
#include "role/settings.h"
#include "sys/identity.h"

struct shared_start {
	const struct settings	*conf;
	const char		*hostname;
	const struct identity	*id;		/* uid, gid, groups of all */
	pid_t			 parent;	/* the usher: we end with it */
	int			 usher;		/* its link, whence sessions come */
	int			 log_link;
};

/* Become the user, enter the cage, serve until the usher's link has ended. */
void	shared_main(const struct shared_start *c) NORETURN;

#endif

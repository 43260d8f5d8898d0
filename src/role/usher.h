/* SPDX-License-Identifier: ISC */
/*
 * Who does, as root, what a session needs before it can be seated in a process
 * with others, and who gives it a process of its own when it needs one.  Floor 4.
 */
#ifndef ROLE_USHER_H
#define ROLE_USHER_H

#include "base/attr.h"
#include "role/settings.h"
#include "sys/identity.h"

/* The largest maildrop that is shown in a shared process. */
#define USHER_COPY_MAX	(512u << 10)

struct usher_start {
	const struct settings	*conf;
	const char		*hostname;
	const struct identity	*id;		/* uid, gid, groups of all */
	int			 spawner;	/* the link of orders */
};

/* Until that link has ended and no session is left. */
void	usher_main(const struct usher_start *c) NORETURN;

#endif

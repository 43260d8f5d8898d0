/* SPDX-License-Identifier: ISC */
/*
 * A front of popper serve: one process that talks to thousands of strangers
 * (AUTHORIZATION state) in an event loop.  Floor 4.
 */
#ifndef ROLE_FRONTS_H
#define ROLE_FRONTS_H

#include "base/attr.h"
#include "role/settings.h"
#include "role/tally.h"
#include "sys/listen.h"
#include "tls/tls.h"

struct fronts_start {
	const struct settings	*conf;
	const char		*host;		/* name of this host */
	size_t			 index;		/* its row of the tally */
	size_t			 of;		/* how many fronts there are */
	const int		*listeners;	/* which all fronts have */
	size_t			 nlisteners;	/* LISTENERS_MAX at most */
	int			 auth;		/* links */
	int			 master;
	int			 resolver;	/* or -1 */
	int			 keeper;	/* or -1 */
	int			 log_link;
	struct tally		*tally;
	volatile const struct tls_ticket_keys *tickets;	/* or NULL */
};

void	fronts_main(const struct fronts_start *a) NORETURN;

#endif

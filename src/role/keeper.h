/* SPDX-License-Identifier: ISC */
/*
 * The process of popper serve that looks after certificates and the keys of session
 * tickets: notices what was renewed, judges it, hands it to the fronts, warns before
 * it expires.  Floor 4.
 */
#ifndef ROLE_KEEPER_H
#define ROLE_KEEPER_H

#include "base/attr.h"
#include "role/settings.h"
#include "role/tickets.h"

struct keeper_start {
	const struct settings	*conf;
	const char		*host;		/* name of this host */
	const int		*fronts;	/* links */
	size_t			 nfronts;
	int			 master;
	int			 log_link;
	struct tickets		*tickets;	/* its to write */
	bool			 again;		/* another one has died */
};

void	keeper_main(const struct keeper_start *a) NORETURN;

#endif

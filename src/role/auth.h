/* SPDX-License-Identifier: ISC */
/*
 * The authenticator of popper serve: the one process to which all fronts bring
 * what strangers say, and which has it judged by workers.  It sees passwords in
 * flight, never a password database, and tells the master who has logged in; a
 * front hears of a success from the master alone.  Floor 4.
 */
#ifndef ROLE_AUTH_H
#define ROLE_AUTH_H

#include "base/attr.h"
#include "role/settings.h"

struct penalty;

struct auth_start {
	const struct settings	*conf;
	struct penalty		*penalty;	/* shared with other auths */
	const int		*fronts;	/* a link to each of nfronts; -1: gone */
	size_t			 nfronts;
	int			 master;	/* ADMIT */
	int			 warden;	/* WORKER */
	int			 log_link;
	bool			 leaving;	/* as after LEAVE */
};

void	auth_main(const struct auth_start *a) NORETURN;

#endif

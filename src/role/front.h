/* SPDX-License-Identifier: ISC */
/*
 * The process that talks to a stranger (AUTHORIZATION state).  Floor 4.
 */
#ifndef ROLE_FRONT_H
#define ROLE_FRONT_H

#include "base/attr.h"
#include "role/listen.h"
#include "role/settings.h"
#include "sys/sock.h"

struct front {
	const struct settings	*conf;
	const char		*host;		/* name of this host */
	const struct sock_addr	*peer;		/* who has connected */
	const struct sock_addr	*local;		/* where */
	const struct listen_rules *rules;	/* for who connects there */
	int			 in;
	int			 out;
	int			 link;		/* to the monitor */
	int			 credential;	/* to the worker; monitor is deaf */
	int			 log_link;
};

/* Enters the cage, serves, exits.  Exit status for the monitor: 0. */
void	front_main(const struct front *c) NORETURN;

#endif

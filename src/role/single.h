/* SPDX-License-Identifier: ISC */
/* isolation = single: all parts of a connection in one process.  Floor 4. */
#ifndef ROLE_SINGLE_H
#define ROLE_SINGLE_H

#include "role/listen.h"
#include "role/settings.h"
#include "sys/sock.h"

struct single_start {
	const struct settings	*conf;
	const char		*hostname;
	const char		*sid;
	const struct sock_addr	*peer;
	const struct sock_addr	*local;		/* where the client has come */
	const struct listen_rules *rules;	/* what holds there */
	int			 in;		/* borrows */
	int			 out;		/* likewise */
};

/* Until the connection has ended: the status of the process. */
int	single_run(const struct single_start *c);

#endif

/* SPDX-License-Identifier: ISC */
/* isolation = single: all parts of a connection in one process.  Floor 4. */
#ifndef ROLE_SINGLE_H
#define ROLE_SINGLE_H

#include "role/listen.h"
#include "role/settings.h"
#include "sys/sock.h"

/* local, rules: the address at which the client has come, and what holds there. */
int	single_run(const struct settings *conf, const char *hostname,
	    const char *sid, const struct sock_addr *peer,
	    const struct sock_addr *local,
	    const struct listen_rules *rules, int in, int out);

#endif

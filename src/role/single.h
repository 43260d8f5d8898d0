/* SPDX-License-Identifier: ISC */
/* isolation = single: all parts of a connection in one process.  Floor 4. */
#ifndef ROLE_SINGLE_H
#define ROLE_SINGLE_H

#include "role/settings.h"
#include "sys/sock.h"

int	single_run(const struct settings *conf, const char *hostname,
	    const char *sid, const struct sock_addr *peer, int in, int out);

#endif

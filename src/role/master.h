/* SPDX-License-Identifier: ISC */
/*
 * popper serve: the process that starts all others and brings them together.
 * Floor 4.
 */
#ifndef ROLE_MASTER_H
#define ROLE_MASTER_H

#include "base/attr.h"
#include "role/settings.h"

/* Until SIGTERM or SIGINT.  Exit status; 1 with a fault when it cannot listen. */
int	master_run(const struct settings *conf, const char *hostname,
	    struct fault *f) MUSTUSE;

#endif

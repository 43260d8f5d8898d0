/* SPDX-License-Identifier: ISC */
/* `popper serve`: listen, fork a monitor for each connection.  Floor 4. */
#ifndef ROLE_SERVE_H
#define ROLE_SERVE_H

#include "role/settings.h"

/*
 * Returns an exit status: 0 when it was told to stop (SIGTERM, SIGINT), 1 when
 * it cannot listen; the log says why, and the fault, for who started it.
 */
int	serve_run(const struct settings *conf, const char *hostname,
	    struct fault *f);

#endif

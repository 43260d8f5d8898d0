/* SPDX-License-Identifier: ISC */
/*
 * `popper serve` with isolation = single: listen, fork a monitor for each
 * connection.  Floor 4.
 */
#ifndef ROLE_SERVE_H
#define ROLE_SERVE_H

#include "role/edition.h"

/*
 * Returns an exit status: 0 when it was told to stop (SIGTERM, SIGINT), 1 when
 * it cannot listen; the log says why, and the fault, for who started it.  Takes
 * e, which was not loaded by source, but alike; inetd: see master_run.
 */
int	serve_run(struct edition *e, const struct edition_source *source,
	    int inetd, struct fault *f) MUSTUSE;

#endif

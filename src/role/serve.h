/* SPDX-License-Identifier: ISC */
/* `popper serve`: listen, fork a monitor for each connection.  Floor 4. */
#ifndef ROLE_SERVE_H
#define ROLE_SERVE_H

#include "role/settings.h"

/* Returns an exit status when it was told to stop (SIGTERM, SIGINT). */
int	serve_run(const struct settings *conf, const char *hostname);

#endif

/* SPDX-License-Identifier: ISC */
/* `popper serve`: listen, fork a monitor for each connection.  Floor 4. */
#ifndef ROLE_SERVE_H
#define ROLE_SERVE_H

#include "role/settings.h"

/*
 * Where settings come from when the operator wants them read once more
 * (SIGHUP).  Called in this order: reopen, load, then use or drop.
 */
struct serve_source {
	void	*ctx;
	/* The files of the log anew, as the settings in use have them: somebody
	 * may have renamed them. */
	void	(*reopen)(void *ctx);
	/* New settings beside those in use, or NULL: refused, all mistakes told,
	 * the fault says it in one line. */
	const struct settings	*(*load)(void *ctx, struct fault *f);
	/* They are in use now; the former ones are released. */
	void	(*use)(void *ctx);
	/* They cannot be used; all is as before. */
	void	(*drop)(void *ctx);
};

/*
 * Returns an exit status: 0 when it was told to stop (SIGTERM, SIGINT), 1 when
 * it cannot listen; the log says why, and the fault, for who started it.
 * `conf` until source->use.
 */
int	serve_run(const struct settings *conf, const char *hostname,
	    const struct serve_source *source, struct fault *f);

#endif

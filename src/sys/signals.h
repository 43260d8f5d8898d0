/* SPDX-License-Identifier: ISC */
/*
 * Signals set a flag and end a wait early, this one or, when none is on, the
 * next (sock_wait); everything else happens in the loop.  Floor 1.
 */
#ifndef SYS_SIGNALS_H
#define SYS_SIGNALS_H

#include "base/attr.h"

#include <stdbool.h>

enum signals_for {
	SIGNALS_CONNECTION,	/* SIGTERM stops; SIGINT, SIGHUP, SIGPIPE: not
				   ours (a Ctrl-C is for the server) */
	SIGNALS_SERVER,		/* SIGTERM and SIGINT stop; SIGHUP wants a
				   reload; a child's end is noticed */
};
void	signals_take(enum signals_for what);

/* Were we told to stop? */
bool	signals_stopping(void);
/* ... to reload, since this was asked last? */
bool	signals_reload(void);

#endif

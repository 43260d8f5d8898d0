/* SPDX-License-Identifier: ISC */
/*
 * popper serve: the process that starts all others and brings them together.
 * Floor 4.
 */
#ifndef ROLE_MASTER_H
#define ROLE_MASTER_H

#include "base/attr.h"
#include "role/edition.h"

/*
 * Until SIGTERM or SIGINT, or master_stop.  Exit status; 1 with a fault when it
 * cannot listen.  Takes e, which was not loaded by source, but alike.
 */
int	master_run(struct edition *e, const struct edition_source *source,
	    struct fault *f) MUSTUSE;

/*
 * What signals ask for, for others who may ask.  master_reload: 0 when the new
 * settings are good; the log tells when nobody is taken under the old ones any
 * more.  Else all is as before: the fault says why, the log all that is wrong.
 * FAULT_TEMP: not just now.
 */
int	master_reload(struct fault *f);
void	master_stop(void);

#endif

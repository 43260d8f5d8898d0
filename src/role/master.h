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
 * Until SIGTERM or SIGINT, or master_stop; or, with inetd's listener (else -1, takes
 * it), until nobody has come for inetd_idle.  Exit status; 1 with a fault when it
 * cannot listen.  Takes e, which was not loaded by source, but alike.
 */
int	master_run(struct edition *e, const struct edition_source *source,
	    int inetd, struct fault *f) MUSTUSE;

/*
 * What signals ask for, for others who may ask.  master_reload: soon, or when the one
 * under way is over; as many as come until then are one.  ctl_reload_over tells.
 */
void	master_reload(void);
void	master_stop(void);

#endif

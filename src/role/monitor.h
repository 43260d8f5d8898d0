/* SPDX-License-Identifier: ISC */
/*
 * One connection, from greeting to end: the privileged process that stays
 * while others talk.  Floor 4.  Started by inetd (bare popper) or forked by
 * `popper serve`.
 */
#ifndef ROLE_MONITOR_H
#define ROLE_MONITOR_H

#include "base/attr.h"
#include "role/settings.h"

/*
 * Serve the client on in/out (both are taken; they may be the same).  Uses
 * several processes, or one with isolation = single.  Returns an exit status.
 */
int	monitor_run(const struct settings *conf, const char *hostname, int in,
	    int out);

/*
 * Finish an interrupted UPDATE that left the journal KEY of this user: at boot
 * and when the operator asks.  0 when it is finished.
 */
int	monitor_recover(const struct settings *conf, const char *key,
	    const struct identity *id) MUSTUSE;

/* Name of this host: `hostname`, or what the resolver files say. */
void	monitor_hostname(const struct settings *conf, char *out, size_t cap);

#endif

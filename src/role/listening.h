/* SPDX-License-Identifier: ISC */
/*
 * Where `popper serve` listens, as its settings or the service manager say, and
 * told to the log.  Floor 4; the process that was started itself.
 */
#ifndef ROLE_LISTENING_H
#define ROLE_LISTENING_H

#include "role/settings.h"
#include "sys/listen.h"
#include "sys/manager.h"

/*
 * At the start, before the first child: what the service manager says; the sockets
 * that it hands over stand for `listen`.
 */
int	listening_begin(struct manager *m, const struct settings *conf,
	    struct listeners *l, struct fault *f) MUSTUSE;
/*
 * As listeners_change: `next` are those that conf wants.  Nothing is told yet:
 * listening_tell, when it is sure that they take the place of `now`.
 */
int	listening_change(const struct listeners *now,
	    const struct settings *conf, struct listeners *next,
	    struct fault *f) MUSTUSE;
void	listening_tell(const struct listeners *now,
	    const struct listeners *next);

#endif

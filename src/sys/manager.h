/* SPDX-License-Identifier: ISC */
/*
 * The service manager that started us: systemd, or another that speaks its two
 * protocols, sd_notify(3) and sd_listen_fds(3).  Floor 1; `popper serve`, in the
 * process that was started itself.  When to tell what is role/notify.h.
 */
#ifndef SYS_MANAGER_H
#define SYS_MANAGER_H

#include "base/attr.h"
#include "base/fault.h"

#include <stdint.h>

/* The first descriptor that is handed over. */
#define MANAGER_FD	3

struct manager {
	char		notify[256];	/* its socket; "" = it does not ask */
	unsigned	beat_ms;	/* it wants a sign of life so often;
					   0 = never */
	unsigned	nfds;		/* sockets from MANAGER_FD on are ours */
};

/*
 * What the environment says.  Those variables are removed, and the sockets are
 * made close-on-exec, so that no child takes them for its own: call it before
 * the first one is made.  What is addressed to another process is left out.
 * -1: sockets are announced that are not there.
 */
int	manager_take(struct manager *m, struct fault *f) MUSTUSE;

/*
 * One datagram to the manager, "READY=1" or several such lines.  0 when it does
 * not ask.  Waits a second at most, when the manager is busy.
 */
int	manager_tell(const struct manager *m, const char *text, struct fault *f)
	    MUSTUSE;

#endif

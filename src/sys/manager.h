/* SPDX-License-Identifier: ISC */
/*
 * The service manager that started us: systemd, or another that speaks its two
 * protocols, sd_notify(3) and sd_listen_fds(3).  Floor 1; `popper serve`, in the
 * process that was started itself.  By hand, without libsystemd: docs/design.md,
 * section 1.
 */
#ifndef SYS_MANAGER_H
#define SYS_MANAGER_H

#include "base/attr.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first descriptor that is handed over. */
#define MANAGER_FD		3
#define MANAGER_STATUS_MAX	160

struct manager {
	char		notify[256];	/* its socket; "" = it does not ask */
	unsigned	beat_ms;	/* it wants a sign of life so often;
					   0 = never */
	unsigned	nfds;		/* sockets from MANAGER_FD on are ours */
	char		names[256];	/* of those, with ':' between them */
	/* It did not take what we told: called once until it works again. */
	void		(*failed)(const struct fault *f);	/* or NULL */
	/* private */
	uint64_t	beat_due_ms;
	uint64_t	status_due_ms;	/* not before */
	char		status[MANAGER_STATUS_MAX];	/* told last */
	bool		ready_due;
	bool		failing;
};

/*
 * What the environment says.  Those variables are removed, and the sockets are
 * made close-on-exec, so that no child takes them for its own: call it before
 * the first one is made.  What is addressed to another process is left out.
 * -1: sockets are announced that are not there.
 */
int	manager_take(struct manager *m, struct fault *f) MUSTUSE;
/* What the manager calls socket i, or "". */
void	manager_fd_name(const struct manager *m, size_t i, char *out,
	    size_t cap);

/*
 * Datagrams to the manager, when it asks for them.  One that is busy is waited for
 * a second at most, and not at all for what manager_turn has to say; what it does
 * not take is lost, but for READY, which manager_turn says again: mail never
 * depends on it.
 */
void	manager_ready(struct manager *m, const char *status);
/* manager_ready follows, whatever comes of it. */
void	manager_reloading(struct manager *m);
void	manager_stopping(struct manager *m);
/*
 * Once in each turn of the loop, and from nowhere else: the sign of life, when
 * it is due, and a changed status (NULL: it has not changed), every few seconds at
 * most.  *ms: how long the loop may sleep; made smaller when we need that.
 */
void	manager_turn(struct manager *m, const char *status, uint64_t *ms);

#endif

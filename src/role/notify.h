/* SPDX-License-Identifier: ISC */
/*
 * What `popper serve` tells the service manager that started it, and when: that
 * it is ready, reloads, stops; how many it serves; that its loop is alive.
 * Nothing when nobody asks.  Floor 4; the process that was started itself.
 */
#ifndef ROLE_NOTIFY_H
#define ROLE_NOTIFY_H

#include "sys/manager.h"

#include <stdbool.h>
#include <stdint.h>

#define NOTIFY_STATUS_MAX	160

struct notify {
	struct manager	manager;
	uint64_t	beat_due_ms;
	uint64_t	status_due_ms;		/* not before */
	char		status[NOTIFY_STATUS_MAX];	/* told last */
	bool		failing;		/* that was logged */
};

/* See manager_take; before the first child. */
int	notify_init(struct notify *n, struct fault *f) MUSTUSE;

void	notify_ready(struct notify *n, const char *status);
/* notify_ready follows, whatever comes of it. */
void	notify_reloading(struct notify *n);
void	notify_stopping(struct notify *n);

/*
 * Once in each turn of the loop, and from nowhere else: the sign of life, when
 * it is due, and a changed status, every few seconds at most.  Returns how many
 * milliseconds the loop may sleep for us; `most` at most.
 */
int	notify_turn(struct notify *n, const char *status, int most);

#endif

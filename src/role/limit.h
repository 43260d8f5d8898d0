/* SPDX-License-Identifier: ISC */
/*
 * Limits that refuse clients, or end them, and what is said about it: of each limit and in each
 * process one line in ten seconds, however many were refused.  Floor 4.
 */
#ifndef ROLE_LIMIT_H
#define ROLE_LIMIT_H

#include "sys/sock.h"
#include "watch/metrics.h"

#include <stdbool.h>
#include <stdint.h>

/* By the options that say so. */
enum limit {
	LIMIT_SESSIONS,
	LIMIT_USER,
	LIMIT_ADDRESS,
	LIMIT_NETWORK,
	LIMIT_STRANGERS,
	LIMIT_COMMANDS,
	LIMIT_BAD_COMMANDS,
	LIMIT_LOGIN_TIME,
	LIMIT_MIN_RATE,
	LIMIT_NETWORKS,		/* a rule of listen */
	LIMITS,
};
const char	*limit_word(enum limit which);

/* One line for many events. */
struct quiet {
	uint64_t	until_ms;
	uint64_t	n;		/* since the last line */
};
/* True now and then; then *n_r is how often it was asked since. */
bool	quiet_speak(struct quiet *q, uint64_t *n_r);

struct limit_log {
	struct quiet	 quiet[LIMITS];
	uint32_t	*refused;	/* LIMITS counters for others to read, or
					   NULL; borrows */
};

/* A client was refused, or ended: log it (limit-reached), or count it for the next line. */
void	limit_reached(struct limit_log *l, enum limit which,
	    const struct sock_addr *peer);
/* A session has ended for that reason; it has no counters for its own limits. */
void	limit_ended(struct limit_log *l, enum metric end,
	    const struct sock_addr *peer);

#endif

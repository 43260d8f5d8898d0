/* SPDX-License-Identifier: ISC */
/*
 * How near popper serve is to its limits, for an operator or a monitor.  Floor 4;
 * any process that has the tally.
 */
#ifndef ROLE_GAUGES_H
#define ROLE_GAUGES_H

#include "role/limit.h"
#include "role/settings.h"
#include "role/tally.h"

struct gauge {
	const char	*name;		/* the option */
	uint64_t	 now;		/* of the address or network that has most */
	uint64_t	 most;		/* 0: nothing is counted at a time */
	uint64_t	 refused;	/* clients, since the start; modulo 2^32 */
};

/* Who has not logged in yet.  O(fronts), each 256 KiB. */
unsigned	gauges_strangers(const struct tally *t);
/* sessions: places_count().  Pure but for the tally. */
void	gauges_read(const struct role_settings *r, const struct tally *t,
	    size_t sessions, struct gauge out[LIMITS]);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The keys of session tickets, in memory that the keeper writes, fronts read and
 * nobody else has.  They outlive both.  Floor 4.
 */
#ifndef ROLE_TICKETS_H
#define ROLE_TICKETS_H

#include "base/attr.h"
#include "tls/tls.h"

/* A key makes tickets for half a day, and opens them for one day more: after that
 * what was recorded cannot be read with it. */
#define TICKETS_ROTATE_MS	(12ull * 3600 * 1000)

struct tickets {
	struct tls_ticket_keys	keys;
	uint64_t		made_ms;	/* the youngest one */
};

/* In the master.  NULL: a fault. */
struct tickets	*tickets_new(struct fault *f) MUSTUSE;
/* In a child: not to write, not to have. */
int	tickets_read_only(struct tickets *t, struct fault *f) MUSTUSE;
void	tickets_free(struct tickets *t);
/* The keeper, now and then: a new key when it is time, or when another keeper died
 * in the midst of that.  O(1) */
void	tickets_turn(struct tickets *t);

#endif

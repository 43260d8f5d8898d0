/* SPDX-License-Identifier: ISC */
/*
 * sessions_per_process, the spawner's part: which sessions go to an usher, who
 * seats them in one process with others of the same uid, gid and groups.  Floor 4.
 */
#ifndef ROLE_GROUPS_H
#define ROLE_GROUPS_H

#include "role/order.h"
#include "role/settings.h"
#include "sys/link.h"
#include "sys/loop.h"

struct groups;

/* ended: a session that was given has ended, and nothing is left of it. */
struct groups	*groups_new(const struct settings *conf, const char *hostname,
		    struct loop *l,
		    void (*ended)(void *ctx, uint32_t slot, int status),
		    void *ctx);

/*
 * m: the order as it came, o: what it says.  True: an usher has it, and copies of
 * its descriptors; false: it is for a process of its own.
 */
bool	groups_give(struct groups *g, const struct link_in *m,
	    const struct order *o);
/* SIGNAL; false: it is none of ours. */
bool	groups_signal(struct groups *g, uint32_t slot, bool hard);
/* SIGNAL_ALL. */
void	groups_stop(struct groups *g);
/* A child has ended; perhaps it was an usher. */
void	groups_reaped(struct groups *g, pid_t pid, int status);
/* Some child has ended: was it an usher that had closed its link?  O(ushers) */
void	groups_reap(struct groups *g);

#endif

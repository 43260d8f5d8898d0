/* SPDX-License-Identifier: ISC */
/*
 * A process that was forked to be a role, as its parent sees it: the links on which
 * it asks and is told, and what becomes of one that speaks nonsense.  Floor 4.
 * Runs as: root, in the master and in ushers.
 */
#ifndef ROLE_CHILD_H
#define ROLE_CHILD_H

#include "base/attr.h"
#include "sys/link.h"
#include "sys/outbox.h"

#include <sys/types.h>

#define CHILD_UNREAD_MAX	4096

struct child {
	/* The parent's to set, before child_init. */
	const char		*word;		/* its name, in the log */
	const struct link_permit *says;		/* what it may say, n rows */
	size_t			 nsays;
	/* FAULT_PEER: nonsense.  m is the caller's. */
	int			(*hear)(void *ctx, struct link_in *m,
				    struct fault *f);
	void			*ctx;
	bool			(*traced)(void);	/* of ask_serve_log */
	/* Likewise, whenever it is forked, or reaped. */
	pid_t			 pid;		/* 0: it is not there */
	uint64_t		 began_ms;	/* 0: never yet */

	bool			 mad;		/* it is not listened to */
	struct link_ends	 link;		/* a: ours; owns */
	struct link_ends	 log;		/* a: ours; owns */
	struct outbox		 out;		/* to it, on link; who leaves
						   CHILD_UNREAD_MAX unread is mad */
	struct loop_watch	 on_link;
	struct loop_watch	 on_log;
};

/* There are no links yet. */
void	child_init(struct child *c, struct loop *l);
/* New ones, sane again: what was said or is to be said on old ones is forgotten. */
int	child_links(struct child *c, struct fault *f) MUSTUSE;
/* Its ends, for a parent that wants to see when it closes them; one that keeps them
 * can start another child with the same links. */
void	child_let_go(struct child *c);
void	child_close(struct child *c);

/* It has ended: what it had said before still counts. */
void	child_hear_out(struct child *c);
/* It is killed, and not listened to any more. */
void	child_misbehaved(struct child *c, const struct fault *why);
void	child_log_died(const struct child *c, int status);

#endif

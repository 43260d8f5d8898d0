/* SPDX-License-Identifier: ISC */
/*
 * What is said on a link whose other end may be busy: it is kept until there is
 * room for it, so that nobody waits and nothing overtakes.  Floor 1.  Not for
 * secrets: what is kept is not wiped.
 */
#ifndef SYS_OUTBOX_H
#define SYS_OUTBOX_H

#include "sys/link.h"
#include "sys/loop.h"

struct outbox {
	int			 link;	/* borrows; the owner's to set, at any
					   time, as the next two */
	size_t			 max;	/* messages that are kept */
	/* It will never be said: the link is broken (of link_send), or the other
	 * end has let `max` lie (FAULT_LIMIT).  tag: of outbox_put. */
	void			(*lost)(void *ctx, uint16_t type, uint32_t tag,
				    const struct fault *why);
	void			*ctx;
	/* private */
	size_t			 n;	/* kept now: anybody may look */
	struct outbox_kept	*first;
	struct outbox_kept	**end;
	struct loop_watch	 again;
};

/* Its four fields are set by the caller, who does not move it afterwards. */
void	outbox_init(struct outbox *o, struct loop *l);
/* Forgets what is kept; it can be used again. */
void	outbox_clear(struct outbox *o);
/* The descriptors stay the caller's.  lost may be called before this returns. */
void	outbox_put(struct outbox *o, const struct link_out *m, uint32_t tag,
	    const int *fds, uint8_t nfds);
/* A new link in place of *p: who hears m is told of his end, which is *end of it, before
 * he sees the end of the old one.  -1: all is as before. */
int	outbox_renew(struct outbox *o, const struct link_out *m,
	    struct link_ends *p, const int *end, struct fault *f) MUSTUSE;

#endif

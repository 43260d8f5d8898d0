/* SPDX-License-Identifier: ISC */
/*
 * An event loop, for roles that serve many at a time: a thin face of libevent's
 * core.  Floor 1.  Make it before the cage: it opens descriptors.  One thread;
 * every call-back returns soon.
 */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include "base/attr.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_TIMEOUT = 4 };

/* What is waited for on a descriptor, or (fd -1) a time alone. */
struct loop_watch {
	struct loop	*loop;
	struct event	*event;		/* owns; NULL: not waited for */
	int		 fd;		/* borrows */
	short		 events;	/* of libevent, waited for */
	uint64_t	 due;		/* clock_ms, or LOOP_NEVER; while refused */
	void		(*fn)(void *ctx, unsigned what);
	void		*ctx;
};

struct loop	*loop_new(struct fault *f) MUSTUSE;
void		 loop_free(struct loop *l);

/* Nothing is waited for yet. */
void	loop_watch_init(struct loop_watch *w, struct loop *l, int fd,
	    void (*fn)(void *ctx, unsigned what), void *ctx);
/*
 * Call fn once when one of `what` is true, or after ms (LOOP_NEVER: without
 * a time); what was asked for before is forgotten.  O(log watches).  A kernel that
 * has no room for one more descriptor is asked again until it has.
 */
#define LOOP_NEVER	UINT64_MAX
void	loop_watch_set(struct loop_watch *w, unsigned what, uint64_t ms);
/* Not any more; also within its own call-back.  Before its fd is closed. */
void	loop_watch_fini(struct loop_watch *w);

/* Call fn in the loop, never in the handler, whenever the signal comes; or SIGTERM has
 * come since signals_take. */
enum loop_signal {
	LOOP_STOP,		/* SIGTERM */
	LOOP_INTERRUPT,		/* SIGINT */
	LOOP_HANGUP,		/* SIGHUP */
	LOOP_CHILD,		/* SIGCHLD */
};
void	loop_on_signal(struct loop *l, enum loop_signal which,
	    void (*fn)(void *ctx), void *ctx);

/* Until loop_end, from a call-back. */
void	loop_run(struct loop *l);
void	loop_end(struct loop *l);

#endif

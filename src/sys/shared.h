/* SPDX-License-Identifier: ISC */
/* Memory that processes share which are forked later.  Floor 1. */
#ifndef SYS_SHARED_H
#define SYS_SHARED_H

#include "base/attr.h"
#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed, whole pages.  NULL: a fault.  Keeps a
 * descriptor. */
void	*shared_new(size_t n, struct fault *f) MUSTUSE;
/* This process has it no more. */
void	 shared_free(void *p, size_t n);
/*
 * For good: not for this process, nor for its children, to write any more, whatever
 * they call.  Before it closes descriptors that it does not know.
 */
int	 shared_read_only(void *p, size_t n, struct fault *f) MUSTUSE;

/*
 * A lock in such memory, 0 at first, for moments of work on what is a hint: nobody
 * waits for ever for an owner that was killed, or stopped.  Whoever has seen the
 * same ticket in it for a second takes it; who knows that an owner has died frees
 * it before.  A ticket is never 0, names its owner in its upper half, and is
 * another one each time.
 */
#define SHARED_TICKET(who)	((uint64_t)(who) << 32)
void	 shared_lock(uint64_t *lock, uint64_t ticket);
void	 shared_unlock(uint64_t *lock, uint64_t ticket);
/* That one is dead. */
void	 shared_lock_free(uint64_t *lock, uint32_t who);

#endif

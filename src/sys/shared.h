/* SPDX-License-Identifier: ISC */
/* Memory that processes share which are forked later.  Floor 1. */
#ifndef SYS_SHARED_H
#define SYS_SHARED_H

#include "base/attr.h"
#include "base/fault.h"

#include <stddef.h>

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

#endif

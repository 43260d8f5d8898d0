/* SPDX-License-Identifier: ISC */
/* Shared by the files of this room alone: faults from errno.  Floor 1. */
#ifndef SYS_SYS_PRIV_H
#define SYS_SYS_PRIV_H

#include "base/fault.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

/* The class of an errno, by the rule at the top of sys/file.h. */
enum fault_class sys_class(int err);

/* Fill *f from errno and give -1: SYS_FAULT(f, "open %s", name). */
#define SYS_FAULT(f, ...)	\
	fault_errno((f), sys_class(errno), errno, __VA_ARGS__)

/* Call again while a signal interrupts; evaluates `call` repeatedly. */
#define SYS_RETRY(call)	__extension__({			\
	__typeof__(call) again_;			\
	do						\
		again_ = (call);			\
	while (again_ == -1 && errno == EINTR);		\
	again_;						\
})

/* poll(2), -1 without an end; what signals_take handles ends it, too, also what came
 * since the last one. */
int	signals_poll(struct pollfd *p, size_t n, int timeout_ms);

#endif

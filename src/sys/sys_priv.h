/* SPDX-License-Identifier: ISC */
/* Shared by the files of this room alone: faults from errno.  Floor 1. */
#ifndef SYS_SYS_PRIV_H
#define SYS_SYS_PRIV_H

#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>

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

/*
 * For a wait that no signal of signals_take's may miss: hold them, see whether
 * one came since the last wait, and let them in by ppoll's mask.
 */
void	signals_hold(sigset_t *before_r);
bool	signals_came(void);

#endif

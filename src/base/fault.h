/* SPDX-License-Identifier: ISC */
/*
 * What went wrong, for the caller and for the operator.  Functions that can
 * fail return 0 or -1 and fill the caller's struct fault.  The class is what a
 * POP3 client may be told; the text is for the log alone and never reaches
 * the wire.  Floor 0, pure.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/attr.h"

enum fault_class {
	FAULT_NONE,
	FAULT_TEMP,		/* likely to pass: disk, lock, memory */
	FAULT_PERM,		/* needs an administrator */
	FAULT_IN_USE,		/* the maildrop is locked */
	FAULT_DELAY,		/* too soon after the last login */
	FAULT_AUTH,		/* credentials or policy */
	FAULT_LIMIT,		/* a bound of ours was reached */
	FAULT_PROTO,		/* the client spoke nonsense */
	FAULT_PEER,		/* one of our own processes spoke nonsense */
};

struct fault {
	enum fault_class	class;
	int			err;		/* errno, or 0 */
	char			text[240];
};

/* Fill *f (which may be NULL) and return -1. */
int	fault_set(struct fault *f, enum fault_class class, const char *fmt, ...)
	    PRINTF(3, 4);

/* The same with errno's word appended; keeps err. */
int	fault_errno(struct fault *f, enum fault_class class, int err,
	    const char *fmt, ...) PRINTF(4, 5);

/* Put context before the text on the way up; returns -1. */
int	fault_prefix(struct fault *f, const char *fmt, ...) PRINTF(2, 3);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Libraries of the system's that popper is not linked with, so that who does not need
 * them need not carry them.  Floor 1.  Before the cage.
 */
#ifndef SYS_LIBRARY_H
#define SYS_LIBRARY_H

#include "base/attr.h"
#include "base/fault.h"

#include <stddef.h>

struct library_call {
	const char	 *name;
	void		**where;
};

/*
 * Open that file, which nobody closes; each call is where `where` points to then, and
 * on failure nothing.  Where they are already (*where was NULL before) nothing is done.
 */
int	library_open(const char *file, const struct library_call *calls, size_t n,
	    struct fault *f) MUSTUSE;

#endif

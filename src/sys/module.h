/* SPDX-License-Identifier: ISC */
/*
 * Parts of popper that carry a heavy library and are opened by the processes that
 * need them.  Floor 1.  Before the cage.
 */
#ifndef SYS_MODULE_H
#define SYS_MODULE_H

#include "base/attr.h"
#include "base/fault.h"

/*
 * What `symbol` names in that file, which lies beside the program, or in its folder
 * of modules (who can write to either can replace the program as well); NULL.
 */
void	*module_symbol(const char *file, const char *symbol, struct fault *f)
	    MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The configuration of a server that runs, read once more: what edition_source
 * wants.  Floor 5.
 */
#ifndef CMD_RELOAD_H
#define CMD_RELOAD_H

#include "role/edition.h"

struct reload {
	int		  argc;		/* of the start */
	char		**argv;
	const char	 *flags;
	int		  folder;	/* owns: where the paths of those in use
					   lead from, while others are judged; -1 */
};

/* r must live as long as what it gives. */
struct edition_source	reload_source(struct reload *r);

#endif

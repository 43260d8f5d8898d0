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
	/* While one is under way: */
	struct edition	 *next;		/* owns: read, being judged; NULL */
	int		  link;		/* owns: to who judges; -1 */
	uint64_t	  end_ms;	/* of that, by clock_ms */
	int		  folder;	/* owns: where the paths of the settings that are
					   not in use, or not any more, lead from; -1 */
};

/* r must live as long as what it gives. */
struct edition_source	reload_source(struct reload *r);
/* One that is under way comes to nothing: the server ends. */
void			reload_forget(struct reload *r);

#endif

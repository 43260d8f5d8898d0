/* SPDX-License-Identifier: ISC */
/*
 * The settings of a server that runs, read once more: what serve_source wants.
 * Floor 5.
 */
#ifndef CMD_RELOAD_H
#define CMD_RELOAD_H

#include "role/serve.h"

struct reload {
	int		  argc;		/* of the start */
	char		**argv;
	const char	 *flags;
	struct settings	 *used;
	struct settings	 *other;	/* room for the next ones */
	int		  folder;	/* owns: where the paths of `used` lead
					   from, while there are others; -1 */
};

void	reload_reopen(void *ctx);
const struct settings	*reload_load(void *ctx, struct fault *f);
void	reload_use(void *ctx);
void	reload_drop(void *ctx);

#endif

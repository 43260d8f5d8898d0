/* SPDX-License-Identifier: ISC */
/* popper ctl trace, once popper serve has let it: shows the lines.  Floor 5. */
#ifndef CMD_TAIL_H
#define CMD_TAIL_H

#include "base/attr.h"
#include "role/settings.h"

struct tail_start {
	const struct role_settings *conf;
	int		 ctl;		/* to popper serve */
	int		 listener;	/* where who is traced connects */
	uint64_t	 ms;
	uint64_t	 octets;	/* of output, at most */
	bool		 json;
};

/*
 * Gives up all rights, then writes lines to standard output until the time is over,
 * so many octets were written, a signal says so, or popper serve does.  Exits.
 */
void	tail_main(const struct tail_start *t) NORETURN;

#endif

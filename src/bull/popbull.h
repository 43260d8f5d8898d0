/* SPDX-License-Identifier: ISC */
/* The file .popbull: what a user has received.  Floor 2, as the user. */
#ifndef BULL_POPBULL_H
#define BULL_POPBULL_H

#include "bull/bull.h"

enum popbull_state {
	POPBULL_NUMBER,			/* *number_r */
	POPBULL_MISSING,		/* a new user */
	POPBULL_GARBAGE,		/* empty, or not beginning with a digit */
	POPBULL_REFUSED,		/* a link, a folder, a FIFO, not readable,
					   too many digits: leave it alone */
	POPBULL_UNREADABLE,		/* now; later it may be */
};

/* f says why when the state is REFUSED or UNREADABLE. */
enum popbull_state	popbull_read(const struct bull_place *where,
			    uint64_t *number_r, struct fault *f);

/* Could another number be stored?  `number` is what stands there now; it may
 * be written once more to find out. */
int	popbull_writable(const struct bull_place *where, uint64_t number,
	    struct fault *f) MUSTUSE;

/* The decision alone: the file's first octets (pure). */
enum popbull_state	popbull_parse(struct span text, uint64_t *number_r);

#endif

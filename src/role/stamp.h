/* SPDX-License-Identifier: ISC */
/*
 * What a change of a file changes, as far as it can be seen without reading it.
 * Floor 4.
 */
#ifndef ROLE_STAMP_H
#define ROLE_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct stamp {
	uint64_t	dev;
	uint64_t	ino;
	uint64_t	size;
	struct timespec	mtime;
	struct timespec	ctime;
};

/* Of whatever has that name now; zeros: nothing that can be read, or path is NULL
 * or "". */
void	stamp_of(const char *path, struct stamp *out);
bool	stamp_same(const struct stamp *a, const struct stamp *b);
/* Its change is so long ago that another one would have another time: times of
 * files are coarse.  So would it if this one is still to come, since the clock was set
 * back. */
bool	stamp_settled(const struct stamp *s);

#endif

/* SPDX-License-Identifier: ISC */
/* Has a unit test left a descriptor open?  Only for x_test.c. */
#ifndef SYS_TEST_FDS_H
#define SYS_TEST_FDS_H

#include <dirent.h>
#include <stddef.h>

/* How many this process has, and a few more; the same ones each time. */
static inline size_t
test_fds(void)
{
	DIR	*d = opendir("/proc/self/fd");
	size_t	 n = 0;

	if (d == NULL)
		return 0;
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

#endif

/* SPDX-License-Identifier: ISC */
/* A folder for one unit test, gone afterwards.  Only for x_test.c. */
#ifndef SYS_TEST_DIR_H
#define SYS_TEST_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>

struct test_dir {
	char	path[64];
	int	fd;
};

static inline int
test_dir_remove_one(const char *path, const struct stat *st, int kind,
    struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* A folder and what is in it, whatever that is. */
static inline int
test_dir_remove(const char *path)
{
	return nftw(path, test_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int
test_dir_setup(void **state)
{
	struct test_dir *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -1;
	(void)snprintf(d->path, sizeof(d->path), "/tmp/popper-test-XXXXXX");
	if (mkdtemp(d->path) == NULL)
		return -1;
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = d;
	return d->fd == -1 ? -1 : 0;
}

static inline int
test_dir_teardown(void **state)
{
	struct test_dir *d = *state;

	(void)close(d->fd);
	(void)test_dir_remove(d->path);
	free(d);
	return 0;
}

#endif

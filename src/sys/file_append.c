/* SPDX-License-Identifier: ISC */
/*
 * Opening a log or trace file whose path an operator wrote, as root, perhaps
 * below folders that others may write.
 * Runs as: the monitor, serve.  Trusts: links and folders of root and of
 * ourselves, nobody else's.
 */
#include "sys/file.h"
#include "sys/sys_priv.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* Only root and we can put something there. */
static bool
is_ours(const struct file_facts *facts)
{
	return (facts->uid == 0 || facts->uid == geteuid()) &&
	    (facts->mode & 022) == 0;
}

/* One folder down from *dirfd. */
static int
step_down(int *dirfd, const char *name, struct fault *f)
{
	struct file_facts	here;
	unsigned		how = FILE_READ | FILE_DIR;
	int			next;

	if (file_facts(*dirfd, &here, f) == -1)
		return -1;
	if (is_ours(&here))
		how |= FILE_FOLLOW;
	if (file_open(*dirfd, name, how, 0, &next, f) == -1)
		return -1;
	fd_close(dirfd);
	*dirfd = next;
	return 0;
}

/* The folder of path; its last component goes to name. */
static int
walk(const char *path, int *dirfd, char name[NAME_MAX + 1], struct fault *f)
{
	struct span	rest = span_str(path);
	bool		absolute = rest.n > 0 && rest.p[0] == '/';
	size_t		len;

	if (file_open(FILE_CWD, absolute ? "/" : ".", FILE_READ | FILE_DIR, 0,
	    dirfd, f) == -1)
		return -1;
	for (;;) {
		len = span_find(rest, '/');
		if (!span_cstr(span_first(rest, len), name, NAME_MAX + 1))
			return fault_errno(f, FAULT_PERM, ENAMETOOLONG, "open");
		if (len == rest.n)
			return 0;
		rest = span_skip(rest, len + 1);
		if (len > 0 && step_down(dirfd, name, f) == -1)
			return -1;
	}
}

static int
check_append(int fd, struct fault *f)
{
	struct file_facts facts;

	if (file_facts(fd, &facts, f) == -1)
		return -1;
	if (facts.uid != geteuid() || facts.nlink != 1 ||
	    (facts.mode & 022) != 0)
		return fault_set(f, FAULT_PERM, "not ours alone "
		    "(owner %u, mode %o, %llu names)", facts.uid, facts.mode,
		    (unsigned long long)facts.nlink);
	return 0;
}

static int
open_append(const char *path, unsigned how, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int dirfd = -1;
	char name[NAME_MAX + 1];

	*fd_r = -1;
	if (walk(path, &dirfd, name, f) == -1 ||
	    file_open(dirfd, name, FILE_WRITE | FILE_APPEND | how, 0600, fd_r,
	    f) == -1 || check_append(*fd_r, f) == -1) {
		fd_close(fd_r);
		return fault_prefix(f, "%s: ", path);
	}
	return 0;
}

int
file_open_append(const char *path, int *fd_r, struct fault *f)
{
	return open_append(path, FILE_CREATE, fd_r, f);
}

int
file_append_judge(const char *path, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	return open_append(path, 0, &fd, f);
}

/* SPDX-License-Identifier: ISC */
/*
 * Descriptors: closing, moving, comparing.
 * Runs as: any role.  Reads from: nobody.  Trusts: the kernel.
 */
#include "sys/file.h"
#include "sys/sys_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HIGH_FD = 10 };

enum fault_class
sys_class(int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
	case ELOOP:
	case ENOTDIR:
	case EISDIR:
	case ENXIO:		/* a FIFO or socket instead of a file */
	case EXDEV:		/* openat2: leads out of the folder */
	case EROFS:
	case ENAMETOOLONG:
		return FAULT_PERM;
	default:
		return FAULT_TEMP;
	}
}

void
fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);	/* nothing was written, or it failed */
	*fd = -1;
}

int
fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

int
fd_close_checked(int *fd, struct fault *f)
{
	int old = fd_take(fd);

	/* Linux has closed it even when it says EINTR: never again. */
	if (close(old) == -1 && errno != EINTR)
		return SYS_FAULT(f, "close");
	return 0;
}

int
fd_set_nonblock(int fd, struct fault *f)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return SYS_FAULT(f, "fcntl F_GETFL");
	if ((flags & O_NONBLOCK) == 0 &&
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return SYS_FAULT(f, "fcntl F_SETFL");
	return 0;
}

int
fd_dup_high(int fd, int *fd_r, struct fault *f)
{
	*fd_r = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
	return *fd_r == -1 ? SYS_FAULT(f, "duplicate descriptor %d", fd) : 0;
}

/* The sanitizer flavour reports on 2, from the deepest cage: a FIFO or a file,
 * opened before, takes that to the tests. */
static void
report_to_tests(void)
{
	const char	*path = getenv("POPPER_REPORT");
	int		 fd = path != NULL ?
			    open(path, O_WRONLY | O_APPEND | O_NONBLOCK |
				 O_CLOEXEC) : -1;

	if (fd > 2)
		(void)dup2(fd, 2);
	if (fd > 2)
		(void)close(fd);
}

int
fd_fill_standard(struct fault *f)
{
	static const int how[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	/* In this order open gives the very number that is closed. */
	for (int fd = 0; fd < (int)ARRAY_LEN(how); fd++)
		if (fcntl(fd, F_GETFD) == -1 &&
		    SYS_RETRY(open("/dev/null", how[fd] | O_NOCTTY)) == -1)
			return SYS_FAULT(f, "open /dev/null");
	return 0;
}

int
fd_null_standard(struct fault *f)
{
	int null = SYS_RETRY(open("/dev/null", O_RDWR | O_NOCTTY));

	if (null == -1)
		return SYS_FAULT(f, "open /dev/null");
	for (int fd = 0; fd <= 2; fd++)
		if (fd != null && dup2(null, fd) == -1)
			return SYS_FAULT(f, "dup2 %d", fd);
	if (null > 2)
		(void)close(null);
	if (POPPER_SANITIZED)
		report_to_tests();
	return 0;
}

int
file_cwd(int *fd_r, struct fault *f)
{
	*fd_r = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *fd_r == -1 ? SYS_FAULT(f, "the working folder") : 0;
}

int
file_cwd_set(int fd, struct fault *f)
{
	return fchdir(fd) == -1 ? SYS_FAULT(f, "back to the folder") : 0;
}

int
fd_pipe(int *read_r, int *write_r, struct fault *f)
{
	int ends[2];

	*read_r = *write_r = -1;
	if (pipe2(ends, O_CLOEXEC) == -1)
		return SYS_FAULT(f, "pipe");
	*read_r = ends[0];
	*write_r = ends[1];
	return 0;
}

bool
fd_same(int a, int b)
{
	struct stat x;
	struct stat y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 &&
	    x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool
fd_is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* close_range(2) came with Linux 5.9; before it we close one by one. */
static void
close_between(unsigned first, unsigned last)
{
	struct rlimit limit;

	if (first > last || close_range(first, last, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= last)
		last = (unsigned)limit.rlim_cur - 1;
	for (unsigned fd = first; fd <= last; fd++)
		(void)close((int)fd);
}

void
fd_close_others(int from, const int *keep, size_t n)
{
	int first = from;

	for (;;) {
		int next = -1;		/* the lowest one to keep, >= first */

		for (size_t i = 0; i < n; i++)
			if (keep[i] >= first && (next == -1 || keep[i] < next))
				next = keep[i];
		if (next == -1)
			break;
		if (next > first)
			close_between((unsigned)first, (unsigned)next - 1);
		first = next + 1;
	}
	close_between((unsigned)first, ~0u);
}

size_t
fd_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur > SIZE_MAX ? SIZE_MAX : (size_t)limit.rlim_cur;
}

void
fd_limit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);	/* fewer is no fault */
	}
}

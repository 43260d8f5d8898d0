/* SPDX-License-Identifier: ISC */
/* Whose a record lock is.  For tests. */
#ifndef SYS_TEST_LOCK_H
#define SYS_TEST_LOCK_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does somebody else find it locked? */
static inline bool
test_locked(int fd)
{
	struct flock	l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int		status = 0;
	pid_t		pid = fork();

	if (pid == 0)
		_exit(fcntl(fd, F_SETLK, &l) == -1 ? 1 : 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status != 0;
}

#endif

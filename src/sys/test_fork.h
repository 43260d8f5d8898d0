/* SPDX-License-Identifier: ISC */
/*
 * fork(2) for a unit test that plays a role in its child.  cmocka catches what
 * a wild pointer ends a process by, and goes on with the next test; a child that
 * did so would fork anew, and so would its own.  Only for x_test.c.
 */
#ifndef SYS_TEST_FORK_H
#define SYS_TEST_FORK_H

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static inline pid_t
test_fork(void)
{
	static const int	fatal[] = { SIGBUS, SIGFPE, SIGILL, SIGSEGV,
	    SIGSYS };
	pid_t			pid = fork();

	for (size_t i = 0; pid == 0 && i < sizeof(fatal) / sizeof(*fatal); i++)
		(void)signal(fatal[i], SIG_DFL);
	return pid;
}

#endif

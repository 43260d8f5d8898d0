/* SPDX-License-Identifier: ISC */
/*
 * The only room that starts another program.  Floor 1.  No shell, an argument
 * vector, a clean environment, descriptors closed by range.
 */
#ifndef SYS_SPAWN_H
#define SYS_SPAWN_H

#include "base/attr.h"
#include "base/fault.h"
#include "sys/identity.h"

#include <sys/types.h>

struct spawn {
	const char		*path;		/* absolute */
	const char *const	*argv;		/* NULL at the end */
	const char *const	*env;		/* NULL at the end; all of it */
	const struct identity	*as;		/* NULL: as we are */
	const char		*dir;		/* working folder */
	int			 stdin_fd;	/* its position is set to 0 first */
	unsigned		 timeout_s;	/* then SIGTERM, 5 s later SIGKILL */
};

/*
 * Run and wait.  What it prints (at most 1 KiB, both streams) is put into out
 * as text for the operator.  *status_r: exit code, or 128 + signal.  It leads a
 * process group of its own, which is killed as a whole.  -1: it could not be
 * started (the reason is in f: FAULT_PERM when there is no such program), or was
 * killed after the time-out (ETIMEDOUT); one that ends by itself after SIGTERM
 * counts with its exit code.
 */
int	spawn_run(const struct spawn *s, char *out, size_t cap, int *status_r,
	    struct fault *f) MUSTUSE;

/*
 * fork(); in the child no signal is blocked, all are default but SIGPIPE,
 * which is ignored (a write says EPIPE).
 */
pid_t	spawn_fork(struct fault *f) MUSTUSE;
/* All are so here, too, from now on: children need not do it one by one. */
void	spawn_reset_signals(void);
/*
 * The same by _Fork(): the C library neither takes nor resets its locks, which
 * one thread alone does not need, but which are written to in several pages, in
 * both processes; and no library's pthread_atfork handler is called, so none
 * may have been initialised that relies on it.
 */
pid_t	spawn_fork_bare(struct fault *f) MUSTUSE;
/*
 * Children from now on are without the shared libraries whose file names begin
 * so: each has five mappings, which cost a fork and an exit some microseconds.
 * A child must not call them, nor load another library (the name service does):
 * the loader looks into all that it knows of.
 */
void	spawn_without(const char *const *libraries, size_t n);
/*
 * Who has a page of ours, by a fork or because it is of the same file, stands in
 * one list of the kernel's: each fork and each end of a process waits until nobody
 * walks through it, and for thousands that takes long.  This gives us pages of our
 * own, at the same addresses; children that there are keep theirs.  By who has one
 * thread, after some hundred forks; a few milliseconds, three megabytes.
 */
void	spawn_renew(void);
pid_t	spawn_self(void);		/* getpid(2) */
/* Processors that this process may use; at least 1. */
unsigned	spawn_processors(void);
/* In a child: end (SIGKILL) when `parent` ends.  A change of ids undoes it. */
void	spawn_tie(pid_t parent);
/* Who loses its parent is our child from now on, if it descends from us. */
void	spawn_adopt(void);
/*
 * This process ends, with that status for its parent, unless it says 0 in time: by a
 * signal that also ends a wait for a file server.
 */
#define SPAWN_LATE	(128 + 14)		/* SIGALRM */
void	spawn_deadline(unsigned seconds);
/* The same for who has spent so much of a processor's time. */
#define SPAWN_SPENT	(128 + 24)		/* SIGXCPU */
void	spawn_spend(unsigned seconds);
/* Wait for our child pid; status as above (127 when it is none of ours).
 * Returns 1 when it ended, 0 when it runs on after timeout_ms (-1: for ever). */
int	spawn_wait(pid_t pid, int timeout_ms, int *status_r);
/* Any child of ours that has ended: its pid and status; 0: none has. */
pid_t	spawn_reap(int *status_r);
/* SIGTERM: it may finish what it does; SIGKILL: now. */
void	spawn_stop(pid_t pid);
void	spawn_kill(pid_t pid);
/* What ps(1) and top(1) call this process: at most 15 octets. */
void	spawn_name(const char *name);
/* _exit without flushing anything but what spawn_at_exit has named. */
void	spawn_exit(int status) NORETURN;
/* One last act of spawn_exit, in children, too; NULL: none. */
void	spawn_at_exit(void (*fn)(void));

#endif

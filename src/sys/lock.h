/* SPDX-License-Identifier: ISC */
/*
 * The locks of mail spools.  Floor 1.  Nothing here waits: who wants to wait
 * tries again (spec: take one, try the other, on failure release both, sleep a
 * random while).
 */
#ifndef SYS_LOCK_H
#define SYS_LOCK_H

#include "base/attr.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * fcntl lock of the whole file, by open file description (F_OFD_SETLK): it
 * conflicts with the POSIX locks of MTAs and mail readers, is not lost when
 * another descriptor of the file is closed, and is shared over fork.
 * 0; -1 with FAULT_IN_USE when somebody holds it, else FAULT_TEMP.
 */
int	lock_fcntl(int fd, bool exclusive, struct fault *f) MUSTUSE;
int	lock_fcntl_release(int fd, struct fault *f);

/* flock(2), exclusive: for files of our own.  Same results. */
int	lock_flock(int fd, struct fault *f) MUSTUSE;

/*
 * Has nobody else that file open?  Then nobody is inside a write(2) to it, nor has it
 * mapped.  fd: of the caller's own file, read and written, and the only one that
 * he has of it.  False also when it cannot be found out.  A lease (fcntl(2)) tells,
 * which is given back at once: who opens the file in that moment waits for it, or,
 * with O_NONBLOCK, gets EWOULDBLOCK.
 */
bool	lock_is_sole(int fd) MUSTUSE;

/*
 * The dotlock NAME.lock in the folder dirfd, as Debian Policy 11.6 and
 * liblockfile make it: a unique file, link(2), the link count looked at.
 * pid goes into it ("0" when the lock must not be broken because that process
 * died: liblockfile then waits for the age limit).  A lock that is older
 * than five minutes (by the file system's clock), or whose pid is dead on this
 * host, is stale and is broken, safely against a second breaker.
 * 0; -1 with FAULT_IN_USE when held, FAULT_PERM (EACCES) when the caller may
 * not create files there, FAULT_TEMP otherwise (ENOSPC too).
 *
 * *held_r is the file that is the lock now.  Who holds one says which: the name
 * may have become another's meanwhile, a breaker's of stale locks or, in a folder
 * of mode 1777, anything (a link to somebody's spool).  Such a file is neither
 * touched nor written nor removed: FAULT_IN_USE.
 */
struct dotlock {
	uint64_t	ino;		/* 0: none */
};
int	dotlock_take(int dirfd, const char *name, pid_t pid,
	    struct dotlock *held_r, struct fault *f) MUSTUSE;
/* Touch it, so that nobody takes it for stale; call at least once a minute. */
int	dotlock_refresh(int dirfd, const char *name,
	    const struct dotlock *held, struct fault *f) MUSTUSE;
/* Change the pid that stands in a lock we hold. */
int	dotlock_repid(int dirfd, const char *name, const struct dotlock *held,
	    pid_t pid, struct fault *f) MUSTUSE;
/*
 * Take over a lock that popper on this host left (it was taken with pid 0)
 * because an update was interrupted: it belongs to owner.  Only who holds the
 * session lock may ask: so no other popper lives that could own it.
 * FAULT_IN_USE when it is somebody else's, or no file at all.
 */
int	dotlock_adopt(int dirfd, const char *name, uid_t owner,
	    struct dotlock *held_r, struct fault *f) MUSTUSE;
int	dotlock_release(int dirfd, const char *name,
	    const struct dotlock *held, struct fault *f);

#endif

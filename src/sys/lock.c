/* SPDX-License-Identifier: ISC */
/*
 * Locks of mail spools: kernel locks, and the dotlock.
 * Runs as: the session (kernel locks; dotlocks in the user's own folders), the
 * monitor (dotlocks in the system's spool folder).
 * Reads from: lock files that other programs wrote: at most 31 octets.
 * Trusts: the folder, as far as everybody who may write there locks by it.
 */
#include "sys/lock.h"

#include "base/num.h"
#include "sys/file.h"
#include "sys/sock.h"
#include "sys/sys_priv.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Our own sys/file.h hides the C library's, which declares it. */
int	flock(int fd, int operation);

enum {
	STALE_S		= 5 * 60,
	TAKE_TRIES	= 3,
	LOCK_NAME	= NAME_MAX + 1,
	UNIQUE_NAME	= 48,
	PID_TEXT	= 128,
	HOST_TEXT	= 64,
	PID_ANY		= 0,	/* no process answers for the lock */
};

/* The second line of a lock with pid 0: whose update it guards.  The host is
 * named: a spool over NFS has poppers on several. */
#define UPDATE_MARK	"popper update on "

/* ------------------------------------------------------- kernel locks */

static int
ofd_lock(int fd, short type, struct fault *f)
{
	struct flock whole = { .l_type = type, .l_whence = SEEK_SET };

	if (SYS_RETRY(fcntl(fd, F_OFD_SETLK, &whole)) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return fault_errno(f, FAULT_IN_USE, errno, "fcntl lock");
	return fault_errno(f, FAULT_TEMP, errno, "fcntl lock");
}

int
lock_fcntl(int fd, bool exclusive, struct fault *f)
{
	return ofd_lock(fd, exclusive ? F_WRLCK : F_RDLCK, f);
}

int
lock_fcntl_release(int fd, struct fault *f)
{
	return ofd_lock(fd, F_UNLCK, f);
}

/* Of a file that is mapped there the kernel holds the one below open, and no lease on
 * this one knows of it. */
static bool
hides_mappings(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == -1 || fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

bool
lock_is_sole(int fd)
{
	/* Of who wants the file its holder is told by a signal: by one that ends
	 * nobody, as SIGIO would. */
	if (hides_mappings(fd) || fcntl(fd, F_SETSIG, SIGURG) == -1 ||
	    fcntl(fd, F_SETLEASE, F_WRLCK) == -1)
		return false;
	return fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
}

int
lock_flock(int fd, struct fault *f)
{
	if (SYS_RETRY(flock(fd, LOCK_EX | LOCK_NB)) == 0)
		return 0;
	return fault_errno(f, errno == EWOULDBLOCK ? FAULT_IN_USE : FAULT_TEMP,
	    errno, "flock");
}

/* ------------------------------------------------------- the dotlock */

static int
lock_name(const char *name, char out[LOCK_NAME], struct fault *f)
{
	int n = snprintf(out, LOCK_NAME, "%s.lock", name);

	if (n < 0 || n >= LOCK_NAME)
		return fault_errno(f, FAULT_PERM, ENAMETOOLONG, "dotlock");
	return 0;
}

static void
unique_name(char out[UNIQUE_NAME])
{
	uint64_t salt;

	random_bytes(&salt, sizeof(salt));
	(void)snprintf(out, UNIQUE_NAME, ".lk%d.%016llx", (int)getpid(),
	    (unsigned long long)salt);
}

static size_t
lock_text(pid_t pid, char out[PID_TEXT])
{
	char	host[HOST_TEXT + 1] = "";
	int	n;

	if (pid != PID_ANY)
		n = snprintf(out, PID_TEXT, "%d\n", (int)pid);
	else {
		(void)gethostname(host, HOST_TEXT);	/* "" is as good */
		n = snprintf(out, PID_TEXT, "0\n" UPDATE_MARK "%s\n", host);
	}
	return (size_t)n;
}

/*
 * One pwrite, then the cut (of one that is not new): a reader between the two
 * still sees the new number and a line end first.  A full disk leaves the lock empty, which is as
 * good for everybody: only its age counts then.  Who has no room must still
 * be able to delete mail.
 */
static int
write_pid(int fd, pid_t pid, bool new, struct fault *f)
{
	char	text[PID_TEXT];
	size_t	n = lock_text(pid, text);
	struct fault own;

	if (file_pwrite(fd, text, n, 0, &own) == -1) {
		if (own.err == ENOSPC || own.err == EDQUOT)
			return file_truncate(fd, 0, f);
		if (f != NULL)
			*f = own;
		return -1;
	}
	if (!new && file_truncate(fd, n, f) == -1)
		return -1;
	/* Recovery after a power cut must know it again: see dotlock_adopt. */
	return pid == PID_ANY ? file_datasync(fd, f) : 0;
}

/* The file that will become the lock. */
static int
make_unique(int dirfd, const char *unique, pid_t pid, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	/* Other programs, of other users, must be able to read the pid. */
	if (file_open(dirfd, unique, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE,
	    0644, &fd, f) == -1)
		return fault_prefix(f, "dotlock: ");
	if (write_pid(fd, pid, true, f) == 0 && fd_close_checked(&fd, f) == 0)
		return 0;
	(void)unlinkat(dirfd, unique, 0);
	return -1;
}

/* The pid that stands in a lock; PID_ANY when none can be read. */
static pid_t
read_pid(int fd)
{
	struct span	rest;
	struct span	line;
	uint64_t	pid;
	char		text[PID_TEXT];
	ssize_t		n = file_pread(fd, text, sizeof(text) - 1, 0, NULL);

	if (n <= 0)
		return PID_ANY;
	rest = span_of(text, (size_t)n);
	if (!span_line(&rest, &line) ||
	    !num_parse(span_trim(line), INT32_MAX, &pid))
		return PID_ANY;
	return (pid_t)pid;
}

static bool
is_stale(const struct file_facts *facts, pid_t holder, time_t now)
{
	if (now - facts->mtime.tv_sec > STALE_S)
		return true;
	return holder != PID_ANY && kill(holder, 0) == -1 && errno == ESRCH;
}

static bool
same_lock(const struct file_facts *a, const struct file_facts *b)
{
	return a->dev == b->dev && a->ino == b->ino &&
	    a->mtime.tv_sec == b->mtime.tv_sec &&
	    a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static void
put_back(int dirfd, const char *aside, const char *lock)
{
	/* Refused when a third has taken the lock meanwhile: it is his. */
	int refused = linkat(dirfd, aside, dirfd, lock, 0);

	(void)refused;
}

/*
 * Take the stale lock out of the way.  Its name may meanwhile belong to a
 * fresh lock (others break stale locks too, and not all of them carefully), so
 * it is moved aside, looked at, and a fresh one is put back where it was.
 */
static void
move_aside(int dirfd, const char *lock, const struct file_facts *stale)
{
	struct file_facts	moved;
	char			aside[UNIQUE_NAME];

	unique_name(aside);
	if (file_rename(dirfd, lock, aside, NULL) == -1)
		return;
	if (file_facts_at(dirfd, aside, &moved, NULL) == 0 &&
	    !same_lock(&moved, stale))
		put_back(dirfd, aside, lock);
	(void)unlinkat(dirfd, aside, 0);
}

/*
 * Whoever breaks a lock holds a flock on the stale file itself, and looks
 * again whether the name still means that file: so of two poppers one breaks
 * it and the other sees the next lock.  The descriptor keeps the inode, so
 * its number cannot come back for another file.  A lock that we may not read
 * is judged by its age alone.
 * Returns whether link(2) is worth another try.
 */
static bool
break_stale(int dirfd, const char *lock, time_t now)
{
	AUTO(fd_close) int fd = -1;
	struct file_facts	facts;
	struct file_facts	named;
	struct fault		f;
	pid_t			holder = PID_ANY;

	if (file_open(dirfd, lock, FILE_READ, 0, &fd, &f) == -1) {
		if (f.err == ENOENT)
			return true;		/* released just now */
		if (f.err != EACCES ||
		    file_facts_at(dirfd, lock, &facts, NULL) == -1)
			return false;
	} else {
		if (file_facts(fd, &facts, NULL) == -1)
			return false;
		holder = read_pid(fd);
	}
	if (!is_stale(&facts, holder, now))
		return false;
	if (fd >= 0 && lock_flock(fd, &f) == -1 && f.class == FAULT_IN_USE)
		return false;			/* somebody is at it */
	if (file_facts_at(dirfd, lock, &named, &f) == -1)
		return f.err == ENOENT;
	if (same_lock(&named, &facts))
		move_aside(dirfd, lock, &facts);
	return true;
}

/*
 * link(2), and the count of links of our own file says whether it worked:
 * over NFS the answer of link may be lost or come from a repeated call.
 * *now_r is the file system's time when our own was written.
 */
static int
link_lock(int dirfd, const char *unique, const char *lock,
    struct dotlock *held_r, time_t *now_r, struct fault *f)
{
	struct file_facts	facts;
	int			err;

	err = linkat(dirfd, unique, dirfd, lock, 0) == -1 ? errno : 0;
	if (file_facts_at(dirfd, unique, &facts, f) == -1) {
		/* Nobody would know that it is ours. */
		if (err == 0)
			(void)unlinkat(dirfd, lock, 0);
		return -1;
	}
	*now_r = facts.mtime.tv_sec;
	if (facts.nlink == 2) {
		held_r->ino = facts.ino;
		return 0;
	}
	if (err == EEXIST || err == 0)
		return fault_errno(f, FAULT_IN_USE, EEXIST, "%s", lock);
	return fault_errno(f, sys_class(err), err, "link %s", lock);
}

int
dotlock_take(int dirfd, const char *name, pid_t pid, struct dotlock *held_r,
    struct fault *f)
{
	struct fault	own = { .class = FAULT_NONE };
	char		lock[LOCK_NAME];
	char		unique[UNIQUE_NAME];
	time_t		now = 0;
	int		result = -1;

	held_r->ino = 0;
	unique_name(unique);
	if (lock_name(name, lock, f) == -1 ||
	    make_unique(dirfd, unique, pid, f) == -1)
		return -1;
	for (int try = 0; try < TAKE_TRIES && result == -1; try++) {
		result = link_lock(dirfd, unique, lock, held_r, &now, &own);
		if (result == -1 && (own.class != FAULT_IN_USE ||
		    !break_stale(dirfd, lock, now)))
			break;
	}
	(void)unlinkat(dirfd, unique, 0);
	if (result == -1 && f != NULL)
		*f = own;
	return result;
}

/* The lock, opened, if the name still means the file that we hold. */
static int
open_held(int dirfd, const char *lock, const struct dotlock *held,
    unsigned how, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;

	if (file_open(dirfd, lock, how, 0, &fd, f) == -1 ||
	    file_facts(fd, &facts, f) == -1)
		return -1;
	if (held->ino == 0 || facts.ino != held->ino)
		return fault_set(f, FAULT_IN_USE,
		    "%s was taken away and is another's now", lock);
	*fd_r = fd_take(&fd);
	return 0;
}

int
dotlock_refresh(int dirfd, const char *name, const struct dotlock *held,
    struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	char			lock[LOCK_NAME];

	if (lock_name(name, lock, f) == -1 ||
	    open_held(dirfd, lock, held, FILE_READ, &fd, f) == -1)
		return -1;
	/* NULL: "now" by the file system's clock. */
	if (futimens(fd, NULL) == -1)
		return SYS_FAULT(f, "refresh %s", lock);
	return 0;
}

int
dotlock_repid(int dirfd, const char *name, const struct dotlock *held,
    pid_t pid, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	char			lock[LOCK_NAME];

	if (lock_name(name, lock, f) == -1 ||
	    open_held(dirfd, lock, held, FILE_WRITE, &fd, f) == -1 ||
	    write_pid(fd, pid, false, f) == -1)
		return -1;
	return fd_close_checked(&fd, f);
}

int
dotlock_adopt(int dirfd, const char *name, uid_t owner, struct dotlock *held_r,
    struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;
	char			lock[LOCK_NAME];
	char			ours[PID_TEXT];
	char			text[PID_TEXT];
	size_t			want = lock_text(PID_ANY, ours);
	ssize_t			n;

	held_r->ino = 0;
	if (lock_name(name, lock, f) == -1)
		return -1;
	if (file_open(dirfd, lock, FILE_READ, 0, &fd, f) == -1)
		/* Unreadable: an MTA's.  No file: somebody's trick.  Or gone. */
		return fault_set(f, FAULT_IN_USE, "%s is another's", lock);
	if (file_facts(fd, &facts, f) == -1)
		return -1;
	n = file_pread(fd, text, sizeof(text), 0, f);
	if (n == -1)
		return -1;
	/* In a folder with mode 1777 anybody may write such a text.  (It has a
	 * second name when its maker died between link and unlink.) */
	if (facts.uid != owner ||
	    !span_eq(span_of(text, (size_t)n), span_of(ours, want)))
		return fault_set(f, FAULT_IN_USE, "%s is another's", lock);
	if (futimens(fd, NULL) == -1)
		return SYS_FAULT(f, "refresh %s", lock);
	held_r->ino = facts.ino;
	return 0;
}

int
dotlock_release(int dirfd, const char *name, const struct dotlock *held,
    struct fault *f)
{
	struct file_facts	facts;
	char			lock[LOCK_NAME];

	if (lock_name(name, lock, f) == -1 ||
	    file_facts_at(dirfd, lock, &facts, f) == -1)
		return -1;
	if (held->ino == 0 || facts.ino != held->ino)
		return fault_set(f, FAULT_IN_USE,
		    "%s was taken away and is another's now", lock);
	return file_unlink(dirfd, lock, f);
}

/* SPDX-License-Identifier: ISC */
/*
 * Files by descriptor: the calls of the kernel with EINTR and short counts
 * dealt with once, and with faults that name the call.  Floor 1; any role; all
 * may block on the disk.  Offsets and sizes are octets, 64 bit.
 *
 * A full disk or quota (ENOSPC, EDQUOT, EFBIG), EIO, EMFILE and the like are
 * FAULT_TEMP; EACCES, EPERM, ELOOP, ENOTDIR and files of the wrong kind are
 * FAULT_PERM.  fault.err keeps the errno, ENOENT among them.
 */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

#include <sys/types.h>
#include <time.h>

/* fd_close: for AUTO(fd_close); closes *fd when it is >= 0 and sets it to -1 */
void	fd_close(int *fd);
/* Ownership moves to the caller; *fd becomes -1. */
int	fd_take(int *fd);
/* As many descriptors as this process may ever have. */
void	fd_limit_raise(void);
/* How many this process may have now. */
size_t	fd_limit(void);
/* Close and report what close(2) says: after writing mail. */
int	fd_close_checked(int *fd, struct fault *f) MUSTUSE;
int	fd_set_nonblock(int fd, struct fault *f) MUSTUSE;
/* A duplicate at descriptor 10 or above, close-on-exec. */
int	fd_dup_high(int fd, int *fd_r, struct fault *f) MUSTUSE;
/* Whoever closed 0, 1 or 2 before us: the next file that is opened would get that
 * number, and what is printed.  /dev/null stands there, on which reading 0 and
 * writing 1 and 2 fail. */
int	fd_fill_standard(struct fault *f) MUSTUSE;
/* Make 0, 1 and 2 /dev/null.  (Sanitizer flavour: 2 is the FIFO that
 * POPPER_REPORT names, if it does.) */
int	fd_null_standard(struct fault *f) MUSTUSE;
/* Two ends of a pipe, close-on-exec. */
int	fd_pipe(int *read_r, int *write_r, struct fault *f) MUSTUSE;
/* Whether both are open on the same file or socket. */
bool	fd_same(int a, int b);
bool	fd_is_socket(int fd);
/* Descriptors from `from` on, except those in keep (n of them). */
void	fd_close_others(int from, const int *keep, size_t n);

/* The working folder, to come back to it whatever its name is then. */
int	file_cwd(int *fd_r, struct fault *f) MUSTUSE;
int	file_cwd_set(int fd, struct fault *f) MUSTUSE;

/* What a file is, from fstat. */
struct file_facts {
	uint64_t	dev;
	uint64_t	ino;
	uint64_t	size;
	struct timespec	mtime;
	struct timespec	ctime;
	struct timespec	atime;
	mode_t		mode;		/* permission bits only */
	uid_t		uid;
	gid_t		gid;
	uint64_t	nlink;
	bool		is_regular;
	bool		is_dir;
};

int	file_facts(int fd, struct file_facts *out, struct fault *f) MUSTUSE;
/* Of a name beneath dirfd, without following a last symbolic link. */
int	file_facts_at(int dirfd, const char *name, struct file_facts *out,
	    struct fault *f) MUSTUSE;

/* May we run the program, and write to the file or in the folder? */
int	file_executable(const char *path, struct fault *f) MUSTUSE;
int	file_writable(const char *path, struct fault *f) MUSTUSE;

enum file_how {
	FILE_READ	= 1u << 0,
	FILE_WRITE	= 1u << 1,	/* with FILE_READ: both */
	FILE_CREATE	= 1u << 2,
	FILE_EXCLUSIVE	= 1u << 3,	/* with CREATE: must not exist */
	FILE_APPEND	= 1u << 4,
	FILE_DIR	= 1u << 5,	/* a folder, for the *_at calls */
	FILE_TRUNCATE	= 1u << 6,
	FILE_FOLLOW	= 1u << 7,	/* a last symbolic link may be followed */
	FILE_NOATIME	= 1u << 8,	/* reading leaves the access time alone;
					   without effect on others' files */
	FILE_ANY	= 1u << 9,	/* of whatever kind: the caller looks */
};

/*
 * Open name beneath dirfd (FILE_CWD: as it stands).  Never follows a last
 * symbolic link (unless FILE_FOLLOW), never blocks on a FIFO or a device,
 * never makes it the controlling terminal, close-on-exec; without FILE_DIR or
 * FILE_ANY anything but a regular file is FAULT_PERM.  mode is for FILE_CREATE,
 * less the umask; with FILE_EXCLUSIVE it is what the file gets, whatever the umask.
 */
#define FILE_CWD	(-100)
int	file_open(int dirfd, const char *name, unsigned how, mode_t mode,
	    int *fd_r, struct fault *f) MUSTUSE;
/* The same, but no component may be a symbolic link or lead above dirfd. */
int	file_open_beneath(int dirfd, const char *path, unsigned how, mode_t mode,
	    int *fd_r, struct fault *f) MUSTUSE;
/*
 * A file that grows and that only we may write: made with 0600, or there
 * already, regular, with one name, ours, not writable by group or others.  A
 * symbolic link is not followed as the last component, nor in a folder that
 * others may write (links that root or we have made are).
 */
int	file_open_append(const char *path, int *fd_r, struct fault *f) MUSTUSE;
/* Would it do with what lies there?  Makes nothing; ENOENT: it would be made. */
int	file_append_judge(const char *path, struct fault *f) MUSTUSE;
/* An unnamed file in the folder dir, read-write, mode 0600. */
int	file_open_unnamed(const char *dir, int *fd_r, struct fault *f) MUSTUSE;

/* The first n octets will be read soon: begin to fetch them, without waiting. */
void	file_read_ahead(int fd, uint64_t n);
/* Reads n bytes, fewer only at the end of the file; -1 on error. */
ssize_t	file_pread(int fd, void *p, size_t n, uint64_t off, struct fault *f)
	    MUSTUSE;
/* Writes all or fails (then some may have been written). */
int	file_pwrite(int fd, const void *p, size_t n, uint64_t off,
	    struct fault *f) MUSTUSE;
/* At the descriptor's position; for pipes, and files in append mode. */
int	file_write(int fd, const void *p, size_t n, struct fault *f) MUSTUSE;
/* Reads until n bytes or the end; for pipes. */
ssize_t	file_read(int fd, void *p, size_t n, struct fault *f) MUSTUSE;
/* A file in memory: for few octets, O(octets) of this process's memory. */
int	file_open_memory(int *fd_r, struct fault *f) MUSTUSE;
/* The path of an open folder, without links.  Is there for a moment (chdir). */
int	file_path(int fd, char *out, size_t cap, struct fault *f) MUSTUSE;
/* Copy len octets between files by positions; O(len), 64 KiB of memory.  No
 * two of its writes meet within a page of the file written to. */
int	file_copy(int from, uint64_t from_off, int to, uint64_t to_off,
	    uint64_t len, struct fault *f) MUSTUSE;
/*
 * Do the times of fd's file show each change of its octets at once, whoever makes it?
 * False: its file system is not known to see to that (as NFS does not, which
 * remembers for seconds what a file was).
 */
bool	file_times_tell(int fd);
/*
 * Which run of the kernel this is, another number after each boot; 0: not known.  A
 * state of a file that was seen in another run says nothing of its octets: when the
 * power went, new times may have been on the disk without them, or they without
 * those.  Looked up once in a process and its children.
 */
uint64_t file_boot(void);
/*
 * May the file system of fd make files share octets, as XFS and Btrfs can?  False:
 * it is one that is known not to.
 */
bool	file_may_clone(int fd) MUSTUSE;
/*
 * `to`, an empty file, gets all octets of `from` as they are now, and shares them
 * until one of both is written to: O(1).  False: that cannot be done here.
 */
bool	file_clone(int from, int to) MUSTUSE;
int	file_sync(int fd, struct fault *f) MUSTUSE;
int	file_datasync(int fd, struct fault *f) MUSTUSE;
int	file_truncate(int fd, uint64_t size, struct fault *f) MUSTUSE;
/* Reserve disk blocks; the size stays.  Falls back to success where the file
 * system cannot (then a later write may still say ENOSPC). */
int	file_reserve(int fd, uint64_t off, uint64_t len, struct fault *f) MUSTUSE;
/* Set the access time alone. */
int	file_set_atime(int fd, struct timespec atime, struct fault *f) MUSTUSE;
int	file_chown(int fd, uid_t uid, gid_t gid, struct fault *f) MUSTUSE;

int	file_rename(int dirfd, const char *from, const char *to, struct fault *f)
	    MUSTUSE;
int	file_unlink(int dirfd, const char *name, struct fault *f) MUSTUSE;
/* A folder that exists afterwards (made with exactly this mode when it was not
 * there). */
int	file_mkdir(int dirfd, const char *name, mode_t mode, struct fault *f)
	    MUSTUSE;

/*
 * Replace the small file `name` in dirfd as a whole: write a temporary one
 * with this mode, fsync, rename, fsync the folder.  O(len).  -1: as it was, unless it
 * was that last step that failed.
 */
int	file_replace(int dirfd, const char *name, mode_t mode, struct span text,
	    struct fault *f) MUSTUSE;
/* Could that be the temporary one's name?  Who is killed there leaves it behind. */
bool	file_is_temp(const char *name);
/*
 * Read a small file whole into out (cap octets at most, more is FAULT_LIMIT).
 * Returns the octets or -1.
 */
ssize_t	file_slurp(int fd, void *out, size_t cap, struct fault *f) MUSTUSE;

/* Call fn for each name in the folder (no order; "." and ".." left out);
 * stops when fn returns false. */
int	file_list(int dirfd, bool (*fn)(void *ctx, const char *name), void *ctx,
	    struct fault *f) MUSTUSE;
/* The same, with each file's number as the folder has it: file_facts.ino, but for what
 * is mounted there, and for file systems that make numbers up. */
int	file_list_numbers(int dirfd, bool (*fn)(void *ctx, const char *name,
	    uint64_t ino), void *ctx, struct fault *f) MUSTUSE;

#endif

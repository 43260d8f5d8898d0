/* SPDX-License-Identifier: ISC */
/*
 * Files by descriptor: opening, reading, writing, naming.
 * Runs as: any role, with whatever rights it has.
 * Reads from: files of the operator, of users, of the MTA.
 * Trusts: no name; what a file is, is asked of its descriptor.
 */
#include "sys/file.h"
#include "sys/sock.h"
#include "sys/sys_priv.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static_assert(FILE_CWD == AT_FDCWD, "FILE_CWD is the kernel's AT_FDCWD");

enum {
	COPY_BLOCK	= 65536,
	NAME_TRIES	= 16,
	TEMP_NAME	= 32,
};

/* ------------------------------------------------------------- facts */

static void
facts_from(const struct stat *st, struct file_facts *out)
{
	*out = (struct file_facts){
		.dev		= st->st_dev,
		.ino		= st->st_ino,
		.size		= (uint64_t)st->st_size,
		.mtime		= st->st_mtim,
		.ctime		= st->st_ctim,
		.atime		= st->st_atim,
		.mode		= st->st_mode & 07777,
		.uid		= st->st_uid,
		.gid		= st->st_gid,
		.nlink		= st->st_nlink,
		.is_regular	= S_ISREG(st->st_mode),
		.is_dir		= S_ISDIR(st->st_mode),
	};
}

int
file_facts(int fd, struct file_facts *out, struct fault *f)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return SYS_FAULT(f, "fstat");
	facts_from(&st, out);
	return 0;
}

int
file_facts_at(int dirfd, const char *name, struct file_facts *out,
    struct fault *f)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return SYS_FAULT(f, "stat %s", name);
	facts_from(&st, out);
	return 0;
}

int
file_executable(const char *path, struct fault *f)
{
	return faccessat(AT_FDCWD, path, X_OK, 0) == 0 ? 0 :
	    SYS_FAULT(f, "run %s", path);
}

int
file_writable(const char *path, struct fault *f)
{
	return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 ? 0 :
	    SYS_FAULT(f, "write %s", path);
}

/* ------------------------------------------------------------- opening */

static int
open_flags(unsigned how)
{
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	if ((how & (FILE_READ | FILE_WRITE)) == (FILE_READ | FILE_WRITE))
		flags |= O_RDWR;
	else
		flags |= how & FILE_WRITE ? O_WRONLY : O_RDONLY;
	flags |= how & FILE_CREATE ? O_CREAT : 0;
	flags |= how & FILE_EXCLUSIVE ? O_EXCL : 0;
	flags |= how & FILE_APPEND ? O_APPEND : 0;
	flags |= how & FILE_DIR ? O_DIRECTORY : 0;
	flags |= how & FILE_TRUNCATE ? O_TRUNC : 0;
	flags |= how & FILE_FOLLOW ? 0 : O_NOFOLLOW;
	flags |= how & FILE_NOATIME ? O_NOATIME : 0;
	return flags;
}

/* The end of every way of opening: what did we get? */
static int
check_kind(int fd, const char *name, unsigned how, int *fd_r, struct fault *f)
{
	struct file_facts facts;

	if (fd == -1)
		return SYS_FAULT(f, "open %s", name);
	/* O_DIRECTORY has seen to it; what O_EXCL made is a file. */
	if (how & (FILE_DIR | FILE_EXCLUSIVE | FILE_ANY)) {
		*fd_r = fd;
		return 0;
	}
	if (file_facts(fd, &facts, f) == -1) {
		(void)close(fd);
		return -1;
	}
	if (!facts.is_regular) {
		(void)close(fd);
		return fault_set(f, FAULT_PERM, "%s is no regular file", name);
	}
	*fd_r = fd;
	return 0;
}

int
file_open(int dirfd, const char *name, unsigned how, mode_t mode, int *fd_r,
    struct fault *f)
{
	int fd;

	*fd_r = -1;
	fd = SYS_RETRY(openat(dirfd, name, open_flags(how), mode));
	if (fd == -1 && errno == EPERM && (how & FILE_NOATIME))
		fd = SYS_RETRY(openat(dirfd, name,
		    open_flags(how & ~(unsigned)FILE_NOATIME), mode));
	if (check_kind(fd, name, how, fd_r, f) == -1)
		return -1;
	if ((how & FILE_EXCLUSIVE) == 0 || fchmod(fd, mode) == 0)
		return 0;
	(void)SYS_FAULT(f, "mode of %s", name);
	fd_close(fd_r);
	(void)unlinkat(dirfd, name, 0);
	return -1;
}

/* No empty path, no absolute one, no "..": the same rule on every kernel. */
static bool
path_stays_below(const char *path)
{
	struct span rest = span_str(path);

	if (rest.n == 0 || rest.p[0] == '/')
		return false;
	while (rest.n > 0) {
		size_t len = span_find(rest, '/');

		if (span_eq(span_first(rest, len), SPAN("..")))
			return false;
		rest = span_skip(rest, len + 1);
	}
	return true;
}

/* For kernels (or sandboxes) without openat2: folder by folder. */
static int
open_by_steps(int dirfd, const char *path, unsigned how, mode_t mode,
    int *fd_r, struct fault *f)
{
	AUTO(fd_close) int here = -1;
	struct span rest = span_str(path);
	char	name[NAME_MAX + 1];
	size_t	len;

	while ((len = span_find(rest, '/')) < rest.n) {
		int next;

		if (!span_cstr(span_first(rest, len), name, sizeof(name)))
			return fault_errno(f, FAULT_PERM, ENAMETOOLONG,
			    "open %s", path);
		rest = span_skip(rest, len + 1);
		if (len == 0)
			continue;
		next = openat(here == -1 ? dirfd : here, name,
		    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next == -1)
			return SYS_FAULT(f, "open %s", path);
		fd_close(&here);
		here = next;
	}
	return file_open(here == -1 ? dirfd : here,
	    rest.n == 0 ? "." : (const char *)rest.p, how, mode, fd_r, f);
}

int
file_open_beneath(int dirfd, const char *path, unsigned how, mode_t mode,
    int *fd_r, struct fault *f)
{
	struct open_how wish = {
		.flags		= (unsigned)open_flags(how),
		.mode		= how & FILE_CREATE ? mode : 0,
		.resolve	= RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
				  RESOLVE_NO_MAGICLINKS,
	};
	long	fd;

	*fd_r = -1;
	ASSERT((how & (FILE_FOLLOW | FILE_NOATIME)) == 0);
	if (!path_stays_below(path))
		return fault_errno(f, FAULT_PERM, EXDEV, "open %s", path);
	fd = SYS_RETRY(syscall(SYS_openat2, dirfd, path, &wish, sizeof(wish)));
	if (fd == -1 && (errno == ENOSYS || errno == EPERM))
		return open_by_steps(dirfd, path, how, mode, fd_r, f);
	return check_kind((int)fd, path, how, fd_r, f);
}

/* A name that nobody else has: ".popper-" and 16 hexadecimal digits. */
static void
temp_name(char name[TEMP_NAME])
{
	uint64_t salt;

	random_bytes(&salt, sizeof(salt));
	(void)snprintf(name, TEMP_NAME, ".popper-%016llx",
	    (unsigned long long)salt);
}

bool
file_is_temp(const char *name)
{
	static const char	prefix[] = ".popper-";
	size_t			n = sizeof(prefix) - 1;

	if (strncmp(name, prefix, n) != 0)
		return false;
	return strspn(name + n, "0123456789abcdef") == 16 &&
	    name[n + 16] == '\0';
}

static int
open_temp(int dirfd, unsigned how, char name[TEMP_NAME], int *fd_r,
    struct fault *f)
{
	struct fault own;

	for (int try = 0; try < NAME_TRIES; try++) {
		temp_name(name);
		if (file_open(dirfd, name, how | FILE_CREATE | FILE_EXCLUSIVE,
		    0600, fd_r, &own) == 0)
			return 0;
		if (own.err != EEXIST)
			break;
	}
	if (f != NULL)
		*f = own;
	return -1;
}

/* File systems without O_TMPFILE (overlayfs before 6.3, NFS). */
static int
open_and_unlink(const char *dir, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int dirfd = -1;
	char name[TEMP_NAME];

	if (file_open(FILE_CWD, dir, FILE_READ | FILE_DIR | FILE_FOLLOW, 0,
	    &dirfd, f) == -1 ||
	    open_temp(dirfd, FILE_READ | FILE_WRITE, name, fd_r, f) == -1)
		return -1;
	if (file_unlink(dirfd, name, f) == -1) {
		fd_close(fd_r);
		return -1;
	}
	return 0;
}

int
file_open_unnamed(const char *dir, int *fd_r, struct fault *f)
{
	/* O_EXCL: it can never be given a name. */
	*fd_r = SYS_RETRY(open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC,
	    0600));
	if (*fd_r >= 0)
		return 0;
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)
		return open_and_unlink(dir, fd_r, f);
	return SYS_FAULT(f, "temporary file in %s", dir);
}

int
file_open_memory(int *fd_r, struct fault *f)
{
	*fd_r = memfd_create("popper", MFD_CLOEXEC);
	return *fd_r == -1 ? SYS_FAULT(f, "a file in memory") : 0;
}

/* ------------------------------------------------------------- octets */

void
file_read_ahead(int fd, uint64_t n)
{
	(void)posix_fadvise(fd, 0, (off_t)n, POSIX_FADV_WILLNEED);
}

ssize_t
file_pread(int fd, void *p, size_t n, uint64_t off, struct fault *f)
{
	uint8_t	*to = p;
	size_t	 got = 0;

	while (got < n) {
		ssize_t r = pread(fd, to + got, n - got, (off_t)(off + got));

		if (r == 0)
			break;
		if (r == -1 && errno != EINTR)
			return SYS_FAULT(f, "read");
		if (r > 0)
			got += (size_t)r;
	}
	return (ssize_t)got;
}

ssize_t
file_read(int fd, void *p, size_t n, struct fault *f)
{
	uint8_t	*to = p;
	size_t	 got = 0;

	while (got < n) {
		ssize_t r = read(fd, to + got, n - got);

		if (r == 0)
			break;
		if (r == -1 && errno != EINTR)
			return SYS_FAULT(f, "read");
		if (r > 0)
			got += (size_t)r;
	}
	return (ssize_t)got;
}

/* A write that takes nothing would loop for ever: count it as a failure. */
static int
write_failed(ssize_t w, struct fault *f)
{
	if (w == 0)
		return fault_errno(f, FAULT_TEMP, EIO, "write took nothing");
	return SYS_FAULT(f, "write");
}

int
file_pwrite(int fd, const void *p, size_t n, uint64_t off, struct fault *f)
{
	const uint8_t	*from = p;
	size_t		 done = 0;

	while (done < n) {
		ssize_t w = SYS_RETRY(pwrite(fd, from + done, n - done,
		    (off_t)(off + done)));

		if (w <= 0)
			return write_failed(w, f);
		done += (size_t)w;
	}
	return 0;
}

int
file_write(int fd, const void *p, size_t n, struct fault *f)
{
	const uint8_t	*from = p;
	size_t		 done = 0;

	while (done < n) {
		ssize_t w = SYS_RETRY(write(fd, from + done, n - done));

		if (w <= 0)
			return write_failed(w, f);
		done += (size_t)w;
	}
	return 0;
}

/*
 * To go there and back costs a tenth of a look into /proc, where the kernel makes
 * a folder for each new process.  Who could not come back does not go; from "/",
 * where daemons live, everybody can.
 */
static bool
path_by_going(int fd, char *out, size_t cap)
{
	AUTO(fd_close) int	here = -1;
	bool			done;

	if (cap > 1 && getcwd(out, cap) != NULL && strcmp(out, "/") == 0) {
		done = fchdir(fd) == 0 && getcwd(out, cap) != NULL;
		ASSERT(chdir("/") == 0);
		return done;
	}
	here = open(".", O_PATH | O_CLOEXEC);
	if (here == -1 || fchdir(here) == -1 || fchdir(fd) == -1)
		return false;
	done = getcwd(out, cap) != NULL;
	ASSERT(fchdir(here) == 0);
	return done;
}

int
file_path(int fd, char *out, size_t cap, struct fault *f)
{
	char	name[32];
	ssize_t	n;

	if (path_by_going(fd, out, cap))
		return 0;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, out, cap);
	if (n == -1)
		return SYS_FAULT(f, "read %s", name);
	if ((size_t)n == cap)
		return fault_set(f, FAULT_PERM, "a path is too long");
	out[n] = '\0';
	return 0;
}

int
file_copy(int from, uint64_t from_off, int to, uint64_t to_off, uint64_t len,
    struct fault *f)
{
	static uint8_t	block[COPY_BLOCK];
	uint64_t	done = 0;

	while (done < len) {
		size_t most = sizeof(block) -
		    (size_t)((to_off + done) % sizeof(block));
		size_t want = len - done < most ? (size_t)(len - done) : most;
		ssize_t got = file_pread(from, block, want, from_off + done, f);

		if (got == -1)
			return -1;
		if ((size_t)got < want)
			return fault_set(f, FAULT_TEMP,
			    "the file to copy ends too early");
		if (file_pwrite(to, block, want, to_off + done, f) == -1)
			return -1;
		done += want;
	}
	return 0;
}

bool
file_may_clone(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type != EXT4_SUPER_MAGIC &&
	    fs.f_type != TMPFS_MAGIC;
}

/* "b49719f4-b51e-4412-...": its first sixteen digits. */
static uint64_t
boot_number(struct span text)
{
	char		digits[17] = "";
	size_t		n = 0;

	for (size_t i = 0; i < text.n && n < 16; i++)
		if (text.p[i] != '-')
			digits[n++] = (char)text.p[i];
	return n < 16 ? 0 : strtoull(digits, NULL, 16);
}

uint64_t
file_boot(void)
{
	static uint64_t		known;
	AUTO(fd_close) int	fd = -1;
	char			text[64];
	ssize_t			n;

	if (known != 0 || file_open(FILE_CWD, "/proc/sys/kernel/random/boot_id",
	    FILE_READ, 0, &fd, NULL) == -1)
		return known;
	n = file_slurp(fd, text, sizeof(text), NULL);
	if (n > 0)
		known = boot_number(span_of(text, (size_t)n));
	return known;
}

bool
file_times_tell(int fd)
{
	static const uint32_t known[] = {
		BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, F2FS_SUPER_MAGIC,
		OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, XFS_SUPER_MAGIC,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) == -1)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if ((uint32_t)fs.f_type == known[i])
			return true;
	return false;
}

bool
file_clone(int from, int to)
{
	return SYS_RETRY(ioctl(to, FICLONE, from)) == 0;
}

int
file_sync(int fd, struct fault *f)
{
	return SYS_RETRY(fsync(fd)) == -1 ? SYS_FAULT(f, "fsync") : 0;
}

int
file_datasync(int fd, struct fault *f)
{
	return SYS_RETRY(fdatasync(fd)) == -1 ? SYS_FAULT(f, "fdatasync") : 0;
}

int
file_truncate(int fd, uint64_t size, struct fault *f)
{
	if (SYS_RETRY(ftruncate(fd, (off_t)size)) == -1)
		return SYS_FAULT(f, "truncate");
	return 0;
}

int
file_reserve(int fd, uint64_t off, uint64_t len, struct fault *f)
{
	if (len == 0 || SYS_RETRY(fallocate(fd, FALLOC_FL_KEEP_SIZE,
	    (off_t)off, (off_t)len)) == 0)
		return 0;
	if (errno == EOPNOTSUPP || errno == ENOSYS)
		return 0;
	return SYS_FAULT(f, "reserve disk space");
}

int
file_set_atime(int fd, struct timespec atime, struct fault *f)
{
	const struct timespec both[2] = { atime, { .tv_nsec = UTIME_OMIT } };

	return futimens(fd, both) == -1 ? SYS_FAULT(f, "set times") : 0;
}

int
file_chown(int fd, uid_t uid, gid_t gid, struct fault *f)
{
	return fchown(fd, uid, gid) == -1 ? SYS_FAULT(f, "change owner") : 0;
}

/* ------------------------------------------------------------- names */

int
file_rename(int dirfd, const char *from, const char *to, struct fault *f)
{
	if (renameat(dirfd, from, dirfd, to) == -1)
		return SYS_FAULT(f, "rename %s to %s", from, to);
	return 0;
}

int
file_unlink(int dirfd, const char *name, struct fault *f)
{
	return unlinkat(dirfd, name, 0) == -1 ?
	    SYS_FAULT(f, "unlink %s", name) : 0;
}

int
file_mkdir(int dirfd, const char *name, mode_t mode, struct fault *f)
{
	struct file_facts facts;

	if (mkdirat(dirfd, name, mode) == 0)	/* whatever the umask is */
		return fchmodat(dirfd, name, mode, 0) == 0 ? 0 :
		    SYS_FAULT(f, "mode of folder %s", name);
	if (errno != EEXIST)
		return SYS_FAULT(f, "make folder %s", name);
	if (file_facts_at(dirfd, name, &facts, f) == -1)
		return -1;
	return facts.is_dir ? 0 :
	    fault_errno(f, FAULT_PERM, ENOTDIR, "make folder %s", name);
}

static int
fill_temp(int *fd, mode_t mode, struct span text, struct fault *f)
{
	if (fchmod(*fd, mode) == -1)	/* whatever the umask is */
		return SYS_FAULT(f, "fchmod");
	if (file_write(*fd, text.p, text.n, f) == -1 || file_sync(*fd, f) == -1)
		return -1;
	return fd_close_checked(fd, f);
}

int
file_replace(int dirfd, const char *name, mode_t mode, struct span text,
    struct fault *f)
{
	AUTO(fd_close) int fd = -1;
	AUTO(fd_close) int folder = -1;
	char temp[TEMP_NAME];

	/* The folder first: what fails before the rename has changed nothing. */
	if (file_open(dirfd, ".", FILE_READ | FILE_DIR, 0, &folder, f) == -1 ||
	    open_temp(dirfd, FILE_WRITE, temp, &fd, f) == -1)
		return -1;
	if (fill_temp(&fd, mode, text, f) == -1 ||
	    file_rename(dirfd, temp, name, f) == -1) {
		(void)unlinkat(dirfd, temp, 0);
		return -1;
	}
	/* The name is durable only when the folder is synced, too. */
	return file_sync(folder, f);
}

ssize_t
file_slurp(int fd, void *out, size_t cap, struct fault *f)
{
	ssize_t	n = file_pread(fd, out, cap, 0, f);
	ssize_t	more;
	char	extra;

	if (n == -1 || (size_t)n < cap)
		return n;
	more = file_pread(fd, &extra, 1, cap, f);
	if (more > 0)
		return fault_set(f, FAULT_LIMIT,
		    "the file has more than %zu octets", cap);
	return more == -1 ? -1 : n;
}

int
file_list_numbers(int dirfd, bool (*fn)(void *ctx, const char *name, uint64_t ino),
    void *ctx, struct fault *f)
{
	struct dirent	*entry;
	DIR		*dir;
	int		 fd;
	int		 err;

	/* A descriptor of its own: dirfd's position stays, it stays open. */
	if (file_open(dirfd, ".", FILE_READ | FILE_DIR, 0, &fd, f) == -1)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		err = errno;
		fd_close(&fd);
		return fault_errno(f, sys_class(err), err, "list folder");
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		struct span name = span_str(entry->d_name);

		if (span_eq(name, SPAN(".")) || span_eq(name, SPAN("..")))
			continue;
		if (!fn(ctx, entry->d_name, entry->d_ino))
			break;
	}
	err = entry == NULL ? errno : 0;
	(void)closedir(dir);
	return err != 0 ?
	    fault_errno(f, sys_class(err), err, "list folder") : 0;
}

struct listing {
	bool	(*fn)(void *ctx, const char *name);
	void	*ctx;
};

static bool
tell_name(void *ctx, const char *name, uint64_t ino UNUSED)
{
	const struct listing *l = ctx;

	return l->fn(l->ctx, name);
}

int
file_list(int dirfd, bool (*fn)(void *ctx, const char *name), void *ctx,
    struct fault *f)
{
	struct listing l = { fn, ctx };

	return file_list_numbers(dirfd, tell_name, &l, f);
}

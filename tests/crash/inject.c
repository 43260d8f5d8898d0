/* SPDX-License-Identifier: ISC */
/*
 * Runs a command and lets something go wrong at its N-th system call: the
 * process or the whole tree is killed, or the call fails.  Works on the release
 * binary by ptrace, so nothing in that binary knows about tests; processes
 * that cannot be dumped or sit under seccomp are no obstacle to root.
 *
 * A *phase* begins when a traced process has read a text from anywhere (a
 * command of the client), when one has become a user or works on files as that user,
 * or at once; it ends with the write of a text or with the last process.  The *points* of a phase are
 * the system calls, of the processes in scope, to which the chosen action can
 * happen.  Without --at they are only counted and listed.
 *
 * With --trace, every call of the phase that changed a file is written down
 * with its octets, so that a power cut can be played by another program.
 *
 * Only for tests; x86-64.
 */
#include <sys/ptrace.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define TASKS_MAX	256
#define TEXT_MAX	64

enum {				/* struct call.is */
	CHANGE	= 1u << 0,	/* what a crash leaves behind may differ */
	READS	= 1u << 1,	/* looks at a file */
	TALKS	= 1u << 2,	/* to another process, or waits */
	SPACE	= 1u << 3,	/* may find the disk full */
	FD1	= 1u << 4,	/* its first argument is a descriptor */
	PATH1	= 1u << 5,	/* its first argument is a path */
	PATH2	= 1u << 6,	/* its second one */
	COUNTED	= 1u << 7,	/* writes as many octets as its third says */
};

/* System calls that are worth a name; any other is a point of --calls all. */
static const struct call {
	long		 nr;
	const char	*name;
	unsigned	 is;
} calls[] = {
	{ SYS_read,		"read",		READS | TALKS | FD1 },
	{ SYS_readv,		"readv",	READS | TALKS | FD1 },
	{ SYS_pread64,		"pread64",	READS | FD1 },
	{ SYS_preadv,		"preadv",	READS | FD1 },
	{ SYS_write,		"write",	CHANGE | TALKS | SPACE | FD1 |
						COUNTED },
	{ SYS_writev,		"writev",	CHANGE | TALKS | SPACE | FD1 },
	{ SYS_pwrite64,		"pwrite64",	CHANGE | SPACE | FD1 | COUNTED },
	{ SYS_pwritev,		"pwritev",	CHANGE | SPACE | FD1 },
	{ SYS_copy_file_range,	"copy_file_range", CHANGE | SPACE | FD1 },
	{ SYS_sendfile,		"sendfile",	CHANGE | SPACE | FD1 },
	{ SYS_open,		"open",		CHANGE | READS | PATH1 },
	{ SYS_openat,		"openat",	CHANGE | READS | PATH2 },
	{ SYS_openat2,		"openat2",	CHANGE | READS | PATH2 },
	{ SYS_close,		"close",	CHANGE | FD1 },
	{ SYS_close_range,	"close_range",	CHANGE },
	{ SYS_fsync,		"fsync",	CHANGE | SPACE | FD1 },
	{ SYS_fdatasync,	"fdatasync",	CHANGE | SPACE | FD1 },
	{ SYS_sync_file_range,	"sync_file_range", CHANGE | SPACE | FD1 },
	{ SYS_syncfs,		"syncfs",	CHANGE | SPACE | FD1 },
	{ SYS_ftruncate,	"ftruncate",	CHANGE | SPACE | FD1 },
	{ SYS_truncate,		"truncate",	CHANGE | SPACE | PATH1 },
	{ SYS_fallocate,	"fallocate",	CHANGE | SPACE | FD1 },
	{ SYS_rename,		"rename",	CHANGE | SPACE | PATH1 },
	{ SYS_renameat,		"renameat",	CHANGE | SPACE | PATH2 },
	{ SYS_renameat2,	"renameat2",	CHANGE | SPACE | PATH2 },
	{ SYS_link,		"link",		CHANGE | SPACE | PATH1 },
	{ SYS_linkat,		"linkat",	CHANGE | SPACE | PATH2 },
	{ SYS_symlink,		"symlink",	CHANGE | SPACE | PATH1 },
	{ SYS_symlinkat,	"symlinkat",	CHANGE | SPACE | PATH1 },
	{ SYS_unlink,		"unlink",	CHANGE | PATH1 },
	{ SYS_unlinkat,		"unlinkat",	CHANGE | PATH2 },
	{ SYS_mkdir,		"mkdir",	CHANGE | SPACE | PATH1 },
	{ SYS_mkdirat,		"mkdirat",	CHANGE | SPACE | PATH2 },
	{ SYS_rmdir,		"rmdir",	CHANGE | PATH1 },
	{ SYS_chmod,		"chmod",	CHANGE | PATH1 },
	{ SYS_fchmod,		"fchmod",	CHANGE | FD1 },
	{ SYS_fchmodat,		"fchmodat",	CHANGE | PATH2 },
	{ SYS_chown,		"chown",	CHANGE | PATH1 },
	{ SYS_fchown,		"fchown",	CHANGE | FD1 },
	{ SYS_fchownat,		"fchownat",	CHANGE | PATH2 },
	{ SYS_utimensat,	"utimensat",	CHANGE | PATH2 },
	{ SYS_futimesat,	"futimesat",	CHANGE | PATH2 },
	{ SYS_fcntl,		"fcntl",	CHANGE | FD1 },
	{ SYS_flock,		"flock",	CHANGE | FD1 },
	{ SYS_ioctl,		"ioctl",	CHANGE | FD1 },
	{ SYS_fstat,		"fstat",	READS | FD1 },
	{ SYS_stat,		"stat",		READS | PATH1 },
	{ SYS_lstat,		"lstat",	READS | PATH1 },
	{ SYS_newfstatat,	"newfstatat",	READS | PATH2 },
	{ SYS_statx,		"statx",	READS | PATH2 },
	{ SYS_statfs,		"statfs",	READS | PATH1 },
	{ SYS_fstatfs,		"fstatfs",	READS | FD1 },
	{ SYS_lseek,		"lseek",	READS | FD1 },
	{ SYS_getdents64,	"getdents64",	READS | FD1 },
	{ SYS_access,		"access",	READS | PATH1 },
	{ SYS_faccessat,	"faccessat",	READS | PATH2 },
	{ SYS_readlink,		"readlink",	READS | PATH1 },
	{ SYS_readlinkat,	"readlinkat",	READS | PATH2 },
	{ SYS_sendto,		"sendto",	CHANGE | TALKS | FD1 },
	{ SYS_sendmsg,		"sendmsg",	CHANGE | TALKS | FD1 },
	{ SYS_recvfrom,		"recvfrom",	TALKS | FD1 },
	{ SYS_recvmsg,		"recvmsg",	TALKS | FD1 },
	{ SYS_shutdown,		"shutdown",	CHANGE | FD1 },
	{ SYS_poll,		"poll",		TALKS },
	{ SYS_ppoll,		"ppoll",	TALKS },
	{ SYS_select,		"select",	TALKS },
	{ SYS_pselect6,		"pselect6",	TALKS },
	{ SYS_epoll_wait,	"epoll_wait",	TALKS },
	{ SYS_epoll_pwait,	"epoll_pwait",	TALKS },
	{ SYS_wait4,		"wait4",	TALKS },
	{ SYS_waitid,		"waitid",	TALKS },
	{ SYS_nanosleep,	"nanosleep",	TALKS },
	{ SYS_clock_nanosleep,	"clock_nanosleep", TALKS },
	{ SYS_fork,		"fork",		CHANGE },
	{ SYS_vfork,		"vfork",	CHANGE },
	{ SYS_clone,		"clone",	CHANGE },
	{ SYS_clone3,		"clone3",	CHANGE },
	{ SYS_kill,		"kill",		CHANGE },
	{ SYS_exit_group,	"exit_group",	CHANGE },
};

enum action {
	KILL_BEFORE,	/* the call never happens */
	KILL_AFTER,	/* it happened, nothing after it */
	FAIL,		/* it does not happen and gives the error */
	FAIL_LATE,	/* it happens and gives the error all the same */
	SHORT,		/* a part is written; the next write finds no room */
};

enum begin { BEGIN_NOW, BEGIN_READ, BEGIN_UID };
enum scope { SCOPE_ONE, SCOPE_OTHERS, SCOPE_ALL };

struct task {
	pid_t	pid;		/* 0: free */
	bool	chosen;		/* began the phase */
	bool	die;		/* at the end of the call it is in */
	bool	wrote_end;	/* is writing what ends the phase */
	int	fail;		/* result of the call it is in: this errno */
	bool	no_room;	/* its next write fails (SHORT) */
};

static struct {
	enum begin	 begin;
	char		 begin_text[TEXT_MAX];
	uid_t		 begin_uid;
	char		 end_text[TEXT_MAX];	/* "": the last process */
	enum scope	 scope;
	enum action	 action;
	int		 err;
	unsigned	 want;		/* classes of calls; 0: every call */
	unsigned long	 at;		/* 0: count only */
	bool		 tree;		/* kill all of them */
	bool		 sticky;	/* every further one fails too */
	bool		 as;
	uid_t		 as_uid;
	gid_t		 as_gid;
	unsigned	 limit_s;
	FILE		*report;
	FILE		*trace;		/* NULL: none */
} opt = {
	.scope = SCOPE_ONE, .action = KILL_BEFORE, .want = CHANGE, .limit_s = 60,
};

static struct task tasks[TASKS_MAX];
static bool in_phase;
static bool somebody_chosen;
static bool phase_over;
static bool massacre;		/* whatever shows up is killed */
static unsigned long points;
static volatile sig_atomic_t out_of_time;

static void
die(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(3);
}

static void
tell(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(opt.report, fmt, ap);
	va_end(ap);
	fputc('\n', opt.report);
}

/* The processes that are traced. */

static struct task *
task_find(pid_t pid)
{
	for (size_t i = 0; i < TASKS_MAX; i++)
		if (tasks[i].pid == pid)
			return &tasks[i];
	return NULL;
}

static struct task *
task_get(pid_t pid)
{
	struct task *t = task_find(pid);

	if (t != NULL)
		return t;
	t = task_find(0);
	if (t == NULL) {
		errno = EAGAIN;
		die("processes");
	}
	*t = (struct task){ .pid = pid };
	return t;
}

static bool
tasks_left(void)
{
	for (size_t i = 0; i < TASKS_MAX; i++)
		if (tasks[i].pid != 0)
			return true;
	return false;
}

static void
kill_all(void)
{
	massacre = true;
	for (size_t i = 0; i < TASKS_MAX; i++)
		if (tasks[i].pid != 0)
			kill(tasks[i].pid, SIGKILL);
}

/* What a traced process has in its memory and under its descriptors. */

static size_t
peek(pid_t pid, uint64_t at, void *p, size_t n)
{
	struct iovec here = { p, n };
	struct iovec there = { (void *)(uintptr_t)at, n };	/* its address */
	ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);

	return got < 0 ? 0 : (size_t)got;
}

/* Page by page: the one behind the string may not be there. */
static void
peek_string(pid_t pid, uint64_t at, char *out, size_t cap)
{
	size_t n = 0;

	while (n < cap - 1) {
		size_t part = 4096 - (at + n) % 4096;

		if (part > cap - 1 - n)
			part = cap - 1 - n;
		part = peek(pid, at + n, out + n, part);
		if (part == 0)
			break;
		if (memchr(out + n, '\0', part) != NULL)
			return;
		n += part;
	}
	out[n] = '\0';
}

/* The first octets that a call wrote or read, wherever they lie. */
static size_t
peek_data(pid_t pid, long nr, const uint64_t *args, void *p, size_t n)
{
	struct iovec v = { 0 };
	uint64_t vec = 0;

	switch (nr) {
	case SYS_read:
	case SYS_write:
	case SYS_recvfrom:
	case SYS_sendto:
		return peek(pid, args[1], p, n);
	case SYS_readv:
	case SYS_writev:
		vec = args[1];
		break;
	case SYS_recvmsg:
	case SYS_sendmsg:	/* struct msghdr: iov after name and its size */
		if (peek(pid, args[1] + 16, &vec, sizeof(vec)) != sizeof(vec))
			return 0;
		break;
	default:
		return 0;
	}
	if (peek(pid, vec, &v, sizeof(v)) != sizeof(v))
		return 0;
	return peek(pid, (uintptr_t)v.iov_base, p,
	    n < v.iov_len ? n : v.iov_len);
}

static bool
data_begins(pid_t pid, long nr, const uint64_t *args, const char *text)
{
	char got[TEXT_MAX];
	size_t n = strlen(text);

	return peek_data(pid, nr, args, got, n) == n && memcmp(got, text, n) == 0;
}

static bool
fd_path(pid_t pid, uint64_t fd, char *out, size_t cap)
{
	char name[64];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)pid, (int)fd);
	n = readlink(name, out, cap - 1);
	out[n < 0 ? 0 : n] = '\0';
	return n > 0 && out[0] == '/';
}

static const struct call *
call_find(long nr)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

/* What a call is about, for the report. */
static void
call_subject(pid_t pid, const struct call *c, const uint64_t *args, char *out,
    size_t cap)
{
	out[0] = '\0';
	if (c == NULL)
		return;
	if (c->is & FD1)
		(void)fd_path(pid, args[0], out, cap);
	else if (c->is & PATH1)
		peek_string(pid, args[0], out, cap);
	else if (c->is & PATH2)
		peek_string(pid, args[1], out, cap);
}

/* open(2)s that make a file are changes and need room; the others look. */
static unsigned
call_classes(pid_t pid, const struct call *c, const uint64_t *args)
{
	uint64_t flags;

	switch (c->nr) {
	case SYS_open:
		flags = args[1];
		break;
	case SYS_openat:
		flags = args[2];
		break;
	case SYS_openat2:
		if (peek(pid, args[2], &flags, sizeof(flags)) != sizeof(flags))
			flags = 0;
		break;
	default:
		return c->is;
	}
	if (flags & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY)))
		return c->is | SPACE;
	return c->is & ~(unsigned)CHANGE;
}

/* Not about a socket or a pipe. */
static bool
is_on_file(pid_t pid, const struct call *c, const uint64_t *args)
{
	char path[8];

	return (c->is & FD1) == 0 || fd_path(pid, args[0], path, sizeof(path));
}

/* What happened to files, for those who play a power cut. */

static uint64_t
fd_position(pid_t pid, uint64_t fd)
{
	unsigned long long pos = 0;
	char name[64];
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/fdinfo/%d", (int)pid, (int)fd);
	f = fopen(name, "re");
	if (f == NULL || fscanf(f, "pos: %llu", &pos) != 1)
		die(name);
	fclose(f);
	return pos;
}

/* A name beneath a descriptor (or the working folder) as an absolute path. */
static void
name_path(pid_t pid, int dirfd, uint64_t at, char *out, size_t cap)
{
	char link[64];
	char name[512];
	char folder[512];
	ssize_t n;

	peek_string(pid, at, name, sizeof(name));
	if (name[0] == '/') {
		snprintf(out, cap, "%s", name);
		return;
	}
	if (dirfd == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, dirfd);
	n = readlink(link, folder, sizeof(folder) - 1);
	folder[n < 0 ? 0 : n] = '\0';
	snprintf(out, cap, "%s/%s", folder, name);
}

/* name TAB number TAB octets TAB path [TAB more] LF, then the octets. */
static void
trace_put(const char *name, uint64_t number, pid_t pid, uint64_t data,
    uint64_t n, const char *path, const char *path2)
{
	char block[4096];

	fprintf(opt.trace, "%s\t%llu\t%llu\t%s%s%s\n", name,
	    (unsigned long long)number, (unsigned long long)n, path,
	    path2 != NULL ? "\t" : "", path2 != NULL ? path2 : "");
	for (uint64_t i = 0; i < n; i += sizeof(block)) {
		size_t part = n - i < sizeof(block) ? n - i : sizeof(block);

		if (peek(pid, data + i, block, part) != part)
			die("memory of the traced process");
		fwrite(block, 1, part, opt.trace);
	}
}

/* With whose it is and its mode. */
static void
trace_open(pid_t pid, uint64_t flags, int fd)
{
	char link[64];
	char path[1100];
	char owner[64] = "";
	struct stat st;

	(void)fd_path(pid, (uint64_t)fd, path, sizeof(path));
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
	if (stat(link, &st) == 0)
		snprintf(owner, sizeof(owner), "%u:%u:%o", st.st_uid,
		    st.st_gid, st.st_mode & 07777);
	trace_put("open", flags, pid, 0, 0, path, owner);
}

static void
trace_two_names(const char *name, pid_t pid, int from_dir, uint64_t from,
    int to_dir, uint64_t to)
{
	char path[1100];
	char path2[1100];

	name_path(pid, from_dir, from, path, sizeof(path));
	name_path(pid, to_dir, to, path2, sizeof(path2));
	trace_put(name, 0, pid, 0, 0, path, path2);
}

static void
trace_call(pid_t pid, const struct call *c, const uint64_t *a, int64_t result)
{
	char path[1100] = "";

	if ((c->is & FD1) && !fd_path(pid, a[0], path, sizeof(path))) {
		if (data_begins(pid, c->nr, a, "+OK"))
			trace_put("reply", 0, pid, 0, 0, path, NULL);
		return;
	}
	switch (c->nr) {
	case SYS_write:
		trace_put("write", fd_position(pid, a[0]) - (uint64_t)result,
		    pid, a[1], (uint64_t)result, path, NULL);
		break;
	case SYS_pwrite64:
		trace_put("write", a[3], pid, a[1], (uint64_t)result, path,
		    NULL);
		break;
	case SYS_ftruncate:
		trace_put("truncate", a[1], pid, 0, 0, path, NULL);
		break;
	case SYS_fsync:
	case SYS_fdatasync:
		trace_put("sync", 0, pid, 0, 0, path, NULL);
		break;
	case SYS_fallocate:
		trace_put("allocate", a[1], pid, 0, 0, path, NULL);
		break;
	case SYS_open:
	case SYS_openat:
	case SYS_openat2:
		trace_open(pid, c->nr == SYS_openat ? a[2] : 0, (int)result);
		break;
	case SYS_fchmod:
		trace_put("mode", a[1], pid, 0, 0, path, NULL);
		break;
	case SYS_fchown:
		trace_put("owner", a[1] << 32 | (a[2] & 0xffffffff), pid, 0,
		    0, path, NULL);
		break;
	case SYS_unlink:
		name_path(pid, AT_FDCWD, a[0], path, sizeof(path));
		trace_put("unlink", 0, pid, 0, 0, path, NULL);
		break;
	case SYS_unlinkat:
		name_path(pid, (int)a[0], a[1], path, sizeof(path));
		trace_put("unlink", 0, pid, 0, 0, path, NULL);
		break;
	case SYS_mkdir:
	case SYS_mkdirat:
		name_path(pid, c->nr == SYS_mkdir ? AT_FDCWD : (int)a[0],
		    a[c->nr == SYS_mkdir ? 0 : 1], path, sizeof(path));
		trace_put("mkdir", 0, pid, 0, 0, path, NULL);
		break;
	case SYS_rename:
		trace_two_names("rename", pid, AT_FDCWD, a[0], AT_FDCWD, a[1]);
		break;
	case SYS_renameat:
	case SYS_renameat2:
		trace_two_names("rename", pid, (int)a[0], a[1], (int)a[2],
		    a[3]);
		break;
	case SYS_link:
		trace_two_names("link", pid, AT_FDCWD, a[0], AT_FDCWD, a[1]);
		break;
	case SYS_linkat:
		trace_two_names("link", pid, (int)a[0], a[1], (int)a[2], a[3]);
		break;
	case SYS_writev:
	case SYS_pwritev:
	case SYS_copy_file_range:
	case SYS_sendfile:
	case SYS_truncate:
	case SYS_symlink:
	case SYS_symlinkat:
		/* The player knows none of these: it must say so. */
		trace_put(c->name, 0, pid, 0, 0, path, NULL);
		break;
	default:
		break;
	}
}

/*
 * Octets that a short write leaves of a call: half of them; of a write at a
 * place in a file, up to a border of sectors there, as a file system does.
 */
static uint64_t
short_count(long nr, const uint64_t *args)
{
	uint64_t half = args[2] / 2;
	uint64_t behind = nr == SYS_pwrite64 ? (args[3] + half) % 512 : 0;

	return half > behind ? half - behind : 0;
}

/* Can the chosen action happen to this call? */
static bool
is_point(pid_t pid, long nr, const uint64_t *args)
{
	const struct call *c = call_find(nr);
	unsigned is;
	bool on_file;

	if (c == NULL)
		return opt.want == 0 &&
		    (opt.action == KILL_BEFORE || opt.action == KILL_AFTER);
	is = call_classes(pid, c, args);
	on_file = is_on_file(pid, c, args);
	switch (opt.action) {
	case KILL_BEFORE:
	case KILL_AFTER:
		return opt.want == 0 || (is & opt.want) != 0;
	case SHORT:
		return (is & COUNTED) != 0 && on_file &&
		    short_count(nr, args) > 0;
	case FAIL:
	case FAIL_LATE:
		break;
	}
	if (nr == SYS_exit_group || nr == SYS_kill || nr == SYS_close_range)
		return false;
	if (opt.err == ENOSPC || opt.err == EDQUOT)
		return (is & SPACE) != 0 && on_file;
	if (opt.err == EINTR)
		return (is & (FD1 | PATH1 | PATH2 | TALKS)) != 0;
	return (is & (CHANGE | READS)) != 0 && (is & (FD1 | PATH1 | PATH2)) != 0 &&
	    on_file;
}

/* The begin and the end of the phase. */

static void
phase_begin(const struct task *t)
{
	if (!in_phase)
		tell("begin %d", (int)t->pid);
	in_phase = true;
}

/* Until somebody is chosen. */
static void
phase_check_begin(struct task *t, long nr, const uint64_t *args, int64_t result)
{
	bool yes = false;

	switch (opt.begin) {
	case BEGIN_NOW:
		yes = true;
		break;
	case BEGIN_READ:
		yes = (nr == SYS_read || nr == SYS_readv || nr == SYS_recvfrom ||
		    nr == SYS_recvmsg) &&
		    result >= (int64_t)strlen(opt.begin_text) &&
		    data_begins(t->pid, nr, args, opt.begin_text);
		break;
	case BEGIN_UID:
		yes = (nr == SYS_setuid || nr == SYS_setreuid ||
		    nr == SYS_setresuid) && result == 0 &&
		    (uid_t)args[0] == opt.begin_uid;
		/* What is done in the user's name is of the phase, who does it not yet
		 * the one who is chosen. */
		if (nr == SYS_setfsuid && (uid_t)args[0] == opt.begin_uid)
			phase_begin(t);
		break;
	}
	if (!yes)
		return;
	phase_begin(t);
	t->chosen = somebody_chosen = true;
}

static bool
in_scope(const struct task *t)
{
	switch (opt.scope) {
	case SCOPE_ONE:
		return t->chosen;
	case SCOPE_OTHERS:
		return !t->chosen;
	case SCOPE_ALL:
		return true;
	}
	return false;
}

/*
 * Let the call come to nothing.  It keeps its number where it can, since a
 * system call filter sees what stands there now: a bad descriptor or a bad
 * address does the same.
 */
static void
call_spoil(pid_t pid, const struct call *c)
{
	struct user_regs_struct regs;
	unsigned is = c != NULL ? c->is : 0;

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) != 0)
		return;
	if (is & FD1)
		regs.rdi = (unsigned long long)-1;
	else if (is & PATH1)
		regs.rdi = 1;
	else if (is & PATH2)
		regs.rsi = 1;
	else
		regs.orig_rax = (unsigned long long)-1;
	(void)ptrace(PTRACE_SETREGS, pid, 0, &regs);
}

static void
call_shorten(pid_t pid, uint64_t n)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) != 0)
		return;
	regs.rdx = n;
	(void)ptrace(PTRACE_SETREGS, pid, 0, &regs);
}

static void
set_result(pid_t pid, int err)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) != 0)
		return;
	regs.rax = (unsigned long long)-err;
	(void)ptrace(PTRACE_SETREGS, pid, 0, &regs);
}

static void
strike(struct task *t, const struct call *c, const uint64_t *args)
{
	switch (opt.action) {
	case KILL_BEFORE:
		call_spoil(t->pid, c);
		if (opt.tree)
			kill_all();
		else
			kill(t->pid, SIGKILL);
		break;
	case KILL_AFTER:
		t->die = true;
		break;
	case FAIL:
		/* close(2) always closes, whatever it says. */
		if (c == NULL || c->nr != SYS_close)
			call_spoil(t->pid, c);
		t->fail = opt.err;
		break;
	case FAIL_LATE:
		t->fail = opt.err;
		break;
	case SHORT:
		call_shorten(t->pid, short_count(c->nr, args));
		t->no_room = true;
		break;
	}
}

static void
on_enter(struct task *t, long nr, const uint64_t *args)
{
	const struct call *c = call_find(nr);
	char subject[512];

	if (!in_phase || phase_over || massacre)
		return;
	if (t->no_room && c != NULL && (c->is & SPACE) != 0 &&
	    is_on_file(t->pid, c, args)) {
		call_spoil(t->pid, c);
		t->fail = ENOSPC;
		t->no_room = opt.sticky;
		return;
	}
	if (opt.end_text[0] != '\0' &&
	    data_begins(t->pid, nr, args, opt.end_text))
		t->wrote_end = true;
	if (!in_scope(t) || !is_point(t->pid, nr, args))
		return;
	points++;
	call_subject(t->pid, c, args, subject, sizeof(subject));
	if (opt.at == 0) {
		if (c != NULL)
			tell("point %lu %d %s %s", points, (int)t->pid, c->name,
			    subject);
		else
			tell("point %lu %d call-%ld", points, (int)t->pid, nr);
		return;
	}
	if (points != opt.at && !(opt.sticky && points > opt.at))
		return;
	tell("strike %lu %d %s %s", points, (int)t->pid,
	    c != NULL ? c->name : "call", subject);
	strike(t, c, args);
}

static void
on_exit_of_call(struct task *t, long nr, const uint64_t *args, int64_t result)
{
	if (opt.trace != NULL && in_phase && !phase_over && result >= 0) {
		const struct call *c = call_find(nr);

		if (c != NULL && (c->is & CHANGE) != 0 && in_scope(t))
			trace_call(t->pid, c, args, result);
	}
	if (t->fail != 0) {
		set_result(t->pid, t->fail);
		t->fail = 0;
	}
	if (t->die) {
		t->die = false;
		if (opt.tree)
			kill_all();
		else
			kill(t->pid, SIGKILL);
	}
	if (t->wrote_end)
		phase_over = true;
	if (!somebody_chosen)
		phase_check_begin(t, nr, args, result);
}

/*
 * The kernel tells arguments at entry only; at the exit they still stand in
 * the registers.
 */
static void
on_call(struct task *t)
{
	struct ptrace_syscall_info i;
	struct user_regs_struct r;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(i), &i) <= 0)
		return;
	if (i.op == PTRACE_SYSCALL_INFO_ENTRY) {
		uint64_t args[6];

		memcpy(args, i.entry.args, sizeof(args));
		on_enter(t, (long)i.entry.nr, args);
	} else if (i.op == PTRACE_SYSCALL_INFO_EXIT &&
	    ptrace(PTRACE_GETREGS, t->pid, 0, &r) == 0) {
		uint64_t args[6] = { r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9 };

		on_exit_of_call(t, (long)r.orig_rax, args, i.exit.rval);
	}
}

/* Nothing more can happen: the rest need not stop at every call. */
static bool
done(void)
{
	return !massacre && opt.at != 0 && points >= opt.at && !opt.sticky &&
	    opt.action != SHORT;
}

static void
on_stop(pid_t pid, int status)
{
	struct task *t = task_get(pid);
	int sig = WSTOPSIG(status);
	int event = status >> 16;
	unsigned long deliver = 0;
	bool busy;

	if (massacre)
		kill(pid, SIGKILL);
	if (sig == (SIGTRAP | 0x80)) {
		on_call(t);
	} else if (event == PTRACE_EVENT_STOP) {
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN ||
		    sig == SIGTTOU) {
			(void)ptrace(PTRACE_LISTEN, pid, 0, 0);
			return;
		}
	} else if (event == 0) {
		deliver = (unsigned long)sig;
	}
	busy = t->die || t->fail != 0 || t->wrote_end;
	(void)ptrace(done() && !busy ? PTRACE_CONT : PTRACE_SYSCALL, pid, 0,
	    deliver);
}

static void
on_end(pid_t pid, int status)
{
	struct task *t = task_find(pid);

	if (WIFEXITED(status))
		tell("exit %d %d", (int)pid, WEXITSTATUS(status));
	else
		tell("signal %d %d", (int)pid, WTERMSIG(status));
	if (t != NULL)
		*t = (struct task){ 0 };
}

static void
on_alarm(int sig)
{
	(void)sig;
	out_of_time = 1;
}

static void
watch(void)
{
	while (tasks_left()) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR && out_of_time && !massacre) {
			tell("timeout");
			kill_all();
		} else if (pid < 0 && errno == EINTR) {
			continue;
		} else if (pid < 0) {
			die("waitpid");
		} else if (WIFSTOPPED(status)) {
			on_stop(pid, status);
		} else {
			on_end(pid, status);
		}
	}
}

static void
become(void)
{
	if (!opt.as)
		return;
	if (setgroups(0, NULL) != 0 ||
	    setresgid(opt.as_gid, opt.as_gid, opt.as_gid) != 0 ||
	    setresuid(opt.as_uid, opt.as_uid, opt.as_uid) != 0)
		die("identity");
}

static pid_t
start(char **argv)
{
	int ready[2];
	pid_t pid;
	char go;

	if (pipe2(ready, O_CLOEXEC) != 0)
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(ready[1]);
		if (read(ready[0], &go, 1) < 0)
			_exit(127);
		become();
		/* The search for leaks wants to trace, too: there is one tracer. */
		(void)setenv("LSAN_OPTIONS", "detect_leaks=0", 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(ready[0]);
	(void)task_get(pid);
	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD |
	    PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
	    PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) != 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0)
		die("ptrace");
	close(ready[1]);
	return pid;
}

/* The command line. */

static const struct { const char *name; int err; } errors[] = {
	{ "ENOSPC", ENOSPC }, { "EIO", EIO }, { "EINTR", EINTR },
	{ "EDQUOT", EDQUOT }, { "EAGAIN", EAGAIN },
};

static bool
set_error(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strcmp(errors[i].name, name) == 0) {
			opt.err = errors[i].err;
			return true;
		}
	}
	return false;
}

static bool
set_text(char *to, const char *text)
{
	if (*text == '\0' || strlen(text) >= TEXT_MAX)
		return false;
	strcpy(to, text);
	return true;
}

static bool
set_begin(const char *v)
{
	if (strcmp(v, "start") == 0) {
		opt.begin = BEGIN_NOW;
	} else if (strncmp(v, "read:", 5) == 0) {
		opt.begin = BEGIN_READ;
		return set_text(opt.begin_text, v + 5);
	} else if (strncmp(v, "uid:", 4) == 0) {
		opt.begin = BEGIN_UID;
		opt.begin_uid = (uid_t)strtoul(v + 4, NULL, 10);
	} else {
		return false;
	}
	return true;
}

static bool
set_end(const char *v)
{
	return strncmp(v, "write:", 6) == 0 && set_text(opt.end_text, v + 6);
}

static bool
set_scope(const char *v)
{
	if (strcmp(v, "one") == 0)
		opt.scope = SCOPE_ONE;
	else if (strcmp(v, "others") == 0)
		opt.scope = SCOPE_OTHERS;
	else if (strcmp(v, "all") == 0)
		opt.scope = SCOPE_ALL;
	else
		return false;
	return true;
}

static bool
set_calls(const char *v)
{
	if (strcmp(v, "change") == 0)
		opt.want = CHANGE;
	else if (strcmp(v, "file") == 0)
		opt.want = CHANGE | READS;
	else if (strcmp(v, "all") == 0)
		opt.want = 0;
	else
		return false;
	return true;
}

static bool
set_action(const char *v)
{
	static const struct {
		const char *name;
		enum action action;
		bool tree;
	} plain[] = {
		{ "kill-before", KILL_BEFORE, false },
		{ "kill-after", KILL_AFTER, false },
		{ "tree-before", KILL_BEFORE, true },
		{ "tree-after", KILL_AFTER, true },
		{ "short", SHORT, false },
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(v, plain[i].name) == 0) {
			opt.action = plain[i].action;
			opt.tree = plain[i].tree;
			return true;
		}
	}
	if (strncmp(v, "fail:", 5) == 0) {
		opt.action = FAIL;
		return set_error(v + 5);
	}
	if (strncmp(v, "late:", 5) == 0) {
		opt.action = FAIL_LATE;
		return set_error(v + 5);
	}
	return false;
}

static bool
set_as(const char *v)
{
	unsigned uid;
	unsigned gid;

	if (sscanf(v, "%u:%u", &uid, &gid) != 2)
		return false;
	opt.as = true;
	opt.as_uid = uid;
	opt.as_gid = gid;
	return true;
}

static void
usage(void)
{
	fputs("usage: inject [options] -- command [argument...]\n"
	    "  --report FILE     what happened, a line each (standard error)\n"
	    "  --from WHEN       read:TEXT, uid:N, start (start)\n"
	    "  --to WHEN         write:TEXT (the last process ends)\n"
	    "  --who WHO         one (that began the phase), others, all\n"
	    "  --calls WHICH     for kills: change, file, all (change)\n"
	    "  --do WHAT         kill-before, kill-after, tree-before,\n"
	    "                    tree-after, fail:ERRNO, late:ERRNO, short\n"
	    "  --at N            at the N-th point (only count)\n"
	    "  --sticky          and at each one after it\n"
	    "  --as UID:GID      run the command as that user\n"
	    "  --trace FILE      what happened to files, with its octets\n"
	    "  --limit SECONDS   then everything is killed (60)\n", stderr);
	exit(2);
}

static void
options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "report", 1, NULL, 'r' }, { "from", 1, NULL, 'f' },
		{ "to", 1, NULL, 't' }, { "who", 1, NULL, 'w' },
		{ "calls", 1, NULL, 'c' }, { "do", 1, NULL, 'd' },
		{ "at", 1, NULL, 'a' }, { "sticky", 0, NULL, 's' },
		{ "as", 1, NULL, 'u' }, { "limit", 1, NULL, 'l' },
		{ "trace", 1, NULL, 'T' },
		{ NULL, 0, NULL, 0 },
	};
	bool ok = true;
	int c;

	opt.report = stderr;
	while (ok && (c = getopt_long(argc, argv, "+", names, NULL)) != -1) {
		switch (c) {
		case 'r':
			opt.report = fopen(optarg, "we");
			if (opt.report == NULL)
				die(optarg);
			break;
		case 'T':
			opt.trace = fopen(optarg, "we");
			if (opt.trace == NULL)
				die(optarg);
			break;
		case 'f':
			ok = set_begin(optarg);
			break;
		case 't':
			ok = set_end(optarg);
			break;
		case 'w':
			ok = set_scope(optarg);
			break;
		case 'c':
			ok = set_calls(optarg);
			break;
		case 'd':
			ok = set_action(optarg);
			break;
		case 'a':
			opt.at = strtoul(optarg, NULL, 10);
			break;
		case 's':
			opt.sticky = true;
			break;
		case 'u':
			ok = set_as(optarg);
			break;
		case 'l':
			opt.limit_s = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			ok = false;
			break;
		}
	}
	if (!ok || optind >= argc)
		usage();
}

int
main(int argc, char **argv)
{
	struct sigaction alarm_action = { .sa_handler = on_alarm };
	int null;

	options(argc, argv);
	sigaction(SIGALRM, &alarm_action, NULL);
	(void)start(argv + optind);
	/* The client must see the end when the command ends, not when we do. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		die("/dev/null");
	alarm(opt.limit_s);
	watch();
	tell("points %lu", points);
	if (opt.trace != NULL && fclose(opt.trace) != 0)
		die("trace");
	return fclose(opt.report) == 0 ? 0 : 3;
}

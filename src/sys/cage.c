/* SPDX-License-Identifier: ISC */
/*
 * The cage of a role.
 * Runs as: each role, once, before it reads a foreign byte.
 * Trusts: the filters that cage_gen.c made when popper was built.
 * Gives up, in this order: the root folder (as root), limits, the ways of
 * being traced, new privileges, system calls.
 */
#include "sys/cage.h"

#include "sys/cage_files.h"
#include "sys/file.h"
#include "sys/identity.h"
#include "sys/sys_priv.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/cage_filters.h"

#define MIB	((rlim_t)1 << 20)
#define NO_LIMIT	RLIM_INFINITY

#define PROGRAM(a)	{ ARRAY_LEN(a), (struct sock_filter *)(uintptr_t)(a) }

static const struct cage {
	struct sock_fprog	filter;
	rlim_t			files;		/* highest descriptor + 1 */
	rlim_t			processes;
	rlim_t			memory;		/* address space */
	bool			without;	/* go on where there is no seccomp? */
	bool			landlock;	/* no file, no abstract socket */
} cages[] = {
	/* VERIFY, SQL: yescrypt wants much memory when told to be slow, 1 GiB;
	 * VERIFY has a file of users and one of app passwords besides, each of
	 * 512 MiB and an index at most, SQL the latter. */
	[CAGE_FRONT]	= { PROGRAM(filter_front), 64, 0, 256 * MIB, false },
	[CAGE_FRONTS]	= { PROGRAM(filter_fronts), 1 << 20, 0, 2048 * MIB,
			    false, true },
	[CAGE_AUTH]	= { PROGRAM(filter_auth), 4096, 0, 512 * MIB, false, true },
	[CAGE_CTL]	= { PROGRAM(filter_ctl), 256, 0, 256 * MIB, false, true },
	[CAGE_METRICS]	= { PROGRAM(filter_metrics), 128, 0, 512 * MIB, false,
			    true },
	[CAGE_VERIFY]	= { PROGRAM(filter_verify), 64, 0, 3072 * MIB, false },
	[CAGE_SQL]	= { PROGRAM(filter_sql), 64, 0, 2048 * MIB, false },
	[CAGE_RESOLVER]	= { PROGRAM(filter_resolver), 256, 0, 256 * MIB, false },
	[CAGE_SESSION]	= { PROGRAM(filter_session), 256, NO_LIMIT, 2048 * MIB,
			    true },
	[CAGE_KEEPER]	= { PROGRAM(filter_keeper), 512, 0, 512 * MIB, false },
	[CAGE_SHARED]	= { PROGRAM(filter_shared), 4096, 0, 2048 * MIB, false,
			    true },
	[CAGE_KERBEROS]	= { PROGRAM(filter_kerberos), 64, 0, 256 * MIB, false },
	[CAGE_TOKEN]	= { PROGRAM(filter_token), 64, 0, 512 * MIB, false },
};

static bool
is_empty(void *ctx, const char *name)
{
	(void)name;
	*(bool *)ctx = false;
	return false;
}

int
cage_chroot(const char *dir, struct fault *f)
{
	AUTO(fd_close) int fd = -1;
	struct file_facts facts;
	bool empty = true;

	if (file_open(FILE_CWD, dir, FILE_READ | FILE_DIR, 0, &fd, f) == -1 ||
	    file_facts(fd, &facts, f) == -1 ||
	    file_list(fd, is_empty, &empty, f) == -1)
		return fault_prefix(f, "chroot: ");
	if (facts.uid != 0 || (facts.mode & 022) != 0 || !empty)
		return fault_set(f, FAULT_PERM, "chroot: %s must be empty, "
		    "owned by root and not writable by others", dir);
	/* By descriptor: what was checked is what we enter. */
	if (fchdir(fd) == -1 || chroot(".") == -1 || chdir("/") == -1)
		return SYS_FAULT(f, "chroot %s", dir);
	return 0;
}

/* Lower a limit, never raise it; both the soft and the hard one. */
static int
limit_to(__rlimit_resource_t what, rlim_t most, struct fault *f)
{
	struct rlimit limit;

	if (getrlimit(what, &limit) == -1)
		return SYS_FAULT(f, "getrlimit");
	if (limit.rlim_cur <= most && limit.rlim_max <= most)
		return 0;
	if (limit.rlim_cur > most)
		limit.rlim_cur = most;
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	return setrlimit(what, &limit) == -1 ? SYS_FAULT(f, "setrlimit") : 0;
}

int
cage_limits(enum cage_kind kind, struct fault *f)
{
	const struct cage *c = &cages[kind];

	if (limit_to(RLIMIT_CORE, 0, f) == -1 ||
	    limit_to(RLIMIT_NOFILE, c->files, f) == -1)
		return -1;
	/* The run time of the sanitizers reserves terabytes, and forks. */
	if (!POPPER_SANITIZED &&
	    (limit_to(RLIMIT_NPROC, c->processes, f) == -1 ||
	    limit_to(RLIMIT_AS, c->memory, f) == -1))
		return -1;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ?
	    SYS_FAULT(f, "not dumpable") : 0;
}

int
cage_step_down(const char *user, const char *dir, enum cage_kind kind,
    struct fault *f)
{
	struct identity	id;

	return identity_service(user, &id, f) != 0 ||
	    cage_chroot(dir, f) != 0 ||
	    cage_limits(kind, f) != 0 ||
	    identity_become(&id, true, f) != 0 ? -1 : 0;
}

/* A kernel without seccomp, or without its filters; not one that is out of memory. */
static bool
is_not_there(int err)
{
	return err == ENOSYS || err == EINVAL;
}

int
cage_enter(enum cage_kind kind, bool *degraded_r, struct fault *f)
{
	const struct cage *c = &cages[kind];

	*degraded_r = false;
	if (c->landlock && cage_files_nothing(NULL, 0, f) != 0)
		return -1;
	/* Once more: a change of ids has set what the host's default is. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return SYS_FAULT(f, "no_new_privs");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_LOG, &c->filter) == 0)
		return 0;
	if (c->without && is_not_there(errno)) {
		*degraded_r = true;
		return 0;
	}
	return fault_errno(f, FAULT_PERM, errno, "seccomp");
}

void
cage_process_defaults(void)
{
	const struct rlimit none = { 0, 0 };

	/* Neither can fail for a process that only gives up. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
}

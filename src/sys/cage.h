/* SPDX-License-Identifier: ISC */
/*
 * What a role gives up before it reads a foreign byte: the root folder, the limits,
 * the system calls.  (Files: sys/cage_files.h.)  Floor 1.  The seccomp programs are made
 * from one table with libseccomp when popper is built (src/sys/cage_gen.c), so that a
 * process only loads them.  Unknown system calls get ENOSYS, forbidden ones kill the
 * process.
 */
#ifndef SYS_CAGE_H
#define SYS_CAGE_H

#include "base/attr.h"
#include "base/fault.h"

#include <stdbool.h>

enum cage_kind {
	CAGE_FRONT,		/* talks to strangers: no files at all */
	CAGE_FRONTS,		/* the same, to thousands, whom it accepts */
	CAGE_AUTH,		/* has links to all others, no network */
	CAGE_CTL,		/* takes an operator's requests: no files */
	CAGE_METRICS,		/* answers HTTP with numbers: no files */
	CAGE_VERIFY,		/* hashes one password: no files, no network */
	CAGE_SQL,		/* the same, with a database open */
	CAGE_RESOLVER,		/* UDP and TCP sockets, no files */
	CAGE_SESSION,		/* the user's files; no exec, no socket, no ids */
	CAGE_KEEPER,		/* reads an operator's files, and no others' words */
	CAGE_SHARED,		/* many sessions, of copies that are open */
	CAGE_KERBEROS,		/* judges tickets: as VERIFY, and no file is there */
	CAGE_TOKEN,		/* asks one server about tokens: as RESOLVER */
};

/* chroot into dir (root-owned, not writable by others, empty) and chdir. */
int	cage_chroot(const char *dir, struct fault *f) MUSTUSE;

/*
 * rlimits for the kind: no core, descriptors, processes (0 further ones for
 * FRONT and VERIFY), memory (address space is left alone under sanitizers);
 * not dumpable, no ptrace by the same user.
 */
int	cage_limits(enum cage_kind kind, struct fault *f) MUSTUSE;

/*
 * The three steps that come before the filter, in their order: cage_chroot,
 * cage_limits, the ids of the service account "user" (sys/identity.h).
 */
int	cage_step_down(const char *user, const char *dir, enum cage_kind kind,
	    struct fault *f) MUSTUSE;

/*
 * no_new_privs and the system call filter; before it, for roles that send descriptors
 * and live long, Landlock without any place.  A last step: from now on only
 * what the kind's table allows.  FAULT_PERM when the program cannot be loaded;
 * but a kernel that has no seccomp is success and *degraded_r = true for SESSION.
 */
int	cage_enter(enum cage_kind kind, bool *degraded_r, struct fault *f)
	    MUSTUSE;

/*
 * At the start of every process: no core dump, not dumpable, umask 077,
 * SIGPIPE ignored (a write says EPIPE).
 */
void	cage_process_defaults(void);

#endif

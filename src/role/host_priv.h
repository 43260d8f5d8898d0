/* SPDX-License-Identifier: ISC */
/*
 * What the files of host.h share.  Floor 4, private to host*.c.
 *
 *   host.c		a maildrop from open to close, its dotlock, a copy of it
 *   host_find.c	which maildrop it is, and what its lock is named after
 *   host_session.c	the lock against a second session, and login_delay
 *   host_journal.c	journals of UPDATE, their owners, the reserve
 *   host_promise.c	the file of promised unique-ids
 *   host_submit.c	a message is given to the MTA
 *   host_own.c		our folders and the names in them
 */
#ifndef ROLE_HOST_PRIV_H
#define ROLE_HOST_PRIV_H

#include "role/host.h"

/* ---- our folders and the names in them (host_own.c) ---- */

#define OWN_PATH_MAX	2048		/* octets of a path of ours */

/* snprintf into a path; FAULT_PERM when it is too long. */
int	path_printf(char *out, size_t cap, struct fault *f, const char *fmt, ...)
	    PRINTF(4, 5);
/* A name that is safe as one path component, from one that may not be.  No
 * two names have the same: one that is too long has none. */
int	path_component(char *out, size_t cap, const char *text, struct fault *f)
	    MUSTUSE;
/* A folder of ours below base, made when missing.  The caller owns *fd_r. */
int	own_folder(const char *base, const char *name, mode_t mode, int *fd_r,
	    struct fault *f) MUSTUSE;
/*
 * A file of ours by its whole path: to walk through our folders costs the kernel
 * less than to open them.  *out: OWN_PATH_MAX octets.
 */
int	own_path(char *out, const char *base, const char *folder,
	    const char *name, struct fault *f) MUSTUSE;

/* ---- which maildrop it is (host_find.c) ---- */

/*
 * The one function that decides that: h->conf, id and which are set; all that names
 * the maildrop is, then, and its folder is open.
 */
int	host_find(struct host *h, struct fault *f) MUSTUSE;
/* The same; a folder that is missing is made, where the user may do that. */
int	host_find_or_make(struct host *h, struct fault *f) MUSTUSE;
/* Split the spool's path into folder and name. */
int	host_split(struct host *h, char *dir, size_t cap, struct fault *f)
	    MUSTUSE;

/* ---- what there is besides the spool ---- */

/* Mail that an older popper left beside the spool.  Unsure: yes.  (host.c) */
bool	host_has_legacy(const struct host *h);
/* Is there something in its journal?  It need not be open.  Unsure: yes.
 * (host_journal.c) */
bool	host_is_unfinished(const struct host *h);
/* An existing journal is opened, whatever is in it.  (host_journal.c) */
int	host_find_journal(struct host *h, struct fault *f) MUSTUSE;
/* Likewise a file of promised unique-ids.  (host_promise.c) */
int	host_find_promises(struct host *h, struct fault *f) MUSTUSE;
/* Remove the file of a lock that nobody holds any more.  (host_session.c) */
void	host_session_sweep(const struct host *h);

/* ---- what a session sends ---- */

/* h->sender, of a virtual user.  (host_submit.c) */
int	host_find_sender(struct host *h, struct fault *f) MUSTUSE;

#endif

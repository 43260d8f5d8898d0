/* SPDX-License-Identifier: ISC */
/*
 * Who a process is, and how it becomes somebody less powerful for good.
 * Floor 1.
 */
#ifndef SYS_IDENTITY_H
#define SYS_IDENTITY_H

#include "base/attr.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_USER_MAX	255	/* octets of a login name */
#define IDENTITY_PATH_MAX	1023
#define IDENTITY_GIDS_MAX	64
#define IDENTITY_DB_MAX		31	/* octets of a database's id */

struct identity {
	char	user[IDENTITY_USER_MAX + 1];	/* canonical login name */
	uid_t	uid;
	gid_t	gid;
	size_t	ngids;				/* supplementary */
	gid_t	gids[IDENTITY_GIDS_MAX];
	char	home[IDENTITY_PATH_MAX + 1];	/* may be "" */
	char	maildrop[IDENTITY_PATH_MAX + 1];/* "" = by the template */
	bool	virtual;			/* not an account of the host */
	char	db[IDENTITY_DB_MAX + 1];	/* which user database says so, for
						   the log; may be "" */
	uint8_t	method;				/* how, likewise: enum auth_method */
	bool	own_delay;			/* in place of login_delay: */
	uint32_t login_delay_s;
};

/*
 * Set groups, gid and uid for good (setgroups, setresgid, setresuid), no new
 * privileges when `no_new_privs`; verify that nothing can be taken back.
 * Refuses uid 0.  -1: the process must end.  Process must be root, or already
 * that very user (then only the verification is done).
 */
int	identity_become(const struct identity *id, bool no_new_privs,
	    struct fault *f) MUSTUSE;

/*
 * Root's files may still be read, but nothing that root can do otherwise: no
 * capability, now or by exec.  For good.
 */
int	identity_powerless(struct fault *f) MUSTUSE;

/* Is this process root? */
bool	identity_is_root(void);
/* Set id's uid and gid to this process's own. */
void	identity_own(struct identity *id);

/*
 * "name" from the host's accounts, or a numeric "uid" or "uid:gid": for
 * front_user and the like.  Fills user, uid, gid.
 */
int	identity_service(const char *text, struct identity *id, struct fault *f)
	    MUSTUSE;

/*
 * Do file system work as this uid and gid for a moment (setfsuid, setfsgid),
 * with root's other rights untouched; identity_fs_end goes back.  For the
 * monitor's few calls below a user's folder and for the mail group's dotlock.
 */
int	identity_fs_begin(uid_t uid, gid_t gid, struct fault *f) MUSTUSE;
void	identity_fs_end(void);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Becoming somebody less powerful, for good or for a moment.
 * Runs as: root (or already as the user, then it only looks).
 * Trusts: the identity it is handed; ranges were checked by the caller, only
 * uid 0 is refused here once more.
 * Gives up, in this order: groups, gid, uid, capabilities, new privileges.
 */
#include "sys/identity.h"

#include "base/num.h"
#include "base/span.h"
#include "sys/sys_priv.h"

#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	NGROUPS_KEPT	= 256,
	PASSWD_TEXT	= 16384,
};

/* Supplementary groups that wait for identity_fs_end; -1: not begun. */
static gid_t	kept_groups[NGROUPS_KEPT];
static int	kept_count = -1;

static int
set_ids(const struct identity *id, struct fault *f)
{
	if (setgroups(id->ngids, id->gids) == -1)
		return SYS_FAULT(f, "setgroups");
	if (setresgid(id->gid, id->gid, id->gid) == -1)
		return SYS_FAULT(f, "setresgid");
	if (setresuid(id->uid, id->uid, id->uid) == -1)
		return SYS_FAULT(f, "setresuid");
	return 0;
}

/* Going from uid 0 clears them; who started us as a user may have left some. */
static int
drop_capabilities(struct fault *f)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capset, &head, none) == -1)
		return SYS_FAULT(f, "capset");
	return 0;
}

/* Nothing but the one uid and gid, and no way back to root. */
static int
verify_ids(const struct identity *id, struct fault *f)
{
	uid_t u[3];
	gid_t g[3];

	if (getresuid(&u[0], &u[1], &u[2]) == -1 ||
	    getresgid(&g[0], &g[1], &g[2]) == -1)
		return SYS_FAULT(f, "read ids");
	for (int i = 0; i < 3; i++)
		if (u[i] != id->uid || g[i] != id->gid)
			return fault_errno(f, FAULT_PERM, EPERM,
			    "is uid %u gid %u, not uid %u gid %u", u[i], g[i],
			    id->uid, id->gid);
	if (setresuid(0, 0, 0) == 0 ||
	    (id->gid != 0 && setresgid(0, 0, 0) == 0))
		return fault_set(f, FAULT_PERM, "root could be taken back");
	return 0;
}

int
identity_become(const struct identity *id, bool no_new_privs, struct fault *f)
{
	if (id->uid == 0 || id->uid == (uid_t)-1 || id->gid == (gid_t)-1 ||
	    id->ngids > IDENTITY_GIDS_MAX)
		return fault_set(f, FAULT_PERM, "uid %u is refused", id->uid);
	if (geteuid() == 0 && set_ids(id, f) == -1)
		return -1;
	if (drop_capabilities(f) == -1 || verify_ids(id, f) == -1)
		return -1;
	if (no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return SYS_FAULT(f, "no_new_privs");
	return 0;
}

int
identity_powerless(struct fault *f)
{
	if (drop_capabilities(f) == -1)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ?
	    SYS_FAULT(f, "no_new_privs") : 0;
}

/* ------------------------------------------------------- service users */

/* "uid" or "uid:gid"; *has_gid says which.  False: it is a name. */
static bool
parse_numeric(struct span text, uint64_t *uid, uint64_t *gid, bool *has_gid)
{
	size_t colon = span_find(text, ':');

	*has_gid = colon < text.n;
	*gid = 0;
	return num_parse(span_first(text, colon), UINT32_MAX - 1, uid) &&
	    (!*has_gid ||
	    num_parse(span_skip(text, colon + 1), UINT32_MAX - 1, gid));
}

static int
from_account(const char *name, struct identity *id, struct fault *f)
{
	struct passwd	 pw;
	struct passwd	*found;
	char		 text[PASSWD_TEXT];
	int		 err;

	err = getpwnam_r(name, &pw, text, sizeof(text), &found);
	if (err != 0)
		return fault_errno(f, FAULT_TEMP, err, "account %s", name);
	if (found == NULL)
		return fault_errno(f, FAULT_PERM, ENOENT, "account %s", name);
	id->uid = pw.pw_uid;
	id->gid = pw.pw_gid;
	return 0;
}

/* The gid that belongs to a bare uid: its account's, else the same number. */
static gid_t
gid_of(uid_t uid)
{
	struct passwd	 pw;
	struct passwd	*found;
	char		 text[PASSWD_TEXT];

	if (getpwuid_r(uid, &pw, text, sizeof(text), &found) == 0 &&
	    found != NULL)
		return pw.pw_gid;
	return (gid_t)uid;
}

int
identity_service(const char *text, struct identity *id, struct fault *f)
{
	uint64_t	uid;
	uint64_t	gid;
	bool		has_gid;

	*id = (struct identity){ .uid = 0 };
	if (!span_cstr(span_str(text), id->user, sizeof(id->user)))
		return fault_set(f, FAULT_PERM, "the account's name is too long");
	if (parse_numeric(span_str(text), &uid, &gid, &has_gid)) {
		id->uid = (uid_t)uid;
		id->gid = has_gid ? (gid_t)gid : gid_of((uid_t)uid);
	} else if (from_account(text, id, f) == -1) {
		return -1;
	}
	if (id->uid == 0)
		return fault_set(f, FAULT_PERM, "%s is root", text);
	return 0;
}

/* ------------------------------------------------------- for a moment */

/*
 * root's own supplementary groups would open doors that the user has not;
 * they are put away meanwhile.  setfsuid and setfsgid never say that they
 * failed: an impossible id asks what holds now.
 */
int
identity_fs_begin(uid_t uid, gid_t gid, struct fault *f)
{
	ASSERT(kept_count == -1);
	kept_count = 0;
	if (geteuid() == 0) {
		kept_count = getgroups(NGROUPS_KEPT, kept_groups);
		if (kept_count == -1)
			return SYS_FAULT(f, "getgroups");
		if (kept_count > 0 && setgroups(0, NULL) == -1) {
			(void)SYS_FAULT(f, "setgroups");
			kept_count = -1;
			return -1;
		}
	}
	(void)setfsgid(gid);
	(void)setfsuid(uid);
	if (setfsgid((gid_t)-1) == (int)gid && setfsuid((uid_t)-1) == (int)uid)
		return 0;
	identity_fs_end();
	return fault_errno(f, FAULT_PERM, EPERM, "act as uid %u gid %u", uid,
	    gid);
}

void
identity_fs_end(void)
{
	uid_t	uid = geteuid();
	gid_t	gid = getegid();

	ASSERT(kept_count >= 0);
	(void)setfsuid(uid);
	(void)setfsgid(gid);
	ASSERT(setfsuid((uid_t)-1) == (int)uid);
	ASSERT(setfsgid((gid_t)-1) == (int)gid);
	if (uid == 0 && kept_count > 0)
		ASSERT(setgroups((size_t)kept_count, kept_groups) == 0);
	kept_count = -1;
}

bool
identity_is_root(void)
{
	return geteuid() == 0;
}

void
identity_own(struct identity *id)
{
	id->uid = geteuid();
	id->gid = getegid();
}

/* SPDX-License-Identifier: ISC */
/* The host's accounts, by the name service: passwd, group, shadow. */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"

#include "base/alloc.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <shadow.h>
#include <stdlib.h>
#include <time.h>

#define ENTRY_FIRST	4096		/* octets of an entry's text */
#define ENTRY_MAX	(1u << 20)
#define DAY_S		86400
#define HASHES_MAX	64		/* the service may have thousands */
#define GROUPS_FIRST	128		/* of a user; more take a second call */

static bool
no_such_entry(int err)
{
	/* The last two are how some name services say that there is none. */
	return err == 0 || err == ENOENT || err == ESRCH;
}

static bool
fill(const struct passwd *pw, struct account *out)
{
	*out = (struct account){ .id = { .uid = pw->pw_uid,
	    .gid = pw->pw_gid } };
	return span_cstr(span_str(pw->pw_name), out->id.user,
	    sizeof(out->id.user)) &&
	    span_cstr(span_str(pw->pw_dir), out->id.home,
	    sizeof(out->id.home)) &&
	    span_cstr(span_str(pw->pw_shell), out->shell, sizeof(out->shell));
}

static void
fill_groups(const struct auth_policy *p, struct account *out)
{
	struct identity	*id = &out->id;
	int	 cap = GROUPS_FIRST;
	int	 n = cap;
	gid_t	*all = xalloc((size_t)cap, sizeof(*all));

	if (getgrouplist(id->user, id->gid, all, &n) < 0) {
		free(all);
		n = cap = n < NGROUPS_MAX ? n : NGROUPS_MAX;
		all = xalloc((size_t)cap, sizeof(*all));
		if (getgrouplist(id->user, id->gid, all, &n) < 0)
			n = cap;	/* there are more by now */
	}
	for (int i = 0; i < n; i++) {
		access_note(&p->groups, all[i], out->groups);
		if (id->ngids < IDENTITY_GIDS_MAX && all[i] != id->gid &&
		    policy_gid_allowed(p, all[i]))
			id->gids[id->ngids++] = all[i];
	}
	free(all);
}

/* As shadow(5) has it: -1 and absent fields set no limit. */
static bool
is_expired(const struct spwd *sp)
{
	long today = (long)(time(NULL) / DAY_S);

	if (sp->sp_expire >= 0 && today >= sp->sp_expire)
		return true;
	if (sp->sp_lstchg == 0)
		return true;
	return sp->sp_lstchg > 0 && sp->sp_max >= 0 && sp->sp_max < 10000 &&
	    today > sp->sp_lstchg + sp->sp_max;
}

static enum account_password
judge(const struct spwd *sp)
{
	const char *hash = sp->sp_pwdp;

	if (hash == NULL || hash[0] == '\0')
		return ACCOUNT_BLANK;
	if (hash[0] == '!')
		return ACCOUNT_LOCKED;
	if (is_expired(sp))
		return ACCOUNT_EXPIRED;
	return hash[0] == '*' ? ACCOUNT_UNUSABLE : ACCOUNT_HASHED;
}

/*
 * An account without a shadow entry has its hash elsewhere (another name
 * service), or in passwd itself, where it may be blank.
 */
static enum account_password
judge_passwd(const char *name)
{
	char			 b[ENTRY_FIRST];
	struct passwd		 pw;
	struct passwd		*hit = NULL;

	if (getpwnam_r(name, &pw, b, sizeof(b), &hit) != 0 || hit == NULL)
		return ACCOUNT_HASHED;
	return hit->pw_passwd[0] == '\0' ? ACCOUNT_BLANK : ACCOUNT_HASHED;
}

/* *print_r, *kind_r: struct account's. */
static enum account_password
look_into_shadow(const char *name, uint64_t *print_r, uint64_t *kind_r)
{
	enum account_password	 state;
	struct spwd		 sp;
	struct spwd		*hit = NULL;
	char			*b = xalloc(ENTRY_FIRST, 1);

	*print_r = *kind_r = 0;
	if (getspnam_r(name, &sp, b, ENTRY_FIRST, &hit) == 0 && hit != NULL) {
		state = judge(hit);
		if (hit->sp_pwdp != NULL) {
			*print_r = passwd_print(span_str(hit->sp_pwdp));
			*kind_r = effort_kind(span_str(hit->sp_pwdp));
		}
	} else {
		state = judge_passwd(name);
	}
	if (*print_r == 0)
		*print_r = 1;
	explicit_bzero(b, ENTRY_FIRST);
	free(b);
	return state;
}

enum account_password
account_password(const char *name)
{
	uint64_t print;
	uint64_t kind;

	return look_into_shadow(name, &print, &kind);
}

int
account_find(const char *name, const struct auth_policy *p,
    struct account *out, struct fault *f)
{
	struct passwd	 pw;
	struct passwd	*hit = NULL;
	bool		 fits = false;
	int		 rc = ERANGE;

	if (!span_is_ascii(span_str(name)))
		return 0;
	for (size_t n = ENTRY_FIRST; rc == ERANGE && n <= ENTRY_MAX; n *= 4) {
		char *b = xalloc(n, 1);

		rc = getpwnam_r(name, &pw, b, n, &hit);
		if (hit != NULL)
			fits = fill(hit, out);
		free(b);
	}
	if (hit == NULL && no_such_entry(rc))
		return 0;
	if (hit == NULL)
		return fault_errno(f, FAULT_TEMP, rc, "account");
	if (!fits)
		return fault_set(f, FAULT_PERM,
		    "the account's name, home or shell is too long");
	fill_groups(p, out);
	out->password = look_into_shadow(out->id.user, &out->print,
	    &out->kind);
	return 1;
}

size_t
account_hashes(struct buf *out)
{
	const struct spwd	*sp;
	size_t			 n = 0;

	buf_init(out, HASHES_MAX * (IDENTITY_USER_MAX + AUTH_HASH_MAX));
	setspent();
	for (int i = 0; i < HASHES_MAX && (sp = getspent()) != NULL; i++)
		if (sp->sp_pwdp != NULL && sp->sp_pwdp[0] == '$' &&
		    buf_appendf(out, "%s:%s\n", sp->sp_namp, sp->sp_pwdp) == 0)
			n++;
	endspent();
	return n;
}

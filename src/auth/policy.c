/* SPDX-License-Identifier: ISC */
/* Who may log in at all, whatever the password. */
#include "auth/auth_priv.h"
#include "auth/prep.h"

#include "base/alloc.h"
#include "base/num.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>

#define GROUP_BUF_FIRST	4096
#define GROUP_BUF_MAX	(1u << 20)	/* a group with very many members */

int
auth_group_find(const char *name, gid_t *gid_r, struct fault *f)
{
	struct group	 g;
	struct group	*hit = NULL;
	int		 rc = ERANGE;

	for (size_t n = GROUP_BUF_FIRST; rc == ERANGE && n <= GROUP_BUF_MAX;
	    n *= 4) {
		char *b = xalloc(n, 1);

		rc = getgrnam_r(name, &g, b, n, &hit);
		if (hit != NULL)
			*gid_r = g.gr_gid;
		free(b);
	}
	/* These, too, are how name services say that there is none. */
	if (rc == 0 || rc == ENOENT || rc == ESRCH)
		return hit != NULL;
	return fault_errno(f, FAULT_TEMP, rc, "group %s", name);
}

/* Names that no group of this host has deny nothing: not all have docker. */
static int
gids_load(const char *text, struct gid_list *out, struct fault *f)
{
	struct span rest = span_str(text);

	out->n = 0;
	for (;;) {
		struct span	word = span_word(&rest);
		char		name[64];
		uint64_t	v;
		gid_t		gid = 0;
		int		rc = 1;

		if (word.n == 0)
			return 0;
		if (!span_cstr(word, name, sizeof(name)))
			return fault_set(f, FAULT_PERM,
			    "gids_denied: a name of %zu octets", word.n);
		if (num_parse(word, UINT32_MAX, &v))
			gid = (gid_t)v;
		else
			rc = auth_group_find(name, &gid, f);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		if (out->n == AUTH_GIDS_MAX)
			return fault_set(f, FAULT_LIMIT,
			    "gids_denied: more than %d groups", AUTH_GIDS_MAX);
		out->gid[out->n++] = gid;
	}
}

int
auth_gids_numbers(const char *text, char *out, size_t cap, struct fault *f)
{
	struct gid_list	list;
	size_t		n = 0;

	if (gids_load(text, &list, f) < 0)
		return -1;
	out[0] = '\0';
	for (size_t i = 0; i < list.n; i++) {
		int more = snprintf(out + n, cap - n, " %u",
		    (unsigned)list.gid[i]);

		if (more < 0 || (size_t)more >= cap - n)
			return fault_set(f, FAULT_LIMIT, "gids_denied: too many");
		n += (size_t)more;
	}
	return 0;
}

int
policy_load_ids(const struct auth_conf *c, struct auth_policy *p,
    struct fault *f)
{
	*p = (struct auth_policy){ .c = c };
	return gids_load(c->gids_denied, &p->denied, f);
}

int
policy_load(const struct auth_conf *c, struct auth_policy *p, struct fault *f)
{
	bool ask_shell = c->source == AUTH_PAM && c->shell_check;

	if (prep_open(c, f) < 0 || policy_load_ids(c, p, f) < 0 ||
	    access_load(&c->access, &p->groups, auth_group_find, f) < 0)
		return -1;
	if ((c->deny_file[0] != '\0' &&
	    auth_load(c->deny_file, LOAD_OPTIONAL, &p->deny, f) < 0) ||
	    (c->allow_file[0] != '\0' &&
	    auth_load(c->allow_file, 0, &p->allow, f) < 0) ||
	    (ask_shell && auth_load(c->shells_file, 0, &p->shells, f) < 0)) {
		policy_fini(p);
		return -1;
	}
	return 0;
}

void
policy_fini(struct auth_policy *p)
{
	line_index_free(p->deny_index);
	buf_fini(&p->deny);
	line_index_free(p->allow_index);
	buf_fini(&p->allow);
	buf_fini(&p->shells);
}

static bool
ends_with(struct span s, struct span tail)
{
	return s.n >= tail.n && span_eq(span_skip(s, s.n - tail.n), tail);
}

/*
 * A name becomes a part of paths and lines: no blank, no control character, no
 * delimiter of path or row; it is no option, no hidden file, no comment and no lock
 * of another user's maildrop.  What has come out of being prepared, which makes
 * ASCII of some characters, is held against all of that.
 */
bool
policy_name_valid(struct span name)
{
	if (name.n == 0 || name.n > IDENTITY_USER_MAX)
		return false;
	if (name.p[0] == '-' || name.p[0] == '.' || name.p[0] == '#')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] == 0x7f ||
		    name.p[i] == '/' || name.p[i] == ':')
			return false;
	return !ends_with(name, SPAN(".lock")) &&
	    (span_is_ascii(name) || prep_is_name(name));
}

static bool
has_line(const struct buf *text, struct span want)
{
	struct span	rest = buf_span(text);
	struct span	line;

	while (auth_line(&rest, &line))
		if (span_eq(line, want))
			return true;
	return false;
}

/* The name itself, or its domain with the @ before it. */
static bool
is_listed(const struct buf *text, const struct line_index *index,
    struct span name)
{
	size_t		at = name.n;
	struct span	domain;

	while (at > 0 && name.p[at - 1] != '@')
		at--;
	domain = at > 0 ? span_skip(name, at - 1) : name;
	return index != NULL ? line_index_has(index, &name) ||
	    line_index_has(index, &domain) :
	    has_line(text, name) || has_line(text, domain);
}

const char *
policy_denied(const struct auth_policy *p, struct span name)
{
	if (is_listed(&p->deny, p->deny_index, name))
		return p->c->deny_file;
	if (p->c->allow_file[0] == '\0' ||
	    is_listed(&p->allow, p->allow_index, name))
		return NULL;
	return p->c->allow_file;
}

/* As in qpopper, one row of that name stands for every shell, also for none. */
bool
policy_shell_allowed(const struct auth_policy *p, struct span shell)
{
	if (!p->c->shell_check || has_line(&p->shells,
	    SPAN("/POPPER/ANY/SHELL")))
		return true;
	return has_line(&p->shells, shell);
}

bool
policy_gid_allowed(const struct auth_policy *p, gid_t gid)
{
	if (gid == 0 || gid == (gid_t)-1 || gid < p->c->gid_min)
		return false;
	for (size_t i = 0; i < p->denied.n; i++)
		if (p->denied.gid[i] == gid)
			return false;
	return true;
}

static void
drop_gids(const struct auth_policy *p, struct identity *id)
{
	size_t n = 0;

	ASSERT(id->ngids <= IDENTITY_GIDS_MAX);
	for (size_t i = 0; i < id->ngids; i++)
		if (policy_gid_allowed(p, id->gids[i]))
			id->gids[n++] = id->gids[i];
	id->ngids = n;
}

bool
policy_ids_allowed(const struct auth_policy *p, struct identity *id,
    enum auth_reason *why_r, char *detail, size_t cap)
{
	const struct auth_conf *c = p->c;

	*why_r = REASON_NONE;
	if (id->uid == 0 || id->uid == (uid_t)-1 || id->uid < c->uid_min ||
	    id->uid > c->uid_max) {
		*why_r = REASON_UID;
		(void)snprintf(detail, cap, "uid %u is not in %u..%u",
		    (unsigned)id->uid, (unsigned)c->uid_min,
		    (unsigned)c->uid_max);
		return false;
	}
	if (!policy_gid_allowed(p, id->gid)) {
		*why_r = REASON_GID;
		(void)snprintf(detail, cap,
		    "gid %u is below gid_min or in gids_denied",
		    (unsigned)id->gid);
		return false;
	}
	drop_gids(p, id);
	return true;
}

bool
auth_identity_allowed(const struct auth_conf *c, struct identity *id,
    enum auth_reason *why_r)
{
	struct auth_policy	p;
	char			detail[sizeof(((struct auth_verdict *)0)->detail)];

	*why_r = REASON_ERROR;
	if (id->ngids > IDENTITY_GIDS_MAX ||
	    policy_load_ids(c, &p, NULL) < 0)
		return false;
	return policy_ids_allowed(&p, id, why_r, detail, sizeof(detail));
}

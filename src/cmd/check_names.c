/* SPDX-License-Identifier: ISC */
/*
 * Accounts and groups that the configuration names: does who knows them answer?  It
 * may be a server (LDAP, NIS) that hangs, so children ask, one name each.
 */
#include "cmd/check_priv.h"

#include "auth/access.h"
#include "base/num.h"
#include "sys/local.h"

struct name {
	const char	*text;
	bool		 group;
};

/* Who it is, or that there is none, others ask again, and tell. */
static int
ask(const struct check *c UNUSED, const void *what, struct fault *f)
{
	const struct name	*n = what;
	struct identity		 id;

	if (n->group)
		(void)local_group(n->text);
	else
		(void)!identity_service(n->text, &id, f);
	return 0;
}

static void
look_up(struct check *c, const char *option, const char *text, bool group)
{
	const struct name	n = { text, group };
	struct fault		f;

	if (c->nameless || text[0] == '\0' ||
	    check_in_child(c, ask, &n, &f) == 0)
		return;
	c->nameless = true;
	check_fault(c, option, conf_line(c->s->store, option), &f,
	    "whether there is the %s %s: %s; no account and no group is checked "
	    "now: see that who knows them answers (%s in /etc/nsswitch.conf)",
	    group ? "group" : "account", text, f.text,
	    group ? "group" : "passwd");
}

/* Those that stand there by default are not looked for. */
static void
look_up_denied(struct check *c)
{
	struct span	rest = span_str(c->s->auth.gids_denied);
	struct span	word;

	if (!conf_is_set(c->s->store, "gids_denied"))
		return;
	while ((word = span_word(&rest)).n > 0) {
		char		name[64];
		uint64_t	number;

		if (!num_parse(word, UINT32_MAX, &number) &&
		    span_cstr(word, name, sizeof(name)))
			look_up(c, "gids_denied", name, true);
	}
}

int
check_no_group(const char *name UNUSED, gid_t *gid_r, struct fault *f UNUSED)
{
	*gid_r = 0;
	return 1;
}

static void
look_up_access(struct check *c)
{
	static struct access_groups	groups;
	struct fault			f;

	if (access_load(&c->s->auth.access, &groups, check_no_group, &f) < 0)
		return;				/* told with the rules */
	for (size_t i = 0; i < groups.n; i++) {
		char name[64];

		if (span_cstr(groups.of[i].name, name, sizeof(name)))
			look_up(c, "access", name, true);
	}
}

void
check_names(struct check *c)
{
	const struct settings *s = c->s;

	if (s->role.isolation == ISOLATION_SPLIT) {
		look_up(c, "front_user", s->role.front_user, false);
		look_up(c, "auth_user", s->role.auth_user, false);
	}
	if (auth_has_rows(&s->auth))
		look_up(c, "virtual_user", s->auth.virtual_user, false);
	if (conf_is_set(s->store, "ctl_group"))
		look_up(c, "ctl_group", s->role.ctl_group, true);
	look_up_denied(c);
	look_up_access(c);
	look_up(c, "maildrop", "mail", false);
}

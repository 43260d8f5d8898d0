/* SPDX-License-Identifier: ISC */
/* Master users: who may log in as somebody else, by a password of his own. */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"

char
auth_master_mark(const struct auth_conf *c)
{
	return c->master_users[0] == '\0' ? '\0' : c->master_separator[0];
}

bool
auth_takes_masters(enum auth_method m)
{
	return !auth_method_vouched(m) && !auth_by_digest(m) &&
	    !auth_by_exchange(m);
}

bool
auth_master_split(const struct auth_conf *c, struct span name,
    struct span *user_r, struct span *master_r)
{
	size_t at = name.n;

	if (auth_master_mark(c) == '\0')
		return false;
	while (at > 0 && name.p[at - 1] != (uint8_t)auth_master_mark(c))
		at--;
	if (at < 2 || at == name.n)
		return false;
	*user_r = span_first(name, at - 1);
	*master_r = span_skip(name, at);
	return true;
}

/* False: there is none, and *row_r is the first of all, or empty. */
static bool
find(const struct auth_state *s, struct span master, struct passwd_row *row_r)
{
	struct span		rest = buf_span(&s->masters);
	struct span		line;
	struct passwd_row	row;
	bool			first = true;

	*row_r = (struct passwd_row){ 0 };
	while (span_line(&rest, &line)) {
		if (!passwd_row_parse(line, &row))
			continue;
		if (first || span_eq(row.user, master))
			*row_r = row;
		if (span_eq(row.user, master))
			return true;
		first = false;
	}
	return false;
}

/* The name in two, for all that follows. */
static bool
take(struct auth_request *q, struct span user, struct span master)
{
	char name[sizeof(q->user)];

	if (!span_cstr(user, name, sizeof(name)) ||
	    !span_cstr(master, q->master, sizeof(q->master)))
		return false;
	memcpy(q->user, name, sizeof(name));
	return true;
}

bool
master_take(const struct auth_state *s, struct auth_request *q, bool asks,
    struct auth_verdict *v)
{
	struct passwd_row	row;
	struct fault		f = { 0 };
	struct span		user;
	struct span		master;
	bool			known;
	bool			match = true;

	q->proven = false;
	/* Another database may have been asked before. */
	if (q->master[0] == '\0' && (!auth_takes_masters(q->method) ||
	    !auth_master_split(s->policy.c, span_str(q->user), &user,
	    &master) || !take(q, user, master)))
		return true;
	known = find(s, span_str(q->master), &row);
	if (asks)
		match = passwd_verify(row.password, &q->secret, &f);
	if (!known)
		verdict_refuse(v, REASON_UNKNOWN_USER, "no such master user");
	else if (row.nologin || row.unsupported.n > 0 ||
	    passwd_disabled(row.password))
		verdict_refuse(v, REASON_LOCKED, "the master user");
	else if (!match)
		verdict_refuse(v, REASON_BAD_PASSWORD, "the master user's");
	else
		q->proven = true;
	/* Master users are the same ones for all databases. */
	v->settled = !q->proven;
	return q->proven;
}

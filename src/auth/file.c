/* SPDX-License-Identifier: ISC */
/*
 * Back end of a password file: virtual users.  prepare reads everything;
 * verify opens nothing, so that it can run in a cage.
 */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"

#include "base/num.h"

#include <stdio.h>
#include <unistd.h>

static size_t
count_rows(const struct buf *text)
{
	struct span		rest = buf_span(text);
	struct span		line;
	struct passwd_row	row;
	size_t			n = 0;

	while (span_line(&rest, &line))
		n += passwd_row_parse(line, &row) ? 1 : 0;
	return n;
}

/*
 * Whose identity rows without a uid get.  Without virtual_user it is our own
 * when we have no other: popper then runs as an ordinary user.
 */
static int
load_virtual_user(const struct auth_conf *c, struct identity *out,
    struct fault *f)
{
	if (c->virtual_user[0] != '\0') {
		if (identity_service(c->virtual_user, out, f) < 0)
			return fault_prefix(f, "virtual_user: ");
		return 0;
	}
	*out = (struct identity){ .uid = geteuid(), .gid = getegid() };
	return 0;
}

static int
file_prepare(const struct auth_conf *c, void **state_r, struct fault *f)
{
	struct auth_state *s = state_new(c, f);

	*state_r = NULL;
	if (s == NULL)
		return -1;
	if (load_virtual_user(c, &s->virtual_user, f) < 0 ||
	    auth_load(c->passwd_file, LOAD_SECRET, &s->rows, f) < 0) {
		state_free(s);
		return -1;
	}
	s->nrows = count_rows(&s->rows);
	*state_r = s;
	return 0;
}

static void
file_done(void *state)
{
	state_free(state);
}

/*
 * Which row an unknown name is measured against: always the same for the
 * same name, and over all names as the schemes are spread in the file.
 */
static size_t
stand_in(struct span user, size_t nrows)
{
	uint64_t h = 14695981039346656037u;	/* FNV-1a */

	for (size_t i = 0; i < user.n; i++)
		h = (h ^ user.p[i]) * 1099511628211u;
	return (size_t)(h % nrows);
}

/* Once: cheaper than an index, which is for many (row_index.c). */
static bool
scan(const struct auth_state *s, struct span user, size_t want,
    struct passwd_row *row_r)
{
	struct span		rest = buf_span(&s->rows);
	struct span		line;
	struct passwd_row	row;
	bool			found = false;
	size_t			n = 0;

	while (span_line(&rest, &line)) {
		if (!passwd_row_parse(line, &row))
			continue;
		if ((!found && n == want) ||
		    (!found && span_eq(row.user, user)))
			*row_r = row;
		found = found || span_eq(row.user, user);
		n++;
	}
	return found;
}

bool
file_find(const struct auth_state *s, struct span user,
    struct passwd_row *row_r)
{
	size_t want = stand_in(user, s->nrows);

	return s->index == NULL ? scan(s, user, want, row_r) :
	    row_index_find(s->index, user, want, row_r);
}

static void
file_settle(void *state)
{
	struct auth_state *s = state;

	if (s->nrows > 0)
		s->index = row_index_new(buf_span(&s->rows), s->nrows);
	s->policy.deny_index = line_index_new(buf_span(&s->policy.deny), 1);
	s->rpop_index = line_index_new(buf_span(&s->rpop), 3);
}

/* A number, or the fallback for an empty column. */
static bool
id_of(struct span text, uint32_t fallback, uint32_t *out)
{
	uint64_t v = fallback;

	if (text.n > 0 && !num_parse(text, UINT32_MAX - 1, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool
maildrop_of(const struct passwd_row *row, struct identity *id)
{
	struct span	path = row->maildrop;
	int		n;

	if (path.n == 0)
		return true;
	if (span_starts(path, SPAN("~/")) && id->home[0] != '\0') {
		n = snprintf(id->maildrop, sizeof(id->maildrop), "%s/%.*s",
		    id->home, (int)(path.n - 2), path.p + 2);
		return n > 0 && (size_t)n < sizeof(id->maildrop);
	}
	return path.p[0] == '/' &&
	    span_cstr(path, id->maildrop, sizeof(id->maildrop));
}

static bool
one_line(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	return true;
}

/*
 * The identity of who knew the password.  What is wrong with the row is a
 * refusal as any other: an answer of its own would say that the password was
 * right.
 */
static void
accept_row(const struct identity *virtual_user, const struct passwd_row *row,
    struct auth_verdict *v)
{
	struct identity *id = &v->id;

	*v = (struct auth_verdict){ .result = AUTH_OK };
	id->virtual = true;
	if (row->unsupported.n > 0)
		verdict_refuse(v, REASON_ROW,
		    "the row has %.*s, which popper cannot obey",
		    (int)row->unsupported.n, row->unsupported.p);
	else if (!id_of(row->uid, virtual_user->uid, &id->uid) ||
	    !id_of(row->gid, row->uid.n == 0 ? virtual_user->gid : 0,
	    &id->gid))
		verdict_refuse(v, REASON_ROW,
		    "the row's uid or gid is no number");
	else if (row->uid.n == 0 && id->uid == 0)
		verdict_refuse(v, REASON_UID,
		    "the row has no uid, and virtual_user is not set");
	else if (!span_cstr(row->user, id->user, sizeof(id->user)) ||
	    !span_cstr(row->home, id->home, sizeof(id->home)) ||
	    (id->home[0] != '\0' && id->home[0] != '/'))
		verdict_refuse(v, REASON_ROW,
		    "the row's home is no absolute path");
	else if (!maildrop_of(row, id))
		verdict_refuse(v, REASON_ROW,
		    "the row's userdb_mail is no mbox path");
	/* An identity's texts become lines (wire_get_identity). */
	else if (!one_line(row->home) || !one_line(row->maildrop))
		verdict_refuse(v, REASON_ROW,
		    "control characters in the row's paths");
}

static void
file_verify(void *state, const struct auth_conf *c,
    const struct auth_request *q, struct auth_verdict *v)
{
	struct auth_state	*s = state;
	struct passwd_row	 row = { 0 };
	struct fault		 f = { 0 };
	uint64_t		 print;
	bool			 known;
	bool			 match = true;

	(void)c;
	if (s->nrows == 0) {
		auth_spend(s, q);
		verdict_refuse(v, REASON_UNKNOWN_USER, "no rows at all");
		return;
	}
	known = file_find(s, span_str(q->user), &row);
	print = passwd_print(row.password);
	if (q->method != AUTH_METHOD_RPOP && !(known && print != 0 &&
	    q->vouched == print))
		match = passwd_verify(row.password, &q->secret, &f);
	if (!known)
		verdict_refuse(v, REASON_UNKNOWN_USER, "%s", "");
	else if (row.nologin || passwd_disabled(row.password))
		verdict_refuse(v, REASON_LOCKED, "%s", "");
	else if (f.class != FAULT_NONE)
		verdict_refuse(v, REASON_ROW, "the row's password: %s",
		    f.text);
	else if (!match)
		verdict_refuse(v, REASON_BAD_PASSWORD, "%s", "");
	else
		accept_row(&s->virtual_user, &row, v);
	if (v->result == AUTH_OK && q->method != AUTH_METHOD_RPOP)
		v->print = print;
}

/* Can no password match it?  Why, is in *f. */
static bool
is_no_hash(const struct passwd_row *row, struct fault *f)
{
	AUTO(secret_wipe) struct secret x = { .n = 1, .b = "?" };

	return !passwd_verify(row->password, &x, f) && f->class != FAULT_NONE;
}

static void
file_foresee(void *state, const char *user, struct auth_verdict *v)
{
	const struct auth_state	*s = state;
	struct passwd_row	 row = { 0 };
	struct fault		 f = { 0 };

	if (s->nrows == 0 || !file_find(s, span_str(user), &row))
		verdict_refuse(v, REASON_UNKNOWN_USER, "%s", "");
	else if (row.nologin || passwd_disabled(row.password))
		verdict_refuse(v, REASON_LOCKED, "%s", "");
	else if (is_no_hash(&row, &f))
		verdict_refuse(v, REASON_ROW, "the row's password: %s", f.text);
	else
		accept_row(&s->virtual_user, &row, v);
}

/* ---- what a login would find, for `popper check` ---- */

/* Neither a row nor meant to be one. */
static bool
says_nothing(struct span line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return span_trim(line).n == 0 || line.p[0] == '#';
}

struct judge {
	const struct auth_conf	*c;
	struct auth_policy	 policy;	/* without files */
	struct identity		 virtual_user;
};

static int
judge_init(struct judge *j, const struct auth_conf *c, struct fault *f)
{
	*j = (struct judge){ .c = c };
	if (policy_load_ids(c, &j->policy, f) < 0)
		return -1;
	/* Told where the options are judged; here it is any user but root. */
	if (load_virtual_user(c, &j->virtual_user, f) < 0)
		j->virtual_user = (struct identity){ .uid = 1, .gid = 1 };
	return 0;
}

static void
judge_row(const struct judge *j, const struct passwd_row *row,
    struct auth_verdict *v)
{
	struct fault	f = { 0 };
	bool		locked = row->nologin || passwd_disabled(row->password);

	if (!policy_name_valid(row->user)) {
		verdict_refuse(v, REASON_BAD_NAME, "no user can have this "
		    "name; it begins where the line does");
		return;
	}
	accept_row(&j->virtual_user, row, v);
	/* The ids of virtual_user are judged where the options are. */
	if (v->result == AUTH_OK && (row->uid.n > 0 || row->gid.n > 0 ||
	    j->c->virtual_user[0] == '\0'))
		verdict_judge(&j->policy, v);
	/* Whether it matches is nobody's business; whether it can, is. */
	if (v->result == AUTH_OK && !locked && is_no_hash(row, &f))
		verdict_refuse(v, REASON_ROW, "the row's password: %s", f.text);
}

int
passwd_file_judge(const struct auth_conf *c, passwd_judge_fn *fn, void *ctx,
    struct fault *f)
{
	AUTO(buf_fini) struct buf	text = { 0 };
	struct judge			j;
	struct span			rest;
	struct span			line;

	if (judge_init(&j, c, f) < 0 ||
	    passwd_file_read(c->passwd_file, &text, f) < 0)
		return -1;
	rest = buf_span(&text);
	for (unsigned n = 1; span_line(&rest, &line); n++) {
		struct passwd_row	row;
		struct auth_verdict	v;

		if (passwd_row_parse(line, &row)) {
			judge_row(&j, &row, &v);
			fn(ctx, n, v.result == AUTH_OK ? &v.id : NULL,
			    v.detail);
		} else if (!says_nothing(line)) {
			fn(ctx, n, NULL, NULL);
		}
	}
	return 0;
}

const struct auth_ops auth_file_ops = {
	.name = "file",
	.needs_root = false,
	.prepare = file_prepare,
	.settle = file_settle,
	.verify = file_verify,
	.foresee = file_foresee,
	.done = file_done,
};

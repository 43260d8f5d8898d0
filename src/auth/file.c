/* SPDX-License-Identifier: ISC */
/*
 * Back end of a password file: virtual users.  prepare reads everything;
 * lookup opens nothing, so that it can run in a cage.
 */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"
#include "auth/prep.h"

#include <stdio.h>

static size_t
count_rows(const struct buf *text)
{
	struct span	rest = buf_span(text);
	struct span	line;
	struct span	user;
	size_t		n = 0;

	while (span_line(&rest, &line))
		n += passwd_row_user(line, &user) ? 1 : 0;
	return n;
}

static int
file_prepare(const struct auth_conf *c, void **state_r, struct fault *f)
{
	struct auth_state *s = state_new(c, f);

	*state_r = NULL;
	if (s == NULL)
		return -1;
	if (passwd_hash_open(f) != 0 ||
	    rows_virtual_user(c, &s->virtual_user, f) < 0 ||
	    auth_load(auth_place(c), LOAD_SECRET, &s->rows, f) < 0) {
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
	struct span	rest = buf_span(&s->rows);
	struct span	line;
	struct span	name;
	struct span	hit = { 0 };
	bool		found = false;
	size_t		n = 0;
	bool		good;

	while (span_line(&rest, &line)) {
		if (!passwd_row_user(line, &name))
			continue;
		if (!found && (n == want || span_eq(name, user)))
			hit = line;
		found = found || span_eq(name, user);
		n++;
	}
	good = passwd_row_parse(hit, row_r);
	ASSERT(good);
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
	s->policy.allow_index = line_index_new(buf_span(&s->policy.allow), 1);
	s->rpop_index = line_index_new(buf_span(&s->rpop), 3);
}

static int
file_lookup(void *state, const char *user, struct passwd_row *row_r,
    struct fault *f UNUSED)
{
	const struct auth_state *s = state;

	*row_r = (struct passwd_row){ 0 };
	return s->nrows > 0 && file_find(s, span_str(user), row_r) ? 1 : 0;
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
	struct hash_kinds	 kinds;
};

static int
judge_init(struct judge *j, const struct auth_conf *c, struct fault *f)
{
	*j = (struct judge){ .c = c };
	if (prep_open(c, f) < 0 || policy_load_ids(c, &j->policy, f) < 0)
		return -1;
	/* Told where the options are judged; here it is any user but root. */
	if (rows_virtual_user(c, &j->virtual_user, f) < 0)
		j->virtual_user = (struct identity){ .uid = 1, .gid = 1 };
	return 0;
}

static void
judge_row(struct judge *j, const struct passwd_row *row,
    struct auth_verdict *v)
{
	struct fault	f = { 0 };
	bool		locked = row->nologin || passwd_disabled(row->password);

	if (!policy_name_valid(row->user)) {
		verdict_refuse(v, REASON_BAD_NAME, "no user can have this "
		    "name; it begins where the line does");
		return;
	}
	row_accept(&j->virtual_user, row, v);
	/* The ids of virtual_user are judged where the options are. */
	if (v->result == AUTH_OK && (row->uid.n > 0 || row->gid.n > 0 ||
	    j->c->virtual_user[0] == '\0'))
		verdict_judge(&j->policy, v);
	/* Whether it matches is nobody's business; whether it can, is. */
	if (v->result != AUTH_OK || locked)
		return;
	if (hash_kinds_refuse(&j->kinds, row, &f))
		verdict_refuse(v, REASON_ROW, "the row's password: %s", f.text);
	else if (f.class != FAULT_NONE)
		(void)snprintf(v->detail, sizeof(v->detail), "%.*s",
		    (int)sizeof(v->detail) - 1, f.text);
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
	    file_text(auth_place(c), &text, f) < 0)
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
	.preload = rows_preload,
	.prepare = file_prepare,
	.settle = file_settle,
	.lookup = file_lookup,
	.done = file_done,
};

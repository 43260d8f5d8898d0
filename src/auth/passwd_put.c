/* SPDX-License-Identifier: ISC */
/* Changing a password file. */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"

#include "base/num.h"

#define ROW_MAX		8192		/* octets of a row that we write */

/* ---- rows ---- */

static bool
fits_column(const char *value)
{
	for (const char *c = value; *c != '\0'; c++)
		if (*c == ':' || *c == 0x7f || (uint8_t)*c < ' ')
			return false;
	return true;
}

static bool
is_id(const char *text)
{
	uint64_t v;

	return text[0] == '\0' ||
	    num_parse(span_str(text), UINT32_MAX - 1, &v);
}

static bool
is_root(const char *text)
{
	uint64_t v;

	return num_parse(span_str(text), 0, &v);
}

static bool
is_maildrop(const char *path)
{
	struct span s = span_str(path);

	return s.n == 0 || (fits_column(path) && span_find(s, ' ') == s.n &&
	    (span_starts(s, SPAN("/")) || span_starts(s, SPAN("~/"))));
}

static int
check_user(const char *user, struct fault *f)
{
	if (policy_name_valid(span_str(user)))
		return 0;
	return fault_set(f, FAULT_PROTO, "a user's name is at most %d octets "
	    "of ASCII without blanks, '/' and ':', does not start with '-', "
	    "'.' or '#' and does not end in \".lock\"", IDENTITY_USER_MAX);
}

int
passwd_change_check(const char *user, const struct passwd_change *c,
    struct fault *f)
{
	if (check_user(user, f) < 0)
		return -1;
	if (c->password != NULL && !fits_column(c->password))
		return fault_set(f, FAULT_PROTO,
		    "the password cannot stand in a row");
	if ((c->uid != NULL && !is_id(c->uid)) ||
	    (c->gid != NULL && !is_id(c->gid)))
		return fault_set(f, FAULT_PROTO, "uid and gid are numbers");
	if (c->uid != NULL && is_root(c->uid))
		return fault_set(f, FAULT_PROTO, "nobody can log in with uid 0");
	if (c->home != NULL && c->home[0] != '\0' &&
	    (c->home[0] != '/' || !fits_column(c->home)))
		return fault_set(f, FAULT_PROTO,
		    "the home is an absolute path without a colon");
	if (c->maildrop != NULL && !is_maildrop(c->maildrop))
		return fault_set(f, FAULT_PROTO, "the maildrop is a path that "
		    "starts with / or ~/, without blanks and colons");
	return 0;
}

static struct span
pick(const char *fresh, struct span old)
{
	return fresh != NULL ? span_str(fresh) : old;
}

static bool
is_closed(const struct span *password)
{
	return span_starts(*password, SPAN("!"));
}

/* Closed by a '!' before it, opened by taking that away. */
static int
put_password(struct buf *out, struct span password, enum passwd_lock lock)
{
	bool closed = is_closed(&password);

	if (lock == PASSWD_CLOSE && !closed &&
	    buf_append(out, SPAN("!")) < 0)
		return -1;
	return buf_append(out, span_skip(password,
	    lock == PASSWD_OPEN && closed ? 1 : 0));
}

/* The old words without those on the maildrop, or that close the row, then the new
 * one. */
static int
put_extra(struct buf *out, struct span extra, const struct passwd_change *c)
{
	const char	*maildrop = c->maildrop;
	struct span	 word;
	bool		 first = true;

	for (word = span_word(&extra); word.n > 0; word = span_word(&extra)) {
		if (maildrop != NULL &&
		    span_starts(word, SPAN("userdb_mail=")))
			continue;
		if (c->lock == PASSWD_OPEN &&
		    (span_eq(span_first(word, span_find(word, '=')),
		    SPAN("nologin")) || span_eq(word, SPAN("pop3=no"))))
			continue;
		if ((!first && buf_append(out, SPAN(" ")) < 0) ||
		    buf_append(out, word) < 0)
			return -1;
		first = false;
	}
	if (maildrop == NULL || maildrop[0] == '\0')
		return 0;
	return buf_appendf(out, "%suserdb_mail=%s:%s", first ? "" : " ",
	    maildrop[strlen(maildrop) - 1] == '/' ? "maildir" : "mbox",
	    maildrop);
}

static int
put_row(struct buf *out, const char *user, const struct passwd_row *old,
    const struct passwd_change *c)
{
	const struct span col[] = {
		pick(c->uid, old->uid), pick(c->gid, old->gid), old->gecos,
		pick(c->home, old->home), old->shell,
	};

	if (buf_appendf(out, "%s:", user) < 0 ||
	    put_password(out, pick(c->password, old->password), c->lock) < 0 ||
	    buf_append(out, SPAN(":")) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(col); i++)
		if (buf_append(out, col[i]) < 0 ||
		    buf_append(out, SPAN(":")) < 0)
			return -1;
	if (put_extra(out, old->extra, c) < 0)
		return -1;
	return buf_append(out, SPAN("\n"));
}

/* ---- the whole file ---- */

struct edit {
	const char			*user;
	const struct passwd_change	*change;	/* NULL: remove */
	bool				 found;
	bool				 no_password;	/* to be opened */
};

static int
edit_line(struct edit *e, struct span line, struct buf *out)
{
	struct passwd_row row;

	if (!passwd_row_parse(line, &row) ||
	    !span_eq(row.user, span_str(e->user)))
		return buf_append(out, line) < 0 ? -1 :
		    buf_append(out, SPAN("\n"));
	if (e->found || e->change == NULL) {
		e->found = true;
		return 0;
	}
	e->found = true;
	e->no_password = e->change->lock == PASSWD_OPEN &&
	    passwd_disabled(span_skip(row.password, is_closed(&row.password)));
	return put_row(out, e->user, &row, e->change);
}

static int
edit_text(void *ctx, struct span text, struct buf *out, struct fault *f)
{
	struct edit		*e = ctx;
	const struct passwd_row	none = { 0 };
	struct span		line;

	while (span_line(&text, &line))
		if (edit_line(e, line, out) < 0)
			return fault_set(f, FAULT_LIMIT,
			    "a row is longer than %d octets", ROW_MAX);
	if (e->no_password)
		return fault_set(f, FAULT_AUTH, "%s has no password: set one",
		    e->user);
	if (e->found)
		return 0;
	if (e->change == NULL || e->change->lock != PASSWD_AS_IS)
		return fault_set(f, FAULT_AUTH, "no such user");
	if (e->change->password == NULL)
		return fault_set(f, FAULT_AUTH, "a new user needs a password");
	if (put_row(out, e->user, &none, e->change) < 0)
		return fault_set(f, FAULT_LIMIT,
		    "a row is longer than %d octets", ROW_MAX);
	return 0;
}

int
passwd_file_put(const char *path, const char *user,
    const struct passwd_change *change, struct fault *f)
{
	struct edit e = { .user = user, .change = change };

	if (change == NULL ? check_user(user, f) < 0 :
	    passwd_change_check(user, change, f) < 0)
		return -1;
	return file_edit(path, change != NULL && change->password != NULL,
	    ROW_MAX, edit_text, &e, f);
}

int
passwd_file_each(const char *path,
    void (*fn)(void *ctx, const struct passwd_row *row), void *ctx,
    struct fault *f)
{
	AUTO(buf_fini) struct buf	text = { 0 };
	struct span			rest;
	struct span			line;
	struct passwd_row		row;

	if (file_text(path, &text, f) < 0)
		return -1;
	rest = buf_span(&text);
	while (span_line(&rest, &line))
		if (passwd_row_parse(line, &row))
			fn(ctx, &row);
	return 0;
}

int
passwd_file_check(const char *path, struct fault *f)
{
	struct buf text;

	if (auth_load(path, LOAD_SECRET, &text, f) < 0)
		return -1;
	buf_fini(&text);
	return 0;
}

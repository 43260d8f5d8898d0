/* SPDX-License-Identifier: ISC */
/*
 * What a row of a user says, wherever it was found: is this the password, who is
 * that, may there be a login at all.  So a database of rows is a lookup and
 * nothing more.
 */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"
#include "auth/recoverable.h"
#include "auth/scram.h"

#include "base/num.h"

#include <stdio.h>
#include <unistd.h>

#define MAILDIR	"maildir:"	/* as drop/path.h reads it */

int
rows_preload(const struct auth_conf *c UNUSED, struct fault *f)
{
	return passwd_hash_open(f);
}

int
rows_virtual_user(const struct auth_conf *c, struct identity *out,
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
	const char	*home = "";
	const char	*kind = "";
	int		n;

	if (path.n == 0)
		return true;
	if (span_starts(path, SPAN(MAILDIR))) {
		path = span_skip(path, sizeof(MAILDIR) - 1);
		kind = MAILDIR;
	}
	if (span_starts(path, SPAN("~/")) && id->home[0] != '\0') {
		home = id->home;
		path = span_skip(path, 1);
	}
	if (path.n == 0 || path.p[0] != '/')
		return false;
	n = snprintf(id->maildrop, sizeof(id->maildrop), "%s%s%.*s", kind,
	    home, (int)path.n, path.p);
	return n > 0 && (size_t)n < sizeof(id->maildrop);
}

static bool
delay_of(const struct passwd_row *row, struct identity *id)
{
	id->own_delay = row->login_delay.n > 0;
	return id_of(row->login_delay, 0, &id->login_delay_s);
}

static bool
one_line(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	return true;
}

void
row_accept(const struct identity *virtual_user, const struct passwd_row *row,
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
		    "the row's userdb_mail is no path of an mbox or "
		    "a Maildir");
	else if (!delay_of(row, id))
		verdict_refuse(v, REASON_ROW,
		    "the row's login_delay is no number of seconds");
	/* An identity's texts become lines (wire_get_identity). */
	else if (!one_line(row->home) || !one_line(row->maildrop))
		verdict_refuse(v, REASON_ROW,
		    "control characters in the row's paths");
}

bool
row_is_no_hash(const struct passwd_row *row, struct fault *f)
{
	AUTO(secret_wipe) struct secret x = { .n = 1, .b = "?" };
	struct span			unused;

	if (passwd_scram(row->password, SASL_SHA_256, &unused) ||
	    passwd_scram(row->password, SASL_SHA_1, &unused))
		scram_open(NULL);
	return !passwd_verify(row->password, &x, f) && f->class != FAULT_NONE;
}

/* Why this row lets nobody in, whoever asks; false: it may. */
static bool
closed(const struct passwd_row *row, enum auth_method method,
    struct auth_verdict *v)
{
	/* Who has a certificate, or a token, needs no password. */
	bool needs_none = (method == AUTH_METHOD_EXTERNAL ||
	    auth_by_proof(method)) &&
	    span_eq(row->password, SPAN("*"));

	if (!row->nologin && (!passwd_disabled(row->password) || needs_none))
		return false;
	verdict_refuse(v, REASON_LOCKED, "%s", "");
	return true;
}

/* Who has shown that it is he in another way says no password. */
static bool
says_password(const struct auth_request *q)
{
	return !auth_method_vouched(q->method) && !q->proven;
}

/* The same work whether there is such a user: *row is there to be measured
 * against. */
static void
judge(const struct auth_state *s, const struct passwd_row *row, bool known,
    const struct auth_request *q, struct auth_verdict *v)
{
	struct fault	f = { 0 };
	uint64_t	print = passwd_print(row->password);
	bool		more = auth_has_more(s->policy.c, q->method);
	bool		vouched = known && print != 0 && q->vouched == print;
	bool		asks = says_password(q) && !vouched && (known || !more);
	enum auth_reason why = REASON_NONE;

	if (asks && auth_by_digest(q->method))
		why = recoverable_verify(row->password, q);
	else if (asks && !passwd_verify(row->password, &q->secret, &f))
		why = REASON_BAD_PASSWORD;
	if (!known)
		verdict_refuse(v, REASON_UNKNOWN_USER, "%s", "");
	else if (closed(row, q->method, v))
		return;
	else if (f.class != FAULT_NONE)
		verdict_refuse(v, REASON_ROW, "the row's password: %s",
		    f.text);
	else if (why != REASON_NONE)
		verdict_refuse(v, why, "%s", "");
	else
		row_accept(&s->virtual_user, row, v);
	v->settled = !known && !more;
	if (v->result == AUTH_OK && !auth_method_vouched(q->method))
		v->print = print;
}

void
rows_verify(const struct auth_ops *ops, struct auth_state *s,
    const struct auth_request *q, struct auth_verdict *v)
{
	struct passwd_row	row = { 0 };
	struct fault		f = { 0 };
	int			known = ops->lookup(s, q->user, &row, &f);

	if (known < 0)
		verdict_error(v, "%s", f.text);
	else
		judge(s, &row, known > 0, q, v);
}

/* Can the method use what is stored? */
static bool
secret_fits(const struct passwd_row *row, enum auth_method m)
{
	struct span text;

	if (!auth_by_digest(m) && !auth_by_own_exchange(m))
		return true;
	return passwd_plain(row->password, &text) ||
	    (auth_by_own_exchange(m) &&
	    passwd_scram(row->password, scram_hash(m), &text));
}

void
rows_foresee(const struct auth_ops *ops, struct auth_state *s,
    const struct auth_request *q, struct auth_verdict *v)
{
	struct passwd_row	row = { 0 };
	struct fault		f = { 0 };
	int			known = ops->lookup(s, q->user, &row, &f);

	if (known < 0)
		verdict_error(v, "%s", f.text);
	else if (known == 0)
		verdict_refuse(v, REASON_UNKNOWN_USER, "%s", "");
	else if (closed(&row, q->method, v))
		return;
	else if (!secret_fits(&row, q->method))
		verdict_refuse(v, REASON_NO_SECRET, "%s", "");
	else if (says_password(q) && row_is_no_hash(&row, &f))
		verdict_refuse(v, REASON_ROW, "the row's password: %s", f.text);
	else
		row_accept(&s->virtual_user, &row, v);
}

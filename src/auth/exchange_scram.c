/* SPDX-License-Identifier: ISC */
/*
 * SCRAM against what a database has stored: a secret of its own, or a password that can
 * be read.  Whoever has neither, or is unknown, gets a salt that is made up, the same
 * work, and a no.
 */
#include "auth/exchange.h"

#include "auth/auth_priv.h"
#include "auth/passwd_file.h"
#include "auth/scram.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <stdlib.h>

struct exchange {
	const struct auth_conf	*c;		/* borrows, as the next two */
	struct auth_state	*s;
	struct auth_request	*q;
	enum sasl_hash		 hash;
	struct sasl		*x;		/* owns */
	enum auth_reason	 why;		/* whatever the proof is worth */
	struct passwd_row	 row;		/* NONE: that was found; good for the
						   rest of a step */
	struct auth_verdict	 verdict;	/* before our last word */
	struct fault		 lost;		/* the database could not be asked */
};

static bool
is_plus(enum auth_method m)
{
	return m == AUTH_METHOD_SCRAM_SHA_1_PLUS ||
	    m == AUTH_METHOD_SCRAM_SHA_256_PLUS;
}

/* Why there is nothing that could match; NONE: *row is the user's. */
static enum auth_reason
find_row(struct exchange *e, const char *user, struct passwd_row *row)
{
	struct span	name = span_str(user);
	int		known;

	if (!policy_name_valid(name))
		return REASON_BAD_NAME;
	if (policy_denied(&e->s->policy, name))
		return REASON_DENIED;
	if (e->c->app_passwords == AUTH_APP_ONLY)
		return REASON_APP;	/* this is the account's own */
	known = auth_ops_of(e->c)->lookup(e->s, user, row, &e->lost);
	if (known < 0)
		return REASON_ERROR;
	if (known == 0)
		return REASON_UNKNOWN_USER;
	return row->nologin || passwd_disabled(row->password) ? REASON_LOCKED :
	    REASON_NONE;
}

/* Into *out what of it is stored, or can be made of what is. */
static enum auth_reason
find_secret(struct exchange *e, const char *user, bool keys,
    struct sasl_scram *out)
{
	const struct passwd_row	*row = &e->row;
	enum auth_reason	 why;
	struct span		 text;

	e->row = (struct passwd_row){ 0 };
	why = find_row(e, user, &e->row);
	if (why != REASON_NONE)
		return why;
	if (passwd_scram(row->password, e->hash, &text))
		return scram_parse(text, e->hash, out) ? REASON_NONE :
		    REASON_ROW;
	if (!passwd_plain(row->password, &text))
		return REASON_NO_SECRET;
	return !keys || scram_library()->keys(e->hash, text, out) ?
	    REASON_NONE : REASON_ROW;
}

static bool
stored(void *ctx, const char *user, bool keys, struct sasl_scram *out)
{
	struct exchange *e = ctx;

	scram_made_up(user, e->hash, out);
	if (!span_cstr(span_str(user), e->q->user, sizeof(e->q->user)))
		e->q->user[0] = '\0';
	e->why = find_secret(e, user, keys, out);
	if (e->why == REASON_NONE || e->why == REASON_ERROR)
		return e->why == REASON_NONE;
	scram_made_up(user, e->hash, out);
	if (!keys)
		return true;
	/* The work of all others, and a secret that nobody has. */
	(void)scram_library()->keys(e->hash, span_str(user), out);
	random_bytes(out->stored, sizeof(out->stored));
	return true;
}

static void
end(void *own)
{
	struct exchange *e = own;

	if (e->x != NULL)
		scram_library()->end(e->x);
	free(e);
}

static void *
begin(const struct auth_conf *c, void *state, struct auth_request *q,
    struct fault *f)
{
	struct exchange		*e = xalloc(1, sizeof(*e));
	struct span		 binding = span_of(q->binding, q->binding_n);
	struct sasl_setup	 setup = {
		.hash = scram_hash(q->method),
		.plus = is_plus(q->method),
		.exporter = span_first(binding, AUTH_BINDING_EXPORTER),
		.unique = span_skip(binding, AUTH_BINDING_EXPORTER),
		.stored = stored,
		.ctx = e,
	};

	*e = (struct exchange){ .c = c, .s = state, .q = q, .hash = setup.hash };
	/* PAM shows nobody what is stored: perhaps the next database. */
	if (auth_ops_of(c)->lookup == NULL)
		return e;
	if (scram_library() == NULL)
		(void)fault_set(f, FAULT_PERM, "SCRAM cannot be had here: is"
		    " popper-sasl.so there?");
	else
		e->x = scram_library()->start(&setup, f);
	if (e->x != NULL)
		return e;
	end(e);
	return NULL;
}

/* Is somebody else to be asked about who is unknown here? */
static bool
has_more(const struct exchange *e)
{
	return auth_has_more(e->c, e->q->method);
}

/* Of the last step.  Who was here at the first one, and is gone now, is none for the
 * next database, which knows nothing of this exchange. */
static void
deny(const struct exchange *e, enum auth_reason why, struct auth_verdict *v)
{
	if (why == REASON_ERROR)
		verdict_error(v, "%s", e->lost.text);
	else if (why == REASON_UNKNOWN_USER && has_more(e))
		verdict_refuse(v, REASON_NO_SECRET, "%s", "gone meanwhile");
	else
		verdict_refuse(v, why, "%s", "");
	v->settled = true;
}

static void
refuse(const struct exchange *e, struct auth_verdict *v)
{
	if (e->q->user[0] == '\0')
		verdict_refuse(v, REASON_BAD_MESSAGE, "%s",
		    "not of this connection, or not for this user");
	else if (e->why != REASON_NONE)
		deny(e, e->why, v);
	else
		verdict_refuse(v, REASON_BAD_PASSWORD, "%s", "");
}

/* That he was right is told by our last word already: so all is judged before it, by
 * the row whose keys were right, or who may not log in could try passwords, and stop
 * there. */
static enum auth_step
judge(struct exchange *e, struct auth_verdict *v)
{
	row_accept(&e->s->virtual_user, &e->row, &e->verdict);
	verdict_judge_late(e->c, e->s, e->q, &e->verdict);
	if (e->verdict.result == AUTH_OK)
		return AUTH_STEP_MORE;
	*v = e->verdict;
	return AUTH_STEP_DONE;
}

static enum auth_step
step(void *own, struct span message, struct buf *challenge,
    struct auth_verdict *v)
{
	struct exchange *e = own;

	if (e->x == NULL) {
		verdict_refuse(v, REASON_UNKNOWN_USER, "%s", "");
		return AUTH_STEP_DONE;
	}
	switch (scram_library()->step(e->x, message, challenge)) {
	case SASL_CHALLENGE:
		/* The last one has a challenge for whoever is unknown. */
		if (e->why != REASON_UNKNOWN_USER || !has_more(e))
			return AUTH_STEP_MORE;
		verdict_refuse(v, e->why, "%s", "");
		return AUTH_STEP_DONE;
	case SASL_PROVEN:
		return judge(e, v);
	case SASL_DONE:
		*v = e->verdict;
		break;
	case SASL_WRONG:
		refuse(e, v);
		break;
	case SASL_MALFORMED:
		verdict_refuse(v, REASON_BAD_MESSAGE, "%s", "");
		break;
	case SASL_ERROR:
		verdict_error(v, "libgsasl");
		break;
	}
	return AUTH_STEP_DONE;
}

const struct auth_exchange_ops exchange_scram = {
	.begin = begin,
	.step = step,
	.end = end,
};

/* SPDX-License-Identifier: ISC */
/* The order in which a login is judged. */
#include "auth/app.h"
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"
#include "auth/prep.h"
#include "auth/recoverable.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/keyhash.h"
#include "sys/sock.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const words[] = {
	[REASON_NONE]		= "none",
	[REASON_UNKNOWN_USER]	= "unknown-user",
	[REASON_BAD_PASSWORD]	= "bad-password",
	[REASON_EMPTY_PASSWORD]	= "empty-password",
	[REASON_BAD_NAME]	= "bad-name",
	[REASON_EXPIRED]	= "expired",
	[REASON_LOCKED]		= "locked",
	[REASON_UID]		= "uid",
	[REASON_GID]		= "gid",
	[REASON_SHELL]		= "shell",
	[REASON_DENIED]		= "denied",
	[REASON_RULE]		= "rule",
	[REASON_BAD_MESSAGE]	= "bad-message",
	[REASON_NO_SECRET]	= "no-secret",
	[REASON_RPOP]		= "rpop",
	[REASON_CERTIFICATE]	= "certificate",
	[REASON_TOKEN]		= "token",
	[REASON_ROW]		= "row",
	[REASON_APP]		= "app-password",
	[REASON_ERROR]		= "error",
};
static_assert(ARRAY_LEN(words) == REASON_COUNT, "a word for each reason");

bool
auth_method_vouched(enum auth_method m)
{
	return m == AUTH_METHOD_RPOP || m == AUTH_METHOD_EXTERNAL ||
	    auth_by_proof(m);
}

const char *
auth_client_users(const struct auth_conf *c)
{
	return c->client_ca[0] != '\0' && c->client_by == EXTERNAL_FILE ?
	    c->client_users : "";
}

const char *
auth_reason_word(enum auth_reason r)
{
	/* It may come from another role. */
	return (size_t)r < ARRAY_LEN(words) ? words[r] : words[REASON_ERROR];
}

const struct auth_ops *
auth_ops_of(const struct auth_conf *c)
{
	switch (c->source) {
	case AUTH_PAM:
		return &auth_pam_ops;
	case AUTH_FILE:
		return &auth_file_ops;
	case AUTH_SQLITE:
		return &auth_sqlite_ops;
	case AUTH_PGSQL:
		return &auth_pgsql_ops;
	}
	return &auth_pam_ops;
}

int
auth_open(const struct auth_conf *c, void **state_r, struct fault *f)
{
	const struct auth_ops *ops = auth_ops_of(c);

	if (ops->prepare(c, state_r, f) != 0)
		return -1;
	if (ops->connect == NULL || ops->connect(*state_r, f) == 0)
		return 0;
	ops->done(*state_r);
	return -1;
}

static void
refuse(struct auth_verdict *v, enum auth_result result, enum auth_reason why,
    const char *fmt, va_list ap)
{
	*v = (struct auth_verdict){ .result = result, .reason = why };
	if (vsnprintf(v->detail, sizeof(v->detail), fmt, ap) < 0)
		v->detail[0] = '\0';
}

void
verdict_refuse(struct auth_verdict *v, enum auth_reason why, const char *fmt,
    ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse(v, AUTH_REFUSED, why, fmt, ap);
	va_end(ap);
}

void
verdict_error(struct auth_verdict *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse(v, AUTH_ERROR, REASON_ERROR, fmt, ap);
	va_end(ap);
}

/* Before the cage: the rows, and where their use is noted. */
static int
load_apps(struct auth_state *s, const struct auth_conf *c, struct fault *f)
{
	if (c->app_passwords == AUTH_APP_NO)
		return 0;
	if (keyhash_open(f) != 0 || auth_load(c->app_password_file, LOAD_OPTIONAL | LOAD_SECRET,
	    &s->app_rows, f) < 0)
		return -1;
	s->apps = app_index_new(buf_span(&s->app_rows));
	s->app_used = app_used_open(c->state_dir);
	return 0;
}

struct auth_state *
state_new(const struct auth_conf *c, struct fault *f)
{
	struct auth_state *s = xalloc(1, sizeof(*s));

	s->app_used = -1;
	if (policy_load(c, &s->policy, f) < 0) {
		free(s);
		return NULL;
	}
	if (load_apps(s, c, f) < 0 || (c->master_users[0] != '\0' &&
	    auth_load(c->master_users, LOAD_SECRET, &s->masters, f) < 0) ||
	    (c->rpop_file[0] != '\0' &&
	    auth_load(c->rpop_file, 0, &s->rpop, f) < 0) ||
	    (auth_client_users(c)[0] != '\0' && auth_load(c->client_users,
	    LOAD_OPTIONAL, &s->external, f) < 0)) {
		state_free(s);
		return NULL;
	}
	return s;
}

void
state_free(struct auth_state *s)
{
	if (s == NULL)
		return;
	policy_fini(&s->policy);
	line_index_free(s->rpop_index);
	buf_fini(&s->rpop);
	buf_fini(&s->external);
	row_index_free(s->index);
	app_index_free(s->apps);
	buf_fini(&s->app_rows);
	buf_fini(&s->masters);
	fd_close(&s->app_used);
	buf_fini(&s->rows);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

static void
measure(struct span stored, const struct auth_request *q)
{
	if (auth_by_digest(q->method) ? recoverable_verify(stored, q) ==
	    REASON_NONE : passwd_verify(stored, &q->secret, NULL))
		return;			/* whatever it said */
}

/* One hash at least, and as many as fit. */
static void
measure_as_pam(const struct auth_state *s, struct span stored,
    const struct auth_request *q)
{
	uint64_t	began = s->asked_us != 0 ? s->asked_us :
			    clock_spent_us();
	uint64_t	goal = effort_known_us(s->policy.c->state_dir,
			    effort_kind(stored));
	uint64_t	before;
	uint64_t	now;

	do {
		before = clock_spent_us();
		measure(stored, q);
		now = clock_spent_us();
	} while (now - began + (now - before) <= goal);
	while (clock_spent_us() - began < goal)
		;			/* less than a hash is left */
}

void
auth_spend(struct auth_state *s, const struct auth_request *q)
{
	struct span		stored = SPAN("");
	struct passwd_row	row = { 0 };

	if (auth_method_vouched(q->method))
		return;
	if (s->pam != NULL && s->nrows == 0)
		s->nrows = account_hashes(&s->rows);
	if (s->nrows > 0) {
		(void)file_find(s, span_str(q->user), &row);
		stored = row.password;
	}
	if (s->pam != NULL)
		measure_as_pam(s, stored, q);
	else
		measure(stored, q);
}

static bool
certificate_allows(const struct auth_state *s, const struct auth_request *q)
{
	const struct auth_conf *c = s->policy.c;

	return c->client_ca[0] != '\0' && external_allows(c->client_by,
	    buf_span(&s->external), secret_span(&q->secret), span_str(q->user));
}

/* What can be said without the back end; REASON_NONE: ask it. */
static enum auth_reason
judge_early(const struct auth_state *s, const struct auth_request *q)
{
	struct span user = span_str(q->user);

	if (!policy_name_valid(user))
		return REASON_BAD_NAME;
	if (policy_denied(&s->policy, user) != NULL)
		return REASON_DENIED;
	if (q->method == AUTH_METHOD_RPOP)
		return rpop_allowed(s, q) ? REASON_NONE : REASON_RPOP;
	if (q->method == AUTH_METHOD_EXTERNAL)
		return certificate_allows(s, q) ? REASON_NONE :
		    REASON_CERTIFICATE;
	if (auth_by_proof(q->method))
		return q->token_good ? REASON_NONE : REASON_TOKEN;
	return q->secret.n == 0 ? REASON_EMPTY_PASSWORD : REASON_NONE;
}

void
verdict_judge(const struct auth_policy *p, struct auth_verdict *v)
{
	char			detail[sizeof(v->detail)];
	enum auth_reason	why;
	struct span		user = span_str(v->id.user);

	if (!policy_name_valid(user))
		verdict_refuse(v, REASON_BAD_NAME, "the account's own name");
	else if (policy_denied(p, user) != NULL)
		verdict_refuse(v, REASON_DENIED, "the account's own name");
	else if (!policy_ids_allowed(p, &v->id, &why, detail, sizeof(detail)))
		verdict_refuse(v, why, "%s", detail);
}

/* Is it an app password?  A no of its own is in *v: it was one, but not now or not
 * from there. */
static bool
app_allows(const struct auth_state *s, struct auth_request *q,
    struct app_row *row, struct auth_verdict *v)
{
	const char *why = NULL;

	/* A master has said his own. */
	if (q->proven || s->apps == NULL || auth_method_vouched(q->method))
		return true;
	/* They are hashed: there is no digest of one. */
	if (!auth_by_digest(q->method))
		q->proven = app_match(s->apps, span_str(q->user), &q->secret,
		    &q->peer, (int64_t)time(NULL), row, &why);
	if (q->proven || (why == NULL &&
	    s->policy.c->app_passwords != AUTH_APP_ONLY))
		return true;
	verdict_refuse(v, REASON_APP, "%s", why != NULL ? why :
	    "an app password is wanted, and this is none");
	return false;
}

static void
judge_rule(const struct auth_policy *p, const struct access_who *who,
    struct auth_verdict *v)
{
	const struct conf_list	*rules = &p->c->access;
	bool			 allowed;
	int			 n = access_judge(rules, &p->groups, who, &allowed);

	if (!allowed)
		verdict_refuse(v, REASON_RULE, "%s", "");
	if (n >= 0)
		(void)snprintf(v->detail, sizeof(v->detail),
		    "line %u: access = %s", rules->line[n], rules->item[n]);
}

void
verdict_judge_late(const struct auth_conf *c, const struct auth_state *s,
    const struct auth_request *q, struct auth_verdict *v)
{
	const struct access_who who = {
		.id = &v->id,
		.groups = v->groups,
		.db = c->db,
		.method = q->method,
		.peer = &q->peer,
		.way = &q->way,
		.master = q->master[0] != '\0',
		.app = q->proven && q->master[0] == '\0',
	};

	if (v->result == AUTH_OK)
		verdict_judge(&s->policy, v);
	if (v->result == AUTH_OK)
		judge_rule(&s->policy, &who, v);
	memcpy(v->id.db, c->db, sizeof(v->id.db));
	v->id.method = (uint8_t)q->method;
}

static void
ask(const struct auth_ops *ops, struct auth_state *s, const struct auth_conf *c,
    const struct auth_request *q, struct auth_verdict *v)
{
	if (ops->lookup != NULL)
		rows_verify(ops, s, q, v);
	else if (auth_by_digest(q->method))
		/* PAM shows nobody what is stored: perhaps the next database. */
		verdict_refuse(v, REASON_UNKNOWN_USER, "%s", "");
	else
		ops->verify(s, c, q, v);
	verdict_judge_late(c, s, q, v);
}

/* A front asks about what none offers, or MD5 cannot be had. */
static bool
has_digests(const struct auth_conf *c, const struct auth_request *q,
    struct auth_verdict *v)
{
	struct fault f;

	if (!auth_by_digest(q->method))
		return true;
	if (!c->recoverable) {
		verdict_refuse(v, REASON_NO_SECRET, "recoverable_secrets is"
		    " off");
		return false;
	}
	if (recoverable_ready(&f))
		return true;
	verdict_error(v, "%s", f.text);
	return false;
}

void
auth_check(const struct auth_conf *c, void *state, struct auth_request *q,
    struct auth_verdict *v)
{
	struct auth_state	*s = state;
	struct app_row		 row;
	enum auth_reason	 why;

	verdict_error(v, "no verdict");
	if (!auth_method_vouched(q->method) &&
	    !auth_by_digest(q->method) && !prep_password(&q->secret, false)) {
		auth_spend(s, q);
		verdict_refuse(v, REASON_BAD_PASSWORD, "%s",
		    "not in UTF-8, or with a character that no password has");
		return;
	}
	if (!master_take(s, q, true, v) || !has_digests(c, q, v))
		return;
	why = judge_early(s, q);
	if (why != REASON_NONE) {
		auth_spend(s, q);
		verdict_refuse(v, why, "%s", "");
		return;
	}
	if (!app_allows(s, q, &row, v)) {
		auth_spend(s, q);
		return;
	}
	ask(auth_ops_of(c), s, c, q, v);
	if (!q->proven || v->result != AUTH_OK)
		return;
	v->print = 0;			/* it is looked at anew each time */
	if (q->master[0] != '\0')
		return;
	ASSERT(span_cstr(row.name, v->app, sizeof(v->app)));
	app_used_note(s->app_used, row.id, (int64_t)time(NULL));
}

void
auth_foresee(const struct auth_conf *c, void *state,
    struct auth_request *q, struct auth_verdict *v)
{
	const struct auth_ops	*ops = auth_ops_of(c);
	struct auth_state	*s = state;
	struct span		 name;
	const char		*file;

	verdict_error(v, "no verdict");
	if (!master_take(s, q, false, v))
		return;
	q->proven |= q->by_app;
	name = span_str(q->user);
	file = policy_denied(&s->policy, name);
	if (!policy_name_valid(name))
		verdict_refuse(v, REASON_BAD_NAME, "%s", "");
	else if (file != NULL)
		verdict_refuse(v, REASON_DENIED, "%s", file);
	else if (q->method == AUTH_METHOD_RPOP && !rpop_foreseen(s, q))
		verdict_refuse(v, REASON_RPOP, "%s", "");
	else if (ops->lookup != NULL)
		rows_foresee(ops, s, q, v);
	else if (auth_by_digest(q->method) || auth_by_own_exchange(q->method))
		/* PAM shows nobody what is stored. */
		verdict_refuse(v, REASON_UNKNOWN_USER, "%s", "");
	else
		ops->foresee(state, q, v);
	verdict_judge_late(c, s, q, v);
}

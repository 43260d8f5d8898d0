/* SPDX-License-Identifier: ISC */
/*
 * What would become of a login, as far as can be told without its password.
 *
 * Runs as: an operator, in ctl.c.  Reads from: user databases, as foresee.h has it;
 * app passwords; popper serve.
 */
#include "cmd/ctl_priv.h"

#include "auth/app.h"
#include "cmd/foresee.h"
#include "role/host.h"
#include "role/offers.h"
#include "role/pace.h"
#include "role/permit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char unknown[] = "the password";
static const char unknown_pam[] = "the password, and what PAM's modules say";
static const char unknown_rpop[] = "the client's port and its user's name";

static const char *
what_is_unknown(const struct job *j, const struct auth_conf *c)
{
	if (j->method == AUTH_METHOD_RPOP)
		return unknown_rpop;
	return c->source == AUTH_PAM ? unknown_pam : unknown;
}

static void
show_verdict(struct job *j, const struct auth_conf *c,
    const struct auth_verdict *v)
{
	job_show(j, "rules", v->result == AUTH_OK ? "passed" :
	    v->result == AUTH_REFUSED ? "refused" : "error", 0);
	if (v->result != AUTH_OK)
		job_show(j, "reason", auth_reason_word(v->reason), 0);
	if (v->detail[0] != '\0')
		job_show(j, "detail", v->detail, 0);
	if (v->result == AUTH_OK) {
		job_show(j, "account", v->id.user, 0);
		job_show(j, "uid", NULL, v->id.uid);
		job_show(j, "gid", NULL, v->id.gid);
		job_show(j, "not_known", what_is_unknown(j, c), 0);
	}
}

static void
show_delay(struct job *j, const struct identity *id)
{
	const unsigned	delay_s = pace_of(&j->settings.role, id);
	struct fault	f;
	unsigned	wait_s;

	if (delay_s == 0)
		return;
	if (host_login_wait(&j->settings, id, &wait_s, &f) != 0) {
		job_show(j, "login_delay", "not seen", 0);
		job_show(j, "detail", f.text, 0);
		return;
	}
	job_show(j, "login_delay", wait_s > 0 ? "refused" : "passed", 0);
	job_show(j, "login_delay_s", NULL, delay_s);
	job_show(j, "login_delay_left_s", NULL, wait_s);
}

static void
show_maildrop(struct job *j, const struct identity *id)
{
	char		path[IDENTITY_PATH_MAX + 1];
	enum host_which	which;
	struct fault	f;

	if (host_where(&j->settings, id, path, &which, &f) != 0) {
		job_show(j, "maildrop", "not seen", 0);
		job_show(j, "detail", f.text, 0);
		return;
	}
	job_show(j, "maildrop", path, 0);
	if (which == HOST_ELSE)
		job_show(j, "maildrop_by", "maildrop_else", 0);
}

struct apps {
	struct job			*j;
	const struct auth_verdict	*v;	/* of any that is good by itself */
	uint64_t			 n;
};

/* Which of these is meant is not known. */
static void
show_app(void *ctx, unsigned line UNUSED, const struct app_row *row)
{
	struct apps	*a = ctx;
	const int64_t	 now = (int64_t)time(NULL);
	const char	*why;
	char		 name[CTL_NAME_MAX + 1];
	char		 text[CTL_TEXT_MAX + 1];

	if (row == NULL || !span_eq(row->user, span_str(a->j->whom.user)) ||
	    a->n == APP_MAX)
		return;
	a->n++;
	why = app_hindered(row, &a->j->whom.addr, now);
	if (why == NULL && a->v->result != AUTH_OK)
		why = a->v->detail[0] != '\0' ? a->v->detail :
		    auth_reason_word(a->v->reason);
	(void)snprintf(name, sizeof(name), "app_password_%" PRIu64, a->n);
	(void)snprintf(text, sizeof(text), "%.*s %s%s%s%.*s",
	    (int)row->name.n, (const char *)row->name.p, why == NULL ? "passed" :
	    "refused: ", why == NULL ? "" : why, row->networks.n == 0 ? "" :
	    ", networks=", (int)row->networks.n, (const char *)row->networks.p);
	job_show(a->j, name, text, 0);
}

/* A password is said: of one that is hashed there is no digest. */
static bool
takes_apps(const struct job *j)
{
	return j->settings.auth.app_passwords != AUTH_APP_NO &&
	    !auth_method_vouched(j->method) && !auth_by_digest(j->method) &&
	    !auth_by_exchange(j->method);
}

static void
show_apps(struct job *j, const struct auth_verdict *v)
{
	struct apps	a = { .j = j, .v = v };
	struct fault	f;

	if (app_each(j->settings.auth.app_password_file, show_app, &a, &f) != 0 &&
	    f.err != ENOENT)
		job_show(j, "app_passwords", f.text, 0);
	else
		job_show(j, "app_passwords", NULL, a.n);
}

/* By the code that judges logins: the first database that knows the name decides,
 * and *db_r is that one. */
static int
judge(const struct job *j, bool by_app, struct auth_conf *db_r,
    struct auth_verdict *v, struct fault *f)
{
	static struct auth_request	q;
	size_t				n = auth_databases(&j->settings.auth);

	q = (struct auth_request){
		.method = j->method, .peer = j->whom.addr, .way = j->way,
		.by_app = by_app,
	};
	memcpy(q.user, j->whom.user, sizeof(q.user));
	*db_r = j->settings.auth;
	for (size_t i = 0; i < n; i++) {
		auth_select(db_r, i);
		if (foresee(&j->settings, db_r, &q, v, f) != 0)
			return -1;
		if (!auth_passes_on(db_r, v))
			break;
	}
	return 0;
}

/* With app_passwords access may decide otherwise of one than of the account's own. */
static void
show_rules(struct job *j)
{
	static struct auth_verdict	v;
	static struct auth_verdict	beside;	/* the own is taken, too */
	const bool			apps = takes_apps(j);
	const bool			only = apps &&
					    j->settings.auth.app_passwords ==
					    AUTH_APP_ONLY;
	const struct auth_verdict	*of_app = only ? &v : &beside;
	const struct identity		*id;
	struct auth_conf		one;
	struct fault			f;

	if (judge(j, only, &one, &v, &f) != 0 ||
	    (apps && !only && judge(j, true, &one, &beside, &f) != 0)) {
		job_show(j, "rules", "not seen", 0);
		job_show(j, "db", one.db, 0);
		job_show(j, "detail", f.text, 0);
		return;
	}
	show_verdict(j, &one, &v);
	if (v.reason != REASON_UNKNOWN_USER)
		job_show(j, "db", one.db, 0);
	if (v.result != AUTH_OK && (!apps || of_app->result != AUTH_OK))
		return;
	if (apps)
		show_apps(j, of_app);
	id = v.result == AUTH_OK ? &v.id : &of_app->id;
	show_maildrop(j, id);
	show_delay(j, id);
}

/* Whether the client gets as far as to be judged. */
static void
show_connection(struct job *j)
{
	const char *why = offers_hinder(&j->settings, j->method, &j->whom.addr,
	    &j->way);

	job_show(j, "connection", why == NULL ? "passed" : "refused", 0);
	if (why != NULL)
		job_show(j, "connection_detail", why, 0);
}

static bool
is_limit(const char *name)
{
	static const char *const names[] = { "sessions", "max_sessions",
	    "user_sessions", "max_sessions_per_user", "address_connections",
	    "max_sessions_per_address", "network_connections",
	    "max_sessions_per_network" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

int
job_why(struct job *j)
{
	uint32_t	n;
	int		status;

	if (j->whom.kind != CTL_BOTH)
		return job_bad_usage("why USER@ADDRESS");
	show_connection(j);
	show_rules(j);
	status = job_ask(j, MSG_CTL_PENALTIES, &n);
	j->wants = is_limit;
	if (status == STATUS_OK)
		status = job_ask(j, MSG_CTL_STATUS, &n);
	return status;
}

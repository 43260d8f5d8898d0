/* SPDX-License-Identifier: ISC */
/*
 * Back end of the host's accounts: PAM decides on the password and on the
 * account, the name service says who that is.
 * Runs as: root, in the worker, a process of one question; PAM's modules may do
 * there what they like.
 * Reads from: PAM's modules, passwd, group, shadow; of the client nothing but
 * the bounded request.
 * Trusts: PAM's modules, as everybody who uses PAM must.  Not their word alone:
 * a yes without having asked for the password is a no.
 *
 * PAM is not asked about accounts that may not log in anyway, so that nobody
 * can try root's password here, nor about names that the host does not know.
 */
#include "auth/auth_priv.h"

#include "sys/library.h"
#include "sys/sock.h"

#include <security/pam_appl.h>
#include <stdlib.h>

#define NO_START	"pam_start: error %d; PAM has told the log which file of the " \
			"service %s it cannot use"

#define PAM_LIBRARY	"libpam.so.0"
#define PAM_TERMINAL	"pop3"		/* for modules that want PAM_TTY */
#define ASK_FLAGS	(PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK)

/* popper itself is not linked with libpam: other roles need not carry it. */
struct pam_lib {
	__typeof__(pam_start)		*start;
	__typeof__(pam_end)		*end;
	__typeof__(pam_set_item)	*set_item;
	__typeof__(pam_get_item)	*get_item;
	__typeof__(pam_authenticate)	*authenticate;
	__typeof__(pam_acct_mgmt)	*acct_mgmt;
	__typeof__(pam_strerror)	*strerror;
};

/* Opened once in a process, or in who has forked it; nobody closes it. */
static struct pam_lib loaded;

static int
lib_open(struct fault *f)
{
	const struct library_call calls[] = {
		{ "pam_start",		(void **)&loaded.start },
		{ "pam_end",		(void **)&loaded.end },
		{ "pam_set_item",	(void **)&loaded.set_item },
		{ "pam_get_item",	(void **)&loaded.get_item },
		{ "pam_authenticate",	(void **)&loaded.authenticate },
		{ "pam_acct_mgmt",	(void **)&loaded.acct_mgmt },
		{ "pam_strerror",	(void **)&loaded.strerror },
	};

	return library_open(PAM_LIBRARY, calls, ARRAY_LEN(calls), f);
}

/* ---- the conversation ---- */

struct talk {
	const struct auth_request	*q;	/* borrows */
	const struct account		*known;	/* borrows; who it is here */
	bool				 told;	/* the password was asked for */
	int				 rc;	/* PAM's last word */
};

/* Anything but a question for the password or the name goes unanswered. */
static char *
answer(struct talk *t, int style)
{
	const struct secret	*x = &t->q->secret;
	char			*copy;

	if (style == PAM_PROMPT_ECHO_ON)
		return strdup(t->q->user);
	if (style != PAM_PROMPT_ECHO_OFF || auth_method_vouched(t->q->method))
		return NULL;
	copy = malloc(x->n + 1);
	if (copy != NULL && !span_cstr(secret_span(x), copy, x->n + 1)) {
		free(copy);
		return NULL;
	}
	t->told = copy != NULL;
	return copy;
}

static void
forget(struct pam_response *r, int n)
{
	for (int i = 0; i < n; i++) {
		if (r[i].resp == NULL)
			continue;
		explicit_bzero(r[i].resp, strlen(r[i].resp));
		free(r[i].resp);
	}
	free(r);
}

/* Linux-PAM's form: an array of pointers.  The caller frees what it gets. */
static int
converse(int n, const struct pam_message **msg, struct pam_response **resp_r,
    void *ctx)
{
	struct pam_response *r;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	r = calloc((size_t)n, sizeof(*r));
	if (r == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		int style = msg[i]->msg_style;

		if (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG)
			continue;
		r[i].resp = answer(ctx, style);
		if (r[i].resp == NULL) {
			forget(r, n);
			return PAM_CONV_ERR;
		}
	}
	*resp_r = r;
	return PAM_SUCCESS;
}

/* The asker answers at a fixed time; a delay of PAM's would come on top. */
static void
no_delay(int retval, unsigned usec, void *ctx)
{
	(void)retval;
	(void)usec;
	(void)ctx;
}

/* ---- what it says ---- */

static enum auth_reason
reason_of(int rc)
{
	switch (rc) {
	case PAM_USER_UNKNOWN:
		return REASON_UNKNOWN_USER;
	case PAM_AUTH_ERR:
		return REASON_BAD_PASSWORD;
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_CRED_EXPIRED:
		return REASON_EXPIRED;
	case PAM_PERM_DENIED:
	case PAM_MAXTRIES:
		return REASON_LOCKED;
	default:
		return REASON_ERROR;	/* it could not find out */
	}
}

/* Debian's stacks end in pam_deny, which hides why; shadow tells it to the log. */
static enum auth_reason
reason_of_refusal(const struct auth_request *q, int rc, bool in_account)
{
	enum auth_reason why = reason_of(rc);

	if (why != REASON_BAD_PASSWORD)
		return why;
	switch (account_password(q->user)) {
	case ACCOUNT_LOCKED:
		return REASON_LOCKED;
	case ACCOUNT_EXPIRED:
		return in_account ? REASON_EXPIRED : why;
	case ACCOUNT_UNUSABLE:
	case ACCOUNT_HASHED:
	case ACCOUNT_BLANK:
		break;
	}
	return in_account ? REASON_LOCKED : why;
}

/* PAM's first step is not for it. */
static bool
is_unasked(const struct auth_request *q)
{
	return auth_method_vouched(q->method) || q->proven;
}

/* May this account log in at all?  A no is in *v.  unasked: nobody looks whether its
 * password is locked. */
static bool
account_allowed(const struct auth_state *s, struct account *a,
    bool unasked, struct auth_verdict *v)
{
	enum auth_reason	why;
	char			detail[sizeof(v->detail)];

	if (!policy_ids_allowed(&s->policy, &a->id, &why, detail,
	    sizeof(detail)))
		verdict_refuse(v, why, "%s", detail);
	else if (!policy_shell_allowed(&s->policy, span_str(a->shell)))
		verdict_refuse(v, REASON_SHELL, "%s is not in %s",
		    a->shell[0] == '\0' ? "no shell" : a->shell,
		    s->policy.c->shells_file);
	else if (a->password == ACCOUNT_BLANK)
		verdict_refuse(v, REASON_EMPTY_PASSWORD,
		    "the account has no password");
	else if (unasked && a->password == ACCOUNT_LOCKED)
		verdict_refuse(v, REASON_LOCKED, "%s", "");
	else
		return true;
	return false;
}

/* ---- the question ---- */

static bool
set_items(const struct pam_lib *lib, pam_handle_t *h,
    const struct auth_request *q)
{
	void (*delay)(int, unsigned, void *) = no_delay;

	return lib->set_item(h, PAM_RHOST, q->peer.text) == PAM_SUCCESS &&
	    lib->set_item(h, PAM_TTY, PAM_TERMINAL) == PAM_SUCCESS &&
	    lib->set_item(h, PAM_FAIL_DELAY, (const void *)delay) ==
	    PAM_SUCCESS;
}

/* PAM has spent what all others are to cost, or the rest is spent here: a module
 * has refused who is not to be asked, or what is stored can match nothing. */
static void
level_effort(struct auth_state *s, const struct talk *t)
{
	const enum account_password stored = t->known->password;

	if (!t->told || stored == ACCOUNT_LOCKED || stored == ACCOUNT_UNUSABLE)
		auth_spend(s, t->q);
	else if (t->rc == PAM_SUCCESS || t->rc == PAM_AUTH_ERR)
		effort_note(s->policy.c->state_dir, t->known->kind,
		    clock_spent_us() - s->asked_us);
}

/* The first step: is the password right? */
static bool
ask_password(struct auth_state *s, pam_handle_t *h, struct talk *t,
    struct auth_verdict *v)
{
	enum auth_reason why;

	t->rc = s->pam->authenticate(h, ASK_FLAGS);
	level_effort(s, t);
	if (t->rc != PAM_SUCCESS) {
		why = reason_of_refusal(t->q, t->rc, false);
		verdict_refuse(v, why, "%s", s->pam->strerror(h, t->rc));
		return false;
	}
	if (!t->told) {
		verdict_refuse(v, REASON_EMPTY_PASSWORD,
		    "PAM did not ask for the password");
		return false;
	}
	return true;
}

/* Both steps; true when PAM lets the user in, else the reason is in *v. */
static bool
ask(struct auth_state *s, pam_handle_t *h, struct talk *t, bool vouched,
    struct auth_verdict *v)
{
	const struct pam_lib		*lib = s->pam;
	const struct auth_request	*q = t->q;
	enum auth_reason		 why;

	if (!is_unasked(q) && !vouched &&
	    !ask_password(s, h, t, v))
		return false;
	t->rc = lib->acct_mgmt(h, ASK_FLAGS);
	if (t->rc == PAM_SUCCESS)
		return true;
	if (t->known->password == ACCOUNT_LOCKED && q->proven)
		auth_spend(s, q);
	why = reason_of_refusal(q, t->rc, true);
	verdict_refuse(v, why, "account: %s", lib->strerror(h, t->rc));
	return false;
}

static void
grant(const struct account *a, struct auth_verdict *v)
{
	*v = (struct auth_verdict){ .result = AUTH_OK, .id = a->id };
	memcpy(v->groups, a->groups, sizeof(v->groups));
}

/* Who PAM says it was: a module may have changed the name.  Who was asked about is
 * known, and allowed. */
static void
accept_user(const struct auth_state *s, pam_handle_t *h,
    const struct auth_request *q, const struct account *known,
    struct auth_verdict *v)
{
	const void	*name = NULL;
	struct account	 a;
	struct fault	 f;
	int		 rc;

	if (s->pam->get_item(h, PAM_USER, &name) != PAM_SUCCESS ||
	    name == NULL) {
		verdict_error(v, "PAM forgot the user's name");
		return;
	}
	if (span_eq(span_str(name), span_str(q->user))) {
		grant(known, v);
		return;
	}
	rc = account_find(name, &s->policy, &a, &f);
	if (rc < 0)
		verdict_error(v, "%s", f.text);
	else if (rc == 0)
		verdict_refuse(v, REASON_UNKNOWN_USER,
		    "PAM's name for the user is no account");
	else if (account_allowed(s, &a, is_unasked(q), v))
		grant(&a, v);
}

static void
ask_pam(struct auth_state *s, const struct auth_conf *c,
    const struct auth_request *q, const struct account *known,
    struct auth_verdict *v)
{
	struct talk		 talk = { .q = q, .known = known };
	const struct pam_conv	 conv = { .conv = converse,
				    .appdata_ptr = &talk };
	pam_handle_t		*h = NULL;

	s->asked_us = clock_spent_us();
	talk.rc = s->pam->start(auth_place(c), q->user, &conv, &h);
	if (talk.rc != PAM_SUCCESS) {
		verdict_error(v, NO_START, talk.rc, auth_place(c));
		return;
	}
	if (!set_items(s->pam, h, q))
		verdict_error(v, "PAM takes no PAM_RHOST");
	else if (ask(s, h, &talk, q->vouched == known->print, v))
		accept_user(s, h, q, known, v);
	/* A user whom the first step renamed must go through it. */
	if (v->result == AUTH_OK && !auth_method_vouched(q->method) &&
	    span_eq(span_str(v->id.user), span_str(q->user)))
		v->print = known->print;
	if (v->reason == REASON_ERROR)
		v->result = AUTH_ERROR;
	(void)s->pam->end(h, talk.rc);	/* nothing can be done about it */
}

/* PAM takes C strings of its own maximum, NUL included. */
static bool
can_be_told(const struct secret *x)
{
	return x->n < PAM_MAX_RESP_SIZE &&
	    span_find(secret_span(x), '\0') == x->n;
}

static void
pam_verify(void *state, const struct auth_conf *c,
    const struct auth_request *q, struct auth_verdict *v)
{
	struct auth_state	*s = state;
	struct account		 a;
	struct fault		 f;
	int			 rc = account_find(q->user, &s->policy, &a, &f);

	if (rc < 0) {
		verdict_error(v, "%s", f.text);
	} else if (rc == 0) {
		if (!c->more)
			auth_spend(s, q);
		verdict_refuse(v, REASON_UNKNOWN_USER, "%s", "");
	} else if (!account_allowed(s, &a, is_unasked(q), v)) {
		auth_spend(s, q);
	} else if (!can_be_told(&q->secret)) {
		auth_spend(s, q);
		verdict_refuse(v, REASON_BAD_PASSWORD,
		    "longer than PAM takes, or with a NUL");
	} else {
		ask_pam(s, c, q, &a, v);
	}
}

static void
pam_foresee(void *state, const struct auth_request *q, struct auth_verdict *v)
{
	const struct auth_state	*s = state;
	struct account		 a;
	struct fault		 f;
	int			 rc = account_find(q->user, &s->policy, &a, &f);

	if (rc < 0) {
		verdict_error(v, "%s", f.text);
		return;
	}
	if (rc == 0) {
		verdict_refuse(v, REASON_UNKNOWN_USER, "%s", "");
		return;
	}
	if (!account_allowed(s, &a, is_unasked(q), v))
		return;
	if (a.password == ACCOUNT_EXPIRED)
		verdict_refuse(v, REASON_EXPIRED, "as shadow says");
	else if (!is_unasked(q) && (a.password == ACCOUNT_LOCKED ||
	    a.password == ACCOUNT_UNUSABLE))
		verdict_refuse(v, REASON_LOCKED, "its password in shadow");
	else
		grant(&a, v);
}

static void
pam_done(void *state)
{
	state_free(state);
}

static int
converse_not(int n UNUSED, const struct pam_message **msg UNUSED,
    struct pam_response **resp_r UNUSED, void *ctx UNUSED)
{
	return PAM_CONV_ERR;
}

/*
 * A handle that is never used nor closed: as long as it is there, so are the
 * modules of the service and all that they are linked with.  Whoever is forked
 * has a handle of his own, and finds them in memory.
 */
static int
pam_preload(const struct auth_conf *c, struct fault *f)
{
	static const struct pam_conv	 conv = { .conv = converse_not };
	static pam_handle_t		*kept;
	int				 rc;

	if (lib_open(f) < 0)
		return -1;
	rc = loaded.start(auth_place(c), NULL, &conv, &kept);
	return rc == PAM_SUCCESS ? 0 :
	    fault_set(f, FAULT_TEMP, NO_START, rc, auth_place(c));
}

static int
pam_prepare(const struct auth_conf *c, void **state_r, struct fault *f)
{
	struct auth_state *s = state_new(c, f);

	*state_r = NULL;
	if (s == NULL)
		return -1;
	if (lib_open(f) < 0) {
		state_free(s);
		return -1;
	}
	s->pam = &loaded;
	*state_r = s;
	return 0;
}

const struct auth_ops auth_pam_ops = {
	.name = "pam",
	.needs_root = true,
	.preload = pam_preload,
	.prepare = pam_prepare,
	.verify = pam_verify,
	.foresee = pam_foresee,
	.done = pam_done,
};

/* SPDX-License-Identifier: ISC */
/* What all mechanisms of several messages have in common. */
#include "auth/exchange.h"

#include "auth/auth_priv.h"
#include "auth/recoverable.h"
#include "auth/scram.h"

static const struct auth_exchange_ops *const mechanisms[AUTH_METHODS] = {
	[AUTH_METHOD_SCRAM_SHA_1]	 = &exchange_scram,
	[AUTH_METHOD_SCRAM_SHA_1_PLUS]	 = &exchange_scram,
	[AUTH_METHOD_SCRAM_SHA_256]	 = &exchange_scram,
	[AUTH_METHOD_SCRAM_SHA_256_PLUS] = &exchange_scram,
};

static bool
has_scram(const struct buf *text)
{
	struct span	rest = buf_span(text);
	size_t		at;

	while ((at = span_find(rest, '{')) < rest.n) {
		rest = span_skip(rest, at);
		if (span_starts_nocase(rest, SPAN("{SCRAM-")))
			return true;
		rest = span_skip(rest, 1);
	}
	return false;
}

/* What a database in SQL has, it has not told yet. */
static bool
stores_scram(const struct auth_state *s)
{
	return s->sql != NULL || has_scram(&s->rows) ||
	    has_scram(&s->masters) || has_scram(&s->app_rows);
}

void
auth_exchange_prepare(const struct auth_conf *c, const void *state,
    enum auth_method asked)
{
	bool exchange = asked == AUTH_METHODS || auth_by_own_exchange(asked);

	/* Of PAM nobody learns what is stored. */
	if ((exchange && auth_ops_of(c)->lookup != NULL) || stores_scram(state))
		scram_open(c->state_dir);
	if (c->recoverable && (asked == AUTH_METHODS || auth_by_digest(asked)))
		recoverable_open();
}

static int
begin(struct auth_exchange *x, const struct auth_exchange_ops *ops,
    const struct auth_conf *c, void *state, const struct auth_request *q,
    struct fault *f)
{
	*x = (struct auth_exchange){
		.ops = ops, .c = c, .state = state, .q = *q,
	};
	x->q.user[0] = '\0';
	x->own = x->ops->begin(c, state, &x->q, f);
	if (x->own != NULL)
		return 0;
	x->ops = NULL;
	return -1;
}

int
auth_exchange_begin(struct auth_exchange *x, const struct auth_conf *c,
    void *state, const struct auth_request *q, struct fault *f)
{
	ASSERT(q->method < AUTH_METHODS);
	return begin(x, mechanisms[q->method], c, state, q, f);
}

int
auth_exchange_begin_proof(struct auth_exchange *x,
    const struct auth_exchange_ops *ops, void *state,
    const struct auth_request *q, struct fault *f)
{
	return begin(x, ops, NULL, state, q, f);
}

static enum auth_step
step(struct auth_exchange *x, struct span message, bool broken,
    struct buf *challenge, struct auth_verdict *v)
{
	if (broken || ++x->steps > AUTH_STEPS_MAX) {
		verdict_refuse(v, REASON_BAD_MESSAGE, "%s", broken ?
		    "no base64" : "too many messages");
		return AUTH_STEP_DONE;
	}
	return x->ops->step(x->own, message, challenge, v);
}

enum auth_step
auth_exchange_step(struct auth_exchange *x, struct span message, bool broken,
    struct buf *challenge, struct auth_verdict *v)
{
	buf_init(challenge, AUTH_CHALLENGE_MAX);
	verdict_error(v, "no verdict");
	if (step(x, message, broken, challenge, v) == AUTH_STEP_MORE)
		return AUTH_STEP_MORE;
	buf_fini(challenge);
	if (x->c != NULL)
		verdict_judge_late(x->c, x->state, &x->q, v);
	return AUTH_STEP_DONE;
}

void
auth_exchange_end(struct auth_exchange *x)
{
	if (x->ops == NULL)
		return;
	x->ops->end(x->own);
	explicit_bzero(x, sizeof(*x));
}

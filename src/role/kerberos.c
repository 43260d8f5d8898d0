/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front_user, in a cage where there is no file; root until the keytab is read.
 * Reads from: an operator's keytab and krb5.conf; then what strangers say.
 */
#include "role/kerberos.h"

#include "auth/load.h"
#include "base/alloc.h"
#include "sys/cage.h"
#include "sys/spawn.h"

#include <stdio.h>
#include <stdlib.h>

int
kerberos_open(const struct settings *conf, struct kerberos *out,
    struct fault *f)
{
	struct buf	keys = { 0 };
	int		rc = auth_load(conf->krb.keytab, LOAD_SECRET, &keys, f);

	/* Whose file it is was the question: the library reads it by itself. */
	buf_fini(&keys);
	*out = (struct kerberos){ .ops = rc == 0 ? krb_load(f) : NULL };
	if (out->ops != NULL)
		out->k = out->ops->open(&conf->krb, f);
	return out->k != NULL ? 0 : fault_prefix(f, "gssapi_keytab: ");
}

int
kerberos_open_caged(const struct settings *conf, pid_t parent,
    struct kerberos *out, struct fault *f)
{
	bool degraded;

	if (kerberos_open(conf, out, f) != 0 ||
	    cage_step_down(conf->role.front_user, conf->role.chroot_dir,
	    CAGE_KERBEROS, f) != 0)
		return -1;
	spawn_tie(parent);	/* once more: new ids have undone it */
	return cage_enter(CAGE_KERBEROS, &degraded, f);
}

void
kerberos_close(struct kerberos *k)
{
	if (k->k != NULL)
		k->ops->close(k->k);
	k->k = NULL;
}

/* ---- one exchange ---- */

struct exchange {
	const struct kerberos	*k;		/* borrows, as q */
	struct auth_request	*q;
	struct krb_exchange	*x;		/* owns */
};

static void *
begin(const struct auth_conf *c UNUSED, void *state, struct auth_request *q,
    struct fault *f UNUSED)
{
	const struct kerberos	*k = state;
	struct exchange		*e = xalloc(1, sizeof(*e));

	*e = (struct exchange){ .k = k, .q = q,
	    .x = k->ops->start(k->k, q->way.tls) };
	return e;
}

static void
end(void *own)
{
	struct exchange *e = own;

	e->k->ops->end(e->x);
	free(e);
}

static enum auth_step
step(void *own, struct span message, struct buf *challenge,
    struct auth_verdict *v)
{
	struct exchange		*e = own;
	struct krb_proof	 proof;
	enum krb_step		 s = e->k->ops->step(e->x, message, challenge,
				     &proof);

	if (s == KRB_CHALLENGE)
		return AUTH_STEP_MORE;
	*v = (struct auth_verdict){ .result = AUTH_OK };
	if (s == KRB_PROVEN) {
		e->q->token_good = span_cstr(span_str(proof.user), e->q->user,
		    sizeof(e->q->user));
		return AUTH_STEP_DONE;
	}
	v->result = AUTH_REFUSED;
	v->reason = REASON_TOKEN;
	(void)snprintf(v->detail, sizeof(v->detail), "%s", proof.why);
	return AUTH_STEP_DONE;
}

static const struct auth_exchange_ops exchange_kerberos = {
	.begin = begin,
	.step = step,
	.end = end,
};

int
kerberos_begin(struct kerberos *k, struct auth_exchange *x,
    const struct auth_request *q, struct fault *f)
{
	return auth_exchange_begin_proof(x, &exchange_kerberos, k, q, f);
}

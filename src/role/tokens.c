/* SPDX-License-Identifier: ISC */
#include "role/tokens.h"

#include "auth/load.h"
#include "base/buf.h"
#include "sys/cage.h"
#include "sys/spawn.h"

#include <stdio.h>

/* The files that the conf names, as far as they are needed. */
struct texts {
	struct buf	jwks;
	struct buf	client;
	struct buf	roots;
};

static int
load(const char *path, bool wanted, unsigned how, struct buf *out,
    struct fault *f)
{
	return !wanted || path[0] == '\0' ? 0 : auth_load(path, how, out, f);
}

static int
load_all(const struct token_conf *c, struct texts *x, struct fault *f)
{
	return load(c->jwks, !token_is_url(c->jwks), 0, &x->jwks, f) != 0 ||
	    load(c->client_file, c->introspection[0] != '\0', LOAD_SECRET,
	    &x->client, f) != 0 ||
	    load(c->ca_file, token_needs_network(c), LOAD_OPTIONAL, &x->roots,
	    f) != 0 ? -1 : 0;
}

int
tokens_open(const struct settings *conf, struct tokens *out, struct fault *f)
{
	struct texts x = { 0 };

	*out = (struct tokens){ .ops = token_load(f) };
	if (out->ops != NULL && load_all(&conf->token, &x, f) == 0)
		out->t = out->ops->open(&conf->token, &(struct token_files){
		    .jwks = buf_span(&x.jwks),
		    .client = buf_span(&x.client),
		    .roots = buf_span(&x.roots) }, f);
	buf_fini(&x.jwks);
	buf_fini(&x.client);
	buf_fini(&x.roots);
	return out->t != NULL ? 0 : fault_prefix(f, "tokens: ");
}

void
tokens_close(struct tokens *t)
{
	if (t->t != NULL)
		t->ops->close(t->t);
	t->t = NULL;
}

int
tokens_cage(const struct settings *conf, pid_t parent, struct fault *f)
{
	enum cage_kind	kind = token_needs_network(&conf->token) ? CAGE_TOKEN :
			    CAGE_VERIFY;
	bool		degraded;

	if (cage_step_down(conf->role.front_user, conf->role.chroot_dir, kind,
	    f) != 0)
		return -1;
	spawn_tie(parent);	/* once more: new ids have undone it */
	return cage_enter(kind, &degraded, f);
}

bool
tokens_judge(const struct tokens *t, struct auth_request *q, struct span token,
    struct auth_verdict *v)
{
	struct token_verdict got;

	t->ops->judge(t->t, span_str(q->user), token, &got);
	*v = (struct auth_verdict){ .result = AUTH_OK };
	if (got.result == TOKEN_GOOD) {
		q->token_good = span_cstr(span_str(got.user), q->user,
		    sizeof(q->user));
		return true;
	}
	v->result = got.result == TOKEN_REFUSED ? AUTH_REFUSED : AUTH_ERROR;
	v->reason = got.result == TOKEN_REFUSED ? REASON_TOKEN : REASON_ERROR;
	(void)snprintf(v->detail, sizeof(v->detail), "%.*s",
	    (int)sizeof(v->detail) - 1, got.detail);
	return !got.anew;
}

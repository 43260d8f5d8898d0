/* SPDX-License-Identifier: ISC */
#include "role/tokens.h"

#include "role/ask_log.h"

#include "auth/load.h"
#include "base/buf.h"
#include "sys/cage.h"
#include "sys/cage_files.h"
#include "sys/file.h"
#include "sys/identity.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <stdio.h>

#define LOOKED_UP	"+"		/* then hosts; else why not */

/* The files that the conf names, as far as they are needed; where hosts are. */
struct texts {
	struct buf	jwks;
	struct buf	client;
	struct buf	roots;
	struct buf	hosts;
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

static void
texts_fini(struct texts *x)
{
	buf_fini(&x->jwks);
	buf_fini(&x->client);
	buf_fini(&x->roots);
	buf_fini(&x->hosts);
}

static int
open_with(const struct settings *conf, const struct texts *x,
    struct tokens *out, struct fault *f)
{
	out->t = out->ops->open(&conf->token, &(struct token_files){
	    .jwks = buf_span(&x->jwks),
	    .client = buf_span(&x->client),
	    .roots = buf_span(&x->roots),
	    .hosts = buf_span(&x->hosts) }, f);
	return out->t != NULL ? 0 : -1;
}

int
tokens_open(const struct settings *conf, struct tokens *out, struct fault *f)
{
	struct texts	x = { 0 };
	int		rc = -1;

	*out = (struct tokens){ .ops = token_load(f) };
	if (out->ops != NULL && load_all(&conf->token, &x, f) == 0 &&
	    out->ops->look_up(&conf->token, &x.hosts, f) == 0)
		rc = open_with(conf, &x, out, f);
	texts_fini(&x);
	return rc == 0 ? 0 : fault_prefix(f, "tokens: ");
}

int
tokens_files(const struct settings *conf, struct fault *f)
{
	struct texts	x = { 0 };
	struct tokens	t = { .t = NULL };
	int		rc;

	if (!token_needs_network(&conf->token)) {
		rc = tokens_open(conf, &t, f);
		tokens_close(&t);
		return rc;
	}
	rc = load_all(&conf->token, &x, f);
	texts_fini(&x);
	return rc == 0 ? 0 : fault_prefix(f, "tokens: ");
}

void
tokens_close(struct tokens *t)
{
	if (t->t != NULL)
		t->ops->close(t->t);
	t->t = NULL;
}

/* ---- the process that does nothing else ---- */

struct looker {
	pid_t	pid;			/* 0: none */
	int	pipe;			/* owns */
};

static int
become_front(const struct settings *conf, pid_t parent, struct fault *f)
{
	struct identity id;

	if (identity_service(conf->role.front_user, &id, f) != 0 ||
	    cage_limits(CAGE_TOKEN, f) != 0 || identity_become(&id, true, f) != 0)
		return -1;
	spawn_tie(parent);
	return 0;
}

static NORETURN void
look_up(const struct settings *conf, const struct token_ops *ops, pid_t parent,
    int to)
{
	struct fault	f;
	struct buf	hosts = { 0 };
	struct buf	said;

	shed_descriptors(&to, 1);
	log_set_reopen(NULL, NULL);
	buf_init(&said, 1 + TOKEN_HOSTS_MAX);
	if (become_front(conf, parent, &f) != 0 ||
	    ops->look_up(&conf->token, &hosts, &f) != 0)
		ASSERT(buf_append(&said, span_str(f.text)) == 0);
	else
		ASSERT(buf_append(&said, SPAN(LOOKED_UP)) == 0 &&
		    buf_append(&said, buf_span(&hosts)) == 0);
	spawn_exit(file_write(to, buf_span(&said).p, buf_len(&said), &f));
}

static int
start_looker(const struct settings *conf, const struct token_ops *ops,
    struct looker *l, struct fault *f)
{
	pid_t			self = spawn_self();
	AUTO(fd_close) int	to = -1;

	*l = (struct looker){ .pipe = -1 };
	if (!token_needs_network(&conf->token))
		return 0;
	if (fd_pipe(&l->pipe, &to, f) != 0)
		return -1;
	l->pid = spawn_fork(f);
	if (l->pid == 0)
		look_up(conf, ops, self, to);
	return l->pid < 0 ? -1 : 0;
}

/* By who is front_user as well. */
static int
hear_looker(struct looker *l, struct buf *hosts, struct fault *f)
{
	char	text[1 + TOKEN_HOSTS_MAX];
	ssize_t	n;
	int	status;

	if (l->pid == 0)
		return 0;
	n = file_read(l->pipe, text, sizeof(text), f);
	(void)spawn_wait(l->pid, -1, &status);
	if (n < 0)
		return -1;
	if (n == 0 || text[0] != LOOKED_UP[0])
		return fault_set(f, FAULT_TEMP, "%.*s", (int)n, n == 0 ?
		    "who looks up the server has died" : text);
	buf_init(hosts, TOKEN_HOSTS_MAX);
	return buf_append(hosts, span_of(text + 1, (size_t)n - 1));
}

/* No port of that server's host but its own; a URL whose port only libcurl can make out
 * is left to the cage alone. */
static int
lock_in(const struct token_conf *c, struct fault *f)
{
	const char	*urls[] = { c->jwks, c->introspection };
	uint16_t	 ports[ARRAY_LEN(urls)];
	size_t		 n = 0;

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		ports[n] = token_url_port(urls[i]);
		if (ports[n] == 0 && token_is_url(urls[i]))
			return 0;
		n += ports[n] != 0 ? 1 : 0;
	}
	return cage_files_nothing(ports, n, f);
}

static int
open_caged(const struct settings *conf, pid_t parent, struct texts *x,
    struct looker *l, struct tokens *out, struct fault *f)
{
	enum cage_kind	kind = token_needs_network(&conf->token) ? CAGE_TOKEN :
			    CAGE_VERIFY;
	bool		degraded;

	if (load_all(&conf->token, x, f) != 0 ||
	    cage_step_down(conf->role.front_user, conf->role.chroot_dir, kind,
	    f) != 0)
		return -1;
	spawn_tie(parent);	/* once more: new ids have undone it */
	return hear_looker(l, &x->hosts, f) != 0 ||
	    open_with(conf, x, out, f) != 0 ||
	    lock_in(&conf->token, f) != 0 ||
	    cage_enter(kind, &degraded, f) != 0 ? -1 : 0;
}

int
tokens_open_caged(const struct settings *conf, pid_t parent,
    struct tokens *out, struct fault *f)
{
	struct texts	x = { 0 };
	struct looker	l = { .pipe = -1 };
	int		rc = -1;

	*out = (struct tokens){ .ops = token_load(f) };
	if (out->ops != NULL && start_looker(conf, out->ops, &l, f) == 0)
		rc = open_caged(conf, parent, &x, &l, out, f);
	fd_close(&l.pipe);
	texts_fini(&x);
	return rc == 0 ? 0 : fault_prefix(f, "tokens: ");
}

/* ---- one token ---- */

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
	if (q->user[0] == '\0')
		(void)span_cstr(span_str(got.user), q->user, sizeof(q->user));
	v->result = got.result == TOKEN_REFUSED ? AUTH_REFUSED : AUTH_ERROR;
	v->reason = got.result == TOKEN_REFUSED ? REASON_TOKEN : REASON_ERROR;
	(void)snprintf(v->detail, sizeof(v->detail), "%.*s",
	    (int)sizeof(v->detail) - 1, got.detail);
	return !got.anew;
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: a worker, before its cage and in it.  Reads from: who judges, which had
 * a stranger's octets.
 */
#include "role/worker_priv.h"

#include "sys/file.h"
#include "sys/secmem.h"
#include "sys/spawn.h"
#include "watch/log.h"

typedef void serve_proofs(const struct settings *conf, pid_t parent, int link,
	    int lease, int log_link);

static int
start_proofs(const struct settings *conf, serve_proofs *serve)
{
	AUTO(fd_close) int	ours = -1;
	int			its;
	pid_t			self = spawn_self();
	struct fault		f;
	pid_t			pid = -1;

	if (link_pair(&ours, &its, &f) == 0) {
		pid = spawn_fork(&f);
		if (pid == 0) {
			serve(conf, self, its, -1, -1);
			spawn_exit(1);	/* it does not come back */
		}
		fd_close(&its);
	}
	if (pid < 0)
		log_fault(LEVEL_ERR, "worker-fork", &f);
	return pid < 0 ? -1 : fd_take(&ours);
}

int
worker_start_prover(const struct settings *conf, enum auth_method m, bool first)
{
	if (auth_by_token(m) && token_wanted(&conf->token))
		return start_proofs(conf, worker_serve_tokens);
	if (m == AUTH_METHOD_GSSAPI && krb_wanted(&conf->krb) && first)
		return start_proofs(conf, worker_serve_kerberos);
	return -1;
}

int
worker_put_asked(int link, const struct auth_request *q,
    const struct wire_asked *a, struct fault *f)
{
	UNZEROED struct link_out	m;
	int				rc;

	secmem_lock(&m, sizeof(m));
	link_out_init(&m, MSG_QUESTION);
	link_put_u64(&m, 0);
	link_put_u64(&m, 0);
	wire_put_peer(&m, &q->peer);
	wire_put_asked(&m, a);
	rc = link < 0 ? fault_set(f, FAULT_TEMP, "who judges could not begin") :
	    link_send(link, &m, NULL, 0, f);
	link_out_wipe(&m);
	return rc;
}

void
worker_take_proof(struct link_in *m, struct auth_request *q,
    struct auth_verdict *v)
{
	*v = (struct auth_verdict){ .result = m->type == MSG_PROVEN ? AUTH_OK :
	    (m->type == MSG_DENY || m->type == MSG_DENY_USER) &&
	    link_get_u8(m) == DENY_NO ? AUTH_REFUSED :
	    AUTH_ERROR };
	q->token_good = m->type == MSG_PROVEN &&
	    link_get_cstr(m, q->user, sizeof(q->user));
	link_in_fini(m);
}

int
worker_ask_tokens(const struct settings *conf, int link, struct auth_request *q,
    const struct wire_asked *a, struct auth_verdict *v, struct fault *f)
{
	UNZEROED struct link_in	in;
	int			wait_ms = (int)(1000 * conf->role.auth_timeout_s);

	if (worker_put_asked(link, q, a, f) != 0 || link_recv(link, permit_proof,
	    permit_proof_n, 0, wait_ms, &in, f) != 1)
		return fault_set(f, FAULT_TEMP, "the token could not be judged");
	worker_take_proof(&in, q, v);
	return 0;
}

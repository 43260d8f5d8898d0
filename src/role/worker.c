/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root for PAM (pam_unix reads /etc/shadow); else front_user in a cage,
 * after the password file was read.  Reads from: one bounded record that a front
 * wrote, nothing else.  Lives for this question, and no longer than its monitor.
 */
#include "role/worker.h"

#include "role/ask.h"
#include "role/attempt.h"
#include "role/permit.h"

#include "sys/cage.h"
#include "sys/secmem.h"
#include "sys/spawn.h"
#include "watch/log.h"

static int
reopen_log(void *ctx)
{
	return ask_log(*(int *)ctx);
}

static int
enter_cage(const struct settings *conf, pid_t monitor, struct fault *f)
{
	struct identity	id;
	bool		degraded;

	if (identity_service(conf->role.front_user, &id, f) != 0 ||
	    cage_chroot(conf->role.chroot_dir, f) != 0 ||
	    cage_limits(CAGE_VERIFY, f) != 0 ||
	    identity_become(&id, true, f) != 0)
		return -1;
	spawn_tie(monitor);	/* once more: new ids have undone it */
	return cage_enter(CAGE_VERIFY, &degraded, f);
}

static int
read_request(int credential, struct auth_request *q, struct fault *f)
{
	struct link_in	m;
	bool		rpop;
	bool		result;

	secmem_lock(&m, sizeof(m));
	if (link_recv(credential, permit_credential, permit_credential_n, 0, 0,
	    &m, f) != 1)
		return fault_prefix(f, "credential: ");
	rpop = link_get_u8(&m) != 0;
	q->method = rpop ? AUTH_METHOD_RPOP : AUTH_METHOD_PASS;
	if (!link_get_cstr(&m, q->user, sizeof(q->user)))
		q->user[0] = '\0';	/* no account has such a name */
	result = secret_set(&q->secret, link_get_span(&m, SECRET_MAX)) &&
	    (m.bad || m.off == m.n);
	link_in_fini(&m);
	return result ? 0 : fault_set(f, FAULT_PEER, "credential");
}

void
worker_log_failure(const struct auth_request *q, const struct auth_verdict *v)
{
	struct log_line l;

	log_begin(&l, v->result == AUTH_ERROR ? LEVEL_ERR : LEVEL_WARN,
	    "login-failed");
	log_str(&l, "user", q->user);
	log_str(&l, "ip", q->peer.text);
	log_str(&l, "method",
	    q->method == AUTH_METHOD_RPOP ? "rpop" : "pass");
	log_str(&l, "reason", auth_reason_word(v->reason));
	if (v->detail[0] != '\0')
		log_str(&l, "detail", v->detail);
	log_end(&l);
}

static void
put_identity(struct link_out *m, const struct identity *id)
{
	link_put_span(m, span_str(id->user));
	link_put_u32(m, id->uid);
	link_put_u32(m, id->gid);
	link_put_u32(m, (uint32_t)id->ngids);
	for (size_t i = 0; i < id->ngids; i++)
		link_put_u32(m, id->gids[i]);
	link_put_span(m, span_str(id->home));
	link_put_span(m, span_str(id->maildrop));
	link_put_u8(m, id->virtual ? 1 : 0);
}

/* An owner file has a line for each of them (host.c). */
static bool
one_line(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

int
worker_get_grant(struct link_in *m, struct identity *id, struct fault *f)
{
	*id = (struct identity){ 0 };
	if (!link_get_cstr(m, id->user, sizeof(id->user)))
		return fault_set(f, FAULT_PEER, "grant: user");
	id->uid = link_get_u32(m);
	id->gid = link_get_u32(m);
	id->ngids = link_get_u32(m);
	if (id->ngids > IDENTITY_GIDS_MAX)
		return fault_set(f, FAULT_PEER, "grant: groups");
	for (size_t i = 0; i < id->ngids; i++)
		id->gids[i] = link_get_u32(m);
	if (!link_get_cstr(m, id->home, sizeof(id->home)) ||
	    !link_get_cstr(m, id->maildrop, sizeof(id->maildrop)))
		return fault_set(f, FAULT_PEER, "grant: paths");
	if (!one_line(id->user) || !one_line(id->home) ||
	    !one_line(id->maildrop))
		return fault_set(f, FAULT_PEER, "grant: control characters");
	id->virtual = link_get_u8(m) != 0;
	return link_get_end(m, f);
}

static int
send_verdict(int link, const struct auth_verdict *v, struct fault *f)
{
	struct link_out m;

	if (v->result == AUTH_OK) {
		link_out_init(&m, MSG_GRANT);
		put_identity(&m, &v->id);
	} else {
		link_out_init(&m, MSG_DENY);
		link_put_u8(&m, v->result == AUTH_ERROR ? 1 : 0);
	}
	return link_send(link, &m, NULL, 0, f);
}

static int
answer(const struct settings *conf, const struct sock_addr *peer,
    pid_t monitor, int credential, int verdict, struct fault *f)
{
	static struct auth_request	 q;
	static struct auth_verdict	 v;
	const struct auth_ops		*ops = auth_ops_of(&conf->auth);
	void				*state;

	secmem_lock(&q, sizeof(q));
	q.peer = *peer;
	if (ops->prepare(&conf->auth, &state, f) != 0)
		return fault_prefix(f, "%s: ", ops->name);
	if (!ops->needs_root && enter_cage(conf, monitor, f) != 0)
		return -1;
	if (read_request(credential, &q, f) != 0)
		return -1;
	auth_check(&conf->auth, state, &q, &v);
	ops->done(state);
	secret_wipe(&q.secret);
	if (v.result != AUTH_OK)
		worker_log_failure(&q, &v);
	return send_verdict(verdict, &v, f);
}

void
worker_main(const struct settings *conf, const struct sock_addr *peer,
    pid_t monitor, int credential, int verdict, int log_link)
{
	static const struct auth_verdict	undecided = {
		.result = AUTH_ERROR,
	};
	const int				keep[] = {
		credential, verdict, log_link,
	};
	struct fault				f;

	spawn_tie(monitor);
	shed_descriptors(keep, ARRAY_LEN(keep));
	log_set_reopen(reopen_log, &log_link);
	if (answer(conf, peer, monitor, credential, verdict, &f) == 0)
		spawn_exit(0);
	log_fault(LEVEL_ERR, "auth-error", &f);
	attempt_log_unjudged(NULL, peer, "see auth-error");
	(void)send_verdict(verdict, &undecided, &f);	/* or the monitor sees
							   our end */
	spawn_exit(1);
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, of a monitor.  Reads from: workers, in bounded messages: their
 * verdicts are believed, identities are not.
 */
#include "role/monitor_priv.h"

#include "role/attempt.h"
#include "role/wire.h"
#include "role/worker.h"

#include "sys/file.h"
#include "sys/spawn.h"
#include "watch/log.h"

/* As monitor_heard. */
static struct link_out said;

/* The settings that the worker of this database has. */
static const struct settings *
settings_of(const struct monitor *m)
{
	static struct settings its;

	its = *m->conf;
	auth_select(&its.auth, m->db);
	return &its;
}

/*
 * A worker for the record that lies in the credential link, or that the worker
 * of the database before has passed on.
 */
static int
start_worker(struct monitor *m, struct fault *f)
{
	struct link_ends	pass = { -1, -1 };
	struct worker_question	w = {
		.peer = &m->peer,
		.method = m->method,
		.monitor = spawn_self(),
		.credential = m->credential_worker,
		.record = m->db == 0 ? m->credential_worker : m->passed,
	};
	int			result;

	if (m->db + 1 < auth_databases(&m->conf->auth) &&
	    link_pair(&pass.a, &pass.b, f) != 0)
		return -1;
	w.pass = pass.b;
	result = part_fork(&m->worker, &w.verdict, &w.log_link, f);
	if (result == 0)
		worker_main(settings_of(m), &w);
	fd_close(&m->passed);
	m->passed = fd_take(&pass.a);
	fd_close(&pass.b);
	return result < 0 ? -1 : 0;
}

void
monitor_decide(struct monitor *m, enum authorize_answer answer)
{
	m->answer = answer;
	m->answer_ms = attempt_refusal_ms(&m->conf->role, m->asked_ms);
	part_kill(&m->worker);
	fd_close(&m->passed);
}

int
monitor_tell_front(struct monitor *m, enum authorize_answer answer,
    struct fault *f)
{
	link_out_init(&said, MSG_ANSWER);
	link_put_u8(&said, (uint8_t)answer);
	m->phase = answer == ANSWER_YES ? PHASE_GRANTED : PHASE_STRANGER;
	return link_send(m->front.link, &said, NULL, 0, f);
}

void
monitor_ask_database(struct monitor *m, size_t db)
{
	struct fault f;

	m->db = db;
	if (start_worker(m, &f) == 0)
		return;
	log_fault(LEVEL_ERR, "worker-fork", &f);
	attempt_log_unjudged(NULL, &m->peer, "see worker-fork");
	monitor_decide(m, ANSWER_ERROR);
}

static void
on_deny(struct monitor *m, enum wire_deny how)
{
	if (how != DENY_UNKNOWN || m->db + 1 >= auth_databases(&m->conf->auth)) {
		monitor_decide(m, how == DENY_UNDECIDED ? ANSWER_ERROR :
		    ANSWER_NO);
		return;
	}
	part_kill(&m->worker);
	monitor_ask_database(m, m->db + 1);
}

/* The worker has asked the client something; what, only the front reads. */
static int
on_challenge(struct monitor *m, struct fault *f)
{
	link_out_init(&said, MSG_WENT_ON);
	m->phase = PHASE_EXCHANGE;
	return link_send(m->front.link, &said, NULL, 0, f);
}

int
monitor_on_verdict(struct monitor *m, struct fault *f)
{
	struct link_in		*in = &monitor_heard;
	enum auth_reason	 why;
	int			 got;

	got = link_recv(m->worker.link, permit_from_worker,
	    permit_from_worker_n, m->phase, 0, in, f);
	if (got != 1) {
		log_text(LEVEL_ERR, "worker-died", "%s",
		    got == 0 ? "no verdict" : f->text);
		attempt_log_unjudged(NULL, &m->peer, "see worker-died");
		monitor_decide(m, ANSWER_ERROR);
		return 0;
	}
	if (in->type == MSG_WENT_ON) {
		link_in_fini(in);
		return on_challenge(m, f);
	}
	if (in->type == MSG_DENY) {
		on_deny(m, (enum wire_deny)link_get_u8(in));
		link_in_fini(in);
		return 0;
	}
	got = wire_get_identity(in, &m->id, f);
	if (got == 0)
		got = link_get_end(in, f);
	link_in_fini(in);
	if (got != 0 || !auth_identity_allowed(&m->conf->auth, &m->id, &why)) {
		log_text(LEVEL_ERR, "grant-refused", "%s", got != 0 ? f->text :
		    auth_reason_word(why));
		attempt_log_unjudged(got != 0 ? NULL : m->id.user, &m->peer,
		    "see grant-refused");
		monitor_decide(m, ANSWER_ERROR);
		return 0;
	}
	part_kill(&m->worker);
	fd_close(&m->passed);
	return monitor_tell_front(m, ANSWER_YES, f);
}

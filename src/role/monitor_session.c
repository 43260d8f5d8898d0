/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, of a monitor.  Reads from: the session, in questions without an
 * argument (ask.h).
 */
#include "role/monitor_priv.h"

#include "role/ask.h"
#include "role/attempt.h"
#include "role/host.h"
#include "role/order.h"
#include "role/session_end.h"

#include "sys/file.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <string.h>

/*
 * A client whose host has vanished keeps its maildrop from him who comes back
 * from elsewhere.  The session sees the end of the connection, as if the client
 * had closed it.  In milliseconds: the time to the next look.
 */
static int
look_after_client(struct monitor *m)
{
	unsigned	gone_ms = 1000 * m->conf->role.client_gone_s;
	unsigned	look_ms;
	struct log_line	l;

	if (m->phase != PHASE_SESSION || m->client_gone)
		return SLEEP_MS;
	if (!sock_peer_gone(m->in, gone_ms, &look_ms))
		return look_ms < SLEEP_MS ? (int)look_ms + 1 : SLEEP_MS;
	m->client_gone = true;
	sock_shutdown(m->in);
	log_begin(&l, LEVEL_NOTE, "client-silent");
	log_str(&l, "user", m->id.user);
	log_str(&l, "ip", m->peer.text);
	log_num(&l, "s", m->conf->role.client_gone_s);
	log_end(&l);
	return SLEEP_MS;
}

/* 1: its question is answered; 0: it has ended; -1: it is killed. */
static int
answer_child(const struct monitor *m, struct part *c, struct host *h)
{
	struct fault	f;
	int		got = link_recv(c->link, permit_from_session,
	    permit_from_session_n, m->phase, 0, &monitor_heard, &f);

	if (got == 1) {
		if (ask_serve(c->link, monitor_heard.type, h, &f) != 0)
			got = -1;
		link_in_fini(&monitor_heard);
	}
	if (got < 0) {
		log_fault(LEVEL_ERR, "session-misbehaved", &f);
		spawn_kill(c->pid);
	}
	return got;
}

/* Its link is closed, or not heard any more; its exit status. */
static int
end_child(struct part *c)
{
	int status = 0;

	if (spawn_wait(c->pid, ENDING_MS, &status) == 0) {
		log_text(LEVEL_ERR, "session-misbehaved",
		    "its link is closed, but it goes on");
		spawn_kill(c->pid);
		(void)spawn_wait(c->pid, -1, &status);
	}
	c->pid = 0;
	part_fini(c);
	return status;
}

/* Answer the child's questions until it ends; its exit status. */
static int
serve_child(struct monitor *m, struct part *c, struct host *h)
{
	int	got = 1;
	bool	told = false;

	while (got == 1) {
		struct wait_for w[] = {
			{ .fd = c->link, .events = WAIT_READ },
			{ .fd = c->log_link, .events = WAIT_READ },
			{ .fd = m->front.log_link, .events = WAIT_READ },
		};

		if (signals_stopping() && !told) {
			spawn_stop(c->pid);
			told = true;
		}
		if (sock_wait(w, ARRAY_LEN(w), look_after_client(m)) == 0) {
			monitor_reap_resolvers(m);
			continue;
		}
		if (w[1].ready && part_serve_log(c) != 0)
			break;
		if (w[2].ready)
			(void)part_serve_log(&m->front);
		if (w[0].ready)
			got = answer_child(m, c, h);
	}
	return end_child(c);
}

/* Session or recovery: the same start, the same questions. */
static int
run_child(struct monitor *m, struct host *h, int *rest,
    const struct fault *refused, int *status_r, struct fault *f)
{
	struct session_start	start = {
		.conf = m->conf,
		.id = &m->id,
		.facts = h,
		.hostname = m->hostname,
		.peer = &m->peer,
		.in = m->relayed ? *rest : m->in,
		.out = m->relayed ? *rest : m->out,
		.far = m->relayed ? m->in : -1,
		.rest_fd = m->relayed ? -1 : *rest,
		.words = m->words,
		.refused = refused,
	};
	struct part		c;
	int			result;

	result = part_fork(&c, &start.link, &start.log_link, f);
	if (result < 0)
		return -1;
	if (result > 0) {
		fd_close(rest);
		*status_r = serve_child(m, &c, h);
		return 0;
	}
	if (m->phase == PHASE_RECOVERY)
		session_recover_main(&start);
	session_main(&start);
}

/* isolation = single: the same in this process. */
static int
recover_here(const struct monitor *m, struct host *h)
{
	const struct session_start start = {
		.conf = m->conf,
		.id = &m->id,
		.facts = h,
		.direct = h,
		.hostname = m->hostname,
		.peer = &m->peer,
		.far = -1,
		.link = -1,
		.log_link = -1,
		.rest_fd = -1,
	};

	return session_recover(&start);
}

/* A session that died in UPDATE: finish it now, while the dotlock is held.
 * The client need not wait for that. */
static void
recover(struct monitor *m, struct host *h)
{
	struct fault	f;
	int		status = 0;
	int		no_rest = -1;

	if (!h->locked || !host_journal_open(h))
		return;
	m->phase = PHASE_RECOVERY;
	m->relayed = false;
	monitor_close_client(m);
	if (m->conf->role.isolation == ISOLATION_SINGLE)
		(void)recover_here(m, h);
	else if (run_child(m, h, &no_rest, NULL, &status, &f) != 0)
		log_fault(LEVEL_ERR, "recovery-fork", &f);
	if (host_journal_open(h)) {
		session_log_open(h->path, h->dotlock.ino != 0);
		h->dotlock.ino = 0;	/* let it lie */
	}
}

void
monitor_serve_session(struct monitor *m, int *rest)
{
	struct host	h;
	struct fault	refused = { 0 };
	struct fault	f;
	int		status = 0;
	bool		opened = host_open(&h, m->conf, &m->id, &refused) == 0;
	bool		locked = opened && host_login(&h, m->sid,
		    m->peer.text, &refused) == 0;

	if (locked)
		host_lock_ahead(&h);
	m->phase = PHASE_SESSION;
	/* Why there is no maildrop is told to the client by the session. */
	if (run_child(m, &h, rest, locked ? NULL : &refused, &status, &f) != 0) {
		log_fault(LEVEL_ERR, "session-fork", &f);
		order_refuse(m->relayed ? *rest : m->out);
		attempt_log_unjudged(m->id.user, &m->peer, "see session-fork");
	}
	session_lost(m->id.user, &m->peer, status);
	if (h.locked)	/* else it is another's by now */
		recover(m, &h);
	if (opened)
		host_close(&h);
}

int
monitor_recover(const struct settings *conf, const char *key,
    const struct identity *id)
{
	static const struct sock_addr	nobody = { .text = "local" };
	struct monitor			m = {
		.conf = conf,
		.hostname = "localhost",
		.peer = nobody,
		.in = -1,
		.out = -1,
		.id = *id,
	};
	struct host			h;
	struct fault			f;
	int				result = -1;

	part_init(&m.front);		/* there is none */
	if (host_open(&h, conf, &m.id, &f) != 0) {
		log_fault(LEVEL_ERR, "recovery-failed", &f);
		return -1;
	}
	if (strcmp(h.key, key) != 0)
		log_text(LEVEL_ERR, "recovery-failed", "journal %s: the"
		    " maildrop of %s is %s now, which is another file", key,
		    id->user, h.path);
	else if (host_session_lock(&h, "recover", "local", &f) != 0)
		log_fault(LEVEL_NOTE, "recovery-not-now", &f);
	else {
		recover(&m, &h);
		result = host_journal_open(&h) ? -1 : 0;
	}
	host_close(&h);
	return result;
}

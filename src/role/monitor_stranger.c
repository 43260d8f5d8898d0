/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, of a monitor, until somebody has logged in.
 */
#include "role/monitor_priv.h"

#include "role/attempt.h"

#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

#define HANDOVER_TIMEOUT_S	10

/* Milliseconds to the next thing that is due without a message. */
static int
until_due(const struct monitor *m)
{
	uint64_t now = clock_ms();
	uint64_t due = m->end_ms;

	if (m->answer_ms != 0)
		due = m->answer_ms;
	else if (m->phase == PHASE_ASKED)
		due = m->asked_ms + 1000ull * m->conf->role.auth_timeout_s;
	else if (m->phase == PHASE_GRANTED)
		due = m->asked_ms + 1000ull * (m->conf->role.auth_timeout_s +
		    HANDOVER_TIMEOUT_S);
	if (due > m->end_ms)
		due = m->end_ms;
	if (due <= now)
		return 0;
	return due - now < SLEEP_MS ? (int)(due - now) : SLEEP_MS;
}

/* 0: go on; -1: over. */
static int
on_due(struct monitor *m, struct fault *f)
{
	if (m->phase == PHASE_GRANTED || clock_ms() >= m->end_ms) {
		log_text(LEVEL_ERR, "front-late", "it is killed");
		return -1;
	}
	if (m->answer_ms != 0) {
		m->answer_ms = 0;
		return monitor_tell_front(m, m->answer, f);
	}
	log_text(LEVEL_ERR, "auth-timeout",
	    "no verdict in %u s (auth_timeout); is the user database alive?",
	    m->conf->role.auth_timeout_s);
	attempt_log_unjudged(NULL, &m->peer, "see auth-timeout");
	part_kill(&m->worker);
	monitor_decide(m, ANSWER_ERROR);
	return 0;
}

int
monitor_serve_stranger(struct monitor *m, int *rest_r)
{
	struct fault	f = { 0 };
	int		result = 0;

	while (result == 0) {
		/* What a worker says to a response is not heard before the front's
		 * word that it was sent. */
		bool		held = m->phase == PHASE_EXCHANGE;
		struct wait_for	w[] = {
			{ .fd = m->front.link, .events = WAIT_READ },
			{ .fd = m->front.log_link, .events = WAIT_READ },
			{ .fd = held ? -1 : m->worker.link, .events = WAIT_READ },
			{ .fd = m->worker.log_link, .events = WAIT_READ },
		};

		if (signals_stopping())
			return -1;
		if (sock_wait(w, ARRAY_LEN(w), until_due(m)) == 0) {
			monitor_reap_resolvers(m);
			if (until_due(m) == 0)
				result = on_due(m, &f);
			continue;
		}
		if (w[1].ready)
			result = part_serve_log(&m->front);
		if (w[3].ready && part_serve_log(&m->worker) != 0)
			continue;	/* then it has no verdict */
		if (w[2].ready && result == 0)
			result = monitor_on_verdict(m, &f);
		if (w[0].ready && result == 0)
			result = monitor_on_front(m, rest_r, &f);
	}
	return result == 1 ? 0 : -1;
}

void
monitor_log_loose_end(struct monitor *m)
{
	const char	*why = signals_stopping() ? "popper was stopped" :
	    "the connection was lost";
	UNZEROED struct link_in	 in;
	struct fault	 f;
	int		 got;
	bool		 denied;

	if (m->phase == PHASE_GRANTED)
		attempt_log_unjudged(m->id.user, &m->peer, why);
	if (m->phase != PHASE_ASKED || m->worker.pid == 0)
		return;			/* told, or decided */
	spawn_kill(m->worker.pid);
	got = link_recv(m->worker.link, permit_from_worker,
	    permit_from_worker_n, m->phase, 0, &in, &f);
	denied = got == 1 && in.type == MSG_DENY;
	if (got == 1)
		link_in_fini(&in);
	if (!denied)
		attempt_log_unjudged(NULL, &m->peer, why);
}

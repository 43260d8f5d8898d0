/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, of a monitor.  Reads from: the front, in bounded messages, which
 * are believed as far as what is known here allows it.
 */
#include "role/monitor_priv.h"

#include "role/front.h"
#include "role/wire.h"

#include "sys/file.h"
#include "sys/spawn.h"
#include "watch/log.h"

int
monitor_start_front(struct monitor *m, struct fault *f)
{
	struct front	c = {
		.conf = m->conf,
		.host = m->hostname,
		.peer = &m->socket,
		.local = &m->local,
		.rules = &m->rules,
		.in = m->in,
		.out = m->out,
	};
	int		result;

	if (link_pair(&m->credential_front, &m->credential_worker, f) != 0)
		return -1;
	result = part_fork(&m->front, &c.link, &c.log_link, f);
	if (result != 0) {
		fd_close(&m->credential_front);
		return result < 0 ? -1 : 0;
	}
	c.credential = m->credential_front;
	front_main(&c);
}

/* Its link is closed: it has ended, by itself or not. */
static void
on_front_end(struct monitor *m)
{
	struct log_line	l;
	int		status = 0;

	if (spawn_wait(m->front.pid, ENDING_MS, &status) == 0)
		return;		/* a closed link is no end: it is killed */
	m->front.pid = 0;
	if (status <= 128)
		return;		/* what it had to say is in the log */
	log_begin(&l, LEVEL_ERR, "front-died");
	log_str(&l, "ip", m->peer.text);
	log_num(&l, "status", (uint64_t)status);
	log_end(&l);
}

uint64_t
monitor_end_of_front(const struct monitor *m, uint64_t from_ms,
    unsigned seconds)
{
	return from_ms + 1000ull * (seconds + m->conf->role.drain_timeout_s +
	    FRONT_GRACE_S);
}

/* What was asked in time is answered, whenever that is. */
static void
extend_end(struct monitor *m)
{
	const struct role_settings	*r = &m->conf->role;
	uint64_t			 end = monitor_end_of_front(m, m->asked_ms,
	    r->auth_timeout_s + r->auth_fail_delay_s);

	if (end > m->end_ms)
		m->end_ms = end;
}

void
monitor_know_client(struct monitor *m)
{
	m->awaits = false;
	m->served = listen_takes(&m->rules, &m->peer);
	m->may_announce = networks_have(&m->conf->role.xclient_networks,
	    &m->peer);
}

/* Somebody else's connection, a proxy has told the front. */
static int
on_client(struct monitor *m, struct link_in *in, struct fault *f)
{
	uint8_t			xclient = link_get_u8(in);
	struct sock_addr	peer;

	if (wire_get_peer(in, &peer, f) != 0 || link_get_end(in, f) != 0)
		return -1;
	if (xclient > 1 || peer.family == 0)
		return fault_set(f, FAULT_PEER, "a client without sense");
	if (xclient != 0 ? !m->may_announce : !m->awaits)
		return fault_set(f, FAULT_PEER, "a client that nobody may"
		    " announce here");
	m->peer = peer;
	if (xclient != 0)
		m->may_announce = false;
	else
		monitor_know_client(m);
	monitor_start_resolver(m, xclient != 0);
	return 0;
}

/* The proxy's own: whoever may connect is not about that. */
static int
on_itself(struct monitor *m, struct fault *f)
{
	if (!m->awaits)
		return fault_set(f, FAULT_PEER, "a proxy where there is none");
	monitor_know_client(m);
	m->served = true;
	return 0;
}

/* The response is in the credential link. */
static int
on_went_on(struct monitor *m)
{
	m->phase = PHASE_ASKED;
	m->asked_ms = clock_ms();
	extend_end(m);
	return 0;
}

/* It was given a response that we were not told of, so that neither a wrong one nor the
 * delay would count. */
static bool
worker_has_spoken(const struct monitor *m)
{
	UNZEROED struct link_in	in;
	struct fault		f;
	int			got;

	got = link_recv(m->worker.link, permit_from_worker, permit_from_worker_n,
	    PHASE_ASKED, 0, &in, &f);
	if (got == 1)
		link_in_fini(&in);
	return got == 1;
}

static int
on_abort(struct monitor *m, struct fault *f)
{
	if (worker_has_spoken(m))
		return fault_set(f, FAULT_PEER, "a response behind our back");
	if (++m->aborted > m->conf->role.max_commands_before_login)
		return fault_set(f, FAULT_PEER, "so many exchanges for nothing");
	m->asked--;
	m->end_ms = m->first_end_ms;
	m->answer_ms = 0;
	m->phase = PHASE_STRANGER;
	part_kill(&m->worker);
	return 0;
}

static int
on_ask(struct monitor *m, uint8_t method, struct fault *f)
{
	if (method >= AUTH_METHODS)
		return fault_set(f, FAULT_PEER, "a question by no method");
	if (!m->served)
		return fault_set(f, FAULT_PEER,
		    "a question of who is not to be served");
	if (++m->asked > m->conf->role.auth_tries)
		return fault_set(f, FAULT_PEER, "more questions than auth_tries");
	m->phase = PHASE_ASKED;
	m->method = (enum auth_method)method;
	m->asked_ms = clock_ms();
	m->answer_ms = 0;
	extend_end(m);
	monitor_ask_database(m, 0);
	return 0;
}

static int
on_handover(struct monitor *m, struct link_in *in, int *rest_r, struct fault *f)
{
	if (!words_unpack(link_get_u8(in), &m->words))
		return fault_set(f, FAULT_PEER, "words of nobody");
	*rest_r = link_get_fd(in, 0);
	return 1;
}

int
monitor_on_front(struct monitor *m, int *rest_r, struct fault *f)
{
	struct link_in	*in = &monitor_heard;
	int		 got;

	got = link_recv(m->front.link, permit_from_front, permit_from_front_n,
	    m->phase, 0, in, f);
	if (got < 0)
		log_fault(LEVEL_ERR, "front-misbehaved", f);
	if (got == 0)
		on_front_end(m);
	if (got != 1)
		return -1;
	if (in->type == MSG_HANDOVER || in->type == MSG_HANDOVER_RELAY)
		got = on_handover(m, in, rest_r, f);
	else if (in->type == MSG_CLIENT)
		got = on_client(m, in, f);
	else if (in->type == MSG_ASK)
		got = on_ask(m, link_get_u8(in), f);
	else if (in->type == MSG_WENT_ON)
		got = on_went_on(m);
	else if (in->type == MSG_ABORT)
		got = on_abort(m, f);
	else
		got = on_itself(m, f);
	if (got < 0)
		log_fault(LEVEL_ERR, "front-misbehaved", f);
	m->relayed = in->type == MSG_HANDOVER_RELAY;
	got = got < 0 ? -1 : m->relayed || in->type == MSG_HANDOVER;
	link_in_fini(in);
	return got;
}

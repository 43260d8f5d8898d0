/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, to the end of the connection.  Reads from: its configuration;
 * typed, bounded messages of its own children (permit.c).  It reads no octet of
 * the client's: the credential link passes it by, the client's pipelined rest
 * stays in a pipe.  Trusts: the worker (root, or caged with the password file),
 * not its identities.  What a front is told to keep (tries, time, who may connect
 * and who may announce another client) is kept here once more.
 *
 * Code that runs as root: these files (monitor_priv.h), those of host.h, ask_serve in
 * ask.c, those of worker_priv.h with the PAM back end, listen.c and network.c, which
 * read rows of the configuration, and what they call in sys/, watch/, conf/.
 *
 *    CLIENT (whose connection it is)
 *      +-+
 *   STRANGER --ASK--> ASKED --GRANT--> GRANTED --HANDOVER--> SESSION --> RECOVERY
 *      ^            ^  | DENY, at a fixed time                (if it died)
 *      +------------|--+
 *                   +-- EXCHANGE (the worker waits for the client's response)
 */
#include "role/monitor_priv.h"

#include "role/host.h"
#include "role/limit.h"
#include "role/proxied.h"
#include "role/single.h"
#include "role/wire.h"

#include "sys/file.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <stdio.h>

struct link_in monitor_heard;

static void
new_sid(struct monitor *m)
{
	wire_sid_text(wire_new_sid(), m->sid);
	log_set_sid(m->sid);
}

void
monitor_hostname(const struct settings *conf, char *out, size_t cap)
{
	if (conf->role.hostname[0] != '\0')
		(void)snprintf(out, cap, "%s", conf->role.hostname);
	else
		sock_host_name(out, cap);
}

static void
prepare_socket(const struct monitor *m)
{
	struct fault f;

	sock_tune(m->in, m->conf->role.client_gone_s);
	if (m->conf->log.debug && sock_debug(m->in, &f) != 0)
		log_fault(LEVEL_DEBUG, "so-debug", &f);
}

void
monitor_close_client(struct monitor *m)
{
	if (m->out != m->in)
		fd_close(&m->out);
	m->out = -1;
	fd_close(&m->in);
}

/* In place of a greeting, which no front can say.  Under TLS from the first octet on
 * it would be none. */
static void
refuse(const struct monitor *m)
{
	struct fault f;

	if (!m->rules.tls && sock_write(m->out, SPAN("-ERR [SYS/TEMP] Temporary"
	    " failure, try again later.\r\n"), &f) < 0)
		log_fault(LEVEL_DEBUG, "limit-reply", &f);
}

static int
run_split(struct monitor *m)
{
	struct fault	f;
	int		rest = -1;
	int		status;

	if (host_folders(m->conf, &f) != 0) {
		log_fault(LEVEL_ERR, "folders", &f);
		refuse(m);
		return 1;
	}
	if (!m->awaits)
		monitor_start_resolver(m, false);
	if (monitor_start_front(m, &f) != 0) {
		log_fault(LEVEL_ERR, "front-fork", &f);
		refuse(m);
		return 1;
	}
	if (monitor_serve_stranger(m, &rest) != 0) {
		monitor_log_loose_end(m);
		part_kill(&m->worker);
		part_stop(&m->front);
		return 0;
	}
	if (!m->relayed)
		part_kill(&m->front);	/* it has nothing more to do */
	fd_close(&m->credential_worker);
	monitor_serve_session(m, &rest);
	fd_close(&rest);
	/* A relay has the last reply, perhaps, and hears its client out. */
	if (m->front.pid > 0 && spawn_wait(m->front.pid, (int)(1000 *
	    (m->conf->role.drain_timeout_s + FRONT_GRACE_S)), &status) != 0)
		m->front.pid = 0;
	part_kill(&m->front);
	return 0;
}

/* In this one process there is nobody to read a header before it is known who the
 * client is (role/serve.c counts them by that). */
static int
run_single(struct monitor *m)
{
	static struct limit_log	limits;
	struct fault		f;

	if (m->awaits) {
		proxied_log_refused(&m->socket, 1, "isolation = single reads no"
		    " PROXY header");
		return 0;
	}
	if (m->served)
		return single_run(&(struct single_start){
			.conf = m->conf, .hostname = m->hostname, .sid = m->sid,
			.peer = &m->peer, .local = &m->local,
			.rules = &m->rules, .in = m->in, .out = m->out,
		});
	limit_reached(&limits, LIMIT_NETWORKS, &m->peer);
	if (sock_write(m->out, SPAN(LISTEN_NETWORKS_TEXT), &f) < 0)
		log_fault(LEVEL_DEBUG, "limit-reply", &f);
	return 0;
}

/* Before we began: a health check. */
static void
log_gone(const struct monitor *m)
{
	struct log_line l;

	log_begin(&l, LEVEL_DEBUG, "stranger-end");
	log_str(&l, "ip", m->socket.text);
	log_str(&l, "reason", "client-gone");
	log_end(&l);
}

/* May there be anybody at all?  What is refused here needs no front. */
static bool
may_begin(struct monitor *m)
{
	const struct role_settings	*r = &m->conf->role;
	struct fault			 f;

	/* Without an address nobody has come through a network. */
	if (sock_local(m->in, &m->local, &f) == 0)
		listen_rules_at(&r->listen, &m->local, &m->rules);
	else
		m->local.family = 0;
	m->awaits = m->rules.proxy;
	if (!m->awaits) {
		monitor_know_client(m);
		return true;
	}
	if (m->socket.family == 0)
		log_gone(m);
	else if (!networks_have(&r->proxy_networks, &m->socket))
		proxied_log_refused(&m->socket, 1, "it is not in proxy_networks");
	else
		return true;
	return false;
}

int
monitor_run(const struct settings *conf, const char *hostname, int in, int out)
{
	struct monitor	m = {
		.conf = conf,
		.hostname = hostname,
		.in = in,
		.out = out,
		.credential_front = -1,
		.credential_worker = -1,
		.passed = -1,
	};
	struct fault	f;
	int		status;

	part_init(&m.front);
	part_init(&m.worker);
	m.first_end_ms = monitor_end_of_front(&m, clock_ms(),
	    conf->role.login_timeout_s);
	m.end_ms = m.first_end_ms;
	spawn_reset_signals();
	signals_take(SIGNALS_CONNECTION);
	new_sid(&m);
	if (sock_peer(in, &m.socket, &f) != 0)
		m.socket = (struct sock_addr){ .text = "unknown" };
	m.peer = m.socket;
	prepare_socket(&m);
	if (!may_begin(&m))
		status = 0;
	else if (conf->role.isolation == ISOLATION_SINGLE)
		status = run_single(&m);
	else
		status = run_split(&m);
	monitor_close_client(&m);
	return status;
}

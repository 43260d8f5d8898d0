/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, to the end of the connection.  Reads from: its configuration;
 * typed, bounded messages of its own children (permit.c).  It reads no octet of
 * the client's: the credential link passes it by, the client's pipelined rest
 * stays in a pipe.  Trusts: the worker (root, or caged with the password file),
 * not its identities.  What a front is told to keep (tries, time, who may connect
 * and who may announce another client) is kept here once more.
 *
 * Code that runs as root: this file, those of host.h, ask_serve in ask.c, worker.c
 * with the PAM back end, listen.c and network.c, which read rows of the
 * configuration, and what they call in sys/, watch/, conf/.
 *
 *    CLIENT (whose connection it is)
 *      +-+
 *   STRANGER --ASK--> ASKED --GRANT--> GRANTED --HANDOVER--> SESSION --> RECOVERY
 *      ^            ^  | DENY, at a fixed time                (if it died)
 *      +------------|--+
 *                   +-- EXCHANGE (the worker waits for the client's response)
 */
#include "role/monitor.h"

#include "auth/auth.h"
#include "pop/authorize.h"
#include "role/ask.h"
#include "role/attempt.h"
#include "role/front.h"
#include "role/host.h"
#include "role/limit.h"
#include "role/listen.h"
#include "role/permit.h"
#include "role/proxied.h"
#include "role/resolver.h"
#include "role/session.h"
#include "role/session_end.h"
#include "role/single.h"
#include "role/wire.h"
#include "role/worker.h"

#include "sys/cage.h"
#include "sys/file.h"
#include "sys/identity.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <stdio.h>
#include <string.h>

#define HANDOVER_TIMEOUT_S	10
#define FRONT_GRACE_S		5	/* beyond what a front bounds itself to */
#define ENDING_MS		1000	/* of a child that says it has ended */
/* The longest sleep: what is left of a resolver is removed then. */
#define SLEEP_MS		10000

/* A child and our ends of its links. */
struct child {
	pid_t	pid;			/* 0: none */
	int	link;			/* owns */
	int	log_link;		/* owns */
};

struct monitor {
	const struct settings	*conf;
	const char		*hostname;
	char			 sid[24];
	struct sock_addr	 socket;	/* who has connected */
	struct sock_addr	 peer;		/* the client: perhaps another one,
						   whom a proxy has announced */
	struct sock_addr	 local;		/* where; family 0: unknown */
	struct listen_rules	 rules;		/* for who connects there */
	bool			 awaits;	/* a PROXY header, before all else */
	/* Neither before it is known whose connection it is: */
	bool			 served;	/* its network is */
	bool			 may_announce;	/* by XCLIENT, once */
	int			 in;		/* owns; never read here */
	int			 out;		/* owns */
	enum monitor_phase	 phase;
	struct child		 front;
	struct child		 worker;	/* link: its verdict */
	pid_t			 resolvers[2];	/* of who came, and of whom XCLIENT
						   announced */
	int			 credential_front;	/* the front's end */
	int			 credential_worker;
	size_t			 db;		/* which database is asked */
	enum auth_method	 method;	/* by what, says the front */
	int			 passed;	/* owns; where its worker finds the
						   record if it is not the first */
	uint64_t		 end_ms;	/* of all that a stranger may do */
	uint64_t		 first_end_ms;	/* before anything was asked */
	unsigned		 asked;		/* questions of the front */
	unsigned		 aborted;	/* and those that it gave up */
	uint64_t		 asked_ms;
	uint64_t		 answer_ms;	/* when NO is told; 0: not due */
	enum authorize_answer	 answer;
	struct identity		 id;
	bool			 client_gone;	/* its host is silent */
	bool			 relayed;	/* by the front, which stays */
	struct words		 words;		/* that it takes, says the front */
};

/* Not on the stack, where each page of them would be a new one. */
static struct link_in	heard;
static struct link_out	said;

static void
child_init(struct child *c)
{
	*c = (struct child){ .link = -1, .log_link = -1 };
}

static void
child_fini(struct child *c)
{
	int status;

	fd_close(&c->link);
	fd_close(&c->log_link);
	if (c->pid > 0)
		(void)spawn_wait(c->pid, -1, &status);
	c->pid = 0;
}

static void
child_kill(struct child *c)
{
	if (c->pid > 0)
		spawn_kill(c->pid);
	child_fini(c);
}

/* It may say its last word, if it is told to stop because we are. */
static void
child_stop(struct child *c)
{
	int status;

	if (c->pid > 0 && signals_stopping()) {
		spawn_stop(c->pid);
		if (spawn_wait(c->pid, ENDING_MS, &status) != 0)
			c->pid = 0;
	}
	child_kill(c);
}

/*
 * Fork with a link and a log link.  Returns 0 in the child, with its ends in
 * *link_r and *log_link_r; 1 in the parent; -1.  A Ctrl-C is for the server
 * alone, SIGTERM sets a flag: who has begun an UPDATE finishes it.
 */
static int
child_fork(struct child *c, int *link_r, int *log_link_r, struct fault *f)
{
	AUTO(fd_close) int link = -1;
	AUTO(fd_close) int log_link = -1;

	child_init(c);
	if (link_pair(&c->link, &link, f) != 0 ||
	    link_pair(&c->log_link, &log_link, f) != 0 ||
	    (c->pid = spawn_fork_bare(f)) < 0) {
		c->pid = 0;
		child_fini(c);
		return -1;
	}
	if (c->pid > 0)
		return 1;
	signals_take(SIGNALS_CONNECTION);
	fd_close(&c->link);
	fd_close(&c->log_link);
	*link_r = fd_take(&link);
	*log_link_r = fd_take(&log_link);
	return 0;
}

/* --- the stranger ------------------------------------------------------------ */

static void
start_resolver(struct monitor *m, bool xclient)
{
	struct resolver_conf	 c = resolver_conf_of(m->conf);
	pid_t			*pid = &m->resolvers[xclient];
	struct fault		 f;

	if (!m->conf->role.peer_check || m->peer.family == 0)
		return;
	*pid = spawn_fork_bare(&f);
	if (*pid < 0)
		log_fault(LEVEL_WARN, "resolver-fork", &f);
	if (*pid != 0)
		return;
	signals_take(SIGNALS_CONNECTION);
	spawn_exit(resolver_run(&c, &m->peer));
}

/* They end by themselves, and nobody waits for them; only remains are removed. */
static void
reap_resolvers(struct monitor *m)
{
	int status;

	for (size_t i = 0; i < ARRAY_LEN(m->resolvers); i++)
		if (m->resolvers[i] > 0 &&
		    spawn_wait(m->resolvers[i], 0, &status) != 0)
			m->resolvers[i] = 0;
}

static int
start_front(struct monitor *m, struct fault *f)
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
	result = child_fork(&m->front, &c.link, &c.log_link, f);
	if (result != 0) {
		fd_close(&m->credential_front);
		return result < 0 ? -1 : 0;
	}
	c.credential = m->credential_front;
	front_main(&c);
}

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
	pid_t			self = spawn_self();
	int			verdict;
	int			log_link;
	int			result;

	if (m->db + 1 < auth_databases(&m->conf->auth) &&
	    link_pair(&pass.a, &pass.b, f) != 0)
		return -1;
	result = child_fork(&m->worker, &verdict, &log_link, f);
	if (result == 0)
		worker_main(settings_of(m), &m->peer, m->method, self,
		    m->credential_worker, m->db == 0 ? m->credential_worker :
		    m->passed, pass.b, verdict, log_link);
	fd_close(&m->passed);
	m->passed = fd_take(&pass.a);
	fd_close(&pass.b);
	return result < 0 ? -1 : 0;
}

/* NO is due at a fixed time after the question, or a multiple of it. */
static void
decide(struct monitor *m, enum authorize_answer answer)
{
	m->answer = answer;
	m->answer_ms = ask_refusal_ms(&m->conf->role, m->asked_ms);
	child_kill(&m->worker);
	fd_close(&m->passed);
}

static int
tell_front(struct monitor *m, enum authorize_answer answer, struct fault *f)
{
	link_out_init(&said, MSG_ANSWER);
	link_put_u8(&said, (uint8_t)answer);
	m->phase = answer == ANSWER_YES ? PHASE_GRANTED : PHASE_STRANGER;
	return link_send(m->front.link, &said, NULL, 0, f);
}

static void
ask_database(struct monitor *m, size_t db)
{
	struct fault f;

	m->db = db;
	if (start_worker(m, &f) == 0)
		return;
	log_fault(LEVEL_ERR, "worker-fork", &f);
	attempt_log_unjudged(NULL, &m->peer, "see worker-fork");
	decide(m, ANSWER_ERROR);
}

static void
on_deny(struct monitor *m, enum wire_deny how)
{
	if (how != DENY_UNKNOWN || m->db + 1 >= auth_databases(&m->conf->auth)) {
		decide(m, how == DENY_UNDECIDED ? ANSWER_ERROR : ANSWER_NO);
		return;
	}
	child_kill(&m->worker);
	ask_database(m, m->db + 1);
}

/* The worker has asked the client something; what, only the front reads. */
static int
on_challenge(struct monitor *m, struct fault *f)
{
	link_out_init(&said, MSG_WENT_ON);
	m->phase = PHASE_EXCHANGE;
	return link_send(m->front.link, &said, NULL, 0, f);
}

/* The worker has spoken, or died. */
static int
on_verdict(struct monitor *m, struct fault *f)
{
	enum auth_reason	why;
	int			got;

	got = link_recv(m->worker.link, permit_from_worker,
	    permit_from_worker_n, m->phase, 0, &heard, f);
	if (got != 1) {
		log_text(LEVEL_ERR, "worker-died", "%s",
		    got == 0 ? "no verdict" : f->text);
		attempt_log_unjudged(NULL, &m->peer, "see worker-died");
		decide(m, ANSWER_ERROR);
		return 0;
	}
	if (heard.type == MSG_WENT_ON) {
		link_in_fini(&heard);
		return on_challenge(m, f);
	}
	if (heard.type == MSG_DENY) {
		on_deny(m, (enum wire_deny)link_get_u8(&heard));
		link_in_fini(&heard);
		return 0;
	}
	got = wire_get_identity(&heard, &m->id, f);
	if (got == 0)
		got = link_get_end(&heard, f);
	link_in_fini(&heard);
	if (got != 0 || !auth_identity_allowed(&m->conf->auth, &m->id, &why)) {
		log_text(LEVEL_ERR, "grant-refused", "%s", got != 0 ? f->text :
		    auth_reason_word(why));
		attempt_log_unjudged(got != 0 ? NULL : m->id.user, &m->peer,
		    "see grant-refused");
		decide(m, ANSWER_ERROR);
		return 0;
	}
	child_kill(&m->worker);
	fd_close(&m->passed);
	return tell_front(m, ANSWER_YES, f);
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

/* A stranger's time ends so long after `from_ms` when its front does not keep
 * it: beyond what a front bounds itself to. */
static uint64_t
end_of_front(const struct monitor *m, uint64_t from_ms, unsigned seconds)
{
	return from_ms + 1000ull * (seconds + m->conf->role.drain_timeout_s +
	    FRONT_GRACE_S);
}

/* What was asked in time is answered, whenever that is. */
static void
extend_end(struct monitor *m)
{
	const struct role_settings	*r = &m->conf->role;
	uint64_t			 end = end_of_front(m, m->asked_ms,
	    r->auth_timeout_s + r->auth_fail_delay_s);

	if (end > m->end_ms)
		m->end_ms = end;
}

/* What m->peer, as the other end of the socket or of a proxy, may do. */
static void
know_client(struct monitor *m)
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
		know_client(m);
	start_resolver(m, xclient != 0);
	return 0;
}

/* The proxy's own: whoever may connect is not about that. */
static int
on_itself(struct monitor *m, struct fault *f)
{
	if (!m->awaits)
		return fault_set(f, FAULT_PEER, "a proxy where there is none");
	know_client(m);
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
	child_kill(&m->worker);
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
	ask_database(m, 0);
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

/* 1: HANDOVER has come, *rest_r is the pipe; 0: go on; -1: over. */
static int
on_front(struct monitor *m, int *rest_r, struct fault *f)
{
	int		got;

	got = link_recv(m->front.link, permit_from_front, permit_from_front_n,
	    m->phase, 0, &heard, f);
	if (got < 0)
		log_fault(LEVEL_ERR, "front-misbehaved", f);
	if (got == 0)
		on_front_end(m);
	if (got != 1)
		return -1;
	if (heard.type == MSG_HANDOVER || heard.type == MSG_HANDOVER_RELAY)
		got = on_handover(m, &heard, rest_r, f);
	else if (heard.type == MSG_CLIENT)
		got = on_client(m, &heard, f);
	else if (heard.type == MSG_ASK)
		got = on_ask(m, link_get_u8(&heard), f);
	else if (heard.type == MSG_WENT_ON)
		got = on_went_on(m);
	else if (heard.type == MSG_ABORT)
		got = on_abort(m, f);
	else
		got = on_itself(m, f);
	if (got < 0)
		log_fault(LEVEL_ERR, "front-misbehaved", f);
	m->relayed = heard.type == MSG_HANDOVER_RELAY;
	got = got < 0 ? -1 : m->relayed || heard.type == MSG_HANDOVER;
	link_in_fini(&heard);
	return got;
}

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
		return tell_front(m, m->answer, f);
	}
	log_text(LEVEL_ERR, "auth-timeout",
	    "no verdict in %u s (auth_timeout); is the user database alive?",
	    m->conf->role.auth_timeout_s);
	attempt_log_unjudged(NULL, &m->peer, "see auth-timeout");
	child_kill(&m->worker);
	decide(m, ANSWER_ERROR);
	return 0;
}

/* Nonsense here is as bad as on the other link: -1, and the child is killed. */
static int
serve_log(struct child *c)
{
	struct fault	f;
	int		got = ask_serve_log(c->log_link, NULL, &f);

	if (got != 1)
		fd_close(&c->log_link);
	if (got >= 0)
		return 0;
	log_fault(LEVEL_ERR, "log-link-misbehaved", &f);
	spawn_kill(c->pid);
	return -1;
}

/*
 * The AUTHORIZATION state, seen from here.  0: m->id has logged in, *rest_r is
 * the pipe with the rest of the input; -1: the stranger is gone.
 */
static int
serve_stranger(struct monitor *m, int *rest_r)
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
			reap_resolvers(m);
			if (until_due(m) == 0)
				result = on_due(m, &f);
			continue;
		}
		if (w[1].ready)
			result = serve_log(&m->front);
		if (w[3].ready && serve_log(&m->worker) != 0)
			continue;	/* then it has no verdict */
		if (w[2].ready && result == 0)
			result = on_verdict(m, &f);
		if (w[0].ready && result == 0)
			result = on_front(m, rest_r, &f);
	}
	return result == 1 ? 0 : -1;
}

/*
 * The stranger is gone in the middle of an attempt.  A verdict that came
 * meanwhile is no loose end: who says no has written the line.
 */
static void
log_loose_end(struct monitor *m)
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

/* --- the session ---------------------------------------------------------------- */

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

/* Answer the child's questions until it ends; its exit status. */
static int
serve_child(struct monitor *m, struct child *c, struct host *h)
{
	struct fault	f;
	int		status = 0;
	int		got = 1;
	bool		told = false;

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
			reap_resolvers(m);
			continue;
		}
		if (w[1].ready && serve_log(c) != 0)
			break;
		if (w[2].ready)
			(void)serve_log(&m->front);
		if (!w[0].ready)
			continue;
		got = link_recv(c->link, permit_from_session,
		    permit_from_session_n, m->phase, 0, &heard, &f);
		if (got == 1) {
			if (ask_serve(c->link, &heard, h, &f) != 0)
				got = -1;
			link_in_fini(&heard);
		}
		if (got < 0) {
			log_fault(LEVEL_ERR, "session-misbehaved", &f);
			spawn_kill(c->pid);
		}
	}
	if (spawn_wait(c->pid, ENDING_MS, &status) == 0) {
		log_text(LEVEL_ERR, "session-misbehaved",
		    "its link is closed, but it goes on");
		spawn_kill(c->pid);
		(void)spawn_wait(c->pid, -1, &status);
	}
	c->pid = 0;
	child_fini(c);
	return status;
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
	struct child		c;
	int			result;

	result = child_fork(&c, &start.link, &start.log_link, f);
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

static void
close_client(struct monitor *m)
{
	if (m->out != m->in)
		fd_close(&m->out);
	m->out = -1;
	fd_close(&m->in);
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
	close_client(m);
	if (m->conf->role.isolation == ISOLATION_SINGLE)
		(void)recover_here(m, h);
	else if (run_child(m, h, &no_rest, NULL, &status, &f) != 0)
		log_fault(LEVEL_ERR, "recovery-fork", &f);
	if (host_journal_open(h)) {
		session_log_open(h->path, h->dotlock.ino != 0);
		h->dotlock.ino = 0;	/* let it lie */
	}
}

static void
serve_session(struct monitor *m, int *rest)
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

	child_init(&m.front);		/* there is none */
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

/* --- all of it ----------------------------------------------------------------- */

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

static int
run_split(struct monitor *m)
{
	struct fault	f;
	int		rest = -1;
	int		status;

	if (host_folders(m->conf, &f) != 0) {
		log_fault(LEVEL_ERR, "folders", &f);
		return 1;
	}
	if (!m->awaits)
		start_resolver(m, false);
	if (start_front(m, &f) != 0) {
		log_fault(LEVEL_ERR, "front-fork", &f);
		return 1;
	}
	if (serve_stranger(m, &rest) != 0) {
		log_loose_end(m);
		child_kill(&m->worker);
		child_stop(&m->front);
		return 0;
	}
	if (!m->relayed)
		child_kill(&m->front);	/* it has nothing more to do */
	fd_close(&m->credential_worker);
	serve_session(m, &rest);
	fd_close(&rest);
	/* A relay has the last reply, perhaps, and hears its client out. */
	if (m->front.pid > 0 && spawn_wait(m->front.pid, (int)(1000 *
	    (m->conf->role.drain_timeout_s + FRONT_GRACE_S)), &status) != 0)
		m->front.pid = 0;
	child_kill(&m->front);
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
		return single_run(m->conf, m->hostname, m->sid, &m->peer,
		    &m->local, &m->rules, m->in, m->out);
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
		know_client(m);
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

	child_init(&m.front);
	child_init(&m.worker);
	m.first_end_ms = end_of_front(&m, clock_ms(),
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
	close_client(&m);
	return status;
}

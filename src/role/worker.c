/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root for PAM (pam_unix reads /etc/shadow); else front_user in a cage,
 * after the password file was read, or auth_user in a cage, connected to a database
 * in SQL.  Reads from: one bounded record that a front wrote, and that database; in
 * popper serve, such records that auth has put together anew.  Lives for this
 * question, or but for PAM in popper serve for many, and no longer than its monitor
 * or warden.
 */
#include "role/worker.h"

#include "role/ask.h"
#include "role/attempt.h"
#include "role/kerberos.h"
#include "role/offers.h"
#include "role/permit.h"
#include "role/tokens.h"
#include "role/wire.h"

#include "auth/exchange.h"
#include "base/alloc.h"
#include "base/map.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/identity.h"
#include "sys/secmem.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How long who has retired goes on listening: what was sent before is answered,
 * and nobody gets an answer that is older than the warden promises. */
#define RETIRED_MS	300

static int
reopen_log(void *ctx)
{
	return ask_log(*(int *)ctx);
}

static int
enter_cage(const struct settings *conf, pid_t monitor, struct fault *f)
{
	bool	degraded;

	if (cage_step_down(conf->role.front_user, conf->role.chroot_dir,
	    CAGE_VERIFY, f) != 0)
		return -1;
	spawn_tie(monitor);	/* once more: new ids have undone it */
	return cage_enter(CAGE_VERIFY, &degraded, f);
}

/*
 * Who connects to a database is auth_user already: what that answers is read
 * without root's rights.  The root folder stays, since there are the database's
 * sockets and files; the cage opens none of them.
 */
static int
connect_database(const struct settings *conf, pid_t parent, void *state,
    struct fault *f)
{
	struct identity	id;
	bool		degraded;

	if (identity_service(conf->role.auth_user, &id, f) != 0 ||
	    cage_limits(CAGE_SQL, f) != 0 || identity_become(&id, true, f) != 0)
		return -1;
	spawn_tie(parent);	/* once more: new ids have undone it */
	return auth_ops_of(&conf->auth)->connect(state, f) != 0 ? -1 :
	    cage_enter(CAGE_SQL, &degraded, f);
}

/* All that is opened and read, then the cage. */
static int
prepare(const struct settings *conf, pid_t parent, enum auth_method asked,
    bool stays, void **state_r, struct fault *f)
{
	const struct auth_ops *ops = auth_ops_of(&conf->auth);

	if (ops->prepare(&conf->auth, state_r, f) != 0)
		return fault_prefix(f, "%s: ", ops->name);
	auth_exchange_prepare(&conf->auth, *state_r, asked);
	if (stays && ops->settle != NULL)
		ops->settle(*state_r);
	if (ops->connect != NULL)
		return connect_database(conf, parent, *state_r, f);
	return ops->needs_root ? 0 : enter_cage(conf, parent, f);
}

/* The octets of a token, and of an exchange's first message, stay m's. */
static int
take_asked(struct link_in *m, struct auth_request *q, struct wire_asked *a,
    struct fault *f)
{
	if (wire_get_asked(m, a, f) != 0 || link_get_end(m, f) != 0)
		return fault_prefix(f, "credential: ");
	asked_take(a, q);
	return 0;
}

/* The same record for the worker of the next database, if there is to be one. */
static int
pass_on(int pass, const struct link_in *m, struct fault *f)
{
	UNZEROED struct link_out	out;
	int				result;

	if (pass < 0)
		return 0;
	secmem_lock(&out, sizeof(out));
	link_out_init(&out, m->type);
	link_put_raw(&out, span_of(m->b, m->n));
	result = link_send(pass, &out, NULL, 0, f);
	link_out_wipe(&out);
	return result;
}

void
worker_log_failure(const struct auth_request *q, const struct auth_verdict *v)
{
	struct log_line l;

	log_begin(&l, v->result == AUTH_ERROR ? LEVEL_ERR : LEVEL_WARN,
	    "login-failed");
	log_str(&l, "user", q->user);
	log_str(&l, "ip", q->peer.text);
	log_str(&l, "method", auth_method_word(q->method));
	if (q->master[0] != '\0')
		log_str(&l, "master", q->master);
	log_str(&l, "reason", auth_reason_word(v->reason));
	if (v->detail[0] != '\0')
		log_str(&l, "detail", v->detail);
	log_end(&l);
}

static void
log_master(const struct auth_request *q)
{
	struct log_line l;

	log_begin(&l, LEVEL_NOTE, "master-login");
	log_str(&l, "user", q->user);
	log_str(&l, "ip", q->peer.text);
	log_str(&l, "method", auth_method_word(q->method));
	log_str(&l, "master", q->master);
	log_end(&l);
}

static void
log_app(const struct auth_request *q, const struct auth_verdict *v)
{
	struct log_line l;

	log_begin(&l, LEVEL_NOTE, "app-password");
	log_str(&l, "user", q->user);
	log_str(&l, "ip", q->peer.text);
	log_str(&l, "method", auth_method_word(q->method));
	log_str(&l, "app", v->app);
	log_end(&l);
}

void
worker_log_proof(const struct auth_request *q, const struct auth_verdict *v)
{
	if (q->master[0] != '\0')
		log_master(q);
	else if (v->app[0] != '\0')
		log_app(q, v);
}

static enum wire_deny
deny_of(const struct auth_conf *c, const struct auth_verdict *v)
{
	return v->result == AUTH_ERROR ? DENY_UNDECIDED :
	    auth_passes_on(c, v) ? DENY_UNKNOWN : DENY_NO;
}

/* print: for auth, which may vouch for what was right; 0 else.  user: of an exchange,
 * which nobody else has read. */
static int
send_verdict(int link, const struct auth_conf *c, const struct auth_verdict *v,
    uint64_t print, const char *user, struct fault *f)
{
	UNZEROED struct link_out m;

	if (v->result == AUTH_OK) {
		link_out_init(&m, print != 0 ? MSG_GRANT_PRINT : MSG_GRANT);
		if (print != 0)
			link_put_u64(&m, print);
		wire_put_identity(&m, &v->id);
	} else {
		link_out_init(&m, user[0] == '\0' ? MSG_DENY : MSG_DENY_USER);
		link_put_u8(&m, (uint8_t)deny_of(c, v));
		if (user[0] != '\0')
			link_put_span(&m, span_str(user));
	}
	return link_send(link, &m, NULL, 0, f);
}

/* False: who asked has given up, and told the log so. */
static bool
judged(const struct auth_conf *c, int asker, const struct auth_request *q,
    const struct auth_verdict *v)
{
	/* Nothing comes from there before its answer, but its end. */
	struct wait_for	end = { .fd = asker, .events = WAIT_READ };

	if (asker >= 0 && sock_wait(&end, 1, 0) > 0)
		return false;
	/* One line for all databases. */
	if (v->result != AUTH_OK && !auth_passes_on(c, v))
		worker_log_failure(q, v);
	else if (v->result == AUTH_OK)
		worker_log_proof(q, v);
	return true;
}

typedef void serve_proofs(const struct settings *conf, pid_t parent, int link,
	    int lease, int log_link);

/* Another process judges tokens or tickets, which has neither root nor a database; it is
 * there before we are in a cage, and waits.  -1: it cannot be had. */
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

/* Who judges knows this one alone. */
static int
put_asked(int link, const struct auth_request *q, const struct wire_asked *a,
    struct fault *f)
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

static void
take_proof(struct link_in *m, struct auth_request *q, struct auth_verdict *v)
{
	*v = (struct auth_verdict){ .result = m->type == MSG_PROVEN ? AUTH_OK :
	    (m->type == MSG_DENY || m->type == MSG_DENY_USER) &&
	    link_get_u8(m) == DENY_NO ? AUTH_REFUSED :
	    AUTH_ERROR };
	q->token_good = m->type == MSG_PROVEN &&
	    link_get_cstr(m, q->user, sizeof(q->user));
	link_in_fini(m);
}

/* AUTH_OK: it is good, and q says whose it is.  Else it has told the log why not. */
static int
ask_tokens(const struct settings *conf, int link, struct auth_request *q,
    const struct wire_asked *a, struct auth_verdict *v, struct fault *f)
{
	UNZEROED struct link_in	in;
	int			wait_ms = (int)(1000 * conf->role.auth_timeout_s);

	if (put_asked(link, q, a, f) != 0 || link_recv(link, permit_proof,
	    permit_proof_n, 0, wait_ms, &in, f) != 1)
		return fault_set(f, FAULT_TEMP, "the token could not be judged");
	take_proof(&in, q, v);
	return 0;
}

static void
judge(const struct settings *conf, void *state, struct auth_request *q,
    struct auth_verdict *v)
{
	auth_check(&conf->auth, state, q, v);
	secret_wipe(&q->secret);
}

/* Of one client, whose front is at the other end of `credential`. */
static struct {
	struct link_in		 in;		/* these hold a password */
	struct auth_request	 q;
	struct auth_exchange	 x;
	struct auth_verdict	 v;
} one;

/* The challenge lies there before the monitor tells the front so. */
static int
ask_back(int credential, int verdict, struct span user, struct span octets,
    struct fault *f)
{
	UNZEROED struct link_out	m;

	wire_put_challenge(&m, 0, user, octets);
	if (link_send(credential, &m, NULL, 0, f) != 0)
		return -1;
	link_out_init(&m, MSG_WENT_ON);
	return link_send(verdict, &m, NULL, 0, f);
}

/* The client's response, whose octets stay one.in's. */
static int
hear_response(int credential, struct wire_asked *a, struct fault *f)
{
	uint64_t sid;

	link_in_fini(&one.in);
	if (link_recv(credential, permit_response, permit_response_n, 0, -1,
	    &one.in, f) != 1)
		return fault_prefix(f, "exchange: ");
	if (one.in.type == MSG_ABORT)
		spawn_exit(0);
	return wire_get_response(&one.in, &sid, &a->secret, &a->broken, f) != 0 ?
	    fault_prefix(f, "exchange: ") : 0;
}

static int
exchange(const struct settings *conf, void *state, struct wire_asked *a,
    int credential, int verdict, struct fault *f)
{
	struct buf	challenge;
	int		rc;

	if (auth_exchange_begin(&one.x, &conf->auth, state, &one.q, f) != 0)
		return -1;
	while (auth_exchange_step(&one.x, a->secret, a->broken, &challenge,
	    &one.v) == AUTH_STEP_MORE) {
		rc = ask_back(credential, verdict, span_str(one.x.q.user),
		    buf_span(&challenge), f);
		buf_fini(&challenge);
		if (rc != 0 || hear_response(credential, a, f) != 0)
			return -1;
	}
	one.q = one.x.q;
	auth_exchange_end(&one.x);
	return 0;
}

/* What the client says goes to who judges tickets, unread; and back. */
static int
relay_exchange(const struct settings *conf, int link, struct wire_asked *a,
    int credential, int verdict, struct fault *f)
{
	UNZEROED struct link_in		in;
	UNZEROED struct link_out	m;
	int				wait_ms = (int)(1000 *
					    conf->role.auth_timeout_s);
	uint64_t			sid;
	struct span			user;
	struct span			octets;

	if (put_asked(link, &one.q, a, f) != 0)
		return -1;
	for (;;) {
		if (link_recv(link, permit_proof, permit_proof_n, 0, wait_ms, &in,
		    f) != 1)
			return fault_set(f, FAULT_TEMP, "nobody judges tickets");
		if (in.type != MSG_CHALLENGE)
			break;
		if (wire_get_challenge(&in, &sid, &user, &octets, f) != 0 ||
		    ask_back(credential, verdict, user, octets, f) != 0 ||
		    hear_response(credential, a, f) != 0)
			return -1;
		link_in_fini(&in);
		wire_put_response(&m, 0, a->secret, a->broken);
		if (link_send(link, &m, NULL, 0, f) != 0)
			return -1;
	}
	take_proof(&in, &one.q, &one.v);
	return 0;
}

/* For the next database: there was an exchange already, and this came out of it. */
static int
pass_proven(int pass, struct wire_asked *a, struct fault *f)
{
	UNZEROED struct link_out m;

	if (pass < 0 || one.v.result != AUTH_OK)
		return 0;
	a->user = span_str(one.q.user);
	a->secret = SPAN("");
	a->broken = false;
	link_out_init(&m, MSG_CREDENTIAL);
	wire_put_asked(&m, a);
	return link_send(pass, &m, NULL, 0, f);
}

/* The first worker has it judged; a later one believes that one. */
static int
take_ticket(const struct settings *conf, int link, struct wire_asked *a,
    int credential, bool first, int pass, int verdict, struct fault *f)
{
	if (first)
		return relay_exchange(conf, link, a, credential, verdict, f) != 0 ?
		    -1 : pass_proven(pass, a, f);
	one.q.token_good = true;
	return 0;
}

/* See start_proofs. */
static int
start_prover(const struct settings *conf, enum auth_method m, bool first)
{
	if (auth_by_token(m) && token_wanted(&conf->token))
		return start_proofs(conf, worker_serve_tokens);
	if (m == AUTH_METHOD_GSSAPI && krb_wanted(&conf->krb) && first)
		return start_proofs(conf, worker_serve_kerberos);
	return -1;
}

static int
answer(const struct settings *conf, enum auth_method method, pid_t monitor,
    int credential, int record, int pass, int verdict, struct fault *f)
{
	struct wire_asked	 a;
	bool			 refused;	/* its token, and told so */
	void			*state;
	const bool		 first = record == credential;
	AUTO(fd_close) int	 prover = start_prover(conf, method, first);

	if (prepare(conf, monitor, method, false, &state, f) != 0)
		return -1;
	do {			/* an ABORT was for a worker before us */
		if (link_recv(record, permit_credential,
		    permit_credential_n, 0, 0, &one.in, f) != 1)
			return fault_prefix(f, "credential: ");
	} while (one.in.type == MSG_ABORT);
	if ((method != AUTH_METHOD_GSSAPI || !first) &&
	    pass_on(pass, &one.in, f) != 0)
		return -1;
	if (take_asked(&one.in, &one.q, &a, f) != 0)
		return -1;
	if (one.q.method != method)
		return fault_set(f, FAULT_PEER, "credential: of another method");
	if (auth_by_token(one.q.method) &&
	    ask_tokens(conf, prover, &one.q, &a, &one.v, f) != 0)
		return -1;
	if (method == AUTH_METHOD_GSSAPI && take_ticket(conf, prover, &a,
	    credential, first, pass, verdict, f) != 0)
		return -1;
	if (auth_by_own_exchange(one.q.method) &&
	    exchange(conf, state, &a, credential, verdict, f) != 0)
		return -1;
	link_in_fini(&one.in);
	refused = auth_by_proof(one.q.method) && one.v.result != AUTH_OK;
	if (!refused && !auth_by_own_exchange(one.q.method))
		judge(conf, state, &one.q, &one.v);
	if (!refused)
		(void)judged(&conf->auth, -1, &one.q, &one.v);
	auth_ops_of(&conf->auth)->done(state);
	return send_verdict(verdict, &conf->auth, &one.v, 0, "", f);
}

static struct worker_errors *errors;

void
worker_share_errors(struct worker_errors *e)
{
	errors = e;
}

/* A database that is down fails each worker that begins. */
static bool
is_news(const struct fault *f, uint64_t *times_r)
{
	*times_r = 1;
	if (errors == NULL)
		return true;
	if (strncmp(errors->text, f->text, sizeof(errors->text)) != 0)
		errors->quiet = (struct quiet){ 0 };
	memcpy(errors->text, f->text, sizeof(errors->text));
	return quiet_speak(&errors->quiet, times_r);
}

static void
log_error(const struct fault *f)
{
	struct log_line	l;
	uint64_t	times;

	if (!is_news(f, &times))
		return;
	log_begin(&l, LEVEL_ERR, "auth-error");
	log_str(&l, "text", f->text);
	if (times > 1)
		log_num(&l, "times", times);
	log_end(&l);
}

/* Who asks sees an error, or our end. */
static NORETURN void
give_up(const struct auth_conf *c, const struct sock_addr *peer, int verdict,
    struct fault *f)
{
	static const struct auth_verdict undecided = { .result = AUTH_ERROR };

	log_error(f);
	attempt_log_unjudged(NULL, peer, "see auth-error");
	(void)send_verdict(verdict, c, &undecided, 0, "", f);
	spawn_exit(1);
}

void
worker_main(const struct settings *conf, const struct sock_addr *peer,
    enum auth_method method, pid_t monitor, int credential, int record, int pass, int verdict,
    int log_link)
{
	const int	keep[] = {
		credential, record, pass, verdict, log_link,
	};
	struct fault	f;

	spawn_tie(monitor);
	shed_descriptors(keep, ARRAY_LEN(keep));
	log_set_reopen(reopen_log, &log_link);
	secmem_lock(&one, sizeof(one));
	one.q.peer = *peer;
	if (answer(conf, method, monitor, credential, record, pass, verdict,
	    &f) != 0)
		give_up(&conf->auth, peer, verdict, &f);
	spawn_exit(0);
}

/* ------------------------------------------------------- in popper serve */

/* An exchange whose client has not answered yet. */
struct held {
	struct map_node		 in;		/* by sid */
	struct auth_exchange	 x;
};

struct serving {
	const struct settings	*conf;
	void			*state;
	int			 link;
	int			 lease;
	bool			 retired;
	struct map		 held;
	size_t			 nheld;
	uint64_t		 sid;	/* of what is answered now */
	struct link_in		 in;	/* these hold a password */
	struct auth_request	 q;
	struct auth_verdict	 v;
	struct tokens		 tokens;	/* of who judges those alone */
	struct kerberos		 kerberos;	/* likewise */
};

static int
retire(struct serving *s, struct fault *f)
{
	UNZEROED struct link_out m;

	s->retired = true;
	link_out_init(&m, MSG_RETIRED);
	return link_send(s->link, &m, NULL, 0, f);
}

/* 1: there is a message, or the end, on the link; 0: no more will come. */
static int
wait_question(struct serving *s, struct fault *f)
{
	const struct auth_ops *ops = auth_ops_of(&s->conf->auth);

	for (;;) {
		struct wait_for w[] = {
			{ .fd = s->link, .events = WAIT_READ },
			{ .fd = s->retired ? -1 : s->lease,
			  .events = WAIT_READ },
			{ .fd = s->retired || ops->idle_fd == NULL ? -1 :
			  ops->idle_fd(s->state), .events = WAIT_READ },
		};
		int n = sock_wait(w, ARRAY_LEN(w), s->retired ? RETIRED_MS :
		    -1);

		/* Who is to hear it may be gone: then its end is next. */
		if ((w[1].ready || w[2].ready) && retire(s, f) != 0 &&
		    f->err != EPIPE)
			return -1;
		if (w[0].ready)
			return 1;
		if (n == 0 && s->retired)
			return 0;
	}
}

/* 1: s->in has a message; 0: the end. */
static int
next_message(struct serving *s, struct fault *f)
{
	int got = wait_question(s, f);

	return got != 1 ? got : link_recv(s->link, permit_question,
	    permit_question_n, 0, 0, &s->in, f);
}

static void
held_free(struct serving *s, struct held *h)
{
	map_take(&s->held, &h->in);
	s->nheld--;
	auth_exchange_end(&h->x);
	free(h);
}

/* 1: it is told; 0: whom to? */
static int
tell(struct serving *s, const struct auth_request *q, const char *user,
    struct fault *f)
{
	if (!judged(&s->conf->auth, s->link, q, &s->v))
		return 0;
	if (send_verdict(s->link, &s->conf->auth, &s->v, s->v.print, user,
	    f) != 0)
		return -1;
	log_set_sid("");
	return 1;
}

/* Whose it is; who that is here, a database is asked.  user: if that is news. */
static int
tell_proof(struct serving *s, const struct auth_request *q, const char *user,
    struct fault *f)
{
	UNZEROED struct link_out m;

	if (s->v.result != AUTH_OK) {
		worker_log_failure(q, &s->v);
		return send_verdict(s->link, &s->conf->auth, &s->v, 0, user,
		    f) != 0 ? -1 : 1;
	}
	link_out_init(&m, MSG_PROVEN);
	link_put_span(&m, span_str(q->user));
	return link_send(s->link, &m, NULL, 0, f) != 0 ? -1 : 1;
}

/* What the client of this exchange has said. */
static int
go_on(struct serving *s, struct held *h, struct span message, bool broken,
    struct fault *f)
{
	UNZEROED struct link_out	m;
	struct buf			challenge;
	int				result;

	s->v.print = 0;
	if (auth_exchange_step(&h->x, message, broken, &challenge, &s->v) ==
	    AUTH_STEP_MORE) {
		wire_put_challenge(&m, s->sid, span_str(h->x.q.user),
		    buf_span(&challenge));
		buf_fini(&challenge);
		log_set_sid("");
		return link_send(s->link, &m, NULL, 0, f) != 0 ? -1 : 1;
	}
	result = s->kerberos.k != NULL ? tell_proof(s, &h->x.q, "", f) :
	    tell(s, &h->x.q, h->x.q.user, f);
	held_free(s, h);
	return result;
}

static int
begin_exchange(struct serving *s, const struct wire_asked *a, struct fault *f)
{
	struct held *h;

	if (s->nheld >= WORKER_EXCHANGES_MAX)
		return fault_set(f, FAULT_PEER, "too many exchanges");
	h = xalloc(1, sizeof(*h));
	secmem_lock(h, sizeof(*h));
	if ((s->kerberos.k != NULL ? kerberos_begin(&s->kerberos, &h->x, &s->q, f) :
	    auth_exchange_begin(&h->x, &s->conf->auth, s->state, &s->q, f)) != 0) {
		free(h);
		return -1;
	}
	map_put(&s->held, &h->in, s->sid, h);
	s->nheld++;
	return go_on(s, h, a->secret, a->broken, f);
}

static int
answer_token(struct serving *s, struct span token, struct fault *f)
{
	const bool named = s->q.user[0] != '\0';

	if (!tokens_judge(&s->tokens, &s->q, token, &s->v) &&
	    s->lease >= 0 && !s->retired && retire(s, f) != 0)
		return -1;
	return tell_proof(s, &s->q, named ? "" : s->q.user, f);
}

static int
on_question(struct serving *s, struct fault *f)
{
	struct wire_asked a;

	s->sid = link_get_u64(&s->in);
	s->q.vouched = link_get_u64(&s->in);
	if (s->sid != 0)		/* 0: it is known already */
		wire_log_sid(s->sid);
	if (wire_get_peer(&s->in, &s->q.peer, f) != 0 ||
	    take_asked(&s->in, &s->q, &a, f) != 0)
		return -1;
	if (s->tokens.t != NULL)
		return answer_token(s, a.secret, f);
	if (s->kerberos.k != NULL && s->q.method != AUTH_METHOD_GSSAPI)
		return fault_set(f, FAULT_PEER, "a question for others");
	if (s->kerberos.k != NULL || auth_by_own_exchange(s->q.method))
		return begin_exchange(s, &a, f);
	/* Of a token or a ticket auth has asked before, and not us. */
	s->q.token_good = auth_by_proof(s->q.method);
	judge(s->conf, s->state, &s->q, &s->v);
	return tell(s, &s->q, "", f);
}

static int
on_response(struct serving *s, struct fault *f)
{
	struct span	 octets;
	bool		 broken;
	struct held	*h;

	if (wire_get_response(&s->in, &s->sid, &octets, &broken, f) != 0)
		return -1;
	wire_log_sid(s->sid);
	h = map_find(&s->held, s->sid);
	return h != NULL ? go_on(s, h, octets, broken, f) :
	    fault_set(f, FAULT_PEER, "a response to nothing");
}

static int
on_abort(struct serving *s)
{
	struct held *h = map_find(&s->held, link_get_u64(&s->in));

	if (h != NULL)
		held_free(s, h);
	return 1;
}

/* Whose question it is that nobody can answer here, for the log. */
static void
read_peer(struct serving *s)
{
	struct fault f;

	wire_log_sid(link_get_u64(&s->in));
	s->q.vouched = link_get_u64(&s->in);
	if (s->in.type == MSG_QUESTION &&
	    wire_get_peer(&s->in, &s->q.peer, &f) != 0)
		s->q.peer = (struct sock_addr){ .family = 0 };
	link_in_fini(&s->in);
}

/* 1: go on; 0: that is all. */
static int
on_message(struct serving *s, struct fault *f)
{
	if (s->in.type == MSG_ABORT)
		return on_abort(s);
	return s->in.type == MSG_RESPONSE ? on_response(s, f) :
	    on_question(s, f);
}

static int
serve(struct serving *s, struct fault *f)
{
	int got;

	while ((got = next_message(s, f)) == 1) {
		got = on_message(s, f);
		link_in_fini(&s->in);
		if (got != 1)
			return got;
		log_set_sid("");
		if (s->tokens.t == NULL && s->kerberos.k == NULL &&
		    s->nheld == 0 &&
		    s->conf->auth.source == AUTH_PAM)
			return 0;
	}
	return got;
}

static void
begin(struct serving *s, const struct settings *conf, pid_t parent, int link,
    int lease, int *log_link)
{
	const int keep[] = { link, lease, *log_link };

	spawn_tie(parent);
	shed_descriptors(keep, ARRAY_LEN(keep));
	/* Without a link it is root, who can connect by himself, or lives shortly. */
	log_set_reopen(*log_link >= 0 ? reopen_log : NULL, log_link);
	secmem_lock(s, sizeof(*s));
	s->conf = conf;
	s->link = link;
	s->lease = lease;
}

/* An unread question would take our answer with it. */
static NORETURN void
give_up_unread(struct serving *s, struct fault *f)
{
	struct fault ignored;

	if (next_message(s, &ignored) == 1)
		read_peer(s);
	give_up(&s->conf->auth, &s->q.peer, s->link, f);
}

void
worker_serve(const struct settings *conf, pid_t warden, int link, int lease,
    int log_link)
{
	static struct serving	s;
	struct fault		f;

	begin(&s, conf, warden, link, lease, &log_link);
	if (prepare(conf, warden, AUTH_METHODS, lease >= 0, &s.state, &f) != 0)
		give_up_unread(&s, &f);
	if (serve(&s, &f) != 0)
		give_up(&conf->auth, &s.q.peer, link, &f);
	auth_ops_of(&conf->auth)->done(s.state);
	spawn_exit(0);
}

void
worker_serve_tokens(const struct settings *conf, pid_t parent, int link,
    int lease, int log_link)
{
	static struct serving	s;
	struct fault		f;

	begin(&s, conf, parent, link, lease, &log_link);
	if (tokens_open_caged(conf, parent, &s.tokens, &f) != 0)
		give_up_unread(&s, &f);
	if (serve(&s, &f) != 0)
		give_up(&conf->auth, &s.q.peer, link, &f);
	tokens_close(&s.tokens);
	spawn_exit(0);
}

void
worker_serve_kerberos(const struct settings *conf, pid_t parent, int link,
    int lease, int log_link)
{
	static struct serving	s;
	struct fault		f;

	begin(&s, conf, parent, link, lease, &log_link);
	if (kerberos_open_caged(conf, parent, &s.kerberos, &f) != 0)
		give_up_unread(&s, &f);
	if (serve(&s, &f) != 0)
		give_up(&conf->auth, &s.q.peer, link, &f);
	kerberos_close(&s.kerberos);
	spawn_exit(0);
}

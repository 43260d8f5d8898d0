/* SPDX-License-Identifier: ISC */
/*
 * Runs as: a worker of a monitor (worker.c).  Reads from: one bounded record that a
 * front wrote, and its client's responses.  Exits after the verdict.
 */
#include "role/worker_priv.h"

#include "role/ask_log.h"

#include "sys/file.h"
#include "sys/secmem.h"
#include "sys/spawn.h"
#include "watch/log.h"

/* Of one client, whose front is at the other end of `credential`. */
static struct {
	struct link_in		 in;		/* these hold a password */
	struct auth_request	 q;
	struct auth_exchange	 x;
	struct auth_verdict	 v;
} one;

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

/* The challenge lies there before the monitor tells the front so. */
static int
ask_back(const struct worker_question *w, struct span user, struct span octets,
    struct fault *f)
{
	UNZEROED struct link_out	m;

	wire_put_challenge(&m, 0, user, octets);
	if (link_send(w->credential, &m, NULL, 0, f) != 0)
		return -1;
	link_out_init(&m, MSG_WENT_ON);
	return link_send(w->verdict, &m, NULL, 0, f);
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
exchange(const struct settings *conf, const struct worker_question *w, void *state,
    struct wire_asked *a, struct fault *f)
{
	struct buf	challenge;
	int		rc;

	if (auth_exchange_begin(&one.x, &conf->auth, state, &one.q, f) != 0)
		return -1;
	while (auth_exchange_step(&one.x, a->secret, a->broken, &challenge,
	    &one.v) == AUTH_STEP_MORE) {
		rc = ask_back(w, span_str(one.x.q.user), buf_span(&challenge), f);
		buf_fini(&challenge);
		if (rc != 0 || hear_response(w->credential, a, f) != 0)
			return -1;
	}
	one.q = one.x.q;
	auth_exchange_end(&one.x);
	return 0;
}

/* What the client says goes to who judges tickets, unread; and back. */
static int
relay_exchange(const struct settings *conf, const struct worker_question *w, int link,
    struct wire_asked *a, struct fault *f)
{
	UNZEROED struct link_in		in;
	UNZEROED struct link_out	m;
	int				wait_ms = (int)(1000 *
					    conf->role.auth_timeout_s);
	uint64_t			sid;
	struct span			user;
	struct span			octets;

	if (worker_put_asked(link, &one.q, a, f) != 0)
		return -1;
	for (;;) {
		if (link_recv(link, permit_proof, permit_proof_n, 0, wait_ms, &in,
		    f) != 1)
			return fault_set(f, FAULT_TEMP, "nobody judges tickets");
		if (in.type != MSG_CHALLENGE)
			break;
		if (wire_get_challenge(&in, &sid, &user, &octets, f) != 0 ||
		    ask_back(w, user, octets, f) != 0 ||
		    hear_response(w->credential, a, f) != 0)
			return -1;
		link_in_fini(&in);
		wire_put_response(&m, 0, a->secret, a->broken);
		if (link_send(link, &m, NULL, 0, f) != 0)
			return -1;
	}
	worker_take_proof(&in, &one.q, &one.v);
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
take_ticket(const struct settings *conf, const struct worker_question *w, int link,
    struct wire_asked *a, struct fault *f)
{
	if (w->record == w->credential)
		return relay_exchange(conf, w, link, a, f) != 0 ?
		    -1 : pass_proven(w->pass, a, f);
	one.q.token_good = true;
	return 0;
}

/* What the client said; a worker of another database finds it, too.  A ticket goes
 * there when it was judged. */
static int
take_record(const struct worker_question *w, struct wire_asked *a, struct fault *f)
{
	do {			/* an ABORT was for a worker before us */
		if (link_recv(w->record, permit_credential,
		    permit_credential_n, 0, 0, &one.in, f) != 1)
			return fault_prefix(f, "credential: ");
	} while (one.in.type == MSG_ABORT);
	if ((w->method != AUTH_METHOD_GSSAPI || w->record != w->credential) &&
	    pass_on(w->pass, &one.in, f) != 0)
		return -1;
	if (worker_take_asked(&one.in, &one.q, a, f) != 0)
		return -1;
	return one.q.method == w->method ? 0 :
	    fault_set(f, FAULT_PEER, "credential: of another method");
}

/* Whose token or ticket it is, or the verdict of an exchange: what the judgement of the
 * database is about, where there is more to it than name and password. */
static int
prove(const struct settings *conf, const struct worker_question *w, void *state,
    int prover, struct wire_asked *a, struct fault *f)
{
	if (auth_by_token(w->method))
		return worker_ask_tokens(conf, prover, &one.q, a, &one.v, f);
	if (w->method == AUTH_METHOD_GSSAPI)
		return take_ticket(conf, w, prover, a, f);
	return auth_by_own_exchange(w->method) ?
	    exchange(conf, w, state, a, f) : 0;
}

static int
answer(const struct settings *conf, const struct worker_question *w, struct fault *f)
{
	struct wire_asked	 a;
	bool			 refused;	/* its token, and told so */
	void			*state;
	AUTO(fd_close) int	 prover = worker_start_prover(conf, w->method,
				     w->record == w->credential);

	if (worker_prepare(conf, w->monitor, w->method, false, &state, f) != 0 ||
	    take_record(w, &a, f) != 0 ||
	    prove(conf, w, state, prover, &a, f) != 0)
		return -1;
	link_in_fini(&one.in);
	refused = auth_by_proof(w->method) && one.v.result != AUTH_OK;
	if (!refused && !auth_by_own_exchange(w->method))
		worker_judge(conf, state, &one.q, &one.v);
	if (!refused)
		(void)worker_judged(&conf->auth, -1, &one.q, &one.v);
	auth_ops_of(&conf->auth)->done(state);
	return worker_send_verdict(w->verdict, &conf->auth, &one.v, 0, "", f);
}

void
worker_main(const struct settings *conf, const struct worker_question *w)
{
	const int	keep[] = {
		w->credential, w->record, w->pass, w->verdict, w->log_link,
	};
	int		log_link = w->log_link;
	struct fault	f;

	spawn_tie(w->monitor);
	shed_descriptors(keep, ARRAY_LEN(keep));
	log_set_reopen(worker_reopen_log, &log_link);
	secmem_lock(&one, sizeof(one));
	one.q.peer = *w->peer;
	if (answer(conf, w, &f) != 0)
		worker_give_up(&conf->auth, w->peer, w->verdict, &f);
	spawn_exit(0);
}

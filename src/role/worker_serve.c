/* SPDX-License-Identifier: ISC */
/*
 * Runs as: a worker of auth, in popper serve (worker.c).  Reads from: bounded records
 * that auth has put together anew.  Lives for one question with PAM, else for many,
 * and no longer than its lease.
 */
#include "role/worker_priv.h"

#include "role/ask_log.h"
#include "role/kerberos.h"
#include "role/tokens.h"

#include "base/alloc.h"
#include "base/map.h"
#include "sys/secmem.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>

/* How long who has retired goes on listening: what was sent before is answered,
 * and nobody gets an answer that is older than the warden promises.  Who holds
 * exchanges is told when that is over, by the end of its link, or should be. */
#define HELD_MS		(2 * WORKER_RETIRED_MS)

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

static int
patience_ms(const struct serving *s)
{
	return !s->retired ? -1 : s->nheld > 0 ? HELD_MS : WORKER_RETIRED_MS;
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
		int n = sock_wait(w, ARRAY_LEN(w), patience_ms(s));

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
	if (!worker_judged(&s->conf->auth, s->link, q, &s->v))
		return 0;
	if (worker_send_verdict(s->link, &s->conf->auth, &s->v, s->v.print, user,
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
		return worker_send_verdict(s->link, &s->conf->auth, &s->v, 0, user,
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
	    worker_take_asked(&s->in, &s->q, &a, f) != 0)
		return -1;
	if (s->tokens.t != NULL)
		return answer_token(s, a.secret, f);
	if (s->kerberos.k != NULL && s->q.method != AUTH_METHOD_GSSAPI)
		return fault_set(f, FAULT_PEER, "a question for others");
	if (s->kerberos.k != NULL || auth_by_own_exchange(s->q.method))
		return begin_exchange(s, &a, f);
	/* Of a token or a ticket auth has asked before, and not us. */
	s->q.token_good = auth_by_proof(s->q.method);
	worker_judge(s->conf, s->state, &s->q, &s->v);
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
	log_set_reopen(*log_link >= 0 ? worker_reopen_log : NULL, log_link);
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
	worker_give_up(&s->conf->auth, &s->q.peer, s->link, f);
}

void
worker_serve(const struct settings *conf, pid_t warden, int link, int lease,
    int log_link)
{
	static struct serving	s;
	struct fault		f;

	begin(&s, conf, warden, link, lease, &log_link);
	if (worker_prepare(conf, warden, AUTH_METHODS, lease >= 0, &s.state, &f) != 0)
		give_up_unread(&s, &f);
	if (serve(&s, &f) != 0)
		worker_give_up(&conf->auth, &s.q.peer, link, &f);
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
		worker_give_up(&conf->auth, &s.q.peer, link, &f);
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
		worker_give_up(&conf->auth, &s.q.peer, link, &f);
	kerberos_close(&s.kerberos);
	spawn_exit(0);
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: a worker, of any kind (worker.c).
 */
#include "role/worker_priv.h"

#include "role/attempt.h"

#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <string.h>

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

int
worker_send_verdict(int link, const struct auth_conf *c,
    const struct auth_verdict *v, uint64_t print, const char *user,
    struct fault *f)
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

bool
worker_judged(const struct auth_conf *c, int asker,
    const struct auth_request *q, const struct auth_verdict *v)
{
	/* Before its answer an ABORT of some other exchange may come, or the end. */
	struct wait_for	end = { .fd = asker, .events = WAIT_READ };

	if (asker >= 0 && sock_wait(&end, 1, 0) > 0 &&
	    (end.ready & WAIT_HANGUP) != 0)
		return false;
	/* One line for all databases. */
	if (v->result != AUTH_OK && !auth_passes_on(c, v))
		worker_log_failure(q, v);
	else if (v->result == AUTH_OK)
		worker_log_proof(q, v);
	return true;
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

void
worker_give_up(const struct auth_conf *c, const struct sock_addr *peer,
    int verdict, struct fault *f)
{
	static const struct auth_verdict undecided = { .result = AUTH_ERROR };

	log_error(f);
	attempt_log_unjudged(NULL, peer, "see auth-error");
	(void)worker_send_verdict(verdict, c, &undecided, 0, "", f);
	spawn_exit(1);
}

/* SPDX-License-Identifier: ISC */
/*
 * What the files of a worker share: one that answers for a monitor, or for auth in
 * popper serve.  Floor 4, private to worker*.c.
 *
 *   worker.c		what is opened and read, then the cage; the judgement
 *   worker_say.c	what is told: the verdict, and the lines of the log
 *   worker_one.c	one question, of a monitor's client
 *   worker_proof.c	for that one: another process, which judges tokens or tickets
 *   worker_serve.c	many questions, of auth
 */
#ifndef ROLE_WORKER_PRIV_H
#define ROLE_WORKER_PRIV_H

#include "role/worker.h"

#include "role/permit.h"
#include "role/wire.h"

#include "auth/exchange.h"
#include "base/attr.h"
#include "sys/link.h"

#include <sys/types.h>

/* ---- what both kinds do (worker.c) ---- */

/* For log_set_reopen; ctx: the log link. */
int		worker_reopen_log(void *ctx);
/* All that is opened and read, then the cage. */
int		worker_prepare(const struct settings *conf, pid_t parent,
		    enum auth_method asked, bool stays, void **state_r,
		    struct fault *f);
/* The octets of a token, and of an exchange's first message, stay m's. */
int		worker_take_asked(struct link_in *m, struct auth_request *q,
		    struct wire_asked *a, struct fault *f);
/* By its back end; the secret is wiped. */
void		worker_judge(const struct settings *conf, void *state,
		    struct auth_request *q, struct auth_verdict *v);

/* ---- what is told (worker_say.c) ---- */

/* print: for auth, which may vouch for what was right; 0 else.  user: of an exchange,
 * which nobody else has read. */
int		worker_send_verdict(int link, const struct auth_conf *c,
		    const struct auth_verdict *v, uint64_t print,
		    const char *user, struct fault *f);
/* The line of a judgement.  False: who asked has given up, and told the log so. */
bool		worker_judged(const struct auth_conf *c, int asker,
		    const struct auth_request *q, const struct auth_verdict *v);
/* Who asks sees an error, or our end. */
void		worker_give_up(const struct auth_conf *c,
		    const struct sock_addr *peer, int verdict,
		    struct fault *f) NORETURN;

/* ---- who judges tokens or tickets (worker_proof.c) ---- */

/* Another process does, which has neither root nor a database; it is there before we
 * are in a cage, and waits.  Its link, or -1: it cannot be had, or there is no need. */
int		worker_start_prover(const struct settings *conf,
		    enum auth_method m, bool first);
/* Who judges knows this one alone. */
int		worker_put_asked(int link, const struct auth_request *q,
		    const struct wire_asked *a, struct fault *f);
void		worker_take_proof(struct link_in *m, struct auth_request *q,
		    struct auth_verdict *v);
/* AUTH_OK: it is good, and q says whose it is.  Else it has told the log why not. */
int		worker_ask_tokens(const struct settings *conf, int link,
		    struct auth_request *q, const struct wire_asked *a,
		    struct auth_verdict *v, struct fault *f);

#endif

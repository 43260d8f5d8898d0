/* SPDX-License-Identifier: ISC */
/*
 * Logins that take several messages of a client (RFC 4422): what goes to and fro
 * before there is a verdict.  Floor 2.  Runs where auth_check does, and like that it
 * never waits for the client: who holds the connection does, with nothing but octets.
 *
 * A mechanism is a row in exchange.c: three functions.
 */
#ifndef AUTH_EXCHANGE_H
#define AUTH_EXCHANGE_H

#include "auth/auth.h"
#include "base/buf.h"

#define AUTH_MESSAGE_MAX	9216	/* octets that a client may say at a time */
#define AUTH_CHALLENGE_MAX	1024	/* and we */
#define AUTH_STEPS_MAX		8	/* messages of one exchange */

enum auth_step { AUTH_STEP_MORE, AUTH_STEP_DONE };

struct auth_exchange_ops {
	/* NULL: it cannot be had here; the fault says why.  q stays as long as the
	 * exchange; its name is for exchange_take_user to set. */
	void		*(*begin)(const struct auth_conf *c, void *state,
			    struct auth_request *q, struct fault *f);
	/*
	 * What the client has said, octet for octet.  MORE: *challenge, which is empty
	 * before, is for him; DONE: *v is filled.  Whatever is wrong is a refusal.
	 */
	enum auth_step	 (*step)(void *own, struct span message,
			    struct buf *challenge, struct auth_verdict *v);
	void		 (*end)(void *own);
};

/*
 * Before the cage: the libraries and keys that will be needed.  asked: the one method
 * that there will be a question by; AUTH_METHODS: any.  state: what prepare gave.  A
 * password by itself needs them where such secrets are stored, which it is compared to.
 */
void	auth_exchange_prepare(const struct auth_conf *c, const void *state,
	    enum auth_method asked);

/* In the caller's memory, which has secmem_lock; it does not move. */
struct auth_exchange {
	const struct auth_exchange_ops	*ops;	/* NULL: there is none */
	void				*own;	/* owns */
	const struct auth_conf		*c;	/* borrows; NULL: of no database */
	void				*state;	/* borrows: what prepare gave */
	struct auth_request		 q;
	unsigned			 steps;
};

/* q: the method and who asks, of which all is copied. */
int	auth_exchange_begin(struct auth_exchange *x, const struct auth_conf *c,
	    void *state, const struct auth_request *q, struct fault *f) MUSTUSE;
/*
 * broken: it was no base64, which is as wrong as any message.  After DONE there is
 * nothing but the end.  *challenge is initialised here; whose name x->q.user is may
 * be known from now on, or with the verdict.
 */
enum auth_step	auth_exchange_step(struct auth_exchange *x,
		    struct span message, bool broken, struct buf *challenge,
		    struct auth_verdict *v);
/*
 * The same of a mechanism that asks no database (auth_by_proof): AUTH_OK says that
 * x->q.user is who it is, and no more.
 */
int	auth_exchange_begin_proof(struct auth_exchange *x,
	    const struct auth_exchange_ops *ops, void *state,
	    const struct auth_request *q, struct fault *f) MUSTUSE;
/* Whether it was finished or not. */
void	auth_exchange_end(struct auth_exchange *x);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * What the files of the AUTHORIZATION state share.  Floor 3, private to authorize*.c.
 *
 *   authorize.c	lines, commands, and what is said to an answer
 *   authorize_ask.c	the question: whose name, which secret
 *   authorize_sasl.c	AUTH (RFC 5034): mechanisms, and their exchanges
 */
#ifndef POP_AUTHORIZE_PRIV_H
#define POP_AUTHORIZE_PRIV_H

#include "pop/authorize.h"

#include "proto/command.h"
#include "sasl/simple.h"

/* ---- authorize.c ---- */

/* Count a command that was none; too many in a row end the session. */
enum authorize_next	authorize_bad(struct authorize *a, struct buf *out,
			    const char *text);
/* NO, which the client is told. */
enum authorize_next	authorize_fail(struct authorize *a, struct buf *out);

/* ---- authorize_ask.c: the next question, in a->name and a->ask ---- */

/* False: too long for a name.  What cannot be prepared is nobody's name, and stays as
 * it was said. */
bool			authorize_take_name(struct authorize *a,
			    struct span name);
/* Who acts for another user is a master user, or nobody. */
bool			authorize_take_names(struct authorize *a,
			    const struct sasl_login *l);
enum authorize_next	authorize_ask(struct authorize *a,
			    enum authorize_method method, struct span secret);
/* What is no response is as wrong as any password, at the same time. */
enum authorize_next	authorize_ask_in_vain(struct authorize *a,
			    enum authorize_method method);
/* For who knows the secret to compare. */
enum authorize_next	authorize_ask_digest(struct authorize *a,
			    enum authorize_method method,
			    const uint8_t seed[SASL_STAMP_SEED],
			    struct span user, struct span digest);
/* For somebody else to take apart. */
enum authorize_next	authorize_ask_message(struct authorize *a,
			    struct span message, bool broken);
void			authorize_forget(struct authorize *a);

/* ---- authorize_sasl.c ---- */

enum authorize_next	authorize_on_auth(struct authorize *a,
			    const struct command *cmd, struct buf *out);
enum authorize_next	authorize_on_response(struct authorize *a,
			    struct span line, struct buf *out);
/* And its response is as `next` says. */
enum authorize_next	authorize_say_challenge(struct authorize *a,
			    enum authorize_exchange next, const char *base64,
			    struct buf *out);
/* Bits of enum authorize_method.  EXTERNAL only to whom TLS vouches for. */
unsigned		authorize_offers_now(const struct authorize *a);
/* As they are: nobody can hear them, or may. */
bool			authorize_takes_passwords(const struct authorize *a);
/* Whoever listens has heard no password yet, so nobody is asked for one. */
enum authorize_next	authorize_in_the_clear(struct authorize *a,
			    struct buf *out);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The load's SCRAM-SHA-256 (RFC 5802, RFC 7677) by libgsasl: a server that does not
 * know what it should of the password is an error as any other.
 */
#ifndef BENCH_PROVE_H
#define BENCH_PROVE_H

#include "base/attr.h"
#include "base/span.h"

struct prove;			/* one exchange */

/* Ends the process when it cannot. */
void		 prove_init(void);
struct prove	*prove_new(const char *name, const char *password);
void		 prove_free(struct prove *p);

/* What comes after a challenge in base64 (none: ""), in base64 as well, into out.
 * False: the server's message is not right. */
bool		 prove_step(struct prove *p, struct span challenge, char *out,
		    size_t cap) MUSTUSE;
/* After the last challenge: whether the server has proved itself. */
bool		 prove_ends(struct prove *p, struct span challenge) MUSTUSE;

#endif

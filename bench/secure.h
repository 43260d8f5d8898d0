/* SPDX-License-Identifier: ISC */
/*
 * The load's TLS: OpenSSL over a socket that does not block.  A server that is not
 * whom the certificate names, or speaks another version, is an error as any other.
 */
#ifndef BENCH_SECURE_H
#define BENCH_SECURE_H

#include "base/attr.h"
#include "base/span.h"

#include <sys/types.h>

#define SECURE_HOST	"pophost.example.org"	/* in the server's certificate */

struct secure;			/* one connection */

/* ca: PEM file of whom we believe.  again: with the last ticket that any of the
 * connections was given.  Ends the process when it cannot. */
void		 secure_init(const char *ca, bool again);

/* The client's end, about to shake hands; fd is borrowed. */
struct secure	*secure_new(int fd);
void		 secure_free(struct secure *s);

/* 0: done; -1 with errno EAGAIN: not yet, and waits_r is what for; -1: never. */
int		 secure_shake(struct secure *s, bool *writes_r, char *why,
		    size_t cap) MUSTUSE;
bool		 secure_resumed(const struct secure *s);

/* As recv and send; 0 is the end that TLS has told of.  errno EPROTO: why tells. */
ssize_t		 secure_read(struct secure *s, void *p, size_t n, char *why,
		    size_t cap) MUSTUSE;
ssize_t		 secure_write(struct secure *s, const void *p, size_t n) MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A password on its way: a buffer of fixed size that is wiped when its scope
 * ends.  It has no way into a log line or a reply.  Floor 0, pure; who holds
 * one calls secmem_lock (sys/secmem.h) on it first.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/attr.h"
#include "base/span.h"

#define SECRET_MAX	512		/* octets of a password */

struct secret {
	size_t	n;
	uint8_t	b[SECRET_MAX];
};

/* False when s is too long; then *x is empty. */
bool	secret_set(struct secret *x, struct span s) MUSTUSE;
void	secret_wipe(struct secret *x);

/* Time depends on the lengths alone. */
bool	secret_eq(struct span a, struct span b) MUSTUSE;

static inline struct span
secret_span(const struct secret *x)
{
	return span_of(x->b, x->n);
}

#endif

/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

bool
secret_set(struct secret *x, struct span s)
{
	secret_wipe(x);
	if (s.n > sizeof(x->b))
		return false;
	if (s.n > 0)
		memcpy(x->b, s.p, s.n);
	x->n = s.n;
	return true;
}

void
secret_wipe(struct secret *x)
{
	explicit_bzero(x, sizeof(*x));
}

bool
secret_eq(struct span a, struct span b)
{
	volatile uint8_t diff = a.n != b.n;

	for (size_t i = 0; i < a.n && b.n > 0; i++)
		diff = (uint8_t)(diff | (a.p[i] ^ b.p[i % b.n]));
	return diff == 0 && a.n == b.n;
}

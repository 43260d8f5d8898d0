/* SPDX-License-Identifier: ISC */
/*
 * Octets as text: base64 (RFC 4648 s.4), hexadecimal.  Floor 0, pure.
 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include "base/attr.h"
#include "base/span.h"

/* Octets of the text, without a NUL. */
#define BASE64_SIZE(n)	(((n) + 2) / 3 * 4)

/* False, and an empty *out, unless text is exactly what base64_encode makes of some
 * octets: no blank, no line end, nothing left out (RFC 4648 s.3.3, s.3.5).  *out_n
 * is at most cap. */
bool	base64_decode(struct span text, uint8_t *out, size_t cap, size_t *out_n)
	    MUSTUSE;
/* out has BASE64_SIZE(s.n) octets; returns how many were written: all of them. */
size_t	base64_encode(struct span s, char *out);

/* Two digits an octet, in lower case, without a NUL: out has 2 * s.n octets. */
void	hex_encode(struct span s, char *out);

#endif

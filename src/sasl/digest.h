/* SPDX-License-Identifier: ISC */
/*
 * Logins that show a digest of a stamp and a secret: CRAM-MD5 (RFC 2195) and APOP
 * (RFC 1939 s.7, no mechanism of SASL's, but of the same kind).  Floor 1, pure: what a
 * client has said, decoded, goes in, views into it come out.
 *
 *   APOP       MD5(stamp secret)        the stamp stands in the greeting
 *   CRAM-MD5   HMAC-MD5(secret, stamp)  it is the challenge
 */
#ifndef SASL_DIGEST_H
#define SASL_DIGEST_H

#include "base/attr.h"
#include "base/span.h"

#define SASL_MD5_TEXT	32	/* octets of a digest: 0-9 and a-f */

/*
 * "<digits.digits.random@host>", from random octets: nobody can tell the next one,
 * or make us say what he likes (CVE-2007-1558).  Of host its letters, digits and dots
 * are taken, up to SASL_STAMP_HOST: that is to tell servers apart, not to find them.
 */
#define SASL_STAMP_SEED	20
#define SASL_STAMP_HOST	64
#define SASL_STAMP_MAX	128	/* with its NUL */
void	sasl_stamp(const uint8_t seed[SASL_STAMP_SEED], const char *host,
	    char out[SASL_STAMP_MAX]);

/* Is it one, as clients write it? */
bool	sasl_md5_text(struct span s) MUSTUSE;

/* "NAME DIGEST".  False: it is no message of CRAM-MD5's. */
bool	sasl_cram_md5(struct span message, struct span *user_r,
	    struct span *digest_r) MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The SASL mechanisms that are a bearer token (RFC 6750): OAUTHBEARER (RFC 7628) and
 * what was there before it, XOAUTH2 (Google's and Microsoft's description).  Floor 1,
 * pure: what a client has said, decoded, goes in, views into it come out.
 *
 *   OAUTHBEARER   n,a=ann@example.org,^Ahost=mail^Aport=995^Aauth=Bearer TOKEN^A^A
 *   XOAUTH2       user=ann@example.org^Aauth=Bearer TOKEN^A^A
 *
 * Ours, since libgsasl has neither.
 */
#ifndef SASL_BEARER_H
#define SASL_BEARER_H

#include "base/attr.h"
#include "base/span.h"

#define SASL_BEARER_NAME_MAX	255

struct sasl_bearer {
	size_t		user_n;		/* 0: as the token says; OAUTHBEARER alone */
	uint8_t		user[SASL_BEARER_NAME_MAX];	/* decoded (RFC 5801 s.4) */
	struct span	token;		/* RFC 6750 s.2.1; borrows from the message */
};

/* False: it is no message of that mechanism's.  What else stands in it (host, port,
 * keys that nobody knows) has the right form, and no effect.  Channel bindings are
 * refused: there are none. */
bool	sasl_oauthbearer(struct span message, struct sasl_bearer *out) MUSTUSE;
bool	sasl_xoauth2(struct span message, struct sasl_bearer *out) MUSTUSE;

/* What a client whose token was refused is told, in base64 (RFC 7628 s.3.2.2), before
 * it says something and is refused: one text for all, whatever was wrong.
 * {"status":"invalid_token"}, and for XOAUTH2 what its clients know:
 * {"status":"401","schemes":"bearer"}. */
#define SASL_OAUTHBEARER_REFUSED	"eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0="
#define SASL_XOAUTH2_REFUSED \
	"eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0="

#endif

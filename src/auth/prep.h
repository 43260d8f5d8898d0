/* SPDX-License-Identifier: ISC */
/*
 * Names and passwords beyond ASCII (utf8_user; RFC 6856 s.2.2).  Floor 2.  The
 * library is the process's, as libpam and libcrypt are; it is opened before a cage.
 * libidn leaves copies of what it has prepared in freed memory: so a password is
 * prepared where it is judged, and not by who talks to strangers.
 */
#ifndef AUTH_PREP_H
#define AUTH_PREP_H

#include "auth/auth.h"
#include "sasl/prep.h"

/* Without utf8_user there is nothing to open; and nothing is prepared from now on. */
int	prep_open(const struct auth_conf *c, struct fault *f) MUSTUSE;
/* NULL: names are ASCII. */
const struct prep_ops	*prep_library(void);

/* Is it a name beyond ASCII as it comes out of being prepared?  Then its octets are
 * what the databases, rules and paths have. */
bool	prep_is_name(struct span name);
/* False, and x as it was: no password can be that.  stored: it is to be kept. */
bool	prep_password(struct secret *x, bool stored) MUSTUSE;
/* As a client's would be; what nobody can be called, and ASCII, as it is.  said: at most
 * IDENTITY_USER_MAX octets, and not out. */
void	prep_name(const char *said, char out[IDENTITY_USER_MAX + 1]);

#endif

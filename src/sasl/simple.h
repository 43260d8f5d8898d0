/* SPDX-License-Identifier: ISC */
/*
 * The SASL mechanisms that are a name and a password (RFC 4422): PLAIN (RFC 4616) and
 * LOGIN, which was never more than a draft.  Floor 1, pure: what a client has said,
 * decoded, goes in, views into it come out.
 *
 * Ours, not libgsasl's: twenty lines against a library that would lie in each process
 * that strangers talk to.
 */
#ifndef SASL_SIMPLE_H
#define SASL_SIMPLE_H

#include "base/attr.h"
#include "base/span.h"

struct sasl_login {
	struct span	authz;		/* whom to act as; empty: oneself */
	struct span	user;
	struct span	password;
};

/* False: it is no message of PLAIN's.  RFC 4616 s.2: name and password are not
 * empty, and no NUL is in them. */
bool	sasl_plain(struct span message, struct sasl_login *out) MUSTUSE;

/* LOGIN's two challenges, in base64: what Outlook and others look for. */
#define SASL_LOGIN_USER		"VXNlcm5hbWU6"		/* "Username:" */
#define SASL_LOGIN_PASSWORD	"UGFzc3dvcmQ6"		/* "Password:" */

#endif

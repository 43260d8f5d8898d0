/* SPDX-License-Identifier: ISC */
/*
 * Logins by a digest of a secret that is stored as it is (recoverable_secrets): APOP
 * and CRAM-MD5.  What is asked is one record, as with a password: in its place stands
 * the stamp that the client was given, and behind that its digest.  Floor 2, private
 * to auth/.
 */
#ifndef AUTH_RECOVERABLE_H
#define AUTH_RECOVERABLE_H

#include "auth/auth.h"

/* MD5, once, before a cage.  Where it is missing all that needs it fails. */
void	recoverable_open(void);
/* Was it?  The fault says why not. */
bool	recoverable_ready(struct fault *f) MUSTUSE;

/*
 * NONE: the digest is that of what is stored.  Else why it cannot be, after the same
 * work: NO_SECRET where what is stored is no password that can be read.
 */
enum auth_reason	recoverable_verify(struct span stored,
			    const struct auth_request *q) MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Whose certificate is it?  SASL's EXTERNAL (RFC 4422 app. A) by what TLS has
 * verified.  Floor 2, pure.
 *
 * Who holds the TLS connection says the proof: the certificate's fingerprint, a blank,
 * and the name in it that counts; the one who judges looks for it in rows once more.
 */
#ifndef AUTH_EXTERNAL_H
#define AUTH_EXTERNAL_H

#include "base/attr.h"
#include "base/span.h"

enum external_by {
	EXTERNAL_FILE,		/* rows: user, and fingerprint or subject */
	EXTERNAL_EMAIL,		/* that name in it is the user's */
	EXTERNAL_CN,
	EXTERNAL_DNS,
};

/* The name that counts is the subject with EXTERNAL_FILE.  False: too long. */
#define EXTERNAL_PROOF_MAX	512
bool	external_proof(const char *fingerprint, const char *name,
	    char out[EXTERNAL_PROOF_MAX]) MUSTUSE;

/* May this be him?  rows: of tls_client_users, for EXTERNAL_FILE. */
bool	external_allows(enum external_by by, struct span rows, struct span proof,
	    struct span user);
/* How many users it stands for; *user_r: the first of them. */
size_t	external_users(enum external_by by, struct span rows,
	    struct span proof, struct span *user_r);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * SCRAM's secrets (RFC 5802 s.3) as they are stored, and the library that makes them.
 * Floor 2, private to auth/.
 */
#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H

#include "auth/auth.h"
#include "base/secret.h"
#include "sasl/sasl.h"

#define SCRAM_ITERATIONS_MAX	1000000u	/* a row may not stop a worker */
#define SCRAM_TEXT_MAX		320		/* octets of one as it is stored */

/*
 * libgsasl, once, before a cage.  state_dir: where the key is kept by which salts of
 * users are made up who have no secret, so that they are the same tomorrow and in all
 * workers; NULL: no such user will be asked for.  Where the library is missing all
 * that needs it fails.
 */
void	scram_open(const char *state_dir);
/* NULL: it was not opened, or is not there. */
const struct sasl_ops	*scram_library(void);

/* Which hash a method of SCRAM has. */
enum sasl_hash	scram_hash(enum auth_method m);

/* What stands behind "{SCRAM-SHA-256}" (Dovecot's form): iterations, and in base64
 * salt, StoredKey, ServerKey, commas between.  False: it is none. */
bool	scram_parse(struct span text, enum sasl_hash hash,
	    struct sasl_scram *out) MUSTUSE;
/* The same for a new password: *f set and -1 when it cannot be one. */
int	scram_make(enum sasl_hash hash, const struct secret *x,
	    char out[SCRAM_TEXT_MAX], struct fault *f) MUSTUSE;
bool	scram_verify(struct span text, enum sasl_hash hash,
	    const struct secret *x, struct fault *f) MUSTUSE;
/* A salt for this name, always the same; another one for each hash, as those have whose
 * secrets are stored. */
void	scram_made_up(const char *user, enum sasl_hash hash,
	    struct sasl_scram *out);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Password file in Dovecot's passwd-file form:
 *   user:password:uid:gid:gecos:home:shell:extra
 * Floor 2.  Passwords are crypt(3) hashes, with or without a scheme in braces
 * ({CRYPT}, {SHA512-CRYPT}, {BLF-CRYPT}, {YESCRYPT}..., {PLAIN}, {NOLOGIN}).
 * Extra fields: userdb_mail=mbox:PATH or userdb_mail=PATH (the maildrop), nologin.
 */
#ifndef AUTH_PASSWD_FILE_H
#define AUTH_PASSWD_FILE_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/secret.h"
#include "base/span.h"

struct passwd_row {
	struct span	user;
	struct span	password;
	struct span	uid;
	struct span	gid;
	struct span	home;
	struct span	shell;
	struct span	maildrop;	/* from the extra fields */
	bool		nologin;
};

/* One line; false when it is no row (too few fields, empty user...). */
bool	passwd_row_parse(struct span line, struct passwd_row *out) MUSTUSE;

/* A password against a stored one; constant path for both outcomes. */
bool	passwd_verify(struct span stored, const struct secret *x,
	    struct fault *f) MUSTUSE;
/* A fresh yescrypt (default), "sha512", "bcrypt" hash, or "plain". */
int	passwd_hash(const char *scheme, const struct secret *x, char *out,
	    size_t cap, struct fault *f) MUSTUSE;

/* `popper passwd`: change the file as a whole, under a lock, keeping comments,
 * order, owner and mode.  row NULL: remove the user. */
int	passwd_file_put(const char *path, const char *user, const char *row,
	    struct fault *f) MUSTUSE;

#endif

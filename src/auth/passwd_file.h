/* SPDX-License-Identifier: ISC */
/*
 * Password file in Dovecot's passwd-file form:
 *   user:password:uid:gid:gecos:home:shell:extra
 * Floor 2.  Passwords are crypt(3) hashes, with or without a scheme in braces
 * ({CRYPT}, {SHA512-CRYPT}, {BLF-CRYPT}, {YESCRYPT}..., {PLAIN}, {NOLOGIN}).
 * Extra fields: userdb_mail=mbox:PATH or userdb_mail=PATH (the maildrop; with
 * :INBOX=PATH behind it, that path), or userdb_mail=maildir:PATH, nologin, pop3=no, and login_delay=SECONDS, which
 * is popper's own; allow_nets, proxy and other parameters of userdb_mail, which popper
 * cannot obey, close the row.
 * The first row of a user counts; lines that start with '#' are comments.
 */
#ifndef AUTH_PASSWD_FILE_H
#define AUTH_PASSWD_FILE_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/secret.h"
#include "base/span.h"
#include "sasl/sasl.h"

struct passwd_row {
	struct span	user;
	struct span	password;
	struct span	uid;
	struct span	gid;
	struct span	gecos;
	struct span	home;
	struct span	shell;
	struct span	extra;		/* words "key" or "key=value" */
	struct span	maildrop;	/* from the extra fields: a path, perhaps
					   with "maildir:" before it */
	bool		nologin;
	struct span	login_delay;	/* seconds; empty: none of his own */
	struct span	unsupported;	/* a field that we must not ignore */
};

/* One line; false when it is no row (too few fields, empty user...).  The name alone
 * costs a fraction, for who looks at all rows. */
bool	passwd_row_user(struct span line, struct span *user_r) MUSTUSE;
bool	passwd_row_parse(struct span line, struct passwd_row *out) MUSTUSE;

/* libcrypt, which is the process's: before the cage of who calls one of the next.  It
 * is opened where they find it missing, too. */
int	passwd_hash_open(struct fault *f) MUSTUSE;

/*
 * A password against a stored one; the same path for both outcomes.  What is
 * stored and cannot be hashed against costs a dummy hash and never matches,
 * nor does an empty password, or one with a NUL against a hash.  *f is set when
 * the stored text is a mistake of the operator.
 */
bool	passwd_verify(struct span stored, const struct secret *x,
	    struct fault *f) MUSTUSE;
/* Stored so that no password can match: "", "*...", "!...", {NOLOGIN}. */
bool	passwd_disabled(struct span stored) MUSTUSE;
/* Is the password itself stored?  *text_r: it. */
bool	passwd_plain(struct span stored, struct span *text_r) MUSTUSE;
/* Or a SCRAM secret of that hash, for scram_parse? */
bool	passwd_scram(struct span stored, enum sasl_hash hash,
	    struct span *text_r) MUSTUSE;
/*
 * Changes when what is stored does; 0 when a comparison costs nothing.  No
 * secret, and nothing that a password could be tried against.
 */
uint64_t	passwd_print(struct span stored) MUSTUSE;
/*
 * What to store for a password: scheme is "yescrypt", "sha512", "bcrypt",
 * "scram-sha-1", "scram-sha-256" or "plain".  FAULT_AUTH: the password does not do; FAULT_PROTO: the scheme.
 */
bool	passwd_scheme_known(const char *scheme) MUSTUSE;
int	passwd_hash(const char *scheme, const struct secret *x, char *out,
	    size_t cap, struct fault *f) MUSTUSE;

/* How it is stored, for people: one of the above, "locked" or "other". */
const char	*passwd_scheme_word(struct span stored);

enum passwd_lock { PASSWD_AS_IS, PASSWD_CLOSE, PASSWD_OPEN };

/* What `popper passwd` sets; NULL leaves a column as it is. */
struct passwd_change {
	const char	*password;	/* as passwd_hash made it */
	const char	*uid;
	const char	*gid;
	const char	*home;		/* absolute, or "" */
	const char	*maildrop;	/* absolute or "~/...", or "" */
	enum passwd_lock lock;		/* a '!' before the password, which stays */
};

/* Can these stand in a row?  FAULT_PROTO, with what is wrong. */
int	passwd_change_check(const char *user,
	    const struct passwd_change *change, struct fault *f) MUSTUSE;

/*
 * Change one user's row, or add it; NULL removes the user.  The file is
 * replaced as a whole, under a lock, keeping comments, order, owner and mode; a
 * new file gets 0600.  FAULT_AUTH: no such user to remove, or a new user
 * without a password, or no password to open the row with; FAULT_PROTO: a value that cannot stand in a row;
 * FAULT_PERM: not permitted; FAULT_IN_USE: another one holds the lock for too
 * long; FAULT_TEMP: the disk.  May block.
 */
int	passwd_file_put(const char *path, const char *user,
	    const struct passwd_change *change, struct fault *f) MUSTUSE;

/* Call fn for each row. */
int	passwd_file_each(const char *path,
	    void (*fn)(void *ctx, const struct passwd_row *row), void *ctx,
	    struct fault *f) MUSTUSE;

/* Can no password match it?  Why, is in *f, which is none before.  Hashes something, in
 * a child; when that takes more of a processor, false and FAULT_TEMP. */
#define PASSWD_TRY_S	3		/* seconds */
bool	passwd_try(const struct passwd_row *row, struct fault *f) MUSTUSE;

/*
 * Every line that is not empty and no comment, as a login would take it: the
 * identity of its user (whose password is locked, perhaps) and what there is to say
 * of it ("": nothing), or why there is none; wrong is NULL when the line is no row
 * at all.  Reads a file that a login would not, see below.  Hashes something for each
 * method, parameters and lengths that it meets, to see whether it can be done.
 */
struct auth_conf;
struct identity;
typedef void	passwd_judge_fn(void *ctx, unsigned line,
		    const struct identity *id, const char *wrong);
int	passwd_file_judge(const struct auth_conf *c, passwd_judge_fn *fn,
	    void *ctx, struct fault *f) MUSTUSE;

/* Would a login be checked against this file?  The fault says why not. */
int	passwd_file_check(const char *path, struct fault *f) MUSTUSE;

#endif

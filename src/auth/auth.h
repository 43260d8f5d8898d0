/* SPDX-License-Identifier: ISC */
/*
 * Is this user who it says?  Floor 2.  Runs in a process that lives for one
 * question.  No side effects but PAM's own; no delays (the asker times the
 * answer); no logging.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/external.h"
#include "base/attr.h"
#include "base/fault.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "sys/identity.h"
#include "sys/sock.h"

enum auth_method {
	AUTH_METHOD_PASS,
	AUTH_METHOD_RPOP,
	AUTH_METHOD_PLAIN,		/* SASL: as PASS, but for how it was said */
	AUTH_METHOD_LOGIN,
	AUTH_METHOD_EXTERNAL,		/* by a certificate that TLS has
					   verified */
	AUTH_METHOD_OAUTHBEARER,	/* by a bearer token, which no database
					   knows: see token_good */
	AUTH_METHOD_XOAUTH2,
	AUTH_METHOD_CRAM_MD5,		/* by a digest of a secret that is stored as
					   it is: see recoverable.h */
	AUTH_METHOD_APOP,
	AUTH_METHOD_GSSAPI,		/* these by an exchange (exchange.h); this
					   one, too, no database knows */
	AUTH_METHOD_SCRAM_SHA_1,
	AUTH_METHOD_SCRAM_SHA_1_PLUS,
	AUTH_METHOD_SCRAM_SHA_256,
	AUTH_METHOD_SCRAM_SHA_256_PLUS,
	AUTH_METHODS
};
static inline bool
auth_by_token(enum auth_method m)
{
	return m == AUTH_METHOD_OAUTHBEARER || m == AUTH_METHOD_XOAUTH2;
}
#define AUTH_TOKEN_MAX	9216		/* octets of a token */
static inline bool
auth_by_digest(enum auth_method m)
{
	return m == AUTH_METHOD_CRAM_MD5 || m == AUTH_METHOD_APOP;
}
static inline bool
auth_by_exchange(enum auth_method m)
{
	return m >= AUTH_METHOD_GSSAPI && m < AUTH_METHODS;
}
/* Who is at the other end of that exchange is a database. */
static inline bool
auth_by_own_exchange(enum auth_method m)
{
	return auth_by_exchange(m) && m != AUTH_METHOD_GSSAPI;
}
/* Somebody else than a database says first who it is. */
static inline bool
auth_by_proof(enum auth_method m)
{
	return auth_by_token(m) || m == AUTH_METHOD_GSSAPI;
}
/* As the log and the metrics have it. */
const char	*auth_method_word(enum auth_method m);
/* There is no password: somebody else vouches for the user. */
bool		 auth_method_vouched(enum auth_method m);

/* How the client came, as its front says. */
struct auth_way {
	struct sock_addr	local;		/* where it was listened; family 0:
						   no network, or not known */
	bool			tls;
};
#define AUTH_BINDING_EXPORTER	32
#define AUTH_BINDING_MAX	96

/* One bounded record.  peer comes from the kernel, the rest from a client. */
struct auth_request {
	enum auth_method	method;
	char			user[IDENTITY_USER_MAX + 1];
	struct secret		secret;		/* PASS: password; RPOP: the
						   client-side user name; EXTERNAL:
						   the proof (external.h);
						   CRAM_MD5, APOP: what was
						   shown, and its digest */
	struct sock_addr	peer;
	struct auth_way		way;
	bool			token_good;	/* it is, and this user's: who asks
						   vouches for that */
	bool			proven;		/* auth_check's own: it was an app
						   password, or a master user's; no
						   other is looked at */
	bool			by_app;		/* for auth_foresee: it will be an app
						   password */
	char			master[IDENTITY_USER_MAX + 1];	/* likewise; "" at the
						   start, or nobody */
	uint64_t		vouched;	/* 0, or the print of a yes to the
						   same name and password; who
						   asks vouches for that */
	/* What ties an exchange to the TLS below it (RFC 5056): the 32 octets of
	 * tls-exporter (RFC 9266), and behind them tls-unique, where that is sound;
	 * empty: there is no TLS, or none of which it could be said. */
	size_t			binding_n;
	uint8_t			binding[AUTH_BINDING_MAX];
};

enum auth_result { AUTH_OK, AUTH_REFUSED, AUTH_ERROR };

/* For the log alone.  The client hears one text for all. */
enum auth_reason {
	REASON_NONE,
	REASON_UNKNOWN_USER,
	REASON_BAD_PASSWORD,
	REASON_EMPTY_PASSWORD,
	REASON_BAD_NAME,		/* no such name can exist */
	REASON_EXPIRED,
	REASON_LOCKED,
	REASON_UID,			/* 0 or outside uid_min..uid_max */
	REASON_GID,
	REASON_SHELL,
	REASON_DENIED,			/* deny_file, or not in allow_file */
	REASON_RULE,			/* a line of access */
	REASON_BAD_MESSAGE,		/* no message of its mechanism's */
	REASON_NO_SECRET,		/* nothing is stored that this method could
					   do with */
	REASON_RPOP,			/* no such row, or not a reserved port */
	REASON_CERTIFICATE,		/* it is not for this user */
	REASON_TOKEN,			/* the bearer token was not good, or what
					   was said by GSSAPI */
	REASON_ROW,			/* passwd_file's row says what we cannot
					   obey; `popper check` tells it, too */
	REASON_APP,			/* an app password that is not good now or
					   there; or none, where one is wanted */
	REASON_ERROR,			/* the database could not be asked */
	REASON_COUNT
};
/* "unknown-user", ... : stable words. */
const char	*auth_reason_word(enum auth_reason r);

#define AUTH_APP_NAME	32		/* octets of an app password's name */
#define AUTH_GROUPS_MAX	512		/* that rules name */

struct auth_verdict {
	enum auth_result	result;
	enum auth_reason	reason;
	struct identity		id;		/* when AUTH_OK */
	/* Likewise, a bit for each group that rules name: is he in it, whether the
	 * session will have it or not?  (access.h) */
	uint64_t		groups[AUTH_GROUPS_MAX / 64];
	uint64_t		print;		/* of what the password was right
						   against, when AUTH_OK; 0: no use
						   in vouching, ask anew */
	bool			settled;	/* no other database is to be asked */
	char			detail[160];	/* for the log */
	char			app[AUTH_APP_NAME + 1];	/* of an app password, likewise */
};

struct passwd_row;		/* auth/passwd_file.h */

enum auth_source { AUTH_PAM, AUTH_FILE, AUTH_SQLITE, AUTH_PGSQL };

/* Are app passwords taken (app.h), and is the account's own beside them? */
enum auth_app { AUTH_APP_NO, AUTH_APP_YES, AUTH_APP_ONLY };

#define AUTH_DB_MAX	8		/* databases */
#define AUTH_DB_ID_MAX	IDENTITY_DB_MAX

/*
 * The settings of all databases, and which one is meant: whoever asks one has a
 * copy for it, see auth_select.
 */
struct auth_conf {
	struct conf_list	 databases;	/* auth, in order */
	char			 db[AUTH_DB_ID_MAX + 1];	/* its id */
	enum auth_source	 source;
	const char		*place;		/* see auth_place */
	bool			 more;		/* who is unknown to it, is asked of
						   the next one */
	bool			 more_rows;	/* and one that follows has rows */
	const char		*pam_service;	/* "popper" */
	const char		*passwd_file;
	const char		*virtual_user;	/* identity of rows without uid:
						   name or uid[:gid]; "" = none */
	uid_t			 uid_min;
	uid_t			 uid_max;
	gid_t			 gid_min;
	const char		*gids_denied;	/* names and numbers, blanks between */
	const char		*deny_file;	/* a login name or @domain a line; may
						   be missing */
	const char		*allow_file;	/* the same, who alone may; "" = all */
	struct conf_list	 access;	/* see access.h */
	bool			 shell_check;	/* shell must stand in shells_file */
	const char		*shells_file;
	bool			 recoverable;	/* APOP and CRAM-MD5 are had */
	enum auth_app		 app_passwords;
	const char		*app_password_file;
	const char		*state_dir;	/* of role/; keeps when they were used */
	const char		*master_users;	/* rows "name:hash"; "" = off */
	const char		*master_separator;	/* one character */
	bool			 utf8_user;	/* names and passwords may go
						   beyond ASCII (prep.h) */
	const char		*rpop_file;	/* RPOP (RFC 1081): rows "address
						   client-user local-user"; "" = off */
	const char		*client_ca;	/* tls_client_ca; "" = EXTERNAL is off */
	const char		*client_crl;	/* tls_client_crl; "" = none */
	enum external_by	 client_by;	/* tls_client_user */
	const char		*client_users;	/* rows of tls_client_user = file; may
						   be missing */
};
/* Path of the rows that say whose certificates are whose; "": there are none. */
const char	*auth_client_users(const struct auth_conf *c);

/* auth has this form?  For struct conf_option. */
bool	auth_database_fits(const char *item, char *expected, size_t cap);
size_t	auth_databases(const struct auth_conf *c);	/* at least 1 */
/* Make c that of the nth database; all other settings stay. */
void	auth_select(struct auth_conf *c, size_t nth);
/* Is one of them of this type? */
bool	auth_has(const struct auth_conf *c, enum auth_source source);
/* Or of those that have rows: all but PAM? */
bool	auth_has_rows(const struct auth_conf *c);
/* Is who is unknown to this one to be asked of others?  A method that needs to see what
 * is stored has nothing to ask of PAM. */
bool	auth_has_more(const struct auth_conf *c, enum auth_method m);
/* This verdict is that, and the next one is to be asked. */
bool	auth_passes_on(const struct auth_conf *c, const struct auth_verdict *v);
/* Where the one that was selected is: a PAM service, a file. */
const char	*auth_place(const struct auth_conf *c);

/*
 * prepare opens and reads, before privileges go, all that the answer needs:
 * the password file, the deny file, the shells, RPOP's table, libpam.  So it
 * is called by the worker alone, after its fork, and the file back end can
 * answer from a cage that opens nothing.  A file that another account could
 * have written is a fault: nobody logs in by it.  What prepare read is wiped by
 * done.  verify is for auth_check; others call that.
 */
struct auth_ops {
	const char	*name;
	bool		 needs_root;		/* PAM does */
	/* In who forks those that prepare, once: what each of them would load
	 * for itself.  NULL: nothing.  A fault: they will meet it, too. */
	int	(*preload)(const struct auth_conf *c, struct fault *f);
	int	(*prepare)(const struct auth_conf *c, void **state_r,
		    struct fault *f);
	void	(*settle)(void *state);		/* NULL: nothing to gain */
	/* Behind prepare, by who is no longer root (auth_user), not yet in its cage;
	 * NULL: there is nobody to connect to. */
	int	(*connect)(void *state, struct fault *f);
	/* While nothing is asked: readable means that the connection is of no more
	 * use; -1 or NULL: that does not happen.  state may be NULL. */
	int	(*idle_fd)(void *state);
	/*
	 * The row of a user: 1; 0: there is none, and *row_r is some other one, or
	 * empty, to be measured against; -1: the database could not be asked.  The
	 * texts of *row_r are the state's, until the next lookup, or done.  A
	 * database that has it needs no verify and no foresee, see rows_verify in
	 * auth_priv.h.  NULL: PAM, which shows nobody what is stored.
	 */
	int	(*lookup)(void *state, const char *user,
		    struct passwd_row *row_r, struct fault *f);
	void	(*verify)(void *state, const struct auth_conf *c,
		    const struct auth_request *q, struct auth_verdict *v);
	/* What would become of the right password; see auth_foresee. */
	void	(*foresee)(void *state, const struct auth_request *q,
		    struct auth_verdict *v);
	void	(*done)(void *state);
};
extern const struct auth_ops	auth_pam_ops;
extern const struct auth_ops	auth_file_ops;
extern const struct auth_ops	auth_sqlite_ops;
extern const struct auth_ops	auth_pgsql_ops;
const struct auth_ops	*auth_ops_of(const struct auth_conf *c);
/* prepare and connect in one, for a process that is in no cage. */
int	auth_open(const struct auth_conf *c, void **state_r, struct fault *f)
	    MUSTUSE;

/*
 * The whole question to one database: name syntax, deny and allow files, RPOP's
 * table, back end, then the rules on uid, gids and shell, and those of access.
 * state is what prepare gave.  What is refused
 * early, unknown users among it, costs what others cost (a dummy hash).
 * A password that is vouched for is not hashed, or given to PAM's first step, if
 * what is stored for the user is still what it was right against; all else is
 * judged as ever, PAM's account step too.
 * Who is unknown to this database, but there are more, costs no hash: the last one
 * that is asked does that work.
 * A name is 1..255 octets of printable ASCII without '/', ':' and blanks, does
 * not start with '-', '.' or '#' and does not end in ".lock" (that would be the
 * lock of another maildrop).  With utf8_user there may be characters beyond ASCII in
 * it, when it comes prepared (prep.h); passwords are prepared here.
 * With app_passwords the user's app passwords are looked at first, since PAM counts
 * wrong ones; that one was used is noted in a file (app.h).
 */
void	auth_check(const struct auth_conf *c, void *state,
	    struct auth_request *q, struct auth_verdict *v);

/* Does it say a password, so that it may be a master user's? */
bool	auth_takes_masters(enum auth_method m);
/*
 * "user*master": may it be a master user's name?  RFC 4616 has two names for that.
 * auth_check takes it apart, judges the master's password, and then the user as
 * ever: that he knows his password is all that is not asked.
 */
/* The separator; '\0': there are no master users. */
char	auth_master_mark(const struct auth_conf *c);
bool	auth_master_split(const struct auth_conf *c, struct span name,
	    struct span *user_r, struct span *master_r) MUSTUSE;

/*
 * What would become of this request with the right password, as far as it can be
 * told without one: AUTH_OK and the identity, else the reason; detail has the line
 * of access that decides.  What PAM's modules say is not asked.  state as for
 * auth_check, with the rights of prepare.
 */
void	auth_foresee(const struct auth_conf *c, void *state,
	    struct auth_request *q, struct auth_verdict *v);

/* A group of the host: 1; 0: there is none; -1: that could not be asked. */
int	auth_group_find(const char *name, gid_t *gid_r, struct fault *f) MUSTUSE;

/*
 * gids_denied with numbers in place of names, for a process that forks many who
 * need it.  Groups that do not exist are left out.
 */
int	auth_gids_numbers(const char *text, char *out, size_t cap,
	    struct fault *f) MUSTUSE;

/*
 * The range rules alone, once more, by the process that is about to become
 * that user: uid and primary gid.  Supplementary groups that are not allowed
 * are taken out of id.
 */
bool	auth_identity_allowed(const struct auth_conf *c, struct identity *id,
	    enum auth_reason *why_r);

#endif

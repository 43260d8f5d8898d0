/* SPDX-License-Identifier: ISC */
/*
 * What the files of this room share: the files that are read before
 * privileges go, the rules on names, ids and shells, the host's accounts.
 * Floor 2, private to auth/.
 */
#ifndef AUTH_AUTH_PRIV_H
#define AUTH_AUTH_PRIV_H

#include "auth/access.h"
#include "auth/auth.h"
#include "auth/load.h"
#include "base/buf.h"

#define AUTH_FILE_MAX	(512u << 20)	/* octets of a file of ours: four million
					   rows of a password file */
#define AUTH_GIDS_MAX	128		/* rows of gids_denied */
#define AUTH_HASH_MAX	384		/* octets of a hash in shadow */

/* ---- files read whole (file_load.c) ---- */

/* A file's text, whoever may have written it.  The caller owns *out, and calls
 * buf_fini, which wipes it. */
int	file_text(const char *path, struct buf *out, struct fault *f) MUSTUSE;

/* A file of numbers in the state folder, made when it is missing; -1: cannot be
 * opened, as when we are not root. */
int	file_numbers_open(const char *state_dir, const char *name);

/*
 * Replace a file of ours as a whole, under a lock, keeping owner and mode; a new one
 * (create) gets 0600.  edit is given the old text and puts the new one, up to so many
 * octets more, into out.  Faults as passwd_file_put's (file_edit.c).
 */
typedef int	file_edit_fn(void *ctx, struct span old, struct buf *out,
		    struct fault *f);
int	file_edit(const char *path, bool create, size_t more, file_edit_fn *edit,
	    void *ctx, struct fault *f) MUSTUSE;

/*
 * The next line that says something: without surrounding blanks, CR, and
 * comments that start with '#' at its beginning or behind a blank.
 */
bool	auth_line(struct span *rest, struct span *line_r);

/*
 * Does a line consist of these nwords words?  Found in O(1) (line_index.c).  text
 * must stay.
 */
#define LINE_WORDS_MAX	3
struct line_index	*line_index_new(struct span text, size_t nwords);
void			 line_index_free(struct line_index *x);
bool			 line_index_has(const struct line_index *x,
			    const struct span *words);

/* ---- rules (policy.c) ---- */

struct gid_list {
	size_t	n;
	gid_t	gid[AUTH_GIDS_MAX];
};

/*
 * All that the rules need to know, so that they hold in a process that can
 * open nothing.
 */
struct auth_policy {
	const struct auth_conf	*c;		/* borrows */
	struct gid_list		 denied;
	struct access_groups	 groups;	/* of the rules of access */
	struct buf		 deny;		/* owns: text of deny_file */
	struct line_index	*deny_index;	/* owns; NULL: it is searched */
	struct buf		 allow;		/* owns: text of allow_file */
	struct line_index	*allow_index;	/* owns; NULL: it is searched */
	struct buf		 shells;	/* owns: text of shells_file */
};

int	policy_load(const struct auth_conf *c, struct auth_policy *p,
	    struct fault *f) MUSTUSE;
/* Only what the rules on ids need: no file is opened. */
int	policy_load_ids(const struct auth_conf *c, struct auth_policy *p,
	    struct fault *f) MUSTUSE;
void	policy_fini(struct auth_policy *p);

/* Could an account have this name?  Everything else is told nothing about it. */
bool	policy_name_valid(struct span name);
/* The file that says so, or NULL: deny_file and allow_file have names, or "@domain"
 * for a whole domain. */
const char	*policy_denied(const struct auth_policy *p, struct span name);
bool	policy_gid_allowed(const struct auth_policy *p, gid_t gid);
bool	policy_shell_allowed(const struct auth_policy *p, struct span shell);

/*
 * The rules on ids; false with the reason (and a text for the log, of cap
 * octets).  Takes supplementary groups out of id that are not allowed.
 */
bool	policy_ids_allowed(const struct auth_policy *p, struct identity *id,
	    enum auth_reason *why_r, char *detail, size_t cap);

struct app_index;
struct pam_lib;
struct sql;
struct row_index;

/* ---- places in a text by a hash of what is there (slots.c) ---- */

struct slots {
	struct slot	*v;		/* owns */
	size_t		 mask;
	uint64_t	 seed;		/* who registers names cannot choose
					   where they fall */
};
/* Is what you look for at this place? */
typedef bool	slots_same_fn(const void *ctx, uint32_t place);

/* Not more; so who needs room for lines of some form need not read them twice. */
size_t		lines_at_most(struct span text);
void		slots_init(struct slots *s, size_t n);	/* room for n */
void		slots_fini(struct slots *s);
uint64_t	slots_hash(const struct slots *s, const struct span *words,
		    size_t n);
bool		slots_find(const struct slots *s, uint64_t h,
		    slots_same_fn *same, const void *ctx, uint32_t *place_r);
/* A look there, or a place put there, will follow. */
void		slots_foresee(const struct slots *s, uint64_t h);
/* Of several that are the same the first one stays. */
void		slots_put(struct slots *s, uint64_t h, slots_same_fn *same,
		    const void *ctx, uint32_t place);

/* ---- what prepare leaves behind, of either back end ---- */

struct auth_state {
	struct auth_policy	 policy;
	struct buf		 rpop;		/* owns: text of rpop_file */
	struct buf		 external;	/* owns: of tls_client_users */
	struct line_index	*rpop_index;	/* owns; NULL: it is searched */
	struct buf		 rows;		/* owns: text of passwd_file; with
						   PAM only to measure against,
						   read by the first who is */
	size_t			 nrows;
	struct row_index	*index;		/* owns; NULL: rows are searched */
	struct identity		 virtual_user;	/* uid 0: there is none */
	struct buf		 masters;	/* owns: text of master_users */
	struct buf		 app_rows;	/* owns: text of app_password_file */
	struct app_index	*apps;		/* owns; NULL: they are not taken */
	int			 app_used;	/* owns; -1: cannot be noted */
	struct pam_lib		*pam;		/* borrows; see pam.c */
	uint64_t		 asked_us;	/* clock_spent_us when PAM was
						   asked; 0: it was not */
	struct sql		*sql;		/* sql.c's, which frees it */
};

/* The part of prepare that both share; NULL with a fault. */
struct auth_state	*state_new(const struct auth_conf *c, struct fault *f);
void			 state_free(struct auth_state *s);

/*
 * Do the work of one password check for this request and forget the outcome:
 * so that a question which is refused early costs what others cost, with PAM all
 * that its modules would have spent, less what they have.
 */
void	auth_spend(struct auth_state *s, const struct auth_request *q);

/*
 * The password file's row of a user; the work is the same whether there is one,
 * without an index a look at the whole text.  False: there is none, and *row_r
 * (of some other user) is there to be measured against.  There must be rows.
 */
bool	file_find(const struct auth_state *s, struct span user,
	    struct passwd_row *row_r);

/*
 * The first row of each user, found in O(1) (row_index.c).  text must stay, and
 * has nrows rows, not 0.  Where there is no such user, *row_r is the row number
 * `instead`, and the result false.
 */
struct row_index	*row_index_new(struct span text, size_t nrows);
void			 row_index_free(struct row_index *x);
bool			 row_index_find(const struct row_index *x,
			    struct span user, size_t instead,
			    struct passwd_row *row_r);

/* ---- databases of rows (rows.c) ---- */

/* verify and foresee of a database that has a lookup. */
void	rows_verify(const struct auth_ops *ops, struct auth_state *s,
	    const struct auth_request *q, struct auth_verdict *v);
void	rows_foresee(const struct auth_ops *ops, struct auth_state *s,
	    const struct auth_request *q, struct auth_verdict *v);

/* What their passwords are hashed with. */
int	rows_preload(const struct auth_conf *c, struct fault *f) MUSTUSE;

/*
 * Whose identity rows without a uid get.  Without virtual_user it is our own
 * when we have no other: popper then runs as an ordinary user.
 */
int	rows_virtual_user(const struct auth_conf *c, struct identity *out,
	    struct fault *f) MUSTUSE;

/*
 * The identity of who knew the password.  What is wrong with the row is a
 * refusal as any other: an answer of its own would say that the password was
 * right.
 */
void	row_accept(const struct identity *virtual_user,
	    const struct passwd_row *row, struct auth_verdict *v);

/* Can no password match it?  Why, is in *f. */
bool	row_is_no_hash(const struct passwd_row *row, struct fault *f);

/* ---- rows one after the other (hash_kinds.c) ---- */

/* Of a method, with its parameters. */
struct hash_kind {
	uint8_t		outline[64];
	size_t		n;
	struct fault	why;		/* none can be made; FAULT_NONE: it can */
};
struct hash_kinds {
	struct hash_kind	list[64];
	size_t			n;
	unsigned		late;		/* that took too long */
};

/* As passwd_try, which is asked once for each kind; *f is none before.  A kind
 * beyond those that are kept is not tried. */
bool	hash_kinds_refuse(struct hash_kinds *all, const struct passwd_row *row,
	    struct fault *f);

/* ---- logins of several messages (exchange.c) ---- */

struct auth_exchange_ops;
extern const struct auth_exchange_ops	exchange_scram;

/*
 * RPOP (RFC 1081): a row "address client-user local-user" stands in rpop_file
 * for this request, and it comes from a reserved port.
 */
bool	rpop_allowed(const struct auth_state *s, const struct auth_request *q);
/* One for some user of that address: neither his name nor his port is known yet. */
bool	rpop_foreseen(const struct auth_state *s, const struct auth_request *q);

/*
 * Turn the yes of *v into a no when its identity may not log in: a back end may
 * know the user by another name than the one that was typed, so all rules hold
 * for the name and the ids it came up with.
 */
void	verdict_judge(const struct auth_policy *p, struct auth_verdict *v);
/* All that holds for who has shown that it is he, rules among it. */
void	verdict_judge_late(const struct auth_conf *c, const struct auth_state *s,
	    const struct auth_request *q, struct auth_verdict *v);

/*
 * A name with a master's behind it is taken apart; then q->proven, or false with the
 * reason in *v.  asks: is the password his?
 */
bool	master_take(const struct auth_state *s, struct auth_request *q, bool asks,
	    struct auth_verdict *v) MUSTUSE;

/* Fill *v anew. */
void	verdict_refuse(struct auth_verdict *v, enum auth_reason why,
	    const char *fmt, ...) PRINTF(3, 4);
/* The database could not be asked: AUTH_ERROR. */
void	verdict_error(struct auth_verdict *v, const char *fmt, ...)
	    PRINTF(2, 3);

/* ---- what PAM spends on a password (effort.c) ---- */

#define EFFORT_MAX_US	2000000		/* more is not made up for */

/* Of a crypt(3) hash, what tells how long it takes; 0: it is none, or an old one. */
uint64_t	effort_kind(struct span hash);
/* 0: PAM has not been asked about such a one. */
uint64_t	effort_known_us(const char *state_dir, uint64_t kind);
/* The mean of the last few is kept, if it can be. */
void		effort_note(const char *state_dir, uint64_t kind, uint64_t us);

/* ---- accounts of the host (account.c); may ask the network by NSS ---- */

enum account_password {
	ACCOUNT_HASHED,			/* or it is where we do not see it */
	ACCOUNT_BLANK,			/* no password at all */
	ACCOUNT_UNUSABLE,		/* "*" and the like */
	ACCOUNT_LOCKED,			/* '!' before it, as passwd -l does */
	ACCOUNT_EXPIRED,		/* the account or its password */
};

struct account {
	struct identity	id;
	uint64_t	groups[AUTH_GROUPS_MAX / 64];	/* struct auth_verdict's */
	char		shell[IDENTITY_PATH_MAX + 1];
	enum account_password	password;	/* as account_password has it */
	/* Changes when shadow(5) has another hash for this account; never 0.
	 * Where the hash is elsewhere it does not. */
	uint64_t	print;
	uint64_t	kind;		/* effort_kind of that hash */
};

/*
 * 1 found, 0 no such account, -1 fault.  Supplementary groups that the policy
 * does not allow are left out of id; of the others the first IDENTITY_GIDS_MAX are
 * kept there.  Rules hear of all.
 */
int	account_find(const char *name, const struct auth_policy *p,
	    struct account *out, struct fault *f) MUSTUSE;

/* What shadow(5) says about the password; root alone can read it. */
enum account_password	account_password(const char *name);

/*
 * Rows "name:hash" of accounts that have a hash, of the first few entries of
 * shadow.  Returns their number; the caller owns out.
 */
size_t	account_hashes(struct buf *out);

#endif

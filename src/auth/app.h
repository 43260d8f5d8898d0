/* SPDX-License-Identifier: ISC */
/*
 * App passwords: one for each device of a user, made by popper, so that none is ever
 * the account's own, and one that was lost with a device is taken back alone.  Floor 2.
 *
 *   USER NAME id=N hash=SALT$HASH [networks=N,N...] [expires=YYYY-MM-DD] created=DATE
 *
 * A line each, in a file that root alone reads; '#' begins a comment.  SALT and HASH
 * are base64; HASH is BLAKE2b-256 of the password with SALT as its key: what is hashed
 * has 100 random bits, so that nobody finds it by trying, however fast a try is, and a
 * slow hash would cost the server alone.
 */
#ifndef AUTH_APP_H
#define AUTH_APP_H

#include "auth/auth.h"
#include "base/attr.h"
#include "base/fault.h"
#include "base/secret.h"
#include "sys/sock.h"

#define APP_PASSWORD	24		/* octets: "abcd-efgh-ijkm-npqr-stuv" */
#define APP_NAME_MAX	AUTH_APP_NAME
#define APP_MAX		64		/* of one user */
#define APP_ID_MAX	(1u << 24)	/* app-used has eight octets for each */
#define APP_EVER	INT64_MAX	/* expires: never */

/* Views into the line. */
struct app_row {
	struct span	user;
	struct span	name;		/* of the device; printable, no blank */
	uint32_t	id;		/* 1..APP_ID_MAX, of this row alone */
	struct span	salt;		/* base64 */
	struct span	hash;
	struct span	networks;	/* "": from everywhere */
	int64_t		expires;	/* seconds since 1970: no longer then */
	struct span	created;
};

/* False when it is no row, or one that says what we do not understand. */
bool	app_row_parse(struct span line, struct app_row *out) MUSTUSE;

/* The rows of a text, which must stay, found in O(rows of that user). */
struct app_index;
struct app_index	*app_index_new(struct span text);
void			 app_index_free(struct app_index *x);

/*
 * Which row of this user is this the password of, from there and now?  All of his are
 * tried, whichever it is.  A row that it is the password of, but not from there or no
 * longer, is told as well: then false, and why; else *why_r is NULL.
 */
bool	app_match(const struct app_index *x, struct span user,
	    const struct secret *password, const struct sock_addr *peer,
	    int64_t now, struct app_row *row_r, const char **why_r) MUSTUSE;

/* Why the password of this row would be refused from there and now; NULL: it would
 * not. */
const char	*app_hindered(const struct app_row *row,
		    const struct sock_addr *peer, int64_t now);

/* ---- when each was used last: a file of records, one for each id ---- */

/* Made when it is missing; -1: cannot be opened, as when we are not root. */
int	app_used_open(const char *state_dir);
/* To the hour: most logins write nothing.  Best effort. */
void	app_used_note(int fd, uint32_t id, int64_t now);
/* Seconds since 1970; 0: never. */
int64_t	app_used(int fd, uint32_t id);

/* ---- for `popper passwd` ---- */

struct app_new {
	const char	*user;
	const char	*name;
	const char	*networks;	/* "" or a list with commas */
	const char	*expires;	/* "" or YYYY-MM-DD, the last day */
};

/*
 * Add a row, and put its password into out.  The file is replaced as a whole, under
 * a lock.  FAULT_PROTO: a value that cannot stand in a row; FAULT_AUTH: the user has
 * one of this name, or APP_MAX; else as passwd_file_put.
 */
int	app_add(const char *path, const struct app_new *n, int64_t now, int used_fd,
	    char out[APP_PASSWORD + 1], struct fault *f) MUSTUSE;
/* name NULL: all of the user's.  FAULT_AUTH: there is none. */
int	app_remove(const char *path, const char *user, const char *name,
	    struct fault *f) MUSTUSE;
/* fn for each row; a line that is neither a row nor a comment: row NULL. */
typedef void	app_each_fn(void *ctx, unsigned line, const struct app_row *row);
int	app_each(const char *path, app_each_fn *fn, void *ctx, struct fault *f)
	    MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Bearer tokens, on their way between token/ and a question about a login.  Floor 4;
 * the process that judges them.
 */
#ifndef ROLE_TOKENS_H
#define ROLE_TOKENS_H

#include "auth/auth.h"
#include "role/settings.h"

/* In popper serve they are judged like the users of one more database, with a row in each
 * front and workers of its own: who waits for a server keeps no password waiting. */
#define TOKENS_DB	AUTH_DB_MAX
#define TOKENS_WORKERS	4

struct tokens {
	const struct token_ops	*ops;
	struct token		*t;		/* owns; NULL: not open */
};

/* Reads the files; of what needs no server, what is in them, too. */
int	tokens_files(const struct settings *conf, struct fault *f) MUSTUSE;
/* Opens the module, reads the files, looks up the servers. */
int	tokens_open(const struct settings *conf, struct tokens *out,
	    struct fault *f) MUSTUSE;
/*
 * The same by a process of root's that does nothing else, and ends with its parent; it
 * is in its cage then, with sockets if it asks a server.  Nobody looks up a server as
 * root: a child does, as front_user, since the name service needs files.
 */
int	tokens_open_caged(const struct settings *conf, pid_t parent,
	    struct tokens *out, struct fault *f) MUSTUSE;
void	tokens_close(struct tokens *t);

/* AUTH_OK: q->user is whose it is now, and q->token_good; else why not is in *v, and a
 * q->user that was empty may be whom a token names that is no good (any more).  False:
 * another process, which opens it all anew, might know more. */
bool	tokens_judge(const struct tokens *t, struct auth_request *q,
	    struct span token, struct auth_verdict *v);

#endif

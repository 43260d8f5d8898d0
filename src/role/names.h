/* SPDX-License-Identifier: ISC */
/*
 * The names of accounts and groups in the settings, looked up once for all
 * processes that will be forked: a name service costs each of them more than
 * the rest of its work (it opens modules, sockets and files).  Floor 4; before the
 * first fork.
 */
#ifndef ROLE_NAMES_H
#define ROLE_NAMES_H

#include "role/settings.h"

/* The numbers, as text for the same options. */
struct names {
	char	front_user[32];
	char	auth_user[32];
	char	virtual_user[32];
	char	gids_denied[2048];
};

/*
 * Put numbers in place of the names in front_user, auth_user, virtual_user and
 * gids_denied.
 * A group that the host does not have is left out: it denies nothing.  What it
 * fills must live as long as the settings.  -1: nothing was changed.  FAULT_TEMP:
 * a name service gave no answer, and each process can look up the names itself;
 * else they will not do: there is no such account, or front_user and auth_user
 * have one uid.
 */
int	names_to_numbers(struct settings *s, struct names *out,
	    struct fault *f) MUSTUSE;
/* The same with numbers that were looked up for these settings elsewhere. */
void	names_use(struct settings *s, const struct names *n);
/* Those alone that every session asks for (inetd mode): front_user and gids_denied. */
int	names_of_session(struct settings *s, struct names *out,
	    struct fault *f) MUSTUSE;

#endif

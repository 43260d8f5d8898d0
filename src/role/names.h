/* SPDX-License-Identifier: ISC */
/*
 * The names of accounts and groups in the settings, looked up once for all
 * processes that a server will fork: a name service costs each of them more than
 * the rest of its work (it opens modules, sockets and files).  Floor 4; `popper
 * serve`, before its first fork.  In inetd mode each process looks up its own.
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
 * fills must live as long as the settings.  -1: nothing was changed, each process
 * will look up the names itself, and tell what is wrong.
 */
int	names_to_numbers(struct settings *s, struct names *out,
	    struct fault *f) MUSTUSE;

#endif

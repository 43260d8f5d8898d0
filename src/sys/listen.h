/* SPDX-License-Identifier: ISC */
/*
 * The sockets at which a server listens, as a set that can be exchanged for
 * another one while it runs; or those that a service manager has handed over.
 * Floor 1; nobody's bytes.
 */
#ifndef SYS_LISTEN_H
#define SYS_LISTEN_H

#include "sys/sock.h"

#define LISTENERS_MAX	32		/* bits of MSG_LEAVE */

struct listener {
	int			fd;	/* owns */
	struct sock_addr	at;	/* as configured: port 0 stays 0 */
	bool			old;	/* it was one of the set before */
};

struct listeners {
	struct listener	one[LISTENERS_MAX];
	size_t		n;
	bool		given;		/* by the service manager */
};

/*
 * `next` shall be those at the n places of `where` (as for sock_listen_parse):
 * what is open already is taken from `now`, which is not touched, the rest is
 * opened.  All, or none: then the fault says which, and everything is as
 * before.  Those that were given stay, whatever `where` says.
 */
int	listeners_change(const struct listeners *now, const char *const *where,
	    size_t n, struct listeners *next, struct fault *f) MUSTUSE;
/* The n descriptors from `first` on, which must be what they should be. */
int	listeners_take(struct listeners *l, int first, unsigned n,
	    struct fault *f) MUSTUSE;
bool	listeners_have(const struct listeners *l, int fd);
void	listeners_close(struct listeners *l);
/* Those that `kept` has not. */
void	listeners_close_others(struct listeners *l,
	    const struct listeners *kept);

#endif

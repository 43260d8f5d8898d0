/* SPDX-License-Identifier: ISC */
/*
 * The sockets at which `popper serve` listens: those of `listen`, or those that
 * the service manager has handed over.  Floor 4; nobody's bytes.
 */
#ifndef ROLE_LISTEN_H
#define ROLE_LISTEN_H

#include "conf/conf.h"
#include "sys/sock.h"

#define LISTENERS_MAX	32

struct listener {
	int			fd;	/* owns */
	struct sock_addr	at;	/* as configured: port 0 stays 0 */
};

struct listeners {
	struct listener	one[LISTENERS_MAX];
	size_t		n;
	bool		given;		/* by the service manager */
};

/* All of the list, or none: then the fault says which. */
int	listeners_open(struct listeners *l, const struct conf_list *list,
	    struct fault *f) MUSTUSE;
/* The n descriptors from `first` on, which must be what they should be. */
int	listeners_take(struct listeners *l, int first, unsigned n,
	    struct fault *f) MUSTUSE;
/*
 * `next` shall be those of the list: what is open already is taken from `now`,
 * which is not touched, the rest is opened; then listeners_part.  All, or none:
 * then everything is as before.  Those that were given stay.
 */
int	listeners_change(const struct listeners *now,
	    const struct conf_list *list, struct listeners *next,
	    struct fault *f) MUSTUSE;
/* Those of `now` that are not among `next`, told to the log; who calls closes
 * them, and `next` takes the place of `now`. */
void	listeners_part(const struct listeners *now,
	    const struct listeners *next, struct listeners *leaving);
void	listeners_close(struct listeners *l);

#endif

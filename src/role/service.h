/* SPDX-License-Identifier: ISC */
/*
 * What makes popper serve a service, whichever process serves (role/serve.c,
 * role/master.c): where it listens, what the service manager is told, the log's
 * lines about all of it, and how another reading of the configuration is tried.
 * Floor 4; the process that was started itself.
 */
#ifndef ROLE_SERVICE_H
#define ROLE_SERVICE_H

#include "role/edition.h"
#include "sys/listen.h"
#include "sys/manager.h"

struct service {
	const struct edition_source	*source;
	const char			*word;		/* for what it serves */
	struct manager			 manager;
	int				 inetd;		/* its listener, owns; -1:
							   it has not started us */
	uint64_t			 empty_ms;	/* since then; 0: somebody
							   is here */
	bool				 refused;	/* the last reload */
};

/* How it goes: for the log and the service manager. */
struct service_state {
	size_t	listeners;
	size_t	n;		/* of those whom it serves */
	size_t	most;		/* at a time */
};

/*
 * At the start, before the first child: what the service manager says; the sockets
 * that it hands over, or inetd, stand for `listen`.
 */
int	service_begin(struct service *s, const struct settings *conf,
	    struct listeners *l, struct fault *f) MUSTUSE;
/* It serves; after a reload again, even if that was refused. */
void	service_ready(struct service *s, const struct service_state *how);
/* manager_turn; how is NULL: as before. */
void	service_turn(struct service *s, const struct service_state *how,
	    uint64_t *ms);
/* In each turn: is it time to end, since nobody (empty) has been here for so long that
 * inetd may listen again? */
bool	service_idle(struct service *s, const struct settings *conf, bool empty);
/* To the log: it does, from now on. */
void	service_returns(const struct listeners *l);
/* To the log; how many are left. */
void	service_stopped(const struct service *s, size_t left);

/*
 * A reload, in this order: reload, propose, accept or withdraw what was proposed,
 * reloaded.  `now` is what is in use, `next` what shall be.  The first is
 * edition_source's reopen and judge, and the service manager is told.
 */
pid_t	service_reload(struct service *s, const struct edition *now,
	    const struct edition_ears *ears, int *fd_r, struct fault *f) MUSTUSE;
/* NULL: refused.  *next_l are those that it wants; nothing is told of them yet. */
struct edition	*service_propose(struct service *s, const struct edition *now,
		    const struct listeners *now_l, struct listeners *next_l,
		    struct fault *f) MUSTUSE;
void	service_withdraw(struct service *s, struct edition *next,
	    const struct listeners *now_l, struct listeners *next_l);
void	service_accept(struct service *s, const struct edition *now,
	    struct edition *next, const struct listeners *now_l,
	    const struct listeners *next_l);
/* The end of it: ready, and to the log how it went; why not, or NULL. */
void	service_reloaded(struct service *s, const struct service_state *how,
	    const struct fault *refused);

#endif

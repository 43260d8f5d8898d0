/* SPDX-License-Identifier: ISC */
/*
 * What the files of a session share: the session.  Floor 4, private to session.c and
 * those below.
 *
 *   session.c		from login to end; the pump's calls; the cage
 *   session_host.c	questions to the host
 *   session_open.c	folders, the maildrop, and bulletins are opened
 *   session_refuse.c	why there is none
 */
#ifndef ROLE_SESSION_PRIV_H
#define ROLE_SESSION_PRIV_H

#include "role/session.h"

#include "bull/bull.h"
#include "drop/drop.h"
#include "drop/promise.h"

struct session {
	const struct session_start	*c;
	struct drop_host		 drop_host;
	struct pop_host			 pop_host;
	struct pop_conf			 pop_conf;
	struct bull_place		 place;		/* of .popbull */
	int				 place_fd;	/* owns */
	struct fault			 no_place;	/* why place_fd is -1 */
	int				 state_fd;	/* state folder, owns, or -1 */
	int				 bulletins_fd;	/* owns */
	struct bull_set			 set;
	struct promises			 promises;
	struct pop			*pop;
	struct pump			 pump;
	uint64_t			 began_ms;
	uint64_t			 lock_ms;	/* waited for locks */
};

/* ---- questions (session_host.c) ---- */

/* s->drop_host and s->pop_host: what maildrop and protocol may ask. */
void	session_init_hosts(struct session *s);
/* Also struct drop_host's calls; ctx is the session. */
int	session_unlock(void *ctx, struct fault *f) MUSTUSE;
int	session_tempfile(void *ctx, int *fd_r, struct fault *f) MUSTUSE;
/* Likewise struct pop_host's; a reply follows. */
void	session_release(void *ctx, bool done);
/* A warning. */
void	session_tell(void *ctx, const char *id, const char *text);

/* ---- what is opened (session_open.c) ---- */

/* The folders that the session works in, once it is the user. */
void	session_open_folders(struct session *s);
struct drop_conf session_drop_conf(const struct session *s);
/* s->pop is made. */
int	session_open_maildrop(struct session *s, struct fault *f) MUSTUSE;

/* ---- none (session_refuse.c) ---- */

/* The reply, and the line. */
void	session_refuse(struct session *s, const struct fault *f);
/* FAULT_DELAY: RFC 2449 s.8.1.1. */
void	session_refuse_delayed(struct session *s);

#endif

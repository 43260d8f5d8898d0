/* SPDX-License-Identifier: ISC */
/*
 * The lines of the log about a session's beginning and end, for whichever
 * process serves it, and the same for metrics.  Floor 4.
 */
#ifndef ROLE_SESSION_END_H
#define ROLE_SESSION_END_H

#include "pop/transact.h"
#include "role/pump.h"
#include "role/wire.h"
#include "sys/sock.h"

#include <sys/types.h>

struct session_sum {
	const char		*user;
	const char		*ip;
	const struct pop	*pop;		/* NULL: no maildrop */
	bool			 delayed;	/* and why: login_delay */
	enum pump_end		 end;
	uint64_t		 octets_in;
	uint64_t		 octets_out;
	uint64_t		 began_ms;
	uint64_t		 lock_ms;	/* waited for locks */
	unsigned		 gone_s;	/* of PUMP_END_SILENT */
	bool			 statistics;	/* -s */
};

/* cached: the password was not hashed (role/verdict.h). */
void	session_log_login(const char *user, const char *ip, uid_t uid,
	    const char *db, bool cached, enum auth_method method);
void	session_log_end(const struct session_sum *s);
/* The same of one that could not say so itself: its process ended with that status;
 * with SESSION_UNBORN it never began.  0: it has. */
void	session_lost(const char *user, const struct sock_addr *peer, int status);
/* Its UPDATE is unfinished, and nobody is going to finish it. */
void	session_log_open(const char *path, bool dotlock_stays);
/* For the metrics of popper serve: the same that stands in the log. */
void	session_summary(const struct session_sum *s, struct wire_summary *out);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A login attempt that comes to nothing: when that is told, and the log's line of one
 * that nobody could judge, or that came to no session: so each attempt has one.  Those
 * that were judged are the worker's (worker_log_failure).  Floor 4; monitor, auth,
 * worker, single.
 */
#ifndef ROLE_ATTEMPT_H
#define ROLE_ATTEMPT_H

#include "role/settings.h"
#include "sys/sock.h"

/* When a refusal is told that was asked for at asked_ms and decided now: at a
 * fixed time (auth_fail_delay), or the next multiple of it. */
uint64_t	attempt_refusal_ms(const struct role_settings *r,
		    uint64_t asked_ms);

/*
 * login-failed with reason=error.  user is NULL where only who was lost had
 * seen the name; detail names the line that tells more: "see worker-died".
 */
void	attempt_log_unjudged(const char *user, const struct sock_addr *peer,
	    const char *detail);

#endif

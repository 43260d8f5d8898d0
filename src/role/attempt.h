/* SPDX-License-Identifier: ISC */
/*
 * The log's line of a login attempt that nobody could judge, or that came to no
 * session: so each attempt has one.  Those that were judged are the worker's
 * (worker_log_failure).  Floor 4; monitor, worker, single.
 */
#ifndef ROLE_ATTEMPT_H
#define ROLE_ATTEMPT_H

#include "base/attr.h"
#include "sys/sock.h"

/*
 * login-failed with reason=error.  user is NULL where only who was lost had
 * seen the name; detail names the line that tells more: "see worker-died".
 */
void	attempt_log_unjudged(const char *user, const struct sock_addr *peer,
	    const char *detail);

#endif

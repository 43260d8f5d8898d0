/* SPDX-License-Identifier: ISC */
/*
 * login_delay: when did the last session of a maildrop begin?  (RFC 2449 s.6.5.)
 * Floor 4; asked with the session lock held, by whoever gives that away: root, or
 * the user himself with isolation = single.
 *
 * One file in run_dir for all maildrops, a table of fixed size: nothing need be
 * removed, a restart of popper changes nothing, a restart of the host forgets all.
 * A full bucket forgets who has been away longest: then somebody does not wait.
 *
 *   a login counts -- its session ends by QUIT, or it is the second one within
 *   login_delay that does not.  So who lost his connection may come back at once,
 *   and who never says QUIT waits all the same.
 */
#ifndef ROLE_PACE_H
#define ROLE_PACE_H

#include "base/attr.h"
#include "role/settings.h"

/* login_delay of this user; 0: none.  And what CAPA tells who is not known yet: the
 * largest of all. */
unsigned	pace_of(const struct role_settings *r, const struct identity *id);
unsigned	pace_most(const struct role_settings *r);
/* May that be another one than the user's own? */
bool		pace_differs(const struct role_settings *r);

/*
 * Seconds that this maildrop, by the name of its session lock, must wait yet: then
 * it has no session.  0: it begins one now.  delay_s: pace_of its user.  A table that cannot
 * be used makes nobody wait, and is told.
 */
unsigned	pace_begin(const struct role_settings *r, unsigned delay_s,
		    const char *lock) MUSTUSE;
/* The same without a session. */
int		pace_left(const struct role_settings *r, unsigned delay_s,
		    const char *lock, unsigned *wait_s_r, struct fault *f) MUSTUSE;
/* That session has come to its QUIT; before the lock is given back. */
void		pace_end(const struct role_settings *r, const char *lock);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Finish interrupted UPDATEs: `popper recover`, at boot and once a minute, and
 * popper serve when it starts.  Floor 4.
 */
#ifndef ROLE_RECOVER_H
#define ROLE_RECOVER_H

#include "role/settings.h"

/*
 * All maildrops with an open journal: O(maildrops that ever had one).  `quick`: if that
 * was done in the last hour of this boot, only those whose session left its lock behind,
 * O(locks).  Number of those that stay open.
 */
int	recover_run(const struct settings *conf, bool quick);

/* The same in a child, which nobody waits for: a login need not either, since it
 * finishes its own maildrop. */
void	recover_beside(const struct settings *conf);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Finish interrupted UPDATEs: `popper recover`, at boot and once a minute, and
 * popper serve when it starts.  Floor 4.
 */
#ifndef ROLE_RECOVER_H
#define ROLE_RECOVER_H

#include "role/settings.h"

/* All maildrops with an open journal.  Number of those that stay open. */
int	recover_run(const struct settings *conf);

/* The same in a child, which nobody waits for: a login need not either, since it
 * finishes its own maildrop. */
void	recover_beside(const struct settings *conf);

#endif

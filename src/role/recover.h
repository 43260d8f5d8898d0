/* SPDX-License-Identifier: ISC */
/* `popper recover`: finish interrupted UPDATEs, at boot.  Floor 4. */
#ifndef ROLE_RECOVER_H
#define ROLE_RECOVER_H

#include "role/settings.h"

/* All maildrops with an open journal.  Number of those that stay open. */
int	recover_run(const struct settings *conf);

#endif

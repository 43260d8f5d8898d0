/* SPDX-License-Identifier: ISC */
/*
 * Who forks for the master of popper serve: sessions, recoveries, and hands that
 * do what would keep the master waiting.  Floor 4.
 */
#ifndef ROLE_SPAWNER_H
#define ROLE_SPAWNER_H

#include "base/attr.h"
#include "role/settings.h"

/* master: the link from which orders come; the process ends with it. */
void	spawner_main(const struct settings *conf, const char *hostname,
	    int master, int log_link) NORETURN;

#endif

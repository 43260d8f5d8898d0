/* SPDX-License-Identifier: ISC */
/*
 * Whether the processes that strangers talk to could begin with these settings.
 * Floor 4; by root, before there is anybody who would have to wait for it.
 */
#ifndef ROLE_PROBE_H
#define ROLE_PROBE_H

#include "role/settings.h"

/*
 * Tries, in children, what a front and auth would stumble over: their accounts, the
 * empty root folder, their cages, certificates.  -1: what it is; the log has it, too.
 */
int	probe_cages(const struct settings *s, struct fault *f) MUSTUSE;

#endif

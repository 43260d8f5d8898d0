/* SPDX-License-Identifier: ISC */
/*
 * The process of popper serve that tells what the others count, as OpenMetrics text
 * over HTTP, to programs of this host.  It can read the counters, and nothing else
 * of anybody's.  Floor 4.
 */
#ifndef ROLE_EXPORTER_H
#define ROLE_EXPORTER_H

#include "base/attr.h"
#include "base/fault.h"
#include "role/settings.h"
#include "role/tally.h"

/* Open the library that it needs; FAULT_PERM: it is not there. */
int	exporter_library(struct fault *f) MUSTUSE;

/* As root, in the master: the socket, or -1: there is to be none, or (logged) it
 * cannot be had. */
int	exporter_listen(const struct settings *conf);

/* t: to be read. */
void	exporter_main(const struct settings *conf, const struct tally *t,
	    int listener, int log_link) NORETURN;

#endif

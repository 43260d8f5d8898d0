/* SPDX-License-Identifier: ISC */
/*
 * The parent of the workers of popper serve.  It is root, since PAM is; it gets
 * nothing but the ends of links, reads no question, and forks: for PAM a worker
 * for each question, for a password file workers that stay and answer many, as
 * the file was when they were forked.  Floor 4.
 */
#ifndef ROLE_WARDEN_H
#define ROLE_WARDEN_H

#include "base/attr.h"
#include "role/settings.h"

/* auth: the link from which WORKER+fd comes; the process ends with it. */
void	warden_main(const struct settings *conf, int auth, int log_link)
	    NORETURN;

#endif

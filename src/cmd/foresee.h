/* SPDX-License-Identifier: ISC */
/*
 * What would become of a login, judged by one user database with the rights of its
 * worker.  Floor 5; `popper ctl why`.
 */
#ifndef CMD_FORESEE_H
#define CMD_FORESEE_H

#include "base/attr.h"
#include "role/settings.h"

/*
 * As auth_foresee.  What answers in SQL is asked by a child that is auth_user, as a
 * worker would be; who is not root asks by himself.  -1: the database could not be
 * opened.  q->user may change.
 */
int	foresee(const struct settings *s, const struct auth_conf *db,
	    struct auth_request *q, struct auth_verdict *v, struct fault *f) MUSTUSE;

/*
 * Can a worker read what each database of auth needs: its own file, and those of
 * rules, app passwords and masters?  In a child: nothing of them is left here.  No
 * database is asked anything.  The fault has its id.
 */
int	foresee_databases(const struct settings *s, struct fault *f) MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A user database in SQL is opened as a worker does it: by auth_user, who may see
 * less than root.
 */
#include "cmd/check_priv.h"

#include "auth/auth.h"
#include "sys/identity.h"

static int
open_as_worker(const struct check *c, const void *what, struct fault *f)
{
	const struct auth_conf	*db = what;
	const struct auth_ops	*ops = auth_ops_of(db);
	struct identity		 id;
	void			*state;

	if (ops->prepare(db, &state, f) != 0 || (c->root &&
	    (identity_service(c->s->role.auth_user, &id, f) != 0 ||
	    identity_become(&id, true, f) != 0)))
		return -1;
	return ops->connect(state, f);
}

void
check_sql(struct check *c, const struct auth_conf *db, unsigned line)
{
	struct fault f;

	if (check_in_child(c, open_as_worker, db, &f) != 0)
		check_fault(c, "auth", line, &f, "%s: %s; until that is mended "
		    "nobody logs in by it", db->db, f.text);
}

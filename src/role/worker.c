/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root for PAM (pam_unix reads /etc/shadow); else front_user in a cage,
 * after the password file was read, or auth_user in a cage, connected to a database
 * in SQL.  Reads from: one bounded record that a front wrote, and that database; in
 * popper serve, such records that auth has put together anew.  Lives for this
 * question, or but for PAM in popper serve for many, and no longer than its monitor
 * or warden.
 */
#include "role/worker_priv.h"

#include "role/ask_log.h"
#include "role/offers.h"

#include "sys/cage.h"
#include "sys/identity.h"
#include "sys/spawn.h"

int
worker_reopen_log(void *ctx)
{
	return ask_log(*(int *)ctx);
}

static int
enter_cage(const struct settings *conf, pid_t monitor, struct fault *f)
{
	bool	degraded;

	if (cage_step_down(conf->role.front_user, conf->role.chroot_dir,
	    CAGE_VERIFY, f) != 0)
		return -1;
	spawn_tie(monitor);	/* once more: new ids have undone it */
	return cage_enter(CAGE_VERIFY, &degraded, f);
}

/*
 * Who connects to a database is auth_user already: what that answers is read
 * without root's rights.  The root folder stays, since there are the database's
 * sockets and files; the cage opens none of them.
 */
static int
connect_database(const struct settings *conf, pid_t parent, void *state,
    struct fault *f)
{
	struct identity	id;
	bool		degraded;

	if (identity_service(conf->role.auth_user, &id, f) != 0 ||
	    cage_limits(CAGE_SQL, f) != 0 || identity_become(&id, true, f) != 0)
		return -1;
	spawn_tie(parent);	/* once more: new ids have undone it */
	return auth_ops_of(&conf->auth)->connect(state, f) != 0 ? -1 :
	    cage_enter(CAGE_SQL, &degraded, f);
}

int
worker_prepare(const struct settings *conf, pid_t parent,
    enum auth_method asked, bool stays, void **state_r, struct fault *f)
{
	const struct auth_ops *ops = auth_ops_of(&conf->auth);

	if (ops->prepare(&conf->auth, state_r, f) != 0)
		return fault_prefix(f, "%s: ", ops->name);
	auth_exchange_prepare(&conf->auth, *state_r, asked);
	if (stays && ops->settle != NULL)
		ops->settle(*state_r);
	if (ops->connect != NULL)
		return connect_database(conf, parent, *state_r, f);
	return ops->needs_root ? 0 : enter_cage(conf, parent, f);
}

int
worker_take_asked(struct link_in *m, struct auth_request *q,
    struct wire_asked *a, struct fault *f)
{
	if (wire_get_asked(m, a, f) != 0 || link_get_end(m, f) != 0)
		return fault_prefix(f, "credential: ");
	asked_take(a, q);
	return 0;
}

void
worker_judge(const struct settings *conf, void *state, struct auth_request *q,
    struct auth_verdict *v)
{
	auth_check(&conf->auth, state, q, v);
	secret_wipe(&q->secret);
}

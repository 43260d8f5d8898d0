/* SPDX-License-Identifier: ISC */
/*
 * A user database in SQL is opened as a worker does it: by auth_user, who may see
 * less than root.
 */
#include "cmd/check_priv.h"

#include "auth/auth.h"
#include "base/alloc.h"
#include "sys/identity.h"
#include "sys/spawn.h"

#include <string.h>

#define LATE_MS		60000

/* In a child: what is wrong goes to the pipe. */
static NORETURN void
try_it(const struct check *c, const struct auth_conf *db, int pipe)
{
	const struct auth_ops	*ops = auth_ops_of(db);
	struct identity		 id;
	struct fault		 f;
	struct fault		 ignored;
	void			*state;

	if (ops->prepare(db, &state, &f) == 0 && (!c->root ||
	    (identity_service(c->s->role.auth_user, &id, &f) == 0 &&
	    identity_become(&id, true, &f) == 0)) &&
	    ops->connect(state, &f) == 0)
		spawn_exit(0);
	spawn_exit(file_write(pipe, f.text, strlen(f.text), &ignored) == 0 ? 1 : 2);
}

void
check_sql(struct check *c, const struct auth_conf *db, unsigned line)
{
	AUTO(fd_close) int	from = -1;
	AUTO(fd_close) int	to = -1;
	char			text[sizeof(((struct fault *)0)->text)] = "";
	struct fault		f;
	int			status = 1;
	ssize_t			n;
	pid_t			pid;

	(void)fflush(c->out);
	if (fd_pipe(&from, &to, &f) != 0 || (pid = spawn_fork(&f)) < 0) {
		check_tell(c, CONF_ERROR, c->s->config, line, "auth: %s: %s",
		    db->db, f.text);
		return;
	}
	if (pid == 0)
		try_it(c, db, to);
	fd_close(&to);
	n = file_read(from, text, sizeof(text) - 1, &f);
	(void)spawn_wait(pid, LATE_MS, &status);
	if (status != 0)
		check_tell(c, CONF_ERROR, c->s->config, line, "auth: %s: %s; "
		    "until that is mended nobody logs in by it", db->db,
		    n > 0 ? text : "it ended without a word");
}

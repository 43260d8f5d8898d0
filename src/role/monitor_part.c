/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, of a monitor.  Children are forked with a link and a log link, and
 * end with them.
 */
#include "role/monitor_priv.h"

#include "role/ask_log.h"
#include "role/resolver.h"

#include "sys/file.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"

void
part_init(struct part *c)
{
	*c = (struct part){ .link = -1, .log_link = -1 };
}

void
part_fini(struct part *c)
{
	int status;

	fd_close(&c->link);
	fd_close(&c->log_link);
	if (c->pid > 0)
		(void)spawn_wait(c->pid, -1, &status);
	c->pid = 0;
}

void
part_kill(struct part *c)
{
	if (c->pid > 0)
		spawn_kill(c->pid);
	part_fini(c);
}

void
part_stop(struct part *c)
{
	int status;

	if (c->pid > 0 && signals_stopping()) {
		spawn_stop(c->pid);
		if (spawn_wait(c->pid, ENDING_MS, &status) != 0)
			c->pid = 0;
	}
	part_kill(c);
}

int
part_fork(struct part *c, int *link_r, int *log_link_r, struct fault *f)
{
	AUTO(fd_close) int link = -1;
	AUTO(fd_close) int log_link = -1;

	part_init(c);
	if (link_pair(&c->link, &link, f) != 0 ||
	    link_pair(&c->log_link, &log_link, f) != 0 ||
	    (c->pid = spawn_fork_bare(f)) < 0) {
		c->pid = 0;
		part_fini(c);
		return -1;
	}
	if (c->pid > 0)
		return 1;
	signals_take(SIGNALS_CONNECTION);
	fd_close(&c->link);
	fd_close(&c->log_link);
	*link_r = fd_take(&link);
	*log_link_r = fd_take(&log_link);
	return 0;
}

int
part_serve_log(struct part *c)
{
	struct fault	f;
	int		got = ask_serve_log(c->log_link, NULL, &f);

	if (got != 1)
		fd_close(&c->log_link);
	if (got >= 0)
		return 0;
	log_fault(LEVEL_ERR, "log-link-misbehaved", &f);
	spawn_kill(c->pid);
	return -1;
}

void
monitor_start_resolver(struct monitor *m, bool xclient)
{
	struct resolver_conf	 c = resolver_conf_of(m->conf);
	pid_t			*pid = &m->resolvers[xclient];
	struct fault		 f;

	if (!m->conf->role.peer_check || m->peer.family == 0)
		return;
	*pid = spawn_fork_bare(&f);
	if (*pid < 0)
		log_fault(LEVEL_WARN, "resolver-fork", &f);
	if (*pid != 0)
		return;
	signals_take(SIGNALS_CONNECTION);
	spawn_exit(resolver_run(&c, &m->peer));
}

void
monitor_reap_resolvers(struct monitor *m)
{
	int status;

	for (size_t i = 0; i < ARRAY_LEN(m->resolvers); i++)
		if (m->resolvers[i] > 0 &&
		    spawn_wait(m->resolvers[i], 0, &status) != 0)
			m->resolvers[i] = 0;
}

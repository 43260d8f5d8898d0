/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root (or the user, with isolation = single).  Reads from: its
 * configuration; of clients only what those say who are refused, and that is
 * thrown away unseen.  Each connection gets a monitor, as inetd would start one;
 * limits are kept before the fork.  A reload (SIGHUP) is all or nothing, and
 * counts for the connections that are accepted after it.
 */
#include "role/serve.h"

#include "role/limit.h"
#include "role/listen.h"
#include "role/monitor.h"
#include "role/service.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>

#define STOP_WAIT_MS	10000		/* for sessions, before we go */
#define JUDGE_END_MS	1000		/* of who has judged, and has only to end */
#define FULL_TEXT	"-ERR [SYS/TEMP] Too many connections, try again later.\r\n"

#define LEAVING_MAX	1024		/* waiting at a listener that leaves */
#define REFUSED_MAX	32		/* connections that hear why */

struct served {
	pid_t			pid;
	struct sock_addr	peer;
};

/* Told that there is no room; read until its end, or the answer might never
 * arrive (see pump_drain). */
struct refused {
	int			 fd;		/* owns */
	uint64_t		 end_ms;
};

struct serve {
	struct edition		*edition;	/* owns */
	struct service		 service;
	struct listeners	 listeners;
	struct listeners	 leaving;	/* during a reload */
	struct served		*served;	/* owns; the first n are alive */
	size_t			 n;
	struct refused		 refused[REFUSED_MAX];	/* oldest first */
	size_t			 nrefused;
	struct limit_log	 limits;
};

/* Forget the children that have ended. */
static void
reap(struct serve *s)
{
	int status;

	for (size_t i = 0; i < s->n;)
		if (spawn_wait(s->served[i].pid, 0, &status) != 0)
			s->served[i] = s->served[--s->n];
		else
			i++;
}

/* How many are of that network: so many octets of IPv4, or of IPv6. */
static size_t
from_network(const struct serve *s, const struct sock_addr *peer, size_t v4,
    size_t v6)
{
	size_t count = 0;
	size_t octets = peer->family == 6 ? v6 : v4;

	for (size_t i = 0; i < s->n; i++)
		count += s->served[i].peer.family == peer->family &&
		    memcmp(s->served[i].peer.raw, peer->raw, octets) == 0;
	return count;
}

static void
forget_refused(struct serve *s, size_t i)
{
	fd_close(&s->refused[i].fd);
	s->nrefused--;
	memmove(&s->refused[i], &s->refused[i + 1],
	    (s->nrefused - i) * sizeof(s->refused[0]));
}

static void
refuse(struct serve *s, int *fd, struct span text)
{
	struct fault f;

	if (sock_write(*fd, text, &f) < 0) {
		log_fault(LEVEL_DEBUG, "limit-reply", &f);
		return;
	}
	sock_shutdown_write(*fd);
	if (s->nrefused == REFUSED_MAX)
		forget_refused(s, 0);
	s->refused[s->nrefused++] = (struct refused){
		.fd = fd_take(fd),
		.end_ms = clock_ms() + 1000ull * s->edition->s.role.drain_timeout_s,
	};
}

/* Swallow what they say; forget who has closed, and whose time is over. */
static void
drain_refused(struct serve *s)
{
	char		b[4096];
	struct fault	f;

	for (size_t i = 0; i < s->nrefused;) {
		ssize_t n = sock_read(s->refused[i].fd, b, sizeof(b), &f);

		if (n == 0 || (n < 0 && f.err != EAGAIN) ||
		    clock_ms() >= s->refused[i].end_ms)
			forget_refused(s, i);
		else
			i++;
	}
}

/* Is there room for one more?  Counted as in role/tally.h. */
static bool
admit(struct serve *s, const struct listen_rules *rules,
    const struct sock_addr *peer)
{
	const struct role_settings	*r = &s->edition->s.role;
	enum limit			 limit = LIMITS;

	if (s->n >= r->max_sessions)
		limit = LIMIT_SESSIONS;
	else if (from_network(s, peer, 4, 8) >= listen_per_address(rules, r))
		limit = LIMIT_ADDRESS;
	else if (from_network(s, peer, 3, 6) >= listen_per_network(rules, r))
		limit = LIMIT_NETWORK;
	if (limit == LIMITS)
		return true;
	limit_reached(&s->limits, limit, peer);
	return false;
}

/* The child's part of it. */
static NORETURN void
serve_one(struct serve *s, int fd)
{
	struct fault f;

	listeners_close(&s->listeners);
	listeners_close(&s->leaving);
	while (s->nrefused > 0)
		forget_refused(s, 0);
	/* A terminal of ours is nothing for who talks to strangers. */
	if (fd_null_standard(&f) != 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		spawn_exit(1);
	}
	spawn_exit(monitor_run(&s->edition->s, s->edition->hostname, fd,
	    fd));
}

/* False when nobody waits there. */
static bool
take(struct serve *s, int listener)
{
	AUTO(fd_close) int	fd = -1;
	struct sock_addr	peer;
	struct sock_addr	local;
	struct listen_rules	rules;
	struct served		*new;
	struct fault		f;

	if (sock_accept(listener, &fd, &peer, &f) != 0) {
		if (f.err != EAGAIN && f.err != ECONNABORTED) {
			log_fault(LEVEL_ERR, "accept", &f);
			clock_sleep(100);	/* no descriptors: no spin */
		}
		return false;
	}
	reap(s);
	new = &s->served[s->n];
	new->peer = peer;
	if (sock_local(listener, &local, &f) != 0)
		return true;
	listen_rules_at(&s->edition->s.role.listen, &local, &rules);
	if (!listen_takes(&rules, &peer)) {
		limit_reached(&s->limits, LIMIT_NETWORKS, &peer);
		refuse(s, &fd, SPAN(LISTEN_NETWORKS_TEXT));
		return true;
	}
	if (!admit(s, &rules, &peer)) {
		refuse(s, &fd, SPAN(FULL_TEXT));
		return true;
	}
	new->pid = spawn_fork(&f);
	if (new->pid < 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		refuse(s, &fd, SPAN(FULL_TEXT));
		return true;
	}
	if (new->pid == 0)
		serve_one(s, fd);
	s->n++;
	return true;
}

static struct service_state
state(const struct serve *s)
{
	return (struct service_state){ s->listeners.n, s->n,
	    s->edition->s.role.max_sessions };
}

/* How long to sleep. */
static int
turn(struct serve *s)
{
	const struct service_state	how = state(s);
	uint64_t			ms = s->nrefused > 0 ||
					    s->service.inetd >= 0 ? 1000 : 10000;

	service_turn(&s->service, &how, &ms);
	return (int)ms;
}

/* Room for as many as may come, and for those who are here. */
static void
make_room(struct serve *s)
{
	size_t		 max = s->edition->s.role.max_sessions;
	struct served	*new = xalloc((s->n > max ? s->n : max) + 1,
			    sizeof(*new));

	if (s->n > 0)
		memcpy(new, s->served, s->n * sizeof(*new));
	free(s->served);
	s->served = new;
}

/* Who waits at a listener that leaves is served, not cut off. */
static void
close_leaving(struct serve *s)
{
	while (s->leaving.n > 0) {
		int *fd = &s->leaving.one[s->leaving.n - 1].fd;

		for (int i = 0; i < LEAVING_MAX && take(s, *fd); i++)
			continue;
		sock_shutdown(*fd);	/* a child may have a copy still */
		fd_close(fd);
		s->leaving.n--;
	}
}

/* As long as it is judged nobody is taken; there is not much to look up here. */
static struct edition *
propose(struct serve *s, struct listeners *next, struct fault *f)
{
	const struct edition_ears	 none = { 0 };
	struct edition			*e;
	pid_t				 pid;
	int				 unused;

	pid = service_reload(&s->service, s->edition, &none, &unused, f);
	if (pid < 0)
		return NULL;
	e = service_propose(&s->service, s->edition, &s->listeners, next, f);
	(void)spawn_wait(pid, JUDGE_END_MS, &unused);
	return e;
}

static int
renew(struct serve *s, struct fault *f)
{
	struct listeners	 next;
	struct edition		*e = propose(s, &next, f);

	if (e == NULL)
		return -1;
	service_accept(&s->service, s->edition, e, &s->listeners, &next);
	edition_free(s->edition);
	s->edition = e;
	make_room(s);
	for (size_t i = 0; i < s->listeners.n; i++)
		if (!listeners_have(&next, s->listeners.one[i].fd))
			s->leaving.one[s->leaving.n++] = s->listeners.one[i];
	s->listeners = next;
	close_leaving(s);
	return 0;
}

static void
reload(struct serve *s)
{
	struct service_state	how;
	struct fault		f;
	bool			refused;

	refused = renew(s, &f) != 0;
	how = state(s);
	service_reloaded(&s->service, &how, refused ? &f : NULL);
}

/* Nobody is taken between this look and the end. */
static bool
is_idle(struct serve *s)
{
	bool idle = service_idle(&s->service, &s->edition->s,
	    s->n == 0 && s->nrefused == 0);

	if (idle)
		service_returns(&s->listeners);
	return idle;
}

static void
loop(struct serve *s)
{
	struct wait_for w[LISTENERS_MAX + REFUSED_MAX];

	for (;;) {
		int	ms = turn(s);
		size_t	n;

		/* Asked last before the wait: whatever writes to the log may
		 * have waited, and taken the signal for its own. */
		while (signals_reload())
			reload(s);
		if (signals_stopping() || is_idle(s))
			return;
		n = s->listeners.n + s->nrefused;
		for (size_t i = 0; i < n; i++)
			w[i] = (struct wait_for){
				.fd = i < s->listeners.n ?
				    s->listeners.one[i].fd :
				    s->refused[i - s->listeners.n].fd,
				.events = WAIT_READ,
			};
		(void)sock_wait(w, n, ms);
		reap(s);
		drain_refused(s);
		for (size_t i = 0; i < s->listeners.n && !signals_stopping(); i++)
			if (w[i].ready)
				(void)take(s, s->listeners.one[i].fd);
	}
}

/* Sessions end without UPDATE, but one that is in it finishes. */
static void
stop_all(struct serve *s)
{
	uint64_t end = clock_ms() + STOP_WAIT_MS;

	manager_stopping(&s->service.manager);
	listeners_close(&s->listeners);
	for (size_t i = 0; i < s->n; i++)
		spawn_stop(s->served[i].pid);
	while (s->n > 0 && clock_ms() < end) {
		reap(s);
		if (s->n > 0)
			clock_sleep(20);
	}
	service_stopped(&s->service, s->n);
}

int
serve_run(struct edition *e, const struct edition_source *source, int inetd,
    struct fault *f)
{
	struct serve		s = {
		.edition = e,
		.service = { source, "connections", .inetd = inetd },
	};
	struct service_state	how;
	int			status = 1;

	signals_take(SIGNALS_SERVER);
	if (service_begin(&s.service, &e->s, &s.listeners, f) == 0) {
		make_room(&s);
		how = state(&s);
		service_ready(&s.service, &how);
		loop(&s);
		stop_all(&s);
		status = 0;
	} else {
		log_fault(LEVEL_ERR, "listen", f);
	}
	free(s.served);
	edition_free(s.edition);
	return status;
}

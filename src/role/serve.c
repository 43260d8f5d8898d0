/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root (or the user, with isolation = single).  Reads from: its
 * configuration; of clients only what those say who are refused, and that is
 * thrown away unseen.  Each connection gets a monitor, as inetd would start one;
 * limits are kept before the fork.
 */
#include "role/serve.h"

#include "role/limit.h"
#include "role/listen.h"
#include "role/monitor.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>

#define LISTENERS_MAX	32
#define STOP_WAIT_MS	10000		/* for sessions, before we go */
#define FULL_TEXT	"-ERR [SYS/TEMP] Too many connections, try again later.\r\n"

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
	const struct settings	*conf;
	const char		*hostname;
	int			 listeners[LISTENERS_MAX];
	struct listen_rules	 rules[LISTENERS_MAX];	/* of each */
	size_t			 nlisteners;
	struct served		*served;	/* owns; the first n are alive */
	size_t			 n;
	struct refused		 refused[REFUSED_MAX];	/* oldest first */
	size_t			 nrefused;
	struct limit_log	 limits;
};

static int
listen_all(struct serve *s, struct fault *f)
{
	int n = listen_open(&s->conf->role.listen, s->listeners, LISTENERS_MAX,
	    f);

	if (n < 0)
		return -1;
	s->nlisteners = (size_t)n;
	for (size_t i = 0; i < s->nlisteners; i++) {
		struct sock_addr local;

		if (sock_local(s->listeners[i], &local, f) != 0)
			return -1;
		listen_rules_at(&s->conf->role.listen, &local, &s->rules[i]);
		if (s->rules[i].proxy)
			return fault_set(f, FAULT_PERM, "listen: proxy needs"
			    " isolation = split");
	}
	return 0;
}

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
		.end_ms = clock_ms() + 1000ull * s->conf->role.drain_timeout_s,
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
	const struct role_settings	*r = &s->conf->role;
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

static void
take(struct serve *s, size_t listener)
{
	const struct listen_rules *rules = &s->rules[listener];
	AUTO(fd_close) int	fd = -1;
	struct sock_addr	peer;
	struct served		*new;
	struct fault		f;

	if (sock_accept(s->listeners[listener], &fd, &peer, &f) != 0) {
		if (f.err != EAGAIN && f.err != ECONNABORTED) {
			log_fault(LEVEL_ERR, "accept", &f);
			clock_sleep(100);	/* no descriptors: no spin */
		}
		return;
	}
	reap(s);
	new = &s->served[s->n];
	new->peer = peer;
	if (!listen_takes(rules, &peer)) {
		limit_reached(&s->limits, LIMIT_NETWORKS, &peer);
		refuse(s, &fd, SPAN(LISTEN_NETWORKS_TEXT));
		return;
	}
	if (!admit(s, rules, &peer)) {
		refuse(s, &fd, SPAN(FULL_TEXT));
		return;
	}
	new->pid = spawn_fork(&f);
	if (new->pid < 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		refuse(s, &fd, SPAN(FULL_TEXT));
		return;
	}
	if (new->pid > 0) {
		s->n++;
		return;
	}
	for (size_t i = 0; i < s->nlisteners; i++)
		fd_close(&s->listeners[i]);
	while (s->nrefused > 0)
		forget_refused(s, 0);
	/* A terminal of ours is nothing for who talks to strangers. */
	if (fd_null_standard(&f) != 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		spawn_exit(1);
	}
	spawn_exit(monitor_run(s->conf, s->hostname, fd, fd));
}

static void
loop(struct serve *s)
{
	struct wait_for w[LISTENERS_MAX + REFUSED_MAX];

	while (!signals_stopping()) {
		size_t n = s->nlisteners + s->nrefused;

		for (size_t i = 0; i < n; i++)
			w[i] = (struct wait_for){
				.fd = i < s->nlisteners ? s->listeners[i] :
				    s->refused[i - s->nlisteners].fd,
				.events = WAIT_READ,
			};
		(void)sock_wait(w, n, s->nrefused > 0 ? 1000 : 10000);
		reap(s);
		drain_refused(s);
		for (size_t i = 0; i < s->nlisteners && !signals_stopping(); i++)
			if (w[i].ready)
				take(s, i);
	}
}

/* Sessions end without UPDATE, but one that is in it finishes. */
static void
stop_all(struct serve *s)
{
	uint64_t end = clock_ms() + STOP_WAIT_MS;

	for (size_t i = 0; i < s->nlisteners; i++)
		fd_close(&s->listeners[i]);
	for (size_t i = 0; i < s->n; i++)
		spawn_stop(s->served[i].pid);
	while (s->n > 0 && clock_ms() < end) {
		reap(s);
		if (s->n > 0)
			clock_sleep(20);
	}
	if (s->n > 0)
		log_text(LEVEL_WARN, "stopped", "%zu connections did not end"
		    " in %u s; they end by themselves", s->n,
		    STOP_WAIT_MS / 1000);
	else
		log_text(LEVEL_NOTE, "stopped", "all connections have ended");
}

int
serve_run(const struct settings *conf, const char *hostname, struct fault *f)
{
	struct serve	s = { .conf = conf, .hostname = hostname };

	s.served = xalloc((size_t)conf->role.max_sessions + 1,
	    sizeof(*s.served));
	signals_take(SIGNALS_SERVER);
	if (listen_all(&s, f) != 0) {
		log_fault(LEVEL_ERR, "listen", f);
		free(s.served);
		return 1;
	}
	loop(&s);
	stop_all(&s);
	free(s.served);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root (or the user, with isolation = single).  Reads from: its
 * configuration; of clients only what those say who are refused, and that is
 * thrown away unseen.  Each connection gets a monitor, as inetd would start one;
 * limits are kept before the fork.  A reload (SIGHUP) is all or nothing, and
 * counts for the connections that are accepted after it.
 */
#include "role/serve.h"

#include "role/listen.h"
#include "role/monitor.h"
#include "role/notify.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define STOP_WAIT_MS	10000		/* for sessions, before we go */
#define FULL_TEXT	"-ERR [SYS/TEMP] Too many connections, try again later.\r\n"

#define HOSTNAME_MAX	256
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
	const struct settings	*conf;
	const struct serve_source *source;
	char			 hostname[HOSTNAME_MAX];
	struct listeners	 listeners;
	struct listeners	 leaving;	/* during a reload */
	bool			 refused_conf;	/* by the last reload */
	struct served		*served;	/* owns; the first n are alive */
	size_t			 n;
	struct refused		 refused[REFUSED_MAX];	/* oldest first */
	size_t			 nrefused;
	struct notify		 notify;
};

/* What the service manager hands over stands for `listen`. */
static int
listen_all(struct serve *s, struct fault *f)
{
	const struct manager *m = &s->notify.manager;

	if (m->nfds > 0)
		return listeners_take(&s->listeners, MANAGER_FD, m->nfds, f);
	return listeners_open(&s->listeners, &s->conf->role.listen, f);
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

/* Of IPv6 the network counts: one host has as many addresses as it likes. */
static size_t
from_address(const struct serve *s, const struct sock_addr *peer)
{
	size_t count = 0;
	size_t octets = peer->family == 6 ? 8 : 4;

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
refuse(struct serve *s, int *fd)
{
	struct fault f;

	if (sock_write(*fd, SPAN(FULL_TEXT), &f) < 0) {
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

/* Is there room for one more? */
static bool
admit(const struct serve *s, const struct sock_addr *peer)
{
	const struct role_settings	*r = &s->conf->role;
	const char			*limit = NULL;
	struct log_line			 l;

	if (s->n >= r->max_sessions)
		limit = "max_sessions";
	else if (from_address(s, peer) >= r->max_sessions_per_address)
		limit = "max_sessions_per_address";
	if (limit == NULL)
		return true;
	log_begin(&l, LEVEL_WARN, "limit-reached");
	log_str(&l, "limit", limit);
	log_str(&l, "ip", peer->text);
	log_end(&l);
	return false;
}

/* False when nobody waits there. */
static bool
take(struct serve *s, int listener)
{
	AUTO(fd_close) int	fd = -1;
	struct served		*new;
	struct fault		f;

	if (sock_accept(listener, &fd, &f) != 0) {
		if (f.err != EAGAIN && f.err != ECONNABORTED) {
			log_fault(LEVEL_ERR, "accept", &f);
			clock_sleep(100);	/* no descriptors: no spin */
		}
		return false;
	}
	reap(s);
	new = &s->served[s->n];
	if (sock_peer(fd, &new->peer, &f) != 0)
		return true;
	if (!admit(s, &new->peer)) {
		refuse(s, &fd);
		return true;
	}
	new->pid = spawn_fork(&f);
	if (new->pid < 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		refuse(s, &fd);
		return true;
	}
	if (new->pid > 0) {
		s->n++;
		return true;
	}
	listeners_close(&s->listeners);
	listeners_close(&s->leaving);
	while (s->nrefused > 0)
		forget_refused(s, 0);
	/* A terminal of ours is nothing for who talks to strangers. */
	if (fd_null_standard(&f) != 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		spawn_exit(1);
	}
	spawn_exit(monitor_run(s->conf, s->hostname, fd, fd));
}

/* What the service manager shows. */
static const char *
status(const struct serve *s, char text[NOTIFY_STATUS_MAX])
{
	(void)snprintf(text, NOTIFY_STATUS_MAX,
	    "%zu listeners, %zu of at most %u sessions%s", s->listeners.n, s->n,
	    s->conf->role.max_sessions, s->refused_conf ?
	    "; the last reload was refused, see the log" : "");
	return text;
}

/* Room for as many as may come, and for those who are here. */
static void
make_room(struct serve *s)
{
	size_t		 max = s->conf->role.max_sessions;
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
		fd_close(fd);
		s->leaving.n--;
	}
}

static int
renew(struct serve *s, struct fault *f)
{
	const struct serve_source	*from = s->source;
	const struct settings		*new = from->load(from->ctx, f);
	struct listeners		 next;

	if (new == NULL)
		return -1;
	if (listeners_change(&s->listeners, &new->role.listen, &next, f) != 0) {
		from->drop(from->ctx);
		return -1;
	}
	/* The resolver may take its time; it is asked for a new answer alone. */
	if (strcmp(new->role.hostname, s->conf->role.hostname) != 0)
		monitor_hostname(new, s->hostname, sizeof(s->hostname));
	s->conf = new;
	from->use(from->ctx);
	make_room(s);
	listeners_part(&s->listeners, &next, &s->leaving);
	s->listeners = next;
	close_leaving(s);
	return 0;
}

static void
reload(struct serve *s)
{
	struct log_line	l;
	struct fault	f;
	char		text[NOTIFY_STATUS_MAX];

	notify_reloading(&s->notify);
	s->source->reopen(s->source->ctx);
	s->refused_conf = renew(s, &f) != 0;
	if (s->refused_conf) {
		log_fault(LEVEL_ERR, "reload-refused", &f);
	} else {
		log_begin(&l, LEVEL_NOTE, "reloaded");
		log_num(&l, "listeners", s->listeners.n);
		log_num(&l, "sessions", s->n);
		log_end(&l);
	}
	notify_ready(&s->notify, status(s, text));
}

static void
loop(struct serve *s)
{
	struct wait_for	w[LISTENERS_MAX + REFUSED_MAX];
	char		text[NOTIFY_STATUS_MAX];

	for (;;) {
		int	ms = notify_turn(&s->notify, status(s, text),
			    s->nrefused > 0 ? 1000 : 10000);
		size_t	n;

		/* Asked last before the wait: whatever writes to the log may
		 * have waited, and taken the signal for its own. */
		while (signals_reload())
			reload(s);
		if (signals_stopping())
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

	notify_stopping(&s->notify);
	listeners_close(&s->listeners);
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
serve_run(const struct settings *conf, const char *hostname,
    const struct serve_source *source, struct fault *f)
{
	struct serve	s = { .conf = conf, .source = source };
	char		text[NOTIFY_STATUS_MAX];

	(void)snprintf(s.hostname, sizeof(s.hostname), "%s", hostname);
	make_room(&s);
	signals_take(SIGNALS_SERVER);
	if (notify_init(&s.notify, f) != 0 || listen_all(&s, f) != 0) {
		log_fault(LEVEL_ERR, "listen", f);
		free(s.served);
		return 1;
	}
	notify_ready(&s.notify, status(&s, text));
	loop(&s);
	stop_all(&s);
	free(s.served);
	return 0;
}

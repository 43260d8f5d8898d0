/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, in serve and in its master.  Reads from: nobody.  Trusts: the
 * configuration and the service manager.
 */
#include "role/service.h"

#include "role/listen.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "watch/log.h"

#include <stdio.h>
#include <stdlib.h>

static const struct listeners none;

/* Not as configured: the kernel may have chosen the port. */
static void
announce(const struct listener *l, const char *by, const char *name)
{
	struct sock_addr	at = l->at;
	struct log_line		line;
	struct fault		f;
	char			where[SOCK_WHERE_MAX];

	(void)!sock_local(l->fd, &at, &f);
	sock_addr_where(&at, where, sizeof(where));
	log_begin(&line, LEVEL_NOTE, "listening");
	log_str(&line, "text", where);
	if (by != NULL)
		log_str(&line, "by", by);
	if (name[0] != '\0')
		log_str(&line, "name", name);
	log_end(&line);
}

/* As listeners_change: `next` are those that conf wants. */
static int
change_listeners(const struct listeners *now, const struct settings *conf,
    struct listeners *next, struct fault *f)
{
	const struct conf_list	*list = &conf->role.listen;
	struct listen_line	*room = xalloc(list->n + 1, sizeof(*room));
	const char		*where[LISTENERS_MAX + 1];
	size_t			 n = listen_places(list, room, where,
				    LISTENERS_MAX + 1);
	int			 rc = listeners_change(now, where, n, next, f);

	free(room);
	if (rc != 0)
		return -1;
	/* Who is accepted inherits that. */
	for (size_t i = 0; i < next->n; i++)
		sock_tune(next->one[i].fd, conf->role.client_gone_s);
	return 0;
}

static void
tell_listeners(const struct listeners *now, const struct listeners *next)
{
	char where[SOCK_WHERE_MAX];

	for (size_t i = 0; i < next->n; i++)
		if (!next->one[i].old)
			announce(&next->one[i], NULL, "");
	for (size_t i = 0; i < now->n; i++) {
		if (listeners_have(next, now->one[i].fd))
			continue;
		sock_addr_where(&now->one[i].at, where, sizeof(where));
		log_text(LEVEL_NOTE, "listening-ended", "%s", where);
	}
}

static void
not_told(const struct fault *f)
{
	log_fault(LEVEL_WARN, "notify", f);
}

/* A manager that starts us as inetd would has the socket in both places. */
static int
take_given(struct service *s, struct listeners *given, struct fault *f)
{
	unsigned n = s->manager.nfds;

	*given = none;
	if (n > 0) {
		fd_close(&s->inetd);
		return listeners_take(given, MANAGER_FD, n, f);
	}
	return s->inetd >= 0 ? listeners_take(given, s->inetd, 1, f) : 0;
}

int
service_begin(struct service *s, const struct settings *conf,
    struct listeners *l, struct fault *f)
{
	struct manager		*m = &s->manager;
	struct listeners	given;
	char			name[64];

	if (manager_take(m, f) != 0)
		return -1;
	m->failed = not_told;
	if (take_given(s, &given, f) != 0 ||
	    change_listeners(&given, conf, l, f) != 0)
		return -1;
	for (size_t i = 0; i < given.n; i++) {
		manager_fd_name(m, i, name, sizeof(name));
		announce(&given.one[i], s->inetd >= 0 ? "inetd" : "manager", name);
	}
	tell_listeners(&given, l);
	return 0;
}

static const char *
status(const struct service *s, const struct service_state *how,
    char text[MANAGER_STATUS_MAX])
{
	(void)snprintf(text, MANAGER_STATUS_MAX,
	    "%zu listeners, %zu of at most %zu %s%s", how->listeners, how->n,
	    how->most, s->word, s->refused ?
	    "; the last reload was refused, see the log" : "");
	return text;
}

void
service_ready(struct service *s, const struct service_state *how)
{
	char text[MANAGER_STATUS_MAX];

	manager_ready(&s->manager, status(s, how, text));
}

void
service_turn(struct service *s, const struct service_state *how, uint64_t *ms)
{
	char text[MANAGER_STATUS_MAX];

	manager_turn(&s->manager, how == NULL ? NULL : status(s, how, text), ms);
}

bool
service_idle(struct service *s, const struct settings *conf, bool empty)
{
	uint64_t most_ms = 1000ull * conf->role.inetd_idle_s;

	if (!empty || s->inetd < 0 || most_ms == 0)
		s->empty_ms = 0;
	else if (s->empty_ms == 0)
		s->empty_ms = clock_ms();
	return s->empty_ms != 0 && clock_ms() - s->empty_ms >= most_ms;
}

void
service_returns(const struct listeners *l)
{
	tell_listeners(l, &none);
}

void
service_stopped(const struct service *s, size_t left)
{
	if (left > 0)
		log_text(LEVEL_WARN, "stopped", "%zu %s did not end in time; they"
		    " end by themselves", left, s->word);
	else
		log_text(LEVEL_NOTE, "stopped", "all connections have ended");
}

pid_t
service_reload(struct service *s, const struct edition *now,
    const struct edition_ears *ears, int *fd_r, struct fault *f)
{
	const struct edition_source *from = s->source;

	manager_reloading(&s->manager);
	from->reopen(from->ctx, now);
	return from->judge(from->ctx, now, ears, fd_r, f);
}

struct edition *
service_propose(struct service *s, const struct edition *now,
    const struct listeners *now_l, struct listeners *next_l, struct fault *f)
{
	const struct edition_source	*from = s->source;
	struct edition			*next = from->load(from->ctx, now, f);

	if (next != NULL && change_listeners(now_l, &next->s, next_l, f) != 0) {
		from->drop(from->ctx, next);
		return NULL;
	}
	return next;
}

void
service_withdraw(struct service *s, struct edition *next,
    const struct listeners *now_l, struct listeners *next_l)
{
	listeners_close_others(next_l, now_l);
	s->source->drop(s->source->ctx, next);
}

void
service_accept(struct service *s, const struct edition *now,
    struct edition *next, const struct listeners *now_l,
    const struct listeners *next_l)
{
	s->source->use(s->source->ctx, now, next);
	tell_listeners(now_l, next_l);
}

void
service_reloaded(struct service *s, const struct service_state *how,
    const struct fault *refused)
{
	struct log_line l;

	s->refused = refused != NULL;
	if (s->refused) {
		log_fault(LEVEL_ERR, "reload-refused", refused);
	} else {
		log_begin(&l, LEVEL_NOTE, "reloaded");
		log_num(&l, "listeners", how->listeners);
		log_num(&l, "sessions", how->n);
		log_end(&l);
	}
	service_ready(s, how);
}

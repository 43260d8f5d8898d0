/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, in serve and in its master.  Reads from: nobody.  Trusts: the
 * configuration and the service manager.
 */
#include "role/listening.h"

#include "role/listen.h"

#include "base/alloc.h"
#include "watch/log.h"

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

int
listening_change(const struct listeners *now, const struct settings *conf,
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
not_told(const struct fault *f)
{
	log_fault(LEVEL_WARN, "notify", f);
}

int
listening_begin(struct manager *m, const struct settings *conf,
    struct listeners *l, struct fault *f)
{
	struct listeners	given = none;
	char			name[64];

	if (manager_take(m, f) != 0)
		return -1;
	m->failed = not_told;
	if (m->nfds > 0 && listeners_take(&given, MANAGER_FD, m->nfds, f) != 0)
		return -1;
	if (listening_change(&given, conf, l, f) != 0)
		return -1;
	for (size_t i = 0; i < given.n; i++) {
		manager_fd_name(m, i, name, sizeof(name));
		announce(&given.one[i], "manager", name);
	}
	listening_tell(&given, l);
	return 0;
}

void
listening_tell(const struct listeners *now, const struct listeners *next)
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

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, in serve (a low port).  Reads from: nobody.  Trusts: the
 * configuration, and the service manager as far as its sockets are what they
 * should be.
 */
#include "role/listen.h"

#include "sys/file.h"
#include "watch/log.h"

#include <errno.h>

static void
announce(const struct listener *l, const char *by)
{
	struct sock_addr	at;
	struct log_line		line;
	char			where[SOCK_WHERE_MAX];

	/* Not as configured: the kernel may have chosen the port. */
	if (sock_local(l->fd, &at, NULL) != 0)
		at = l->at;
	sock_addr_where(&at, where, sizeof(where));
	log_begin(&line, LEVEL_NOTE, "listening");
	log_str(&line, "text", where);
	if (by != NULL)
		log_str(&line, "by", by);
	log_end(&line);
}

static bool
has(const struct listeners *l, int fd)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->one[i].fd == fd)
			return true;
	return false;
}

/* The one that listens there already; -1: none. */
static int
find(const struct listeners *l, const struct sock_addr *at)
{
	for (size_t i = 0; i < l->n; i++)
		if (sock_addr_same(&l->one[i].at, at))
			return l->one[i].fd;
	return -1;
}

/* The first one that is in the way; NULL: none. */
static const struct listener *
in_the_way(const struct listeners *l, const struct sock_addr *at)
{
	for (size_t i = 0; i < l->n; i++)
		if (sock_addr_overlaps(&l->one[i].at, at))
			return &l->one[i];
	return NULL;
}

/* What the kernel would refuse at a start must not pass at a reload, where old
 * and new ones may overlap. */
static int
check_free(const struct listeners *l, const struct sock_addr *at,
    struct fault *f)
{
	const struct listener	*other = in_the_way(l, at);
	char			 where[SOCK_WHERE_MAX];

	if (l->n == LISTENERS_MAX)
		return fault_set(f, FAULT_LIMIT, "too many addresses, %u at"
		    " most", LISTENERS_MAX);
	if (other == NULL)
		return 0;
	sock_addr_where(&other->at, where, sizeof(where));
	return fault_set(f, FAULT_PERM, "%s is listened at already", where);
}

static int
add(const struct listeners *now, struct listeners *next,
    const struct sock_addr *at, struct fault *f)
{
	struct listener *new = &next->one[next->n];

	if (check_free(next, at, f) != 0)
		return -1;
	new->at = *at;
	new->fd = find(now, at);
	if (new->fd >= 0 && has(next, new->fd))
		new->fd = -1;		/* port 0 twice */
	if (new->fd < 0 && sock_listen(at, in_the_way(now, at) != NULL,
	    &new->fd, f) != 0)
		return -1;
	next->n++;
	return 0;
}

/* A host without IPv6: its IPv4 half of "*" is enough. */
static bool
is_enough(size_t n, size_t i, const struct fault *f)
{
	return n == 2 && i == 0 &&
	    (f->err == EAFNOSUPPORT || f->err == EADDRNOTAVAIL);
}

static int
add_all(const struct listeners *now, struct listeners *next,
    const struct conf_list *list, struct fault *f)
{
	for (size_t i = 0; i < list->n; i++) {
		struct sock_addr	at[2];
		size_t			n = sock_listen_parse(list->item[i], at);

		for (size_t j = 0; j < n; j++)
			if (add(now, next, &at[j], f) != 0 &&
			    !is_enough(n, j, f))
				return fault_prefix(f, "listen = %s: ",
				    list->item[i]);
	}
	return 0;
}

/* Those that leave are in the way of wider or narrower ones. */
static void
share(const struct listeners *l, bool on)
{
	for (size_t i = 0; i < l->n; i++)
		sock_share(l->one[i].fd, on);
}

int
listeners_change(const struct listeners *now, const struct conf_list *list,
    struct listeners *next, struct fault *f)
{
	int rc;

	*next = (struct listeners){ .n = 0 };
	if (now->given) {
		*next = *now;
		return 0;
	}
	share(now, true);
	rc = add_all(now, next, list, f);
	share(now, false);
	share(next, false);
	for (size_t i = 0; i < next->n; i++) {
		if (has(now, next->one[i].fd))
			continue;
		if (rc == 0)
			announce(&next->one[i], NULL);
		else
			fd_close(&next->one[i].fd);
	}
	if (rc != 0)
		next->n = 0;
	return rc;
}

int
listeners_open(struct listeners *l, const struct conf_list *list,
    struct fault *f)
{
	const struct listeners none = { .n = 0 };

	return listeners_change(&none, list, l, f);
}

int
listeners_take(struct listeners *l, int first, unsigned n, struct fault *f)
{
	*l = (struct listeners){ .given = true };
	if (n > LISTENERS_MAX)
		return fault_set(f, FAULT_LIMIT, "the service manager hands"
		    " over %u sockets, %u at most", n, LISTENERS_MAX);
	for (; l->n < n; l->n++) {
		struct listener *new = &l->one[l->n];

		new->fd = first + (int)l->n;
		if (sock_listen_given(new->fd, &new->at, f) != 0)
			return fault_prefix(f, "socket of the service"
			    " manager: ");
	}
	for (size_t i = 0; i < l->n; i++)
		announce(&l->one[i], "manager");
	return 0;
}

void
listeners_part(const struct listeners *now, const struct listeners *next,
    struct listeners *leaving)
{
	char where[SOCK_WHERE_MAX];

	*leaving = (struct listeners){ .n = 0 };
	for (size_t i = 0; i < now->n; i++) {
		if (has(next, now->one[i].fd))
			continue;
		leaving->one[leaving->n++] = now->one[i];
		sock_addr_where(&now->one[i].at, where, sizeof(where));
		log_text(LEVEL_NOTE, "listening-ended", "%s", where);
	}
}

void
listeners_close(struct listeners *l)
{
	while (l->n > 0)
		fd_close(&l->one[--l->n].fd);
}

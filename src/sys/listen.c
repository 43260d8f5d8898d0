/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, in serve and its master (a low port).  Reads from: nobody.
 * Trusts: the configuration, and the service manager as far as its sockets are
 * what they should be.
 */
#include "sys/listen.h"

#include "sys/file.h"

#include <errno.h>

bool
listeners_have(const struct listeners *l, int fd)
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

/* What the kernel would refuse at a start must not pass at a change, where old
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
	struct listener	*new = &next->one[next->n];
	int		 old = find(now, at);

	if (check_free(next, at, f) != 0)
		return -1;
	new->at = *at;
	new->old = old >= 0 && !listeners_have(next, old);	/* port 0 twice */
	new->fd = old;
	if (!new->old && sock_listen(at, in_the_way(now, at) != NULL,
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
    const char *const *where, size_t n, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		struct sock_addr	at[2];
		size_t			m = sock_listen_parse(where[i], at);

		for (size_t j = 0; j < m; j++)
			if (add(now, next, &at[j], f) != 0 &&
			    !is_enough(m, j, f))
				return fault_prefix(f, "listen = %s: ",
				    where[i]);
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
listeners_change(const struct listeners *now, const char *const *where,
    size_t n, struct listeners *next, struct fault *f)
{
	int rc;

	*next = (struct listeners){ .n = 0 };
	if (now->given) {
		*next = *now;
		for (size_t i = 0; i < next->n; i++)
			next->one[i].old = true;
		return 0;
	}
	share(now, true);
	rc = add_all(now, next, where, n, f);
	share(now, false);
	share(next, false);
	if (rc != 0)
		listeners_close_others(next, now);
	return rc;
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
	return 0;
}

void
listeners_close(struct listeners *l)
{
	const struct listeners none = { .n = 0 };

	listeners_close_others(l, &none);
}

void
listeners_close_others(struct listeners *l, const struct listeners *kept)
{
	while (l->n > 0) {
		int *fd = &l->one[--l->n].fd;

		if (!listeners_have(kept, *fd))
			fd_close(fd);
	}
}

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

static int
add(struct listeners *l, const struct sock_addr *at, struct fault *f)
{
	struct listener *new = &l->one[l->n];

	if (l->n == LISTENERS_MAX)
		return fault_set(f, FAULT_LIMIT, "too many addresses, %u at"
		    " most", LISTENERS_MAX);
	new->at = *at;
	if (sock_listen(at, &new->fd, f) != 0)
		return -1;
	l->n++;
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
add_all(struct listeners *l, const char *where, struct fault *f)
{
	struct sock_addr	at[2];
	size_t			n = sock_listen_parse(where, at);

	for (size_t i = 0; i < n; i++)
		if (add(l, &at[i], f) != 0 && !is_enough(n, i, f))
			return fault_prefix(f, "listen = %s: ", where);
	return 0;
}

int
listeners_open(struct listeners *l, const struct conf_list *list,
    struct fault *f)
{
	*l = (struct listeners){ .n = 0 };
	for (size_t i = 0; i < list->n; i++)
		if (add_all(l, list->item[i], f) != 0) {
			listeners_close(l);
			return -1;
		}
	for (size_t i = 0; i < l->n; i++)
		announce(&l->one[i], NULL);
	return 0;
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
listeners_close(struct listeners *l)
{
	while (l->n > 0)
		fd_close(&l->one[--l->n].fd);
}

/* SPDX-License-Identifier: ISC */
/*
 * Sockets of the client, waiting, clocks, random octets.
 * Runs as: serve and the monitor (listen, accept, addresses), front and
 * session (reading, writing, waiting).
 * Reads from: strangers; the octets go up as they are.
 */
#include "sys/sock.h"

#include "base/alloc.h"
#include "base/num.h"
#include "sys/file.h"
#include "sys/sys_priv.h"

#include <assert.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	LISTEN_QUEUE	= 1024,
	WAIT_SMALL	= 16,
	PROBES		= 4,	/* keepalive probes before the end */
	PROBES_MAX	= 127,	/* the kernel's limit */
	ASKED_TWICE	= 2,
};

union any_addr {
	struct sockaddr		sa;
	struct sockaddr_in	v4;
	struct sockaddr_in6	v6;
	struct sockaddr_storage	room;
};

/* ------------------------------------------------------- addresses */

static void
addr_set(struct sock_addr *out, int family, const void *raw, uint16_t port)
{
	size_t n = family == AF_INET ? 4 : 16;

	*out = (struct sock_addr){ .family = 0 };
	out->family = family == AF_INET ? 4 : 6;
	out->port = port;
	memcpy(out->raw, raw, n);
	ASSERT(inet_ntop(family, raw, out->text, sizeof(out->text)) != NULL);
}

static void
addr_from(const union any_addr *a, struct sock_addr *out)
{
	*out = (struct sock_addr){ .text = "local" };
	if (a->sa.sa_family == AF_INET)
		addr_set(out, AF_INET, &a->v4.sin_addr, ntohs(a->v4.sin_port));
	else if (a->sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		addr_set(out, AF_INET, a->v6.sin6_addr.s6_addr + 12,
		    ntohs(a->v6.sin6_port));
	else if (a->sa.sa_family == AF_INET6)
		addr_set(out, AF_INET6, &a->v6.sin6_addr,
		    ntohs(a->v6.sin6_port));
}

void
sock_addr_text(struct sock_addr *a)
{
	uint8_t raw[sizeof(a->raw)];

	memcpy(raw, a->raw, sizeof(raw));
	if (a->family == 0)
		*a = (struct sock_addr){ .text = "local" };
	else
		addr_set(a, a->family == 4 ? AF_INET : AF_INET6, raw, a->port);
}

void
sock_addr_set(struct sock_addr *a, uint8_t family, const uint8_t raw[16],
    uint16_t port)
{
	union any_addr any = { .sa.sa_family = AF_INET };

	if (family == 4) {
		any.v4.sin_port = htons(port);
		memcpy(&any.v4.sin_addr, raw, 4);
	} else {
		any.v6.sin6_family = AF_INET6;
		any.v6.sin6_port = htons(port);
		memcpy(&any.v6.sin6_addr, raw, 16);
	}
	addr_from(&any, a);
}

bool
sock_addr_same(const struct sock_addr *a, const struct sock_addr *b)
{
	return a->family == b->family && a->port == b->port &&
	    memcmp(a->raw, b->raw, sizeof(a->raw)) == 0;
}

bool
sock_addr_parse(const char *text, struct sock_addr *out)
{
	union any_addr a = { .v6.sin6_family = AF_INET6 };

	if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) != 1) {
		a = (union any_addr){ .v4.sin_family = AF_INET };
		if (inet_pton(AF_INET, text, &a.v4.sin_addr) != 1)
			return false;
	}
	addr_from(&a, out);
	return true;
}

static int
addr_of(int (*ask)(int, struct sockaddr *restrict, socklen_t *restrict),
    int fd, const char *what, struct sock_addr *out, struct fault *f)
{
	union any_addr	a = { .sa.sa_family = AF_UNSPEC };
	socklen_t	n = sizeof(a);

	/* A pipe or a terminal, under a test or by hand, is "local". */
	if (ask(fd, &a.sa, &n) == -1 && errno != ENOTSOCK)
		return SYS_FAULT(f, "%s", what);
	addr_from(&a, out);
	return 0;
}

int
sock_peer(int fd, struct sock_addr *out, struct fault *f)
{
	return addr_of(getpeername, fd, "address of the client", out, f);
}

int
sock_local(int fd, struct sock_addr *out, struct fault *f)
{
	return addr_of(getsockname, fd, "address of the server", out, f);
}

/* ------------------------------------------------------- listening */

/* One address, or both wildcards: how many; 0 when it is none. */
static size_t
listen_parse_host(struct span host, uint16_t port, struct sock_addr at[2])
{
	static const uint8_t	any[16];
	char			text[INET6_ADDRSTRLEN];
	uint8_t			raw[16];

	if (host.n == 0 || span_eq(host, SPAN("*"))) {
		addr_set(&at[0], AF_INET6, any, port);
		addr_set(&at[1], AF_INET, any, port);
		return 2;
	}
	if (host.p[0] == '[') {
		if (host.n < 2 || host.p[host.n - 1] != ']' ||
		    !span_cstr(span_of(host.p + 1, host.n - 2), text,
		    sizeof(text)) || inet_pton(AF_INET6, text, raw) != 1)
			return 0;
		if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)raw))
			addr_set(&at[0], AF_INET, raw + 12, port);
		else
			addr_set(&at[0], AF_INET6, raw, port);
		return 1;
	}
	if (!span_cstr(host, text, sizeof(text)) ||
	    inet_pton(AF_INET, text, raw) != 1)
		return 0;
	addr_set(&at[0], AF_INET, raw, port);
	return 1;
}

size_t
sock_listen_parse(const char *where, struct sock_addr at[2])
{
	struct span	text = span_str(where);
	size_t		colon = text.n;
	uint64_t	port;

	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon == 0 || !num_parse(span_skip(text, colon), 65535, &port))
		return 0;
	return listen_parse_host(span_first(text, colon - 1), (uint16_t)port,
	    at);
}

bool
sock_listen_valid(const char *where)
{
	struct sock_addr at[2];

	return sock_listen_parse(where, at) > 0;
}

static socklen_t
addr_to(const struct sock_addr *a, union any_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (a->family == 4) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(a->port);
		memcpy(&out->v4.sin_addr, a->raw, 4);
		return sizeof(out->v4);
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(a->port);
	memcpy(&out->v6.sin6_addr, a->raw, 16);
	return sizeof(out->v6);
}

void
sock_share(int fd, bool on)
{
	const int value = on;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

int
sock_listen(const struct sock_addr *at, bool shared, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int fd = -1;
	union any_addr	a;
	socklen_t	n = addr_to(at, &a);
	const int	on = 1;
	const int	share = shared;

	*fd_r = -1;
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &share,
	    sizeof(share)) == -1 ||
	    (at->family == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
	    sizeof(on)) == -1) ||
	    bind(fd, &a.sa, n) == -1 || listen(fd, LISTEN_QUEUE) == -1)
		return SYS_FAULT(f, "listen on %s port %u", at->text, at->port);
	*fd_r = fd_take(&fd);
	return 0;
}

int
sock_may_bind(const struct sock_addr *at, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	union any_addr		a;
	socklen_t		n = addr_to(at, &a);

	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd != -1 && (bind(fd, &a.sa, n) == 0 || errno == EADDRINUSE) ? 0 :
	    SYS_FAULT(f, "%s", at->text);
}

static int
option_of(int fd, int name)
{
	int		value = 0;
	socklen_t	n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &n) == 0 ? value : -1;
}

bool
sock_listens(int fd)
{
	return option_of(fd, SO_ACCEPTCONN) == 1;
}

int
sock_listen_given(int fd, struct sock_addr *at, struct fault *f)
{
	int domain = option_of(fd, SO_DOMAIN);

	if (domain == -1)
		return SYS_FAULT(f, "descriptor %d", fd);
	if (domain != AF_INET && domain != AF_INET6)
		return fault_set(f, FAULT_PERM, "descriptor %d is a%s socket;"
		    " POP3 is served over TCP", fd, domain == AF_UNIX ?
		    " local (AF_UNIX)" : "n unknown kind of");
	if (option_of(fd, SO_TYPE) != SOCK_STREAM)
		return fault_set(f, FAULT_PERM, "descriptor %d is no TCP"
		    " socket", fd);
	if (!sock_listens(fd))
		return fault_set(f, FAULT_PERM, "descriptor %d does not listen;"
		    " if it is a connection, let the service manager keep"
		    " those to itself (Accept=no)", fd);
	/* Who makes a socket for us may have made it to wait. */
	return fd_set_nonblock(fd, f) != 0 ? -1 : sock_local(fd, at, f);
}

void
sock_addr_where(const struct sock_addr *a, char *out, size_t cap)
{
	(void)snprintf(out, cap, a->family == 6 ? "[%s]:%u" : "%s:%u",
	    a->text, a->port);
}

bool
sock_addr_overlaps(const struct sock_addr *a, const struct sock_addr *b)
{
	static const uint8_t	any[16];
	size_t			n = a->family == 6 ? 16 : 4;

	return a->port != 0 && a->family == b->family && a->port == b->port &&
	    (memcmp(a->raw, b->raw, n) == 0 || memcmp(a->raw, any, n) == 0 ||
	    memcmp(b->raw, any, n) == 0);
}

void
sock_host_name(char *out, size_t cap)
{
	const struct addrinfo	 hints = { .ai_flags = AI_CANONNAME };
	struct addrinfo		*list = NULL;
	char			 name[256] = "localhost";

	(void)gethostname(name, sizeof(name) - 1);	/* then "localhost" */
	(void)snprintf(out, cap, "%s", name);
	if (strchr(name, '.') != NULL ||
	    getaddrinfo(name, NULL, &hints, &list) != 0)
		return;
	if (list->ai_canonname != NULL)
		(void)snprintf(out, cap, "%s", list->ai_canonname);
	freeaddrinfo(list);
}

/* accept(2): errors of the new connection are not errors of the listener. */
static bool
accept_again(int err)
{
	switch (err) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case ENOPROTOOPT:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

int
sock_accept(int fd, int *fd_r, struct sock_addr *peer_r, struct fault *f)
{
	union any_addr	a;
	socklen_t	n;

	do {
		n = sizeof(a);
		a.sa.sa_family = AF_UNSPEC;
		*fd_r = accept4(fd, &a.sa, &n, SOCK_CLOEXEC);
	} while (*fd_r == -1 && accept_again(errno));
	if (*fd_r == -1)
		return SYS_FAULT(f, "accept");
	addr_from(&a, peer_r);
	return 0;
}

/* ------------------------------------------------------- local sockets */

static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) == SOCK_PATH_MAX + 1,
    "and its NUL");

bool
sock_path_fits(const char *path)
{
	return strlen(path) <= SOCK_PATH_MAX;
}

int
sock_connect_local(const char *path, int *fd_r, struct fault *f)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	*fd_r = -1;
	if (!span_cstr(span_str(path), un.sun_path, sizeof(un.sun_path)))
		return fault_errno(f, FAULT_PERM, ENAMETOOLONG, "%s", path);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		AUTO(fd_close) int fd = socket(AF_UNIX,
		    types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd == -1)
			return SYS_FAULT(f, "socket");
		if (connect(fd, (const struct sockaddr *)&un,
		    sizeof(un)) == 0) {
			*fd_r = fd_take(&fd);
			return 0;
		}
		if (errno != EPROTOTYPE)
			break;
	}
	return SYS_FAULT(f, "connect to %s", path);
}

bool
sock_is_stream(int fd)
{
	int		type = 0;
	socklen_t	n = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 &&
	    type == SOCK_STREAM;
}

/* ------------------------------------------------------- one connection */

static void
tcp_option(int fd, int name, unsigned value)
{
	const int v = (int)value;

	(void)setsockopt(fd, IPPROTO_TCP, name, &v, sizeof(v));
}

void
sock_tune(int fd, unsigned gone_s)
{
	const int	on = 1;
	unsigned	idle = gone_s < 3 ? 1 : gone_s / 3;
	unsigned	left = gone_s > idle ? gone_s - idle : 1;
	unsigned	step = left < PROBES ? 1 : left / PROBES;

	tcp_option(fd, TCP_NODELAY, 1);
	tcp_option(fd, TCP_KEEPIDLE, idle);
	tcp_option(fd, TCP_KEEPINTVL, step);
	tcp_option(fd, TCP_KEEPCNT, left / step < PROBES_MAX ? left / step :
	    PROBES_MAX);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/*
 * Octets are on their way: the kernel has sent them again and again.  Else it
 * has asked (an idle connection, or a closed window) and got no answer.  One
 * packet may always get lost.
 */
static bool
is_silent(const struct tcp_info *i)
{
	if (i->tcpi_unacked > 0)
		return i->tcpi_retransmits >= ASKED_TWICE;
	return i->tcpi_probes >= ASKED_TWICE;
}

bool
sock_peer_gone(int fd, unsigned gone_ms, unsigned *look_ms_r)
{
	struct tcp_info	i = { 0 };
	socklen_t	n = sizeof(i);
	unsigned	quiet;

	*look_ms_r = gone_ms;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &n) == -1)
		return false;		/* a pipe, a local socket */
	quiet = i.tcpi_last_ack_recv < i.tcpi_last_data_recv ?
	    i.tcpi_last_ack_recv : i.tcpi_last_data_recv;
	if (quiet < gone_ms) {
		*look_ms_r = gone_ms - quiet;
		return false;
	}
	*look_ms_r = gone_ms / 4;
	return is_silent(&i);
}

int
sock_pair(int *a_r, int *b_r, struct fault *f)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
		return SYS_FAULT(f, "socketpair");
	*a_r = ends[0];
	*b_r = ends[1];
	return 0;
}

void
sock_shutdown(int fd)
{
	(void)shutdown(fd, SHUT_RDWR);
}

int
sock_debug(int fd, struct fault *f)
{
	const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_DEBUG, &on, sizeof(on)) == -1)
		return SYS_FAULT(f, "SO_DEBUG");
	return 0;
}

uint64_t
sock_unsent(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQ, &n) == -1 || n < 0 ? 0 : (uint64_t)n;
}

void
sock_forget_unsent(int fd)
{
	const unsigned ms = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

void
sock_ack(int fd)
{
	tcp_option(fd, TCP_QUICKACK, 1);
}

void
sock_shutdown_write(int fd)
{
	/* A pipe cannot; its end comes with the close. */
	(void)shutdown(fd, SHUT_WR);
}

/*
 * MSG_DONTWAIT and MSG_NOSIGNAL belong to the call and leave the open file,
 * which others may share, as it is; a pipe needs fd_set_nonblock first.
 */
ssize_t
sock_read(int fd, void *p, size_t n, struct fault *f)
{
	ssize_t r = SYS_RETRY(recv(fd, p, n, MSG_DONTWAIT));

	if (r == -1 && errno == ENOTSOCK)
		r = SYS_RETRY(read(fd, p, n));
	return r == -1 ? SYS_FAULT(f, "read from the client") : r;
}

static ssize_t
write_with(int fd, struct span s, int flags, struct fault *f)
{
	ssize_t w = SYS_RETRY(send(fd, s.p, s.n,
		    MSG_DONTWAIT | MSG_NOSIGNAL | flags));

	if (w == -1 && errno == ENOTSOCK)
		w = SYS_RETRY(write(fd, s.p, s.n));
	return w == -1 ? SYS_FAULT(f, "write to the client") : w;
}

ssize_t
sock_write(int fd, struct span s, struct fault *f)
{
	return write_with(fd, s, 0, f);
}

ssize_t
sock_write_more(int fd, struct span s, struct fault *f)
{
	return write_with(fd, s, MSG_MORE, f);
}

/* sendfile(2) has no flag not to wait: the open file gets it for a moment. */
ssize_t
sock_send_file(int fd, int file, uint64_t off, size_t n, struct fault *f)
{
	off_t	at = (off_t)off;
	int	flags = fcntl(fd, F_GETFL);
	ssize_t	w;

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return SYS_FAULT(f, "F_SETFL");
	w = SYS_RETRY(sendfile(fd, file, &at, n));
	if (w == -1)
		(void)SYS_FAULT(f, "send a file to the client");
	(void)fcntl(fd, F_SETFL, flags);
	return w;
}

/* ------------------------------------------------------- waiting */

static uint8_t
ready_of(const struct wait_for *w, short got)
{
	uint8_t ready = 0;

	if (got & POLLIN)
		ready |= WAIT_READ;
	if (got & POLLOUT)
		ready |= WAIT_WRITE;
	if (got & (POLLERR | POLLHUP | POLLNVAL))
		ready |= (w->events & (WAIT_READ | WAIT_WRITE)) | WAIT_HANGUP;
	return ready;
}

int
sock_wait(struct wait_for *w, size_t n, int timeout_ms)
{
	struct pollfd	 small[WAIT_SMALL];
	struct pollfd	*p = n <= WAIT_SMALL ? small : xalloc(n, sizeof(*p));
	int		 ready;

	for (size_t i = 0; i < n; i++) {
		p[i] = (struct pollfd){
			.fd	= w[i].fd,
			.events	= (short)
			    ((w[i].events & WAIT_READ ? POLLIN : 0) |
			    (w[i].events & WAIT_WRITE ? POLLOUT : 0)),
		};
		w[i].ready = 0;
	}
	ready = signals_poll(p, n, timeout_ms);
	for (size_t i = 0; ready > 0 && i < n; i++)
		w[i].ready = ready_of(&w[i], p[i].revents);
	if (p != small)
		free(p);
	return ready > 0 ? ready : 0;
}

/* ------------------------------------------------------- time and chance */

uint64_t
clock_ms(void)
{
	struct timespec t;

	ASSERT(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t
us_of(int who)
{
	struct rusage u;

	ASSERT(getrusage(who, &u) == 0);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	    (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

uint64_t
clock_spent_us(void)
{
	return us_of(RUSAGE_SELF) + us_of(RUSAGE_CHILDREN);
}

uint64_t
clock_file_ms(void)
{
	struct timespec t;

	ASSERT(clock_gettime(CLOCK_REALTIME_COARSE, &t) == 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool
clock_is_kept(void)
{
	struct timex t = { 0 };

	return adjtimex(&t) != -1 && (t.status & STA_UNSYNC) == 0;
}

void
clock_sleep(unsigned ms)
{
	struct timespec left = {
		.tv_sec		= (time_t)(ms / 1000),
		.tv_nsec	= (long)(ms % 1000) * 1000000,
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		continue;
}

void
random_bytes(void *p, size_t n)
{
	uint8_t	*to = p;
	size_t	 got = 0;

	while (got < n) {
		ssize_t r = SYS_RETRY(getrandom(to + got, n - got, 0));

		ASSERT(r > 0);
		got += (size_t)r;
	}
}

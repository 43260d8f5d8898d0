/* SPDX-License-Identifier: ISC */
#include "sys/file.h"
#include "sys/signals.h"
#include "sys/sock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sock_addr from;

static void
test_listen_syntax(void **state)
{
	static const struct {
		const char	*where;
		bool		 ok;
	} cases[] = {
		{ "*:110", true },
		{ ":110", true },
		{ "127.0.0.1:1110", true },
		{ "[::1]:110", true },
		{ "[::]:65535", true },
		{ "", false },
		{ "110", false },
		{ ":", false },
		{ "*:", false },
		{ "*:65536", false },
		{ "*:-1", false },
		{ "*:11x", false },
		{ "::1:110", false },
		{ "[::1:110", false },
		{ "[]:110", false },
		{ "[127.0.0.1]:110", false },
		{ "[::1]110", false },
		{ "localhost:110", false },
		{ "1.2.3:110", false },
		{ "1.2.3.4.5:110", false },
		{ "1.2.3.4:110 ", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (sock_listen_valid(cases[i].where) != cases[i].ok)
			fail_msg("%s", cases[i].where);
}

/* A listener at the only address that `where` means. */
static int
listen_at(const char *where)
{
	struct sock_addr	at[2];
	struct fault		f;
	int			fd;

	assert_int_equal(sock_listen_parse(where, at), 1);
	assert_int_equal(sock_listen(&at[0], false, &fd, &f), 0);
	return fd;
}

static int
client_of(int listener, int family)
{
	struct sockaddr_storage	a;
	socklen_t		n = sizeof(a);
	int			fd = socket(family, SOCK_STREAM, 0);

	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &n), 0);
	if (family == AF_INET) {
		struct sockaddr_in to = {
			.sin_family = AF_INET,
			.sin_port = ((struct sockaddr_in *)&a)->sin_port,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};

		assert_int_equal(connect(fd, (struct sockaddr *)&to,
		    sizeof(to)), 0);
	} else {
		assert_int_equal(connect(fd, (struct sockaddr *)&a, n), 0);
	}
	return fd;
}

static void
test_connection(void **state)
{
	struct sock_addr	addr;
	struct fault		f;
	struct wait_for		w[2];
	char			c[8];
	int			l;
	int			s;
	int			to;
	int			on = 0;
	socklen_t		n = sizeof(on);

	(void)state;
	l = listen_at("127.0.0.1:0");
	assert_int_equal(sock_accept(l, &s, &from, &f), -1);
	assert_int_equal(f.err, EAGAIN);
	to = client_of(l, AF_INET);
	w[0] = (struct wait_for){ .fd = l, .events = WAIT_READ };
	assert_int_equal(sock_wait(w, 1, 1000), 1);
	assert_int_equal(sock_accept(l, &s, &from, &f), 0);
	assert_int_equal(fcntl(s, F_GETFD), FD_CLOEXEC);
	assert_true(fd_is_socket(s));

	assert_int_equal(sock_peer(s, &addr, &f), 0);
	assert_string_equal(addr.text, "127.0.0.1");
	assert_int_equal(addr.family, 4);
	assert_int_equal(addr.raw[0], 127);
	assert_true(addr.port > 0);
	sock_tune(s, 30);
	assert_int_equal(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
	assert_true(on);

	assert_int_equal(sock_read(s, c, sizeof(c), &f), -1);
	assert_int_equal(f.err, EAGAIN);
	w[0] = (struct wait_for){ .fd = s, .events = WAIT_READ };
	w[1] = (struct wait_for){ .fd = -1, .events = WAIT_READ };
	assert_int_equal(sock_wait(w, 2, 20), 0);
	w[0].events = WAIT_READ | WAIT_WRITE;
	assert_int_equal(sock_wait(w, 2, 1000), 1);
	assert_int_equal(w[0].ready, WAIT_WRITE);
	assert_int_equal(sock_write(to, SPAN("hi"), &f), 2);
	w[0].events = WAIT_READ;
	assert_int_equal(sock_wait(w, 2, 1000), 1);
	assert_int_equal(sock_read(s, c, sizeof(c), &f), 2);

	sock_shutdown_write(to);
	assert_int_equal(sock_wait(w, 2, 1000), 1);
	assert_int_equal(sock_read(s, c, sizeof(c), &f), 0);
	assert_int_equal(sock_write(s, SPAN("x"), &f), 1);	/* half open */
	fd_close(&to);
	clock_sleep(20);
	(void)!sock_write(s, SPAN("x"), &f);
	clock_sleep(20);
	assert_int_equal(sock_write(s, SPAN("x"), &f), -1);	/* no SIGPIPE */
	w[0].events = WAIT_READ | WAIT_WRITE;
	assert_int_equal(sock_wait(w, 1, 1000), 1);
	assert_int_equal(w[0].ready, WAIT_READ | WAIT_WRITE | WAIT_HANGUP);
	assert_int_equal(sock_peer(s, &addr, &f), -1);
	assert_int_equal(f.err, ENOTCONN);
	fd_close(&s);
	fd_close(&l);
}

static void
test_unsent(void **state)
{
	static uint8_t	block[65536];
	struct fault	f;
	uint64_t	sent = 0;
	ssize_t		n;
	int		l;
	int		s;
	int		to;

	(void)state;
	l = listen_at("127.0.0.1:0");
	to = client_of(l, AF_INET);
	clock_sleep(10);
	assert_int_equal(sock_accept(l, &s, &from, &f), 0);
	assert_int_equal(sock_unsent(s), 0);
	while ((n = sock_write(s, span_of(block, sizeof(block)), &f)) > 0)
		sent += (uint64_t)n;
	assert_int_equal(f.err, EAGAIN);
	assert_true(sock_unsent(s) > 0 && sock_unsent(s) <= sent);
	assert_int_equal(sock_unsent(-1), 0);
	fd_close(&s);
	fd_close(&to);
	fd_close(&l);
}

/* "*" serves both families; a v4 client is shown as one. */
static void
test_wildcard(void **state)
{
	struct sock_addr	addr;
	struct sock_addr	at[2];
	struct fault		f;
	int			fds[2];

	(void)state;
	assert_int_equal(sock_listen_parse("*:0", at), 2);
	for (int i = 0; i < 2; i++) {
		int s;
		int family;
		socklen_t len = sizeof(family);
		int to;

		if (sock_listen(&at[i], false, &fds[i], &f) != 0) {
			assert_int_equal(i, 0);		/* no IPv6 here */
			continue;
		}
		assert_int_equal(getsockopt(fds[i], SOL_SOCKET, SO_DOMAIN,
		    &family, &len), 0);
		to = client_of(fds[i], family);
		clock_sleep(10);
		assert_int_equal(sock_accept(fds[i], &s, &from, &f), 0);
		assert_int_equal(sock_peer(s, &addr, &f), 0);
		assert_string_equal(addr.text,
		    family == AF_INET ? "127.0.0.1" : "::1");
		assert_int_equal(sock_local(s, &addr, &f), 0);
		assert_int_equal(addr.family, family == AF_INET ? 4 : 6);
		fd_close(&s);
		fd_close(&to);
		fd_close(&fds[i]);
	}
}

static void
test_where(void **state)
{
	static const struct {
		const char	*a;
		const char	*b;
		bool		 same;
		bool		 overlaps;
		const char	*where;		/* of a */
	} cases[] = {
		{ "*:110", ":110", true, true, "[::]:110" },
		{ "*:110", "[::]:110", true, true, "[::]:110" },
		{ "0.0.0.0:110", "*:110", false, false, "0.0.0.0:110" },
		{ "0.0.0.0:110", "1.2.3.4:110", false, true, "0.0.0.0:110" },
		{ "1.2.3.4:110", "0.0.0.0:110", false, true, "1.2.3.4:110" },
		{ "1.2.3.4:110", "0.0.0.0:11", false, false, "1.2.3.4:110" },
		{ "[::1]:110", "[0::1]:0110", true, true, "[::1]:110" },
		{ "[::1]:110", "*:110", false, true, "[::1]:110" },
		{ "[::1]:110", "[::2]:110", false, false, "[::1]:110" },
		{ "[::1]:110", "[::1]:111", false, false, "[::1]:110" },
		{ "127.0.0.1:0", "127.0.0.1:0", true, false, "127.0.0.1:0" },
		{ "127.0.0.1:1", "127.0.0.2:1", false, false, "127.0.0.1:1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sock_addr	a[2];
		struct sock_addr	b[2];
		char			where[SOCK_WHERE_MAX];

		assert_true(sock_listen_parse(cases[i].a, a) > 0);
		assert_true(sock_listen_parse(cases[i].b, b) > 0);
		assert_int_equal(sock_addr_same(&a[0], &b[0]), cases[i].same);
		assert_int_equal(sock_addr_overlaps(&a[0], &b[0]),
		    cases[i].overlaps);
		sock_addr_where(&a[0], where, sizeof(where));
		assert_string_equal(where, cases[i].where);
	}
}

/* A wider one beside a narrow one, while that is willing. */
static void
test_share(void **state)
{
	int			narrow = listen_at("127.0.0.1:0");
	struct sock_addr	at[2];
	struct sock_addr	local;
	struct fault		f;
	int			wide;
	int			s;
	int			to;

	(void)state;
	assert_int_equal(sock_local(narrow, &local, &f), 0);
	assert_int_equal(sock_listen_parse("0.0.0.0:1", at), 1);
	at[0].port = local.port;
	assert_int_equal(sock_listen(&at[0], false, &wide, &f), -1);
	assert_int_equal(sock_listen(&at[0], true, &wide, &f), -1);
	assert_int_equal(f.err, EADDRINUSE);
	sock_share(narrow, true);
	assert_int_equal(sock_listen(&at[0], false, &wide, &f), -1);
	assert_int_equal(sock_listen(&at[0], true, &wide, &f), 0);
	sock_share(narrow, false);
	sock_share(wide, false);
	fd_close(&narrow);
	to = client_of(wide, AF_INET);
	clock_sleep(10);
	assert_int_equal(sock_accept(wide, &s, &local, &f), 0);
	assert_int_equal(sock_listen(&at[0], false, &narrow, &f), -1);
	fd_close(&s);
	fd_close(&to);
	fd_close(&wide);
}

/* What a service manager may hand over, and what not. */
static void
test_given(void **state)
{
	const struct sockaddr_in	to = { .sin_family = AF_INET };
	struct sock_addr		at;
	struct fault			f;
	int				fd = socket(AF_INET, SOCK_STREAM, 0);
	int				pair[2];

	(void)state;
	assert_int_equal(sock_listen_given(fd, &at, &f), -1);
	assert_non_null(strstr(f.text, "does not listen"));
	assert_int_equal(bind(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(sock_listen_given(fd, &at, &f), 0);
	assert_string_equal(at.text, "0.0.0.0");
	assert_true(at.port > 0);
	assert_int_equal(sock_accept(fd, &pair[0], &at, &f), -1);
	assert_int_equal(f.err, EAGAIN);
	fd_close(&fd);
	assert_int_equal(sock_listen_given(fd, &at, &f), -1);

	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sock_listen_given(fd, &at, &f), -1);
	assert_non_null(strstr(f.text, "no TCP"));
	fd_close(&fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(sock_listen_given(pair[0], &at, &f), -1);
	assert_non_null(strstr(f.text, "AF_UNIX"));
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

static void
test_mapped(void **state)
{
	struct sockaddr_in6	a = { .sin6_family = AF_INET6 };
	struct sock_addr	addr;
	socklen_t		n = sizeof(a);
	struct fault		f;
	int			l = socket(AF_INET6, SOCK_STREAM, 0);
	int			off = 0;
	int			to;
	int			s;

	(void)state;
	if (l == -1) {
		print_message("needs IPv6\n");
		skip();
	}
	assert_int_equal(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &off,
	    sizeof(off)), 0);
	assert_int_equal(bind(l, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(l, 1), 0);
	to = client_of(l, AF_INET);
	assert_int_equal(sock_accept(l, &s, &from, &f), 0);
	assert_int_equal(sock_peer(s, &addr, &f), 0);
	assert_string_equal(addr.text, "127.0.0.1");
	assert_int_equal(addr.family, 4);
	fd_close(&s);
	fd_close(&to);
	fd_close(&l);
}

static void
test_pipe(void **state)
{
	struct sock_addr	addr;
	struct fault		f;
	int			r;
	int			w;
	char			c[4];

	(void)state;
	assert_int_equal(fd_pipe(&r, &w, &f), 0);
	assert_int_equal(fd_set_nonblock(r, &f), 0);
	assert_int_equal(sock_peer(r, &addr, &f), 0);
	assert_string_equal(addr.text, "local");
	assert_int_equal(addr.family, 0);
	assert_int_equal(sock_read(r, c, sizeof(c), &f), -1);
	assert_int_equal(f.err, EAGAIN);
	assert_int_equal(sock_write(w, SPAN("abc"), &f), 3);
	assert_int_equal(sock_read(r, c, sizeof(c), &f), 3);
	assert_int_equal(sock_debug(w, &f), -1);
	sock_tune(w, 30);
	fd_close(&w);
	assert_int_equal(sock_read(r, c, sizeof(c), &f), 0);
	fd_close(&r);
}

static unsigned
tcp_value(int fd, int name)
{
	int		v = -1;
	socklen_t	n = sizeof(v);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, name, &v, &n), 0);
	return (unsigned)v;
}

/* A third of the time, then four steps; short times are whole seconds. */
static void
test_keepalive(void **state)
{
	static const struct {
		unsigned	gone, idle, step, count;
	} cases[] = {
		{ 30, 10, 5, 4 }, { 3, 1, 1, 2 }, { 1, 1, 1, 1 },
		{ 5, 1, 1, 4 }, { 60, 20, 10, 4 }, { 3600, 1200, 600, 4 },
	};
	AUTO(fd_close) int	fd = socket(AF_INET, SOCK_STREAM, 0);
	int			on = 0;
	socklen_t		n = sizeof(on);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		sock_tune(fd, cases[i].gone);
		assert_int_equal(tcp_value(fd, TCP_KEEPIDLE), cases[i].idle);
		assert_int_equal(tcp_value(fd, TCP_KEEPINTVL), cases[i].step);
		assert_int_equal(tcp_value(fd, TCP_KEEPCNT), cases[i].count);
	}
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &n), 0);
	assert_true(on);
	/* It would cut a reader with a closed window: see sock.h. */
	assert_int_equal(tcp_value(fd, TCP_USER_TIMEOUT), 0);
	sock_forget_unsent(fd);
	assert_int_equal(tcp_value(fd, TCP_USER_TIMEOUT), 1);
}

static void
connection(int *here_r, int *there_r)
{
	AUTO(fd_close) int	 l = -1;
	struct sockaddr_in	 a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t		 n = sizeof(a);

	l = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(l, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&a, &n), 0);
	*there_r = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*there_r, (struct sockaddr *)&a, n), 0);
	*here_r = accept(l, NULL, NULL);
	assert_true(*here_r >= 0);
}

/* Of a kernel that would wait. */
static void
test_ack(void **state)
{
	const unsigned	off = 0;
	int		here;
	int		there;

	(void)state;
	connection(&here, &there);
	assert_int_equal(setsockopt(here, IPPROTO_TCP, TCP_QUICKACK, &off,
	    sizeof(off)), 0);
	assert_int_equal(tcp_value(here, TCP_QUICKACK), 0);
	sock_ack(here);
	assert_int_equal(tcp_value(here, TCP_QUICKACK), 1);
	sock_ack(-1);
	fd_close(&here);
	fd_close(&there);
}

/* The kernel answers one probe of a closed window in half a second
 * (tcp_invalid_ratelimit); the first ones may come sooner. */
enum { GONE_MS = 600, CLOSED_MS = 1800, WAIT_MS = 10000 };

static bool
gone_within(int fd, unsigned gone_ms, unsigned ms)
{
	uint64_t	end = clock_ms() + ms;
	unsigned	look;

	while (clock_ms() < end) {
		if (sock_peer_gone(fd, gone_ms, &look))
			return true;
		assert_true(look > 0 && look <= gone_ms);
		clock_sleep(20);
	}
	return false;
}

static void
test_peer_gone(void **state)
{
	static struct sock_filter	drop = { .code = 0x06 };  /* return 0 */
	const struct sock_fprog		all = { 1, &drop };
	AUTO(fd_close) int		here = -1;
	AUTO(fd_close) int		there = -1;

	(void)state;
	connection(&here, &there);
	/* Idle and silent, but nobody has asked it anything. */
	assert_false(gone_within(here, GONE_MS, 2 * GONE_MS));
	assert_int_equal(sock_write(here, SPAN("x"), NULL), 1);
	assert_false(gone_within(here, GONE_MS, 2 * GONE_MS));
	assert_int_equal(setsockopt(there, SOL_SOCKET, SO_ATTACH_FILTER, &all,
	    sizeof(all)), 0);
	assert_int_equal(sock_write(here, SPAN("x"), NULL), 1);
	assert_true(gone_within(here, GONE_MS, WAIT_MS));
}

/* It takes nothing, but its kernel answers each probe. */
static void
test_peer_with_closed_window(void **state)
{
	static uint8_t		zeros[65536];
	AUTO(fd_close) int	here = -1;
	AUTO(fd_close) int	there = -1;
	struct fault		f;

	(void)state;
	connection(&here, &there);
	while (sock_write(here, span_of(zeros, sizeof(zeros)), &f) > 0)
		continue;
	assert_int_equal(f.err, EAGAIN);
	assert_false(gone_within(here, CLOSED_MS, 2 * CLOSED_MS));
	sock_shutdown(here);
	assert_int_equal(sock_write(here, SPAN("x"), &f), -1);
	assert_int_equal(sock_read(here, zeros, 1, &f), 0);
}

static void
test_no_tcp(void **state)
{
	unsigned	look = 0;
	int		r;
	int		w;

	(void)state;
	assert_int_equal(fd_pipe(&r, &w, NULL), 0);
	sock_tune(w, 30);
	assert_false(sock_peer_gone(w, 700, &look));
	assert_int_equal(look, 700);
	sock_shutdown(w);
	fd_close(&r);
	fd_close(&w);
}

static int	last_moment;	/* a signal that comes before the next system call */

long	__real_syscall(long number, ...);
long	__wrap_syscall(long number, ...);

long
__wrap_syscall(long number, ...)
{
	long	a[6];
	va_list	ap;

	va_start(ap, number);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (last_moment != 0)
		assert_int_equal(raise(last_moment), 0);
	last_moment = 0;
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void
on_alarm(int sig)
{
	(void)sig;
}

static void
test_wait_signal(void **state)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct wait_for	many[40];
	uint64_t	start = clock_ms();
	int		r;
	int		w;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
	assert_int_equal(fd_pipe(&r, &w, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct wait_for){ .fd = r, .events = WAIT_READ };
	(void)alarm(1);
	assert_int_equal(sock_wait(many, ARRAY_LEN(many), 5000), 0);
	assert_true(clock_ms() - start < 4000);
	many[39] = (struct wait_for){ .fd = w, .events = WAIT_WRITE };
	assert_int_equal(sock_wait(many, ARRAY_LEN(many), 5000), 1);
	assert_int_equal(many[39].ready, WAIT_WRITE);
	fd_close(&r);
	fd_close(&w);
}

/* One that comes between two waits ends the second, once. */
static void
test_wait_after_signal(void **state)
{
	uint64_t start = clock_ms();

	(void)state;
	signals_take(SIGNALS_CONNECTION);
	assert_int_equal(raise(SIGTERM), 0);
	assert_true(signals_stopping());
	assert_int_equal(sock_wait(NULL, 0, 5000), 0);
	assert_true(clock_ms() - start < 4000);
	start = clock_ms();
	assert_int_equal(sock_wait(NULL, 0, 60), 0);
	assert_true(clock_ms() - start >= 50);
	(void)signal(SIGTERM, SIG_DFL);
}

/* One that comes after the look and before the kernel sleeps is in time, too. */
static void
test_wait_signal_at_last(void **state)
{
	uint64_t start = clock_ms();

	(void)state;
	signals_take(SIGNALS_CONNECTION);
	last_moment = SIGTERM;
	assert_int_equal(sock_wait(NULL, 0, -1), 0);
	assert_int_equal(last_moment, 0);
	assert_true(signals_stopping());
	last_moment = SIGTERM;
	assert_int_equal(sock_wait(NULL, 0, 5000), 0);
	assert_int_equal(last_moment, 0);
	assert_true(clock_ms() - start < 4000);
	(void)signal(SIGTERM, SIG_DFL);
}

static void
test_random(void **state)
{
	uint8_t x[600] = { 0 };
	uint8_t y[600] = { 0 };

	(void)state;
	random_bytes(x, sizeof(x));
	random_bytes(y, sizeof(y));
	assert_memory_not_equal(x, y, 16);
	assert_memory_not_equal(x + 584, y + 584, 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listen_syntax),
		cmocka_unit_test(test_connection),
		cmocka_unit_test(test_unsent),
		cmocka_unit_test(test_wildcard),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_peer_gone),
		cmocka_unit_test(test_peer_with_closed_window),
		cmocka_unit_test(test_ack),
		cmocka_unit_test(test_no_tcp),
		cmocka_unit_test(test_wait_signal),
		cmocka_unit_test(test_wait_after_signal),
		cmocka_unit_test(test_wait_signal_at_last),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * A POP3 server that knows nobody and has answers ready: what a machine needs
 * for the system calls of a session and no more.  The floor of the benchmark,
 * and (with --wrong) what the load generator must find out.
 *
 * Believes everything that it reads, one command a line.  For loopback only.
 */
#include "talk.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATUS_USAGE	64
#define LINE_MAX_IN	128
#define EVENTS		256
#define MAIL_MAX	64
#define FILE_MAX	(64u << 20)

struct peer {
	int	fd;
	size_t	n;			/* octets of an unfinished line */
	char	line[LINE_MAX_IN];
};

static struct buf	answers[WORD_COUNT];	/* RETR: unused */
static struct buf	mail[MAIL_MAX];		/* with the +OK line */
static size_t		mails;

static void NORETURN
usage(void)
{
	fputs("usage: floor --listen ADDRESS:PORT [--stat \"N OCTETS\"]\n"
	    "       [--mail FILE]... [--wrong WORD]\n"
	    "Answers as told, whoever asks.  --mail: what follows +OK of\n"
	    "RETR 1, then of RETR 2...  --wrong: one octet of the answer to\n"
	    "greeting, user, pass, stat, retr, noop or quit is another one.\n",
	    stderr);
	exit(STATUS_USAGE);
}

static void NORETURN
give_up(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void
set_answer(enum word w, const char *text)
{
	buf_init(&answers[w], 4096);
	if (buf_appendf(&answers[w], "%s\r\n", text) == -1)
		usage();
}

static void
add_mail(const char *path)
{
	struct buf	*b = &mail[mails];
	uint8_t		*p;
	size_t		 n = 1;
	FILE		*f = fopen(path, "rb");

	if (f == NULL)
		give_up(path);
	if (mails++ == MAIL_MAX)
		usage();
	buf_init(b, FILE_MAX);
	if (buf_append(b, SPAN("+OK here it is\r\n")) == -1)
		usage();
	while (n > 0 && (p = buf_reserve(b, 1 << 16)) != NULL) {
		n = fread(p, 1, 1 << 16, f);
		buf_extend(b, n);
	}
	fclose(f);
}

/* One octet in the middle of the text, not of the line's end. */
static void
spoil(const char *name)
{
	enum word	 w;
	struct buf	*b;

	if (!word_find(span_str(name), &w) || (w == WORD_RETR && mails == 0))
		usage();
	b = w == WORD_RETR ? &mail[0] : &answers[w];
	b->p[w == WORD_RETR ? b->off + buf_len(b) / 2 : b->n - 3] ^= 1;
}

static bool
say(const struct peer *p, const struct buf *b)
{
	struct span	s = buf_span(b);

	/* An idle client's buffer takes all of it, or the client is gone. */
	return send(p->fd, s.p, s.n, MSG_NOSIGNAL) == (ssize_t)s.n;
}

/* False when the connection is to be closed. */
static bool
on_line(const struct peer *p, struct span line)
{
	uint64_t	n;

	if (span_starts_nocase(line, SPAN("RETR ")) &&
	    num_parse(span_skip(line, 5), mails, &n) && n > 0)
		return say(p, &mail[n - 1]);
	for (unsigned w = WORD_USER; w <= WORD_QUIT; w++) {
		if (span_starts_nocase(line, span_str(word_name(w))))
			return say(p, &answers[w]) && w != WORD_QUIT;
	}
	return say(p, &answers[WORD_NOOP]);
}

static bool
on_octets(struct peer *p)
{
	ssize_t		n = recv(p->fd, p->line + p->n, LINE_MAX_IN - p->n, 0);
	struct span	rest;
	size_t		end;

	if (n <= 0)
		return n == -1 && (errno == EAGAIN || errno == EINTR);
	p->n += (size_t)n;
	rest = span_of(p->line, p->n);
	while ((end = span_find(rest, '\n')) < rest.n) {
		if (!on_line(p, span_trim(span_first(rest,
		    end > 0 && rest.p[end - 1] == '\r' ? end - 1 : end))))
			return false;
		rest = span_skip(rest, end + 1);
	}
	memmove(p->line, rest.p, rest.n);
	p->n = rest.n;
	return p->n < LINE_MAX_IN;
}

static void
on_connect(int ep, int listener)
{
	struct epoll_event	 ev = { .events = EPOLLIN };
	struct peer		*p;
	int			 on = 1;
	int			 fd;

	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	p = xalloc(1, sizeof(*p));
	p->fd = fd;
	ev.data.ptr = p;
	if (!say(p, &answers[WORD_GREETING]) ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == -1) {
		close(fd);
		free(p);
	}
}

static int
open_listener(const char *where)
{
	struct sockaddr_in	 to = { .sin_family = AF_INET };
	struct span		 s = span_str(where);
	size_t			 at = span_find(s, ':');
	char			 host[INET_ADDRSTRLEN];
	uint64_t		 port;
	int			 on = 1;
	int			 fd;

	if (!span_cstr(span_first(s, at), host, sizeof(host)) ||
	    inet_pton(AF_INET, host, &to.sin_addr) != 1 ||
	    !num_parse(span_skip(s, at + 1), UINT16_MAX, &port))
		usage();
	to.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
	    sizeof(on)) == -1 ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) == -1 ||
	    listen(fd, 4096) == -1)
		give_up(where);
	return fd;
}

static void NORETURN
serve(int listener)
{
	int			ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event	events[EVENTS];
	struct epoll_event	ev = { .events = EPOLLIN, .data.ptr = NULL };

	if (ep == -1 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) == -1)
		give_up("epoll");
	for (;;) {
		int	n = epoll_wait(ep, events, EVENTS, -1);

		if (n == -1 && errno != EINTR)
			give_up("epoll_wait");
		for (int i = 0; i < n; i++) {
			struct peer	*p = events[i].data.ptr;

			if (p == NULL) {
				on_connect(ep, listener);
			} else if (!on_octets(p)) {
				close(p->fd);
				free(p);
			}
		}
	}
}

static void
raise_limit(void)
{
	struct rlimit	r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int
main(int argc, char **argv)
{
	static const struct option	options[] = {
		{ "listen",	required_argument, NULL, 'l' },
		{ "stat",	required_argument, NULL, 's' },
		{ "mail",	required_argument, NULL, 'm' },
		{ "wrong",	required_argument, NULL, 'w' },
		{ NULL },
	};
	const char			*where = NULL;
	const char			*wrong = NULL;
	char				 line[256];
	int				 c;

	for (unsigned w = WORD_GREETING; w < WORD_END; w++)
		set_answer((enum word)w, w == WORD_STAT ? "+OK 0 0" :
		    "+OK ready");
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'l')
			where = optarg;
		else if (c == 'm')
			add_mail(optarg);
		else if (c == 'w')
			wrong = optarg;
		else if (c != 's')
			usage();
		if (c == 's') {
			snprintf(line, sizeof(line), "+OK %s", optarg);
			buf_fini(&answers[WORD_STAT]);
			set_answer(WORD_STAT, line);
		}
	}
	if (where == NULL || optind != argc)
		usage();
	if (wrong != NULL)
		spoil(wrong);
	raise_limit();
	serve(open_listener(where));
}

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
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATUS_USAGE	64
#define LINE_MAX_IN	128
#define READ_MAX	(1u << 14)
#define EVENTS		256
#define MAIL_MAX	64
#define FILE_MAX	(512u << 20)
#define ANSWER_MAX	(512u << 20)
#define GATHER_MAX	(1u << 18)	/* octets that wait for others */
#define PATIENCE_MS	60000

struct peer {
	int	fd;
	size_t	n;			/* octets of an unfinished line */
	char	line[LINE_MAX_IN];
};

static struct buf	answers[WORD_COUNT];	/* RETR, TOP: the first line */
static struct mail	mail[MAIL_MAX];
static size_t		mails;
static size_t		count;		/* of messages */
static struct buf	out;		/* to the peer whose line is answered */

static void NORETURN
usage(void)
{
	fputs("usage: floor --listen ADDRESS:PORT [--stat \"N OCTETS\"]\n"
	    "       [--mail FILE]... [--count N] [--wrong WORD]\n"
	    "Answers as told, whoever asks.  --mail: what follows +OK of\n"
	    "RETR 1, then of RETR 2...  --count: so many messages, as load's\n"
	    "(with a number in it, a file has 256 KiB at most).\n"
	    "--wrong: one octet of the answer to greeting, user, pass, stat,\n"
	    "uidl (of an even number of messages), list, retr, top, dele, noop\n"
	    "or quit is another one.\n",
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
	buf_fini(&answers[w]);
	buf_init(&answers[w], ANSWER_MAX);
	if (buf_appendf(&answers[w], "%s\r\n", text) == -1)
		usage();
}

static void
add_mail(const char *path)
{
	struct buf	 b;		/* lives as long as we do */
	uint8_t		*p;
	size_t		 n = 1;
	FILE		*f = fopen(path, "rb");

	if (f == NULL)
		give_up(path);
	buf_init(&b, FILE_MAX);
	while (n > 0 && (p = buf_reserve(&b, 1 << 16)) != NULL) {
		n = fread(p, 1, 1 << 16, f);
		buf_extend(&b, n);
	}
	fclose(f);
	if (mails == MAIL_MAX || !mail_init(&mail[mails], buf_span(&b)) ||
	    (mail[mails].marks_n > 0 && mail[mails].text.n > GATHER_MAX))
		usage();
	mails++;
}

/* UIDL and LIST of all messages. */
static void
set_lists(void)
{
	struct buf	*uidl = &answers[WORD_UIDL];
	struct buf	*list = &answers[WORD_LIST];
	bool		 ok = true;

	for (size_t i = 0; i < count && ok; i++)
		ok = buf_appendf(uidl, "%zu %07zu\r\n", i + 1, i) == 0 &&
		    buf_appendf(list, "%zu %llu\r\n", i + 1,
		    (unsigned long long)mail[i % mails].octets) == 0;
	if (!ok || buf_append(uidl, SPAN(MAIL_END)) == -1 ||
	    buf_append(list, SPAN(MAIL_END)) == -1)
		usage();
}

/* One octet: in the middle of a text, of a list's last number, or before a
 * line's end. */
static void
spoil(const char *name)
{
	enum word	 w;
	struct buf	*b;
	struct mail	*m = &mail[0];
	size_t		 end = strlen("x\r\n");
	uint8_t		*p;

	if (!word_find(span_str(name), &w) ||
	    ((w == WORD_RETR || w == WORD_TOP) && mails == 0))
		usage();
	if (w == WORD_RETR || w == WORD_TOP) {
		p = xalloc(m->text.n, 1);
		memcpy(p, m->text.p, m->text.n);
		p[(w == WORD_TOP ? m->head : m->text.n) / 2] ^= 1;
		m->text.p = p;
		return;
	}
	b = &answers[w];
	if (w == WORD_UIDL || w == WORD_LIST)
		end += strlen(MAIL_END);
	b->p[b->n - end] ^= 1;
}

/* All of it, however long the peer takes to read; false: it is gone. */
static bool
say(const struct peer *p, struct span s)
{
	struct pollfd	pfd = { .fd = p->fd, .events = POLLOUT };
	ssize_t		n;

	while (s.n > 0) {
		n = send(p->fd, s.p, s.n, MSG_NOSIGNAL);
		if (n == -1 && (errno != EAGAIN ||
		    poll(&pfd, 1, PATIENCE_MS) <= 0))
			return false;
		s = span_skip(s, n == -1 ? 0 : (size_t)n);
	}
	return true;
}

static bool
flush(const struct peer *p)
{
	bool	ok = say(p, buf_span(&out));

	buf_clear(&out);
	return ok;
}

/* Behind what is gathered; false when the peer is gone. */
static bool
gather(const struct peer *p, struct span s)
{
	if (buf_len(&out) + s.n > GATHER_MAX && !flush(p))
		return false;
	return s.n > GATHER_MAX ? say(p, s) : buf_append(&out, s) == 0;
}

static bool
give_mail(const struct peer *p, enum word w, size_t index)
{
	const struct mail	*m = &mail[index % mails];
	size_t			 n = w == WORD_TOP ? m->head : m->text.n;
	uint8_t			*to;

	if (!gather(p, buf_span(&answers[w])))
		return false;
	if (m->marks_n == 0) {
		if (!gather(p, span_first(m->text, n)))
			return false;
	} else {
		if (buf_len(&out) + n > GATHER_MAX && !flush(p))
			return false;
		to = buf_reserve(&out, n);
		if (to == NULL)
			return false;
		mail_write(m, index, n, to);
		buf_extend(&out, n);
	}
	return gather(p, SPAN(MAIL_END));
}

/* False when the connection is to be closed. */
static bool
on_line(const struct peer *p, struct span line)
{
	struct span	verb = span_word(&line);
	struct span	which = span_word(&line);
	uint64_t	n;

	for (unsigned w = WORD_USER; w <= WORD_QUIT; w++) {
		if (!span_eq_nocase(verb, span_str(word_name(w))))
			continue;
		if ((w == WORD_RETR || w == WORD_TOP) && mails > 0 &&
		    num_parse(which, count, &n) && n > 0)
			return give_mail(p, w, n - 1);
		return gather(p, buf_span(&answers[w])) && w != WORD_QUIT;
	}
	return gather(p, buf_span(&answers[WORD_NOOP]));
}

static bool
on_octets(struct peer *p)
{
	static char	in[READ_MAX];
	ssize_t		n = recv(p->fd, in + p->n, sizeof(in) - p->n, 0);
	struct span	rest;
	size_t		end;
	bool		stays = true;

	if (n <= 0)
		return n == -1 && (errno == EAGAIN || errno == EINTR);
	memcpy(in, p->line, p->n);
	rest = span_of(in, p->n + (size_t)n);
	while (stays && (end = span_find(rest, '\n')) < rest.n) {
		stays = on_line(p, span_trim(span_first(rest,
		    end > 0 && rest.p[end - 1] == '\r' ? end - 1 : end)));
		rest = span_skip(rest, end + 1);
	}
	/* An endless line is no command. */
	p->n = rest.n < sizeof(p->line) ? rest.n : 0;
	memcpy(p->line, rest.p, p->n);
	return flush(p) && stays;
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
	if (!say(p, buf_span(&answers[WORD_GREETING])) ||
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
		{ "count",	required_argument, NULL, 'n' },
		{ "wrong",	required_argument, NULL, 'w' },
		{ NULL },
	};
	const char			*where = NULL;
	const char			*wrong = NULL;
	char				 line[256];
	uint64_t			 n = UINT64_MAX;
	int				 c;

	buf_init(&out, 2 * GATHER_MAX);
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
		else if (c != 's' && (c != 'n' || !num_parse(span_str(optarg),
		    MAIL_COUNT_MAX, &n)))
			usage();
		if (c == 's') {
			snprintf(line, sizeof(line), "+OK %s", optarg);
			set_answer(WORD_STAT, line);
		}
	}
	count = n == UINT64_MAX ? mails : n;
	if (count > 0 && mails == 0)
		usage();
	set_lists();
	if (where == NULL || optind != argc)
		usage();
	if (wrong != NULL)
		spoil(wrong);
	raise_limit();
	serve(open_listener(where));
}

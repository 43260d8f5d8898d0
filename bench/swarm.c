/* SPDX-License-Identifier: ISC */
/*
 * Sessions are begun while fewer than plan->connections are at work; a user
 * has one session at a time, and the one who waited longest comes next.  With
 * plan->every_ns a session is due at a fixed time, whatever the server does,
 * and its latency counts from then.
 *
 * Holding: `held N` is printed when nothing is left to open; a line (or the
 * end) of standard input lets the held ones go on with their script.  A held
 * client whom the server ends is lost, which is an error, but for those who
 * drip: it is the server's right, and another one begins in its place.
 */
#include "swarm.h"

#include "base/alloc.h"
#include "prove.h"
#include "secure.h"
#include "tally.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS		256
#define ERRORS_SHOWN	10
#define ERRORS_MAX	1000		/* no more is begun after so many */
#define TICK_NS		(500 * MS)	/* between looks for late answers */
#define MS		INT64_C(1000000)
#define SECOND		(1000 * MS)
#define COMMAND_MAX	600
#define EACH_MAX	16		/* octets of a command with a number */
#define SLICES		100		/* of the time between two octets */

enum state { CLIENT_FREE, CLIENT_AT_WORK, CLIENT_HELD };

struct client {
	struct talk		 talk;
	int			 fd;
	struct secure		*secure;	/* owns; NULL: in the clear */
	struct prove		*prove;		/* owns; NULL: no SCRAM now */
	bool			 shaking;
	enum state		 state;
	size_t			 place;		/* in the script */
	const struct user	*user;		/* borrows from the plan */
	int64_t			 due_ns;	/* when it should begin */
	size_t			 asked;		/* messages, by this word */
	int64_t			 asked_ns;	/* last command */
	int64_t			 each_ns;	/* first of this word */
	struct client		*next;		/* in the free list */
};

struct swarm {
	const struct plan	*plan;
	int			 ep;
	struct client		*clients;	/* owns; room of them */
	size_t			 room;
	struct client		*free_list;
	const struct user	**queue;	/* owns; a ring of idle users */
	size_t			 queue_at;
	size_t			 queue_n;
	int64_t			 began_ns;
	int64_t			 next_ns;	/* when the next one is due */
	int64_t			 drip_ns;	/* next octets */
	size_t			 slice;		/* whose */
	size_t			 begun;
	size_t			 at_work;
	size_t			 held;
	size_t			 done;
	size_t			 lost;		/* while they were held */
	size_t			 resumed_n;	/* TLS sessions */
	size_t			 resume_at;	/* clients looked at so far */
	bool			 told;		/* `held N` was printed */
	bool			 resumed;
	int			 errors;
	struct tally		 session;	/* begin to the server's end */
	struct tally		 login;		/* begin to PASS answered */
	struct tally		 noop;		/* the command alone */
	struct tally		 retr;		/* to its last octet */
	struct tally		 each;		/* first command to last answer */
	bool			 has_ids;
	uint64_t		 ids_sum;	/* what UIDL said at first */
};

static int64_t
now_ns(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static enum word
current(const struct swarm *s, const struct client *c)
{
	return s->plan->script[c->place];
}

static void
complain(struct swarm *s, const struct client *c, const char *why)
{
	if (++s->errors <= ERRORS_SHOWN)
		fprintf(stderr, "error user=%s at=%s: %s\n",
		    c->user == NULL ? "-" : c->user->name,
		    word_name(current(s, c)), why);
}

/* The connection's end, whether good or bad; its user goes to the end. */
static void
client_end(struct swarm *s, struct client *c)
{
	secure_free(c->secure);
	c->secure = NULL;
	prove_free(c->prove);
	c->prove = NULL;
	if (c->fd != -1)
		close(c->fd);
	if (c->user != NULL)
		s->queue[(s->queue_at + s->queue_n++) % s->plan->users_n] =
		    c->user;
	if (c->state == CLIENT_HELD)
		s->held--;
	else
		s->at_work--;
	c->fd = -1;
	c->user = NULL;
	c->state = CLIENT_FREE;
	c->next = s->free_list;
	s->free_list = c;
}

static void PRINTF(3, 4)
client_fail(struct swarm *s, struct client *c, const char *fmt, ...)
{
	char	why[512];
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	/* A server may end who drips; another one takes the place. */
	if (s->plan->drip_ns == 0)
		complain(s, c, why);
	if (c->state == CLIENT_HELD)
		s->lost++;
	client_end(s, c);
}

static ssize_t
client_send(struct client *c, const char *p, size_t n)
{
	return c->secure == NULL ? send(c->fd, p, n, MSG_NOSIGNAL) :
	    secure_write(c->secure, p, n);
}

/* The command of a word of SCRAM; 0: the server was not right. */
static int
scram_line(struct client *c, enum word w, struct span challenge, char *line,
    size_t cap)
{
	char	message[COMMAND_MAX];

	if (w == WORD_PASS)
		return prove_ends(c->prove, challenge) ?
		    snprintf(line, cap, "\r\n") : 0;
	if (w == WORD_SCRAM)
		c->prove = prove_new(c->user->name, c->user->password);
	if (!prove_step(c->prove, challenge, message, sizeof(message)))
		return 0;
	return snprintf(line, cap, "%s%s\r\n", w == WORD_SCRAM ?
	    "AUTH SCRAM-SHA-256 " : "", message);
}

/* Commands of a word that is said for each message: as many as may be on their
 * way, together, when half of them have been answered. */
static bool
client_ask_each(struct swarm *s, struct client *c, enum word w)
{
	static char	lines[SWARM_AHEAD_MAX * EACH_MAX];
	size_t		upto = c->talk.index + s->plan->ahead;
	size_t		n = 0;

	if (upto > s->plan->answers.count)
		upto = s->plan->answers.count;
	if (c->asked == 0)
		c->each_ns = now_ns();
	if (c->asked <= c->talk.index + s->plan->ahead / 2) {
		for (; c->asked < upto; c->asked++)
			n += (size_t)snprintf(lines + n, sizeof(lines) - n,
			    w == WORD_RETR ? "RETR %zu\r\n" : w == WORD_TOP ?
			    "TOP %zu 0\r\n" : "DELE %zu\r\n", c->asked + 1);
	}
	c->talk.ahead = c->asked - c->talk.index - 1;
	c->asked_ns = now_ns();
	if (n > 0 && client_send(c, lines, n) != (ssize_t)n) {
		client_fail(s, c, "cannot send: %s", strerror(errno));
		return false;
	}
	return true;
}

/* The command of the current word; false when the client has failed. */
static bool
client_ask(struct swarm *s, struct client *c, struct span challenge)
{
	enum word	w = current(s, c);
	char		line[COMMAND_MAX];
	int		n = 0;

	if (word_is_each(w))
		return client_ask_each(s, c, w);
	if (w == WORD_SCRAM || w == WORD_PROOF ||
	    (w == WORD_PASS && c->prove != NULL)) {
		n = scram_line(c, w, challenge, line, sizeof(line));
		if (n <= 0 || n >= (int)sizeof(line)) {
			client_fail(s, c, "SCRAM: not the server's proof");
			return false;
		}
	} else if (w == WORD_USER)
		n = snprintf(line, sizeof(line), "USER %s\r\n", c->user->name);
	else if (w == WORD_PASS)
		n = snprintf(line, sizeof(line), "PASS %s\r\n",
		    c->user->password);
	else if (w == WORD_STAT || w == WORD_UIDL || w == WORD_LIST ||
	    w == WORD_NOOP || w == WORD_QUIT || w == WORD_STLS) {
		n = snprintf(line, sizeof(line), "%s\r\n", word_name(w));
		for (int i = 0; i < n; i++)
			line[i] = (char)toupper((unsigned char)line[i]);
	}
	c->asked_ns = now_ns();
	if (n > 0 && client_send(c, line, (size_t)n) != n) {
		client_fail(s, c, "cannot send: %s", strerror(errno));
		return false;
	}
	return true;
}

static void
client_done(struct swarm *s, struct client *c)
{
	tally_add(&s->session, now_ns() - c->due_ns);
	s->done++;
	client_end(s, c);
}

/* What the kernel is to tell us of. */
static bool
client_await(struct swarm *s, struct client *c, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(s->ep, EPOLL_CTL_MOD, c->fd, &ev) == 0)
		return true;
	client_fail(s, c, "epoll: %s", strerror(errno));
	return false;
}

/* More of the handshake; what comes behind it is the current word. */
static bool
client_shake(struct swarm *s, struct client *c)
{
	char	why[512];
	bool	writes;

	if (secure_shake(c->secure, &writes, why, sizeof(why)) == 0) {
		c->shaking = false;
		s->resumed_n += secure_resumed(c->secure) ? 1 : 0;
		return client_await(s, c, EPOLLIN) &&
		    client_ask(s, c, SPAN(""));
	}
	if (errno == EAGAIN)
		return client_await(s, c, writes ? EPOLLOUT : EPOLLIN);
	client_fail(s, c, "%s", why);
	return false;
}

static bool
client_secure(struct swarm *s, struct client *c)
{
	c->secure = secure_new(c->fd);
	c->shaking = true;
	return client_shake(s, c);
}

/* One user's ids are what they were, while this load goes on. */
static bool
ids_remain(struct swarm *s, const struct client *c)
{
	if (s->plan->users_n != 1)
		return true;
	if (!s->has_ids)
		s->ids_sum = c->talk.ids_sum;
	s->has_ids = true;
	return s->ids_sum == c->talk.ids_sum;
}

/* The script's next word that has something to say. */
static void
client_next_word(struct swarm *s, struct client *c)
{
	do
		c->place++;
	while (word_is_each(current(s, c)) && s->plan->answers.count == 0);
	c->asked = 0;
}

/* The current word's answer was right: what comes next. */
static bool
client_advance(struct swarm *s, struct client *c)
{
	enum word	w = current(s, c);
	size_t		index = 0;
	struct span	challenge = SPAN("");

	if (w == WORD_UIDL && !ids_remain(s, c)) {
		client_fail(s, c, "not the ids of the session before");
		return false;
	}
	if (w == WORD_SCRAM || w == WORD_PROOF)
		challenge = talk_challenge(&c->talk);
	if (w == WORD_PASS)
		tally_add(&s->login, now_ns() - c->due_ns);
	else if (w == WORD_NOOP)
		tally_add(&s->noop, now_ns() - c->asked_ns);
	else if (w == WORD_RETR && s->plan->ahead == 1)
		tally_add(&s->retr, now_ns() - c->asked_ns);
	if (word_is_each(w) && c->talk.index + 1 < s->plan->answers.count) {
		index = c->talk.index + 1;
	} else {
		if (word_is_each(w))
			tally_add(&s->each, now_ns() - c->each_ns);
		client_next_word(s, c);
	}
	talk_expect(&c->talk, current(s, c), index);
	if (current(s, c) == WORD_LEAVE) {
		client_done(s, c);
		return false;
	}
	if (current(s, c) == WORD_HOLD) {
		c->state = CLIENT_HELD;
		s->at_work--;
		s->held++;
	}
	return w == WORD_STLS ? client_secure(s, c) :
	    client_ask(s, c, challenge);
}

/* Octets of one answer, or of several that were asked for. */
static bool
client_take(struct swarm *s, struct client *c, struct span in)
{
	char	why[512];

	do {
		switch (talk_feed(&c->talk, &s->plan->answers, &in, why,
		    sizeof(why))) {
		case TALK_MORE:
			return true;
		case TALK_ANSWERED:
			if (!client_advance(s, c))
				return false;
			break;
		case TALK_WRONG:
			client_fail(s, c, "%s", why);
			return false;
		}
	} while (in.n > 0);
	return true;
}

/* Something came, or the end.  False: nothing more is to be had of it now. */
static bool
client_read(struct swarm *s, struct client *c)
{
	static uint8_t	buf[1 << 16];
	char		why[512];
	ssize_t		n = c->secure == NULL ? recv(c->fd, buf, sizeof(buf), 0) :
			    secure_read(c->secure, buf, sizeof(buf), why,
			    sizeof(why));

	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			client_fail(s, c, "%s", errno == EPROTO ? why :
			    strerror(errno));
		return false;
	}
	if (n == 0 && current(s, c) == WORD_END) {
		client_done(s, c);
		return false;
	}
	if (n == 0) {
		client_fail(s, c, "closed by the server");
		return false;
	}
	return client_take(s, c, span_of(buf, (size_t)n));
}

/* What TLS has read beyond what it gives us no event will tell of. */
static void
client_event(struct swarm *s, struct client *c)
{
	if (c->secure == NULL && c->place == 0 && s->plan->tls == PLAN_TLS)
		(void)client_secure(s, c);	/* connected: we speak first */
	else if (c->shaking)
		(void)client_shake(s, c);	/* it has counted its failure */
	else
		while (client_read(s, c) && c->secure != NULL && !c->shaking)
			continue;
}

/* A socket from the next source address, on its way; -1 with errno. */
static int
dial(const struct plan *p, size_t nth)
{
	struct sockaddr_in	from = p->from;
	int			on = 1;
	int			fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
	if (p->sources > 0) {
		/* The port is chosen at connect, for this destination alone. */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
		    sizeof(on));
		from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) +
		    (uint32_t)(nth % p->sources));
		if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == -1)
			goto out;
	}
	if (connect(fd, (const struct sockaddr *)&p->to, sizeof(p->to)) == 0 ||
	    errno == EINPROGRESS)
		return fd;
out:
	close(fd);
	return -1;
}

static void
client_begin(struct swarm *s, int64_t due_ns)
{
	struct client		*c = s->free_list;
	struct epoll_event	 ev = { .data.ptr = c };

	ev.events = s->plan->tls == PLAN_TLS ? EPOLLOUT : EPOLLIN;
	s->free_list = c->next;
	c->state = CLIENT_AT_WORK;
	c->place = 0;
	c->asked = 0;
	c->shaking = false;
	c->due_ns = due_ns;
	c->asked_ns = now_ns();
	talk_expect(&c->talk, current(s, c), 0);
	if (s->plan->users_n > 0) {
		c->user = s->queue[s->queue_at];
		s->queue_at = (s->queue_at + 1) % s->plan->users_n;
		s->queue_n--;
	}
	s->at_work++;
	c->fd = dial(s->plan, s->begun++);
	if (c->fd == -1 || epoll_ctl(s->ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		client_fail(s, c, "cannot connect: %s", strerror(errno));
}

static bool
is_over(const struct swarm *s, int64_t now)
{
	const struct plan	*p = s->plan;
	size_t			 n = p->drip_ns > 0 ? s->held + s->at_work :
	    s->begun;

	return s->errors >= ERRORS_MAX ||
	    (p->hold > 0 && n >= p->hold) ||
	    (p->sessions > 0 && s->begun >= p->sessions) ||
	    (p->for_ns > 0 && now - s->began_ns >= p->for_ns);
}

/* As many as may and should begin now. */
static void
begin_some(struct swarm *s)
{
	const struct plan	*p = s->plan;
	int64_t			 now = now_ns();

	while (!is_over(s, now) && s->at_work < p->connections &&
	    s->free_list != NULL && (p->users_n == 0 || s->queue_n > 0)) {
		if (p->every_ns == 0) {
			client_begin(s, now);
		} else if (s->next_ns <= now) {
			client_begin(s, s->next_ns);
			s->next_ns += p->every_ns;
		} else {
			break;
		}
		now = now_ns();
	}
}

/* Held clients go on, no more than plan->connections of them at a time. */
static void
resume_some(struct swarm *s)
{
	struct client	*c;

	while (s->resume_at < s->room && s->at_work < s->plan->connections) {
		c = &s->clients[s->resume_at++];
		if (c->state != CLIENT_HELD)
			continue;
		c->state = CLIENT_AT_WORK;
		s->held--;
		s->at_work++;
		c->due_ns = now_ns();
		c->place++;
		talk_expect(&c->talk, current(s, c), 0);
		if (s->plan->drip_ns > 0)
			client_done(s, c);
		else
			/* it counts its failure */
			(void)client_ask(s, c, SPAN(""));
	}
}

static void
look_for_late(struct swarm *s, int64_t now)
{
	for (size_t i = 0; i < s->room; i++) {
		struct client	*c = &s->clients[i];

		if (c->state == CLIENT_AT_WORK &&
		    now - c->asked_ns > s->plan->timeout_ns)
			client_fail(s, c, "no answer within %lld s",
			    (long long)(s->plan->timeout_ns / SECOND));
	}
}

/* Strangers who send a command's octets one by one, and never its end; each at a
 * time of its own, as those who have different clocks. */
static void
drip(struct swarm *s)
{
	for (size_t i = s->slice++ % SLICES; i < s->room; i += SLICES) {
		struct client	*c = &s->clients[i];

		if (c->state == CLIENT_HELD &&
		    client_send(c, "U", 1) != 1)
			client_fail(s, c, "cannot send: %s", strerror(errno));
	}
}

/* Nothing more can be opened: tell, and wait for the word to go on. */
static void
tell_held(struct swarm *s)
{
	struct epoll_event	ev = { .events = EPOLLIN, .data.ptr = NULL };

	s->told = true;
	printf("held n=%zu errors=%d seconds=%.3f\n", s->held, s->errors,
	    (double)(now_ns() - s->began_ns) / (double)SECOND);
	fflush(stdout);
	/* A file, or /dev/null, cannot be waited for: it is at its end. */
	if (epoll_ctl(s->ep, EPOLL_CTL_ADD, STDIN_FILENO, &ev) == -1)
		s->resumed = true;
}

static void
on_stdin(struct swarm *s)
{
	char	buf[256];

	if (read(STDIN_FILENO, buf, sizeof(buf)) >= 0)
		s->resumed = true;
	epoll_ctl(s->ep, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
}

/* Until the next thing that happens by the clock. */
static int64_t
sleep_ns(const struct swarm *s, int64_t now, int64_t tick)
{
	int64_t	until = tick;

	if (s->plan->every_ns > 0 && !is_over(s, now) && s->next_ns < until)
		until = s->next_ns;
	if (s->plan->drip_ns > 0 && s->told && s->drip_ns < until)
		until = s->drip_ns;
	return until > now ? until - now : 0;
}

static bool
step(struct swarm *s, int64_t *tick)
{
	struct epoll_event	ev[EVENTS];
	int64_t			now = now_ns();
	int64_t			ns = sleep_ns(s, now, *tick);
	struct timespec		ts = { ns / SECOND, ns % SECOND };
	int			n = epoll_pwait2(s->ep, ev, EVENTS, &ts, NULL);

	if (n == -1 && errno != EINTR)
		return false;
	for (int i = 0; i < n; i++) {
		struct client	*c = ev[i].data.ptr;

		if (c == NULL)
			on_stdin(s);
		else if (c->state != CLIENT_FREE)
			client_event(s, c);
	}
	now = now_ns();
	if (now >= *tick) {
		look_for_late(s, now);
		*tick = now + TICK_NS;
	}
	if (s->plan->drip_ns > 0 && s->told && now >= s->drip_ns) {
		drip(s);
		s->drip_ns = now + s->plan->drip_ns / SLICES;
	}
	return true;
}

static void
report(struct swarm *s)
{
	double	seconds = (double)(now_ns() - s->began_ns) / (double)SECOND;

	tally_print(&s->login, "login");
	tally_print(&s->noop, "noop");
	tally_print(&s->retr, "retr");
	tally_print(&s->each, "each");
	if (s->plan->hold == 0)
		tally_print(&s->session, "session");
	printf("result scenario=%s connections=%zu begun=%zu sessions=%zu "
	    "lost=%zu resumed=%zu errors=%d seconds=%.3f rate=%.2f\n",
	    s->plan->name, s->plan->connections, s->begun, s->done, s->lost,
	    s->resumed_n, s->errors, seconds, seconds > 0 ? (double)s->done / seconds : 0.0);
	fflush(stdout);
}

static void
swarm_loop(struct swarm *s)
{
	int64_t	tick = s->began_ns + TICK_NS;

	for (;;) {
		if (!s->resumed)
			begin_some(s);
		else
			resume_some(s);
		if (s->at_work == 0 && (s->resumed || is_over(s, now_ns()))) {
			if (s->plan->hold > 0 && !s->told) {
				tell_held(s);
				continue;
			}
			if (s->plan->hold == 0 || (s->resumed && s->held == 0))
				return;
		}
		if (!step(s, &tick)) {
			perror("epoll");
			s->errors++;
			return;
		}
	}
}

int
swarm_run(const struct plan *p)
{
	struct swarm	s = { .plan = p };

	s.room = p->hold > p->connections ? p->hold : p->connections;
	s.ep = epoll_create1(EPOLL_CLOEXEC);
	if (s.ep == -1) {
		perror("epoll_create1");
		return -1;
	}
	s.clients = xalloc(s.room, sizeof(*s.clients));
	for (size_t i = s.room; i-- > 0;) {
		s.clients[i].fd = -1;
		s.clients[i].next = s.free_list;
		s.free_list = &s.clients[i];
	}
	s.queue = xalloc(p->users_n + 1, sizeof(*s.queue));
	for (size_t i = 0; i < p->users_n; i++)
		s.queue[i] = &p->users[i];
	s.queue_n = p->users_n;
	s.began_ns = s.next_ns = s.drip_ns = now_ns();
	swarm_loop(&s);
	report(&s);
	tally_fini(&s.session);
	tally_fini(&s.login);
	tally_fini(&s.noop);
	tally_fini(&s.retr);
	tally_fini(&s.each);
	for (size_t i = 0; i < s.room; i++)
		talk_fini(&s.clients[i].talk);
	free(s.clients);
	free(s.queue);
	close(s.ep);
	return s.errors;
}

/* SPDX-License-Identifier: ISC */
/*
 * The log: lines are made here, and go to the log daemon, a file or standard
 * error, and to the trace file.
 * Runs as: every role.  Reads from: whoever a value comes from; every octet
 * that is not plain is escaped by one function.
 * The daemon's absence never delays or ends a session: lines are kept back,
 * KEPT_MAX of them, and sent when it listens again.
 */
#include "watch/log.h"

#include "sys/file.h"
#include "sys/sock.h"
#include "sys/spawn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum {
	VALUE_MAX	= 256,
	SID_MAX		= 31,
	KEPT_MAX	= 32,
	SOCKET_MAX	= 108,		/* sun_path */
	WIRE_MAX	= sizeof(((struct log_line *)0)->b) + 64,
	WAIT_MS		= 100,		/* for a daemon that is busy */
	WAITS_MAX	= 5,
	RETRY_MS	= 1000,		/* between two attempts to connect */
};

/* A line as it goes out, its stamp included. */
struct wire {
	size_t	n;
	size_t	body;			/* where "Mmm dd" starts */
	char	b[WIRE_MAX];
};

static struct {
	bool		 open;
	enum log_to	 to;
	char		 socket[SOCKET_MAX];
	int		 facility;
	bool		 debug;
	int		 trace;		/* owns; -1 */
	int		 out;		/* owns; -1: not connected */
	bool		 stream;	/* out wants line borders */
	char		 sid[SID_MAX + 1];
	int		 (*reopen)(void *ctx);
	void		*reopen_ctx;
	bool		 busy;		/* the call-back may log, too */
	bool		 failed;
	uint64_t	 failed_ms;	/* when connecting failed last */
	pid_t		 pid;		/* whose lines are kept back */
	size_t		 first;
	size_t		 count;
	uint64_t	 lost;
	struct wire	 kept[KEPT_MAX];
} now = { .trace = -1, .out = -1 };

/* ------------------------------------------------------- escaping */

static bool
is_bare(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

/* Printable as it stands between quotes. */
static bool
is_plain(uint8_t c)
{
	return c == ' ' || c == '=' || is_bare(c);
}

/* Where pieces of a line are put; what does not fit leaves it as it was. */
struct pen {
	char	*b;
	size_t	 n;
	size_t	 cap;
};

static bool
pen_put(struct pen *p, const char *s, size_t n)
{
	if (n > p->cap - p->n)
		return false;
	memcpy(p->b + p->n, s, n);
	p->n += n;
	return true;
}

static bool
pen_octet(struct pen *p, uint8_t c, bool (*as_it_is)(uint8_t))
{
	static const char hex[16] = "0123456789abcdef";
	const char escaped[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };
	const char plain = (char)c;

	return as_it_is(c) ? pen_put(p, &plain, 1) :
	    pen_put(p, escaped, sizeof(escaped));
}

static bool
all_bare(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_bare(s.p[i]))
			return false;
	return s.n > 0;
}

/* As much of a value as fits, with "..." when that is not all of it. */
static void
pen_value(struct pen *p, struct span value)
{
	struct span	shown = span_first(value, VALUE_MAX);
	bool		bare = all_bare(shown);
	struct pen	room = { p->b, p->n, p->cap };
	size_t		i = 0;

	room.cap -= bare ? 3 : 4;	/* for ..." */
	if (!bare)
		(void)pen_put(&room, "\"", 1);
	while (i < shown.n && pen_octet(&room, shown.p[i], is_plain))
		i++;
	p->n = room.n;
	if (i < value.n)
		(void)pen_put(p, "...", 3);
	if (!bare)
		(void)pen_put(p, "\"", 1);
}

/* ------------------------------------------------------- sinks */

static void
sink_lines(int fd, const struct wire *w)
{
	char	b[WIRE_MAX + 1];
	size_t	n = w->n - w->body;

	/* One write, so that lines of several processes do not mix. */
	memcpy(b, w->b + w->body, n);
	b[n++] = '\n';
	if (file_write(fd, b, n, NULL) == -1)
		return;			/* nowhere to tell it */
}

int
log_connect(void)
{
	int fd = -1;

	if (now.to != LOG_TO_SYSLOG ||
	    sock_connect_local(now.socket, &fd, NULL) == -1)
		return -1;
	return fd;
}

static bool
reconnect(void)
{
	if (now.out >= 0)
		return true;
	if (now.failed && clock_ms() - now.failed_ms < RETRY_MS)
		return false;
	now.busy = true;
	now.out = now.reopen != NULL ? now.reopen(now.reopen_ctx) :
	    log_connect();
	now.busy = false;
	now.failed = now.out < 0;
	if (now.failed)
		now.failed_ms = clock_ms();
	else
		now.stream = sock_is_stream(now.out);
	return !now.failed;
}

enum sent { SENT, NOT_NOW, BROKEN };

static enum sent
send_once(struct span line)
{
	struct wait_for	w = { .fd = now.out, .events = WAIT_WRITE };
	struct fault	f;
	ssize_t		n;
	int		waits = 0;

	while (line.n > 0) {
		n = sock_write(now.out, line, &f);
		if (n >= 0) {
			/* A datagram goes as a whole; a stream may not. */
			line = span_skip(line, (size_t)n);
			continue;
		}
		if (f.err != EAGAIN && f.err != ENOBUFS)
			return BROKEN;
		if (++waits > WAITS_MAX || sock_wait(&w, 1, WAIT_MS) == 0)
			return now.stream ? BROKEN : NOT_NOW;
	}
	return SENT;
}

/* False: it has to be kept back. */
static bool
send_line(const struct wire *w)
{
	/* The daemon's stream protocol ends a line with NUL, as glibc does. */
	for (int try = 0; try < 2 && reconnect(); try++) {
		size_t	    n = w->n + (now.stream ? 1 : 0);
		enum sent   sent = send_once(span_of(w->b, n));

		if (sent != BROKEN)
			return sent == SENT;
		fd_close(&now.out);
	}
	return false;
}

static void
keep(const struct wire *w)
{
	if (now.count == KEPT_MAX) {	/* the oldest one goes */
		now.first = (now.first + 1) % KEPT_MAX;
		now.count--;
		now.lost++;
	}
	now.kept[(now.first + now.count) % KEPT_MAX] = *w;
	now.count++;
}

/* Send what was kept back; true when nothing is left. */
static bool
send_kept(void)
{
	while (now.count > 0) {
		if (!send_line(&now.kept[now.first]))
			return false;
		now.first = (now.first + 1) % KEPT_MAX;
		now.count--;
	}
	return true;
}

static void	report_lost(void);

static void
sink_syslog(const struct wire *w)
{
	if (now.busy) {
		keep(w);		/* said while we reconnect */
		return;
	}
	if (!send_kept() || !send_line(w))
		keep(w);
	else if (now.lost > 0)
		report_lost();
}

/* ------------------------------------------------------- stamps */

/* RFC 3164 s.4.1, without the host name, as glibc writes to /dev/now. */
static void
stamp(struct wire *w, enum log_level level, pid_t pid)
{
	static const int severity[] = {
		[LEVEL_ERR] = 3, [LEVEL_WARN] = 4, [LEVEL_NOTE] = 5,
		[LEVEL_DEBUG] = 7,
	};
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
	};
	time_t		t = time(NULL);
	struct tm	tm = { .tm_mday = 1 };

	(void)localtime_r(&t, &tm);
	w->body = (size_t)snprintf(w->b, WIRE_MAX, "<%d>",
	    now.facility * 8 + severity[level]);
	w->n = w->body + (size_t)snprintf(w->b + w->body, WIRE_MAX - w->body,
	    "%s %2d %02d:%02d:%02d popper[%d]: ", months[tm.tm_mon % 12],
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)pid);
}

/* After a fork the parent's kept lines are the parent's business. */
static pid_t
check_pid(void)
{
	pid_t pid = spawn_self();

	if (pid != now.pid) {
		now.pid = pid;
		now.count = 0;
		now.lost = 0;
	}
	return pid;
}

static void
emit(enum log_level level, struct span text)
{
	struct wire	w;
	size_t		n;

	if (!now.open)
		return;
	stamp(&w, level, check_pid());
	n = WIRE_MAX - 1 - w.n;		/* the NUL of a stream */
	n = text.n < n ? text.n : n;
	memcpy(w.b + w.n, text.p, n);
	w.n += n;
	w.b[w.n] = '\0';
	if (now.trace >= 0)
		sink_lines(now.trace, &w);
	if (level == LEVEL_DEBUG && now.trace >= 0)
		return;			/* instead of the log */
	if (now.to == LOG_TO_SYSLOG)
		sink_syslog(&w);
	else
		sink_lines(now.out, &w);
}

/* ------------------------------------------------------- opening */

/* Where a file or standard error cannot be had, syslog is still better. */
static int
open_sink(const struct log_conf *c, struct fault *f)
{
	switch (c->to) {
	case LOG_TO_SYSLOG:
		(void)reconnect();
		return 0;
	case LOG_TO_STDERR:
		return fd_dup_high(2, &now.out, f);
	case LOG_TO_FILE:
		return file_open_append(c->file, &now.out, f);
	}
	return 0;
}

void
log_open(const struct log_conf *c)
{
	struct fault f = { .class = FAULT_NONE };

	log_close();
	tzset();
	now.open = true;
	now.to = c->to;
	now.facility = c->facility;
	now.debug = c->debug;
	now.trace = c->trace_fd;
	now.failed = false;
	now.pid = spawn_self();
	if (!span_cstr(span_str(c->socket), now.socket, sizeof(now.socket)))
		now.socket[0] = '\0';
	if (open_sink(c, &f) == 0)
		return;
	now.to = LOG_TO_SYSLOG;
	log_fault(LEVEL_ERR, "log-file", &f);
}

void
log_close(void)
{
	if (now.open && now.to == LOG_TO_SYSLOG) {
		(void)check_pid();
		now.failed = false;	/* the last chance of kept lines */
		(void)send_kept();
	}
	fd_close(&now.out);
	fd_close(&now.trace);
	now.open = false;
	now.count = 0;
	now.lost = 0;
	now.sid[0] = '\0';
	now.reopen = NULL;
}

int
log_trace_open(const char *path, int *fd_r, struct fault *f)
{
	return file_open_append(path, fd_r, f);
}

void
log_set_sid(const char *sid)
{
	(void)snprintf(now.sid, sizeof(now.sid), "%s", sid);
}

void
log_set_reopen(int (*fn)(void *ctx), void *ctx)
{
	now.reopen = fn;
	now.reopen_ctx = ctx;
}

size_t
log_fds(int fds[2])
{
	size_t n = 0;

	if (now.out >= 0)
		fds[n++] = now.out;
	if (now.trace >= 0)
		fds[n++] = now.trace;
	return n;
}

/* ------------------------------------------------------- lines */

bool
log_wants(enum log_level level)
{
	return now.open &&
	    (level != LEVEL_DEBUG || now.debug || now.trace >= 0);
}

void
log_begin(struct log_line *l, enum log_level level, const char *id)
{
	struct pen p = { l->b, 0, sizeof(l->b) };

	l->level = level;
	l->n = 0;
	if (!log_wants(level))
		return;			/* n == 0: the fields do nothing */
	ASSERT(pen_put(&p, id, strlen(id)));
	l->n = p.n;
	if (now.sid[0] != '\0')
		log_str(l, "sid", now.sid);
}

void
log_field(struct log_line *l, const char *key, struct span value)
{
	struct pen	p = { l->b, l->n, sizeof(l->b) };
	size_t		keyed = strlen(key) + 2;

	/* At least the key and "..." in quotes, or nothing. */
	if (l->n == 0 || keyed + 5 > p.cap - p.n)
		return;
	(void)pen_put(&p, " ", 1);
	(void)pen_put(&p, key, keyed - 2);
	(void)pen_put(&p, "=", 1);
	pen_value(&p, value);
	l->n = p.n;
}

void
log_str(struct log_line *l, const char *key, const char *value)
{
	log_field(l, key, span_str(value));
}

void
log_num(struct log_line *l, const char *key, uint64_t value)
{
	char	text[24];
	int	n = snprintf(text, sizeof(text), "%llu",
	    (unsigned long long)value);

	log_field(l, key, span_of(text, (size_t)n));
}

void
log_end(struct log_line *l)
{
	if (l->n > 0)
		emit(l->level, span_of(l->b, l->n));
	l->n = 0;
}

static void
report_lost(void)
{
	struct log_line l;
	uint64_t lost = now.lost;

	now.lost = 0;
	log_begin(&l, LEVEL_WARN, "log-lost");
	log_num(&l, "lines", lost);
	log_end(&l);
}

void
log_text(enum log_level level, const char *id, const char *fmt, ...)
{
	struct log_line	l;
	char		text[512] = "";
	va_list		ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_begin(&l, level, id);
	log_str(&l, "text", text);
	log_end(&l);
}

void
log_fault(enum log_level level, const char *id, const struct fault *f)
{
	struct log_line l;

	log_begin(&l, level, id);
	log_str(&l, "text", f->text);
	log_end(&l);
}

void
log_stats(struct span user, uint64_t deleted, uint64_t deleted_octets,
    uint64_t left, uint64_t left_octets, const char *rest)
{
	struct span	shown = span_first(user, VALUE_MAX);
	struct span	more = span_first(span_str(rest), VALUE_MAX);
	char		b[sizeof(((struct log_line *)0)->b)];
	struct pen	p = { b, 0, sizeof(b) };
	char		numbers[100];
	int		n;

	/* One word, whatever it holds: the fields are counted by blanks. */
	(void)pen_put(&p, "Stats: ", 7);
	for (size_t i = 0; i < shown.n; i++)
		(void)pen_octet(&p, shown.p[i], is_bare);
	n = snprintf(numbers, sizeof(numbers), " %llu %llu %llu %llu",
	    (unsigned long long)deleted, (unsigned long long)deleted_octets,
	    (unsigned long long)left, (unsigned long long)left_octets);
	(void)pen_put(&p, numbers, (size_t)n);
	if (more.n > 0)
		(void)pen_put(&p, " ", 1);
	for (size_t i = 0; i < more.n; i++)
		(void)pen_octet(&p, more.p[i], is_plain);
	if (now.sid[0] != '\0') {
		(void)pen_put(&p, " sid=", 5);
		for (const char *c = now.sid; *c != '\0'; c++)
			(void)pen_octet(&p, (uint8_t)*c, is_bare);
	}
	emit(LEVEL_NOTE, span_of(b, p.n));
}

void
log_dialogue(char direction, struct span line)
{
	const uint8_t	who = (uint8_t)direction;
	struct log_line	l;

	log_begin(&l, LEVEL_DEBUG, "dialogue");
	log_field(&l, "from", span_of(&who, 1));
	log_field(&l, "line", line);
	log_end(&l);
}

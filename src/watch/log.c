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
#include "watch/form.h"
#include "watch/pen.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum {
	VALUE_MAX	= 256,
	SID_MAX		= 31,
	STATS_IP_MAX	= 64,
	KEPT_MAX	= 32,
	SOCKET_MAX	= 108,		/* sun_path */
	WAIT_MS		= 100,		/* for a daemon that is busy */
	WAITS_MAX	= 5,
	RETRY_MS	= 1000,		/* between two attempts to connect, or two
					   waits */
};

static struct {
	bool		 open;
	enum log_to	 to;
	enum log_form	 form;
	char		 socket[SOCKET_MAX];	/* the daemon's */
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
	uint64_t	 stuck_ms;	/* until then a busy daemon is not waited
					   for */
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

/* Does a daemon take the lines, who may come and go? */
static bool
to_daemon(void)
{
	return now.to == LOG_TO_SYSLOG || now.to == LOG_TO_JOURNAL;
}

static void
sink_lines(int fd, const struct wire *w)
{
	char	b[FORM_MAX + 1];
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

	if (!to_daemon() ||
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
		/* One that hangs must not cost each line of ours its time. */
		if (clock_ms() < now.stuck_ms)
			return now.stream ? BROKEN : NOT_NOW;
		if (++waits > WAITS_MAX || sock_wait(&w, 1, WAIT_MS) == 0) {
			now.stuck_ms = clock_ms() + RETRY_MS;
			return now.stream ? BROKEN : NOT_NOW;
		}
	}
	now.stuck_ms = 0;
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
sink_daemon(const struct wire *w)
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

/* ------------------------------------------------------- sinks and forms */

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
render(struct wire *w, const struct log_line *l, const struct form_facts *facts)
{
	if (now.to == LOG_TO_JOURNAL)
		form_journal(w, l, facts);
	else if (now.form == LOG_JSON)
		form_json(w, l, facts);
	else
		form_text(w, l, facts);
	w->b[w->n] = '\0';
}

static void
emit(const struct log_line *l)
{
	struct form_facts	facts = { .facility = now.facility };
	struct wire		w;

	if (!now.open)
		return;
	facts.pid = (int)check_pid();
	(void)clock_gettime(CLOCK_REALTIME, &facts.now);
	if (now.trace >= 0) {
		form_text(&w, l, &facts);
		sink_lines(now.trace, &w);
	}
	if (l->level == LEVEL_DEBUG && now.trace >= 0)
		return;			/* instead of the log */
	render(&w, l, &facts);
	if (to_daemon())
		sink_daemon(&w);
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
	case LOG_TO_JOURNAL:
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
	spawn_at_exit(log_close);	/* the last chance of kept lines */
	now.open = true;
	now.to = c->to;
	now.form = c->form;
	now.facility = c->facility;
	now.debug = c->debug;
	now.trace = c->trace_fd;
	now.failed = false;
	now.pid = spawn_self();
	if (!span_cstr(span_str(c->to == LOG_TO_JOURNAL ? c->journal :
	    c->socket), now.socket, sizeof(now.socket)))
		now.socket[0] = '\0';
	if (open_sink(c, &f) == 0)
		return;
	now.to = LOG_TO_SYSLOG;
	log_fault(LEVEL_ERR, "log-file", &f);
}

void
log_close(void)
{
	if (now.open && to_daemon()) {
		(void)check_pid();
		now.failed = false;	/* ask once more, at once */
		now.stuck_ms = 0;
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
	l->id = id;
	l->n = 0;
	l->nparts = 0;
	if (!log_wants(level))
		return;			/* n == 0: the fields do nothing */
	ASSERT(pen_word(&p, id));
	l->n = p.n;
	if (now.sid[0] != '\0')
		log_str(l, "sid", now.sid);
}

/* Remember what stands from `from` on as the value of a field. */
static void
add_part(struct log_line *l, const char *key, size_t from, bool number)
{
	size_t	n = l->n - from;
	bool	quoted = n > 0 && l->b[from] == '"';

	l->parts[l->nparts++] = (struct log_part){
		.key = key,
		.at = (uint16_t)(from + (quoted ? 1 : 0)),
		.n = (uint16_t)(n - (quoted ? 2 : 0)),
		.number = number,
	};
}

static void
put_field(struct log_line *l, const char *key, struct span value, bool number)
{
	struct pen	p = { l->b, l->n, sizeof(l->b) };
	size_t		keyed = strlen(key) + 2;
	size_t		least = number ? value.n + 3 : 5;
	size_t		from;

	/* At least the key and "..." in quotes, a whole number, or nothing. */
	if (l->n == 0 || keyed + least > p.cap - p.n ||
	    l->nparts == LOG_PARTS_MAX)
		return;
	(void)pen_put(&p, " ", 1);
	(void)pen_put(&p, key, keyed - 2);
	(void)pen_put(&p, "=", 1);
	from = p.n;
	pen_value(&p, value);
	l->n = p.n;
	add_part(l, key, from, number);
}

void
log_value(char *out, size_t cap, struct span value)
{
	struct pen p = { out, 0, cap - 1 };

	pen_value(&p, value);
	out[p.n] = '\0';
}

void
log_json(char out[LOG_JSON_MAX], struct span value)
{
	char	text[LOG_VALUE_MAX];
	size_t	n = 0;

	log_value(text, sizeof(text), value);
	out[n++] = '"';
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\\')
			out[n++] = '\\';
		if (*p != '"')
			out[n++] = *p;
	}
	out[n++] = '"';
	out[n] = '\0';
}

void
log_field(struct log_line *l, const char *key, struct span value)
{
	put_field(l, key, value, false);
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

	put_field(l, key, span_of(text, (size_t)n), true);
}

void
log_end(struct log_line *l)
{
	if (l->n > 0)
		emit(l);
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

/* A piece of the statistics line, and the field that it is in other forms. */
static void
stats_piece(struct log_line *l, const char *before, const char *key,
    struct span value, bool (*as_it_is)(uint8_t), bool number)
{
	struct pen	p = { l->b, l->n, sizeof(l->b) };
	size_t		from;

	(void)pen_word(&p, before);
	from = p.n;
	for (size_t i = 0; i < value.n; i++)
		(void)pen_octet(&p, value.p[i], as_it_is);
	l->n = p.n;
	add_part(l, key, from, number);
}

static void
stats_number(struct log_line *l, const char *key, uint64_t value)
{
	char	text[24];
	int	n = snprintf(text, sizeof(text), "%llu",
	    (unsigned long long)value);

	stats_piece(l, " ", key, span_of(text, (size_t)n), is_bare, true);
}

/* Nothing of the line is cut but user and address. */
static_assert(4 * (VALUE_MAX + STATS_IP_MAX + SID_MAX) + 200 < LOG_LINE_MAX,
    "statistics");

void
log_stats(struct span user, uint64_t deleted, uint64_t deleted_octets,
    uint64_t left, uint64_t left_octets, const char *ip)
{
	struct log_line	l = { .level = LEVEL_NOTE, .id = "stats" };
	struct span	from = span_first(span_str(ip), STATS_IP_MAX);

	/* One word, whatever it holds: the fields are counted by blanks. */
	stats_piece(&l, "Stats: ", "user", span_first(user, VALUE_MAX),
	    is_bare, false);
	stats_number(&l, "deleted", deleted);
	stats_number(&l, "deleted_octets", deleted_octets);
	stats_number(&l, "left", left);
	stats_number(&l, "left_octets", left_octets);
	if (from.n > 0)
		stats_piece(&l, " ", "ip", from, is_plain, false);
	if (now.sid[0] != '\0')
		stats_piece(&l, " sid=", "sid", span_str(now.sid), is_bare,
		    false);
	emit(&l);
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

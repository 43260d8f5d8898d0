/* SPDX-License-Identifier: ISC */
#include "role/pump.h"

#include "proto/command.h"

#include "sys/file.h"
#include "sys/signals.h"
#include "sys/sock.h"
#include "watch/log.h"

#include <errno.h>

/* Free room before a line is taken; see SAY_ROOM in pop/say.h. */
#define PUMP_ROOM	2048u
#define PUMP_SEND_AT	(LIMIT_OUTPUT / 2)
/* How often the kernel's buffer is looked at while it drains. */
#define PUMP_LOOK_MS	1000
/* The longest sleep. */
#define PUMP_SLEEP_MS	10000

const char *
pump_end_word(enum pump_end e)
{
	switch (e) {
	case PUMP_END_CLOSED:
		return "closed";
	case PUMP_END_ABORTED:
		return "aborted";
	case PUMP_END_LEFT:
		return "left";
	case PUMP_END_EOF:
		return "client-gone";
	case PUMP_END_TIMEOUT:
		return "timeout";
	case PUMP_END_STOPPED:
		return "stopped";
	case PUMP_END_ORPHANED:
		return "monitor-gone";
	}
	return "?";
}

void
pump_init(struct pump *p)
{
	*p = (struct pump){ .in = -1, .out_fd = -1, .hold_fd = -1 };
	buf_init(&p->out, LIMIT_OUTPUT);
	line_init(&p->lines);
}

void
pump_fini(struct pump *p)
{
	buf_fini(&p->out);
	explicit_bzero(p->input, sizeof(p->input));
	explicit_bzero(&p->lines, sizeof(p->lines));
}

void
pump_preload(struct pump *p, struct span s)
{
	ASSERT(p->in_n == 0 && s.n <= sizeof(p->input));
	memcpy(p->input, s.p, s.n);
	p->in_n = s.n;
	p->octets_in = s.n;
}

struct span
pump_rest(const struct pump *p)
{
	return span_of(p->input + p->in_pos, p->in_n - p->in_pos);
}

/* Passwords are masked, and all of a line that is no known command. */
static void
log_in(struct span line)
{
	char text[LIMIT_LINE];

	if (log_wants(LEVEL_DEBUG))
		log_dialogue('C', span_of(text,
		    command_redact(line, text, sizeof(text))));
}

static void
log_out(struct span text)
{
	size_t n = span_find(text, '\r');

	if (log_wants(LEVEL_DEBUG))
		log_dialogue('S', span_first(text, n));
}

/* One line from what was read; PUMP_LINE again when there was none. */
static bool
take_line(struct pump *p, enum pump_next *next)
{
	struct span	in = pump_rest(p);
	struct span	line;
	size_t		before = buf_len(&p->out);
	enum line_result r;

	r = line_feed(&p->lines, &in, &line);
	p->in_pos = p->in_n - in.n;
	if (r == LINE_MORE)
		return false;
	p->progress_ms = clock_ms();
	if (r == LINE_READY) {
		log_in(line);
		*next = p->ops->line(p->ctx, line, &p->out);
	} else {
		*next = p->ops->too_long(p->ctx, &p->out);
	}
	if (buf_len(&p->out) > before)
		log_out(span_skip(buf_span(&p->out), before));
	return true;
}

static bool
take_raw(struct pump *p, enum pump_next *next)
{
	struct span in = pump_rest(p);

	if (in.n == 0)
		return false;
	p->progress_ms = clock_ms();
	*next = p->ops->collect(p->ctx, &in, &p->out);
	p->in_pos = p->in_n - in.n;
	return true;
}

/* Do what can be done without waiting; false when waiting is due. */
static bool
step(struct pump *p, enum pump_next *next)
{
	if (buf_room(&p->out) < PUMP_ROOM)
		return false;
	switch (*next) {
	case PUMP_LINE:
		return take_line(p, next);
	case PUMP_COLLECT:
		return take_raw(p, next);
	case PUMP_FILL:
		*next = p->ops->fill(p->ctx, &p->out);
		return true;
	case PUMP_HOLD:
	case PUMP_CLOSE:
	case PUMP_ABORT:
	case PUMP_LEAVE:
		break;
	}
	return false;
}

/* 0, or -1 when the client is gone. */
static int
send_some(struct pump *p)
{
	struct fault	f;
	ssize_t		n;

	while (buf_len(&p->out) > 0) {
		n = sock_write(p->out_fd, buf_span(&p->out), &f);
		if (n < 0)
			return f.err == EAGAIN ? 0 : -1;
		buf_consume(&p->out, (size_t)n);
		p->octets_out += (uint64_t)n;
		p->progress_ms = clock_ms();
	}
	return 0;
}

/* 0, or -1 when the client is gone. */
static int
receive_some(struct pump *p)
{
	struct fault	f;
	ssize_t		n;

	p->in_pos = 0;
	p->in_n = 0;
	n = sock_read(p->in, p->input, sizeof(p->input), &f);
	if (n < 0)
		return f.err == EAGAIN ? 0 : -1;
	if (n == 0)
		p->in_ended = true;
	p->in_n = (size_t)n;
	p->octets_in += (uint64_t)n;
	return 0;
}

/* Has the client taken octets from the kernel's buffer meanwhile? */
static void
look_at_unsent(struct pump *p)
{
	uint64_t unsent = sock_unsent(p->out_fd);

	if (unsent < p->unsent)
		p->progress_ms = clock_ms();
	p->unsent = unsent;
}

/* How long to sleep at the most; 0 when the time is over. */
static uint64_t
time_left(const struct pump *p, enum pump_next next)
{
	uint64_t now = clock_ms();
	uint64_t end = p->progress_ms + 1000ull * p->idle_s;
	uint64_t most = p->unsent > 0 ? PUMP_LOOK_MS : PUMP_SLEEP_MS;

	if (p->deadline_ms != 0 && p->deadline_ms < end)
		end = p->deadline_ms;
	if (next == PUMP_HOLD)		/* the client waits for us */
		end = UINT64_MAX;
	if (now >= end)
		return 0;
	return end - now < most ? end - now : most;
}

enum waited { WAITED, WAITED_TIMEOUT, WAITED_GONE, WAITED_ORPHANED };

static enum waited
wait_client(struct pump *p, enum pump_next *next)
{
	struct wait_for	w[3] = {
		{ .fd = -1 },
		{ .fd = -1 },
		{ .fd = p->hold_fd, .events = WAIT_READ },
	};
	bool		wants_input = *next == PUMP_LINE || *next == PUMP_COLLECT;
	uint64_t	ms;

	if (wants_input && buf_len(&p->out) < PUMP_SEND_AT && !p->in_ended)
		w[0] = (struct wait_for){ .fd = p->in, .events = WAIT_READ };
	if (buf_len(&p->out) > 0)
		w[1] = (struct wait_for){ .fd = p->out_fd, .events = WAIT_WRITE };
	look_at_unsent(p);
	ms = time_left(p, *next);
	if (ms == 0)
		return WAITED_TIMEOUT;
	(void)sock_wait(w, ARRAY_LEN(w), (int)ms);
	if (w[1].ready && send_some(p) != 0)
		return WAITED_GONE;
	if (w[0].ready && receive_some(p) != 0)
		return WAITED_GONE;
	if (w[2].ready && *next != PUMP_HOLD)
		return WAITED_ORPHANED;
	if (w[2].ready) {
		*next = p->ops->held(p->ctx, &p->out);
		p->progress_ms = clock_ms();
	}
	return WAITED;
}

/* Nothing more will come, and all that came was used. */
static bool
starved(const struct pump *p, enum pump_next next)
{
	return p->in_ended && p->in_pos == p->in_n &&
	    (next == PUMP_LINE || next == PUMP_COLLECT);
}

enum pump_end
pump_run(struct pump *p, enum pump_next next)
{
	p->progress_ms = clock_ms();
	for (;;) {
		while (!signals_stopping() && step(p, &next))
			if (buf_len(&p->out) >= PUMP_SEND_AT &&
			    send_some(p) != 0)
				return PUMP_END_EOF;
		if (next == PUMP_ABORT)
			return PUMP_END_ABORTED;
		if (send_some(p) != 0)
			return PUMP_END_EOF;
		if (buf_len(&p->out) == 0 && next == PUMP_LEAVE)
			return PUMP_END_LEFT;
		if (buf_len(&p->out) == 0 && next == PUMP_CLOSE)
			return PUMP_END_CLOSED;
		if (buf_len(&p->out) == 0 && starved(p, next))
			return PUMP_END_EOF;
		if (signals_stopping())
			return PUMP_END_STOPPED;
		if (next == PUMP_FILL && buf_room(&p->out) >= PUMP_ROOM)
			continue;
		switch (wait_client(p, &next)) {
		case WAITED:
			break;
		case WAITED_TIMEOUT:
			return PUMP_END_TIMEOUT;
		case WAITED_GONE:
			return PUMP_END_EOF;
		case WAITED_ORPHANED:
			return PUMP_END_ORPHANED;
		}
	}
}

void
pump_drain(struct pump *p)
{
	uint64_t	end = clock_ms() + 1000ull * p->drain_s;
	struct wait_for	w = { .fd = p->in, .events = WAIT_READ };

	if (!fd_is_socket(p->out_fd))
		return;		/* a pipe loses nothing when it is closed */
	sock_shutdown_write(p->out_fd);
	while (!p->in_ended && !signals_stopping()) {
		uint64_t now = clock_ms();

		if (now >= end)
			return;
		if (sock_wait(&w, 1, (int)(end - now)) > 0 &&
		    receive_some(p) != 0)
			return;
	}
}

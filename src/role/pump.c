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
/* The same, when we wait for it: no event tells. */
#define PUMP_TAKEN_MS	10
/* The longest sleep: poll(2) counts in an int.  Thousands are idle at a time, so
 * nobody wakes but for what has a time. */
#define PUMP_SLEEP_MS	3600000
/* Lines, or buffers full, of one client before others have their turn. */
#define PUMP_TURN	32
/* Waits at the most between two tries to do without. */
#define PUMP_SKIP_MAX	63

enum pump_next
pump_after(enum authorize_next n)
{
	switch (n) {
	case AUTHORIZE_MORE:
		return PUMP_LINE;
	case AUTHORIZE_ASK:
	case AUTHORIZE_RESPOND:
		return PUMP_HOLD;
	case AUTHORIZE_TLS:
		return PUMP_LEAVE;
	case AUTHORIZE_CLIENT:
	case AUTHORIZE_CLOSE:
		break;
	}
	return PUMP_CLOSE;
}

const char *
pump_end_word(enum pump_end e)
{
	switch (e) {
	case PUMP_GOES_ON:
		break;
	case PUMP_END_CLOSED:
		return "closed";
	case PUMP_END_ABORTED:
		return "aborted";
	case PUMP_END_LEFT:
		return "left";
	case PUMP_END_EOF:
	case PUMP_END_SILENT:
		return "client-gone";
	case PUMP_END_TIMEOUT:
		return "timeout";
	case PUMP_END_SLOW:
		return "too-slow";
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
	*p = (struct pump){ .in = -1, .out_fd = -1, .far_fd = -1,
	    .hold_fd = -1 };
	buf_init(&p->out, LIMIT_OUTPUT);
	buf_init(&p->kept, LIMIT_INPUT);
	line_init(&p->lines);
}

void
pump_fini(struct pump *p)
{
	buf_fini(&p->out);
	buf_fini(&p->kept);
	if (!p->shared && p->room != NULL)
		explicit_bzero(p->room, LIMIT_INPUT);
	line_fini(&p->lines);
}

void
pump_again(struct pump *p)
{
	struct pump fresh;

	pump_init(&fresh);
	memcpy(&fresh, p, offsetof(struct pump, next));
	fresh.lines.wide = p->lines.wide;
	pump_fini(p);
	*p = fresh;
}

void
pump_preload(struct pump *p, struct span s)
{
	ASSERT(p->rest.n == 0 && buf_append(&p->kept, s) == 0);
	p->rest = buf_span(&p->kept);
	p->octets_in = s.n;
}

void
pump_expect(struct pump *p, enum line_width width, bool secret)
{
	p->lines.wide = width;
	p->secret = secret;
}

struct span
pump_rest(const struct pump *p)
{
	return p->rest;
}

/* Before others get the room, and what is not needed any more goes back. */
static void
keep_rest(struct pump *p)
{
	bool in_kept = p->kept.p != NULL && p->rest.p >= p->kept.p &&
	    p->rest.p < p->kept.p + p->kept.cap;

	if (p->rest.n == 0) {
		buf_fini(&p->kept);
	} else if (p->shared && !in_kept) {
		buf_clear(&p->kept);
		ASSERT(buf_append(&p->kept, p->rest) == 0);
		p->rest = buf_span(&p->kept);
	}
	if (p->shared && buf_len(&p->out) == 0)
		buf_fini(&p->out);
}

/* --- log and trace --------------------------------------------------------- */

static bool
is_shown(void)
{
	return trace_on() || log_wants(LEVEL_DEBUG);
}

/*
 * Passwords are masked, and all of a line that is no known command.  True: it is in
 * a trace; else it may be once it is done: a USER tells whose it was.
 */
static bool
show_line(const struct pump *p, struct span line, bool secret, bool done)
{
	UNZEROED char	text[LIMIT_LINE];
	struct span	redacted;

	if (!is_shown())
		return false;
	redacted = secret ? SPAN("***") :
	    span_of(text, command_redact(line, text, sizeof(text)));
	if (!done)
		log_dialogue('C', redacted);
	return trace_say(&p->who, TRACE_CLIENT, redacted);
}

static void
count(struct pump_rest *r, struct span s)
{
	r->octets += s.n;
	for (size_t i = 0; i < s.n; i++)
		r->lines += s.p[i] == '\n';
}

static void
show_rest(const struct pump *p, enum trace_what what, struct pump_rest *r)
{
	if (r->octets > 0)
		trace_count(&p->who, what, r->lines, r->octets);
	*r = (struct pump_rest){ 0 };
}

/* What is new in the output: of a reply the first line, and how much follows. */
static void
show_reply(struct pump *p, bool begins)
{
	struct span	new = span_skip(buf_span(&p->out), p->shown);
	struct span	first = span_first(new, begins ? span_find(new, '\n') : 0);

	p->shown = buf_len(&p->out);
	if (!is_shown())
		return;
	if (begins && new.n > 0) {
		p->reply = (struct pump_rest){ 0 };
		new = span_skip(new, first.n + (first.n < new.n ? 1 : 0));
		first = span_first(first, span_find(first, '\r'));
		log_dialogue('S', first);
		(void)trace_say(&p->who, TRACE_SERVER, first);
	}
	if (trace_wants(&p->who))
		count(&p->reply, new);
	if (p->next != PUMP_FILL)
		show_rest(p, TRACE_SERVER_REST, &p->reply);
}

/* --- the client's octets ---------------------------------------------------- */

/* One line from what was read; PUMP_LINE again when there was none. */
static bool
take_line(struct pump *p, enum pump_next *next)
{
	struct span	line;
	enum line_result r;
	bool		begun = p->rest.n > 0;
	bool		shown;
	bool		secret;

	r = line_feed(&p->lines, &p->rest, &line);
	if (r == LINE_MORE && begun)
		sock_ack(p->far_fd >= 0 ? p->far_fd : p->in);
	if (r == LINE_MORE)
		return false;
	p->progress_ms = clock_ms();
	if (r == LINE_READY) {
		secret = p->secret;
		shown = show_line(p, line, secret, false);
		*next = p->ops->line(p->ctx, line, &p->out);
		if (!shown)
			(void)show_line(p, line, secret, true);
	} else {
		(void)trace_say(&p->who, TRACE_CLIENT, SPAN("***"));
		*next = p->ops->too_long(p->ctx, &p->out);
	}
	show_reply(p, true);
	return true;
}

static bool
take_raw(struct pump *p, enum pump_next *next)
{
	struct span before;

	if (p->rest.n == 0)
		return false;
	p->progress_ms = clock_ms();
	before = p->rest;
	*next = p->ops->collect(p->ctx, &p->rest, &p->out);
	if (trace_wants(&p->who))
		count(&p->message, span_first(before, before.n - p->rest.n));
	if (*next != PUMP_COLLECT)
		show_rest(p, TRACE_CLIENT_REST, &p->message);
	show_reply(p, true);
	return true;
}

static ssize_t
wire_read(struct pump *p, struct fault *f)
{
	return p->wire == NULL ? sock_read(p->in, p->room, LIMIT_INPUT, f) :
	    p->wire->read(p->wire_ctx, p->room, LIMIT_INPUT, f);
}

/* more: something follows at once. */
static ssize_t
wire_write(struct pump *p, bool more, struct fault *f)
{
	struct span s = buf_span(&p->out);

	if (p->wire != NULL)
		return p->wire->write(p->wire_ctx, s, f);
	return more ? sock_write_more(p->out_fd, s, f) :
	    sock_write(p->out_fd, s, f);
}

static void
note_sent(struct pump *p, uint64_t n)
{
	p->octets_out += n;
	p->progress_ms = clock_ms();
	if (p->unsent == 0)
		p->looked_ms = p->progress_ms;
	p->unsent += n;
}

/* 0, or -1 when the client is gone. */
static int
send_some(struct pump *p, bool more)
{
	struct fault	f;
	ssize_t		n;

	while (buf_len(&p->out) > 0) {
		n = wire_write(p, more, &f);
		if (n < 0)
			return f.err == EAGAIN ? 0 : -1;
		buf_consume(&p->out, (size_t)n);
		p->shown -= (size_t)n;
		note_sent(p, (uint64_t)n);
	}
	return 0;
}

/* From a file to the socket, behind what is in the output, which goes with it. */
static bool
pass_file(struct pump *p, enum pump_next *next)
{
	struct pump_file	part;
	struct fault		f;
	ssize_t			n;

	p->gone = send_some(p, true) != 0;
	if (p->gone || buf_len(&p->out) > 0)
		return false;
	*next = p->ops->file(p->ctx, p->file_sent, &part);
	p->file_sent = 0;
	if (*next != PUMP_FILE)
		return true;
	n = sock_send_file(p->out_fd, part.fd, part.off, (size_t)part.n, &f);
	if (n > 0) {
		note_sent(p, (uint64_t)n);
		p->file_sent = (uint64_t)n;
		p->file_end = p->octets_out;
		return true;
	}
	if (n == 0 || f.err == EIO || f.err == ESTALE)
		*next = PUMP_ABORT;
	else if (f.err == EINVAL || f.err == ENOSYS)
		*next = p->ops->file(p->ctx, 0, NULL);
	else
		p->gone = f.err != EAGAIN;
	return *next != PUMP_FILE;
}

/* Until then the kernel has it from the file, whatever that becomes. */
static bool
is_file_taken(const struct pump *p)
{
	return sock_unsent(p->out_fd) <= p->octets_out - p->file_end;
}

/* 0, or -1 when the client is gone. */
static int
receive_some(struct pump *p)
{
	struct fault	f;
	ssize_t		n;

	ASSERT(p->rest.n == 0);
	n = wire_read(p, &f);
	if (n < 0)
		return f.err == EAGAIN ? 0 : -1;
	if (n == 0)
		p->in_ended = true;
	p->rest = span_of(p->room, (size_t)n);
	p->octets_in += (uint64_t)n;
	return 0;
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
		show_reply(p, false);
		return true;
	case PUMP_FILE:
		return pass_file(p, next);
	case PUMP_TAKEN:
		if (!is_file_taken(p))
			return false;
		*next = PUMP_FILL;
		return true;
	case PUMP_HOLD:
	case PUMP_CLOSE:
	case PUMP_ABORT:
	case PUMP_LEAVE:
		break;
	}
	return false;
}

/* Has the client taken octets from the kernel's buffer meanwhile? */
static void
look_at_unsent(struct pump *p, uint64_t now)
{
	uint64_t unsent = sock_unsent(p->out_fd);

	if (p->far_fd >= 0)
		unsent += sock_unsent(p->far_fd);
	if (unsent < p->unsent)
		p->progress_ms = now;
	p->unsent = unsent;
	p->looked_ms = now;
}

static bool
is_over(const struct pump *p, uint64_t since_ms, uint64_t now)
{
	return now - since_ms >= 1000ull * p->idle_s;
}

/* Not for each reply: a client that goes on has it.  But before a time is over. */
static bool
is_look_due(const struct pump *p, uint64_t now)
{
	return p->unsent > 0 && (now - p->looked_ms >= PUMP_LOOK_MS ||
	    is_over(p, p->progress_ms, now) ||
	    (p->min_rate > 0 && is_over(p, p->taken.since_ms, now)));
}

/* One look at a window: did it end without its goal, and with too little? */
static bool
fell_behind(const struct pump *p, struct pump_rate *r, uint64_t count,
    uint64_t goal, uint64_t now)
{
	bool behind = false;

	if (count < r->goal && !is_over(p, r->since_ms, now))
		return false;
	if (count < r->goal)
		behind = count - r->count < (uint64_t)p->min_rate * p->idle_s;
	*r = (struct pump_rate){ now, count, goal };
	return behind;
}

/*
 * Of what waited for the client when a window began, it must take all, or
 * min_rate; so who asks for little, now and then, is never slow.  What it sends
 * is looked at while we collect: until then a line's time is the idle clock's.
 */
static bool
takes_slowly(struct pump *p, uint64_t now)
{
	uint64_t made = p->octets_out + buf_len(&p->out);
	uint64_t taken = p->octets_out > p->unsent ?
	    p->octets_out - p->unsent : 0;

	return p->min_rate > 0 && fell_behind(p, &p->taken, taken, made, now);
}

static bool
gives_slowly(struct pump *p, uint64_t now)
{
	if (p->next != PUMP_COLLECT)
		p->given = (struct pump_rate){ 0 };
	return p->min_rate > 0 && p->next == PUMP_COLLECT &&
	    fell_behind(p, &p->given, p->octets_in, UINT64_MAX, now);
}

static void
look_at_client(struct pump *p, uint64_t now)
{
	if (is_look_due(p, now))
		look_at_unsent(p, now);
	if (takes_slowly(p, now) || gives_slowly(p, now))
		p->slow = true;
}

/* A time that nothing winds again. */
static bool
is_late(const struct pump *p)
{
	return p->deadline_ms != 0 && p->next != PUMP_HOLD &&
	    clock_ms() >= p->deadline_ms;
}

/* How long to sleep at the most; 0 when the time is over. */
static uint64_t
time_left(const struct pump *p, enum pump_next next, uint64_t now)
{
	uint64_t end = p->progress_ms + 1000ull * p->idle_s;
	uint64_t most = next == PUMP_TAKEN ? PUMP_TAKEN_MS :
	    p->unsent > 0 ? PUMP_LOOK_MS : PUMP_SLEEP_MS;

	if (p->deadline_ms != 0 && p->deadline_ms < end)
		end = p->deadline_ms;
	if (next == PUMP_HOLD)		/* the client waits for us */
		end = UINT64_MAX;
	if (now >= end || p->slow)
		return 0;
	return end - now < most ? end - now : most;
}

/* Nothing more will come, and all that came was used. */
static bool
starved(const struct pump *p)
{
	return p->in_ended && p->rest.n == 0 &&
	    (p->next == PUMP_LINE || p->next == PUMP_COLLECT);
}

/* May be read now, if there is something. */
static bool
takes_input(const struct pump *p)
{
	return (p->next == PUMP_LINE || p->next == PUMP_COLLECT) &&
	    p->rest.n == 0 && !p->in_ended && buf_len(&p->out) < PUMP_SEND_AT;
}

bool
pump_pending(const struct pump *p)
{
	if (buf_room(&p->out) < PUMP_ROOM)
		return false;
	return p->next == PUMP_FILL || (p->rest.n > 0 &&
	    (p->next == PUMP_LINE || p->next == PUMP_COLLECT)) ||
	    (p->wire != NULL && takes_input(p) && p->wire->pending(p->wire_ctx));
}

/* Do all that can be done without waiting, within the bound of a turn. */
static enum pump_end
turn(struct pump *p)
{
	unsigned left = PUMP_TURN;

	for (;;) {
		while (left > 0 && !signals_stopping() && step(p, &p->next)) {
			left--;
			if (buf_len(&p->out) >= PUMP_SEND_AT &&
			    send_some(p, false) != 0)
				return PUMP_END_EOF;
		}
		if (p->gone)
			return PUMP_END_EOF;
		if (p->next == PUMP_ABORT)
			return PUMP_END_ABORTED;
		if (left == 0 && pump_pending(p) && !signals_stopping())
			break;		/* replies go on being collected */
		if (send_some(p, false) != 0)
			return PUMP_END_EOF;
		if (buf_len(&p->out) == 0 && p->next == PUMP_LEAVE)
			return PUMP_END_LEFT;
		if (buf_len(&p->out) == 0 && p->next == PUMP_CLOSE)
			return PUMP_END_CLOSED;
		if (buf_len(&p->out) == 0 && starved(p))
			return PUMP_END_EOF;
		if (signals_stopping())
			return PUMP_END_STOPPED;
		if (p->next != PUMP_FILL || buf_room(&p->out) < PUMP_ROOM)
			break;
	}
	keep_rest(p);
	return PUMP_GOES_ON;
}

enum pump_end
pump_start(struct pump *p, enum pump_next next)
{
	p->progress_ms = clock_ms();
	p->next = next;
	show_reply(p, true);
	return turn(p);
}

uint64_t
pump_wish(struct pump *p, unsigned *events_r)
{
	uint64_t now = clock_ms();

	*events_r = 0;
	look_at_client(p, now);
	if (pump_pending(p))
		return time_left(p, p->next, now);
	if (takes_input(p))
		*events_r |= p->wire != NULL &&
		    (p->wire->wants(p->wire_ctx) & PUMP_WRITE) != 0 ?
		    PUMP_WRITE : PUMP_READ;
	if (buf_len(&p->out) > 0 || p->next == PUMP_FILE)
		*events_r |= PUMP_WRITE;
	return time_left(p, p->next, now);
}

enum pump_end
pump_over(const struct pump *p)
{
	return p->slow && !is_over(p, p->progress_ms, clock_ms()) ?
	    PUMP_END_SLOW : PUMP_END_TIMEOUT;
}

static bool
is_silent(const struct pump *p)
{
	unsigned next_ms;

	return p->gone_s > 0 && p->unsent > 0 &&
	    sock_peer_gone(p->far_fd >= 0 ? p->far_fd : p->out_fd,
	    1000 * p->gone_s, &next_ms);
}

enum pump_end
pump_event(struct pump *p, unsigned ready)
{
	if (ready == 0 && is_silent(p))
		return PUMP_END_SILENT;
	if (is_late(p))
		return PUMP_END_TIMEOUT;
	if ((ready & PUMP_WRITE) != 0 && send_some(p, false) != 0)
		return PUMP_END_EOF;
	if (((ready & PUMP_READ) != 0 || (p->wire != NULL && takes_input(p))) &&
	    receive_some(p) != 0)
		return PUMP_END_EOF;
	return turn(p);
}

enum pump_end
pump_answered(struct pump *p, enum pump_next next)
{
	return pump_start(p, next);
}

/* Is it worth a try?  Not for ever without a look at hold_fd. */
static bool
tries_due(struct pump_tries *t)
{
	if (t->skip == 0 && t->good < PUMP_TURN)
		return true;
	t->good = 0;
	if (t->skip > 0)
		t->skip--;
	return false;
}

/*
 * Who answers at once need not be waited for: his command may be there when the answer
 * to the last one has gone.  Each try in vain is followed by twice as many waits as
 * the one before.
 */
static bool
read_at_once(struct pump *p, enum pump_end *end_r)
{
	struct pump_tries	*t = &p->tries;
	uint64_t		 had = p->octets_in;

	if (!tries_due(t))
		return false;
	*end_r = pump_event(p, PUMP_READ);
	if (p->octets_in > had || *end_r != PUMP_GOES_ON) {
		t->good++;
		t->skipped = 0;
		return true;
	}
	t->skipped = t->skipped < PUMP_SKIP_MAX ? 2 * t->skipped + 1 :
	    PUMP_SKIP_MAX;
	t->skip = t->skipped;
	return false;
}

enum pump_end
pump_run(struct pump *p, enum pump_next next)
{
	/* any other kind may make a read wait */
	const bool	sockets = p->wire == NULL && fd_is_socket(p->in);
	enum pump_end	end = pump_start(p, next);

	while (end == PUMP_GOES_ON) {
		unsigned	events;
		uint64_t	ms = pump_wish(p, &events);
		struct wait_for	w[3] = {
			{ .fd = events & PUMP_READ ? p->in : -1,
			    .events = WAIT_READ },
			{ .fd = events & PUMP_WRITE ? p->out_fd : -1,
			    .events = WAIT_WRITE },
			{ .fd = p->hold_fd, .events = WAIT_READ },
		};

		if (ms == 0)
			return pump_over(p);
		if (sockets && events == PUMP_READ && read_at_once(p, &end))
			continue;
		(void)sock_wait(w, ARRAY_LEN(w), pump_pending(p) ? 0 : (int)ms);
		if (w[2].ready && p->next != PUMP_HOLD)
			return PUMP_END_ORPHANED;
		end = pump_event(p, (w[0].ready ? PUMP_READ : 0u) |
		    (w[1].ready ? PUMP_WRITE : 0u));
		if (end == PUMP_GOES_ON && w[2].ready)
			end = pump_answered(p, p->ops->held(p->ctx, &p->out));
	}
	return end;
}

void
pump_forget(struct pump *p)
{
	if (p->unsent > 0)
		look_at_unsent(p, clock_ms());
	if (p->unsent > 0)
		sock_forget_unsent(p->far_fd >= 0 ? p->far_fd : p->out_fd);
}

void
pump_drain(struct pump *p)
{
	uint64_t	end = clock_ms() + 1000ull * p->drain_s;
	struct wait_for	w = { .fd = p->in, .events = WAIT_READ };

	/* What still comes is swallowed as it comes. */
	if (p->wire != NULL)
		p->wire->end(p->wire_ctx);
	p->wire = NULL;
	if (!fd_is_socket(p->out_fd))
		return;		/* a pipe loses nothing when it is closed */
	sock_shutdown_write(p->out_fd);
	while (!p->in_ended && !signals_stopping()) {
		uint64_t now = clock_ms();

		if (now >= end)
			return;
		p->rest = SPAN("");
		if (sock_wait(&w, 1, (int)(end - now)) > 0 &&
		    receive_some(p) != 0)
			return;
	}
}

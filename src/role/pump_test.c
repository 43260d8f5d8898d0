/* SPDX-License-Identifier: ISC */
#include "role/pump.h"

#include "sys/sock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN	32		/* lines of one call */
#define IDLE_S	100
#define RATE	10		/* octets a second */

static uint64_t		now_ms;
static unsigned		ticks;		/* ms that each look at the clock takes */
static struct pump	pump;
static uint8_t		room[LIMIT_INPUT];
static int		client;		/* its end of the connection */
static unsigned		lines;
static size_t		to_fill;	/* octets that fill has yet to write */
static unsigned		filled;

static int		file = -1;	/* what on_file has */
static size_t		file_at;
static size_t		file_n;
static bool		file_refused;

static unsigned		acks;
static int		acked;		/* the socket of the last one */

static uint64_t		taken;		/* octets, by the client */
static unsigned		looks;		/* at how many those are */

/* Of pump_run: what its client is like. */
static unsigned		commands;	/* that it has yet to say */
static unsigned		prompt_from;	/* those from here, counted from the last, */
static unsigned		prompt_to;	/* come before we can wait for them */
static int		mouth;		/* where it says them */
static bool		orphans;	/* the first wait is our last */
static bool		waited_for;	/* is what is read next */
static unsigned		tries;		/* to read what was not */
static unsigned		waits;

uint64_t	__wrap_clock_ms(void);
void		__wrap_sock_ack(int fd);
uint64_t	__wrap_sock_unsent(int fd);
ssize_t		__real_sock_read(int fd, void *p, size_t n, struct fault *f);
ssize_t		__wrap_sock_read(int fd, void *p, size_t n, struct fault *f);
int		__wrap_sock_wait(struct wait_for *w, size_t n, int timeout_ms);

uint64_t
__wrap_clock_ms(void)
{
	uint64_t now = now_ms;

	now_ms += ticks;
	return now;
}

/* A local socket counts its buffers, with all that they cost. */
uint64_t
__wrap_sock_unsent(int fd)
{
	(void)fd;
	looks++;
	return pump.octets_out - taken;
}

void
__wrap_sock_ack(int fd)
{
	acks++;
	acked = fd;
}

static enum pump_next
on_line(void *ctx, struct span line, struct buf *out)
{
	(void)ctx;
	lines++;
	if (span_eq(line, SPAN("fill")))
		return PUMP_FILL;
	if (span_eq(line, SPAN("file"))) {
		assert_int_equal(buf_append(out, SPAN("head\r\n")), 0);
		return PUMP_FILE;
	}
	if (span_eq(line, SPAN("collect")))
		return PUMP_COLLECT;
	assert_int_equal(buf_append(out, SPAN("+\r\n")), 0);
	return PUMP_LINE;
}

static enum pump_next
on_fill(void *ctx, struct buf *out)
{
	static const uint8_t	x[1024];
	size_t			n = to_fill < sizeof(x) ? to_fill : sizeof(x);

	(void)ctx;
	filled++;
	assert_int_equal(buf_append(out, span_of(x, n)), 0);
	to_fill -= n;
	return to_fill > 0 ? PUMP_FILL : PUMP_LINE;
}

static enum pump_next
on_collect(void *ctx, struct span *in, struct buf *out)
{
	(void)ctx;
	(void)out;
	*in = span_skip(*in, in->n);
	return PUMP_COLLECT;
}

/* As a session has it: the end is not the file's. */
static enum pump_next
on_file(void *ctx, uint64_t sent, struct pump_file *out)
{
	(void)ctx;
	file_at += sent;
	file_refused |= out == NULL;
	if (out == NULL || file_at == file_n)
		return out == NULL ? PUMP_FILL : PUMP_TAKEN;
	*out = (struct pump_file){ file, file_at, file_n - file_at };
	return PUMP_FILE;
}

static const struct pump_ops ops = {
	.line = on_line,
	.fill = on_fill,
	.file = on_file,
	.collect = on_collect,
};

static int
setup(void **state)
{
	int	ends[2];
	int	small = 4096;

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0 ||
	    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small,
	    sizeof(small)) != 0)
		return -1;
	now_ms = 1000000;
	ticks = 0;
	lines = filled = 0;
	taken = 0;
	looks = 0;
	to_fill = 0;
	client = ends[1];
	pump_init(&pump);
	pump.in = pump.out_fd = ends[0];
	pump.room = room;
	pump.idle_s = IDLE_S;
	pump.min_rate = RATE;
	pump.ops = &ops;
	return pump_start(&pump, PUMP_LINE) == PUMP_GOES_ON ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	(void)close(pump.in);
	(void)close(client);
	pump_fini(&pump);
	return 0;
}

static void
say(const char *text, size_t n)
{
	assert_int_equal(write(client, text, n), n);
}

#define SAY(text)	say((text), sizeof(text) - 1)

/* At most so many octets; how many there were. */
static size_t
take(size_t n)
{
	uint8_t	b[65536];
	ssize_t	got = read(client, b, n < sizeof(b) ? n : sizeof(b));

	taken += got > 0 ? (size_t)got : 0;
	return got > 0 ? (size_t)got : 0;
}

static enum pump_end
event(unsigned ready)
{
	return pump_event(&pump, ready);
}

/* As a loop does it: what is wished for, then the end or the event. */
static enum pump_end
look(void)
{
	unsigned	events;
	enum pump_end	end = PUMP_GOES_ON;

	if (pump_wish(&pump, &events) == 0)
		return pump_over(&pump);
	if (pump_pending(&pump))
		assert_int_equal(events, 0);
	if (events != 0 || pump_pending(&pump))
		end = event(events);
	if (end == PUMP_GOES_ON && pump_wish(&pump, &events) == 0)
		return pump_over(&pump);
	return end;
}

/* Who waits for it before he says the rest of a line is not kept waiting; nobody else
 * costs a call. */
static void
test_a_part_of_a_line_is_acknowledged(void **state)
{
	(void)state;
	acks = 0;
	SAY("one\r\ntwo\r\n");
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	assert_int_equal(acks, 0);
	SAY("thr");
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	assert_int_equal(acks, 1);
	assert_int_equal(acked, pump.in);
	SAY("ee\r\n");
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	assert_int_equal(acks, 1);
	assert_int_equal(lines, 3);
	pump.far_fd = client;		/* behind a relay, it is that one's */
	SAY("fo");
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	assert_int_equal(acks, 2);
	assert_int_equal(acked, client);
}

/* --- turns ------------------------------------------------------------------ */

static void
test_a_flood_waits_for_its_turn(void **state)
{
	char	flood[2000 * 3];

	(void)state;
	for (size_t i = 0; i < sizeof(flood); i += 3)
		memcpy(flood + i, "x\r\n", 3);
	say(flood, sizeof(flood));
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	assert_int_equal(lines, TURN);
	/* Replies are collected meanwhile. */
	assert_int_equal(take(SIZE_MAX), 0);
	for (unsigned i = 2; i <= 2000 / TURN; i++) {
		assert_true(pump_pending(&pump));
		assert_int_equal(event(0), PUMP_GOES_ON);
		assert_int_equal(lines, i * TURN);
	}
	while (pump_pending(&pump))
		assert_int_equal(event(0), PUMP_GOES_ON);
	assert_int_equal(lines, 2000);
	for (size_t all = 0; all < 2000 * 3;) {
		size_t n = take(SIZE_MAX);

		assert_true(n > 0);
		all += n;
		assert_int_equal(event(PUMP_WRITE), PUMP_GOES_ON);
	}
}

static void
test_a_long_reply_waits_for_its_turn(void **state)
{
	(void)state;
	to_fill = 1 << 20;
	SAY("fill\r\n");
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	assert_in_range(filled, 1, TURN);
	for (size_t all = 0; all < 1 << 20;) {
		unsigned before = filled;

		all += take(SIZE_MAX);
		assert_int_equal(event(PUMP_WRITE), PUMP_GOES_ON);
		assert_in_range(filled - before, 0, TURN);
	}
}

/* --- time -------------------------------------------------------------------- */

static void
test_nothing_winds_the_deadline(void **state)
{
	(void)state;
	pump.deadline_ms = now_ms + 1000;
	for (unsigned i = 0; i < 10; i++, now_ms += 100) {
		SAY("x\r\n");
		assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	}
	SAY("x\r\n");
	assert_int_equal(event(PUMP_READ), PUMP_END_TIMEOUT);
	assert_int_equal(lines, 10);
}

static void
test_a_line_has_the_time_of_one(void **state)
{
	enum pump_end	end;
	uint64_t	began = now_ms;

	(void)state;
	do {
		SAY("x");
		end = event(PUMP_READ);
		assert_int_equal(end, PUMP_GOES_ON);
		now_ms += 1000;
		end = look();
	} while (end == PUMP_GOES_ON);
	assert_int_equal(end, PUMP_END_TIMEOUT);
	assert_int_equal(now_ms - began, 1000 * IDLE_S);
}

/* Who is idle, and has taken all, is left alone until his time is over; octets of
 * an unfinished line change nothing about that. */
static void
test_who_is_idle_wakes_nobody(void **state)
{
	unsigned	events;
	unsigned	before;

	(void)state;
	SAY("x\r\n");
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	assert_int_equal(pump_wish(&pump, &events), 1000);	/* not taken yet */
	assert_int_equal(take(SIZE_MAX), 3);
	now_ms += 1000;
	assert_int_equal(pump_wish(&pump, &events), 1000 * IDLE_S);
	before = looks;
	now_ms += 30000;
	for (unsigned i = 0; i < 10; i++) {
		SAY("y");
		assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
		assert_int_equal(pump_wish(&pump, &events),
		    1000 * IDLE_S - 30000);
	}
	assert_int_equal(looks, before);
	SAY("\r\n");
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	assert_int_equal(pump_wish(&pump, &events), 1000);
	now_ms += 1000;
	assert_int_equal(pump_wish(&pump, &events), 1000);
	assert_true(looks > before);
}

/* Whose next command comes at once needs no look at what he has taken. */
static void
test_who_answers_is_not_looked_at(void **state)
{
	unsigned events;

	(void)state;
	assert_int_equal(pump_wish(&pump, &events), 1000 * IDLE_S);
	for (unsigned i = 0; i < 999; i++, now_ms++) {
		SAY("x\r\n");
		assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
		assert_int_equal(pump_wish(&pump, &events), 1000);
		assert_int_equal(take(SIZE_MAX), 3);
	}
	assert_int_equal(looks, 0);
	now_ms++;
	assert_int_equal(pump_wish(&pump, &events), 1000 * IDLE_S);
	assert_int_equal(looks, 1);
}

/* Nor is one ended who took something since the last look. */
static void
test_the_last_look_is_the_newest(void **state)
{
	unsigned events;

	(void)state;
	pump.idle_s = 10;
	pump.min_rate = 0;
	SAY("x\r\nx\r\n");
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	now_ms += 9500;
	assert_int_equal(pump_wish(&pump, &events), 500);
	assert_int_equal(take(3), 3);
	now_ms += 500;
	assert_int_equal(pump_wish(&pump, &events), 1000);
	now_ms += 10000;
	assert_int_equal(pump_wish(&pump, &events), 0);
	assert_int_equal(pump_over(&pump), PUMP_END_TIMEOUT);
}

/* One look decides by one time: what is over is looked at in that moment. */
static void
test_a_look_has_one_time(void **state)
{
	unsigned events;

	(void)state;
	SAY("x\r\n");
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	now_ms += 1000 * IDLE_S - 500;
	assert_int_equal(pump_wish(&pump, &events), 500);
	now_ms += 497;
	assert_int_equal(take(SIZE_MAX), 3);
	ticks = 1;
	assert_true(pump_wish(&pump, &events) > 0);
	now_ms += 10;
	assert_true(pump_wish(&pump, &events) > 1000);
}

/* --- slow readers ------------------------------------------------------------- */

/* Takes so much each second of a long reply: how long does it last? */
static unsigned
reads(size_t a_second, unsigned most_s)
{
	to_fill = 1 << 24;
	SAY("fill\r\n");
	for (unsigned s = 0; s < most_s; s++) {
		enum pump_end end = look();

		if (end != PUMP_GOES_ON) {
			assert_int_equal(end, PUMP_END_SLOW);
			return s;
		}
		(void)take(a_second);
		now_ms += 1000;
	}
	return most_s;
}

static void
test_who_takes_too_little_is_ended(void **state)
{
	(void)state;
	assert_in_range(reads(RATE - 1, 10 * IDLE_S), IDLE_S, IDLE_S + 2);
}

/* By the clock that is the first to say so. */
static void
test_who_takes_nothing_is_idle(void **state)
{
	unsigned	events;
	uint64_t	ms;
	uint64_t	began = now_ms;

	(void)state;
	to_fill = 1 << 20;
	SAY("fill\r\n");
	assert_int_equal(event(PUMP_READ), PUMP_GOES_ON);
	while ((ms = pump_wish(&pump, &events)) > 0)
		now_ms += ms;
	assert_int_equal(pump_over(&pump), PUMP_END_TIMEOUT);
	assert_int_equal(now_ms - began, 1000 * IDLE_S);
}

/* Its time began when there was something to take, and not when that was seen. */
static void
test_what_was_taken_at_once_does_not_count_for_long(void **state)
{
	uint64_t began = now_ms;

	(void)state;
	to_fill = 1 << 20;
	SAY("fill\r\n");
	assert_int_equal(look(), PUMP_GOES_ON);
	assert_int_equal(look(), PUMP_GOES_ON);
	now_ms += 1000;
	assert_int_equal(take(RATE), RATE);
	while (look() == PUMP_GOES_ON)
		now_ms += 100;
	assert_int_equal(pump_over(&pump), PUMP_END_SLOW);
	assert_int_equal(now_ms - began, 1000 * IDLE_S);
}

static void
test_who_takes_enough_goes_on(void **state)
{
	(void)state;
	assert_int_equal(reads(RATE + 1, 10 * IDLE_S), 10 * IDLE_S);
}

static void
test_without_a_rate_any_progress_is_enough(void **state)
{
	(void)state;
	pump.min_rate = 0;
	assert_int_equal(reads(1, 10 * IDLE_S), 10 * IDLE_S);
}

/* Small answers, each taken before the next command: no reader is slow. */
static void
test_who_asks_little_is_not_slow(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 10 * IDLE_S; s++) {
		SAY("x\r\n");
		assert_int_equal(look(), PUMP_GOES_ON);
		assert_int_equal(take(SIZE_MAX), 3);
		now_ms += 1000;
	}
}

/* A long line: answers are always on their way, but they arrive. */
static void
test_answers_on_their_way_are_not_slow(void **state)
{
	(void)state;
	SAY("x\r\nx\r\n");
	for (unsigned s = 0; s < 10 * IDLE_S; s++) {
		SAY("x\r\n");
		assert_int_equal(look(), PUMP_GOES_ON);
		assert_int_equal(take(3), 3);
		now_ms += 1000;
	}
}

/* --- files -------------------------------------------------------------------- */

#define FILE_N	100000

static void
begin_file(size_t n)
{
	static uint8_t octets[FILE_N];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i % 251);
	file = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(write(file, octets, n), n);
	file_at = 0;
	file_n = FILE_N;
	file_refused = false;
	to_fill = 1024;
	SAY("file\r\nx\r\n");
}

/* In short pieces, its beginning behind what was said before, its end before what
 * follows, and that when the client has all of it. */
static void
test_a_file_is_sent(void **state)
{
	static uint8_t	got[FILE_N + 4096];
	size_t		n = 0;
	unsigned	events;

	(void)state;
	begin_file(FILE_N);
	while (n < 6 + FILE_N) {
		ssize_t r;

		assert_int_equal(look(), PUMP_GOES_ON);
		while ((r = read(client, got + n, 1000)) > 0)
			n += (size_t)r;
	}
	assert_int_equal(n, 6 + FILE_N);
	assert_memory_equal(got, "head\r\n", 6);
	for (size_t i = 0; i < FILE_N; i++)
		assert_int_equal(got[6 + i], i % 251);
	/* As far as is known it has one octet less. */
	taken = 6 + FILE_N - 1;
	assert_int_equal(event(0), PUMP_GOES_ON);
	assert_int_equal(filled, 0);
	assert_in_range(pump_wish(&pump, &events), 1, 10);
	taken++;
	assert_int_equal(event(0), PUMP_GOES_ON);
	assert_int_equal(filled, 1);
	assert_int_equal(read(client, got, sizeof(got)), 1024 + 3);
	assert_memory_equal(got + 1024, "+\r\n", 3);
	assert_int_equal(pump.octets_out, 6 + FILE_N + 1024 + 3);
	assert_false(file_refused);
	(void)close(file);
}

/* One that the kernel cannot send (a folder) goes the other way. */
static void
test_a_file_that_cannot_be_sent_is_filled(void **state)
{
	(void)state;
	begin_file(1);
	(void)close(file);
	file = open("/", O_RDONLY | O_CLOEXEC);
	assert_int_equal(look(), PUMP_GOES_ON);
	assert_true(file_refused);
	assert_int_equal(filled, 1);
	assert_int_equal(take(SIZE_MAX), 6 + 1024 + 3);
	(void)close(file);
}

static void
test_a_file_that_is_too_short_ends_it(void **state)
{
	(void)state;
	begin_file(3);
	assert_int_equal(look(), PUMP_END_ABORTED);
	assert_int_equal(take(SIZE_MAX), 6 + 3);
	(void)close(file);
}

static void
test_a_client_that_goes_during_a_file(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	begin_file(FILE_N);
	assert_int_equal(look(), PUMP_GOES_ON);
	(void)close(client);
	assert_int_equal(event(PUMP_WRITE), PUMP_END_EOF);
	client = -1;
	(void)close(file);
}

/* --- slow writers -------------------------------------------------------------- */

static unsigned
writes(const char *text, size_t n, unsigned most_s)
{
	SAY("collect\r\n");
	for (unsigned s = 0; s < most_s; s++) {
		enum pump_end end = look();

		if (end != PUMP_GOES_ON) {
			assert_int_equal(end, PUMP_END_SLOW);
			return s;
		}
		say(text, n);
		now_ms += 1000;
	}
	return most_s;
}

static void
test_a_message_that_drips_is_ended(void **state)
{
	(void)state;
	assert_in_range(writes("x", 1, 10 * IDLE_S), IDLE_S, IDLE_S + 1);
}

static void
test_a_message_may_take_its_time(void **state)
{
	(void)state;
	assert_int_equal(writes("0123456789x", RATE + 1, 10 * IDLE_S),
	    10 * IDLE_S);
}

/* --- without an event loop --------------------------------------------------- */

static void
say_next(void)
{
	while (take(SIZE_MAX) > 0)
		continue;
	commands--;
	assert_int_equal(write(mouth, "NOOP\r\n", 6), 6);
}

ssize_t
__wrap_sock_read(int fd, void *p, size_t n, struct fault *f)
{
	tries += waited_for ? 0 : 1;
	if (!waited_for && commands > 0 && commands <= prompt_from &&
	    commands >= prompt_to)
		say_next();
	waited_for = false;
	return __real_sock_read(fd, p, n, f);
}

/* Whatever it is, it comes at once; behind the last command the client's end. */
int
__wrap_sock_wait(struct wait_for *w, size_t n, int timeout_ms)
{
	(void)n;
	(void)timeout_ms;
	waits++;
	waited_for = true;
	if (commands > 0)
		say_next();
	else if (mouth == client)
		assert_int_equal(shutdown(client, SHUT_WR), 0);
	else
		assert_int_equal(close(mouth), 0);
	w[0].ready = WAIT_READ;
	w[1].ready = 0;
	w[2].ready = orphans ? WAIT_READ : 0;
	return 1;
}

static enum pump_end
run(unsigned n, unsigned from, unsigned to)
{
	commands = n;
	prompt_from = from;
	prompt_to = to;
	waited_for = false;
	tries = waits = 0;
	return pump_run(&pump, PUMP_LINE);
}

static int
setup_run(void **state)
{
	int result = setup(state);

	mouth = client;
	orphans = false;
	return result;
}

/* But for a look now and then whether the monitor is still there. */
static void
test_who_answers_at_once_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(run(4 * (TURN + 1), UINT_MAX, 0), PUMP_END_EOF);
	assert_int_equal(lines, 4 * (TURN + 1));
	assert_int_equal(waits, 4 + 1);
}

/* 1 + 1, 1 + 3, ... 1 + 63 waits begin with a read in vain, then each 64. */
static void
test_who_takes_his_time_is_waited_for(void **state)
{
	const unsigned n = 2 + 4 + 8 + 16 + 32 + 64 + 3 * 64;

	(void)state;
	assert_int_equal(run(n - 1, 0, 0), PUMP_END_EOF);
	assert_int_equal(lines, n - 1);
	assert_int_equal(waits, n);
	assert_int_equal(tries, 6 + 3);
}

/* One good try, and those that are in vain begin as if there had been none. */
static void
test_who_is_quick_once_is_tried_again(void **state)
{
	(void)state;
	assert_int_equal(run(14 + 1 + 14 - 1, 14, 14), PUMP_END_EOF);
	assert_int_equal(waits, 2 * (2 + 4 + 8));
	assert_int_equal(tries, 2 * 3 + 1);
}

static void
test_a_monitor_that_is_gone_is_seen_at_last(void **state)
{
	(void)state;
	orphans = true;
	assert_int_equal(run(UINT_MAX, UINT_MAX, 0), PUMP_END_ORPHANED);
	assert_int_equal(lines, TURN);
}

/* From that a read without octets would not come back. */
static void
test_a_pipe_is_always_waited_for(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pump.in = ends[0];
	mouth = ends[1];
	assert_int_equal(run(10, 0, 0), PUMP_END_EOF);
	assert_int_equal(lines, 10);
	assert_int_equal(tries, 0);
	(void)close(pump.out_fd);
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
#define RUN(f)	cmocka_unit_test_setup_teardown(f, setup_run, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_part_of_a_line_is_acknowledged),
		TEST(test_a_flood_waits_for_its_turn),
		TEST(test_a_long_reply_waits_for_its_turn),
		TEST(test_nothing_winds_the_deadline),
		TEST(test_a_line_has_the_time_of_one),
		TEST(test_who_is_idle_wakes_nobody),
		TEST(test_who_answers_is_not_looked_at),
		TEST(test_the_last_look_is_the_newest),
		TEST(test_a_look_has_one_time),
		TEST(test_who_takes_too_little_is_ended),
		TEST(test_who_takes_nothing_is_idle),
		TEST(test_what_was_taken_at_once_does_not_count_for_long),
		TEST(test_who_takes_enough_goes_on),
		TEST(test_without_a_rate_any_progress_is_enough),
		TEST(test_who_asks_little_is_not_slow),
		TEST(test_answers_on_their_way_are_not_slow),
		TEST(test_a_file_is_sent),
		TEST(test_a_file_that_cannot_be_sent_is_filled),
		TEST(test_a_file_that_is_too_short_ends_it),
		TEST(test_a_client_that_goes_during_a_file),
		TEST(test_a_message_that_drips_is_ended),
		TEST(test_a_message_may_take_its_time),
		RUN(test_who_answers_at_once_is_not_waited_for),
		RUN(test_who_takes_his_time_is_waited_for),
		RUN(test_who_is_quick_once_is_tried_again),
		RUN(test_a_monitor_that_is_gone_is_seen_at_last),
		RUN(test_a_pipe_is_always_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

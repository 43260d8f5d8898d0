/* SPDX-License-Identifier: ISC */
#include "sys/loop.h"

#include "sys/file.h"
#include "sys/signals.h"
#include "sys/sock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop		*l;
static struct loop_watch	 w;
static struct loop_watch	 other;
static unsigned			 seen;
static unsigned			 calls;

static void
on_event(void *ctx, unsigned what)
{
	(void)ctx;
	calls++;
	seen = what;
	loop_end(l);
}

static void
on_end(void *ctx, unsigned what)
{
	(void)ctx;
	(void)what;
	loop_end(l);
}

static unsigned
run(void)
{
	seen = 0;
	loop_run(l);
	return seen;
}

static void
test_watch(void **state)
{
	struct fault	f;
	uint64_t	start = clock_ms();
	int		r;
	int		p;

	(void)state;
	l = loop_new(&f);
	assert_non_null(l);
	assert_int_equal(fd_pipe(&r, &p, &f), 0);
	loop_watch_init(&w, l, r, on_event, NULL);
	loop_watch_set(&w, LOOP_READ, 50);
	assert_int_equal(run(), LOOP_TIMEOUT);
	assert_true(clock_ms() - start >= 45);
	loop_watch_set(&w, LOOP_READ, LOOP_NEVER);
	assert_int_equal(write(p, "x", 1), 1);
	assert_int_equal(run(), LOOP_READ);
	/* Once: nothing comes again until it is asked for again. */
	calls = 0;
	loop_watch_init(&other, l, -1, on_end, NULL);
	loop_watch_set(&other, 0, 30);
	assert_int_equal(run(), 0);
	assert_int_equal(calls, 0);
	/* The last wish counts, and none after loop_watch_fini. */
	loop_watch_set(&w, LOOP_READ, LOOP_NEVER);
	loop_watch_set(&w, 0, 10000);
	loop_watch_set(&other, 0, 30);
	assert_int_equal(run(), 0);
	loop_watch_set(&w, LOOP_READ, 0);
	loop_watch_fini(&w);
	loop_watch_set(&other, 0, 30);
	assert_int_equal(run(), 0);
	loop_watch_fini(&other);
	loop_free(l);
	fd_close(&r);
	fd_close(&p);
}

/* Within a call-back: asked for again as before, or with a time, or gone. */
static void
on_again(void *ctx, unsigned what)
{
	const uint64_t *ms = ctx;

	seen = what;
	if (++calls == 3)
		loop_watch_fini(&w);
	else
		loop_watch_set(&w, LOOP_READ, *ms);
}

static void
test_again(void **state)
{
	struct fault	f;
	uint64_t	ms = LOOP_NEVER;
	char		x;
	int		r;
	int		p;

	(void)state;
	l = loop_new(&f);
	assert_int_equal(fd_pipe(&r, &p, &f), 0);
	loop_watch_init(&other, l, -1, on_end, NULL);
	loop_watch_init(&w, l, r, on_again, &ms);
	calls = 0;
	loop_watch_set(&w, LOOP_READ, 10000);
	assert_int_equal(write(p, "x", 1), 1);
	/* It stays readable: called three times, and gone. */
	loop_watch_set(&other, 0, 50);
	assert_int_equal(run(), LOOP_READ);
	assert_int_equal(calls, 3);
	/* No time is left over from before; the new one counts. */
	assert_int_equal(read(r, &x, 1), 1);
	calls = 1;
	loop_watch_set(&w, LOOP_READ, 1);
	loop_watch_set(&w, LOOP_READ, LOOP_NEVER);
	loop_watch_set(&other, 0, 50);
	assert_int_equal(run(), 0);
	ms = 1;
	loop_watch_set(&w, LOOP_READ, 1);
	loop_watch_set(&other, 0, 50);
	assert_int_equal(run(), LOOP_TIMEOUT);
	assert_int_equal(calls, 3);
	/* Another descriptor with the number of one that is gone. */
	fd_close(&r);
	fd_close(&p);
	assert_int_equal(fd_pipe(&r, &p, &f), 0);
	loop_watch_init(&w, l, r, on_event, NULL);
	loop_watch_set(&w, LOOP_READ, LOOP_NEVER);
	assert_int_equal(write(p, "x", 1), 1);
	assert_int_equal(run(), LOOP_READ);
	loop_watch_fini(&w);
	loop_watch_fini(&other);
	loop_free(l);
	fd_close(&r);
	fd_close(&p);
}

/* The kernel refuses to watch a plain file, until there is a pipe in its place. */
static void
test_refused(void **state)
{
	uint64_t	start = clock_ms();
	struct fault	f;
	int		plain;
	int		r;
	int		p;

	(void)state;
	l = loop_new(&f);
	assert_int_equal(fd_pipe(&r, &p, &f), 0);
	assert_int_equal(file_open(FILE_CWD, "/proc/self/exe", FILE_READ |
	    FILE_FOLLOW, 0, &plain, &f), 0);
	loop_watch_init(&w, l, plain, on_event, NULL);
	loop_watch_set(&w, LOOP_READ, 30);
	assert_int_equal(run(), LOOP_TIMEOUT);
	assert_true(clock_ms() - start >= 25);
	loop_watch_set(&w, LOOP_READ, 250);	/* asked again meanwhile */
	assert_int_equal(run(), LOOP_TIMEOUT);
	assert_true(clock_ms() - start >= 270);
	loop_watch_set(&w, LOOP_READ, LOOP_NEVER);
	assert_int_equal(dup2(r, plain), plain);
	assert_int_equal(write(p, "x", 1), 1);
	assert_int_equal(run(), LOOP_READ);
	loop_watch_fini(&w);
	loop_free(l);
	fd_close(&plain);
	fd_close(&r);
	fd_close(&p);
}

static void
on_signal(void *ctx)
{
	++*(int *)ctx;
	loop_end(l);
}

static void
test_signals(void **state)
{
	struct fault	f;
	int		hangups = 0;
	int		children = 0;

	(void)state;
	l = loop_new(&f);
	loop_on_signal(l, LOOP_HANGUP, on_signal, &hangups);
	loop_on_signal(l, LOOP_CHILD, on_signal, &children);
	assert_int_equal(raise(SIGHUP), 0);
	assert_int_equal(hangups, 0);		/* in the loop, not before */
	loop_run(l);
	assert_int_equal(hangups, 1);
	if (fork() == 0)
		_exit(0);
	loop_run(l);
	assert_int_equal(children, 1);
	(void)wait(NULL);
	loop_free(l);
}

/* Whoever starts is told to stop before he has a loop. */
static void
test_early_stop(void **state)
{
	struct fault	f;
	int		stops = 0;

	(void)state;
	signals_take(SIGNALS_CONNECTION);
	assert_int_equal(raise(SIGTERM), 0);
	l = loop_new(&f);
	loop_on_signal(l, LOOP_STOP, on_signal, &stops);
	assert_int_equal(stops, 0);
	loop_run(l);
	assert_int_equal(stops, 1);
	loop_free(l);
	signals_take(SIGNALS_CONNECTION);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_early_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

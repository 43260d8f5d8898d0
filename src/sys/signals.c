/* SPDX-License-Identifier: ISC */
#include "sys/signals.h"

#include "sys/sys_priv.h"

#include <limits.h>
#include <linux/time_types.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The one whose time has 64 bits on every machine. */
#ifdef SYS_ppoll_time64
#define CALL_PPOLL	SYS_ppoll_time64
#else
#define CALL_PPOLL	SYS_ppoll
#endif

static volatile sig_atomic_t stopping;
static volatile sig_atomic_t reloading;
static volatile sig_atomic_t came;	/* since the last wait */
static volatile struct __kernel_timespec left;	/* of the wait that begins */

static void
notice(void)
{
	came = 1;
	left.tv_sec = 0;
	left.tv_nsec = 0;
}

static void
on_stop(int signal UNUSED)
{
	stopping = 1;
	notice();
}

static void
on_reload(int signal UNUSED)
{
	reloading = 1;
	notice();
}

static void
on_child(int signal UNUSED)
{
	notice();
}

static void
set(int signal, void (*handler)(int))
{
	struct sigaction a = { .sa_handler = handler };

	(void)sigaction(signal, &a, NULL);	/* fails for bad numbers only */
}

void
signals_take(enum signals_for what)
{
	stopping = 0;
	reloading = 0;
	set(SIGTERM, on_stop);
	set(SIGINT, what == SIGNALS_SERVER ? on_stop : SIG_IGN);
	set(SIGCHLD, what == SIGNALS_SERVER ? on_child : SIG_DFL);
	set(SIGHUP, what == SIGNALS_SERVER ? on_reload : SIG_IGN);
	set(SIGPIPE, SIG_IGN);
}

bool
signals_stopping(void)
{
	return stopping != 0;
}

bool
signals_reload(void)
{
	/* Cleared when it was seen alone: it may come between both lines, and
	 * then means what is about to be done. */
	if (reloading == 0)
		return false;
	reloading = 0;
	return true;
}

/*
 * The kernel reads the time when the call has begun.  Until then a signal makes it
 * none; from then on one ends the wait.  So none need be held back for that, which
 * would take two calls more each time.  (The C library's ppoll copies the time first,
 * and would miss who comes then.)
 */
int
signals_poll(struct pollfd *p, size_t n, int timeout_ms)
{
	left.tv_sec = timeout_ms < 0 ? INT_MAX : timeout_ms / 1000;
	left.tv_nsec = timeout_ms < 0 ? 0 : timeout_ms % 1000 * 1000000;
	if (came) {
		came = 0;
		left.tv_sec = 0;
		left.tv_nsec = 0;
	}
	return (int)syscall(CALL_PPOLL, p, n, &left, NULL, 0);
}

/* SPDX-License-Identifier: ISC */
#include "sys/signals.h"

#include "sys/sys_priv.h"

#include <signal.h>

static volatile sig_atomic_t stopping;
static volatile sig_atomic_t reloading;
static volatile sig_atomic_t came;	/* since the last signals_came() */

static void
on_stop(int signal UNUSED)
{
	stopping = 1;
	came = 1;
}

static void
on_reload(int signal UNUSED)
{
	reloading = 1;
	came = 1;
}

static void
on_child(int signal UNUSED)
{
	came = 1;
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

void
signals_hold(sigset_t *before_r)
{
	sigset_t ours;

	(void)sigemptyset(&ours);
	(void)sigaddset(&ours, SIGTERM);
	(void)sigaddset(&ours, SIGINT);
	(void)sigaddset(&ours, SIGHUP);
	(void)sigaddset(&ours, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &ours, before_r);
}

bool
signals_came(void)
{
	bool yes = came != 0;

	came = 0;
	return yes;
}

/* SPDX-License-Identifier: ISC */
#include "sys/loop.h"

#include "base/alloc.h"
#include "sys/library.h"
#include "sys/signals.h"
#include "sys/sock.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>

#define LIBRARY		"libevent_core-2.1.so.7"
#define SIGNALS_MAX	8
#define AGAIN_MS	100

/* Opened with the first loop of a process, or of who has forked it: sessions, and a
 * popper of inetd's, have none. */
static struct {
	__typeof__(event_active)		*active;
	__typeof__(event_add)			*add;
	__typeof__(event_assign)		*assign;
	__typeof__(event_del)			*del;
	__typeof__(event_free)			*free;
	__typeof__(event_new)			*new;
	__typeof__(event_pending)		*pending;
	__typeof__(event_remove_timer)		*remove_timer;
	__typeof__(event_set_log_callback)	*set_log_callback;
	__typeof__(event_config_new)		*config_new;
	__typeof__(event_config_free)		*config_free;
	__typeof__(event_config_set_flag)	*config_set_flag;
	__typeof__(event_base_new_with_config)	*base_new;
	__typeof__(event_base_free)		*base_free;
	__typeof__(event_base_dispatch)		*base_dispatch;
	__typeof__(event_base_loopbreak)	*base_loopbreak;
} lib;

static int
lib_open(struct fault *f)
{
	const struct library_call calls[] = {
		{ "event_active",		(void **)&lib.active },
		{ "event_add",			(void **)&lib.add },
		{ "event_assign",		(void **)&lib.assign },
		{ "event_del",			(void **)&lib.del },
		{ "event_free",			(void **)&lib.free },
		{ "event_new",			(void **)&lib.new },
		{ "event_pending",		(void **)&lib.pending },
		{ "event_remove_timer",		(void **)&lib.remove_timer },
		{ "event_set_log_callback",	(void **)&lib.set_log_callback },
		{ "event_config_new",		(void **)&lib.config_new },
		{ "event_config_free",		(void **)&lib.config_free },
		{ "event_config_set_flag",	(void **)&lib.config_set_flag },
		{ "event_base_new_with_config",	(void **)&lib.base_new },
		{ "event_base_free",		(void **)&lib.base_free },
		{ "event_base_dispatch",	(void **)&lib.base_dispatch },
		{ "event_base_loopbreak",	(void **)&lib.base_loopbreak },
	};

	return library_open(LIBRARY, calls, ARRAY_LEN(calls), f);
}

struct on_signal {
	struct event	*event;		/* owns */
	void		(*fn)(void *ctx);
	void		*ctx;
};

struct loop {
	struct event_base	*base;		/* owns */
	struct loop_watch	*fired;		/* in its call-back, not yet set
						   again */
	struct on_signal	 signals[SIGNALS_MAX];
	size_t			 nsignals;
};

/* What libevent has to say would go to standard error. */
static void
be_quiet(int severity UNUSED, const char *text UNUSED)
{
}

struct loop *
loop_new(struct fault *f)
{
	struct event_config	*c;
	struct loop		*l;

	if (lib_open(f) != 0)
		return NULL;
	lib.set_log_callback(be_quiet);
	c = lib.config_new();
	l = xalloc(1, sizeof(*l));
	/* No environment variable of whoever starts us chooses for us. */
	if (c != NULL && lib.config_set_flag(c, EVENT_BASE_FLAG_NOLOCK |
	    EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		l->base = lib.base_new(c);
	if (c != NULL)
		lib.config_free(c);
	if (l->base != NULL)
		return l;
	free(l);
	(void)fault_set(f, FAULT_TEMP, "no event loop can be had");
	return NULL;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->nsignals; i++)
		lib.free(l->signals[i].event);
	lib.base_free(l->base);
	free(l);
}

void
loop_watch_init(struct loop_watch *w, struct loop *l, int fd,
    void (*fn)(void *ctx, unsigned what), void *ctx)
{
	*w = (struct loop_watch){ .loop = l, .fd = fd, .fn = fn, .ctx = ctx };
}

static void
on_event(evutil_socket_t fd UNUSED, short what, void *arg)
{
	struct loop_watch	*w = arg;
	struct loop		*l = w->loop;

	l->fired = w;
	w->fn(w->ctx, (what & EV_READ ? LOOP_READ : 0u) |
	    (what & EV_WRITE ? LOOP_WRITE : 0u) |
	    (what & EV_TIMEOUT ? LOOP_TIMEOUT : 0u));
	/* Unless it was, w may be gone by now. */
	if (l->fired == w)
		(void)lib.del(w->event);
	l->fired = NULL;
}

static void
set_time(struct event *e, uint64_t ms)
{
	struct library_time t = library_time_of(ms);

	ASSERT((ms == LOOP_NEVER ? lib.remove_timer(e) :
	    lib.add(e, library_time_arg(&t))) == 0);
}

static void
on_again(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct loop_watch	*w = arg;
	uint64_t		 now = clock_ms();

	if (w->due <= now)
		on_event(-1, EV_TIMEOUT, w);
	else
		loop_watch_set(w, (w->events & EV_READ ? LOOP_READ : 0u) |
		    (w->events & EV_WRITE ? LOOP_WRITE : 0u),
		    w->due == LOOP_NEVER ? LOOP_NEVER : w->due - now);
}

/*
 * Memory is short, or this user has all the watches that he may have
 * (fs.epoll.max_user_watches).  A time needs nothing of the kernel's.
 */
static void
ask_again(struct loop_watch *w, uint64_t ms)
{
	w->due = ms == LOOP_NEVER ? LOOP_NEVER : clock_ms() + ms;
	ASSERT(lib.assign(w->event, w->loop->base, -1, 0, on_again, w) == 0);
	set_time(w->event, ms < AGAIN_MS ? ms : AGAIN_MS);
}

void
loop_watch_set(struct loop_watch *w, unsigned what, uint64_t ms)
{
	short	events = (short)((what & LOOP_READ ? EV_READ : 0) |
		    (what & LOOP_WRITE ? EV_WRITE : 0));

	if (w->loop->fired == w)
		w->loop->fired = NULL;
	/* What the kernel waits for already costs no call. */
	if (w->event != NULL && events != 0 &&
	    lib.pending(w->event, events, NULL) == events &&
	    w->events == events) {
		set_time(w->event, ms);
		return;
	}
	if (w->event == NULL)
		w->event = xalloc(1, sizeof(*w->event));
	else
		(void)lib.del(w->event);
	w->events = events;
	ASSERT(lib.assign(w->event, w->loop->base, w->fd,
	    (short)(events | EV_PERSIST), on_event, w) == 0);
	if (lib.add(w->event, NULL) != 0)
		ask_again(w, ms);
	else if (ms != LOOP_NEVER)
		set_time(w->event, ms);
}

void
loop_watch_fini(struct loop_watch *w)
{
	if (w->loop != NULL && w->loop->fired == w)
		w->loop->fired = NULL;
	if (w->event != NULL)
		(void)lib.del(w->event);
	free(w->event);
	w->event = NULL;
}

static void
on_signal(evutil_socket_t signal UNUSED, short what UNUSED, void *arg)
{
	const struct on_signal *s = arg;

	s->fn(s->ctx);
}

void
loop_on_signal(struct loop *l, enum loop_signal which, void (*fn)(void *ctx),
    void *ctx)
{
	static const int numbers[] = {
		[LOOP_STOP]	= SIGTERM,
		[LOOP_INTERRUPT] = SIGINT,
		[LOOP_HANGUP]	= SIGHUP,
		[LOOP_CHILD]	= SIGCHLD,
	};
	struct on_signal *s = &l->signals[l->nsignals++];

	ASSERT(l->nsignals <= SIGNALS_MAX);
	*s = (struct on_signal){ .fn = fn, .ctx = ctx };
	s->event = lib.new(l->base, numbers[which],
	    EV_SIGNAL | EV_PERSIST, on_signal, s);
	ASSERT(s->event != NULL && lib.add(s->event, NULL) == 0);
	if (which == LOOP_STOP && signals_stopping())
		lib.active(s->event, EV_SIGNAL, 1);	/* it came before */
}

void
loop_run(struct loop *l)
{
	(void)lib.base_dispatch(l->base);
}

void
loop_end(struct loop *l)
{
	(void)lib.base_loopbreak(l->base);
}

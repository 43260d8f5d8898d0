/* SPDX-License-Identifier: ISC */
#include "sys/loop.h"

#include "base/alloc.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>

#define SIGNALS_MAX	8

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
	struct event_config	*c = event_config_new();
	struct loop		*l = xalloc(1, sizeof(*l));

	event_set_log_callback(be_quiet);
	/* No environment variable of whoever starts us chooses for us. */
	if (c != NULL && event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK |
	    EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		l->base = event_base_new_with_config(c);
	if (c != NULL)
		event_config_free(c);
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
		event_free(l->signals[i].event);
	event_base_free(l->base);
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
		(void)event_del(w->event);
	l->fired = NULL;
}

static void
set_time(struct event *e, uint64_t ms)
{
	struct timeval	t = {
		.tv_sec		= (time_t)(ms / 1000),
		.tv_usec	= (suseconds_t)(ms % 1000) * 1000,
	};

	ASSERT((ms == LOOP_NEVER ? event_remove_timer(e) :
	    event_add(e, &t)) == 0);
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
	    event_pending(w->event, events, NULL) == events &&
	    w->events == events) {
		set_time(w->event, ms);
		return;
	}
	if (w->event == NULL)
		w->event = xalloc(1, sizeof(*w->event));
	else
		(void)event_del(w->event);
	w->events = events;
	ASSERT(event_assign(w->event, w->loop->base, w->fd,
	    (short)(events | EV_PERSIST), on_event, w) == 0);
	ASSERT(event_add(w->event, NULL) == 0);
	if (ms != LOOP_NEVER)
		set_time(w->event, ms);
}

void
loop_watch_fini(struct loop_watch *w)
{
	if (w->loop != NULL && w->loop->fired == w)
		w->loop->fired = NULL;
	if (w->event != NULL)
		(void)event_del(w->event);
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
	s->event = evsignal_new(l->base, numbers[which], on_signal, s);
	ASSERT(s->event != NULL && event_add(s->event, NULL) == 0);
}

void
loop_run(struct loop *l)
{
	(void)event_base_dispatch(l->base);
}

void
loop_end(struct loop *l)
{
	(void)event_base_loopbreak(l->base);
}

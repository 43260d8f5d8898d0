/* SPDX-License-Identifier: ISC */
/*
 * A stranger from connection to end: his stages (fronts.c), what counts him, whose
 * turn it is.
 *
 * Runs as: front_user, caged, in fronts.c.  Reads from: strangers; what they say
 * goes to others, here it is swallowed (DRAINS).
 */
#include "role/fronts_priv.h"

#include "role/offers.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>

#define REFUSED_MAX	256		/* whom we hear out after a refusal */

void
stranger_untally(struct stranger *s)
{
	if (s->tallied)
		tally_add(s->house->a->tally, s->house->a->index, &s->peer, -1);
	s->tallied = false;
}

void
stranger_uncount(struct stranger *s)
{
	stranger_untally(s);
	if (!s->counted)
		return;
	s->counted = false;
	s->house->n--;
	metric_drop(METRIC_STRANGERS);
}

void
stranger_free(struct stranger *s)
{
	if (s->exchanges)
		fronts_abort(s->house, s->sid);
	if (s->stage == DRAINS && !s->counted)
		s->house->refused--;
	if (s->stage == RELAYS)
		s->house->relays--;
	stranger_uncount(s);
	map_take(&s->house->strangers, &s->in);
	loop_watch_fini(&s->watch);
	loop_watch_fini(&s->session);
	if (s->relay != NULL)
		relay_fini(s->relay);
	free(s->relay);
	secure_close(&s->secure);
	pump_fini(&s->pump);
	authorize_fini(&s->auth);
	free(s->proxied);
	fd_close(&s->fd);
	tally_exit(s->house->a->tally, s->house->a->index);
	fronts_end_if_empty(s->house);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

/* The limit that has ended it, if it was one. */
static void
log_limit_of(const struct stranger *s, enum pump_end end)
{
	const struct authorize	*a = &s->auth;
	enum limit		 limit = LIMITS;

	if (end == PUMP_END_TIMEOUT && clock_ms() >= s->pump.deadline_ms)
		limit = LIMIT_LOGIN_TIME;
	else if (end == PUMP_END_CLOSED && a->lines > a->lines_max)
		limit = LIMIT_COMMANDS;
	else if (end == PUMP_END_CLOSED && a->bad >= a->bad_max)
		limit = LIMIT_BAD_COMMANDS;
	if (limit != LIMITS && !s->quiet)
		limit_reached(&s->house->limits, limit, &s->peer);
}

void
stranger_log_end(const struct stranger *s, enum pump_end end)
{
	struct log_line l;

	log_begin(&l, LEVEL_DEBUG, "stranger-end");
	log_str(&l, "ip", s->peer.text);
	log_str(&l, "reason", s->auth.quit ? "quit" : pump_end_word(end));
	log_end(&l);
}

/* What they still say is swallowed: octets that lie unread at close would make
 * the kernel destroy our last reply. */
static void
drain(struct stranger *s)
{
	uint64_t ms = 1000ull * s->house->a->conf->role.drain_timeout_s;

	secure_end(&s->secure);
	sock_shutdown_write(s->fd);
	s->stage = DRAINS;
	s->end_ms = clock_ms() + ms;
	loop_watch_set(&s->watch, LOOP_READ, ms);
}

static void
drain_more(struct stranger *s)
{
	struct fault	f;
	ssize_t		n = sock_read(s->fd, s->house->room,
			    sizeof(s->house->room), &f);
	uint64_t	now = clock_ms();

	if (n == 0 || (n < 0 && f.err != EAGAIN) || now >= s->end_ms)
		stranger_free(s);
	else
		loop_watch_set(&s->watch, LOOP_READ, s->end_ms - now);
}

/* Beyond the bound they are told as well, but not heard out. */
void
stranger_refuse(struct stranger *s, struct span text)
{
	struct fault	f;
	bool		told = sock_write(s->fd, text, &f) > 0;

	(void)trace_say(&s->pump.who, TRACE_SERVER, span_first(text,
	    span_find(text, '\r')));
	stranger_uncount(s);
	s->stage = DRAINS;
	if (s->house->refused++ >= REFUSED_MAX || !told)
		stranger_free(s);
	else
		drain(s);
}

static void
wait_more(struct stranger *s)
{
	unsigned	events;
	uint64_t	ms = pump_wish(&s->pump, &events);
	uint64_t	now = clock_ms();

	if (s->stage == ASKED && now + ms > s->end_ms)
		ms = s->end_ms > now ? s->end_ms - now : 1;
	if (pump_pending(&s->pump))
		ms = 0;			/* but others first */
	loop_watch_set(&s->watch, (events & PUMP_READ ? LOOP_READ : 0u) |
	    (events & PUMP_WRITE ? LOOP_WRITE : 0u), ms);
}

void
stranger_go_on(struct stranger *s, enum pump_end end)
{
	if (end == PUMP_GOES_ON) {
		wait_more(s);
	} else if (end == PUMP_END_LEFT && s->starts_tls) {
		stranger_start_tls(s);
	} else if (end == PUMP_END_LEFT) {
		stranger_leave(s);
	} else {
		log_limit_of(s, end);
		stranger_log_end(s, end);
		/* Who drains beyond the bound stays within the limits. */
		if (s->house->refused < REFUSED_MAX) {
			stranger_uncount(s);
			s->house->refused++;
		}
		drain(s);
	}
}

static void
on_stranger(void *ctx, unsigned what)
{
	struct stranger	*s = ctx;
	unsigned	 events;

	wire_log_sid(s->sid);
	if (s->stage == AWAITS)
		stranger_header(s);
	else if (s->stage == SHAKES)
		stranger_shake(s);
	else if (s->stage == RELAYS)
		stranger_relay(s, what & (LOOP_READ | LOOP_WRITE) ?
		    RELAY_CLIENT : 0);
	else if (s->stage == DRAINS)
		drain_more(s);
	else if (s->stage == LEAVES)
		stranger_leave(s);
	else if (s->stage == ASKED && clock_ms() >= s->end_ms)
		stranger_give_up(s);
	else if ((what & (LOOP_READ | LOOP_WRITE)) != 0)
		stranger_go_on(s, pump_event(&s->pump,
		    (what & LOOP_READ ? PUMP_READ : 0u) |
		    (what & LOOP_WRITE ? PUMP_WRITE : 0u)));
	else if (pump_pending(&s->pump))
		stranger_go_on(s, pump_event(&s->pump, 0));
	else if (pump_wish(&s->pump, &events) == 0)
		stranger_go_on(s, pump_over(&s->pump));
	else
		wait_more(s);
}

struct stranger *
stranger_new(struct front_house *h, int fd, const struct sock_addr *peer,
    const struct listen_rules *rules)
{
	const struct role_settings	*r = &h->a->conf->role;
	struct stranger			*s = xalloc(1, sizeof(*s));

	s->house = h;
	s->fd = fd;
	s->stage = TALKS;
	s->peer = s->socket = *peer;
	s->rules = rules;
	s->sid = wire_new_sid();
	map_put(&h->strangers, &s->in, s->sid, s);
	offers_begin(&s->auth, h->a->host, h->a->conf);
	pump_init(&s->pump);
	s->pump.in = s->pump.out_fd = fd;
	s->pump.room = h->room;
	s->pump.shared = true;
	s->pump.idle_s = r->timeout_s;
	s->pump.deadline_ms = clock_ms() + 1000ull * r->login_timeout_s;
	s->pump.ops = &stranger_ops;
	s->pump.ctx = s;
	s->pump.who = (struct trace_who){ s->sid, SPAN(""), &s->peer };
	stranger_expect(s);
	loop_watch_init(&s->watch, h->loop, fd, on_stranger, s);
	loop_watch_init(&s->session, h->loop, -1, stranger_on_session, s);
	return s;
}

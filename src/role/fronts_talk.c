/* SPDX-License-Identifier: ISC */
/*
 * What strangers say, what auth is asked, and what is answered.
 *
 * Runs as: front_user, caged, in fronts.c.  Reads from: strangers, lines, which
 * pop/authorize.c takes apart; auth and master, verdicts.  Trusts: of auth's verdicts
 * the refusals alone.
 */
#include "role/fronts_priv.h"

#include "role/offers.h"
#include "role/permit.h"
#include "role/wire.h"

#include "watch/log.h"

#define PATIENCE_S	30		/* beyond auth's own bounds: its queue */

void
stranger_expect(struct stranger *s)
{
	pump_expect(&s->pump, authorize_width(&s->auth),
	    authorize_is_secret(&s->auth));
}

/* When auth dies, all who have asked it, and all who ask then, meet the same. */
static void
log_unjudged(struct front_house *h, const char *why)
{
	struct log_line	l;
	uint64_t	n;

	if (!quiet_speak(&h->no_verdict, &n))
		return;
	log_begin(&l, LEVEL_ERR, "front-link");
	log_str(&l, "text", why);
	log_num(&l, "times", n);
	log_end(&l);
}

/* Who has hung up came from nowhere. */
static struct auth_way
way_of(const struct stranger *s)
{
	struct auth_way	way = {
		.tls = s->secure.stream != NULL || s->tls_before,
	};
	struct fault	f;

	if (sock_local(s->fd, &way.local, &f) != 0)
		way.local.family = 0;
	return way;
}

static int
ask(struct stranger *s, struct fault *f)
{
	const struct auth_way		way = way_of(s);
	UNZEROED struct link_out	m;
	uint8_t			binding[AUTH_BINDING_MAX];
	struct wire_asked	asked = asked_of(&s->auth, &s->secure, &way,
				    binding);
	int			result;

	link_out_init(&m, MSG_CHECK);
	link_put_u64(&m, s->sid);
	wire_put_peer(&m, &s->peer);
	wire_put_asked(&m, &asked);
	wire_put_peer(&m, &s->socket);
	result = link_send(s->house->auth.fd, &m, NULL, 0, f);
	link_out_wipe(&m);
	authorize_asked(&s->auth);
	return result;
}

static int
respond(struct stranger *s, struct fault *f)
{
	UNZEROED struct link_out	m;
	int		result;

	s->exchanges = false;
	wire_put_response(&m, s->sid, buf_span(&s->auth.ask.message),
	    s->auth.ask.broken);
	result = link_send(s->house->auth.fd, &m, NULL, 0, f);
	link_out_wipe(&m);
	authorize_asked(&s->auth);
	return result;
}

void
fronts_abort(struct front_house *h, uint64_t sid)
{
	struct link_out	m;
	struct fault	f;

	link_out_init(&m, MSG_ABORT);
	link_put_u64(&m, sid);
	if (h->auth.fd >= 0 && link_send(h->auth.fd, &m, NULL, 0, &f) != 0)
		log_fault(LEVEL_DEBUG, "front-link", &f);
}

/* The client has given up what auth is in the midst of. */
static void
look_at_exchange(struct stranger *s)
{
	if (!s->exchanges || authorize_exchanges(&s->auth))
		return;
	s->exchanges = false;
	fronts_abort(s->house, s->sid);
}

/* Longer than auth can take for an answer. */
static uint64_t
patience_ms(const struct settings *c)
{
	return 1000ull * (c->role.auth_timeout_s + c->role.auth_fail_delay_s +
	    PATIENCE_S);
}

static enum pump_next
on_line(void *ctx, struct span line, struct buf *out)
{
	struct stranger		*s = ctx;
	enum authorize_next	 n;
	struct fault		 f;

	n = authorize_line(&s->auth, line, out);
	stranger_expect(s);
	look_at_exchange(s);
	s->pump.who.user = span_of(s->auth.name, s->auth.name_n);
	if (n == AUTHORIZE_CLIENT)
		return stranger_announced(s, out);
	s->starts_tls = n == AUTHORIZE_TLS;
	if (n != AUTHORIZE_ASK && n != AUTHORIZE_RESPOND)
		return pump_after(n);
	if ((n == AUTHORIZE_ASK ? ask(s, &f) : respond(s, &f)) == 0) {
		s->stage = ASKED;
		s->end_ms = clock_ms() + patience_ms(s->house->a->conf);
		return PUMP_HOLD;
	}
	log_unjudged(s->house, f.text);
	return pump_after(authorize_answer(&s->auth, ANSWER_ERROR, out));
}

static enum pump_next
on_too_long(void *ctx, struct buf *out)
{
	struct stranger		*s = ctx;
	enum authorize_next	 n = authorize_too_long(&s->auth, out);

	stranger_expect(s);
	look_at_exchange(s);
	return pump_after(n);
}

const struct pump_ops stranger_ops = {
	.line = on_line,
	.too_long = on_too_long,
};

/* Why not: auth knows of two ways alone. */
static enum authorize_answer
answer_of(uint8_t answer, bool of_master)
{
	if (answer == ANSWER_NO || (of_master && (answer == ANSWER_FULL ||
	    answer == ANSWER_USER_FULL)))
		return (enum authorize_answer)answer;
	return ANSWER_ERROR;
}

void
fronts_verdict(struct front_house *h, struct link_in *m, bool of_master)
{
	uint64_t		 sid = link_get_u64(m);
	uint8_t			 answer = link_get_u8(m);
	struct stranger		*s = map_find(&h->strangers, sid);
	enum pump_next		 next = PUMP_LEAVE;

	if (s == NULL || s->stage != ASKED)
		return;
	wire_log_sid(sid);
	s->stage = TALKS;
	if (answer != ANSWER_YES || !of_master)
		next = pump_after(authorize_answer(&s->auth,
		    answer_of(answer, of_master), &s->pump.out));
	stranger_expect(s);
	stranger_go_on(s, pump_answered(&s->pump, next));
}

void
fronts_challenge(struct front_house *h, struct link_in *m)
{
	struct stranger	*s;
	struct span	 user;
	struct span	 octets;
	uint64_t	 sid;
	struct fault	 f;

	if (wire_get_challenge(m, &sid, &user, &octets, &f) != 0) {
		log_fault(LEVEL_ERR, "front-link", &f);
		return;
	}
	s = map_find(&h->strangers, sid);
	if (s == NULL || s->stage != ASKED) {
		fronts_abort(h, sid);
		return;
	}
	wire_log_sid(sid);
	s->stage = TALKS;
	s->exchanges = true;
	authorize_challenge(&s->auth, user, octets, &s->pump.out);
	s->pump.who.user = span_of(s->auth.name, s->auth.name_n);
	stranger_expect(s);
	stranger_go_on(s, pump_answered(&s->pump, PUMP_LINE));
}

/* Who was asked has died, or forgotten it. */
void
stranger_give_up(struct stranger *s)
{
	log_unjudged(s->house, "no verdict has come");
	s->stage = TALKS;
	stranger_go_on(s, pump_answered(&s->pump, pump_after(authorize_answer(
	    &s->auth, ANSWER_ERROR, &s->pump.out))));
}

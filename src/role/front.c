/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front_user, in an empty root folder, with seccomp, no processes, no
 * files.  Reads from: the stranger; the monitor's answers.  Trusts: nobody.
 * Gives up, in order: descriptors, root folder, limits, groups, gid, uid, system calls.
 *
 * Before the cage it reads no octet of the client's.
 */
#include "role/front.h"

#include "pop/authorize.h"
#include "role/ask.h"
#include "role/permit.h"
#include "role/pump.h"
#include "role/wire.h"

#include "sys/cage.h"
#include "sys/file.h"
#include "sys/secmem.h"
#include "sys/spawn.h"
#include "watch/log.h"

struct state {
	const struct front	*c;
	struct authorize	 auth;
	struct pump		 pump;
	uint8_t			 room[LIMIT_INPUT];	/* the pump's */
};

static int
reopen_log(void *ctx)
{
	const struct front *c = ctx;

	return ask_log(c->log_link);
}

static int
enter_cage(const struct front *c, struct fault *f)
{
	bool	degraded;

	return cage_step_down(c->conf->role.front_user,
	    c->conf->role.chroot_dir, CAGE_FRONT, f) != 0 ||
	    cage_enter(CAGE_FRONT, &degraded, f) != 0 ? -1 : 0;
}

static enum pump_next
next_of(enum authorize_next n)
{
	switch (n) {
	case AUTHORIZE_MORE:
		return PUMP_LINE;
	case AUTHORIZE_ASK:
		return PUMP_HOLD;
	case AUTHORIZE_CLIENT:
	case AUTHORIZE_CLOSE:
		break;
	}
	return PUMP_CLOSE;
}

/* One record for the worker, and a word to the monitor that it is there. */
static int
ask(struct state *s, struct fault *f)
{
	UNZEROED struct link_out	record;
	UNZEROED struct link_out	word;
	int		result;

	link_out_init(&record, MSG_CREDENTIAL);
	link_put_u8(&record, s->auth.ask.rpop ? 1 : 0);
	link_put_span(&record, span_of(s->auth.name, s->auth.name_n));
	link_put_span(&record, secret_span(&s->auth.ask.secret));
	result = link_send(s->c->credential, &record, NULL, 0, f);
	link_out_wipe(&record);
	secret_wipe(&s->auth.ask.secret);
	link_out_init(&word, MSG_ASK);
	if (result == 0)
		result = link_send(s->c->link, &word, NULL, 0, f);
	return result;
}

static enum pump_next
on_line(void *ctx, struct span line, struct buf *out)
{
	struct state		*s = ctx;
	enum authorize_next	 n;
	struct fault		 f;

	n = authorize_line(&s->auth, line, out);
	if (n == AUTHORIZE_ASK && ask(s, &f) != 0) {
		log_fault(LEVEL_ERR, "front-link", &f);
		n = authorize_answer(&s->auth, ANSWER_ERROR, out);
	}
	return next_of(n);
}

static enum pump_next
on_too_long(void *ctx, struct buf *out)
{
	struct state *s = ctx;

	return next_of(authorize_too_long(&s->auth, out));
}

/* The monitor's answer has come (or the monitor is gone). */
static enum pump_next
on_answer(void *ctx, struct buf *out)
{
	struct state	*s = ctx;
	UNZEROED struct link_in	 m;
	struct fault	 f;
	uint8_t		 answer = ANSWER_ERROR;

	if (link_recv(s->c->link, permit_answer, permit_answer_n, 0, 0, &m,
	    &f) == 1) {
		answer = link_get_u8(&m);
		link_in_fini(&m);
	} else {
		log_text(LEVEL_ERR, "front-link", "no answer from the monitor");
	}
	if (answer == ANSWER_YES)
		return PUMP_LEAVE;
	return next_of(authorize_answer(&s->auth,
	    answer == ANSWER_NO ? ANSWER_NO : ANSWER_ERROR, out));
}

static const struct pump_ops front_ops = {
	.line = on_line,
	.too_long = on_too_long,
	.held = on_answer,
};

/* What the client had pipelined goes to the session through a pipe. */
static void
hand_over(struct state *s)
{
	AUTO(fd_close) int	rest = -1;
	UNZEROED struct link_out m;
	struct fault		f;

	link_out_init(&m, MSG_HANDOVER);
	if (wire_rest(pump_rest(&s->pump), &rest, &f) != 0 ||
	    link_send(s->c->link, &m, &rest, 1, &f) != 0)
		log_fault(LEVEL_ERR, "front-handover", &f);
}

static void
log_end_of(const struct state *s, enum pump_end end)
{
	struct log_line l;

	log_begin(&l, end == PUMP_END_ORPHANED ? LEVEL_ERR : LEVEL_DEBUG,
	    "stranger-end");
	log_str(&l, "ip", s->c->peer->text);
	log_str(&l, "reason", s->auth.quit ? "quit" : pump_end_word(end));
	log_end(&l);
}

static void
serve(struct state *s)
{
	const struct role_settings	*r = &s->c->conf->role;
	enum pump_end			 end;

	authorize_greet(&s->auth, &s->pump.out);
	end = pump_run(&s->pump, PUMP_LINE);
	if (end == PUMP_END_LEFT) {
		hand_over(s);
		return;
	}
	log_end_of(s, end);
	s->pump.drain_s = r->drain_timeout_s;
	pump_drain(&s->pump);
}

void
front_main(const struct front *c)
{
	static struct state		 s;	/* holds a secret: locked */
	const struct role_settings	*r = &c->conf->role;
	const int			 keep[] = {
		c->in, c->out, c->link, c->credential, c->log_link,
	};
	struct fault			 f;

	shed_descriptors(keep, ARRAY_LEN(keep));
	log_set_reopen(reopen_log, (void *)(uintptr_t)c);
	if (enter_cage(c, &f) != 0) {
		log_fault(LEVEL_ERR, "front-cage", &f);
		spawn_exit(1);
	}
	secmem_lock(&s, sizeof(s));
	s.c = c;
	authorize_init(&s.auth, c->host,
	    r->hide_version ? NULL : POPPER_VERSION, r->auth_tries,
	    r->max_bad_commands, r->max_commands_before_login,
	    c->conf->auth.rpop_file[0] != '\0');
	pump_init(&s.pump);
	s.pump.in = c->in;
	s.pump.out_fd = c->out;
	s.pump.hold_fd = c->link;
	s.pump.room = s.room;
	s.pump.idle_s = r->timeout_s;
	s.pump.deadline_ms = clock_ms() + 1000ull * r->login_timeout_s;
	s.pump.ops = &front_ops;
	s.pump.ctx = &s;
	serve(&s);
	authorize_fini(&s.auth);
	pump_fini(&s.pump);
	spawn_exit(0);
}

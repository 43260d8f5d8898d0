/* SPDX-License-Identifier: ISC */
/*
 * Runs as: the user (uid, gid, groups), seccomp, no new privileges.  Reads from:
 * the user's commands (the first of them from a pipe that a front has filled),
 * mail, home; the monitor's answers.  Trusts: its monitor, and ends without it.
 * Gives up, in order: descriptors, limits, groups, gid, uid, the files of others
 * and what of his own it does not need (reach.c), system calls.
 */
#include "role/session_priv.h"

#include "drop/drop.h"
#include "role/ask_log.h"
#include "role/order.h"
#include "role/permit.h"
#include "role/session_end.h"
#include "role/wire.h"

#include "sys/cage.h"
#include "sys/file.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#define EXIT_TEMP	75
#define TRACE_WAIT_MS	30000

static void
init(struct session *s, const struct session_start *c)
{
	*s = (struct session){
		.c = c,
		.place_fd = -1,
		.state_fd = -1,
		.bulletins_fd = -1,
		.began_ms = clock_ms(),
	};
	session_init_hosts(s);
	session_open_folders(s);
}

static enum pump_next
next_of(enum pop_next n)
{
	switch (n) {
	case POP_NEXT_LINE:
		return PUMP_LINE;
	case POP_NEXT_FILL:
		return PUMP_FILL;
	case POP_NEXT_FILE:
		return PUMP_FILE;
	case POP_NEXT_TAKEN:
		return PUMP_TAKEN;
	case POP_NEXT_COLLECT:
		return PUMP_COLLECT;
	case POP_NEXT_CLOSE:
		return PUMP_CLOSE;
	case POP_NEXT_ABORT:
		break;
	}
	return PUMP_ABORT;
}

static enum pump_next
on_line(void *ctx, struct span line, struct buf *out)
{
	struct session *s = ctx;

	return next_of(pop_line(s->pop, line, out));
}

static enum pump_next
on_too_long(void *ctx, struct buf *out)
{
	struct session *s = ctx;

	return next_of(pop_too_long(s->pop, out));
}

static enum pump_next
on_fill(void *ctx, struct buf *out)
{
	struct session *s = ctx;

	return next_of(pop_fill(s->pop, out));
}

static enum pump_next
on_file(void *ctx, uint64_t sent, struct pump_file *out)
{
	struct session	*s = ctx;
	struct pop_file	 file;
	enum pump_next	 next = next_of(pop_file(s->pop, sent,
			     out == NULL ? NULL : &file));

	if (next == PUMP_FILE)
		*out = (struct pump_file){ file.fd, file.off, file.n };
	return next;
}

static enum pump_next
on_collect(void *ctx, struct span *in, struct buf *out)
{
	struct session *s = ctx;

	return next_of(pop_collect(s->pop, in, out));
}

static const struct pump_ops session_ops = {
	.line = on_line,
	.too_long = on_too_long,
	.fill = on_fill,
	.file = on_file,
	.collect = on_collect,
};

static void
tell_end(const struct session *s, enum pump_end end)
{
	const struct session_sum sum = {
		.user = s->c->id->user,
		.ip = s->c->peer->text,
		.pop = s->pop,
		.delayed = s->c->facts->wait_s > 0,
		.end = end,
		.octets_in = s->pump.octets_in,
		.octets_out = s->pump.octets_out,
		.began_ms = s->began_ms,
		.lock_ms = s->lock_ms,
		.gone_s = s->c->conf->role.client_gone_s,
		.statistics = s->c->conf->log.statistics,
	};
	static struct link_out	m;
	struct wire_summary	counts;
	struct fault		f;

	session_log_end(&sum);
	if (!s->c->tells)
		return;
	session_summary(&sum, &counts);
	link_out_init(&m, MSG_SUMMARY);
	wire_put_summary(&m, &counts);
	if (link_send(s->c->link, &m, NULL, 0, &f) != 0)
		log_fault(LEVEL_DEBUG, "session-summary", &f);
}

static enum pump_next
begin(struct session *s)
{
	struct fault f = { 0 };

	s->pump.out.tag = s->c->words.lang;
	if (session_open_maildrop(s, &f) == 0) {
		if (s->c->moved != NULL)
			return on_line(s, s->c->moved->line, &s->pump.out);
		pop_welcome(s->pop, &s->pump.out);
		return PUMP_LINE;
	}
	if (s->c->facts->locked)
		session_release(s, false);
	if (f.class == FAULT_DELAY)
		session_refuse_delayed(s);
	else
		session_refuse(s, &f);
	return PUMP_CLOSE;
}

static void
fini(struct session *s)
{
	if (s->pop != NULL)
		pop_free(s->pop);
	bull_set_fini(&s->set);
	promises_fini(&s->promises);
	fd_close(&s->bulletins_fd);
	fd_close(&s->place_fd);
	fd_close(&s->state_fd);
	pump_fini(&s->pump);
}

void
session_run(const struct session_start *c)
{
	/* By itself: no page of it is there before it is read into. */
	static uint8_t		room[LIMIT_INPUT];
	static struct session	s;
	enum pump_end		end;

	init(&s, c);
	if (c->moved == NULL)
		session_log_login(c->id->user, c->peer->text, c->id->uid,
		    c->id->db, c->cached, (enum auth_method)c->id->method);
	pump_init(&s.pump);
	s.pump.in = c->in;
	s.pump.out_fd = c->out;
	s.pump.far_fd = c->far;
	s.pump.wire = c->wire;
	s.pump.wire_ctx = c->wire_ctx;
	s.pump.hold_fd = c->link;
	s.pump.room = room;
	s.pump.idle_s = c->conf->role.timeout_s;
	s.pump.min_rate = c->conf->role.min_rate;
	s.pump.drain_s = c->conf->role.drain_timeout_s;
	s.pump.gone_s = c->alone ? c->conf->role.client_gone_s : 0;
	s.pump.ops = &session_ops;
	s.pump.ctx = &s;
	s.pump.who = (struct trace_who){ c->sid, span_str(c->id->user), c->peer };
	pump_preload(&s.pump, c->rest);
	if (c->moved != NULL) {
		s.began_ms = c->moved->began_ms;
		s.pump.octets_in = c->moved->octets_in;
		s.pump.octets_out = c->moved->octets_out;
	}
	end = pump_run(&s.pump, begin(&s));
	tell_end(&s, end);
	if (end == PUMP_END_CLOSED)
		pump_drain(&s.pump);
	else if (end == PUMP_END_TIMEOUT || end == PUMP_END_SLOW)
		pump_forget(&s.pump);
	fini(&s);
}

static int
reopen_log(void *ctx)
{
	const struct session_start *c = ctx;

	return ask_log(c->log_link);
}

/* Who does not hear from the master for so long has none. */
static int
reach_trace(void *ctx)
{
	const struct session_start *c = ctx;

	return ask_trace(c->log_link, TRACE_WAIT_MS);
}

static int
become_user(const struct session_start *c, enum reach_for why, struct fault *f)
{
	AUTO(fd_close) int dirfd = c->facts->dirfd;	/* of the maildrop */
	const int keep[] = {
		c->in, c->out, c->far, c->link, c->log_link, c->facts->journal,
		c->facts->promises,
		c->facts->session_lock,		/* held as long as we live */
		c->rest_fd, dirfd,
		c->moved != NULL ? c->moved->copy : -1,
	};
	bool degraded = false;

	shed_descriptors(keep, ARRAY_LEN(keep));
	log_set_reopen(reopen_log, (void *)(uintptr_t)c);
	trace_set_ask(reach_trace, (void *)(uintptr_t)c);
	if (cage_limits(CAGE_SESSION, f) != 0 ||
	    identity_become(c->id, true, f) != 0)
		return -1;
	reach_open(c->reach, c->facts);
	if (reach_enter(c->reach, c->facts, why, f) != 0 ||
	    cage_enter(CAGE_SESSION, &degraded, f) != 0)
		return -1;
	if (degraded)
		log_text(LEVEL_WARN, "session-no-seccomp",
		    "this kernel has no seccomp");
	return 0;
}

struct span
session_read_rest(int fd)
{
	static uint8_t	b[LIMIT_INPUT];
	struct fault	f;
	size_t		n = 0;
	ssize_t		got = 1;

	if (fd_set_nonblock(fd, &f) != 0)
		return SPAN("");
	while (got > 0 && n < sizeof(b)) {
		got = sock_read(fd, b + n, sizeof(b) - n, &f);
		n += got > 0 ? (size_t)got : 0;
	}
	return span_of(b, n);
}

void
session_main(const struct session_start *c)
{
	struct session_start	own = *c;
	struct reach		reach;
	struct fault		f;

	own.reach = &reach;
	own.clock_kept = clock_is_kept();
	own.boot = file_boot();
	if (become_user(&own, REACH_SESSION, &f) != 0) {
		log_fault(LEVEL_ERR, "session-cage", &f);
		order_refuse(own.out);
		spawn_exit(SESSION_UNBORN);
	}
	if (own.rest_fd >= 0)
		own.rest = session_read_rest(own.rest_fd);
	fd_close(&own.rest_fd);
	session_run(&own);
	spawn_exit(0);
}

int
session_recover(const struct session_start *c)
{
	static struct session	s;
	struct drop_conf	conf;
	struct fault		f;
	bool			did = false;
	int			result;

	init(&s, c);
	conf = session_drop_conf(&s);
	result = drop_recover(&conf, &did, &f);
	if (result != 0)
		session_tell(&s, "recovery-failed", f.text);
	else if (did)
		session_tell(&s, "recovery-done", conf.path);
	fd_close(&s.place_fd);
	fd_close(&s.state_fd);
	return result;
}

void
session_recover_main(const struct session_start *c)
{
	struct session_start	own = *c;
	struct reach		reach;
	struct fault		f;

	own.reach = &reach;
	if (become_user(&own, REACH_RECOVERY, &f) != 0) {
		log_fault(LEVEL_ERR, "session-cage", &f);
		spawn_exit(1);
	}
	spawn_exit(session_recover(&own) == 0 ? 0 : EXIT_TEMP);
}

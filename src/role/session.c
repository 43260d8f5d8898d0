/* SPDX-License-Identifier: ISC */
/*
 * Runs as: the user (uid, gid, groups), seccomp, no new privileges.  Reads from:
 * the user's commands (the first of them from a pipe that a front has filled),
 * mail, home; the monitor's answers.  Trusts: its monitor, and ends without it.
 * Gives up, in order: descriptors, limits, groups, gid, uid, the files of others
 * and what of his own it does not need (reach.c), system calls.
 */
#include "role/session.h"

#include "bull/bull.h"
#include "drop/drop.h"
#include "drop/promise.h"
#include "pop/say.h"
#include "pop/transact.h"
#include "role/ask.h"
#include "role/offers.h"
#include "role/pace.h"
#include "role/permit.h"
#include "role/pump.h"
#include "role/reach.h"
#include "role/session_end.h"
#include "role/wire.h"

#include "sys/cage.h"
#include "sys/file.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <time.h>

#define EXIT_TEMP	75
#define STATE_MAX	128		/* octets of a small state file */
#define TRACE_WAIT_MS	30000
#define MINUTES_FROM_S	120		/* an age is told in minutes from here */

struct session {
	const struct session_start	*c;
	struct drop_host		 drop_host;
	struct pop_host			 pop_host;
	struct pop_conf			 pop_conf;
	struct bull_place		 place;		/* of .popbull */
	int				 place_fd;	/* owns */
	struct fault			 no_place;	/* why place_fd is -1 */
	int				 state_fd;	/* state folder, owns, or -1 */
	int				 bulletins_fd;	/* owns */
	struct bull_set			 set;
	struct promises			 promises;
	struct pop			*pop;
	struct pump			 pump;
	uint64_t			 began_ms;
	uint64_t			 lock_ms;	/* waited for locks */
};

/* --- questions to the host ---------------------------------------------- */

static int
question(void *ctx, uint16_t type, const int *fd, int *fd_r, struct fault *f)
{
	const struct session *s = ctx;

	if (s->c->direct != NULL)
		return ask_direct(s->c->direct, type, fd == NULL ? -1 : *fd,
		    fd_r, f);
	return ask_host(s->c->link, type, fd, fd_r, f);
}

static int
q_lock(void *ctx, enum drop_lock_purpose why, struct fault *f)
{
	struct session	*s = ctx;
	bool		 held = s->drop_host.dotlocked;

	s->drop_host.dotlocked = false;
	if (held && why == DROP_LOCK_SCAN)
		return 0;
	return question(ctx, why == DROP_LOCK_UPDATE ? MSG_LOCK_UPDATE :
	    MSG_LOCK_SCAN, NULL, NULL, f);
}

static int
q_refresh(void *ctx, struct fault *f)
{
	return question(ctx, MSG_REFRESH, NULL, NULL, f);
}

static int
q_unlock(void *ctx, struct fault *f)
{
	const struct session *s = ctx;

	return s->c->direct == NULL ? ask_tell(s->c->link, MSG_UNLOCK, f) :
	    question(ctx, MSG_UNLOCK, NULL, NULL, f);
}

static int
q_tempfile(void *ctx, int *fd_r, struct fault *f)
{
	return question(ctx, MSG_TEMPFILE, NULL, fd_r, f);
}

static int
q_draft(void *ctx, int *fd_r, struct fault *f)
{
	return question(ctx, MSG_DRAFT, NULL, fd_r, f);
}

static int
q_journal(void *ctx, bool reserve, int *fd_r, struct fault *f)
{
	return question(ctx, reserve ? MSG_RESERVE : MSG_JOURNAL, NULL, fd_r,
	    f);
}

/* In a file, as a message that is to be sent. */
static int
q_forget(void *ctx, struct span dead, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	return q_tempfile(ctx, &fd, f) != 0 ||
	    file_pwrite(fd, dead.p, dead.n, 0, f) != 0 ? -1 :
	    question(ctx, MSG_FORGET, &fd, NULL, f);
}

static int
q_index(void *ctx, int *fd_r, struct fault *f)
{
	return question(ctx, MSG_INDEX, NULL, fd_r, f);
}

static int
q_legacy(void *ctx, struct fault *f)
{
	return question(ctx, MSG_LEGACY, NULL, NULL, f);
}

/* Who sent something is worth a line: it left the host in the user's name. */
static int
q_submit(void *ctx, int fd, struct fault *f)
{
	const struct session	*s = ctx;
	struct log_line		 l;

	if (question(ctx, MSG_SUBMIT, &fd, NULL, f) != 0)
		return -1;
	log_begin(&l, LEVEL_NOTE, "xmit-sent");
	log_str(&l, "user", s->c->id->user);
	log_str(&l, "ip", s->c->peer->text);
	log_end(&l);
	return 0;
}

static void
q_release(void *ctx)
{
	struct fault f;

	if (question(ctx, MSG_RELEASE, NULL, NULL, &f) != 0)
		log_fault(LEVEL_WARN, "drop-release-failed", &f);
}

static void
tell(void *ctx, const char *id, const char *text)
{
	const struct session	*s = ctx;
	struct log_line		 l;

	log_begin(&l, LEVEL_WARN, id);
	log_str(&l, "user", s->c->id->user);
	log_str(&l, "text", text);
	log_end(&l);
}

/* Who traces wants to know of lines, which nobody sees then. */
static bool
lends(void *ctx)
{
	const struct session *s = ctx;

	return s->pump.wire == NULL && fd_is_socket(s->pump.out_fd) &&
	    !trace_wants(&s->pump.who);
}

static void
waited(void *ctx, uint64_t ms)
{
	struct session *s = ctx;

	s->lock_ms += ms;
}

/* A commit's note: the number of the last bulletin, now in the maildrop. */
static int
note(void *ctx, struct span text, struct fault *f)
{
	struct session	*s = ctx;
	uint64_t	 number;

	if (!bull_note_parse(text, &number))
		return fault_set(f, FAULT_PERM, "a note that is none of ours");
	if (s->place.dirfd < 0) {
		*f = s->no_place;
		return fault_prefix(f, "no place for .popbull: ");
	}
	return bull_store(&s->place, number, f);
}

static void
remember_last(void *ctx, const char *uidl)
{
	struct session	*s = ctx;
	struct fault	 f;

	if (s->state_fd < 0 ||
	    file_replace(s->state_fd, "last", 0600, span_str(uidl), &f) == 0)
		return;
	tell(s, "last-not-kept", f.text);
}

/* --- the parts of a session ---------------------------------------------- */

static void
open_folders(struct session *s)
{
	const struct host	*h = s->c->facts;
	const char		*bulletins = s->c->conf->bull.dir;
	struct reach		*r = s->c->reach;
	struct reach		 own;

	if (r == NULL) {
		reach_open(&own, h);
		r = &own;
	}
	s->state_fd = fd_take(&r->state_fd);
	s->place_fd = fd_take(&r->home_fd);
	(void)fault_set(&s->no_place, FAULT_PERM,
	    "neither a home nor a state folder");
	if (r->no_state.class != FAULT_NONE) {
		tell(s, "state-folder", r->no_state.text);
		s->no_place = r->no_state;
	}
	if (r->no_home.class != FAULT_NONE) {
		s->no_place = r->no_home;
		if (bulletins != NULL && bulletins[0] != '\0') {
			(void)fault_prefix(&s->no_place,
			    "bulletins wait for the home folder: ");
			tell(s, "home-folder", s->no_place.text);
		}
	}
	s->place = (struct bull_place){ s->place_fd, ".popbull" };
	if (!h->has_home)
		s->place = (struct bull_place){ s->state_fd, "popbull" };
}

static void
init(struct session *s, const struct session_start *c)
{
	*s = (struct session){
		.c = c,
		.place_fd = -1,
		.state_fd = -1,
		.bulletins_fd = -1,
		.began_ms = clock_ms(),
		.drop_host = {
			.ctx = s,
			.lock = c->facts->system_spool ? q_lock : NULL,
			.dotlocked = c->facts->dotlock.ino != 0,
			.refresh = q_refresh,
			.unlock = q_unlock,
			.tempfile = q_tempfile,
			.journal = q_journal,
			.forget = q_forget,
			.index = q_index,
			.drop_legacy = q_legacy,
			.note = note,
			.tell = tell,
			.waited = waited,
		},
		.pop_host = {
			.ctx = s,
			.tempfile = q_tempfile,
			.draft = q_draft,
			.submit = q_submit,
			.release = q_release,
			.last = remember_last,
			.tell = tell,
			.lends = lends,
		},
	};
	open_folders(s);
}

static struct drop_conf
drop_conf(const struct session *s)
{
	return (struct drop_conf){
		.path = s->c->facts->path,
		.uid = s->c->id->uid,
		.journal_fd = s->c->facts->journal,
		.status = s->c->conf->drop.status_headers,
		.surrogates = s->c->conf->role.utf8_messages !=
		    (int)POP_UTF8_AS_IS,
		.lock_timeout_s = s->c->conf->drop.lock_timeout_s,
		.copy_max = s->c->conf->role.temp_max,
		.in_place = s->c->conf->drop.temp_maildrop == TEMP_MAILDROP_AUTO,
		.memory_max = HOST_MEMORY_MAX,
		.boot = s->c->boot,
		.host = &s->drop_host,
	};
}

/*
 * The new bulletins as a drop of their own; NULL when there are none.  Never a
 * reason to refuse a login.
 */
static struct drop *
open_bulletins(struct session *s)
{
	const struct bull_conf	*c = &s->c->conf->bull;
	const struct bull_piece	*last;
	struct drop		*d;
	struct snapshot		 snap;
	struct fault		 f;

	if (c->dir == NULL || c->dir[0] == '\0' || s->place.dirfd < 0)
		return NULL;
	if (q_tempfile(s, &s->bulletins_fd, &f) != 0 ||
	    bull_collect(c, &s->place, s->c->id->user, s->c->hostname,
	    s->bulletins_fd, 0, tell, s, &s->set, &f) != 0) {
		tell(s, "bulletin-failed", f.text);
		return NULL;
	}
	if (s->set.n == 0)
		return NULL;
	last = &s->set.pieces[s->set.n - 1];
	if (mbox_open_image(s->bulletins_fd, 0, last->off + last->len, &d,
	    &f) != 0) {
		tell(s, "bulletin-failed", f.text);
		bull_set_fini(&s->set);
		return NULL;
	}
	drop_ops_of(d)->snapshot(d, &snap);
	if (snap.n == s->set.n)
		return d;
	tell(s, "bulletin-failed", "the bulletins are not as many messages");
	drop_ops_of(d)->close(d);
	bull_set_fini(&s->set);
	return NULL;
}

static const char *
read_last(const struct session *s, char *text, size_t cap)
{
	AUTO(fd_close) int	fd = -1;
	struct fault		f;
	ssize_t			n;

	if (s->c->conf->drop.status_headers || s->state_fd < 0 ||
	    file_open(s->state_fd, "last", FILE_READ, 0, &fd, &f) != 0)
		return NULL;
	n = file_slurp(fd, text, cap - 1, &f);
	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

static void
set_pop_conf(struct session *s)
{
	const struct settings	*c = s->c->conf;
	const struct words	 words = s->c->moved != NULL ?
				    s->c->moved->words : s->c->words;

	s->pop_conf = (struct pop_conf){
		.host = s->c->hostname,
		.tokens = token_wanted(&c->token),
		.implementation = c->role.hide_version ? NULL : POPPER_IDENT,
		.offers = offers_later(c, &words),
		.bboards = c->xtnd.bboards,
		.copy_max = c->role.temp_max,
		.xmit = c->xtnd.xmit && (!s->c->id->virtual ||
		    s->c->facts->sender[0] != '\0'),
		.xmit_max = c->xtnd.xmit_max_size,
		.xmit_sender = s->c->facts->sender[0] != '\0' ?
		    s->c->facts->sender : NULL,
		.bad_max = c->role.max_bad_commands,
		.words = words,
		.preferred = (uint8_t)c->role.language,
		.utf8 = (enum pop_utf8)c->role.utf8_messages,
		.status = c->drop.status_headers,
		.login_delay_s = pace_of(&c->role, s->c->id),
		.expire = drop_expire_told(&c->drop),
		.utf8_user = c->auth.utf8_user,
		.expire_before = drop_expire_before(&c->drop,
		    (uint64_t)time(NULL)),
		.expire_retrieved = drop_expires_retrieved(&c->drop),
		.expire_held = drop_expire_held(&c->drop, s->c->clock_kept),
		.ask = &s->pop_host,
	};
}

/* Other unique-ids than the promised ones would be worse than none. */
static int
load_promises(struct session *s, struct drop_conf *c, struct fault *f)
{
	int fd = s->c->facts->promises;

	if (fd < 0)
		return 0;
	if (promises_open(fd, &s->promises, f) != 0)
		return fault_prefix(f, "%s: ", c->path);
	c->promises = &s->promises;
	return 0;
}

static int
open_maildrop(struct session *s, struct fault *f)
{
	const struct drop_ops	*ops = s->c->facts->maildir ? &maildir_ops :
				    &mbox_ops;
	struct drop_conf	 c = drop_conf(s);
	struct drop		*d;
	struct drop		*bulletins;
	struct fault		 why;
	char			 last[STATE_MAX];
	int			 result;

	if (s->c->refused != NULL) {
		*f = *s->c->refused;
		return -1;
	}
	result = load_promises(s, &c, f);
	if (result == 0)
		result = s->c->moved == NULL ? ops->open(&c, &d, f) :
		    mbox_open_copy(&c, s->c->moved->copy, s->c->moved->size, &d,
		    f);
	/* There was nothing to scan. */
	if (s->drop_host.dotlocked && q_unlock(s, &why) != 0)
		tell(s, "drop-unlock", why.text);
	s->drop_host.dotlocked = false;
	if (result != 0)
		return -1;
	set_pop_conf(s);
	bulletins = open_bulletins(s);
	s->pop = pop_new(&s->pop_conf, d, bulletins, &s->set,
	    s->bulletins_fd, read_last(s, last, sizeof(last)));
	return s->c->moved == NULL ? 0 :
	    pop_marks_set(s->pop, &s->c->moved->marks, f);
}

/* --- the pump's calls ------------------------------------------------------ */

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

/* --- from login to end ----------------------------------------------------- */

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

/* Another session of popper's has it; else an MTA, a mail reader. */
static const struct host_holder *
other_session(const struct session *s, const struct fault *f)
{
	const struct host_holder *o = &s->c->facts->holder;

	return f->class == FAULT_IN_USE && o->known ? o : NULL;
}

/* Octets of ours and a number: where the other one is, is for the log alone. */
static void
say_in_use(struct buf *out, uint64_t age_s)
{
	static const char *const units[] = { "minutes", "second", "seconds" };
	uint64_t	n = age_s;
	size_t		unit = age_s == 1 ? 1 : 2;

	if (age_s >= MINUTES_FROM_S) {
		n = age_s / 60;
		unit = 0;
	}
	SAY_ERR(out, CODE_IN_USE, "Maildrop is in use since %llu %s by another"
	    " session.", (unsigned long long)n,
	    lang_text(out->tag, units[unit]));
}

/* RFC 2449 s.8.1.1. */
static void
refuse_delayed(struct session *s)
{
	struct log_line	l;
	unsigned	wait_s = s->c->facts->wait_s;

	log_begin(&l, LEVEL_NOTE, "login-too-soon");
	log_str(&l, "user", s->c->id->user);
	log_str(&l, "ip", s->c->peer->text);
	log_num(&l, "wait_s", wait_s);
	log_end(&l);
	SAY_ERR(&s->pump.out, CODE_LOGIN_DELAY, wait_s == 1 ?
	    "Too soon after the last login, wait %u second." :
	    "Too soon after the last login, wait %u seconds.", wait_s);
}

static void
refuse(struct session *s, const struct fault *f)
{
	const struct host_holder	*other = other_session(s, f);
	struct log_line			 l;

	log_begin(&l, f->class == FAULT_IN_USE ? LEVEL_NOTE : LEVEL_ERR,
	    f->class == FAULT_IN_USE ? "drop-in-use" : "drop-failed");
	log_str(&l, "user", s->c->id->user);
	log_str(&l, "text", f->text);
	if (other != NULL) {
		log_str(&l, "other_sid", other->sid);
		log_num(&l, "other_pid", other->pid);
		log_str(&l, "other_ip", other->ip);
		log_num(&l, "other_s", other->age_s);
	}
	log_end(&l);
	if (other != NULL)
		say_in_use(&s->pump.out, other->age_s);
	else
		SAY_FAULT(&s->pump.out, f);
}

static enum pump_next
begin(struct session *s)
{
	struct fault f = { 0 };

	s->pump.out.tag = s->c->words.lang;
	if (open_maildrop(s, &f) == 0) {
		if (s->c->moved != NULL)
			return on_line(s, s->c->moved->line, &s->pump.out);
		pop_welcome(s->pop, &s->pump.out);
		return PUMP_LINE;
	}
	if (f.class == FAULT_DELAY)
		refuse_delayed(s);
	else
		refuse(s, &f);
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

	if (fd_set_nonblock(fd, true, &f) != 0)
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
		spawn_exit(1);
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
	conf = drop_conf(&s);
	result = drop_recover(&conf, &did, &f);
	if (result != 0)
		tell(&s, "recovery-failed", f.text);
	else if (did)
		tell(&s, "recovery-done", conf.path);
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

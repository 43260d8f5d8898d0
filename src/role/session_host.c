/* SPDX-License-Identifier: ISC */
/*
 * What a session asks of its host: of the monitor, or in its own process; and what
 * its maildrop and its protocol tell it.
 *
 * Runs as: session.c tells.  Reads from: its monitor, answers.
 */
#include "role/session_priv.h"

#include "role/ask.h"
#include "role/permit.h"

#include "sys/file.h"
#include "watch/log.h"

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

int
session_unlock(void *ctx, struct fault *f)
{
	const struct session *s = ctx;

	return s->c->direct == NULL ? ask_tell(s->c->link, MSG_UNLOCK, f) :
	    question(ctx, MSG_UNLOCK, NULL, NULL, f);
}

int
session_tempfile(void *ctx, int *fd_r, struct fault *f)
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

	return session_tempfile(ctx, &fd, f) != 0 ||
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

void
session_release(void *ctx, bool done)
{
	struct fault f;

	if (question(ctx, done ? MSG_RELEASE : MSG_GIVE_UP, NULL, NULL, &f) != 0)
		log_fault(LEVEL_WARN, "drop-release-failed", &f);
}

void
session_tell(void *ctx, const char *id, const char *text)
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
	session_tell(s, "last-not-kept", f.text);
}

void
session_init_hosts(struct session *s)
{
	s->drop_host = (struct drop_host){
		.ctx = s,
		.lock = s->c->facts->system_spool ? q_lock : NULL,
		.dotlocked = s->c->facts->dotlock.ino != 0,
		.refresh = q_refresh,
		.unlock = session_unlock,
		.tempfile = session_tempfile,
		.journal = q_journal,
		.forget = q_forget,
		.index = q_index,
		.drop_legacy = q_legacy,
		.note = note,
		.tell = session_tell,
		.waited = waited,
	};
	s->pop_host = (struct pop_host){
		.ctx = s,
		.tempfile = session_tempfile,
		.draft = q_draft,
		.submit = q_submit,
		.release = session_release,
		.last = remember_last,
		.tell = session_tell,
		.lends = lends,
	};
}

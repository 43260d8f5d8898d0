/* SPDX-License-Identifier: ISC */
/*
 * Finishing what a journal says: after the last step of a commit, and for
 * whoever comes after a crash.  Runs as: the user (session or recovery child).
 */
#include "drop/maildir_journal.h"
#include "drop/mbox_priv.h"

/*
 * The spool is the new one, and belongs to others again: whatever happens to us
 * from here on, it must not be written once more.  What follows may also fail
 * for reasons that have nothing to do with it (a full home folder).
 */
static int
settle(struct journal *j, struct fault *f)
{
	struct journal_state next = j->now;

	if (j->settled)
		return 0;
	next.step = STEP_DONE;
	next.len = 0;
	if (journal_put(j, &next, f) == -1)
		return -1;
	j->settled = true;
	return 0;
}

/* After the last step: .user.pop emptied, the note made true, the journal cleared.
 * Every part of it may be done twice. */
static int
finish(struct journal *j, struct spool *s, struct fault *f)
{
	const struct drop_host *h = s->conf->host;
	struct fault why;

	if (settle(j, f) == -1)
		return -1;
	if (j->now.legacy_size > 0 && legacy_empty(s, &j->now, f) == -1)
		return -1;
	if (j->now.note_n > 0 && h->note(h->ctx,
	    span_of(j->now.note, (size_t)j->now.note_n), &why) == -1) {
		/* What may pass is tried again; but a note that can never be
		 * made true must not keep the user from his mail for ever. */
		if (why.class != FAULT_PERM) {
			*f = why;
			return -1;
		}
		h->tell(h->ctx, "drop-note-lost", why.text);
	}
	if (journal_clear(j, f) == -1)
		return -1;
	/* It is empty by now: when it stays, nothing is lost or doubled. */
	if (j->now.legacy_size > 0 && h->drop_legacy(h->ctx, &why) == -1)
		h->tell(h->ctx, "drop-legacy", why.text);
	return 0;
}

int
mbox_carry_out(struct journal *j, struct spool *s, struct fault *f)
{
	bool undone;

	if (journal_run(j, s, &undone, f) == 0) {
		if (!undone && finish(j, s, f) == 0)
			return 0;
		if (undone && journal_clear(j, f) == 0)
			return fault_set(f, FAULT_TEMP, "%s grew without a "
			    "lock; it was left as it is", s->conf->path);
	}
	f->class = FAULT_TEMP;
	return fault_prefix(f, "recovery will finish the update: ");
}

/*
 * The path names another file now, or one that others changed.  What of the
 * journal is not in it yet cannot be put there without guessing.  Nothing is
 * thrown away: either it was all done, or nothing had been done, or the
 * operator has to look (the journal's data is mailbox text).
 */
static int
not_our_spool(struct journal *j, struct spool *s, struct fault *f)
{
	const struct drop_host *h = s->conf->host;

	j->settled = true;
	if (j->now.step == STEP_CUT || j->now.step == STEP_DONE)
		return finish(j, s, f);
	if (j->now.step == STEP_GROW)
		return journal_clear(j, f);
	h->tell(h->ctx, "drop-journal-foreign",
	    "the spool was replaced while an update of it was open: its journal "
	    "is kept, and must be looked at and removed by hand");
	return fault_set(f, FAULT_PERM, "%s: the open journal belongs to another "
	    "file (inode %llu)", s->conf->path,
	    (unsigned long long)j->now.ino);
}

static int
recover_locked(struct journal *j, struct spool *s, struct fault *f)
{
	bool ours;
	bool undone;

	if (journal_match(j, s, &ours, f) == -1)
		return -1;
	if (!ours)
		return not_our_spool(j, s, f);
	if (journal_run(j, s, &undone, f) == -1)
		return -1;
	return undone ? journal_clear(j, f) : finish(j, s, f);
}

static int
recover(const struct drop_conf *c, struct journal *j, struct fault *f)
{
	struct spool	s;
	int		r;

	spool_init(&s, c);
	s.pending = true;
	r = spool_lock(&s, DROP_LOCK_UPDATE, j->now.lock_ino, f);
	if (r == 0)
		r = recover_locked(j, &s, f);
	/*
	 * A spool that is half written stays locked until somebody could finish
	 * it; one that only the operator can judge must take new mail.
	 */
	if (r == 0 || j->settled || f->class == FAULT_PERM)
		spool_unlock(&s);
	spool_fini(&s);
	return r == 0 ? 0 : fault_prefix(f, "recovery of %s: ", c->path);
}

int
drop_recover(const struct drop_conf *c, bool *did_r, struct fault *f)
{
	struct journal	j;
	struct fault	own;
	int		r;

	if (f == NULL)
		f = &own;
	*did_r = false;
	if (c->journal_fd == -1)
		return 0;
	r = maildir_journal_is(c->journal_fd, f);
	if (r != 0)
		return r == -1 ? -1 : maildir_recover(c, did_r, f);
	r = journal_load(&j, c->journal_fd, f);
	if (r == 0) {
		/* The remains of a commit that was never made: whoever finds
		 * octets in a journal takes it for an open one. */
		r = journal_forget(&j, f);
	} else if (r == 1) {
		r = recover(c, &j, f);
		*did_r = r == 0;
	}
	journal_fini(&j);
	return r;
}

/* SPDX-License-Identifier: ISC */
/*
 * UPDATE of a Maildir.  Runs as: the user.
 *
 * Each deletion is one unlink, so a crash leaves some done and some not, and
 * never touches what was not deleted.  Deletions come first, for they make
 * room; then the bulletins that are kept; then flags, which matter least.
 */
#include "drop/maildir_priv.h"

#include "drop/promise.h"

#include <errno.h>
#include <stdio.h>

#define TRIES	4

struct update {
	struct maildir			*m;
	const struct drop_change	*change;
	struct drop_outcome		*out;
	uint64_t			 octets;	/* of files removed */
	uint64_t			 failed;
	struct fault			 why;		/* the first that failed */
};

/* ------------------------------------------------------------ deleting */

/* 1: removed; 0: others did it, or it is no longer what was listed; -1. */
static int
remove_file(struct maildir *m, size_t i, struct fault *f)
{
	struct maildir_place place;

	for (int try = 0; try < TRIES; try++) {
		int found = maildir_where(m, i, &place, f);

		if (found != 1)
			return found;
		if (file_unlink(place.folder, place.name, f) == 0)
			return 1;
		if (!maildir_went(f))
			return -1;
	}
	return -1;
}

static void
delete_one(struct update *u, size_t i)
{
	struct fault		f = { 0 };
	struct maildir_mail	mail;
	int			r = remove_file(u->m, i, &f);

	if (r == 1 && maildir_row(u->m, i, &mail, &f) == -1)
		r = -1;
	if (r == -1) {
		if (u->failed++ == 0)
			u->why = f;
	} else if (r == 0) {
		u->out->vanished++;
	} else {
		u->out->deleted++;
		u->out->deleted_octets += mail.row->wire;
		u->out->expired += u->change->expired != NULL &&
		    u->change->expired[i];
		u->octets += mail.row->size;
	}
}

static void
delete_all(struct update *u)
{
	for (size_t i = 0; i < u->m->n; i++)
		if (u->change->deleted[i])
			delete_one(u, i);
}

/* -------------------------------------------------------------- marking */

/*
 * To cur/, with S: 1 when it was done, 0 when there is nothing to do.  A name
 * in the way stays: to rename over it would be to remove a message.
 */
static int
mark_file(const struct maildir *m, const struct maildir_place *p, struct fault *f)
{
	struct maildir_name	n;
	struct file_facts	other;
	char			seen[MAILDIR_NAME_MAX + 1];
	char			from[MAILDIR_NAME_MAX + 8];
	char			to[MAILDIR_NAME_MAX + 8];

	if (!maildir_name_parse(span_str(p->name), &n) ||
	    !maildir_name_seen(&n, seen) ||
	    file_facts_at(maildir_now(m)->cur_fd, seen, &other, f) == 0)
		return 0;
	if (f->err != ENOENT)
		return -1;
	(void)snprintf(from, sizeof(from), "%s/%s", p->in_new ? "new" : "cur",
	    p->name);
	(void)snprintf(to, sizeof(to), "cur/%s", seen);
	return file_rename(m->fd, from, to, f) == 0 ? 1 : -1;
}

static int
mark_seen(struct maildir *m, size_t i, struct fault *f)
{
	struct maildir_place place;

	for (int try = 0; try < TRIES; try++) {
		int r = maildir_where(m, i, &place, f);

		if (r == 1)
			r = mark_file(m, &place, f);
		if (r != -1 || !maildir_went(f))
			return r;
	}
	return -1;
}

/* Those that have it, and files that share their base name, are left alone. */
static bool
is_to_mark(struct maildir *m, size_t i, struct fault *f)
{
	struct maildir_mail mail;

	return maildir_row(m, i, &mail, f) == 0 && (mail.row->flags &
	    (MAILDIR_ROW_SEEN | MAILDIR_ROW_TWIN)) == 0;
}

static void
mark_all(struct update *u)
{
	const struct drop_change *c = u->change;
	struct fault f = { 0 };

	for (size_t i = 0; u->m->conf.status && i < u->m->n; i++) {
		int r;

		if (!c->retrieved[i] || c->deleted[i] ||
		    !is_to_mark(u->m, i, &f))
			continue;
		r = mark_seen(u->m, i, &f);
		u->out->rewritten |= r == 1;
		u->out->status_dropped |= r == -1;
	}
}

/* ------------------------------------------------------------- in all */

static int
keep_bulletins(struct update *u, struct fault *f)
{
	const struct drop_change	*c = u->change;
	const struct drop_host		*h = u->m->conf.host;
	uint64_t			 octets;

	if (c->nextra == 0)
		return c->note.n == 0 ? 0 : h->note(h->ctx, c->note, f);
	if (maildir_deliver(u->m, c, u->out, &octets, f) == -1)
		return -1;
	if (u->out->extra_dropped)
		return 0;
	u->out->rewritten = true;
	maildir_count(u->m, (int64_t)octets, (int64_t)c->nextra);
	return 0;
}

/* A deletion that is lost in a crash comes back as mail: no harm is done. */
static void
sync_folders(const struct maildir *m)
{
	const struct maildir_list	*l = maildir_now(m);
	struct fault			 f;

	if (l->new_fd != -1 && (file_sync(l->new_fd, &f) == -1 ||
	    file_sync(l->cur_fd, &f) == -1))
		m->conf.host->tell(m->conf.host->ctx, "drop-maildir", f.text);
}

static void
forget_promises(const struct update *u)
{
	struct promise_use	 use;
	struct maildir_mail	 mail;
	struct fault		 f;
	uint8_t			 digest[DIGEST_SIZE];

	if (u->out->deleted == 0 || !promise_use_begin(&use, &u->m->conf))
		return;
	for (size_t i = 0; i < u->m->n; i++) {
		if (u->change->deleted[i])
			continue;
		/* What cannot be found out may have one. */
		if (maildir_row(u->m, i, &mail, &f) == -1) {
			promise_use_drop(&use);
			return;
		}
		(void)maildir_mail_key(&mail, digest);
		promise_use_message(&use, digest);
	}
	promise_use_end(&use);
}

int
maildir_commit(struct drop *d, const struct drop_change *c,
    struct drop_outcome *out, struct fault *f)
{
	struct maildir	*m = (struct maildir *)(void *)d;
	struct update	 u = { .m = m, .change = c, .out = out };
	struct fault	 own;

	*out = (struct drop_outcome){ 0 };
	if (f == NULL)
		f = &own;
	delete_all(&u);
	out->rewritten = out->deleted > 0;
	maildir_count(m, -(int64_t)u.octets, -(int64_t)out->deleted);
	if (keep_bulletins(&u, f) == -1)
		return -1;
	mark_all(&u);
	if (out->rewritten)
		sync_folders(m);
	if (u.failed == 0) {
		forget_promises(&u);
		return 0;
	}
	*f = u.why;
	return fault_prefix(f, "%llu of %llu messages not deleted: ",
	    (unsigned long long)u.failed,
	    (unsigned long long)(u.failed + out->deleted));
}

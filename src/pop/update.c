/* SPDX-License-Identifier: ISC */
/*
 * The UPDATE state: tell the drop what the session did.  The drop merges it
 * with what others did and is safe against crashes; here it is only decided
 * what is wanted.  O(n).
 */
#include "pop/pop_priv.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

struct wish {
	bool			*deleted;	/* of the maildrop's own messages */
	bool			*expired;	/* of those */
	bool			*retrieved;
	struct drop_extra	*extra;		/* bulletins that stay */
	size_t			 nextra;
	char			 note[BULL_NOTE_MAX];
	size_t			 note_n;
};

/* May there be one that is older than clients were told? */
static bool
has_old(const struct pop *p)
{
	return p->view.oldest != 0 && p->view.oldest < p->conf->expire_before;
}

bool
update_is_idle(const struct pop *p)
{
	return !p->view.marked && (p->conf->expire_held || !has_old(p));
}

static bool
is_old(const struct pop *p, const struct view_item *m)
{
	return m->entry.delivered != 0 &&
	    m->entry.delivered < p->conf->expire_before;
}

/*
 * RFC 2449 s.6.7: as if the client had said DELE when UPDATE begins; so RSET undoes
 * nothing of it, and who ends without QUIT keeps all.  Who got a surrogate
 * (RFC 6858) has not got the message.
 */
bool
update_expires(const struct pop *p, const struct view_item *m)
{
	const struct pop_conf *c = p->conf;

	if (m->deleted)
		return false;
	return (c->expire_retrieved && m->retrieved && !m->recoded) ||
	    (!c->expire_held && is_old(p, m));
}

static void
wish_init(struct wish *w, const struct pop *p)
{
	const struct view *v = &p->view;

	*w = (struct wish){
		.deleted = xalloc(v->own, sizeof(bool)),
		.expired = xalloc(v->own, sizeof(bool)),
		.retrieved = xalloc(v->own, sizeof(bool)),
		.extra = xalloc(v->n - v->own, sizeof(struct drop_extra)),
	};
	for (size_t i = 0; i < v->own; i++) {
		w->expired[i] = update_expires(p, &v->items[i]);
		w->deleted[i] = v->items[i].deleted || w->expired[i];
		w->retrieved[i] = v->items[i].retrieved;
	}
	for (size_t i = v->own; i < v->n; i++) {
		const struct bull_piece *b = &p->set->pieces[i - v->own];

		if (!v->items[i].deleted)
			w->extra[w->nextra++] = (struct drop_extra){
				.off = b->off,
				.len = b->len,
			};
	}
	if (p->set != NULL && p->set->highest > p->set->recorded)
		w->note_n = bull_note(p->set->highest, w->note);
}

static void
wish_fini(struct wish *w)
{
	free(w->deleted);
	free(w->expired);
	free(w->retrieved);
	free(w->extra);
}

/* What stays, once the drop has said how it went. */
static void
count(struct pop *p, const struct drop_outcome *done)
{
	struct pop_counts	*c = &p->counts;
	const struct view	*v = &p->view;

	for (size_t i = v->own; i < v->n; i++)
		if (v->items[i].deleted) {
			c->deleted++;
			c->deleted_octets += v->items[i].entry.size_wire;
		}
	c->deleted += done->deleted;
	c->deleted_octets += done->deleted_octets;
	c->expired += done->expired;
	c->left = v->left;
	c->left_octets = v->left_octets;
	for (size_t i = 0; !update_is_idle(p) && i < v->own; i++)
		if (update_expires(p, &v->items[i])) {
			c->left--;
			c->left_octets -= v->items[i].entry.size_wire;
		}
	c->updated = true;
}

static void
remember_last(struct pop *p)
{
	const struct view *v = &p->view;

	if (p->conf->status || v->last == v->last_at_login || !v->marked)
		return;
	for (uint32_t i = v->last; i > 0; i--)
		if (v->items[i - 1].retrieved) {
			p->conf->ask->last(p->conf->ask->ctx,
			    v->items[i - 1].entry.uidl);
			return;
		}
}

static void
tell_losses(struct pop *p, const struct drop_outcome *done)
{
	const struct pop_host *ask = p->conf->ask;

	if (done->extra_dropped)
		ask->tell(ask->ctx, "update-no-room",
		    "bulletins stay out of the maildrop: they come again");
	if (done->status_dropped)
		ask->tell(ask->ctx, "update-no-room",
		    "Status: lines were not written");
}

/* What would have gone, if the clock could be believed. */
static void
tell_held(struct pop *p)
{
	const struct view	*v = &p->view;
	size_t			 n = 0;
	char			 text[128];

	if (!p->conf->expire_held || !has_old(p))
		return;
	for (size_t i = 0; i < v->own; i++)
		n += !v->items[i].deleted && is_old(p, &v->items[i]);
	if (n == 0)
		return;
	(void)snprintf(text, sizeof(text), "%zu message%s older than expire "
	    "says and not deleted: no time service keeps the clock of this "
	    "host", n, n == 1 ? " is" : "s are");
	p->conf->ask->tell(p->conf->ask->ctx, "expire-held", text);
}

/* Before the reply: who has read it may log in again. */
static void
leave(struct pop *p, bool done)
{
	drop_ops_of(p->maildrop)->close(p->maildrop);
	p->maildrop = NULL;
	p->conf->ask->release(p->conf->ask->ctx, done);
}

void
update_give_up(struct pop *p)
{
	leave(p, false);
}

/* Bulletins that stay, or a number to remember. */
static bool
has_news(const struct pop *p)
{
	return p->view.n > p->view.own ||
	    (p->set != NULL && p->set->highest > p->set->recorded);
}

/* What the drop is told, and what it makes of it. */
static int
commit(struct pop *p, struct drop_outcome *done)
{
	struct drop_change	change = { 0 };
	struct wish		w;
	int			result;

	wish_init(&w, p);
	change.deleted = w.deleted;
	change.expired = w.expired;
	change.retrieved = w.retrieved;
	change.extra_fd = p->bulletins_fd;
	change.extra = w.extra;
	change.nextra = w.nextra;
	change.note = span_of(w.note, w.note_n);
	result = drop_ops_of(p->maildrop)->commit(p->maildrop, &change, done,
	    &p->fault);
	wish_fini(&w);
	return result;
}

int
update_run(struct pop *p)
{
	struct drop_outcome	done = { 0 };
	int			result = 0;

	if (has_old(p))
		result = view_all(&p->view, &p->fault);
	if (result == 0 && (!update_is_idle(p) || has_news(p)))
		result = commit(p, &done);
	p->unfinished = done.unfinished;
	if (result != 0) {
		p->conf->ask->tell(p->conf->ask->ctx, "update-failed",
		    p->fault.text);
		return -1;
	}
	count(p, &done);
	tell_losses(p, &done);
	tell_held(p);
	remember_last(p);
	leave(p, true);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * UPDATE: merge what the session did with what is in the spool by now.
 *
 * The spool is scanned again under its locks, unless its times say that it is what
 * the login saw.  A message of it is the session's when its digest is; it is removed
 * only when all its octets are those that the session had, mutable header fields
 * left out.  Everything else stays: new mail, odd octets between messages, what mail
 * readers changed; and what they removed stays removed.
 *
 * Runs as: the user.  Reads from: the spool and the session's copy.
 */
#include "drop/mbox_priv.h"

#include "base/alloc.h"
#include "drop/promise.h"
#include "drop/uidl.h"

#include <stdio.h>
#include <stdlib.h>

#define NOBODY		SIZE_MAX
#define LETTER(c)	(1u << ((c) - 'A'))
struct commit {
	struct drop			*d;
	const struct drop_change	*change;
	struct spool			 spool;
	struct mbox_table		 scanned;
	const struct mbox_table		*now;	/* the spool, by octets: that,
						   or the session's own */
	size_t				*whose;	/* row of now -> row of the
						   session's table, or NOBODY */
	bool				*deleted;	/* by session row */
	bool				*expired;
	bool				*retrieved;
	struct mbox_edit			*edits;
	size_t				 nedits;
	size_t				 cap;
	size_t				 nremoved;
	size_t				 nstatus;
	size_t				 nnew;	/* rows that are NOBODY's */
	const char			*gap;	/* before the first extra */
};

/* ------------------------------------------------------------- matching */

static int
by_identity(const void *a, const void *b)
{
	return mbox_compare(*(const struct mbox_msg *const *)a,
	    *(const struct mbox_msg *const *)b);
}

static const struct mbox_msg **
sorted(const struct mbox_table *t)
{
	const struct mbox_msg **list = xalloc(t->n, sizeof(*list));

	for (size_t i = 0; i < t->n; i++)
		list[i] = &t->m[i];
	qsort(list, t->n, sizeof(*list), by_identity);
	return list;
}

static size_t
end_of_twins(const struct mbox_msg *const *list, size_t at, size_t n)
{
	size_t i = at;

	while (i < n && memcmp(list[i]->digest, list[at]->digest,
	    MBOX_DIGEST) == 0)
		i++;
	return i;
}

/*
 * Twins cannot be told apart.  When somebody removed some of them, as many
 * stay as the session wanted to keep: he may have removed those that the
 * session deleted.
 */
static void
match_twins(struct commit *k, const struct mbox_msg *const *old, size_t nold,
    const struct mbox_msg *const *now, size_t nnow)
{
	size_t kept = 0;
	size_t may_go;

	for (size_t i = 0; i < nold; i++)
		kept += !k->deleted[old[i] - k->d->table.m];
	may_go = nnow >= nold ? nold : nnow > kept ? nnow - kept : 0;
	for (size_t i = 0; i < nnow && i < nold; i++) {
		size_t o = (size_t)(old[i] - k->d->table.m);

		if (k->deleted[o] && may_go == 0)
			continue;
		may_go -= k->deleted[o];
		k->whose[now[i] - k->now->m] = o;
	}
}

static void
match(struct commit *k)
{
	const struct mbox_msg	**old = sorted(&k->d->table);
	const struct mbox_msg	**now = sorted(k->now);
	size_t			  i = 0;

	for (size_t n = 0; n < k->now->n; n++)
		k->whose[n] = NOBODY;
	for (size_t n = 0; n < k->now->n;) {
		size_t	n_end = end_of_twins(now, n, k->now->n);
		size_t	i_end;
		int	c = -1;

		while (i < k->d->table.n && (c = memcmp(old[i]->digest,
		    now[n]->digest, MBOX_DIGEST)) < 0)
			i++;
		if (i < k->d->table.n && c == 0) {
			i_end = end_of_twins(old, i, k->d->table.n);
			match_twins(k, old + i, i_end - i, now + n, n_end - n);
			i = i_end;
		}
		n = n_end;
	}
	free(old);
	free(now);
}

/* ---------------------------------------------------------------- edits */

static struct mbox_edit *
add_edit(struct commit *k, uint64_t off, uint64_t cut)
{
	struct mbox_edit *e;

	k->edits = xgrow(k->edits, k->nedits, &k->cap, sizeof(*k->edits));
	e = &k->edits[k->nedits++];
	*e = (struct mbox_edit){ .off = off, .cut = cut };
	return e;
}

/* "Status: RO" and the letters that it had, but not U and N (not seen). */
static void
status_line(struct mbox_edit *e, const struct mbox_msg *m)
{
	uint32_t	seen = LETTER('R') | LETTER('O');
	uint32_t	rest = m->letters & ~(seen | LETTER('U') | LETTER('N'));
	size_t		n = (size_t)snprintf(e->text, sizeof(e->text),
			    "Status: RO");

	for (char c = 'A'; c <= 'Z'; c++)
		if (rest & LETTER(c))
			e->text[n++] = c;
	if (m->flags & MBOX_CRLF)
		e->text[n++] = '\r';
	e->text[n++] = '\n';
	e->len = n;
}

/* Should the Status of this message say that it was retrieved? */
static bool
wants_status(const struct commit *k, const struct mbox_msg *m, size_t row)
{
	const struct mbox_msg *old = &k->d->table.m[row];

	return k->d->conf.status && k->retrieved[row] &&
	    (m->flags & (MBOX_SEEN | MBOX_HEAD_OPEN | MBOX_HIDDEN)) == 0 &&
	    /* somebody else wrote one meanwhile: it is his */
	    m->letters == old->letters &&
	    (m->status_len > 0) == (old->status_len > 0);
}

/* Who has a copy, and has not seen the spool just so, compares it with that. */
static int
compare(struct commit *k, const struct mbox_msg *m, size_t row, bool *same_r,
    struct fault *f)
{
	const struct drop *d = k->d;

	*same_r = true;
	if (d->in_place || k->now == &d->table)
		return 0;
	return mbox_same(d->fd, &d->table.m[row], k->spool.fd, m, same_r, f) == -1 ?
	    -1 : spool_tick(&k->spool, f);
}

static int
edit_message(struct commit *k, const struct mbox_msg *m, size_t row,
    struct drop_outcome *out, struct fault *f)
{
	bool same;

	if (k->deleted[row] && (m->flags & MBOX_HIDDEN) == 0) {
		if (compare(k, m, row, &same, f) == -1)
			return -1;
		if (!same)
			return 0;
		(void)add_edit(k, m->from, m->next - m->from);
		out->deleted++;
		out->expired += k->expired[row];
		out->deleted_octets += m->size_wire;
		k->nremoved++;
	} else if (!k->deleted[row] && wants_status(k, m, row)) {
		if (m->status_len > 0)
			status_line(add_edit(k, m->status, m->status_len), m);
		else
			status_line(add_edit(k, m->head_end, 0), m);
		k->nstatus++;
	}
	return 0;
}

/* What has to stand between the last message that stays and a From_ line. */
static const char *
gap_before_extra(struct commit *k)
{
	size_t	 gone = k->nedits;
	size_t	 i = k->now->n;

	if (k->now->n > 0 && k->now->m[i - 1].next != k->spool.facts.size)
		return "\n\n";		/* a rest that was not looked at */
	for (; i > 0; i--) {
		const struct mbox_msg *m = &k->now->m[i - 1];
		uint8_t last;

		while (gone > 0 && k->edits[gone - 1].off > m->from)
			gone--;
		if (gone > 0 && k->edits[gone - 1].off == m->from &&
		    k->edits[gone - 1].len == 0)
			continue;
		if (m->flags & MBOX_SEPARATED)
			return "";
		if (file_pread(k->spool.fd, &last, 1, m->next - 1, NULL) != 1)
			return "\n\n";
		switch (mbox_missing_end(m, last).n) {
		case 0:
			return m->flags & MBOX_CRLF ? "\r\n" : "\n";
		case 1:
			return "\n\n";
		default:
			return "\r\n\n";
		}
	}
	return "";
}

static int
make_edits(struct commit *k, struct drop_outcome *out, struct fault *f)
{
	size_t wanted = 0;

	for (size_t i = 0; i < k->now->n; i++) {
		if (k->whose[i] == NOBODY)
			k->nnew++;
		else if (edit_message(k, &k->now->m[i], k->whose[i], out, f) == -1)
			return -1;
	}
	for (size_t i = 0; i < k->d->table.n; i++)
		wanted += k->deleted[i];
	out->vanished = wanted - k->nremoved;
	k->gap = gap_before_extra(k);
	return 0;
}

/* ------------------------------------------------------------- the wish */

/* What to leave out, when room is short. */
enum {
	LESS_EXTRA	= 1u << 0,
	LESS_STATUS	= 1u << 1,
	FROM_RESERVE	= 1u << 2,
};

struct plan {
	struct journal_wish	 wish;
	struct journal_piece	*image;
	size_t			 nimage;
	struct journal_range	*kept;
	size_t			 nkept;
};

static bool
left_out(const struct mbox_edit *e, unsigned less)
{
	return e->len > 0 && (less & LESS_STATUS);
}

static void
add_piece(struct plan *p, int fd, uint64_t off, uint64_t len, const char *text)
{
	if (len == 0)
		return;
	p->image[p->nimage++] = (struct journal_piece){ fd, off, len, text };
	p->wish.size += len;
}

/* Octets [off, end) of the spool stay, but what lies before the first change
 * is not touched at all. */
static void
keep(struct plan *p, const struct commit *k, uint64_t off, uint64_t end)
{
	if (end == off)
		return;
	p->kept[p->nkept++] = (struct journal_range){ off, end - off };
	add_piece(p, k->spool.fd, off, end - off, NULL);
}

static void
add_extra(struct plan *p, const struct commit *k)
{
	const struct drop_change *c = k->change;

	add_piece(p, -1, 0, strlen(k->gap), k->gap);
	for (size_t i = 0; i < c->nextra; i++)
		add_piece(p, c->extra_fd, c->extra[i].off, c->extra[i].len,
		    NULL);
}

static bool
has_extra(const struct commit *k, unsigned less)
{
	return k->change->nextra > 0 && (less & LESS_EXTRA) == 0;
}

/* O(edits + extras).  The caller calls plan_fini. */
static void
plan_make(struct plan *p, const struct commit *k, unsigned less)
{
	uint64_t pos = k->spool.facts.size;
	bool first = true;

	*p = (struct plan){ 0 };
	p->image = xalloc(2 * k->nedits + k->change->nextra + 2,
	    sizeof(*p->image));
	p->kept = xalloc(k->nedits + 1, sizeof(*p->kept));
	for (size_t i = 0; i < k->nedits; i++) {
		const struct mbox_edit *e = &k->edits[i];

		if (left_out(e, less))
			continue;
		if (first)
			p->wish.from = p->wish.size = e->off;
		else
			keep(p, k, pos, e->off);
		first = false;
		add_piece(p, -1, 0, e->len, e->text);
		pos = e->off + e->cut;
	}
	if (first)
		p->wish.from = p->wish.size = pos;
	keep(p, k, pos, k->spool.facts.size);
	if (has_extra(k, less))
		add_extra(p, k);
	if (less & FROM_RESERVE) {
		p->wish.kept = p->kept;
		p->wish.nkept = p->nkept;
	} else {
		p->wish.image = p->image;
		p->wish.nimage = p->nimage;
	}
	if (k->change->nextra == 0 || has_extra(k, less))
		p->wish.note = k->change->note;
}

static void
plan_fini(struct plan *p)
{
	free(p->image);
	free(p->kept);
}

/* --------------------------------------------------------------- making */

/*
 * With biff's eyes: new mail is what was written after it was read.  What was
 * written last is the file's own to say: somebody may append at this moment.
 */
static void
set_times(const struct commit *k, bool news)
{
	const struct drop_host *h = k->d->conf.host;
	struct file_facts now;
	struct timespec read;
	struct fault f;

	if (file_facts(k->spool.fd, &now, NULL) == -1)
		return;
	read = now.mtime;
	if (news)
		read = k->spool.facts.atime.tv_sec < now.mtime.tv_sec ?
		    k->spool.facts.atime :
		    (struct timespec){ .tv_sec = now.mtime.tv_sec - 1 };
	if (file_set_atime(k->spool.fd, read, &f) == -1)
		h->tell(h->ctx, "drop-times", f.text);
}

/*
 * One try to get the commit into the journal, with less of it when the disk
 * is full.  1: it is there; 0: no room; -1: a fault (j->open: it may be there).
 */
static int
try_begin(struct commit *k, struct journal *j, int fd, unsigned less,
    struct fault *f)
{
	struct plan	p;
	int		r;

	plan_make(&p, k, less);
	journal_fini(j);
	r = journal_begin(j, fd, &k->spool, (less & FROM_RESERVE) != 0,
	    &p.wish, f);
	plan_fini(&p);
	if (r == 0)
		return 1;
	return !j->open && mbox_is_full(f) ? 0 : -1;
}

/* Is there anything to be written when so much is left out? */
static bool
is_something(const struct commit *k, unsigned less)
{
	return k->nremoved > 0 || has_extra(k, less) ||
	    (k->nstatus > 0 && (less & LESS_STATUS) == 0);
}

/* Is that less than what was tried before? */
static bool
leaves_out(const struct commit *k, unsigned less, unsigned before)
{
	unsigned more = less & ~before;

	return (k->change->nextra > 0 && (more & LESS_EXTRA)) ||
	    (k->nstatus > 0 && (more & LESS_STATUS)) || (more & FROM_RESERVE);
}

static const struct drop_host *
host_of(const struct commit *k)
{
	return k->d->conf.host;
}

/* 1: *less_r of it is in the journal; 0: nothing is left to do; -1. */
static int
begin(struct commit *k, struct journal *j, int *fd_r, unsigned *less_r,
    struct fault *f)
{
	static const unsigned ladder[] = {
		0, LESS_EXTRA, LESS_EXTRA | LESS_STATUS,
		LESS_EXTRA | LESS_STATUS | FROM_RESERVE,
	};
	const struct drop_host *h = host_of(k);

	for (size_t i = 0; i < ARRAY_LEN(ladder); i++) {
		bool	reserve = (ladder[i] & FROM_RESERVE) != 0;
		int	r = 0;

		if (i > 0 && !leaves_out(k, ladder[i], *less_r))
			continue;
		*less_r = ladder[i];
		if (!is_something(k, ladder[i]))
			return 0;
		if (*fd_r == -1 || reserve) {
			fd_close(fd_r);
			r = h->journal(h->ctx, reserve, fd_r, f);
			if (r == -1)
				*fd_r = -1;
		}
		if (r == 0)
			r = try_begin(k, j, *fd_r, ladder[i], f);
		else if (mbox_is_full(f) && !reserve)
			r = 0;
		if (r != 0)
			return r;
	}
	return fault_prefix(f, "%s: nothing was deleted: ", k->d->conf.path);
}

static int
make_note_true(const struct commit *k, struct fault *f)
{
	const struct drop_host *h = host_of(k);

	return k->change->note.n == 0 ? 0 :
	    h->note(h->ctx, k->change->note, f);
}

/* exact: the edits are all that was done. */
static void
keep_index(struct commit *k, bool exact)
{
	struct indexed		*x = &k->d->index;
	struct mbox_table	 t = { 0 };
	size_t			 same;

	if (x->fd == -1)
		return;
	if (exact && k->now->n < MBOX_MAX &&
	    mbox_edited(k->spool.fd, k->now, k->edits, k->nedits, &t, &same))
		indexed_replace(x, k->spool.fd, &t, k->now == &k->d->table ?
		    same : 0);
	else
		indexed_drop(x);
	mbox_table_fini(&t);
}

static int
write_spool(struct commit *k, struct drop_outcome *out, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct journal		j = { .fd = -1 };
	unsigned		less;
	int			r;

	r = begin(k, &j, &fd, &less, f);
	if (r == 1) {
		r = mbox_carry_out(&j, &k->spool, f);
		out->rewritten = r == 0;
		if (r == 0)
			set_times(k, k->nnew > 0 || has_extra(k, less));
		keep_index(k, r == 0 && less == 0 && !has_extra(k, less));
	} else if (r == 0 && k->change->nextra == 0) {
		r = make_note_true(k, f);
	}
	/* Half done: it stays locked until recovery has done the rest. */
	if (r == -1 && j.open && !j.settled)
		k->spool.locked = false;
	out->unfinished = r == -1 && j.open;
	journal_fini(&j);
	out->extra_dropped = k->change->nextra > 0 && (less & LESS_EXTRA);
	out->status_dropped = k->nstatus > 0 && (less & LESS_STATUS);
	return r;
}

static bool
is_marked(const struct commit *k, size_t i)
{
	return k->deleted[i] || k->retrieved[i];
}

/* Is it to be looked at before it is removed or marked, or something follows it? */
static bool
is_to_see(const struct commit *k, size_t i)
{
	bool followed = k->change->nextra > 0 && i + 1 == k->d->table.n;

	return (is_marked(k, i) || followed) && i < k->d->sure;
}

/*
 * What an index of before said of messages, or what is in a spool that somebody may
 * have been writing to, is looked at.  When they are many, or the session has a copy
 * of its own, all are scanned.
 */
static bool
is_sure(const struct commit *k)
{
	const struct drop	*d = k->d;
	size_t			 n = 0;

	for (size_t i = 0; i < d->table.n; i++)
		n += is_to_see(k, i);
	if (n > 0 && d->fresh && !d->in_place)
		return false;
	if (n > d->table.n / 4 + 1)
		return false;
	for (size_t i = 0; i < d->table.n; i++)
		if (is_to_see(k, i) && !tempdrop_holds(d, i))
			return false;
	return true;
}

/* Whose is what, in a spool that the session has seen just so. */
static void
match_itself(struct commit *k)
{
	k->now = &k->d->table;
	k->whose = xalloc(k->now->n, sizeof(*k->whose));
	for (size_t i = 0; i < k->now->n; i++)
		k->whose[i] = i;
}

static int
match_anew(struct commit *k, struct fault *f)
{
	if (tempdrop_scan(&k->spool, &k->scanned, f) == -1)
		return fault_prefix(f, "%s: ", k->d->conf.path);
	k->now = &k->scanned;
	k->whose = xalloc(k->now->n, sizeof(*k->whose));
	match(k);
	return 0;
}

static int
merge_locked(struct commit *k, struct drop_outcome *out, struct fault *f)
{
	if (spool_same_state(&k->spool.facts, &k->d->seen) && is_sure(k))
		match_itself(k);
	else if (match_anew(k, f) == -1)
		return -1;
	if (make_edits(k, out, f) == -1)
		return -1;
	if (is_something(k, 0))
		return write_spool(k, out, f);
	/* What is not there is not to be told by an index again. */
	if (out->vanished > 0)
		indexed_drop(&k->d->index);
	return make_note_true(k, f);
}

static void
forget_promises(const struct commit *k)
{
	struct promise_use	u;
	size_t			n = 0;

	if (!promise_use_begin(&u, &k->d->conf))
		return;
	for (size_t i = 0; i < k->now->n; i++) {
		const struct mbox_msg *m = &k->now->m[i];

		while (n < k->nedits && (k->edits[n].len > 0 ||
		    k->edits[n].off < m->from))
			n++;
		if (n == k->nedits || k->edits[n].off != m->from)
			promise_use_message(&u, m->digest);
	}
	promise_use_end(&u);
}

/* What the session did, by rows of its table; false: nothing. */
static bool
collect(struct commit *k)
{
	const struct drop		*d = k->d;
	const struct drop_change	*c = k->change;
	bool				 something = c->nextra > 0;

	k->deleted = xalloc(d->table.n, sizeof(*k->deleted));
	k->expired = xalloc(d->table.n, sizeof(*k->expired));
	k->retrieved = xalloc(d->table.n, sizeof(*k->retrieved));
	for (size_t i = 0; i < d->n; i++) {
		size_t row = rows_row(d, i);

		k->deleted[row] = c->deleted[i];
		k->expired[row] = c->expired != NULL && c->expired[i];
		k->retrieved[row] = c->retrieved[i];
		something |= c->deleted[i] || (d->conf.status &&
		    c->retrieved[i] && (d->table.m[row].flags & MBOX_SEEN) == 0);
	}
	return something;
}

int
mbox_commit(struct drop *d, const struct drop_change *c,
    struct drop_outcome *out, struct fault *f)
{
	struct commit	k = { .d = d, .change = c };
	struct fault	own;
	int		r;

	if (f == NULL)
		f = &own;
	*out = (struct drop_outcome){ 0 };
	if (rows_all(d, f) == -1)
		return fault_prefix(f, "%s: ", d->conf.path);
	spool_init(&k.spool, &d->conf);
	if (!collect(&k)) {
		r = make_note_true(&k, f);
	} else {
		r = spool_lock(&k.spool, DROP_LOCK_UPDATE, 0, f);
		if (r == 0)
			r = merge_locked(&k, out, f);
		if (r == -1)
			*out = (struct drop_outcome){
			    .unfinished = out->unfinished };
		spool_unlock(&k.spool);
		if (out->deleted > 0)
			forget_promises(&k);
	}
	spool_fini(&k.spool);
	mbox_table_fini(&k.scanned);
	free(k.whose);
	free(k.deleted);
	free(k.expired);
	free(k.retrieved);
	free(k.edits);
	return r;
}

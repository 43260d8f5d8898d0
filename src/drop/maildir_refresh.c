/* SPDX-License-Identifier: ISC */
/*
 * A Maildir that has an index of an earlier state: only a folder whose times have
 * changed is listed, and only at files in it that are not known is looked.
 *
 * Known is a file whose name, folder and inode are those of a row.  It could only hold
 * other octets if somebody had written into it, or had made another one of that name
 * and number in its place: the first a folder does not show either, and an index that
 * holds is believed without a look; both are found out by its size and time before an
 * octet of it is served, or it is removed.
 *
 * Runs as: the user.  Reads from: names that anybody may have made who delivers mail,
 * and the index, which the user may have written.
 */
#include "drop/maildir_priv.h"

#include "base/alloc.h"
#include "drop/maildir_known.h"
#include "drop/uidl.h"

#include <stdlib.h>

#define YOUNG_S	3		/* as long as a folder needs to settle, and 1 */

struct refresh {
	struct maildir		*m;
	bool			 same_new;	/* folders that are not listed */
	bool			 same_cur;
	size_t			 first;		/* message that old.list[0] is; those
						   before it lie in cur/, which is
						   the same, or it is 0 */
	struct maildir_rows	 old;
	struct maildir_known	 known;		/* of those */
	bool			*stays;		/* owns; old ones that do */
	size_t			 went;		/* how many do not */
	struct maildir_rows	 fresh;		/* files that are not known, in order
						   of delivery */
};

/* ---------------------------------------------------------------- looking */

static bool
has_twins(const struct maildir_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->list[i].flags & MAILDIR_ROW_TWIN)
			return true;
	return false;
}

static void
keep_unlisted(struct refresh *r)
{
	r->stays = xalloc(r->old.n, sizeof(*r->stays));
	for (size_t i = 0; i < r->old.n; i++)
		r->stays[i] = r->old.list[i].flags & MAILDIR_ROW_NEW ?
		    r->same_new : r->same_cur;
}

/*
 * Written a moment before a listing that was not settled: who does not write in tmp/
 * may have written on.
 */
static bool
was_young(const struct maildir_index_folder *then, const struct maildir_row *row)
{
	return then->settled == 0 && row->mtime_s + YOUNG_S >= then->ctime_s;
}

static bool
is_still(const struct refresh *r, const struct maildir_file *file,
    const struct maildir_row *row)
{
	const struct maildir_list	*l = &r->m->first;
	struct file_facts		 facts;

	return !was_young(file->in_new ? &r->m->index.head.in_new :
	    &r->m->index.head.in_cur, row) || (file_facts_at(
	    maildir_list_folder(l, file->in_new), maildir_file_name(l, file),
	    &facts, NULL) == 0 && maildir_same_file(row, &facts));
}

static bool
is_known(struct refresh *r, const struct maildir_file *file)
{
	const struct maildir_list	*l = &r->m->first;
	struct maildir_mail		 mail;

	if (!maildir_known_find(&r->known, maildir_file_base(l, file), &mail) ||
	    mail.row->ino != file->ino ||
	    ((mail.row->flags & MAILDIR_ROW_NEW) != 0) != file->in_new ||
	    strcmp(mail.name, maildir_file_name(l, file)) != 0 ||
	    !is_still(r, file, mail.row))
		return false;
	r->stays[mail.row - r->old.list] = true;
	return true;
}

/* The others are left in the list. */
static void
keep_known(struct refresh *r)
{
	struct maildir_list	*l = &r->m->first;
	size_t			 n = 0;

	for (size_t k = 0; k < l->n; k++)
		if (!is_known(r, &l->files[k]))
			l->files[n++] = l->files[k];
	l->n = n;
	for (size_t i = 0; i < r->old.n; i++)
		r->went += !r->stays[i];
}

/* One that stays, and one that has come, share a base name. */
static bool
has_new_twins(const struct refresh *r)
{
	struct maildir_mail mail;

	for (size_t i = 0; i < r->fresh.n; i++) {
		struct maildir_mail new = maildir_rows_at(&r->fresh, i);

		if (maildir_known_find(&r->known, maildir_mail_base(&new),
		    &mail) && r->stays[mail.row - r->old.list])
			return true;
	}
	return false;
}

/* False: both folders have to be listed, which will tell what is wrong. */
static bool
look(struct refresh *r)
{
	struct maildir	*m = r->m;
	struct fault	 f;

	if (!maildir_index_rows(&m->index, r->first, &r->old) ||
	    has_twins(&r->old))
		return false;
	keep_unlisted(r);
	maildir_known_init(&r->known, &r->old);
	if (maildir_list_read(&m->first, !r->same_new, !r->same_cur, &f) == -1 ||
	    !maildir_list_holds(&m->first))
		return false;
	keep_known(r);
	maildir_list_sort(&m->first);
	return maildir_pick_files(m, &r->known, &r->fresh, &f) == 0 &&
	    r->fresh.n <= MAILDIR_ROWS_MAX - m->index.head.n &&
	    !has_new_twins(r);
}

/* -------------------------------------------------------------- numbering */

static int
compare(const struct maildir_mail *a, const struct maildir_mail *b)
{
	struct maildir_name x;
	struct maildir_name y;

	(void)!maildir_name_parse(span_of(a->name, a->row->name_n), &x);
	(void)!maildir_name_parse(span_of(b->name, b->row->name_n), &y);
	return maildir_name_order(&x, &y);
}

/* How many old ones are before it.  O(log n). */
static size_t
place_of(const struct refresh *r, const struct maildir_mail *m)
{
	size_t low = 0, high = r->old.n;

	while (low < high) {
		size_t			middle = low + (high - low) / 2;
		struct maildir_mail	old = maildir_rows_at(&r->old, middle);

		if (compare(&old, m) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Behind all old ones: so none of them has its base name, nor has one before them. */
static bool
comes_last(const struct refresh *r)
{
	struct maildir_mail last = maildir_rows_at(&r->old, r->old.n - 1);
	struct maildir_mail next;

	if (r->fresh.n == 0)
		return true;
	next = maildir_rows_at(&r->fresh, 0);
	return compare(&last, &next) < 0;
}

/* False: an id that is a digest has come, which others may have. */
static bool
number_fresh(struct refresh *r)
{
	char uidl[DROP_UIDL_MAX + 1];

	for (size_t i = 0; i < r->fresh.n; i++) {
		struct maildir_mail mail = maildir_rows_at(&r->fresh, i);

		if (mail.row->nth != MAILDIR_NTH_NONE)
			continue;
		(void)maildir_mail_uidl(&mail, uidl);
		if (uidl_number(uidl) > 0)
			return false;
		r->fresh.list[i].nth = 0;
	}
	return true;
}

/* ---------------------------------------------------------------- writing */

static void
copy(struct maildir_rows *to, const struct maildir_rows *from, size_t i)
{
	struct maildir_mail m = maildir_rows_at(from, i);

	maildir_rows_add(to, m.row, m.name);
}

static bool
write_tail(struct refresh *r, size_t first, uint64_t block, uint64_t now)
{
	struct maildir		*m = r->m;
	struct maildir_rows	 tail = { .n = 0 };
	bool			 done;

	for (size_t i = first - r->first; i < r->old.n; i++)
		copy(&tail, &r->old, i);
	for (size_t i = 0; i < r->fresh.n; i++)
		copy(&tail, &r->fresh, i);
	done = maildir_index_write(&m->index, &(struct maildir_index_news){
	    .rows = &tail, .first = first, .keep = block,
	    .totals = &m->totals, .alike = m->alike, .now = now,
	    .new_fd = m->first.new_fd, .in_new = &m->first.new_facts,
	    .cur_fd = m->first.cur_fd, .in_cur = &m->first.cur_facts });
	maildir_rows_fini(&tail);
	return done;
}

/* As if they were all there are. */
static void
measure_fresh(struct refresh *r)
{
	struct maildir *m = r->m;

	m->rows = r->fresh;
	m->n = r->fresh.n;
	maildir_rows_measure(m);
	r->fresh = m->rows;
	m->rows = (struct maildir_rows){ .n = 0 };
}

/* Only the last block of the index, and its head, are others. */
static bool
append(struct refresh *r, uint64_t now)
{
	struct maildir		*m = r->m;
	struct maildir_mail	 last;
	size_t			 first;
	uint64_t		 block;

	if (r->went > 0 || !comes_last(r) || !number_fresh(r) ||
	    (m->conf.promises != NULL && m->index.head.alike > 0) ||
	    !maildir_index_row(&m->index, (size_t)m->index.head.n - 1, &last))
		return false;
	first = (size_t)m->index.block->first;
	block = m->index.block->number;
	if (block == 0)
		return false;
	measure_fresh(r);
	if (!maildir_rows_by_index(m))
		return false;
	m->alike = m->index.head.alike;
	for (size_t i = 0; i < r->fresh.n; i++)
		maildir_totals_add(&m->totals, &r->fresh.list[i]);
	m->n = m->totals.n;
	return write_tail(r, first, block, now);
}

static void
merge(const struct refresh *r, struct maildir_rows *out)
{
	size_t at = 0;

	for (size_t k = 0; k <= r->fresh.n; k++) {
		struct maildir_mail	next;
		size_t			stop = r->old.n;

		if (k < r->fresh.n) {
			next = maildir_rows_at(&r->fresh, k);
			stop = place_of(r, &next);
		}
		for (; at < stop; at++)
			if (r->stays[at])
				copy(out, &r->old, at);
		if (k < r->fresh.n)
			copy(out, &r->fresh, k);
	}
}

/* All is written again. */
static bool
rebuild(struct refresh *r, uint64_t now)
{
	struct maildir	*m = r->m;
	bool		 numbered = number_fresh(r) &&
			     (m->index.head.alike == 0 || r->went == 0);

	if (r->first > 0)
		return false;
	merge(r, &m->rows);
	m->alike = m->index.head.alike;
	if (!numbered)
		maildir_rows_number(m);
	maildir_rows_count(m);
	maildir_settle(m, now);
	return true;
}

static bool
attempt(struct refresh *r, uint64_t now)
{
	bool done = look(r) && (append(r, now) || rebuild(r, now));

	maildir_list_forget(&r->m->first);
	maildir_rows_fini(&r->old);
	maildir_rows_fini(&r->fresh);
	maildir_known_fini(&r->known);
	free(r->stays);
	return done;
}

/* Where the last rows begin that have to be known when cur/ is the same: with the block
 * that has the first one of new/.  0: with all of them. */
static size_t
find_end(struct maildir *m)
{
	const struct maildir_index_head	*h = &m->index.head;
	struct maildir_mail		 mail;
	size_t				 first;

	first = (size_t)(h->first_new < h->n ? h->first_new : h->n - 1);
	/* When those are most of them, this is not to be in vain. */
	return first > h->n / 2 && maildir_index_row(&m->index, first, &mail) ?
	    (size_t)m->index.block->first : 0;
}

bool
maildir_refresh(struct maildir *m, uint64_t now)
{
	const struct maildir_index_head	*h = &m->index.head;
	struct refresh			 all = {
		.m = m,
		.same_new = maildir_index_same(&h->in_new, &m->first.new_facts),
		.same_cur = maildir_index_same(&h->in_cur, &m->first.cur_facts),
	};
	struct refresh			 end = all;

	end.first = all.same_cur ? find_end(m) : 0;
	if (end.first > 0 && attempt(&end, now))
		return true;
	/* Some of its end may be written already. */
	return maildir_index_read(&m->index) && attempt(&all, now);
}

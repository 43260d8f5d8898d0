/* SPDX-License-Identifier: ISC */
/*
 * The messages of a Maildir, as they are wanted: all of them are known after a
 * listing; of one that was opened by its index a block of rows is read when a message
 * of it is asked for.
 *
 * Runs as: the user.  Reads from: the index, which the user may have written; the
 * folders, when the index turns out to be damaged.
 */
#include "drop/maildir_priv.h"

#include "base/alloc.h"
#include "drop/promise.h"
#include "drop/recoder.h"
#include "drop/uidl.h"
#include "proto/recode.h"

#include <stdlib.h>

void
maildir_rows_add(struct maildir_rows *to, const struct maildir_row *row,
    const char *name)
{
	while (to->names_cap - to->names_n <= row->name_n)
		to->names = xgrow(to->names, to->names_cap, &to->names_cap, 1);
	to->list = xgrow(to->list, to->n, &to->cap, sizeof(*to->list));
	to->list[to->n] = *row;
	to->list[to->n++].name = (uint32_t)to->names_n;
	memcpy(to->names + to->names_n, name, row->name_n + 1);
	to->names_n += row->name_n + 1;
}

void
maildir_rows_fini(struct maildir_rows *r)
{
	free(r->list);
	free(r->names);
	*r = (struct maildir_rows){ .list = NULL };
}

/* ----------------------------------------------------------- unique-ids */

struct span
maildir_mail_key(const struct maildir_mail *m, uint8_t digest[DIGEST_SIZE])
{
	struct span base = maildir_mail_base(m);

	maildir_name_digest(base, m->row->flags & MAILDIR_ROW_TWIN ?
	    &m->row->ino : NULL, digest);
	return base;
}

char *
maildir_mail_uidl(const struct maildir_mail *m, char uidl[DROP_UIDL_MAX + 1])
{
	struct span base = maildir_mail_base(m);

	return m->row->flags & MAILDIR_ROW_TWIN ?
	    maildir_name_uidl_twin(base, m->row->ino, uidl) :
	    maildir_name_uidl(base, uidl);
}

static bool
promised_id(const struct maildir *m, const struct maildir_mail *mail,
    char uidl[DROP_UIDL_MAX + 1])
{
	uint8_t digest[DIGEST_SIZE];

	if (m->conf.promises == NULL)
		return false;
	(void)maildir_mail_key(mail, digest);
	return promises_find(m->conf.promises, digest, 1, uidl);
}

static char *
numbered_id(const struct maildir_mail *mail, char uidl[DROP_UIDL_MAX + 1])
{
	char *end = maildir_mail_uidl(mail, uidl);

	if (mail->row->nth == 0)
		return end;
	uidl_set_number(uidl, mail->row->nth);
	return uidl + strlen(uidl);
}

static void
fill_entry(size_t i, const struct maildir_row *row, struct drop_entry *e)
{
	e->locator = i;
	e->size_disk = row->size;
	e->size_wire = row->wire;
	e->size_surrogate = row->surrogate;
	e->delivered = row->delivered;
	e->flags = (row->flags & MAILDIR_ROW_SEEN ? DROP_SEEN : 0u) |
	    (row->flags & MAILDIR_ROW_8BIT ? DROP_8BIT : 0u) |
	    (row->flags & MAILDIR_ROW_AS_SENT ? DROP_AS_SENT : 0u) |
	    (row->flags & MAILDIR_ROW_RECODED ? DROP_RECODED : 0u);
}

static void
make_entry(const struct maildir *m, size_t i, const struct maildir_mail *mail,
    struct drop_entry *e)
{
	fill_entry(i, mail->row, e);
	if (promised_id(m, mail, e->uidl))
		e->flags |= DROP_PROMISED;
	else
		(void)numbered_id(mail, e->uidl);
}

static void
make_distinct(struct drop_entry *entries, size_t n)
{
	struct drop_entry **all = xalloc(n, sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = &entries[i];
	drop_distinct(all, n, 0);
	free(all);
}

/* ------------------------------------------------------------ all of them */

void
maildir_totals_add(struct drop_totals *t, const struct maildir_row *r)
{
	t->n++;
	t->octets += r->wire;
	t->eight_bit += (r->flags & MAILDIR_ROW_8BIT) != 0;
	if (r->flags & MAILDIR_ROW_RECODED)
		t->surrogates += (int64_t)(r->surrogate - r->wire);
	if (r->flags & MAILDIR_ROW_SEEN)
		t->last_seen = t->n;
	if (r->delivered != 0 && (t->oldest == 0 || r->delivered < t->oldest))
		t->oldest = r->delivered;
}

void
maildir_rows_count(struct maildir *m)
{
	m->n = m->rows.n;
	m->totals = (struct drop_totals){ 0 };
	for (size_t i = 0; i < m->n; i++)
		maildir_totals_add(&m->totals, &m->rows.list[i]);
}

/* Whatever is promised. */
void
maildir_rows_number(struct maildir *m)
{
	struct drop_entry *ids = xalloc(m->rows.n, sizeof(*ids));

	for (size_t i = 0; i < m->rows.n; i++) {
		struct maildir_mail mail = maildir_rows_at(&m->rows, i);

		(void)maildir_mail_uidl(&mail, ids[i].uidl);
	}
	make_distinct(ids, m->rows.n);
	m->alike = 0;
	for (size_t i = 0; i < m->rows.n; i++) {
		m->rows.list[i].nth = uidl_number(ids[i].uidl);
		m->alike += m->rows.list[i].nth > 1;
	}
	free(ids);
}

static void
measure_one(struct maildir *m, size_t i)
{
	struct maildir_row	*row = &m->rows.list[i];
	struct drop_entry	 e;
	struct fault		 f;

	fill_entry(i, row, &e);
	/* What cannot be read now is told when it is asked for. */
	if ((e.flags & DROP_8BIT) == 0 ||
	    recoder_measure((struct drop *)(void *)m, i, &e, &f) == -1 ||
	    ((e.flags & DROP_RECODED) != 0 &&
	    e.size_surrogate / RECODE_MOST > row->wire))
		return;
	row->flags &= ~(uint32_t)MAILDIR_ROW_8BIT;
	if (e.flags & DROP_RECODED) {
		row->flags |= MAILDIR_ROW_RECODED;
		row->surrogate = e.size_surrogate;
	}
}

void
maildir_rows_measure(struct maildir *m)
{
	for (size_t i = 0; m->conf.surrogates && i < m->rows.n; i++)
		measure_one(m, i);
	/* Their numbers may be others when all are there. */
	fd_close(&m->open_fd);
}

void
maildir_rows_entries(struct maildir *m)
{
	m->entries = xalloc(m->n, sizeof(*m->entries));
	for (size_t i = 0; i < m->n; i++) {
		struct maildir_mail mail = maildir_rows_at(&m->rows, i);

		make_entry(m, i, &mail, &m->entries[i]);
	}
	/* One with a promised id leaves its number to the next. */
	if (m->conf.promises != NULL && m->alike > 0)
		make_distinct(m->entries, m->n);
}

/* ---------------------------------------------------------- by the index */

bool
maildir_rows_by_index(struct maildir *m)
{
	const struct maildir_index_head *h = &m->index.head;

	if (m->conf.promises != NULL && h->alike > 0) {
		if (!maildir_index_rows(&m->index, 0, &m->rows)) {
			maildir_rows_fini(&m->rows);
			return false;
		}
		m->alike = h->alike;
		maildir_rows_count(m);
		maildir_rows_entries(m);
		return true;
	}
	m->n = (size_t)h->n;
	m->totals = (struct drop_totals){ .n = m->n, .octets = h->octets,
	    .last_seen = h->last_seen, .eight_bit = h->eight_bit,
	    .surrogates = h->surrogates,
	    .oldest = h->oldest };
	return true;
}

/* What a listing finds out, before any is measured. */
static bool
same_totals(const struct drop_totals *a, const struct drop_totals *b)
{
	return a->n == b->n && a->octets == b->octets &&
	    a->last_seen == b->last_seen && a->oldest == b->oldest;
}

/*
 * The index is damaged: what the folders hold, as they were then, must be what it
 * said in all, for that was told to the client.
 */
static int
list_instead(struct maildir *m, struct fault *f)
{
	const struct drop_totals	told = m->totals;
	int				r = 0;

	maildir_index_drop(&m->index);
	if (!m->lost)
		r = maildir_pick(m, NULL, f);
	m->lost = m->lost || r == -1 || !same_totals(&told, &m->totals) ||
	    !maildir_index_holds(&m->index, &m->first.new_facts,
	    &m->first.cur_facts);
	m->totals = told;
	if (!m->lost) {
		maildir_rows_measure(m);
		maildir_rows_entries(m);
		return 0;
	}
	maildir_rows_fini(&m->rows);
	m->n = told.n;
	return r == -1 ? -1 : fault_set(f, FAULT_TEMP, "%s: its index was "
	    "damaged, and it is not what that said", m->conf.path);
}

int
maildir_row(struct maildir *m, size_t i, struct maildir_mail *out,
    struct fault *f)
{
	ASSERT(i < m->n);
	if (m->rows.n == 0 && !m->lost && maildir_index_row(&m->index, i, out))
		return 0;
	if (m->rows.n == 0 && list_instead(m, f) == -1)
		return -1;
	*out = maildir_rows_at(&m->rows, i);
	return 0;
}

/* Either *e_r, which has been made, or *out. */
static int
find(struct maildir *m, size_t i, const struct drop_entry **e_r,
    struct maildir_mail *out, struct fault *f)
{
	ASSERT(i < m->n);
	if (m->entries == NULL && maildir_row(m, i, out, f) == -1)
		return -1;
	*e_r = m->entries == NULL ? NULL : &m->entries[i];
	return 0;
}

int
maildir_entry(struct drop *d, size_t i, struct drop_entry *out,
    struct fault *f)
{
	struct maildir			*m = (struct maildir *)(void *)d;
	const struct drop_entry		*e;
	struct maildir_mail		 mail;

	if (find(m, i, &e, &mail, f) == -1)
		return -1;
	if (e != NULL)
		*out = *e;
	else
		make_entry(m, i, &mail, out);
	return 0;
}

int
maildir_size(struct drop *d, size_t i, bool surrogate, uint64_t *wire_r,
    struct fault *f)
{
	const struct drop_entry		*e;
	struct drop_entry		 made;
	struct maildir_mail		 mail;

	if (find((struct maildir *)(void *)d, i, &e, &mail, f) == -1)
		return -1;
	if (e == NULL) {
		fill_entry(i, mail.row, &made);
		e = &made;
	}
	*wire_r = surrogate && (e->flags & DROP_RECODED) ? e->size_surrogate :
	    e->size_wire;
	return 0;
}

char *
maildir_uidl(struct drop *d, size_t i, char *out, struct fault *f)
{
	struct maildir			*m = (struct maildir *)(void *)d;
	const struct drop_entry		*e;
	struct maildir_mail		 mail;

	if (find(m, i, &e, &mail, f) == -1)
		return NULL;
	if (e != NULL)
		return span_put(span_str(e->uidl), out);
	return promised_id(m, &mail, out) ? out + strlen(out) :
	    numbered_id(&mail, out);
}

/* ----------------------------------------------------------- other needs */

struct span
maildir_key(const struct drop *d, size_t i, uint8_t digest[DIGEST_SIZE])
{
	const struct maildir	*m = (const struct maildir *)(const void *)d;
	struct maildir_mail	 mail;

	ASSERT(i < m->rows.n);
	mail = maildir_rows_at(&m->rows, i);
	return maildir_mail_key(&mail, digest);
}

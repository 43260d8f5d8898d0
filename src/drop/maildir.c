/* SPDX-License-Identifier: ISC */
/*
 * The Maildir back end: opening, reading, closing.  Runs as: the user.
 * Reads from: files that anybody may have made who delivers mail.
 *
 * No lock is taken, here or at commit: that is what the format is for, and
 * there is none on NFS that could fail.  A file keeps its octets and its base
 * name; it may be renamed at any time, and be gone.
 */
#include "drop/maildir_priv.h"

#include "base/alloc.h"
#include "drop/maildir_known.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdlib.h>

#define TRIES		4
#define PATH_MOST	4096

static struct maildir *
of(struct drop *d)
{
	return (struct maildir *)(void *)d;
}

bool
maildir_went(const struct fault *f)
{
	return f->err == ENOENT || f->err == ESTALE;
}

/* ------------------------------------------------------------- folders */

static int
check_folder(int fd, const struct drop_conf *c, struct fault *f)
{
	struct file_facts facts;

	if (file_facts(fd, &facts, f) == -1)
		return -1;
	if (facts.uid != c->uid)
		return fault_set(f, FAULT_PERM, "%s belongs to uid %u",
		    c->path, (unsigned)facts.uid);
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? "cur" : "new";

		if (file_facts_at(fd, name, &facts, f) == -1)
			return f->err != ENOENT ? -1 : fault_set(f,
			    FAULT_PERM, "%s is no Maildir: it has no %s/",
			    c->path, name);
		if (!facts.is_dir)
			return fault_set(f, FAULT_PERM, "%s/%s is no folder",
			    c->path, name);
	}
	return 0;
}

int
maildir_open_folder(const struct drop_conf *c, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	char			path[PATH_MOST];
	size_t			n = strlen(c->path);

	*fd_r = -1;
	/* With a slash at its end a symbolic link would be followed. */
	while (n > 1 && c->path[n - 1] == '/')
		n--;
	if (!span_cstr(span_of(c->path, n), path, sizeof(path)))
		return fault_errno(f, FAULT_PERM, ENAMETOOLONG, "open %s",
		    c->path);
	if (file_open(FILE_CWD, path, FILE_READ | FILE_DIR, 0, &fd, f) == -1)
		return f->err == ENOENT ? 0 : -1;
	if (check_folder(fd, c, f) == -1)
		return -1;
	*fd_r = fd_take(&fd);
	return 0;
}

static int
maildir_probe(const struct drop_conf *c, struct fault *f)
{
	struct fault	own;
	int		fd;

	if (maildir_open_folder(c, &fd, f == NULL ? &own : f) == -1)
		return -1;
	fd_close(&fd);
	return 0;
}

/* ------------------------------------------------------------- index */

/*
 * A small Maildir is listed sooner than a file is asked for.  Without an index, or
 * room for one, all is as it is without.
 */
static int
open_index(const struct maildir *m)
{
	const struct drop_host	*h = m->conf.host;
	struct fault		 f;
	int			 fd;

	if (h->index == NULL || m->first.new_facts.size +
	    m->first.cur_facts.size < MAILDIR_INDEX_FROM)
		return -1;
	if (h->index(h->ctx, &fd, &f) == 0)
		return fd;
	h->tell(h->ctx, "drop-index", f.text);
	return -1;
}

void
maildir_settle(struct maildir *m, uint64_t now)
{
	if (m->index.fd != -1) {
		maildir_rows_measure(m);
		maildir_rows_count(m);
	}
	if (maildir_index_write(&m->index, &(struct maildir_index_news){
	    .rows = &m->rows, .totals = &m->totals, .alike = m->alike,
	    .now = now,
	    .new_fd = m->first.new_fd, .in_new = &m->first.new_facts,
	    .cur_fd = m->first.cur_fd, .in_cur = &m->first.cur_facts }) &&
	    (m->conf.promises == NULL || m->alike == 0))
		maildir_rows_fini(&m->rows);
	else
		maildir_rows_entries(m);
}

/* By the listing; what the index has is not read again. */
static int
list(struct maildir *m, struct fault *f)
{
	struct maildir_rows	old = { .n = 0 };
	struct maildir_known	known;
	int			r;

	if (m->index.good)
		(void)!maildir_index_rows(&m->index, 0, &old);
	maildir_known_init(&known, &old);
	r = maildir_pick(m, &known, f);
	maildir_known_fini(&known);
	maildir_rows_fini(&old);
	return r;
}

/* False: that does not tell all. */
static bool
by_index(struct maildir *m, uint64_t now)
{
	maildir_index_init(&m->index, open_index(m));
	if (!maildir_index_read(&m->index))
		return false;
	return maildir_index_holds(&m->index, &m->first.new_facts,
	    &m->first.cur_facts) ? maildir_rows_by_index(m) :
	    maildir_refresh(m, now);
}

static int
take_snapshot(struct maildir *m, struct fault *f)
{
	uint64_t now = clock_file_ms();

	if (maildir_list_open(&m->first, m->fd, f) == 0) {
		if (by_index(m, now))
			return 0;
	} else if (!maildir_went(f)) {
		return -1;
	}
	now = clock_file_ms();
	if (list(m, f) == -1)
		return -1;
	maildir_settle(m, now);
	return 0;
}

/* ------------------------------------------------------ opening, closing */

static void
maildir_close(struct drop *d)
{
	struct maildir *m = of(d);

	if (m == NULL)
		return;
	fd_close(&m->fd);
	fd_close(&m->open_fd);
	maildir_list_fini(&m->first);
	maildir_list_fini(&m->again);
	maildir_rows_fini(&m->rows);
	maildir_index_fini(&m->index);
	free(m->entries);
	free(m);
}

static int
maildir_open(const struct drop_conf *c, struct drop **drop_r, struct fault *f)
{
	struct fault	 own;
	struct maildir	*m;
	bool		 did;

	*drop_r = NULL;
	if (f == NULL)
		f = &own;
	if (drop_recover(c, &did, f) == -1)
		return -1;
	m = xalloc(1, sizeof(*m));
	m->ops = &maildir_ops;
	m->conf = *c;
	m->fd = m->open_fd = -1;
	maildir_list_init(&m->first);
	maildir_list_init(&m->again);
	maildir_index_init(&m->index, -1);
	if (maildir_open_folder(c, &m->fd, f) == -1 ||
	    (m->fd != -1 && take_snapshot(m, f) == -1)) {
		maildir_close((struct drop *)(void *)m);
		return fault_prefix(f, "%s: ", c->path);
	}
	*drop_r = (struct drop *)(void *)m;
	return 0;
}

static void
maildir_snapshot(const struct drop *d, struct snapshot *out)
{
	const struct maildir *m = (const struct maildir *)(const void *)d;

	*out = (struct snapshot){ m->entries, m->n };
}

static void
maildir_totals(const struct drop *d, struct drop_totals *out)
{
	*out = ((const struct maildir *)(const void *)d)->totals;
}

/* ------------------------------------------------------------- reading */

int
maildir_list_again(struct maildir *m, struct fault *f)
{
	m->listed_again = false;
	if (maildir_list_take(&m->again, m->fd, f) == -1)
		return fault_prefix(f, "%s: ", m->conf.path);
	m->listed_again = true;
	return 0;
}

/* Is it there?  1; 0, *went_r: perhaps it is for a moment only that it is not; -1. */
static int
is_at(const struct maildir_row *row, const struct maildir_place *p, bool *went_r,
    struct fault *f)
{
	struct file_facts facts;

	if (file_facts_at(p->folder, p->name, &facts, f) == 0)
		return maildir_same_file(row, &facts);
	*went_r = maildir_went(f);
	return *went_r ? 0 : -1;
}

/* Where it was; or, when the folders were listed again, by its base name. */
static int
look(const struct maildir *m, const struct maildir_mail *mail,
    struct maildir_place *out, bool *went_r, struct fault *f)
{
	const struct maildir_list	*l = maildir_now(m);
	const struct maildir_file	*files;
	size_t				 n;
	int				 r = 0;

	*went_r = false;
	if (!m->listed_again) {
		out->in_new = (mail->row->flags & MAILDIR_ROW_NEW) != 0;
		out->folder = maildir_list_folder(l, out->in_new);
		out->name = mail->name;
		return is_at(mail->row, out, went_r, f);
	}
	files = maildir_list_find(l, maildir_mail_base(mail), &n);
	for (size_t k = 0; k < n && r == 0; k++) {
		out->in_new = files[k].in_new;
		out->folder = maildir_list_folder(l, out->in_new);
		out->name = maildir_file_name(l, &files[k]);
		r = is_at(mail->row, out, went_r, f);
	}
	return r;
}

int
maildir_where(struct maildir *m, size_t i, struct maildir_place *out,
    struct fault *f)
{
	struct maildir_mail mail;

	if (maildir_row(m, i, &mail, f) == -1)
		return -1;
	for (int try = 0; try < TRIES; try++) {
		bool	went;
		int	r = look(m, &mail, out, &went, f);

		if (r != 0)
			return r;
		if (!went && maildir_list_holds(maildir_now(m)))
			return 0;
		if (maildir_list_again(m, f) == -1)
			return -1;
	}
	return fault_set(f, FAULT_TEMP, "%s: names change faster than they "
	    "can be read", m->conf.path);
}

/* Others changed a file, and not its folder: the index may be wrong about it. */
static int
gone(struct maildir *m, size_t i, struct fault *f)
{
	struct maildir_mail mail;

	maildir_index_drop(&m->index);
	if (maildir_row(m, i, &mail, f) == -1)
		return -1;
	return fault_set(f, FAULT_TEMP, "%s: another program removed or "
	    "changed %s", m->conf.path, mail.name);
}

/* Still what was listed?  Its octets may be read only then. */
static int
check_open(struct maildir *m, struct fault *f)
{
	struct file_facts facts;

	if (file_facts(m->open_fd, &facts, f) == 0) {
		if (maildir_same_file(&m->open_row, &facts))
			return 0;
		(void)gone(m, m->open_i, f);
	}
	fd_close(&m->open_fd);
	return -1;
}

static int
open_place(struct maildir *m, size_t i, struct fault *f)
{
	struct maildir_place place;
	int r = -1;

	for (int try = 0; try < TRIES && r == -1; try++) {
		int found = maildir_where(m, i, &place, f);

		if (found != 1)
			return found == 0 ? gone(m, i, f) : -1;
		r = file_open(place.folder, place.name, FILE_READ, 0,
		    &m->open_fd, f);
		if (r == -1 && !maildir_went(f))
			break;
	}
	return r;
}

static int
open_message(struct maildir *m, size_t i, struct fault *f)
{
	struct maildir_mail mail;

	if (m->open_fd != -1 && m->open_i == i)
		return 0;
	fd_close(&m->open_fd);
	if (maildir_row(m, i, &mail, f) == -1)
		return -1;
	m->open_row = *mail.row;
	m->open_i = i;
	return open_place(m, i, f);
}

/*
 * Mostly it still is where it was listed, which need not be asked for before: what the
 * file is that was read tells it.  -1: it has to be looked for.
 */
static ssize_t
read_listed(struct maildir *m, size_t i, uint64_t off, void *p, size_t n)
{
	struct maildir_mail	mail;
	struct file_facts	facts;
	struct fault		f;
	ssize_t			got;

	fd_close(&m->open_fd);
	if (m->listed_again || maildir_row(m, i, &mail, &f) == -1 ||
	    file_open(maildir_list_folder(&m->first,
	    (mail.row->flags & MAILDIR_ROW_NEW) != 0), mail.name,
	    FILE_READ | FILE_ANY, 0, &m->open_fd, &f) == -1)
		return -1;
	m->open_row = *mail.row;
	m->open_i = i;
	got = file_pread(m->open_fd, p, n, off, &f);
	if (got != -1 && file_facts(m->open_fd, &facts, &f) == 0 &&
	    maildir_same_file(&m->open_row, &facts))
		return got;
	fd_close(&m->open_fd);
	return -1;
}

/* A server of files may have forgotten what we have open: once more, then. */
static ssize_t
maildir_read(struct drop *d, size_t i, uint64_t off, void *p, size_t n,
    struct fault *f)
{
	struct maildir	*m = of(d);
	struct fault	 own;
	ssize_t		 got = -1;

	ASSERT(i < m->n);
	if (f == NULL)
		f = &own;
	if (m->open_fd == -1 || m->open_i != i)
		got = read_listed(m, i, off, p, n);
	for (int try = 0; try < 2 && got == -1; try++) {
		if (open_message(m, i, f) == -1)
			return -1;
		got = file_pread(m->open_fd, p, n, off, f);
		if (got != -1 && check_open(m, f) == 0)
			return got;
		fd_close(&m->open_fd);
		got = -1;
		if (f->err != ESTALE)
			break;
	}
	return got;
}

static int
maildir_lend(struct drop *d, size_t i, int *fd_r, struct fault *f)
{
	struct maildir	*m = of(d);
	struct fault	 own;

	ASSERT(i < m->n);
	if (f == NULL)
		f = &own;
	if (open_message(m, i, f) == -1 || check_open(m, f) == -1)
		return -1;
	*fd_r = m->open_fd;
	return 0;
}

const struct drop_ops maildir_ops = {
	.name		= "maildir",
	.probe		= maildir_probe,
	.open		= maildir_open,
	.snapshot	= maildir_snapshot,
	.totals		= maildir_totals,
	.entry		= maildir_entry,
	.size		= maildir_size,
	.uidl		= maildir_uidl,
	.read		= maildir_read,
	.lend		= maildir_lend,
	.commit		= maildir_commit,
	.close		= maildir_close,
};

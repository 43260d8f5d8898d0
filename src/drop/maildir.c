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
#include "drop/maildir_index.h"
#include "drop/maildir_journal.h"
#include "drop/promise.h"
#include "proto/dot.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK		65536
#define TRIES		4
#define READ_ANYWAY	65536	/* octets of a message; to open it costs more */
#define PATH_MOST	4096
/* Older than any mail that this host has seen: a name with another number. */
#define DELIVERED_MIN	631152000u

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

/* ------------------------------------------------------------ messages */

struct picked {
	struct maildir_name	name;
	struct maildir_msg	msg;
	uint64_t		wire;
	uint32_t		flags;
};

struct picking {
	const struct maildir_index *index;	/* of an earlier listing, or none */
	struct picked	*list;		/* owns */
	size_t		 n;
	size_t		 left_alone;	/* others' files, folders, links */
	bool		 changed;	/* a file went while we looked */
};

/* 1; 0: it went, or is not what it was; -1. */
static int
read_whole(int fd, struct picked *p, struct fault *f)
{
	static uint8_t		block[BLOCK];
	struct dot_counter	wire = { 0 };
	uint64_t		off = 0;
	bool			as_sent = true;

	while (off < p->msg.size) {
		ssize_t		n = file_pread(fd, block, sizeof(block), off, f);
		struct span	got;

		if (n <= 0)
			return n == 0 || maildir_went(f) ? 0 : -1;
		if ((uint64_t)n > p->msg.size - off)
			n = (ssize_t)(p->msg.size - off);
		got = span_of(block, (size_t)n);
		as_sent = as_sent && !dot_begins_line(&wire, got);
		dot_count(&wire, got);
		if (!span_is_ascii(got))
			p->flags |= DROP_8BIT;
		off += (uint64_t)n;
		as_sent = as_sent && wire.octets == off;
	}
	p->wire = dot_count_end(&wire);
	if (as_sent && p->wire == p->msg.size)
		p->flags |= DROP_AS_SENT;
	return 1;
}

/*
 * What a message weighs on the wire, and what is in it: a large one's name is
 * believed when it says what the folder says, else the file is read, once.
 */
static int
weigh(int folder, const char *name, struct picked *p, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (p->name.has_size && p->name.size == p->msg.size &&
	    p->msg.size > READ_ANYWAY) {
		p->wire = p->name.wire;
		p->flags |= DROP_8BIT;
		return 1;
	}
	if (file_open(folder, name, FILE_READ, 0, &fd, f) == -1)
		return maildir_went(f) ? 0 : -1;
	return read_whole(fd, p, f);
}

static bool
same_file(const struct maildir_msg *a, const struct file_facts *b)
{
	return a->ino == b->ino && a->size == b->size &&
	    a->mtime.tv_sec == b->mtime.tv_sec &&
	    a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* An earlier listing has read it. */
static bool
recall(const struct maildir_index *index, struct picked *p)
{
	const struct maildir_index_row *r = maildir_index_find(index,
	    p->name.base);

	if (r == NULL || r->ino != p->msg.ino || r->size != p->msg.size ||
	    r->mtime_s != p->msg.mtime.tv_sec ||
	    r->mtime_ns != p->msg.mtime.tv_nsec)
		return false;
	p->wire = r->wire;
	p->flags |= (r->flags & MAILDIR_INDEX_8BIT ? DROP_8BIT : 0u) |
	    (r->flags & MAILDIR_INDEX_AS_SENT ? DROP_AS_SENT : 0u);
	return true;
}

static bool
picked_already(const struct picking *to, size_t from, uint64_t ino)
{
	for (size_t i = from; i < to->n; i++)
		if (to->list[i].msg.ino == ino)
			return true;
	return false;
}

/* A row of the first listing; `from`: where those of its base name begin. */
static int
pick(struct maildir *m, size_t row, struct picking *to, size_t from,
    struct fault *f)
{
	const struct maildir_list *l = &m->first;
	const struct maildir_row *r = &l->rows[row];
	const char		*name = maildir_row_name(l, r);
	struct picked		 p = { .msg.row = row };
	struct file_facts	 facts;
	int			 got;

	if (!maildir_name_parse(span_str(name), &p.name))
		return 0;
	if (file_facts_at(maildir_row_folder(l, r), name, &facts, f) == -1) {
		to->changed = true;
		return maildir_went(f) ? 0 : -1;
	}
	if (!facts.is_regular || facts.uid != m->conf.uid) {
		to->left_alone++;
		return 0;
	}
	if (picked_already(to, from, facts.ino))
		return 0;
	p.msg.ino = facts.ino;
	p.msg.size = facts.size;
	p.msg.mtime = facts.mtime;
	p.flags = p.name.seen ? DROP_SEEN : 0;
	got = recall(to->index, &p) ? 1 :
	    weigh(maildir_row_folder(l, r), name, &p, f);
	if (got == 1)
		to->list[to->n++] = p;
	to->changed |= got == 0;
	return got == -1 ? fault_prefix(f, "%s: ", name) : 0;
}

/* The rows of one base name: one message, or several that share it. */
static int
pick_group(struct maildir *m, size_t row, size_t n, struct picking *to,
    struct fault *f)
{
	size_t from = to->n;

	for (size_t i = 0; i < n; i++)
		if (pick(m, row + i, to, from, f) == -1)
			return -1;
	for (size_t i = from; i < to->n; i++)
		to->list[i].msg.twin = to->n - from > 1;
	return 0;
}

static int
pick_all(struct maildir *m, struct picking *to, struct fault *f)
{
	const struct maildir_list	*l = &m->first;
	size_t				 n;

	free(to->list);
	*to = (struct picking){
		.index = to->index,
		.list = xalloc(l->n, sizeof(*to->list)),
	};
	for (size_t i = 0; i < l->n; i += n) {
		for (n = 1; i + n < l->n; n++)
			if (!span_eq(maildir_row_base(l, &l->rows[i]),
			    maildir_row_base(l, &l->rows[i + n])))
				break;
		if (pick_group(m, i, n, to, f) == -1)
			return -1;
	}
	return 0;
}

static int
by_delivery(const void *a, const void *b)
{
	const struct picked *x = a;
	const struct picked *y = b;
	int c = maildir_name_order(&x->name, &y->name);

	return c != 0 ? c : x->msg.ino < y->msg.ino ? -1 :
	    x->msg.ino > y->msg.ino;
}

struct span
maildir_key(const struct drop *d, size_t i, uint8_t digest[DIGEST_SIZE])
{
	const struct maildir		*m = (const struct maildir *)(const void *)d;
	const struct maildir_msg	*msg = &m->msgs[i];
	struct span			 base = maildir_row_base(&m->first,
					     &m->first.rows[msg->row]);

	maildir_name_digest(base, msg->twin ? &msg->ino : NULL, digest);
	return base;
}

static void
name_entry(struct maildir *m, size_t i, const struct maildir_name *n)
{
	struct drop_entry	*e = &m->entries[i];
	uint8_t			 digest[DIGEST_SIZE];

	if (m->conf.promises != NULL) {
		(void)maildir_key((struct drop *)(void *)m, i, digest);
		if (promises_find(m->conf.promises, digest, 1, e->uidl)) {
			e->flags |= DROP_PROMISED;
			return;
		}
	}
	if (m->msgs[i].twin)
		maildir_name_uidl_twin(n, m->msgs[i].ino, e->uidl);
	else
		maildir_name_uidl(n, e->uidl);
}

static void
make_entry(struct maildir *m, size_t i, const struct picked *p)
{
	struct drop_entry *e = &m->entries[i];

	m->msgs[i] = p->msg;
	e->locator = i;
	e->size_disk = p->msg.size;
	e->size_wire = p->wire;
	e->delivered = p->name.time >= DELIVERED_MIN ? p->name.time : 0;
	e->flags = p->flags;
	name_entry(m, i, &p->name);
}

static void
make_entries(struct maildir *m, const struct picking *from)
{
	struct drop_entry **all = xalloc(from->n, sizeof(*all));

	m->n = from->n;
	m->entries = xalloc(m->n, sizeof(*m->entries));
	m->msgs = xalloc(m->n, sizeof(*m->msgs));
	for (size_t i = 0; i < m->n; i++) {
		make_entry(m, i, &from->list[i]);
		all[i] = &m->entries[i];
	}
	drop_distinct(all, m->n);
	free(all);
}

static void
tell_left_alone(const struct maildir *m, size_t n)
{
	char text[100];

	if (n == 0)
		return;
	(void)snprintf(text, sizeof(text), "%zu name%s in new/ and cur/ "
	    "left alone: no regular file%s of the user's", n,
	    n == 1 ? "" : "s", n == 1 ? "" : "s");
	m->conf.host->tell(m->conf.host->ctx, "drop-maildir", text);
}

static int
list_and_pick(struct maildir *m, const struct maildir_index *index,
    struct fault *f)
{
	struct picking	to = { .index = index };
	int		tries = 0;
	int		r;

	do {
		r = maildir_list_take(&m->first, m->fd, f);
		if (r == 0)
			r = pick_all(m, &to, f);
	} while (r == 0 && to.changed && ++tries < TRIES);
	if (r == 0) {
		if (to.n > 0)
			qsort(to.list, to.n, sizeof(*to.list), by_delivery);
		make_entries(m, &to);
		tell_left_alone(m, to.left_alone);
	}
	free(to.list);
	return r;
}

/* ----------------------------------------------------------- by its index */

static void
adopt_message(struct maildir *m, size_t row, const struct maildir_index_row *r)
{
	const struct picked p = {
		.name = {
			.base = maildir_row_base(&m->first, &m->first.rows[row]),
			.time = r->delivered,
		},
		.msg = {
			.row = row,
			.ino = r->ino,
			.size = r->size,
			.mtime = { .tv_sec = r->mtime_s, .tv_nsec = r->mtime_ns },
			.twin = (r->flags & MAILDIR_INDEX_TWIN) != 0,
		},
		.wire = r->wire,
		.flags = (r->flags & MAILDIR_INDEX_SEEN ? DROP_SEEN : 0u) |
		    (r->flags & MAILDIR_INDEX_8BIT ? DROP_8BIT : 0u) |
		    (r->flags & MAILDIR_INDEX_AS_SENT ? DROP_AS_SENT : 0u),
	};

	make_entry(m, r->order, &p);
}

/* All that a listing and a look at each file would find. */
static void
adopt(struct maildir *m, const struct maildir_index *x)
{
	struct maildir_list	*l = &m->first;
	struct drop_entry	**all = xalloc(x->head.n, sizeof(*all));

	m->n = l->n = l->cap = x->head.n;
	l->names_n = l->names_cap = x->head.names_n;
	l->names = xalloc(l->names_n, 1);
	memcpy(l->names, x->names, l->names_n);
	l->rows = xalloc(l->n, sizeof(*l->rows));
	m->entries = xalloc(m->n, sizeof(*m->entries));
	m->msgs = xalloc(m->n, sizeof(*m->msgs));
	for (size_t k = 0; k < l->n; k++) {
		const struct maildir_index_row *r = &x->rows[k];

		l->rows[k] = (struct maildir_row){ .name = r->name,
		    .base_n = (uint16_t)r->base_n,
		    .in_new = (r->flags & MAILDIR_INDEX_NEW) != 0 };
		adopt_message(m, k, r);
		all[r->order] = &m->entries[r->order];
	}
	drop_distinct(all, m->n);
	free(all);
	m->indexed = true;
}

/*
 * A small Maildir is listed sooner than a file is asked for.  Without an index, or
 * room for one, all is as it is without.
 */
static int
open_index(const struct maildir *m, int *fd_r)
{
	const struct drop_host	*h = m->conf.host;
	struct fault		 f;

	*fd_r = -1;
	if (h->index == NULL || m->first.new_facts.size +
	    m->first.cur_facts.size < MAILDIR_INDEX_FROM)
		return -1;
	if (h->index(h->ctx, fd_r, &f) == 0)
		return 0;
	h->tell(h->ctx, "drop-index", f.text);
	return -1;
}

static int
take_snapshot(struct maildir *m, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct maildir_index	x = { .text = NULL };
	uint64_t		now = clock_file_ms();
	struct fault		own;
	int			r = maildir_list_open(&m->first, m->fd, f);

	if (r == 0 && open_index(m, &fd) == 0 && maildir_index_read(fd, &x) &&
	    maildir_index_holds(&x, &m->first)) {
		adopt(m, &x);
	} else if (r == 0 || maildir_went(f)) {
		r = list_and_pick(m, &x, f);
		if (r == 0 && fd != -1)
			m->indexed = maildir_index_write(m, fd, now, &own) == 0;
	}
	maildir_index_fini(&x);
	return r;
}

/* It was wrong about a file: others changed that, and not its folder. */
static void
forget_index(struct maildir *m)
{
	AUTO(fd_close) int	fd = -1;
	struct fault		f;

	if (m->indexed && open_index(m, &fd) == 0 &&
	    file_truncate(fd, 0, &f) == 0)
		m->indexed = false;
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
	free(m->msgs);
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

/* ------------------------------------------------------------- reading */

static int
list_again(struct maildir *m, struct fault *f)
{
	m->listed_again = false;
	if (maildir_list_take(&m->again, m->fd, f) == -1)
		return fault_prefix(f, "%s: ", m->conf.path);
	m->listed_again = true;
	return 0;
}

/* 1: there; 0: none of this name is it, *went_r: perhaps for a moment. */
static int
look(const struct maildir *m, size_t i, const struct maildir_row **row_r,
    bool *went_r, struct fault *f)
{
	const struct maildir_list	*l = maildir_now(m);
	const struct maildir_msg	*msg = &m->msgs[i];
	const struct maildir_row	*rows;
	struct file_facts		 facts;
	size_t				 n;

	*went_r = false;
	rows = maildir_list_find(l, maildir_row_base(&m->first,
	    &m->first.rows[msg->row]), &n);
	for (size_t k = 0; k < n; k++) {
		if (file_facts_at(maildir_row_folder(l, &rows[k]),
		    maildir_row_name(l, &rows[k]), &facts, f) == -1) {
			if (!maildir_went(f))
				return -1;
			*went_r = true;
		} else if (same_file(msg, &facts)) {
			*row_r = &rows[k];
			return 1;
		}
	}
	return 0;
}

int
maildir_where(struct maildir *m, size_t i, const struct maildir_row **row_r,
    struct fault *f)
{
	for (int try = 0; try < TRIES; try++) {
		bool	went;
		int	r = look(m, i, row_r, &went, f);

		if (r != 0)
			return r;
		if (!went && maildir_list_holds(maildir_now(m)))
			return 0;
		if (list_again(m, f) == -1)
			return -1;
	}
	return fault_set(f, FAULT_TEMP, "%s: names change faster than they "
	    "can be read", m->conf.path);
}

static int
gone(struct maildir *m, size_t i, struct fault *f)
{
	forget_index(m);
	return fault_set(f, FAULT_TEMP, "%s: another program removed or "
	    "changed %s", m->conf.path, maildir_row_name(&m->first,
	    &m->first.rows[m->msgs[i].row]));
}

/* Still what was listed?  Its octets may be read only then. */
static int
check_open(struct maildir *m, struct fault *f)
{
	struct file_facts facts;

	if (file_facts(m->open_fd, &facts, f) == 0) {
		if (same_file(&m->msgs[m->open_i], &facts))
			return 0;
		(void)gone(m, m->open_i, f);
	}
	fd_close(&m->open_fd);
	return -1;
}

static int
open_message(struct maildir *m, size_t i, struct fault *f)
{
	const struct maildir_row *row;
	int r = -1;

	if (m->open_fd != -1 && m->open_i == i)
		return 0;
	fd_close(&m->open_fd);
	for (int try = 0; try < TRIES && r == -1; try++) {
		const struct maildir_list *l;
		int found = maildir_where(m, i, &row, f);

		if (found != 1)
			return found == 0 ? gone(m, i, f) : -1;
		l = maildir_now(m);
		r = file_open(maildir_row_folder(l, row),
		    maildir_row_name(l, row), FILE_READ, 0, &m->open_fd, f);
		if (r == -1 && !maildir_went(f))
			break;
	}
	m->open_i = i;
	return r;
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
	return -1;
}

const struct drop_ops maildir_ops = {
	.name		= "maildir",
	.probe		= maildir_probe,
	.open		= maildir_open,
	.snapshot	= maildir_snapshot,
	.read		= maildir_read,
	.commit		= maildir_commit,
	.close		= maildir_close,
};

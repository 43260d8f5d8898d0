/* SPDX-License-Identifier: ISC */
/*
 * What is in the folders of a Maildir: names are listed, files looked at, and read
 * where nothing tells what they weigh.  Runs as: the user.
 * Reads from: files that anybody may have made who delivers mail.
 */
#include "drop/maildir_priv.h"

#include "base/alloc.h"
#include "drop/maildir_known.h"
#include "proto/dot.h"

#include <stdio.h>
#include <stdlib.h>

#define BLOCK		65536
#define TRIES		4
#define READ_ANYWAY	65536	/* octets of a message; to open it costs more */
#define AHEAD		32	/* files that are looked at before their turn */
#define AHEAD_OCTETS	131072	/* of each; the kernel reads on by itself */
/* Older than any mail that this host has seen: a name with another number. */
#define DELIVERED_MIN	631152000u

struct picked {
	struct maildir_row	row;
	struct maildir_name	name;
	const char		*text;		/* of that */
};

/* A file before its turn: what must be read of it is open, and on its way from the disk
 * while others are read (docs/design/maildir.md, 158). */
struct looked {
	struct picked	 p;
	bool		 is_mail;
	int		 fd;		/* owns; -1: nothing must be read */
};

struct picking {
	const struct maildir_known *known;	/* of an earlier listing */
	struct picked	*list;		/* owns */
	size_t		 n;
	struct looked	 ahead[AHEAD];	/* file i in i % AHEAD */
	size_t		 looked;	/* so many files have been */
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

	while (off < p->row.size) {
		uint64_t	left = p->row.size - off;
		ssize_t		n = file_pread(fd, block, left < sizeof(block) ?
				    (size_t)left : sizeof(block), off, f);
		struct span	got;

		if (n <= 0)
			return n == 0 || maildir_went(f) ? 0 : -1;
		got = span_of(block, (size_t)n);
		as_sent = as_sent && !dot_begins_line(&wire, got);
		dot_count(&wire, got);
		off += (uint64_t)n;
		as_sent = as_sent && wire.octets == off;
	}
	if (wire.is_8bit)
		p->row.flags |= MAILDIR_ROW_8BIT;
	p->row.wire = dot_count_end(&wire);
	if (as_sent && p->row.wire == p->row.size)
		p->row.flags |= MAILDIR_ROW_AS_SENT;
	return 1;
}

/* A large one's name is believed when it says what the folder says. */
static bool
believe_name(struct picked *p)
{
	if (!p->name.has_size || p->name.size != p->row.size ||
	    p->row.size <= READ_ANYWAY)
		return false;
	p->row.wire = p->name.wire;
	p->row.flags |= MAILDIR_ROW_8BIT;
	return true;
}

/* An earlier listing has read it. */
static bool
recall(const struct maildir_known *known, const struct file_facts *facts,
    struct picked *p)
{
	struct maildir_mail m;

	if (known == NULL ||
	    !maildir_known_find(known, p->name.base, &m) ||
	    !maildir_same_file(m.row, facts))
		return false;
	p->row.wire = m.row->wire;
	p->row.nth = m.row->nth;
	p->row.surrogate = m.row->surrogate;
	p->row.flags |= m.row->flags & (MAILDIR_ROW_8BIT | MAILDIR_ROW_AS_SENT |
	    MAILDIR_ROW_RECODED);
	return true;
}

static bool
picked_already(const struct picking *to, size_t from, uint64_t ino)
{
	for (size_t i = from; i < to->n; i++)
		if (to->list[i].row.ino == ino)
			return true;
	return false;
}

static void
describe(struct picked *p, const struct file_facts *facts)
{
	p->row.ino = facts->ino;
	p->row.size = facts->size;
	p->row.mtime_s = facts->mtime.tv_sec;
	p->row.mtime_ns = (uint32_t)facts->mtime.tv_nsec;
	p->row.name_n = (uint32_t)strlen(p->text);
	p->row.base_n = (uint32_t)p->name.base.n;
	p->row.nth = MAILDIR_NTH_NONE;
	p->row.delivered = p->name.time >= DELIVERED_MIN ? p->name.time : 0;
	p->row.flags |= p->name.seen ? MAILDIR_ROW_SEEN : 0u;
}

/* His own file that he may not read is none that he can be served: he is not kept
 * from all the others for it. */
static bool
is_mail(const struct maildir *m, const struct file_facts *facts)
{
	return facts->is_regular && facts->uid == m->conf.uid &&
	    (facts->mode & 0400u) != 0;
}

/* What it is, and whether it must be read, once, to know what it weighs on the wire. */
static int
look(const struct maildir *m, const struct maildir_file *file,
    struct picking *to, struct looked *l, struct fault *f)
{
	int			 folder = maildir_list_folder(&m->first,
				     file->in_new);
	struct picked		*p = &l->p;
	struct file_facts	 facts;

	*l = (struct looked){ .p.text = maildir_file_name(&m->first, file),
	    .fd = -1 };
	if (!maildir_name_parse(span_str(p->text), &p->name))
		return 0;
	if (file_facts_at(folder, p->text, &facts, f) == -1) {
		to->changed = true;
		return maildir_went(f) ? 0 : fault_prefix(f, "%s: ", p->text);
	}
	if (!is_mail(m, &facts)) {
		to->left_alone++;
		return 0;
	}
	p->row.flags = file->in_new ? MAILDIR_ROW_NEW : 0;
	describe(p, &facts);
	l->is_mail = true;
	if (recall(to->known, &facts, p) || believe_name(p))
		return 0;
	if (file_open(folder, p->text, FILE_READ, 0, &l->fd, f) == -1) {
		l->is_mail = false;
		to->changed = true;
		return maildir_went(f) ? 0 : fault_prefix(f, "%s: ", p->text);
	}
	file_read_ahead(l->fd, AHEAD_OCTETS);
	return 0;
}

/* File i and those behind it. */
static int
look_ahead(const struct maildir *m, size_t i, struct picking *to,
    struct fault *f)
{
	const struct maildir_list *l = &m->first;

	for (; to->looked < l->n && to->looked < i + AHEAD; to->looked++)
		if (look(m, &l->files[to->looked], to,
		    &to->ahead[to->looked % AHEAD], f) == -1)
			return -1;
	return 0;
}

/* `from`: where those of its base name begin. */
static int
pick(const struct maildir *m, size_t i, struct picking *to, size_t from,
    struct fault *f)
{
	struct looked	*l = &to->ahead[i % AHEAD];
	int		 got = 1;

	if (look_ahead(m, i, to, f) == -1)
		return -1;
	if (!l->is_mail || picked_already(to, from, l->p.row.ino)) {
		fd_close(&l->fd);
		return 0;
	}
	if (l->fd >= 0)
		got = read_whole(l->fd, &l->p, f);
	fd_close(&l->fd);
	if (got == 1)
		to->list[to->n++] = l->p;
	to->changed |= got == 0;
	return got == -1 ? fault_prefix(f, "%s: ", l->p.text) : 0;
}

/* The n files of one base name: one message, or several that share it, as those may that
 * have an empty one, now or later. */
static int
pick_group(const struct maildir *m, size_t first, size_t n, struct picking *to,
    struct fault *f)
{
	size_t	from = to->n;
	bool	nameless = m->first.files[first].base_n == 0;

	for (size_t i = first; i < first + n; i++)
		if (pick(m, i, to, from, f) == -1)
			return -1;
	for (size_t i = from; (nameless || to->n - from > 1) && i < to->n; i++) {
		to->list[i].row.flags |= MAILDIR_ROW_TWIN;
		to->list[i].row.nth = MAILDIR_NTH_NONE;
	}
	return 0;
}

static int
pick_all(const struct maildir *m, struct picking *to, struct fault *f)
{
	const struct maildir_list	*l = &m->first;
	size_t				 n;

	to->list = xalloc(l->n, sizeof(*to->list));
	for (size_t i = 0; i < l->n; i += n) {
		for (n = 1; i + n < l->n; n++)
			if (!span_eq(maildir_file_base(l, &l->files[i]),
			    maildir_file_base(l, &l->files[i + n])))
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

	return c != 0 ? c : x->row.ino < y->row.ino ? -1 :
	    x->row.ino > y->row.ino;
}

static void
tell_left_alone(const struct maildir *m, size_t n)
{
	char text[128];

	if (n == 0)
		return;
	(void)snprintf(text, sizeof(text), "%zu name%s in new/ and cur/ "
	    "left alone: no regular file%s of the user's that he may read", n,
	    n == 1 ? "" : "s", n == 1 ? "" : "s");
	m->conf.host->tell(m->conf.host->ctx, "drop-maildir", text);
}

int
maildir_pick_files(struct maildir *m, const struct maildir_known *known,
    struct maildir_rows *out, struct fault *f)
{
	struct picking	to = { .known = known };
	int		r = pick_all(m, &to, f);

	for (size_t i = 0; i < AHEAD && i < to.looked; i++)
		fd_close(&to.ahead[i].fd);
	if (r == 0 && to.n > 0)
		qsort(to.list, to.n, sizeof(*to.list), by_delivery);
	maildir_rows_fini(out);
	for (size_t i = 0; r == 0 && i < to.n; i++)
		maildir_rows_add(out, &to.list[i].row, to.list[i].text);
	if (r == 0 && !to.changed)
		tell_left_alone(m, to.left_alone);
	free(to.list);
	return r == 0 && to.changed ? 1 : r;
}

int
maildir_pick(struct maildir *m, const struct maildir_known *known,
    struct fault *f)
{
	int tries = 0;
	int r;

	do {
		r = maildir_list_take(&m->first, m->fd, f);
		if (r == 0)
			r = maildir_pick_files(m, known, &m->rows, f);
	} while (r == 1 && ++tries < TRIES);
	maildir_list_forget(&m->first);
	if (r == -1)
		return -1;
	maildir_rows_number(m);
	maildir_rows_count(m);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * What is added to a Maildir, and to its quota file.  Runs as: the user.
 * Reads from: bulletins in mailbox form, made by us.
 */
#include "drop/maildir_priv.h"

#include "base/buf.h"
#include "drop/maildir_journal.h"
#include "drop/mbox_scan.h"
#include "drop/uidl.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define NTH_MAX		1000u

/* ------------------------------------------------------------- quota */

void
maildir_count(const struct maildir *m, int64_t octets, int64_t files)
{
	AUTO(fd_close) int	fd = -1;
	char			line[64];
	struct fault		f;
	int			n;

	if (octets == 0 && files == 0)
		return;
	if (file_open(m->fd, "maildirsize", FILE_WRITE | FILE_APPEND, 0, &fd,
	    &f) == -1)
		return;		/* no quota here, or none of ours to count */
	n = snprintf(line, sizeof(line), "%lld %lld\n", (long long)octets,
	    (long long)files);
	/* What is counted wrong is counted anew by who minds the quota. */
	if (file_write(fd, line, (size_t)n, &f) == -1)
		m->conf.host->tell(m->conf.host->ctx, "drop-maildir", f.text);
}

/* --------------------------------------------------------- one bulletin */

struct delivery {
	struct maildir	*m;
	int		 from;		/* extra_fd */
	struct buf	 names;		/* in tmp/, each with its NUL */
	uint64_t	 octets;
	uint64_t	 now;		/* s since 1970 */
};

/* Which are taken. */
static int
know_names(struct maildir *m, struct fault *f)
{
	return m->listed_again ? 0 : maildir_list_again(m, f);
}

static bool
has_base(const struct maildir *m, const char *name)
{
	struct maildir_name	n;
	size_t			found;

	return maildir_name_parse(span_str(name), &n) &&
	    maildir_list_find(maildir_now(m), n.base, &found) != NULL;
}

/* A new file in tmp/, by a name that nobody has. */
static int
make_file(const struct delivery *d, struct maildir_bulletin *b,
    char name[MAILDIR_NAME_MAX + 1], int *fd_r, struct fault *f)
{
	char path[MAILDIR_NAME_MAX + 8];

	for (b->nth = 1; b->nth <= NTH_MAX; b->nth++) {
		maildir_name_bulletin(b, name);
		if (has_base(d->m, name))
			continue;
		(void)snprintf(path, sizeof(path), "tmp/%s", name);
		if (file_open(d->m->fd, path, FILE_WRITE | FILE_CREATE |
		    FILE_EXCLUSIVE, 0600, fd_r, f) == 0)
			return 0;
		if (f->err != EEXIST)
			return -1;
	}
	return fault_set(f, FAULT_LIMIT, "tmp/ is full of %s", name);
}

static int
write_file(struct delivery *d, const struct mbox_msg *msg, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	char			uidl[DROP_UIDL_MAX + 1];
	char			name[MAILDIR_NAME_MAX + 1];
	struct maildir_bulletin	b = {
		.time	= d->now,
		.uidl	= uidl,
		.size	= msg->end - msg->text,
		.wire	= msg->size_wire,
	};

	uidl_format(msg->digest, 1, uidl);
	if (make_file(d, &b, name, &fd, f) == -1)
		return -1;
	if (buf_append(&d->names, span_of(name, strlen(name) + 1)) == -1)
		return fault_set(f, FAULT_LIMIT, "too many bulletins at once");
	d->octets += b.size;
	return file_copy(d->from, msg->text, fd, 0, b.size, f) == -1 ||
	    file_sync(fd, f) == -1 || fd_close_checked(&fd, f) == -1 ? -1 : 0;
}

static int
deliver_one(struct delivery *d, const struct drop_extra *e, struct fault *f)
{
	struct mbox_table	t = { 0 };
	int			r;

	r = mbox_scan_file(d->from, e->off, e->len, &t, f);
	for (size_t i = 0; r == 0 && i < t.n; i++)
		r = write_file(d, &t.m[i], f);
	mbox_table_fini(&t);
	return r;
}

/* ------------------------------------------------------------- all of them */

static int
sync_tmp(const struct maildir *m, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	return file_open(m->fd, "tmp", FILE_READ | FILE_DIR, 0, &fd, f) == -1 ||
	    file_sync(fd, f) == -1 ? -1 : 0;
}

static int
write_all(struct delivery *d, const struct drop_change *c, struct fault *f)
{
	if (file_mkdir(d->m->fd, "tmp", 0700, f) == -1)
		return -1;
	for (size_t i = 0; i < c->nextra; i++)
		if (deliver_one(d, &c->extra[i], f) == -1)
			return -1;
	return sync_tmp(d->m, f);
}

static void
take_back(const struct delivery *d)
{
	const struct drop_host	*h = d->m->conf.host;
	struct span		 names = buf_span(&d->names);
	struct fault		 f;

	while (names.n > 0) {
		char path[MAILDIR_NAME_MAX + 8];

		(void)snprintf(path, sizeof(path), "tmp/%s",
		    (const char *)names.p);
		/* What stays in tmp/ is no mail, and is removed in time. */
		if (file_unlink(d->m->fd, path, &f) == -1)
			h->tell(h->ctx, "drop-maildir", f.text);
		names = span_skip(names, span_find(names, '\0') + 1);
	}
}

/* Whoever has nothing yet gets his folders with the first mail. */
static int
make_maildir(struct maildir *m, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (m->fd != -1)
		return 0;
	if (file_mkdir(FILE_CWD, m->conf.path, 0700, f) == -1 ||
	    file_open(FILE_CWD, m->conf.path, FILE_READ | FILE_DIR, 0, &fd,
	    f) == -1 ||
	    file_mkdir(fd, "tmp", 0700, f) == -1 ||
	    file_mkdir(fd, "new", 0700, f) == -1 ||
	    file_mkdir(fd, "cur", 0700, f) == -1)
		return -1;
	return maildir_open_folder(&m->conf, &m->fd, f);
}

/* 1: it is in the journal; 0: given up, and told; -1: who knows. */
static int
begin(struct delivery *d, const struct drop_change *c, int *journal_r,
    struct fault *f)
{
	const struct drop_host *h = d->m->conf.host;

	if (make_maildir(d->m, f) == 0 && know_names(d->m, f) == 0 &&
	    write_all(d, c, f) == 0 &&
	    h->journal(h->ctx, false, journal_r, f) == 0 &&
	    maildir_journal_put(*journal_r, c->note, buf_span(&d->names),
	    f) == 0)
		return 1;
	/* Without its first octets it is no journal. */
	if (*journal_r != -1 && (file_truncate(*journal_r, 0, NULL) == -1 ||
	    file_sync(*journal_r, NULL) == -1))
		return -1;
	take_back(d);
	h->tell(h->ctx, "drop-maildir", f->text);
	return 0;
}

int
maildir_deliver(struct maildir *m, const struct drop_change *c,
    struct drop_outcome *out, uint64_t *size_r, struct fault *f)
{
	AUTO(fd_close) int	journal = -1;
	struct delivery		d = { .m = m, .from = c->extra_fd };
	time_t			now = time(NULL);
	int			r;

	*size_r = 0;
	d.now = now > 0 ? (uint64_t)now : 1;
	buf_init(&d.names, MAILDIR_JOURNAL_MAX / 2);
	r = begin(&d, c, &journal, f);
	if (r == 0) {
		out->extra_dropped = true;
	} else if (r == 1) {
		r = maildir_journal_run(&m->conf, m->fd, journal, c->note,
		    buf_span(&d.names), f);
		*size_r = d.octets;
	}
	buf_fini(&d.names);
	if (r == 0)
		return 0;
	out->unfinished = true;
	f->class = FAULT_TEMP;
	return fault_prefix(f, "recovery will finish the update: ");
}

/* SPDX-License-Identifier: ISC */
/*
 * Bulletins that are kept in a Maildir, and their note: both or neither.
 * Runs as: the user.  Reads from: a journal in our own folder.
 */
#include "drop/maildir_journal.h"

#include "drop/digest.h"
#include "drop/maildir_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define MAGIC_SIZE	(sizeof(MAILDIR_JOURNAL) - 1)
#define HEAD_SIZE	(MAGIC_SIZE + DIGEST_SIZE)
#define LENGTH_SIZE	4

static_assert(MAGIC_SIZE == 8, "as the header says");

int
maildir_journal_is(int fd, struct fault *f)
{
	char	magic[MAGIC_SIZE];
	ssize_t	n = file_pread(fd, magic, sizeof(magic), 0, f);

	if (n == -1)
		return fault_prefix(f, "journal: ");
	return n == (ssize_t)sizeof(magic) &&
	    memcmp(magic, MAILDIR_JOURNAL, sizeof(magic)) == 0;
}

/* ------------------------------------------------------------- writing */

/* The first octets come last: a file that has them has the rest. */
static int
put_record(int fd, struct span body, struct fault *f)
{
	uint8_t head[HEAD_SIZE];

	memcpy(head, MAILDIR_JOURNAL, MAGIC_SIZE);
	digest_span(body, head + MAGIC_SIZE);
	return file_truncate(fd, 0, f) == -1 ||
	    file_pwrite(fd, body.p, body.n, HEAD_SIZE, f) == -1 ||
	    file_pwrite(fd, head, HEAD_SIZE, 0, f) == -1 ||
	    file_sync(fd, f) == -1 ? -1 : 0;
}

int
maildir_journal_put(int fd, struct span note, struct span names,
    struct fault *f)
{
	uint8_t		length[LENGTH_SIZE] = {
		(uint8_t)(note.n >> 24), (uint8_t)(note.n >> 16),
		(uint8_t)(note.n >> 8), (uint8_t)note.n
	};
	struct buf	body;
	int		r;

	buf_init(&body, MAILDIR_JOURNAL_MAX - HEAD_SIZE);
	if (buf_append(&body, span_of(length, sizeof(length))) == -1 ||
	    buf_append(&body, note) == -1 || buf_append(&body, names) == -1)
		r = fault_set(f, FAULT_LIMIT, "too many bulletins at once");
	else
		r = put_record(fd, buf_span(&body), f);
	buf_fini(&body);
	return r;
}

/* ------------------------------------------------------------ carrying out */

/* Where it is not in tmp/ any more, somebody moved it before us. */
static int
move(int dirfd, const char *name, struct fault *f)
{
	char from[MAILDIR_NAME_MAX + 8];
	char to[MAILDIR_NAME_MAX + 8];

	(void)snprintf(from, sizeof(from), "tmp/%s", name);
	(void)snprintf(to, sizeof(to), "new/%s", name);
	return file_rename(dirfd, from, to, f) == 0 || f->err == ENOENT ?
	    0 : -1;
}

static int
sync_new(int dirfd, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	return file_open(dirfd, "new", FILE_READ | FILE_DIR, 0, &fd, f) == -1 ||
	    file_sync(fd, f) == -1 ? -1 : 0;
}

/* As an mbox does: a note that can never be made true ends nothing. */
static int
make_note(const struct drop_conf *c, struct span note, struct fault *f)
{
	const struct drop_host	*h = c->host;
	struct fault		 why;

	if (note.n == 0 || h->note(h->ctx, note, &why) == 0)
		return 0;
	if (why.class != FAULT_PERM) {
		*f = why;
		return -1;
	}
	h->tell(h->ctx, "drop-note-lost", why.text);
	return 0;
}

int
maildir_journal_run(const struct drop_conf *c, int dirfd, int fd,
    struct span note, struct span names, struct fault *f)
{
	char name[MAILDIR_NAME_MAX + 1];

	while (names.n > 0) {
		struct span one = span_first(names, span_find(names, '\0'));

		names = span_skip(names, one.n + 1);
		if (span_find(one, '/') < one.n ||
		    !span_cstr(one, name, sizeof(name)))
			return fault_set(f, FAULT_PERM,
			    "the journal of %s is damaged", c->path);
		if (move(dirfd, name, f) == -1)
			return -1;
	}
	return sync_new(dirfd, f) == -1 || make_note(c, note, f) == -1 ||
	    file_truncate(fd, 0, f) == -1 || file_sync(fd, f) == -1 ? -1 : 0;
}

/* ------------------------------------------------------------ recovery */

/* 1: *body_r is whole; 0: it was never written to its end; -1. */
static int
load(int fd, struct buf *b, struct span *body_r, struct fault *f)
{
	uint8_t		 digest[DIGEST_SIZE];
	uint8_t		*p = buf_reserve(b, MAILDIR_JOURNAL_MAX);
	struct span	 all;
	ssize_t		 n;

	ASSERT(p != NULL);
	n = file_pread(fd, p, MAILDIR_JOURNAL_MAX, 0, f);
	if (n == -1)
		return -1;
	all = span_of(p, (size_t)n);
	*body_r = span_skip(all, HEAD_SIZE);
	if (body_r->n < LENGTH_SIZE)
		return 0;
	digest_span(*body_r, digest);
	return memcmp(digest, all.p + MAGIC_SIZE, DIGEST_SIZE) == 0;
}

static int
run_loaded(const struct drop_conf *c, struct span body, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	size_t			n = (size_t)body.p[0] << 24 |
				    (size_t)body.p[1] << 16 |
				    (size_t)body.p[2] << 8 | body.p[3];
	struct span		rest = span_skip(body, LENGTH_SIZE);

	if (n > DROP_NOTE_MAX || n > rest.n)
		return fault_set(f, FAULT_PERM, "the journal of %s is damaged",
		    c->path);
	if (maildir_open_folder(c, &dirfd, f) == -1)
		return -1;
	if (dirfd == -1)
		return fault_errno(f, FAULT_TEMP, ENOENT,
		    "%s has an open journal", c->path);
	return maildir_journal_run(c, dirfd, c->journal_fd,
	    span_first(rest, n), span_skip(rest, n), f);
}

int
maildir_recover(const struct drop_conf *c, bool *did_r, struct fault *f)
{
	struct span	body;
	struct buf	b;
	int		r;

	*did_r = false;
	buf_init(&b, MAILDIR_JOURNAL_MAX);
	r = load(c->journal_fd, &b, &body, f);
	if (r == 0) {
		r = file_truncate(c->journal_fd, 0, f);
	} else if (r == 1) {
		r = run_loaded(c, body, f);
		*did_r = r == 0;
	}
	buf_fini(&b);
	return r == 0 ? 0 : fault_prefix(f, "recovery of %s: ", c->path);
}

/* SPDX-License-Identifier: ISC */
/*
 * The temporary maildrop of popper 1.x and qpopper, .USER.pop beside the
 * spool: when such a server died, or was replaced, in the middle of a session,
 * mail was left there.  It is older than what is in the spool, so it becomes
 * the first part of it.
 *
 * Runs as: the user.  Reads from: that file and the spool.  Trusts: neither.
 */
#include "drop/mbox_priv.h"

#include "sys/lock.h"

#include <errno.h>
#include <stdio.h>

static bool
legacy_name(const char *spool, char out[SPOOL_NAME_MAX])
{
	const char	*slash = strrchr(spool, '/');
	int		 n = snprintf(out, SPOOL_NAME_MAX, ".%s.pop",
			    slash == NULL ? spool : slash + 1);

	return n > 0 && n < SPOOL_NAME_MAX;
}

/* The octets between what ends in `fd` at `end` and a From_ line. */
static int
gap(int fd, uint64_t end, const char **text_r, struct fault *f)
{
	uint8_t	tail[3] = "\n\n\n";
	size_t	n = end < sizeof(tail) ? (size_t)end : sizeof(tail);
	ssize_t	got = file_pread(fd, tail + sizeof(tail) - n, n, end - n, f);

	if (got == -1)
		return -1;
	if (tail[2] != '\n')
		*text_r = "\n\n";
	else if (tail[1] == '\n' || (tail[1] == '\r' && tail[0] == '\n'))
		*text_r = "";
	else
		*text_r = "\n";
	return 0;
}

/* Behind holes, and behind c-client's pseudo-message: it has to be first. */
static int
insertion_point(struct spool *s, uint64_t *at_r, struct fault *f)
{
	struct mbox_table	t = { 0 };
	int			r;

	r = tempdrop_scan(s, &t, f);
	*at_r = s->facts.size;
	if (r == 0 && t.n > 0)
		*at_r = t.m[0].flags & MBOX_HIDDEN ? t.m[0].next : t.m[0].from;
	mbox_table_fini(&t);
	return r;
}

static struct journal_piece
octets(int fd, uint64_t off, uint64_t len)
{
	return (struct journal_piece){ .fd = fd, .off = off, .len = len };
}

static struct journal_piece
literal(const char *text)
{
	return (struct journal_piece){ .fd = -1, .len = strlen(text),
	    .text = text };
}

static int
merge(struct spool *s, int fd, const struct file_facts *facts,
    struct journal *j, int journal_fd, struct fault *f)
{
	const char		*first;
	const char		*second;
	uint64_t		 at;

	if (insertion_point(s, &at, f) == -1 ||
	    gap(s->fd, at, &first, f) == -1 ||
	    gap(fd, facts->size, &second, f) == -1)
		return -1;
	struct journal_piece	image[] = {
		literal(at == 0 ? "" : first),
		octets(fd, 0, facts->size),
		literal(second),
		octets(s->fd, at, s->facts.size - at),
	};
	struct journal_wish	w = {
		.from		= at,
		.size		= at,
		.image		= image,
		.nimage		= ARRAY_LEN(image),
		.legacy_ino	= facts->ino,
		.legacy_size	= facts->size,
	};
	for (size_t i = 0; i < ARRAY_LEN(image); i++)
		w.size += image[i].len;
	return journal_begin(j, journal_fd, s, false, &w, f);
}

/* With both files locked. */
static int
take_in(struct spool *s, int fd, struct fault *f)
{
	const struct drop_host	*h = s->conf->host;
	AUTO(fd_close) int	 journal_fd = -1;
	struct journal		 j = { .fd = -1 };
	struct file_facts	 facts;
	int			 r;

	if (file_facts(fd, &facts, f) == -1 ||
	    h->journal(h->ctx, false, &journal_fd, f) == -1)
		return -1;
	r = merge(s, fd, &facts, &j, journal_fd, f);
	if (r == 0)
		r = mbox_carry_out(&j, s, f);
	if (r == -1 && j.open && !j.settled)
		s->locked = false;		/* stays on the disk */
	journal_fini(&j);
	return r;
}

/* 1: *fd_r is a file to be taken in; 0: there is none that we may touch. */
static int
open_legacy(const struct drop_conf *c, struct spool *s, int *fd_r,
    struct fault *f)
{
	const struct drop_host	*h = c->host;
	struct file_facts	 facts;
	char			 name[SPOOL_NAME_MAX];

	if (!legacy_name(c->path, name))
		return 0;
	if (file_facts_at(s->dirfd, name, &facts, f) == -1)
		return f->err == ENOENT ? 0 : -1;
	if (facts.size == 0)
		return 0;
	if (file_open(s->dirfd, name, FILE_READ | FILE_WRITE, 0, fd_r, f) == 0 &&
	    file_facts(*fd_r, &facts, f) == 0 &&
	    spool_check_owner(&facts, c->uid, name, f) == 0 &&
	    mbox_probe_file(*fd_r, f) == 0)
		return 1;
	(void)fault_prefix(f, "%s is left alone: ", name);
	h->tell(h->ctx, "drop-legacy", f->text);
	return 0;
}

int
legacy_take_in(const struct drop_conf *c, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct spool		s;
	int			r;

	spool_init(&s, c);
	r = spool_folder(&s, f);
	if (r == -1 && f->err == ENOENT) {
		spool_fini(&s);
		return 0;
	}
	if (r == 0)
		r = open_legacy(c, &s, &fd, f);
	if (r == 1) {
		r = lock_flock(fd, f);		/* an old popper is at work? */
		if (r == 0)
			r = spool_lock(&s, DROP_LOCK_UPDATE, 0, f);
		if (r == 0)
			r = take_in(&s, fd, f);
		if (r == -1 && s.locked && mbox_is_full(f)) {
			c->host->tell(c->host->ctx, "drop-legacy", f->text);
			r = 0;			/* later: mail can be read */
		}
		spool_unlock(&s);
		if (r == -1)
			(void)fault_prefix(f, "mail of an older popper: ");
	}
	spool_fini(&s);
	return r;
}

int
legacy_empty(struct spool *s, const struct journal_state *now, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;
	char			name[SPOOL_NAME_MAX];

	if (!legacy_name(s->conf->path, name))
		return 0;
	if (file_open(s->dirfd, name, FILE_READ | FILE_WRITE, 0, &fd, f) == -1)
		return f->err == ENOENT || f->class == FAULT_PERM ? 0 : -1;
	if (file_facts(fd, &facts, f) == -1)
		return -1;
	if (facts.ino != now->legacy_ino || facts.size != now->legacy_size)
		return 0;			/* emptied before, or another */
	if (file_truncate(fd, 0, f) == -1)
		return -1;
	return file_sync(fd, f);
}

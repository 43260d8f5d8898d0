/* SPDX-License-Identifier: ISC */
/*
 * The steps of a journalled commit.  They are the same for the session that
 * makes the commit and for whoever finishes it after a crash: each looks at the
 * spool, not at what happened before.
 *
 * Runs as: the user.  Reads from: the spool and the journal.  Trusts: the
 * journal, whose checksums journal_load has seen; that nobody without the
 * spool's locks changes it but by appending.
 */
#include "drop/journal.h"

#define COPY_MOST	(4u << 20)	/* between two looks at the dotlock */

/* The window's octets into the spool; not durable yet. */
static int
write_window(const struct journal *j, struct spool *s, struct fault *f)
{
	struct fault	stale;
	uint64_t	done = 0;

	while (done < j->now.len) {
		uint64_t n = j->now.len - done;
		uint64_t most = COPY_MOST - (j->now.to + done) % COPY_MOST;

		n = n < most ? n : most;
		if (file_copy(j->fd, j->now.data + done, s->fd,
		    j->now.to + done, n, f) == -1)
			return -1;
		done += n;
		/* To stop in the middle would be worse than a stale lock. */
		if (spool_tick(s, &stale) == -1)
			s->conf->host->tell(s->conf->host->ctx, "drop-lock",
			    stale.text);
	}
	return 0;
}

static int
spool_size(const struct spool *s, uint64_t *size_r, struct fault *f)
{
	struct file_facts facts;

	if (file_facts(s->fd, &facts, f) == -1)
		return -1;
	*size_r = facts.size;
	return 0;
}

/* 1: the octet is NUL; 0: it is not, or there is none. */
static int
is_nul(const struct spool *s, uint64_t off, struct fault *f)
{
	uint8_t	c;
	ssize_t	n = file_pread(s->fd, &c, 1, off, f);

	return n == -1 ? -1 : n == 1 && c == '\0';
}

static int
foreign(const struct spool *s, struct fault *f)
{
	return fault_set(f, FAULT_PERM, "%s was changed by another program "
	    "while an update of it was open", s->conf->path);
}

/* ----------------------------------------------------------------- grow */

/*
 * Extend: one change of the size, so there is no state between; the new part
 * is zeros, as no mail is that somebody appended.  Mail that stands where the
 * extension should begin: then the old spool is given its peace.
 */
static int
step_grow(struct journal *j, struct spool *s, bool *undone_r, struct fault *f)
{
	struct journal_state	next = j->now;
	uint64_t		size;
	int			zeros;

	if (spool_size(s, &size, f) == -1)
		return -1;
	zeros = is_nul(s, j->now.old_size, f);
	if (zeros == -1)
		return -1;
	*undone_r = size != j->now.old_size &&
	    (!zeros || size < j->now.new_size);
	if (*undone_r)
		return 0;
	if (size == j->now.old_size &&
	    file_truncate(s->fd, j->now.new_size, f) == -1)
		return -1;
	if (file_sync(s->fd, f) == -1)
		return -1;
	next.step = STEP_GROWN;
	return journal_put(j, &next, f);
}

static int
step_grown(struct journal *j, struct spool *s, bool *done_r, struct fault *f)
{
	uint64_t size;

	if (spool_size(s, &size, f) == -1)
		return -1;
	if (size < j->now.new_size)
		return foreign(s, f);
	if (write_window(j, s, f) == -1 || file_sync(s->fd, f) == -1)
		return -1;
	*done_r = true;
	return 0;
}

/* ----------------------------------------------------------------- move */

/* How many octets of sources are left behind the window. */
static uint64_t
octets_left(const struct journal *j, uint64_t size)
{
	uint64_t left = size - j->now.old_size;

	for (uint64_t i = j->now.source; i < j->now.nplan; i++)
		left += j->plan[i].len;
	return left - j->now.source_off;
}

static int
next_window(struct journal *j, struct spool *s, uint64_t size, struct fault *f)
{
	struct journal_state	next = j->now;
	uint64_t		area = JOURNAL_PLAN;
	uint64_t		plan = j->now.nplan * sizeof(*j->plan);

	area += (plan + JOURNAL_SLOT - 1) / JOURNAL_SLOT * JOURNAL_SLOT;
	next.to += next.len;
	next.len = 0;
	/* An image lies over both areas: it has to be out of use first. */
	if (j->now.len > j->now.window)
		return journal_put(j, &next, f);
	next.data = j->now.data == area ? area + journal_half(&next) : area;
	if (journal_fill(j, s, &next, size, f) == -1)
		return -1;
	return journal_put(j, &next, f);
}

static int
mark_the_cut(struct journal *j, struct spool *s, uint64_t size,
    struct fault *f)
{
	struct journal_state	next = j->now;

	next.step = STEP_CUT;
	next.new_size = j->now.to + j->now.len;
	next.cut_from = size;
	next.to = next.new_size;
	next.len = 0;
	/* Its octets: if there is more to do, it begins behind cut_from. */
	next.source = next.nplan;
	next.source_off = size - next.old_size;
	if (file_pwrite(s->fd, "", 1, next.new_size, f) == -1 ||
	    file_sync(s->fd, f) == -1)
		return -1;
	return journal_put(j, &next, f);
}

static int
step_move(struct journal *j, struct spool *s, bool *done_r, struct fault *f)
{
	uint64_t	size;
	uint64_t	left;

	if (spool_size(s, &size, f) == -1)
		return -1;
	if (size < j->now.old_size + (j->now.source == j->now.nplan ?
	    j->now.source_off : 0))
		return foreign(s, f);
	left = octets_left(j, size);
	if (write_window(j, s, f) == -1)
		return -1;
	if (left == 0 && j->now.to + j->now.len < size)
		return mark_the_cut(j, s, size, f);
	if (file_sync(s->fd, f) == -1)
		return -1;
	*done_r = left == 0;
	return left == 0 ? 0 : next_window(j, s, size, f);
}

/* ------------------------------------------------------------------ cut */

/* Mail came behind the old end before the cut: it moves down, too. */
static int
move_again(struct journal *j, struct fault *f)
{
	struct journal_state next = j->now;

	next.step = STEP_MOVE;
	return journal_put(j, &next, f);
}

static int
step_cut(struct journal *j, struct spool *s, bool *done_r, struct fault *f)
{
	uint64_t	size;
	int		marked;

	if (spool_size(s, &size, f) == -1)
		return -1;
	marked = is_nul(s, j->now.new_size, f);
	if (marked == -1)
		return -1;
	if (marked && size > j->now.cut_from)
		return move_again(j, f);
	/* Else it was cut before, and what follows is mail. */
	if (marked && size == j->now.cut_from &&
	    file_truncate(s->fd, j->now.new_size, f) == -1)
		return -1;
	if (file_sync(s->fd, f) == -1)
		return -1;
	*done_r = true;
	return 0;
}

int
journal_run(struct journal *j, struct spool *s, bool *undone_r,
    struct fault *f)
{
	bool done = false;
	int r = 0;

	*undone_r = false;
	j->settled = false;
	while (r == 0 && !done && !*undone_r) {
		switch ((enum journal_step)j->now.step) {
		case STEP_MOVE:
			r = step_move(j, s, &done, f);
			break;
		case STEP_GROW:
			r = step_grow(j, s, undone_r, f);
			break;
		case STEP_GROWN:
			r = step_grown(j, s, &done, f);
			break;
		case STEP_CUT:
			r = step_cut(j, s, &done, f);
			break;
		case STEP_DONE:
			done = true;
			break;
		}
	}
	/* To cut again, or to do nothing again, does no harm whatever others
	 * write meanwhile; to write the same again would. */
	j->settled = r == 0 && (*undone_r || j->now.step == STEP_CUT ||
	    j->now.step == STEP_DONE);
	return r;
}

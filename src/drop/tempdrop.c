/* SPDX-License-Identifier: ISC */
/*
 * The temporary maildrop: what a session reads while others change the spool.
 *
 * A small spool is copied into memory, since for it the making of a file costs
 * more than all the rest.  A larger one is cloned, where the file system can do that:
 * such a file is a copy that costs nothing.  What cannot be cloned is copied at
 * login (temp_maildrop = always), or not (auto, or there is no room for the copy:
 * the user with the full disk is the one who must delete).  Then the session reads
 * the spool itself, verified in place: its state (size, times, inode) is compared
 * after each read; when it changed, the messages are compared with the
 * digests of all their octets, and looked up again by those when they are not where
 * they were.  A message that is no longer there gives a
 * fault, never another message's octets.  While the last change is only a moment ago,
 * the digests are taken again of what is served as well.
 *
 * Runs as: the user.  Reads from: the spool.
 */
#include "drop/mbox_priv.h"

#include "base/alloc.h"
#include "sys/file_pass.h"
#include "sys/lock.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define READ_TRIES	4
/*
 * Times of files are those of the kernel's coarse clock, which advances at least
 * every 10 ms, or, where a file system has no room for more, every second.  All that
 * is written in one such tick has one time.
 */
#define TICK_MS		20
#define COARSE_TICK_MS	1020
/* What is read at once of messages that are fetched in order. */
#define AHEAD_MAX	65536u
/* No single write(2) takes longer. */
#define WRITE_MS	10000

bool
mbox_is_full(const struct fault *f)
{
	return f->err == ENOSPC || f->err == EDQUOT || f->err == EFBIG;
}

/* ------------------------------------------------------------- the copy */

static unsigned
tick_ms(const struct file_facts *facts)
{
	return facts->ctime.tv_nsec == 0 ? COARSE_TICK_MS : TICK_MS;
}

/* In ms; a change that is still to come is as far away as one that was. */
static uint64_t
since_change(uint64_t now, const struct file_facts *facts)
{
	uint64_t changed = (uint64_t)facts->ctime.tv_sec * 1000 +
	    (uint64_t)facts->ctime.tv_nsec / 1000000;

	return now > changed ? now - changed : changed - now;
}

/*
 * now: what the clock that the times come from said before the facts were asked for,
 * since it may lag behind all others.  True: any later change has another time.
 */
static bool
is_settled(uint64_t now, const struct file_facts *facts)
{
	return since_change(now, facts) > tick_ms(facts);
}

/*
 * Wait until the state of the file is one that any later change can be told from
 * by its time: what is read from then on is what *facts speaks of, for as long as
 * they stay.
 */
static int
settle(int fd, struct file_facts *facts, struct fault *f)
{
	for (int try = 0; try < READ_TRIES; try++) {
		uint64_t now = clock_file_ms();

		if (file_facts(fd, facts, f) == -1)
			return -1;
		if (is_settled(now, facts))
			return 0;
		clock_sleep(tick_ms(facts));
	}
	return fault_set(f, FAULT_TEMP, "the spool changes all the time");
}

/* Of such a state.  Whoever is inside a write(2) has the file open. */
static void
see(struct drop *d, const struct spool *s, const struct file_facts *facts)
{
	d->seen = *facts;
	d->fresh = since_change(clock_file_ms(), facts) <= WRITE_MS &&
	    !lock_is_sole(s->fd);
	d->sure = d->fresh ? SIZE_MAX : 0;
}

/* Before the scan: will UPDATE be able to tell that nothing has changed since? */
static void
note_state(struct drop *d, const struct spool *s)
{
	uint64_t		now = clock_file_ms();
	struct file_facts	facts;

	if (file_times_tell(s->fd) && file_facts(s->fd, &facts, NULL) == 0 &&
	    spool_same_state(&facts, &s->facts) && is_settled(now, &facts))
		see(d, s, &facts);
}

/*
 * The next octets of a locked spool; to -1: scan alone.  1; 0: there is no room for
 * the copy; -1: a fault.
 */
static int
copy_block(struct spool *s, struct mbox_scan *scan, int to, struct file_pass *pass,
    struct fault *f)
{
	uint64_t	at = scan->pos;
	struct fault	lost;
	struct span	got;

	if (file_pass_read(pass, at, s->facts.size, &got, f) == -1)
		return -1;
	if (got.n == 0)
		return fault_set(f, FAULT_TEMP,
		    "it became shorter while it was read");
	mbox_scan_feed(scan, got);
	if (to != -1 && file_pwrite(to, got.p, got.n, at, &lost) == -1)
		return 0;
	return spool_tick(s, f) == -1 ? -1 : 1;
}

/* The same of all of them, from an octet on. */
static int
copy_and_scan(struct spool *s, uint64_t from, int to, struct mbox_table *out,
    struct fault *f)
{
	struct mbox_scan	 scan;
	struct file_pass	 pass;
	uint64_t		 len = s->facts.size - from;
	int			 r = 1;

	mbox_scan_init(&scan, out);
	scan.pos = from;
	file_pass_init(&pass, s->fd, len, len >= MBOX_LONG);
	while (r == 1 && scan.pos < s->facts.size && !mbox_scan_foreign(&scan))
		r = copy_block(s, &scan, to, &pass, f);
	file_pass_fini(&pass);
	return r == 1 && mbox_scan_end(&scan, f) == -1 ? -1 : r;
}

int
tempdrop_scan(struct spool *s, struct mbox_table *out, struct fault *f)
{
	return copy_and_scan(s, 0, -1, out, f) == -1 ? -1 : 0;
}

/* A file that shares the spool's octets; -1: there is none.  *sure_r: they are what
 * d->seen speaks of. */
static int
clone_open(const struct drop *d, const struct spool *s, bool *sure_r)
{
	const struct drop_host	*h = d->conf.host;
	AUTO(fd_close) int	 clone = -1;
	struct file_facts	 now;
	struct fault		 why;

	*sure_r = false;
	if (s->facts.size <= d->conf.memory_max || !file_may_clone(s->fd) ||
	    h->tempfile(h->ctx, &clone, &why) == -1 ||
	    !file_clone(s->fd, clone))
		return -1;
	*sure_r = file_facts(s->fd, &now, &why) == 0 &&
	    spool_same_state(&now, &d->seen);
	return fd_take(&clone);
}

/* ------------------------------------------------------------ with an index */

static void
open_index(struct drop *d, uint64_t size)
{
	const struct drop_host	*h = d->conf.host;
	struct fault		 why;

	if (h->index == NULL || size <= d->conf.memory_max ||
	    h->index(h->ctx, &d->index.fd, &why) == 0)
		return;
	d->index.fd = -1;
	h->tell(h->ctx, "drop-index", why.text);
}

/* fd: the spool itself, which is locked, or a clone of it. */
static int
scan_from(struct spool *s, int fd, uint64_t from, struct mbox_table *out,
    struct fault *f)
{
	if (fd != s->fd)
		return mbox_scan_file(fd, from, s->facts.size - from, out, f);
	return copy_and_scan(s, from, -1, out, f) == -1 ? -1 : 0;
}

/*
 * Behind the rows that an index had, the last message of then and all new ones.  It
 * must be where it was and what it was: mail that differs in nothing but its header
 * would otherwise pass when some of it was removed.
 */
static bool
scan_on(struct drop *d, struct spool *s, int fd)
{
	size_t			 n = d->index.keep;
	const struct mbox_msg	*last = &d->index.head.last;
	struct mbox_table	 t = { 0 };
	bool			 good;

	good = scan_from(s, fd, last->from, &t, NULL) == 0 && t.n > 0 &&
	    t.m[0].from == last->from && n + t.n <= MBOX_MAX &&
	    memcmp(t.m[0].digest, last->digest, MBOX_DIGEST) == 0;
	if (good && n > 0)		/* a note is the first of all */
		t.m[0].flags &= ~(uint32_t)MBOX_HIDDEN;
	good = good && indexed_grow(&d->index, &t, &d->table);
	mbox_table_fini(&t);
	return good;
}

/* Who wrote such an index saw to it that nobody else wrote to the spool. */
static bool
is_of_this_boot(const struct drop *d)
{
	return d->conf.boot != 0 && d->index.head.boot == d->conf.boot;
}

static int
find_messages(struct drop *d, struct spool *s, int fd, struct fault *f)
{
	enum index_fit fit = indexed_read(&d->index, fd, &s->facts, &d->table);

	d->facts = s->facts;
	d->index.used = fit == INDEX_SAME ||
	    (fit == INDEX_GROWN && scan_on(d, s, fd));
	if (fit == INDEX_SAME && !is_of_this_boot(d))
		indexed_doubt(&d->index, &d->table);
	if (fit == INDEX_SAME)
		d->sure = (size_t)d->index.head.doubted;
	else if (d->index.used && d->sure == 0)
		d->sure = d->index.keep;
	if (d->index.used)
		return 0;
	d->index.keep = 0;
	return scan_from(s, fd, 0, &d->table, f);
}

/* ------------------------------------------------------------ the three ways */

/* An empty file in memory, for a small spool; -1: there is none. */
static int
memory_open(const struct drop *d, uint64_t size)
{
	struct fault	why;
	int		fd = -1;

	return size <= d->conf.memory_max && size <= d->conf.copy_max &&
	    file_open_memory(&fd, &why) == 0 ? fd : -1;
}

/* An empty file for a copy; -1: there is no room for one. */
static int
copy_open(const struct drop *d, uint64_t size)
{
	const struct drop_host	*h = d->conf.host;
	struct fault		 why;
	int			 copy = -1;

	if (size > d->conf.copy_max)
		h->tell(h->ctx, "drop-in-place", "larger than temp_max");
	else if (h->tempfile(h->ctx, &copy, &why) == -1)
		h->tell(h->ctx, "drop-in-place", why.text);
	else
		return copy;
	return -1;
}

static int
scan_in_place(struct drop *d, struct spool *s, struct fault *f)
{
	if (file_times_tell(s->fd)) {
		see(d, s, &s->facts);
		open_index(d, s->facts.size);
	}
	if (find_messages(d, s, s->fd, f) == -1)
		return -1;
	d->own_fd = true;
	d->in_place = true;
	d->fd = s->fd;
	return 0;
}

static int
serve_in_place(struct drop *d, struct spool *s, struct fault *f)
{
	return settle(s->fd, &s->facts, f) == -1 ? -1 : scan_in_place(d, s, f);
}

/* Takes fd, where the session reads. */
static void
serve_copy(struct drop *d, int fd)
{
	d->own_fd = true;
	d->fd = fd;
}

static int
serve_clone(struct drop *d, struct spool *s, int fd, bool sure, struct fault *f)
{
	if (sure)
		open_index(d, s->facts.size);
	spool_unlock(s);		/* who has a clone holds nobody up */
	serve_copy(d, fd);
	return find_messages(d, s, fd, f);
}

int
tempdrop_make(struct drop *d, struct spool *s, struct fault *f)
{
	const struct drop_host	*h = d->conf.host;
	AUTO(fd_close) int	 copy = -1;
	bool			 sure;
	struct fault		 why;
	int			 r;

	note_state(d, s);
	copy = clone_open(d, s, &sure);
	if (copy != -1)
		return serve_clone(d, s, fd_take(&copy), sure, f);
	copy = memory_open(d, s->facts.size);
	if (copy == -1 && d->conf.in_place && file_times_tell(s->fd) &&
	    settle(s->fd, &s->facts, &why) == 0)
		return scan_in_place(d, s, f);
	if (copy == -1)
		copy = copy_open(d, s->facts.size);
	if (copy == -1)
		return serve_in_place(d, s, f);
	r = copy_and_scan(s, 0, copy, &d->table, f);
	if (r == 1)
		serve_copy(d, fd_take(&copy));
	if (r != 0)
		return r == 1 ? 0 : -1;
	h->tell(h->ctx, "drop-in-place", "no room for a temporary copy");
	mbox_table_fini(&d->table);
	return serve_in_place(d, s, f);
}

/* ------------------------------------------------------------- in place */

static int
compare_octets(const struct mbox_msg *a, const struct mbox_msg *b)
{
	int c = memcmp(a->digest, b->digest, MBOX_DIGEST);

	return c != 0 ? c : memcmp(a->changing, b->changing, MBOX_DIGEST);
}

static int
by_octets(const void *a, const void *b)
{
	const struct mbox_msg *x = *(const struct mbox_msg *const *)a;
	const struct mbox_msg *y = *(const struct mbox_msg *const *)b;
	int c = compare_octets(x, y);

	return c != 0 ? c : x < y ? -1 : x > y;
}

static struct mbox_msg **
sorted(const struct mbox_table *t)
{
	struct mbox_msg **list = xalloc(t->n, sizeof(struct mbox_msg *));

	for (size_t i = 0; i < t->n; i++)
		list[i] = &t->m[i];
	qsort(list, t->n, sizeof(struct mbox_msg *), by_octets);
	return list;
}

/*
 * Give each row of `want` the place of the row of `found` with the same octets
 * (twins: in order; a last line may have got its LF), or MBOX_GONE.  Returns
 * how many are gone.  O(n log n).
 */
static size_t
match(struct mbox_table *want, const struct mbox_table *found)
{
	struct mbox_msg	**w = sorted(want);
	struct mbox_msg	**x = sorted(found);
	size_t		 gone = 0;
	size_t		 k = 0;

	for (size_t i = 0; i < want->n; i++) {
		while (k < found->n && compare_octets(x[k], w[i]) < 0)
			k++;
		if (k == found->n || compare_octets(x[k], w[i]) != 0 ||
		    x[k]->size_wire != w[i]->size_wire ||
		    /* an LF was cut off: there is less than was promised */
		    x[k]->end - x[k]->text < w[i]->end - w[i]->text) {
			w[i]->flags &= ~(uint32_t)MBOX_DOUBTED;
			w[i]->flags |= MBOX_GONE;
			gone++;
			continue;
		}
		w[i]->flags &= ~(uint32_t)(MBOX_GONE | MBOX_DOUBTED);
		w[i]->from = x[k]->from;
		w[i]->text = x[k]->text;
		w[i]->end = x[k]->end;
		w[i]->next = x[k]->next;
		k++;
	}
	free(w);
	free(x);
	return gone;
}

/* A spool that was renamed or unlinked may still have all its octets. */
static bool
old_inode_serves(struct drop *d)
{
	struct mbox_table	t = { 0 };
	struct file_facts	facts;
	bool			serves = false;

	if (settle(d->fd, &facts, NULL) == 0 &&
	    mbox_scan_file(d->fd, 0, facts.size, &t, NULL) == 0 &&
	    match(&d->table, &t) == 0) {
		d->facts = facts;
		serves = true;
	}
	mbox_table_fini(&t);
	return serves;
}

static int
rescan(struct drop *d, struct spool *s, struct fault *f)
{
	struct mbox_table	t = { 0 };
	int			r = 0;

	if (s->fd != -1)
		r = tempdrop_scan(s, &t, f);
	if (r == -1 && f->class == FAULT_PERM)	/* no mailbox any more */
		r = 0;
	if (r == 0)
		(void)match(&d->table, &t);
	if (r == 0 && s->fd != -1)
		d->facts = s->facts;
	mbox_table_fini(&t);
	return r;
}

/*
 * Mostly there is new mail at the end, or other times, and nothing has moved: each
 * message that is to be served is looked at before, and no other one.
 */
static void
doubt(struct drop *d, const struct file_facts *facts)
{
	for (size_t i = 0; i < d->table.n; i++)
		d->table.m[i].flags |= MBOX_DOUBTED;
	d->facts = *facts;
}

static bool
is_same_file(const struct drop *d, const struct spool *s)
{
	return s->fd != -1 && s->facts.ino == d->facts.ino &&
	    s->facts.dev == d->facts.dev;
}

int
tempdrop_unchanged(const struct drop *d, bool *same_r, struct fault *f)
{
	struct file_facts now;

	if (file_facts(d->fd, &now, f) == -1)
		return -1;
	*same_r = spool_same_state(&now, &d->facts);
	return 0;
}

/* Is the message of a doubted row where it was?  *now_r: what is there. */
static bool
is_still(const struct drop *d, const struct mbox_msg *m, struct mbox_msg *now_r)
{
	struct mbox_table	t = { 0 };
	bool			same;

	same = mbox_scan_file(d->fd, m->from, m->next - m->from, &t,
	    NULL) == 0 && t.n == 1 && compare_octets(&t.m[0], m) == 0 &&
	    t.m[0].text == m->text && t.m[0].end == m->end;
	if (same)
		*now_r = t.m[0];
	mbox_table_fini(&t);
	return same;
}

static bool
is_there(const struct drop *d, const struct mbox_msg *m)
{
	struct mbox_msg now;

	return is_still(d, m, &now);
}

static bool
is_as_told(const struct drop *d, const struct mbox_msg *m)
{
	const uint32_t	known = MBOX_SEEN | MBOX_CRLF | MBOX_HEAD_OPEN |
			    MBOX_SEPARATED;
	struct mbox_msg	now;

	return is_still(d, m, &now) && now.from == m->from &&
	    now.next == m->next && now.size_wire == m->size_wire &&
	    now.head_end == m->head_end && now.letters == m->letters &&
	    now.status_len == m->status_len &&
	    (m->status_len == 0 || now.status == m->status) &&
	    (now.flags & known) == (m->flags & known);
}

static bool
begins_behind_blank_line(const struct drop *d, const struct mbox_msg *m)
{
	char	b[3];
	size_t	n = m->from < sizeof(b) ? (size_t)m->from : sizeof(b);

	if (n == 0)
		return true;
	return file_pread(d->fd, b, n, m->from - n, NULL) == (ssize_t)n &&
	    b[n - 1] == '\n' && (n == 1 || b[n - 2] == '\n' ||
	    (n == 3 && memcmp(b, "\n\r\n", 3) == 0));
}

bool
tempdrop_holds(const struct drop *d, size_t row)
{
	const struct mbox_msg *m = &d->table.m[row];

	return begins_behind_blank_line(d, m) && is_as_told(d, m) &&
	    (row + 1 < d->table.n ? is_as_told(d, m + 1) :
	    m->next == d->seen.size);
}

/* The spool is not what it was: find the message again, under the lock. */
static int
find_locked(struct drop *d, struct mbox_msg *m, struct spool *s, struct fault *f)
{
	d->seen = (struct file_facts){ 0 };
	if (!is_same_file(d, s) && old_inode_serves(d))
		return 0;
	if (s->fd != -1 && settle(s->fd, &s->facts, f) == -1)
		return -1;
	if (is_same_file(d, s) && s->facts.size >= d->facts.size) {
		doubt(d, &s->facts);
		if (is_there(d, m)) {
			m->flags &= ~(uint32_t)MBOX_DOUBTED;
			return 0;
		}
	}
	return rescan(d, s, f);
}

/* 1: by all that is known the message is where its row says; 0: who knows; -1. */
static int
locate(struct drop *d, struct mbox_msg *m, struct fault *f)
{
	bool same;

	/* Mostly all is as it was, which is known when it was read. */
	if ((m->flags & (MBOX_GONE | MBOX_DOUBTED)) == 0)
		return 1;
	d->ahead.n = 0;			/* it was read before this look */
	if (tempdrop_unchanged(d, &same, f) == -1)
		return -1;
	if (!same || (m->flags & MBOX_GONE))
		return same;
	if (!is_there(d, m)) {
		if (rows_all(d, f) == -1)
			return -1;
		/* If it was the index that was wrong: not once more. */
		indexed_drop(&d->index);
		return 0;
	}
	m->flags &= ~(uint32_t)MBOX_DOUBTED;
	return 1;
}

/* Room for them. */
struct octets {
	void	*p;		/* borrows */
	size_t	 n;
};

static bool
is_sure(const struct drop *d, const struct mbox_msg *m)
{
	return (size_t)(m - d->table.m) >= d->sure &&
	    spool_same_state(&d->facts, &d->seen);
}

/* Is a message that is begun now to be followed? */
static bool
wants_following(const struct drop *d, const struct mbox_msg *m)
{
	return !is_sure(d, m) &&
	    since_change(clock_file_ms(), &d->facts) <= WRITE_MS;
}

static void
begin_following(struct drop *d, const struct mbox_msg *m)
{
	if (!wants_following(d, m)) {
		follow_free(d->follow);
		d->follow = NULL;
		return;
	}
	if (d->follow == NULL)
		d->follow = follow_new();
	follow_begin(d->follow, d->fd, m);
}

/* What is there; *same_r: of the message, by what the times tell. */
static ssize_t
read_once(struct drop *d, const struct mbox_msg *m, uint64_t size, uint64_t off,
    struct octets to, bool *same_r, struct fault *f)
{
	ssize_t got;

	if (m->flags & MBOX_GONE)
		return fault_set(f, FAULT_TEMP, "another program "
		    "removed the message, and there is no copy of it");
	if (off == 0)
		begin_following(d, m);
	got = file_pread(d->fd, to.p, to.n, m->text + off, f);
	if (got > 0 && d->follow != NULL && off + (uint64_t)got == size)
		follow_tail(d->follow, d->fd, m, size);
	return got == -1 || tempdrop_unchanged(d, same_r, f) == -1 ? -1 : got;
}

/* Those who heed locks, as mail transfer agents, cannot come between. */
static ssize_t
read_locked(struct drop *d, struct mbox_msg *m, uint64_t size, uint64_t off,
    struct octets to, bool *same_r, struct fault *f)
{
	struct spool	s;
	int		fd = d->fd;
	ssize_t		got = -1;

	d->ahead.n = 0;
	if (rows_all(d, f) == -1)
		return -1;
	spool_init(&s, &d->conf);
	if (spool_lock(&s, DROP_LOCK_SCAN, 0, f) == 0 &&
	    find_locked(d, m, &s, f) == 0) {
		if (is_same_file(d, &s))
			d->fd = s.fd;
		got = read_once(d, m, size, off, to, same_r, f);
	}
	spool_unlock(&s);
	if (d->fd != fd) {
		(void)fd_take(&s.fd);
		fd_close(&fd);
	}
	spool_fini(&s);
	if (got == -1 && f->class == FAULT_IN_USE)
		f->class = FAULT_TEMP;
	return got;
}

static ssize_t
read_in_place(struct drop *d, struct mbox_msg *m, uint64_t size, uint64_t off,
    struct octets to, struct fault *f)
{
	bool	same = false;
	ssize_t	got = locate(d, m, f);

	if (got == 1)
		got = read_once(d, m, size, off, to, &same, f);
	for (int try = 1; got != -1 && !same && try < READ_TRIES; try++)
		got = read_locked(d, m, size, off, to, &same, f);
	return got == -1 || same ? got :
	    fault_set(f, FAULT_TEMP, "the spool changes all the time");
}

/* Of a file whose octets stay what they are; a clone's rows may be doubted. */
static ssize_t
read_copy(struct drop *d, struct mbox_msg *m, uint64_t off, void *p, size_t n,
    struct fault *f)
{
	struct mbox_table	t = { 0 };
	int			r = 0;

	if ((m->flags & MBOX_DOUBTED) && is_there(d, m))
		m->flags &= ~(uint32_t)MBOX_DOUBTED;
	if (m->flags & MBOX_DOUBTED) {
		r = rows_all(d, f);
		d->seen = (struct file_facts){ 0 };
		indexed_drop(&d->index);
		if (r == 0)
			r = mbox_scan_file(d->fd, 0, d->facts.size, &t, f);
		if (r == 0)
			(void)match(&d->table, &t);
		mbox_table_fini(&t);
	}
	if (r == 0 && (m->flags & MBOX_GONE))
		r = fault_set(f, FAULT_TEMP, "another program removed the "
		    "message before this session");
	return r == -1 ? -1 : file_pread(d->fd, p, n, m->text + off, f);
}

ssize_t
tempdrop_read(struct drop *d, const struct mbox_text *t, uint64_t off, void *p,
    size_t n, struct fault *f)
{
	struct mbox_msg	*m = &d->table.m[t->row];
	ssize_t		 got;

	if (off >= t->size)
		return 0;
	if (n > t->size - off)
		n = (size_t)(t->size - off);
	if (!d->in_place)
		return read_copy(d, m, off, p, n, f);
	got = read_in_place(d, m, t->size, off, (struct octets){ p, n }, f);
	if (got > 0 && d->follow != NULL && !follow_octets(d->follow, m,
	    t->size, off, span_of(p, (size_t)got))) {
		m->flags |= MBOX_DOUBTED;
		return fault_set(f, FAULT_TEMP, "another program is still "
		    "writing to the message");
	}
	return got;
}

/* ------------------------------------------------------------- ahead */

/* From `at` on, where some octets of a message are left. */
static void
read_ahead(struct drop *d, uint64_t at, uint64_t left)
{
	struct ahead	*a = &d->ahead;
	bool		 same;
	ssize_t		 got;

	if (a->p == NULL)
		a->p = xroom(AHEAD_MAX);
	got = file_pread(d->fd, a->p, a->in_order || left > AHEAD_MAX ?
	    AHEAD_MAX : (size_t)left, at, NULL);
	if (got <= 0 || tempdrop_unchanged(d, &same, NULL) == -1 || !same)
		got = 0;
	a->off = at;
	a->n = (size_t)got;
}

/* What is there of them; or what can be, when nobody has to be asked. */
static struct span
look_ahead(struct drop *d, uint64_t at, uint64_t left)
{
	struct ahead *a = &d->ahead;

	if (at < a->off || at - a->off >= a->n)
		read_ahead(d, at, left);
	if (a->n == 0)
		return SPAN("");
	return span_first(span_skip(span_of(a->p, a->n), (size_t)(at - a->off)),
	    left < a->n ? (size_t)left : a->n);
}

struct span
tempdrop_peek(struct drop *d, const struct mbox_text *t, uint64_t off)
{
	const struct mbox_msg	*m = &d->table.m[t->row];
	struct ahead		*a = &d->ahead;

	if (!d->in_place || off >= t->size ||
	    (m->flags & (MBOX_GONE | MBOX_DOUBTED)) != 0 ||
	    (off == 0 ? wants_following(d, m) : d->follow != NULL))
		return SPAN("");
	if (off == 0) {
		follow_free(d->follow);
		d->follow = NULL;
		a->in_order = t->row == a->next;
		a->next = t->row + 1;
	}
	return look_ahead(d, m->text + off, t->size - off);
}

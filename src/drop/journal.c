/* SPDX-License-Identifier: ISC */
/* The journal's form: slots, plan, data.  The steps are in replay.c. */
#include "drop/journal.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>

#define BLOCK		65536
#define MAGIC		"popperj1"
#define RANGE_OCTETS	16
#define MARK_OCTETS	8
/* Marks of a window of n octets, wherever it begins. */
#define MARKS_ROOM(n)	(((n) / JOURNAL_BLOCK + 2) * MARK_OCTETS)

/* ------------------------------------------------------------- encoding */

static void
put_u64(uint8_t *b, uint64_t v)
{
	for (size_t i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t
get_u64(const uint8_t *b)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v |= (uint64_t)b[i] << 8 * i;
	return v;
}

/* Every number of a state, in the order of the slot. */
#define NUMBERS	22
static void
numbers(struct journal_state *s, uint64_t *out[NUMBERS])
{
	uint64_t *const list[NUMBERS] = {
		&s->seq, &s->step, &s->dev, &s->ino, &s->old_size,
		&s->new_size, &s->cut_from, &s->to, &s->len, &s->data,
		&s->source, &s->source_off, &s->window, &s->nplan,
		&s->legacy_ino, &s->legacy_size, &s->lock_ino, &s->note_n,
		&s->before.off, &s->before.len, &s->behind.off, &s->behind.len,
	};

	memcpy(out, list, sizeof(list));
}

/* Every digest and the note, likewise. */
#define BLOBS	5
static void
blobs(struct journal_state *s, struct span out[BLOBS])
{
	out[0] = span_of(s->before.digest, JOURNAL_DIGEST);
	out[1] = span_of(s->behind.digest, JOURNAL_DIGEST);
	out[2] = span_of(s->data_digest, JOURNAL_DIGEST);
	out[3] = span_of(s->plan_digest, JOURNAL_DIGEST);
	out[4] = span_of(s->note, DROP_NOTE_MAX);
}

#define SLOT_TEXT	(8 + 8 * NUMBERS + 4 * JOURNAL_DIGEST + DROP_NOTE_MAX)
static_assert(SLOT_TEXT + JOURNAL_DIGEST <= JOURNAL_SLOT, "a slot has room");

static void
encode(struct journal_state *s, uint8_t b[JOURNAL_SLOT])
{
	uint64_t	*number[NUMBERS];
	struct span	 blob[BLOBS];
	uint8_t		*p = b;

	memset(b, 0, JOURNAL_SLOT);
	memcpy(p, MAGIC, 8);
	p += 8;
	numbers(s, number);
	for (size_t i = 0; i < NUMBERS; i++, p += 8)
		put_u64(p, *number[i]);
	blobs(s, blob);
	for (size_t i = 0; i < BLOBS; p += blob[i].n, i++)
		memcpy(p, blob[i].p, blob[i].n);
	digest_span(span_of(b, SLOT_TEXT), b + SLOT_TEXT);
}

/* A slot that is whole; what it says is still to be checked. */
static bool
decode(const uint8_t b[JOURNAL_SLOT], struct journal_state *s)
{
	uint64_t	*number[NUMBERS];
	struct span	 blob[BLOBS];
	uint8_t		 digest[JOURNAL_DIGEST];
	const uint8_t	*p = b + 8;

	digest_span(span_of(b, SLOT_TEXT), digest);
	if (memcmp(b, MAGIC, 8) != 0 ||
	    memcmp(b + SLOT_TEXT, digest, JOURNAL_DIGEST) != 0)
		return false;
	numbers(s, number);
	for (size_t i = 0; i < NUMBERS; i++, p += 8)
		*number[i] = get_u64(p);
	blobs(s, blob);
	for (size_t i = 0; i < BLOBS; p += blob[i].n, i++)
		memcpy((uint8_t *)(uintptr_t)blob[i].p, p, blob[i].n);
	return s->seq > 0 && s->step >= STEP_MOVE && s->step <= STEP_DONE &&
	    s->note_n <= DROP_NOTE_MAX && s->nplan <= DROP_RESERVE &&
	    s->before.len <= JOURNAL_SAMPLE && s->behind.len <= JOURNAL_SAMPLE;
}

/* ------------------------------------------------------------- digests */

/* O(len).  Fewer octets than len: FAULT_PERM. */
static int
digest_file(int fd, uint64_t off, uint64_t len, uint8_t out[JOURNAL_DIGEST],
    struct fault *f)
{
	static uint8_t	block[BLOCK];
	struct digest	c;

	digest_init(&c);
	while (len > 0) {
		size_t	want = len < BLOCK ? (size_t)len : BLOCK;
		ssize_t	got = file_pread(fd, block, want, off, f);

		if (got == -1)
			return -1;
		if ((size_t)got < want)
			return fault_set(f, FAULT_PERM, "the file is too short");
		digest_add(&c, span_of(block, want));
		off += want;
		len -= want;
	}
	digest_take(&c, out);
	return 0;
}

/* Are these len octets what the digest says?  A file too short has not them. */
static int
check_file(int fd, uint64_t off, uint64_t len,
    const uint8_t want[JOURNAL_DIGEST], bool *same_r, struct fault *f)
{
	uint8_t digest[JOURNAL_DIGEST];

	*same_r = false;
	if (digest_file(fd, off, len, digest, f) == -1)
		return f->class == FAULT_PERM && f->err == 0 ? 0 : -1;
	*same_r = memcmp(digest, want, JOURNAL_DIGEST) == 0;
	return 0;
}

/* --------------------------------------------------------------- marks */

/* Octets up to the end of the block that begins or goes on at off. */
static size_t
block_left(uint64_t off, uint64_t end)
{
	uint64_t next = (off / JOURNAL_BLOCK + 1) * JOURNAL_BLOCK;

	return (size_t)((next < end ? next : end) - off);
}

/* Where what the window overwrites ends: behind it a spool that grows was
 * extended.  (One that does not may have mail beyond its old size to move.) */
static uint64_t
marked_end(const struct journal_state *s)
{
	uint64_t end = s->to + s->len;

	return s->step == STEP_MOVE || end < s->old_size ? end : s->old_size;
}

static uint64_t
marks_octets(const struct journal_state *s)
{
	uint64_t end = marked_end(s);

	return s->to >= end ? 0 : ((end - 1) / JOURNAL_BLOCK -
	    s->to / JOURNAL_BLOCK + 1) * MARK_OCTETS;
}

/* -------------------------------------------------------------- loading */

static int
load_slot(int fd, uint64_t off, struct journal_state *s, bool *valid_r,
    struct fault *f)
{
	uint8_t	b[JOURNAL_SLOT];
	ssize_t	n = file_pread(fd, b, sizeof(b), off, f);

	*valid_r = n == (ssize_t)sizeof(b) && decode(b, s);
	return n == -1 ? -1 : 0;
}

static int
load_plan(struct journal *j, bool *same_r, struct fault *f)
{
	size_t	 n = (size_t)j->now.nplan;
	uint8_t	*b;
	ssize_t	 got;

	free(j->plan);
	j->plan = xalloc(n, sizeof(*j->plan));
	b = xalloc(n, RANGE_OCTETS);
	got = file_pread(j->fd, b, n * RANGE_OCTETS, JOURNAL_PLAN, f);
	for (size_t i = 0; i < n; i++) {
		j->plan[i].off = get_u64(b + i * RANGE_OCTETS);
		j->plan[i].len = get_u64(b + i * RANGE_OCTETS + 8);
	}
	free(b);
	if (got == -1)
		return -1;
	return check_file(j->fd, JOURNAL_PLAN, n * RANGE_OCTETS,
	    j->now.plan_digest, same_r, f);
}

/* One slot's state with its data and plan; *good_r tells. */
static int
load_state(struct journal *j, const struct journal_state *s, bool *good_r,
    struct fault *f)
{
	bool plan = false;

	*good_r = s->len == 0;
	j->now = *s;
	if ((s->len > 0 && check_file(j->fd, s->data, s->len + marks_octets(s),
	    s->data_digest, good_r, f) == -1) || load_plan(j, &plan, f) == -1)
		return -1;
	*good_r = *good_r && plan;
	return 0;
}

int
journal_load(struct journal *j, int fd, struct fault *f)
{
	struct journal_state	slot[2];
	bool			valid[2];
	bool			good = false;

	*j = (struct journal){ .fd = fd };
	/* What we are about to act on must not be in memory alone. */
	if (file_sync(fd, f) == -1 ||
	    load_slot(fd, 0, &slot[0], &valid[0], f) == -1 ||
	    load_slot(fd, JOURNAL_SLOT, &slot[1], &valid[1], f) == -1)
		return fault_prefix(f, "journal: ");
	/* The newer one first; its data may have been cut short by a crash,
	 * then the older one still has its own. */
	for (int try = 0; try < 2 && !good; try++) {
		int i = valid[1] && (!valid[0] || slot[1].seq > slot[0].seq);

		if (!valid[i])
			break;
		j->open = true;
		valid[i] = false;
		if (load_state(j, &slot[i], &good, f) == -1)
			return fault_prefix(f, "journal: ");
	}
	if (j->open && !good)
		return fault_set(f, FAULT_PERM, "the journal is damaged");
	return j->open;
}

void
journal_fini(struct journal *j)
{
	free(j->plan);
	j->plan = NULL;
}

/* -------------------------------------------------------------- writing */

int
journal_put(struct journal *j, const struct journal_state *next,
    struct fault *f)
{
	struct journal_state	s = *next;
	uint8_t			b[JOURNAL_SLOT];

	s.seq = j->now.seq + 1;
	/* From here on the sample may be overwritten, and octet to + len. */
	if (s.to + s.len >= s.behind.off)
		s.behind = (struct journal_sample){ 0 };
	encode(&s, b);
	if (file_pwrite(j->fd, b, sizeof(b), s.seq % 2 * JOURNAL_SLOT, f) == -1 ||
	    file_datasync(j->fd, f) == -1)
		return fault_prefix(f, "journal: ");
	j->now = s;
	return 0;
}

/*
 * Where octets are appended while their digest is made.  They are gathered: marks
 * and lines are of a few octets, and there may be thousands of them.
 */
struct filler {
	int		fd;
	uint64_t	off;		/* of the first that is gathered */
	bool		stubborn;	/* a lost dotlock does not stop it: the
					   commit has been made */
	struct digest	digest;
	size_t		n;		/* gathered in `gathered` */
};

/* Of the one filler that there is at a time. */
static uint8_t	gathered[BLOCK];

static int
fill_flush(struct filler *to, struct fault *f)
{
	struct span	all = span_of(gathered, to->n);

	if (all.n == 0)
		return 0;
	if (file_pwrite(to->fd, all.p, all.n, to->off, f) == -1)
		return -1;
	digest_add(&to->digest, all);
	to->off += all.n;
	to->n = 0;
	return 0;
}

/* Where the next octet goes. */
static uint64_t
fill_place(const struct filler *to)
{
	return to->off + to->n;
}

/* Octets were put behind what is gathered. */
static int
fill_gathered(struct filler *to, size_t n, struct fault *f)
{
	to->n += n;
	return to->n == sizeof(gathered) ? fill_flush(to, f) : 0;
}

static int
fill_text(struct filler *to, struct span text, struct fault *f)
{
	while (text.n > 0) {
		struct span part = span_first(text, sizeof(gathered) - to->n);

		memcpy(gathered + to->n, part.p, part.n);
		if (fill_gathered(to, part.n, f) == -1)
			return -1;
		text = span_skip(text, part.n);
	}
	return 0;
}

static int
fill_from(struct filler *to, int fd, uint64_t off, uint64_t len,
    struct spool *s, struct fault *f)
{
	while (len > 0) {
		size_t	room = sizeof(gathered) - to->n;
		size_t	want = len < room ? (size_t)len : room;
		ssize_t	got = file_pread(fd, gathered + to->n, want, off, f);

		if (got == -1)
			return -1;
		if ((size_t)got < want)
			return fault_set(f, FAULT_TEMP,
			    "a file became shorter while it was read");
		if (fill_gathered(to, want, f) == -1)
			return -1;
		if (spool_tick(s, f) == -1 && !to->stubborn)
			return -1;
		off += want;
		len -= want;
	}
	return 0;
}

/* Behind the data: what the blocks that it will overwrite are now. */
static int
fill_marks(struct filler *to, const struct journal_state *s, int spool,
    struct fault *f)
{
	static uint8_t	block[BLOCK];
	uint8_t		mark[MARK_OCTETS];
	uint64_t	end = marked_end(s);
	uint64_t	off = s->to;
	size_t		n;

	while (off < end) {
		/* To a border of blocks, so that the next one is whole. */
		size_t	want = end - off < BLOCK - JOURNAL_BLOCK ?
			    (size_t)(end - off) : BLOCK - JOURNAL_BLOCK -
			    (size_t)(off % JOURNAL_BLOCK);
		ssize_t	got = file_pread(spool, block, want, off, f);

		if (got == -1)
			return -1;
		if ((size_t)got < want)
			return fault_set(f, FAULT_TEMP,
			    "the spool became shorter while it was read");
		for (size_t i = 0; i < want; i += n, off += n) {
			n = block_left(off, end);
			put_u64(mark, digest_mark(span_of(block + i, n)));
			if (fill_text(to, span_of(mark, sizeof(mark)), f) == -1)
				return -1;
		}
	}
	return 0;
}

/* All of it is in the file; its digest. */
static int
fill_end(struct filler *to, uint8_t digest[JOURNAL_DIGEST], struct fault *f)
{
	if (fill_flush(to, f) == -1)
		return -1;
	digest_take(&to->digest, digest);
	return 0;
}

/* The window's octets from the sources on: as many as fit, or as there are. */
int
journal_fill(struct journal *j, struct spool *s, struct journal_state *next,
    uint64_t spool_size, struct fault *f)
{
	struct filler	to = { .fd = j->fd, .off = next->data,
			    .stubborn = true };
	uint64_t	room = next->window;

	digest_init(&to.digest);
	while (room > 0) {
		struct journal_range tail = { next->old_size,
		    spool_size - next->old_size };
		struct journal_range r = next->source < next->nplan ?
		    j->plan[next->source] : tail;
		uint64_t left = r.len - next->source_off;
		uint64_t n = left < room ? left : room;

		if (n == 0 && next->source == next->nplan)
			break;
		if (fill_from(&to, s->fd, r.off + next->source_off, n, s,
		    f) == -1)
			return -1;
		room -= n;
		next->source_off += n;
		if (n == left && next->source < next->nplan) {
			next->source++;
			next->source_off = 0;
		}
	}
	next->len = fill_place(&to) - next->data;
	return fill_marks(&to, next, s->fd, f) == -1 ? -1 :
	    fill_end(&to, next->data_digest, f);
}

/* ------------------------------------------------------------ beginning */

static int
sample(int fd, uint64_t off, uint64_t len, struct journal_sample *out,
    struct fault *f)
{
	out->off = off;
	out->len = len;
	return len == 0 ? 0 : digest_file(fd, off, len, out->digest, f);
}

static int
take_samples(struct journal_state *s, int fd, const struct journal_wish *w,
    struct fault *f)
{
	uint64_t before = w->from < JOURNAL_SAMPLE ? w->from : JOURNAL_SAMPLE;
	/* Octet w->size itself will be the NUL of STEP_CUT. */
	uint64_t behind = s->old_size <= w->size ? 0 :
	    s->old_size - w->size - 1;

	if (behind > JOURNAL_SAMPLE)
		behind = JOURNAL_SAMPLE;
	if (sample(fd, w->from - before, before, &s->before, f) == -1)
		return -1;
	return sample(fd, s->old_size - behind, behind, &s->behind, f);
}

static uint64_t
whole_blocks(uint64_t n)
{
	return (n + JOURNAL_SLOT - 1) / JOURNAL_SLOT * JOURNAL_SLOT;
}

uint64_t
journal_half(const struct journal_state *s)
{
	return whole_blocks(s->window + MARKS_ROOM(s->window));
}

/* Where data begins, and how long windows may be. */
static int
lay_out(struct journal_state *s, const struct journal_wish *w, bool reserve,
    struct fault *f)
{
	uint64_t image = w->nimage > 0 ? w->size - w->from : 0;
	uint64_t half;

	s->nplan = w->nkept;
	s->data = JOURNAL_PLAN + whole_blocks(w->nkept * RANGE_OCTETS);
	s->window = JOURNAL_WINDOW;
	if (!reserve && image / 2 > s->window)
		s->window = whole_blocks(image / 2);
	if (!reserve)
		return 0;
	if (s->data + 4 * JOURNAL_SLOT > DROP_RESERVE)
		return fault_set(f, FAULT_TEMP, "the disk is full, and %zu "
		    "parts are too many for the room kept back", w->nkept);
	half = (DROP_RESERVE - s->data) / 2 / JOURNAL_SLOT * JOURNAL_SLOT;
	s->window = (half - MARKS_ROOM(half)) / JOURNAL_SLOT * JOURNAL_SLOT;
	return 0;
}

static int
write_plan(struct journal *j, struct journal_state *s,
    const struct journal_wish *w, struct fault *f)
{
	struct filler	to = { .fd = j->fd, .off = JOURNAL_PLAN };
	uint8_t		b[RANGE_OCTETS];

	digest_init(&to.digest);
	for (size_t i = 0; i < w->nkept; i++) {
		put_u64(b, w->kept[i].off);
		put_u64(b + 8, w->kept[i].len);
		if (fill_text(&to, span_of(b, sizeof(b)), f) == -1)
			return -1;
		j->plan[i] = w->kept[i];
	}
	return fill_end(&to, s->plan_digest, f);
}

static int
write_image(struct journal *j, struct journal_state *s, struct spool *spool,
    const struct journal_wish *w, struct fault *f)
{
	struct filler to = { .fd = j->fd, .off = s->data };

	digest_init(&to.digest);
	for (size_t i = 0; i < w->nimage; i++) {
		const struct journal_piece *p = &w->image[i];
		int r = p->fd == -1 ?
		    fill_text(&to, span_of(p->text, (size_t)p->len), f) :
		    fill_from(&to, p->fd, p->off, p->len, spool, f);

		if (r == -1)
			return -1;
	}
	s->len = fill_place(&to) - s->data;
	ASSERT(w->nimage == 0 || s->len == w->size - w->from);
	return fill_marks(&to, s, spool->fd, f) == -1 ? -1 :
	    fill_end(&to, s->data_digest, f);
}

/*
 * Room first, then data, made durable, then the slot: a slot that can be read
 * speaks of data that can be read.
 */
static int
write_all(struct journal *j, struct spool *spool, bool reserve,
    struct journal_state *s, const struct journal_wish *w, struct fault *f)
{
	uint64_t image = w->nimage > 0 ? w->size - w->from : 0;
	uint64_t marked = image + MARKS_ROOM(image);
	uint64_t windows = 2 * journal_half(s);
	uint64_t room = marked > windows ? marked : windows;
	static const uint8_t nothing[JOURNAL_PLAN];

	if (!reserve && (file_truncate(j->fd, 0, f) == -1 ||
	    file_reserve(j->fd, 0, s->data + room, f) == -1))
		return -1;
	if (file_pwrite(j->fd, nothing, sizeof(nothing), 0, f) == -1 ||
	    write_plan(j, s, w, f) == -1 ||
	    write_image(j, s, spool, w, f) == -1 ||
	    file_reserve(spool->fd, w->from, image, f) == -1 ||
	    file_sync(j->fd, f) == -1)
		return -1;
	return 0;
}

static void
give_room_back(int fd)
{
	/* Best effort: without a slot it is no journal. */
	int ignored = file_truncate(fd, 0, NULL);

	(void)ignored;
}

/* Never over the only copy of what a spool still needs. */
static int
check_unused(int fd, struct fault *f)
{
	struct journal	old;
	int		r = journal_load(&old, fd, f);

	journal_fini(&old);
	return r == 1 ? fault_set(f, FAULT_TEMP, "an update is open already") :
	    r;
}

int
journal_begin(struct journal *j, int fd, struct spool *spool, bool reserve,
    const struct journal_wish *w, struct fault *f)
{
	struct fault		cleared;
	struct journal_state	s = {
		.step		= w->size > spool->facts.size ? STEP_GROW :
				  STEP_MOVE,
		.dev		= spool->facts.dev,
		.ino		= spool->facts.ino,
		.old_size	= spool->facts.size,
		.new_size	= w->size,
		.to		= w->from,
		.legacy_ino	= w->legacy_ino,
		.legacy_size	= w->legacy_size,
		.note_n		= w->note.n,
	};

	ASSERT(w->note.n <= DROP_NOTE_MAX);
	ASSERT(w->nkept == 0 || (w->nimage == 0 && s.step == STEP_MOVE));
	*j = (struct journal){ .fd = fd };
	j->plan = xalloc(w->nkept, sizeof(*j->plan));
	if (w->note.n > 0)
		memcpy(s.note, w->note.p, w->note.n);
	if (check_unused(fd, f) == -1)
		return fault_prefix(f, "journal: ");
	if (lay_out(&s, w, reserve, f) == -1 ||
	    take_samples(&s, spool->fd, w, f) == -1 ||
	    write_all(j, spool, reserve, &s, w, f) == -1 ||
	    spool_hold(spool, f) == -1) {
		give_room_back(fd);
		return fault_prefix(f, "journal: ");
	}
	s.lock_ino = spool_own_lock(spool);
	/* A slot that failed may be on the disk: take it back, or it counts. */
	j->open = true;
	if (journal_put(j, &s, f) == 0)
		return 0;
	if (journal_clear(j, &cleared) == -1)
		return fault_prefix(f, "recovery will look into it: ");
	return -1;
}

int
journal_clear(struct journal *j, struct fault *f)
{
	/* Should it come back with a power cut, it finds nothing to do. */
	bool idle = (j->now.step == STEP_CUT || j->now.step == STEP_DONE) &&
	    j->now.note_n == 0 && j->now.legacy_size == 0;

	if (file_truncate(j->fd, 0, f) == -1 ||
	    (!idle && file_sync(j->fd, f) == -1))
		return fault_prefix(f, "clear the journal: ");
	j->open = false;
	return 0;
}

int
journal_forget(struct journal *j, struct fault *f)
{
	struct file_facts facts;

	if (file_facts(j->fd, &facts, f) == -1)
		return -1;
	return facts.size == 0 ? 0 : journal_clear(j, f);
}

/* Are these the old or the new octets of a block? */
static bool
block_known(const uint8_t *now, const uint8_t *new, size_t n, bool marked,
    const uint8_t *mark)
{
	static const uint8_t zeros[JOURNAL_BLOCK];

	return memcmp(now, new, n) == 0 || (marked ?
	    digest_mark(span_of(now, n)) == get_u64(mark) :
	    memcmp(now, zeros, n) == 0);
}

/*
 * Block by block: the marked part, then what the spool was or will be extended
 * by, which is nothing, zeros, or new.
 */
static int
check_window(const struct journal *j, struct spool *s, bool *same_r,
    struct fault *f)
{
	const struct journal_state	*w = &j->now;
	uint64_t			 marks = w->data + w->len;
	uint64_t			 end = w->to + w->len;
	size_t				 n;

	for (uint64_t off = w->to; off < end && *same_r; off += n) {
		uint8_t	now[JOURNAL_BLOCK];
		uint8_t	new[JOURNAL_BLOCK];
		uint8_t	mark[MARK_OCTETS] = { 0 };
		bool	marked = off < marked_end(w);
		ssize_t	got;

		n = block_left(off, marked ? marked_end(w) : end);
		got = file_pread(s->fd, now, n, off, f);
		if (got == -1 || file_pread(j->fd, new, n,
		    w->data + off - w->to, f) == -1 || (marked &&
		    file_pread(j->fd, mark, sizeof(mark), marks, f) == -1))
			return -1;
		marks += sizeof(mark);
		if ((size_t)got < n) {
			*same_r = !marked && w->step == STEP_GROW && got == 0;
			break;
		}
		*same_r = block_known(now, new, n, marked, mark);
	}
	return 0;
}

int
journal_match(const struct journal *j, struct spool *s, bool *same_r,
    struct fault *f)
{
	const struct journal_state *n = &j->now;
	/* A device may have another number after the host was started anew. */
	bool known = n->dev == s->facts.dev ||
	    n->before.len + n->behind.len > 0;

	*same_r = n->ino == s->facts.ino && known;
	/* All is in place: others may have changed it since. */
	if (n->step == STEP_CUT || n->step == STEP_DONE)
		return 0;
	if (*same_r && n->before.len > 0 && check_file(s->fd, n->before.off,
	    n->before.len, n->before.digest, same_r, f) == -1)
		return -1;
	if (*same_r && n->behind.len > 0 && check_file(s->fd, n->behind.off,
	    n->behind.len, n->behind.digest, same_r, f) == -1)
		return -1;
	return *same_r ? check_window(j, s, same_r, f) : 0;
}

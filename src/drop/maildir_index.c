/* SPDX-License-Identifier: ISC */
/*
 * Runs as: the user.  Reads from: the index, which the user may have written.
 */
#include "drop/maildir_index.h"

#include "base/alloc.h"
#include "drop/digest.h"
#include "drop/maildir_name.h"
#include "proto/recode.h"
#include "sys/sock.h"

#include <assert.h>
#include <stdlib.h>

#define SIZE_MAX_HERE	((uint64_t)1 << 40)	/* of a message: 1 TiB */
#define TIME_MAX	((uint64_t)1 << 40)
/* Times of folders tell nothing below that, on some file systems. */
#define SETTLED_MS	1020
#define ROOM		(MAILDIR_INDEX_BLOCK - sizeof(struct maildir_index_block))

static_assert(sizeof(struct maildir_row) == 72, "no holes");
static_assert(sizeof(struct maildir_index_block) == 40, "no holes");
static_assert(sizeof(struct maildir_index_head) == 216, "no holes");
static_assert(sizeof(struct maildir_index_head) <= MAILDIR_INDEX_PLACE,
    "room for the head");
static_assert(ROOM > sizeof(struct maildir_row) + MAILDIR_NAME_MAX + 1,
    "each block has a row");

void
maildir_index_init(struct maildir_index *x, int fd)
{
	*x = (struct maildir_index){ .fd = fd };
}

void
maildir_index_fini(struct maildir_index *x)
{
	fd_close(&x->fd);
	free(x->block);
	maildir_index_init(x, -1);
}

/* ------------------------------------------------------------------ head */

static uint64_t
head_mark(const struct maildir_index_head *h)
{
	return digest_mark(span_of(h, offsetof(struct maildir_index_head,
	    digest)));
}

static bool
head_is_good(const struct maildir_index_head *h)
{
	return memcmp(h->magic, MAILDIR_INDEX_MAGIC, sizeof(h->magic)) == 0 &&
	    h->mark == MAILDIR_INDEX_MARK && h->digest == head_mark(h) &&
	    h->n > 0 && h->n <= MAILDIR_ROWS_MAX &&
	    h->blocks > 0 && h->blocks <= h->n &&
	    h->octets / (2 * SIZE_MAX_HERE + 2) <= h->n &&
	    h->last_seen <= h->n && h->eight_bit <= h->n &&
	    (h->octets + (uint64_t)h->surrogates) / RECODE_MOST <= h->octets &&
	    h->oldest < TIME_MAX && h->alike < h->n && h->first_new <= h->n &&
	    h->in_new.settled <= 1 && h->in_cur.settled <= 1;
}

bool
maildir_index_read(struct maildir_index *x)
{
	x->good = x->fd != -1 && file_pread(x->fd, &x->head, sizeof(x->head), 0,
	    NULL) == sizeof(x->head) && head_is_good(&x->head);
	return x->good;
}

static struct maildir_index_folder
folder_of(const struct file_facts *f, bool settled)
{
	return (struct maildir_index_folder){
		.dev = f->dev,
		.ino = f->ino,
		.mtime_s = f->mtime.tv_sec,
		.mtime_ns = f->mtime.tv_nsec,
		.ctime_s = f->ctime.tv_sec,
		.ctime_ns = f->ctime.tv_nsec,
		.settled = settled,
	};
}

bool
maildir_index_same(const struct maildir_index_folder *then,
    const struct file_facts *facts)
{
	struct maildir_index_folder now = folder_of(facts, true);

	return memcmp(then, &now, sizeof(now)) == 0;
}

bool
maildir_index_holds(const struct maildir_index *x,
    const struct file_facts *in_new, const struct file_facts *in_cur)
{
	return x->good && maildir_index_same(&x->head.in_new, in_new) &&
	    maildir_index_same(&x->head.in_cur, in_cur);
}

/* ---------------------------------------------------------------- blocks */

static uint64_t
place_of(uint64_t block)
{
	return MAILDIR_INDEX_PLACE + block * MAILDIR_INDEX_BLOCK;
}

static const struct maildir_row *
rows_of(const struct maildir_index_block *b)
{
	return (const void *)(b + 1);
}

static const char *
names_of(const struct maildir_index_block *b)
{
	return (const char *)(rows_of(b) + b->rows);
}

static size_t
octets_of(const struct maildir_index_block *b)
{
	return sizeof(*b) + b->rows * sizeof(struct maildir_row) + b->names_n;
}

/* Behind the mark itself, which comes first. */
static uint64_t
block_mark(const struct maildir_index_block *b)
{
	return digest_mark(span_of((const uint8_t *)b + sizeof(b->digest),
	    octets_of(b) - sizeof(b->digest)));
}

static bool
block_head_is_good(const struct maildir_index *x,
    const struct maildir_index_block *b, uint64_t k)
{
	return b->generation == x->head.generation && b->number == k &&
	    b->rows > 0 && b->rows <= ROOM / sizeof(struct maildir_row) &&
	    b->names_n <= ROOM - b->rows * sizeof(struct maildir_row) &&
	    b->first < x->head.n;
}

static bool
read_block(struct maildir_index *x, uint64_t k)
{
	ssize_t n;

	if (x->block == NULL)
		x->block = xalloc(1, MAILDIR_INDEX_BLOCK);
	n = file_pread(x->fd, x->block, MAILDIR_INDEX_BLOCK, place_of(k), NULL);
	x->read = n >= (ssize_t)sizeof(*x->block) &&
	    block_head_is_good(x, x->block, k) &&
	    octets_of(x->block) <= (size_t)n &&
	    x->block->digest == block_mark(x->block);
	return x->read;
}

/* The last block that does not begin behind message i.  O(log n). */
static uint64_t
search_block(const struct maildir_index *x, size_t i)
{
	struct maildir_index_block	b;
	uint64_t			low = 0, high = x->head.blocks;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (file_pread(x->fd, &b, sizeof(b), place_of(middle), NULL) !=
		    sizeof(b) || b.first > i)
			high = middle;
		else
			low = middle;
	}
	return low;
}

static bool
has_row(const struct maildir_index *x, size_t i)
{
	return x->read && i >= x->block->first &&
	    i - x->block->first < x->block->rows;
}

/* Names are one within their folder, and hide nothing. */
static bool
name_is_good(const struct maildir_row *r, const char *name)
{
	return r->name_n <= MAILDIR_NAME_MAX && name[r->name_n] == '\0' &&
	    memchr(name, '\0', r->name_n) == NULL &&
	    memchr(name, '/', r->name_n) == NULL && name[0] != '.' &&
	    r->name_n > 0 && r->base_n <= r->name_n &&
	    (r->base_n > 0 || (r->flags & MAILDIR_ROW_TWIN)) &&
	    (name[r->base_n] == '\0' || name[r->base_n] == ':') &&
	    memchr(name, ':', r->base_n) == NULL;
}

/* No octet of a header becomes more than 20 (proto/recode.h). */
static bool
surrogate_is_good(const struct maildir_row *r)
{
	if (r->flags & MAILDIR_ROW_RECODED)
		return (r->flags & MAILDIR_ROW_8BIT) == 0 &&
		    r->surrogate / RECODE_MOST <= r->wire;
	return r->surrogate == 0;
}

static bool
row_is_good(const struct maildir_index *x, const struct maildir_row *r)
{
	return r->size <= SIZE_MAX_HERE && r->wire >= r->size &&
	    r->wire / 2 <= r->size + 1 && surrogate_is_good(r) && r->delivered < TIME_MAX &&
	    r->nth <= x->head.n && r->name < x->block->names_n &&
	    r->name_n < x->block->names_n - r->name &&
	    name_is_good(r, names_of(x->block) + r->name);
}

bool
maildir_index_row(struct maildir_index *x, size_t i, struct maildir_mail *out)
{
	const struct maildir_row *r;

	if (!x->good || i >= x->head.n)
		return false;
	if (!has_row(x, i)) {
		uint64_t k = x->read && i == x->block->first + x->block->rows ?
		    x->block->number + 1 : search_block(x, i);

		if (!read_block(x, k) || !has_row(x, i))
			return false;
	}
	r = rows_of(x->block) + (i - x->block->first);
	*out = (struct maildir_mail){ r, names_of(x->block) + r->name };
	return row_is_good(x, r);
}

bool
maildir_index_rows(struct maildir_index *x, size_t first,
    struct maildir_rows *out)
{
	struct maildir_mail mail;

	for (size_t i = first; i < x->head.n; i++) {
		if (!maildir_index_row(x, i, &mail))
			return false;
		maildir_rows_add(out, mail.row, mail.name);
	}
	return true;
}

/* --------------------------------------------------------------- writing */

static bool
is_settled(int fd, const struct file_facts *f, uint64_t now)
{
	return now > (uint64_t)f->ctime.tv_sec * 1000 + 1000 + SETTLED_MS &&
	    file_times_tell(fd);
}

/* How many rows from `at` on fit into a block. */
static uint32_t
count_rows(const struct maildir_rows *rows, size_t at)
{
	size_t	 used = 0;
	uint32_t n = 0;

	while (at + n < rows->n) {
		used += sizeof(struct maildir_row) +
		    rows->list[at + n].name_n + 1;
		if (used > ROOM)
			break;
		n++;
	}
	return n;
}

static void
fill_block(const struct maildir_rows *rows, size_t at,
    struct maildir_index_block *b)
{
	struct maildir_row	*to = (void *)(b + 1);
	char			*names = (char *)(to + b->rows);

	b->names_n = 0;
	for (uint32_t k = 0; k < b->rows; k++) {
		struct maildir_mail m = maildir_rows_at(rows, at + k);

		to[k] = *m.row;
		to[k].name = b->names_n;
		memcpy(names + b->names_n, m.name, m.row->name_n + 1);
		b->names_n += m.row->name_n + 1;
	}
	b->digest = block_mark(b);
}

static int
write_blocks(struct maildir_index *x, const struct maildir_index_news *news)
{
	struct maildir_index_block *b = xalloc(1, MAILDIR_INDEX_BLOCK);
	int r = 0;

	b->generation = x->head.generation;
	b->number = news->keep;
	for (size_t at = 0; r == 0 && at < news->rows->n; at += b->rows) {
		b->first = news->first + at;
		b->rows = count_rows(news->rows, at);
		fill_block(news->rows, at, b);
		r = file_pwrite(x->fd, b, octets_of(b), place_of(b->number),
		    NULL);
		b->number++;
	}
	x->head.blocks = b->number;
	free(b);
	return r;
}

static int
write_head(struct maildir_index *x)
{
	x->head.digest = head_mark(&x->head);
	return file_pwrite(x->fd, &x->head, sizeof(x->head), 0, NULL);
}

static uint64_t
find_first_new(const struct maildir_index *x, const struct maildir_index_news *news)
{
	size_t i = 0;

	if (news->keep > 0 && x->head.first_new < news->first)
		return x->head.first_new;
	while (i < news->rows->n &&
	    (news->rows->list[i].flags & MAILDIR_ROW_NEW) == 0)
		i++;
	return news->first + i;
}

static void
make_head(struct maildir_index *x, const struct maildir_index_news *news)
{
	uint64_t generation = x->head.generation;

	if (news->keep == 0)
		random_bytes(&generation, sizeof(generation));
	x->head = (struct maildir_index_head){
		.magic = MAILDIR_INDEX_MAGIC, .mark = MAILDIR_INDEX_MARK,
		.generation = generation,
		.n = news->first + news->rows->n,
		.octets = news->totals->octets,
		.last_seen = news->totals->last_seen,
		.eight_bit = news->totals->eight_bit,
		.surrogates = news->totals->surrogates,
		.oldest = news->totals->oldest,
		.alike = news->alike,
		.first_new = find_first_new(x, news),
		.in_new = folder_of(news->in_new, is_settled(news->new_fd,
		    news->in_new, news->now)),
		.in_cur = folder_of(news->in_cur, is_settled(news->cur_fd,
		    news->in_cur, news->now)),
	};
}

bool
maildir_index_write(struct maildir_index *x,
    const struct maildir_index_news *news)
{
	x->good = x->read = false;
	if (x->fd == -1 ||
	    (news->keep == 0 && file_truncate(x->fd, 0, NULL) == -1) ||
	    news->rows->n == 0)
		return false;
	make_head(x, news);
	x->good = write_blocks(x, news) == 0 && write_head(x) == 0;
	/* Without room there is none: what is half there is not to grow old. */
	if (!x->good && news->keep == 0)
		(void)!file_truncate(x->fd, 0, NULL);
	return x->good;
}

void
maildir_index_drop(struct maildir_index *x)
{
	static const uint8_t none[sizeof(x->head.magic)];

	if (x->good)
		(void)!file_pwrite(x->fd, none, sizeof(none), 0, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: the user.  Reads from: the index, which the user may have written.
 */
#include "drop/maildir_index.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>

#define NAMES_MAX	((uint64_t)MAILDIR_ROWS_MAX * (MAILDIR_NAME_MAX + 1))
#define SIZE_MAX_HERE	((uint64_t)1 << 40)	/* of a message: 1 TiB */
/* Times of folders tell nothing below that, on some file systems. */
#define SETTLED_MS	1020

static_assert(sizeof(struct maildir_index_row) == 64, "no holes");
static_assert(sizeof(struct maildir_index_head) == 136, "no holes");

/* -------------------------------------------------------------- checking */

static bool
name_is_good(const struct maildir_index *x, const struct maildir_index_row *r)
{
	const char	*name = x->names + r->name;
	const char	*end;

	if (r->name >= x->head.names_n ||
	    (r->name > 0 && x->names[r->name - 1] != '\0'))
		return false;
	end = memchr(name, '\0', (size_t)x->head.names_n - r->name);
	return end != NULL && end - name <= MAILDIR_NAME_MAX &&
	    r->base_n > 0 && r->base_n <= (size_t)(end - name) &&
	    (name[r->base_n] == '\0' || name[r->base_n] == ':') &&
	    name[0] != '.' && memchr(name, ':', r->base_n) == NULL;
}

static bool
row_is_good(const struct maildir_index *x, const struct maildir_index_row *r)
{
	return r->size <= SIZE_MAX_HERE && r->wire >= r->size &&
	    r->wire / 2 <= r->size + 1 && r->order < x->head.n &&
	    r->delivered < (uint64_t)1 << 40 && name_is_good(x, r);
}

static struct span
base_of(const struct maildir_index *x, size_t i)
{
	return span_of(x->names + x->rows[i].name, x->rows[i].base_n);
}

static bool
rows_are_good(const struct maildir_index *x)
{
	uint8_t	*taken = xalloc(x->head.n, 1);
	bool	 good = true;

	for (size_t i = 0; i < x->head.n && good; i++) {
		const struct maildir_index_row *r = &x->rows[i];

		good = row_is_good(x, r) && !taken[r->order] && (i == 0 ||
		    maildir_compare_bases(base_of(x, i - 1), base_of(x, i)) <= 0);
		if (good)
			taken[r->order] = 1;
	}
	free(taken);
	return good;
}

/* Each name is one within its folder. */
static bool
names_are_good(const struct maildir_index *x)
{
	return x->names[x->head.names_n - 1] == '\0' &&
	    memchr(x->names, '/', (size_t)x->head.names_n) == NULL;
}

/* --------------------------------------------------------------- reading */

static uint64_t
octets_of(const struct maildir_index_head *h)
{
	return sizeof(*h) + h->n * sizeof(struct maildir_index_row) + h->names_n;
}

static bool
read_head(int fd, struct maildir_index_head *h)
{
	return file_pread(fd, h, sizeof(*h), 0, NULL) == sizeof(*h) &&
	    memcmp(h->magic, MAILDIR_INDEX_MAGIC, sizeof(h->magic)) == 0 &&
	    h->mark == MAILDIR_INDEX_MARK &&
	    h->n > 0 && h->n <= MAILDIR_ROWS_MAX &&
	    h->names_n > 0 && h->names_n <= NAMES_MAX && h->settled <= 1;
}

static bool
read_rest(int fd, struct maildir_index *x)
{
	uint64_t	n = octets_of(&x->head);
	uint8_t		digest[DIGEST_SIZE];

	x->text = xalloc((size_t)n + DIGEST_SIZE, 1);
	if (file_pread(fd, x->text, (size_t)n + DIGEST_SIZE, 0, NULL) !=
	    (ssize_t)(n + DIGEST_SIZE))
		return false;
	digest_span(span_of(x->text, (size_t)n), digest);
	/* Once more: it may have been written to meanwhile. */
	if (memcmp(digest, x->text + n, DIGEST_SIZE) != 0 ||
	    memcmp(x->text, &x->head, sizeof(x->head)) != 0)
		return false;
	x->rows = (const void *)(x->text + sizeof(x->head));
	x->names = (const char *)(x->rows + x->head.n);
	return names_are_good(x) && rows_are_good(x);
}

bool
maildir_index_read(int fd, struct maildir_index *out)
{
	struct file_facts facts;

	*out = (struct maildir_index){ .text = NULL };
	if (read_head(fd, &out->head) && file_facts(fd, &facts, NULL) == 0 &&
	    facts.size == octets_of(&out->head) + DIGEST_SIZE &&
	    read_rest(fd, out))
		return true;
	maildir_index_fini(out);
	return false;
}

void
maildir_index_fini(struct maildir_index *x)
{
	free(x->text);
	*x = (struct maildir_index){ .text = NULL };
}

/* --------------------------------------------------------------- folders */

static struct maildir_index_folder
folder_of(const struct file_facts *f)
{
	return (struct maildir_index_folder){
		.dev = f->dev,
		.ino = f->ino,
		.mtime_s = f->mtime.tv_sec,
		.mtime_ns = f->mtime.tv_nsec,
		.ctime_s = f->ctime.tv_sec,
		.ctime_ns = f->ctime.tv_nsec,
	};
}

bool
maildir_index_holds(const struct maildir_index *x,
    const struct maildir_list *now)
{
	struct maildir_index_folder in_new = folder_of(&now->new_facts);
	struct maildir_index_folder in_cur = folder_of(&now->cur_facts);

	return x->text != NULL && x->head.settled == 1 &&
	    memcmp(&in_new, &x->head.in_new, sizeof(in_new)) == 0 &&
	    memcmp(&in_cur, &x->head.in_cur, sizeof(in_cur)) == 0;
}

static bool
is_settled(const struct maildir_list *l, uint64_t now)
{
	uint64_t a = (uint64_t)l->new_facts.ctime.tv_sec * 1000;
	uint64_t b = (uint64_t)l->cur_facts.ctime.tv_sec * 1000;

	return now > (a > b ? a : b) + 1000 + SETTLED_MS &&
	    file_times_tell(l->new_fd) && file_times_tell(l->cur_fd);
}

/* --------------------------------------------------------------- finding */

const struct maildir_index_row *
maildir_index_find(const struct maildir_index *x, struct span base)
{
	size_t low = 0, high = x->text == NULL ? 0 : x->head.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maildir_compare_bases(base_of(x, middle), base) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (x->text == NULL || low == x->head.n ||
	    (x->rows[low].flags & MAILDIR_INDEX_TWIN) != 0 ||
	    !span_eq(base_of(x, low), base))
		return NULL;
	return &x->rows[low];
}

/* --------------------------------------------------------------- writing */

static struct maildir_index_row
row_of(const struct maildir *m, size_t i, uint64_t name)
{
	const struct maildir_msg	*msg = &m->msgs[i];
	const struct maildir_row	*row = &m->first.rows[msg->row];
	const struct drop_entry		*e = &m->entries[i];

	return (struct maildir_index_row){
		.ino = msg->ino,
		.size = msg->size,
		.wire = e->size_wire,
		.mtime_s = msg->mtime.tv_sec,
		.mtime_ns = msg->mtime.tv_nsec,
		.delivered = e->delivered,
		.name = (uint32_t)name,
		.order = (uint32_t)i,
		.flags = (row->in_new ? MAILDIR_INDEX_NEW : 0u) |
		    (e->flags & DROP_SEEN ? MAILDIR_INDEX_SEEN : 0u) |
		    (e->flags & DROP_8BIT ? MAILDIR_INDEX_8BIT : 0u) |
		    (msg->twin ? MAILDIR_INDEX_TWIN : 0u) |
		    (e->flags & DROP_AS_SENT ? MAILDIR_INDEX_AS_SENT : 0u),
		.base_n = row->base_n,
	};
}

/* Names lie in the order of rows, whatever that of the folder was: who reads them in
 * that order finds each of them in the processor's cache. */
static void
put_names(const struct maildir *m, struct maildir_index_row *rows, char *names)
{
	uint32_t	*at = xalloc(m->first.n, sizeof(*at));
	size_t		 n = 0;
	uint64_t	 place = 0;

	for (size_t i = 0; i < m->n; i++)
		at[m->msgs[i].row] = (uint32_t)i + 1;
	for (size_t k = 0; k < m->first.n; k++) {
		const char	*name = maildir_row_name(&m->first,
				    &m->first.rows[k]);
		size_t		 len = strlen(name) + 1;

		if (at[k] == 0)
			continue;
		rows[n++] = row_of(m, at[k] - 1, place);
		memcpy(names + place, name, len);
		place += len;
	}
	free(at);
}

static uint64_t
names_of(const struct maildir *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += strlen(maildir_row_name(&m->first,
		    &m->first.rows[m->msgs[i].row])) + 1;
	return n;
}

/* The first octets come last: who has them has the rest, and without them it is
 * none. */
static int
write_text(int fd, const uint8_t *text, uint64_t n, struct fault *f)
{
	size_t head = sizeof(struct maildir_index_head);

	return file_truncate(fd, 0, f) == -1 ||
	    file_pwrite(fd, text + head, (size_t)n - head, head, f) == -1 ||
	    file_pwrite(fd, text, head, 0, f) == -1 ? -1 : 0;
}

int
maildir_index_write(const struct maildir *m, int fd, uint64_t now,
    struct fault *f)
{
	struct maildir_index_head h = {
		.magic = MAILDIR_INDEX_MAGIC, .mark = MAILDIR_INDEX_MARK,
		.n = m->n, .names_n = names_of(m),
		.settled = is_settled(&m->first, now),
		.in_new = folder_of(&m->first.new_facts),
		.in_cur = folder_of(&m->first.cur_facts),
	};
	uint64_t	 n = octets_of(&h);
	uint8_t		*text;
	int		 r;

	if (m->n == 0)
		return file_truncate(fd, 0, f);
	text = xalloc((size_t)n + DIGEST_SIZE, 1);
	memcpy(text, &h, sizeof(h));
	put_names(m, (void *)(text + sizeof(h)), (char *)text + n - h.names_n);
	digest_span(span_of(text, (size_t)n), text + n);
	r = write_text(fd, text, n + DIGEST_SIZE, f);
	free(text);
	return r;
}

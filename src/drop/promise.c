/* SPDX-License-Identifier: ISC */
#include "drop/promise.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <stdlib.h>

#define MAGIC		"popperu1"
#define MAGIC_N		8
#define HEAD_N		(MAGIC_N + 8)
#define BITS_MAX	20		/* of promises.bits */

bool
promise_legal(struct span uidl)
{
	for (size_t i = 0; i < uidl.n; i++)
		if (uidl.p[i] < 0x21 || uidl.p[i] > 0x7e)
			return false;
	return uidl.n >= 1 && uidl.n <= DROP_UIDL_MAX;
}

/* ----------------------------------------------------------------- rows */

static uint64_t
number_at(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n > 0)
		v = v << 8 | p[--n];
	return v;
}

static uint32_t
twin_of(const uint8_t *row)
{
	return (uint32_t)number_at(row + MBOX_DIGEST, 4);
}

static struct span
uidl_of(const uint8_t *row)
{
	return span_of(row + PROMISE_FIXED, row[PROMISE_FIXED - 1]);
}

/* Its order among others. */
static int
compare(const uint8_t *row, const uint8_t digest[MBOX_DIGEST], uint32_t twin)
{
	int		c = memcmp(row, digest, MBOX_DIGEST);
	uint32_t	its = twin_of(row);

	return c != 0 ? c : its < twin ? -1 : its > twin;
}

/* The row that rest begins with; false: there is none, or not whole. */
static bool
next_row(struct span *rest, const uint8_t **row_r)
{
	size_t n;

	if (rest->n < PROMISE_FIXED)
		return false;
	n = PROMISE_FIXED + rest->p[PROMISE_FIXED - 1];
	if (rest->n < n || !promise_legal(uidl_of(rest->p)) ||
	    twin_of(rest->p) == 0)
		return false;
	*row_r = rest->p;
	*rest = span_skip(*rest, n);
	return true;
}

/* ---------------------------------------------------------------- finding */

static size_t
bucket_of(const struct promises *p, const uint8_t digest[MBOX_DIGEST])
{
	uint32_t v = (uint32_t)digest[0] << 16 | (uint32_t)digest[1] << 8 |
		     digest[2];

	return v >> (24 - p->bits);
}

/* Digests are spread evenly: about one row is in each bucket. */
static void
make_buckets(struct promises *p)
{
	size_t i = 0;

	while (p->bits < BITS_MAX && (size_t)1 << p->bits < p->n)
		p->bits++;
	p->first = xalloc(((size_t)1 << p->bits) + 1, sizeof(*p->first));
	for (size_t b = 0; b < (size_t)1 << p->bits; b++) {
		p->first[b] = (uint32_t)i;
		while (i < p->n && bucket_of(p, p->rows[i]) == b)
			i++;
	}
	p->first[(size_t)1 << p->bits] = (uint32_t)p->n;
}

static int	find_rows(struct promises *p, struct fault *f);

/* Its digest was right, so whoever wrote it wrote these. */
static void
need_rows(struct promises *p)
{
	struct fault f;

	if (p->pending)
		ASSERT(find_rows(p, &f) == 0);
}

/* The first row that is not before that one; p->n: there is none. */
static size_t
place_of(const struct promises *p, const uint8_t digest[MBOX_DIGEST],
    uint32_t twin)
{
	size_t	b;
	size_t	from;
	size_t	end;

	if (p->n == 0)
		return 0;
	b = bucket_of(p, digest);
	from = p->first[b];
	end = p->first[b + 1];
	while (from < end) {
		size_t mid = from + (end - from) / 2;

		if (compare(p->rows[mid], digest, twin) < 0)
			from = mid + 1;
		else
			end = mid;
	}
	return from;
}

bool
promises_find(struct promises *p, const uint8_t digest[MBOX_DIGEST],
    uint32_t twin, char out[DROP_UIDL_MAX + 1])
{
	size_t i;

	if (p == NULL)
		return false;
	need_rows(p);
	i = place_of(p, digest, twin);
	return i < p->n && compare(p->rows[i], digest, twin) == 0 &&
	    span_cstr(uidl_of(p->rows[i]), out, DROP_UIDL_MAX + 1);
}

/* -------------------------------------------------------------- reading */

static int
damaged(struct fault *f, const char *why)
{
	return fault_set(f, FAULT_PERM, "the promised unique-ids are damaged: %s",
	    why);
}

static int
check_whole(const struct promises *p, struct fault *f)
{
	struct span	rest = span_of(p->text, p->size);
	uint8_t		digest[MBOX_DIGEST];

	if (rest.n < HEAD_N + MBOX_DIGEST || !span_starts(rest, SPAN(MAGIC)))
		return damaged(f, "not a file of them");
	rest = span_first(rest, rest.n - MBOX_DIGEST);
	digest_span(rest, digest);
	return memcmp(rest.p + rest.n, digest, MBOX_DIGEST) == 0 ? 0 :
	    damaged(f, "its digest is another");
}

static int
find_rows(struct promises *p, struct fault *f)
{
	struct span	rest = span_of(p->text, p->size - MBOX_DIGEST);
	uint64_t	rows = number_at(rest.p + MAGIC_N, 8);

	p->pending = false;
	rest = span_skip(rest, HEAD_N);
	if (rows > rest.n / PROMISE_FIXED)
		return damaged(f, "there are fewer rows");
	p->rows = xalloc((size_t)rows, sizeof(*p->rows));
	for (; p->n < rows; p->n++) {
		if (!next_row(&rest, &p->rows[p->n]))
			return damaged(f, "a row");
		if (p->n > 0 && compare(p->rows[p->n - 1], p->rows[p->n],
		    twin_of(p->rows[p->n])) >= 0)
			return damaged(f, "the order of rows");
	}
	if (rest.n != 0)
		return damaged(f, "more than its rows");
	make_buckets(p);
	return 0;
}

int
promises_read(struct span text, struct promises *out, struct fault *f)
{
	*out = (struct promises){ 0 };
	if (text.n > PROMISE_TEXT_MAX)
		return damaged(f, "too long");
	out->text = xalloc(text.n + 1, 1);
	if (text.n > 0)
		memcpy(out->text, text.p, text.n);
	out->size = text.n;
	return check_whole(out, f) == -1 ? -1 : find_rows(out, f);
}

int
promises_open(int fd, struct promises *out, struct fault *f)
{
	struct file_facts	facts;
	ssize_t			n;

	*out = (struct promises){ 0 };
	if (file_facts(fd, &facts, f) == -1)
		return -1;
	if (facts.size > PROMISE_TEXT_MAX)
		return damaged(f, "too long");
	out->text = xalloc((size_t)facts.size + 1, 1);
	n = file_pread(fd, out->text, (size_t)facts.size, 0, f);
	if (n == -1)
		return fault_prefix(f, "promised unique-ids: ");
	out->size = (size_t)n;
	out->pending = true;
	return check_whole(out, f);
}

int
promises_load(int fd, struct promises *out, struct fault *f)
{
	return promises_open(fd, out, f) == -1 ? -1 : find_rows(out, f);
}

void
promises_fini(struct promises *p)
{
	free(p->text);
	free(p->rows);
	free(p->first);
	*p = (struct promises){ 0 };
}

/* --------------------------------------------------------------- sweeping */

bool
promise_use_begin(struct promise_use *u, const struct drop_conf *c)
{
	if (c->promises == NULL || c->host->forget == NULL)
		return false;
	need_rows(c->promises);
	if (c->promises->n == 0)
		return false;
	u->c = c;
	u->left = xalloc(c->promises->n, sizeof(*u->left));
	return true;
}

void
promise_use_message(struct promise_use *u, const uint8_t digest[MBOX_DIGEST])
{
	const struct promises	*p = u->c->promises;
	size_t			 i = place_of(p, digest, 0);

	if (i < p->n && memcmp(p->rows[i], digest, MBOX_DIGEST) == 0)
		u->left[i]++;
}

static struct span
digest_of(const struct promises *p)
{
	return span_of(p->text + p->size - MBOX_DIGEST, MBOX_DIGEST);
}

/* How many, and which. */
static size_t
find_dead(const struct promise_use *u, struct buf *out)
{
	const struct promises	*p = u->c->promises;
	size_t			 dead = 0;
	size_t			 first = 0;	/* row of the same digest */
	uint8_t			 bits = 0;

	ASSERT(buf_append(out, digest_of(p)) == 0);
	for (size_t i = 0; i < p->n; i++) {
		if (memcmp(p->rows[i], p->rows[first], MBOX_DIGEST) != 0)
			first = i;
		if (twin_of(p->rows[i]) > u->left[first]) {
			bits |= (uint8_t)(1u << i % 8);
			dead++;
		}
		if (i % 8 == 7 || i + 1 == p->n) {
			ASSERT(buf_append(out, span_of(&bits, 1)) == 0);
			bits = 0;
		}
	}
	return dead;
}

void
promise_use_end(struct promise_use *u)
{
	const struct drop_host	*h = u->c->host;
	struct buf		 dead;
	struct fault		 f;

	buf_init(&dead, PROMISE_DEAD_MAX);
	if (2 * find_dead(u, &dead) >= u->c->promises->n &&
	    h->forget(h->ctx, buf_span(&dead), &f) != 0)
		h->tell(h->ctx, "drop-forget", f.text);
	buf_fini(&dead);
	promise_use_drop(u);
}

void
promise_use_drop(struct promise_use *u)
{
	free(u->left);
	u->left = NULL;
}

/* -------------------------------------------------------------- writing */

static int
by_message(const void *a, const void *b)
{
	const struct promise *x = a;
	const struct promise *y = b;
	int c = memcmp(x->digest, y->digest, MBOX_DIGEST);

	return c != 0 ? c : x->twin < y->twin ? -1 : x->twin > y->twin;
}

static int
by_uidl(const void *a, const void *b)
{
	return strcmp(((const struct promise *)a)->uidl,
	    ((const struct promise *)b)->uidl);
}

static int
check(struct promise *rows, size_t n, struct fault *f)
{
	if (n > PROMISE_MAX)
		return fault_set(f, FAULT_LIMIT, "too many unique-ids");
	for (size_t i = 0; i < n; i++)
		if (rows[i].twin == 0 || !promise_legal(span_str(rows[i].uidl)))
			return fault_set(f, FAULT_PROTO, "a unique-id has 1 to "
			    "%d octets of printable ASCII without blanks",
			    DROP_UIDL_MAX);
	if (n == 0)
		return 0;		/* rows may be NULL: not for qsort */
	qsort(rows, n, sizeof(*rows), by_uidl);
	for (size_t i = 1; i < n; i++)
		if (by_uidl(&rows[i - 1], &rows[i]) == 0)
			return fault_set(f, FAULT_PROTO, "the unique-id %s is "
			    "that of two messages", rows[i].uidl);
	qsort(rows, n, sizeof(*rows), by_message);
	for (size_t i = 1; i < n; i++)
		if (by_message(&rows[i - 1], &rows[i]) == 0)
			return fault_set(f, FAULT_PROTO, "%s and %s are of one "
			    "message", rows[i - 1].uidl, rows[i].uidl);
	return 0;
}

static bool
put_number(struct buf *out, uint64_t v, size_t n)
{
	uint8_t b[8];

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> 8 * i);
	return buf_append(out, span_of(b, n)) == 0;
}

static bool
put_row(struct buf *out, const struct promise *r)
{
	struct span uidl = span_str(r->uidl);

	return buf_append(out, span_of(r->digest, MBOX_DIGEST)) == 0 &&
	    put_number(out, r->twin, 4) && put_number(out, uidl.n, 1) &&
	    buf_append(out, uidl) == 0;
}

static bool
put_head(struct buf *out, size_t rows)
{
	return buf_append(out, SPAN(MAGIC)) == 0 && put_number(out, rows, 8);
}

/* The digest of what is there; ok: all of it has found room. */
static int
put_end(struct buf *out, bool ok, struct fault *f)
{
	uint8_t digest[MBOX_DIGEST];

	if (ok) {
		digest_span(buf_span(out), digest);
		ok = buf_append(out, span_of(digest, MBOX_DIGEST)) == 0;
	}
	return ok ? 0 : fault_set(f, FAULT_LIMIT, "too many unique-ids");
}

int
promises_pack(struct promise *rows, size_t n, struct buf *out, struct fault *f)
{
	bool ok;

	if (check(rows, n, f) == -1)
		return -1;
	ok = put_head(out, n);
	for (size_t i = 0; ok && i < n; i++)
		ok = put_row(out, &rows[i]);
	return put_end(out, ok, f);
}

int
promises_forget(const struct promises *p, struct span dead, struct buf *out,
    size_t *left_r, struct fault *f)
{
	struct span	bits = span_skip(dead, MBOX_DIGEST);
	size_t		left = 0;
	bool		ok;

	if (!span_starts(dead, digest_of(p)) || bits.n != (p->n + 7) / 8)
		return fault_set(f, FAULT_PEER, "that is not about the promised "
		    "unique-ids that there are");
	for (size_t i = 0; i < p->n; i++)
		left += (bits.p[i / 8] >> i % 8 & 1) == 0;
	ok = put_head(out, left);
	for (size_t i = 0; ok && i < p->n; i++)
		if ((bits.p[i / 8] >> i % 8 & 1) == 0)
			ok = buf_append(out, span_of(p->rows[i],
			    PROMISE_FIXED + uidl_of(p->rows[i]).n)) == 0;
	*left_r = left;
	return put_end(out, ok, f);
}

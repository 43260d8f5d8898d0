/* SPDX-License-Identifier: ISC */
#include "drop/mbox_priv.h"

#define BLOCK	16384
/* Enough of a header line to know a mutable field by its name. */
#define LOOK	64

struct reader {
	int		fd;
	const struct mbox_msg *m;	/* borrows */
	uint64_t	off;		/* next octet to be read */
	uint64_t	end;
	size_t		at;		/* in block */
	size_t		n;
	bool		body;
	bool		skipping;	/* inside a mutable field */
	bool		ended;
	uint8_t		last;		/* octet read */
	uint8_t		block[BLOCK];
};

/* At least LOOK octets in the block, or all that are left. */
static int
refill(struct reader *r, struct fault *f)
{
	ssize_t	got;
	size_t	want;

	if (r->n - r->at >= LOOK || r->off == r->end)
		return 0;
	memmove(r->block, r->block + r->at, r->n - r->at);
	r->n -= r->at;
	r->at = 0;
	want = BLOCK - r->n;
	if (want > r->end - r->off)
		want = (size_t)(r->end - r->off);
	got = file_pread(r->fd, r->block + r->n, want, r->off, f);
	if (got == -1)
		return -1;
	if ((size_t)got < want)
		return fault_set(f, FAULT_TEMP,
		    "a file became shorter while it was read");
	r->n += want;
	r->off += want;
	return 0;
}

static void
begin_line(struct reader *r, struct span line)
{
	line = span_first(line, span_find(line, '\n') + 1);
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return;			/* it belongs to the field before */
	r->body = span_eq(line, SPAN("\n")) || span_eq(line, SPAN("\r\n"));
	r->skipping = mbox_field_mutable(mbox_field_name(line));
}

/* The next octets that count, up to the LF that a last line may lack; none at
 * the end. */
static int
next_kept(struct reader *r, struct span *out, struct fault *f)
{
	*out = (struct span){ 0 };
	if (r->ended)
		return 0;
	do {
		struct span rest;

		r->at += out->n;
		if (refill(r, f) == -1)
			return -1;
		rest = span_of(r->block + r->at, r->n - r->at);
		if (rest.n == 0) {
			r->ended = true;
			*out = r->skipping ? rest :
			    mbox_missing_end(r->m, r->last);
			return 0;
		}
		if (!r->body && r->last == '\n')
			begin_line(r, rest);
		*out = r->body ? rest :
		    span_first(rest, span_find(rest, '\n') + 1);
		r->last = out->p[out->n - 1];
	} while (r->skipping);
	return 0;
}

static void
reader_init(struct reader *r, int fd, const struct mbox_msg *m)
{
	/* But for the block: there are many messages. */
	r->fd = fd;
	r->m = m;
	r->off = m->from;
	r->end = m->end;
	r->at = 0;
	r->n = 0;
	r->body = false;
	r->skipping = false;
	r->ended = false;
	r->last = '\n';
}

int
mbox_same(int fd_a, const struct mbox_msg *a, int fd_b,
    const struct mbox_msg *b, bool *same_r, struct fault *f)
{
	static struct reader	ra;
	static struct reader	rb;
	struct span	x = { 0 };
	struct span	y = { 0 };

	reader_init(&ra, fd_a, a);
	reader_init(&rb, fd_b, b);
	*same_r = true;
	while (*same_r) {
		size_t n;

		if ((x.n == 0 && next_kept(&ra, &x, f) == -1) ||
		    (y.n == 0 && next_kept(&rb, &y, f) == -1))
			return -1;
		if (x.n == 0 || y.n == 0)
			break;
		n = x.n < y.n ? x.n : y.n;
		*same_r = span_eq(span_first(x, n), span_first(y, n));
		ra.at += n;
		rb.at += n;
		x = span_skip(x, n);
		y = span_skip(y, n);
	}
	*same_r = *same_r && x.n == y.n;
	return 0;
}

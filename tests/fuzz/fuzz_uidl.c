/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: unique-ids of other servers (src/drop/former.c, cyrus.c) and the file
 * of promised ones (src/drop/promise.c).  The first octet of the input chooses who reads
 * the rest.
 */
#include "drop/cyrus.h"
#include "drop/former.h"
#include "drop/promise.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_list(struct span rest)
{
	struct former_row	r;
	struct span		line;

	while (span_line(&rest, &line)) {
		if (former_list_line(line, &r) != FORMER_ROW)
			continue;
		ASSERT(promise_legal(r.uidl) && r.number > 0);
		ASSERT(r.uidl.p > line.p &&
		    r.uidl.p + r.uidl.n <= line.p + line.n);
	}
}

static void
check_head(struct span in)
{
	struct former_head	h;
	struct buf		b;
	uint8_t			digest[MBOX_DIGEST];

	ASSERT(former_head_digest(in, true, digest));
	former_head(in, &h);
	ASSERT(h.xuidl.n == 0 || promise_legal(h.xuidl));
	ASSERT(h.uid <= UINT32_MAX && h.validity <= UINT32_MAX);
	buf_init(&b, in.n);
	ASSERT(former_popa3d_text(in, &b) == 0);
	buf_clear(&b);
	ASSERT(former_dovecot_text(in, &b) == 0);
	buf_clear(&b);
	ASSERT(former_qpopper_text(SPAN(""), in, false, &b) == 0);
	buf_fini(&b);
	h.xuidl = former_qpopper_field(in);
	ASSERT(h.xuidl.n == 0 || promise_legal(h.xuidl));
}

/* A file that is the input, all rows of it. */
static void
check_cyrus(struct span in)
{
	struct cyrus_index	x;
	struct cyrus_row	row;
	struct fault		f;

	if (cyrus_header(span_first(in, CYRUS_HEADER_MAX), in.n, &x, &f) == -1)
		return;
	for (uint64_t i = 0; i < x.n; i++)
		cyrus_row(&x, span_first(span_skip(in, (size_t)x.rows_at +
		    (size_t)i * x.row_size), x.row_size), &row);
}

static void
check_format(struct span in)
{
	char		word[256];
	char		out[DROP_UIDL_MAX + 1];
	const char	*format;

	if (!span_cstr(in, word, sizeof(word)))
		return;
	format = former_format(word);
	if (format != NULL && former_make(format, UINT32_MAX, 1, out))
		ASSERT(promise_legal(span_str(out)));
}

/* Whoever can make the digest of a text can write all of it. */
static void
sign(struct span in, struct buf *out)
{
	uint8_t		sum[MBOX_DIGEST];
	struct digest	d;

	digest_init(&d);
	digest_add(&d, in);
	digest_take(&d, sum);
	ASSERT(buf_append(out, in) == 0);
	ASSERT(buf_append(out, span_of(sum, sizeof(sum))) == 0);
}

/* Whatever a session would have forgotten, what is left is such a file. */
static void
check_forget(const struct promises *p, struct span bits)
{
	struct promises	then;
	struct buf	dead;
	struct buf	left;
	size_t		rows;

	buf_init(&dead, MBOX_DIGEST + bits.n);
	buf_init(&left, PROMISE_TEXT_MAX);
	ASSERT(buf_append(&dead, span_of(p->text + p->size - MBOX_DIGEST,
	    MBOX_DIGEST)) == 0 && buf_append(&dead, bits) == 0);
	if (promises_forget(p, buf_span(&dead), &left, &rows, NULL) == 0) {
		ASSERT(promises_read(buf_span(&left), &then, NULL) == 0);
		ASSERT(then.n == rows && rows <= p->n);
		promises_fini(&then);
	}
	buf_fini(&dead);
	buf_fini(&left);
}

static void
check_promises(struct span in)
{
	struct promises	p;
	struct buf	b;
	char		uidl[DROP_UIDL_MAX + 1];

	buf_init(&b, in.n + MBOX_DIGEST);
	sign(in, &b);
	if (promises_read(buf_span(&b), &p, NULL) == 0) {
		check_forget(&p, span_first(in, (p.n + 7) / 8));
		for (size_t i = 0; i < p.n; i++)
			ASSERT(promises_find(&p, p.rows[i], (uint32_t)(
			    p.rows[i][MBOX_DIGEST] |
			    p.rows[i][MBOX_DIGEST + 1] << 8 |
			    p.rows[i][MBOX_DIGEST + 2] << 16 |
			    (uint32_t)p.rows[i][MBOX_DIGEST + 3] << 24), uidl));
	}
	promises_fini(&p);
	buf_fini(&b);
}

static void
check_files(struct span rest)
{
	struct former_file	file;
	struct span		line;
	uint64_t		validity;
	char			out[DROP_UIDL_MAX + 1];

	while (span_line(&rest, &line)) {
		if (former_dovecot_head(line, &validity))
			ASSERT(validity > 0 && !former_courier_head(line));
		if (former_dovecot_line(line, 1, &file))
			ASSERT(file.uid > 0 && file.base.n > 0 &&
			    (file.kept.n == 0 || promise_legal(file.kept)));
		if (former_courier_line(line, &file) &&
		    former_courier(&file, out))
			ASSERT(promise_legal(span_str(out)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = span_of(data, n);

	if (n == 0)
		return 0;
	in = span_skip(in, 1);
	switch (data[0] % 6) {
	case 0:
		check_list(in);
		break;
	case 1:
		check_head(in);
		break;
	case 2:
		check_format(in);
		break;
	case 3:
		check_files(in);
		break;
	case 5:
		check_cyrus(in);
		break;
	default:
		check_promises(in);
	}
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: a spool that anybody may have written, through the scanner.
 * The first octet of the input chooses how the rest is split.
 */
#include "drop/mbox_scan.h"

#include "base/attr.h"
#include "base/buf.h"
#include "proto/from_line.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int
scan(struct span in, uint8_t seed, bool split, struct mbox_table *t)
{
	struct mbox_scan	s;
	size_t			all = in.n;

	*t = (struct mbox_table){ 0 };
	mbox_scan_init(&s, t);
	while (in.n > 0) {
		size_t n = split ? 1u + seed % 97u : in.n;

		seed = (uint8_t)(seed * 5u + 3u);
		mbox_scan_feed(&s, span_first(in, n));
		in = span_skip(in, n);
	}
	ASSERT(s.pos == all);
	return mbox_scan_end(&s, NULL);
}

/* What the client will count: every line end is CRLF, the last is there. */
static uint64_t
wire(struct span text)
{
	uint64_t	octets = 0;
	struct span	line;
	bool		crlf;

	while (span_line(&text, &line)) {
		crlf = line.n > 0 && line.p[line.n - 1] == '\r' &&
		    line.p + line.n < text.p;
		octets += line.n + (crlf ? 1 : 2);
	}
	return octets;
}

static void
check_message(struct span mbox, const struct mbox_msg *m)
{
	struct span from = span_skip(span_first(mbox, m->text), m->from);
	struct span text = span_skip(span_first(mbox, m->end), m->text);

	ASSERT(m->from < m->text && m->text <= m->end && m->end <= m->next);
	ASSERT(m->next - m->end <= 2 && m->next <= mbox.n);
	ASSERT(m->head_end >= m->text && m->head_end <= m->end);
	ASSERT(m->status_len == 0 || (m->status >= m->text &&
	    m->status + m->status_len <= m->head_end));
	if (from.p[from.n - 1] == '\n')
		from.n--;
	ASSERT(from_line(from));
	/* A last line of a CR alone is counted with its CRLF. */
	ASSERT(m->size_wire == wire(text));
	ASSERT(((m->next - m->end) > 0) == ((m->flags & MBOX_SEPARATED) != 0));
}

/*
 * A bulletin behind it, as UPDATE adds one: who was there before stays who he
 * was, to the octet on the wire.
 */
static void
check_appended(struct span mbox, const struct mbox_table *t)
{
	const struct mbox_msg	*last = &t->m[t->n - 1];
	struct mbox_table	 more;
	struct buf		 b;
	struct span		 end = mbox_missing_end(last,
				    mbox.p[mbox.n - 1]);

	buf_init(&b, mbox.n + 100);
	ASSERT(buf_append(&b, mbox) == 0 && buf_append(&b, end) == 0);
	if ((last->flags & MBOX_SEPARATED) == 0)
		ASSERT(buf_append(&b, SPAN("\n")) == 0);
	ASSERT(buf_append(&b, SPAN("From a Mon Jan  1 10:00:00 2024\n")) == 0);
	ASSERT(scan(buf_span(&b), 7, true, &more) == 0);
	ASSERT(more.n == t->n + 1);
	for (size_t i = 0; i < t->n; i++)
		ASSERT(memcmp(more.m[i].digest, t->m[i].digest,
		    MBOX_DIGEST) == 0 && memcmp(more.m[i].changing,
		    t->m[i].changing, MBOX_DIGEST) == 0 &&
		    more.m[i].size_wire == t->m[i].size_wire);
	mbox_table_fini(&more);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mbox_table	whole;
	struct mbox_table	split;
	struct span		mbox = span_skip(span_of(data, n), 1);
	int			r;

	if (n == 0)
		return 0;
	r = scan(mbox, 0, false, &whole);
	ASSERT(scan(mbox, data[0], true, &split) == r);
	ASSERT(whole.n == split.n);
	for (size_t i = 0; r == 0 && i < whole.n; i++) {
		check_message(mbox, &whole.m[i]);
		ASSERT(whole.m[i].next == (i + 1 < whole.n ?
		    whole.m[i + 1].from : mbox.n));
		ASSERT(memcmp(&whole.m[i], &split.m[i],
		    sizeof(whole.m[i])) == 0);
	}
	if (r == 0 && whole.n > 0)
		check_appended(mbox, &whole);
	mbox_table_fini(&whole);
	mbox_table_fini(&split);
	return 0;
}

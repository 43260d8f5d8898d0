/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: what an operator puts into the folder of bulletins, what a user
 * hands to XTND XMIT, what stands in .popbull.  The first octet of the input
 * chooses how the rest is split.
 */
#include "bull/bull.h"
#include "bull/compose.h"
#include "bull/filter.h"
#include "bull/popbull.h"
#include "proto/from_line.h"
#include "proto/header.h"
#include "xtnd/address.h"

#include "base/attr.h"
#include "base/buf.h"

#define ROOM_MAX	(64u << 20)

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int
put(void *ctx, struct span s)
{
	return buf_append(ctx, s);
}

static enum bull_verdict
filter(struct span in, uint8_t seed, struct buf *out)
{
	struct bull_filter f;

	bull_filter_init(&f, "user@host", put, out);
	while (in.n > 0) {
		struct span piece = span_first(in, seed == 0 ? in.n :
		    1u + (seed = (uint8_t)(seed * 5u + 3u)) % 7u);

		in = span_skip(in, piece.n);
		ASSERT(bull_filter_feed(&f, piece) == 0);
	}
	ASSERT(bull_filter_end(&f) == 0);
	return f.verdict;
}

static struct span
without_cr(struct span line)
{
	return line.n > 0 && line.p[line.n - 1] == '\r' ?
	    span_first(line, line.n - 1) : line;
}

/* How many messages a reader of mailboxes finds, written another way. */
static size_t
count_messages(struct span text)
{
	struct span	line;
	bool		after_blank = true;
	size_t		n = 0;

	while (span_line(&text, &line)) {
		n += after_blank && from_line(line) ? 1 : 0;
		after_blank = without_cr(line).n == 0;
	}
	return n;
}

static bool
ends_with(struct span s, struct span end)
{
	return s.n >= end.n && span_eq(span_skip(s, s.n - end.n), end);
}

/*
 * A good result is one message, ends as it must, and passes unchanged again;
 * when it had no end of the header, the separator is taken for that.
 */
static void
check_result(struct span s)
{
	struct buf again;

	ASSERT(count_messages(s) == 1);
	ASSERT(ends_with(s, SPAN("\n\n")) || ends_with(s, SPAN("\n\r\n")));
	buf_init(&again, ROOM_MAX);
	ASSERT(filter(s, 0, &again) == BULL_GOOD);
	ASSERT(span_eq(span_first(buf_span(&again), s.n), s));
	ASSERT(buf_len(&again) <= s.n + 2);
	buf_fini(&again);
}

static void
check_filter(struct span in, uint8_t seed)
{
	struct buf		whole;
	struct buf		split;
	enum bull_verdict	v;

	buf_init(&whole, ROOM_MAX);
	buf_init(&split, ROOM_MAX);
	v = filter(in, 0, &whole);
	ASSERT(filter(in, (uint8_t)(seed | 1), &split) == v);
	if (v == BULL_GOOD) {
		ASSERT(span_eq(buf_span(&whole), buf_span(&split)));
		check_result(buf_span(&whole));
	} else {
		ASSERT(bull_verdict_text(v) != NULL);
	}
	buf_fini(&whole);
	buf_fini(&split);
}

/* What is published is a good bulletin, whatever the operator wrote. */
static void
check_compose(struct span in)
{
	struct fault	f;
	struct buf	out;
	struct buf	copy;
	char		name[BULL_NAME_MAX];

	buf_init(&out, ROOM_MAX);
	buf_init(&copy, ROOM_MAX);
	if (bull_compose(in, 0, &out, &f) == 0)
		ASSERT(filter(buf_span(&out), 0, &copy) == BULL_GOOD);
	bull_file_name(UINT64_MAX, bull_subject(in), name);
	ASSERT(span_find(span_str(name), '/') == strlen(name));
	buf_fini(&out);
	buf_fini(&copy);
}

/* No address that comes out begins as a program, file or option does. */
static void
check_addresses(struct span in)
{
	struct address_list	l = { .rest = in };
	struct address		a;

	while (address_next(&l, &a) == ADDRESS_ONE) {
		ASSERT(a.n > 0 && a.n <= ADDRESS_MAX);
		ASSERT(span_find(SPAN("|/-:@"), a.text[0]) == 5);
	}
}

static void
check_header(struct span in)
{
	struct header_field	field;
	struct span		rest = in;

	while (header_next(&rest, &field)) {
		ASSERT(field.value.p >= in.p);
		ASSERT(field.value.p + field.value.n <= rest.p);
		check_addresses(field.value);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span	in = span_of(data, n);
	uint64_t	number = 0;

	if (n == 0)
		return 0;
	in = span_skip(in, 1);
	check_filter(in, data[0]);
	check_compose(in);
	check_header(in);
	check_addresses(in);
	if (popbull_parse(in, &number) == POPBULL_NUMBER)
		ASSERT(number <= 999999999999999999);
	(void)bull_note_parse(in, &number);
	return 0;
}

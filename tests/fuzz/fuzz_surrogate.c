/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: a message that is rewritten for who is not in UTF-8 mode.  The first
 * octet of the input chooses the pieces in which it comes; the result must not depend
 * on them.
 */
#include "proto/recode.h"
#include "proto/surrogate.h"

#include "base/attr.h"
#include "base/buf.h"

#define ROOM_MAX	(256u << 20)

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool
rewrite(struct span text, uint8_t seed, struct buf *all)
{
	struct surrogate	s;
	struct span		in = { 0 };
	struct span		out;
	bool			changed;

	surrogate_init(&s);
	do {
		out = surrogate_next(&s, &in, text.n == 0);
		ASSERT(buf_append(all, out) == 0);
		if (out.n > 0)
			continue;
		ASSERT(in.n == 0);
		if (text.n == 0)
			break;
		in = span_first(text, seed == 0 ? text.n :
		    1u + (seed = (uint8_t)(seed * 5u + 3u)) % 7u);
		text = span_skip(text, in.n);
	} while (true);
	changed = s.changed;
	surrogate_fini(&s);
	return changed;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span	text = span_of(data, n);
	struct buf	whole;
	struct buf	pieces;
	bool		changed;

	if (n == 0)
		return 0;
	buf_init(&whole, ROOM_MAX);
	buf_init(&pieces, ROOM_MAX);
	text = span_skip(text, 1);
	changed = rewrite(text, 0, &whole);
	ASSERT(rewrite(text, data[0], &pieces) == changed);
	ASSERT(span_eq(buf_span(&whole), buf_span(&pieces)));
	ASSERT(changed || span_eq(buf_span(&whole), text));
	buf_fini(&pieces);
	buf_fini(&whole);
	return 0;
}

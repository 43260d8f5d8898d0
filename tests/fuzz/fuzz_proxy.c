/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: what a proxy says about its client (src/proto/proxy.c, xclient.c).
 * The first octet of the input chooses how a header is split.
 */
#include "proto/proxy.h"

#include "base/attr.h"

#include <stdlib.h>
#include <string.h>

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_client(const struct proxy_client *c)
{
	static const uint8_t zeros[16];

	ASSERT(c->family == 0 || c->family == 4 || c->family == 6);
	if (c->family == 4)
		ASSERT(memcmp(c->raw + 4, zeros, 12) == 0);
	if (c->family == 0)
		ASSERT(memcmp(c->raw, zeros, 16) == 0 && c->port == 0);
}

/* The same header, however it comes. */
static void
check_header(struct span in, uint8_t seed)
{
	struct proxy_reader	whole;
	struct proxy_reader	split;
	struct proxy_client	a;
	struct proxy_client	b = { 0 };
	struct span		rest = in;
	enum proxy_result	want;
	enum proxy_result	got = PROXY_MORE;
	size_t			taken = 0;

	proxy_init(&whole);
	proxy_init(&split);
	want = proxy_feed(&whole, &rest, &a);
	check_client(&a);
	ASSERT(in.n - rest.n <= LIMIT_PROXY_V2);
	ASSERT((whole.why != NULL) == (want == PROXY_BAD));
	while (got == PROXY_MORE && taken < in.n) {
		struct span piece;
		struct span left;

		seed = (uint8_t)(seed * 5u + 3u);
		piece = span_first(span_skip(in, taken), 1u + seed % 7u);
		left = piece;
		got = proxy_feed(&split, &left, &b);
		taken += piece.n - left.n;
	}
	ASSERT(got == want && taken == in.n - rest.n);
	ASSERT(whole.why == split.why);
	ASSERT(a.family == b.family && a.port == b.port &&
	    memcmp(a.raw, b.raw, sizeof(a.raw)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span		in = span_of(data, n);
	struct proxy_client	c;

	if (n == 0)
		return 0;
	check_header(span_skip(in, 1), data[0]);
	if (xclient_parse(span_skip(in, 1), &c) == NULL)
		check_client(&c);
	return 0;
}

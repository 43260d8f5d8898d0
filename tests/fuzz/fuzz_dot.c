/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: message text on its way to the client, in any pieces and through any
 * room, and what a client sends, likewise.  Each is held against the plain way, octet
 * by octet.  The first two octets of the input choose pieces and room.
 */
#include "proto/dot.h"

#include "base/attr.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Sizes of pieces: now and then one that is long enough for every loop. */
static size_t
next_size(uint32_t *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return 1 + (*seed >> 16) % (*seed >> 28 == 0 ? 600 : 20);
}

static void
append(struct buf *b, struct span s)
{
	ASSERT(buf_append(b, s) == 0);
}

/* Returns the octets without the doubled dots and the last line. */
static uint64_t
plain_encode(struct span text, struct buf *out)
{
	uint64_t	octets = 0;
	uint8_t		before = '\n';

	for (size_t i = 0; i < text.n; before = text.p[i++]) {
		if (text.p[i] == '.' && before == '\n')
			append(out, SPAN("."));
		if (text.p[i] == '\n' && before != '\r') {
			append(out, SPAN("\r"));
			octets++;
		}
		append(out, span_of(text.p + i, 1));
		octets++;
	}
	if (before != '\n')
		append(out, SPAN("\r\n"));
	append(out, SPAN(".\r\n"));
	return octets + (before != '\n' ? 2 : 0);
}

/* Through a buffer of `room`, which is emptied when nothing more fits. */
static void
encode(struct span text, uint32_t seed, size_t room, struct buf *wire)
{
	struct dot_encoder	e = { 0 };
	struct buf		out;

	buf_init(&out, room);
	while (text.n > 0) {
		struct span piece = span_first(text, next_size(&seed));

		text = span_skip(text, piece.n);
		while (piece.n > 0) {
			dot_encode(&e, &piece, &out);
			append(wire, buf_span(&out));
			buf_clear(&out);
		}
	}
	ASSERT(dot_encode_end(&e, &out) == 0);
	append(wire, buf_span(&out));
	buf_fini(&out);
}

static void
check_count(struct span text, uint32_t seed, uint64_t octets)
{
	struct dot_counter c = { 0 };

	while (text.n > 0) {
		struct span piece = span_first(text, next_size(&seed));

		dot_count(&c, piece);
		text = span_skip(text, piece.n);
	}
	ASSERT(dot_count_end(&c) == octets);
}

/* Returns how many octets of `in` were taken: all when there is no last line. */
static size_t
decode(struct span in, uint32_t seed, size_t room, struct buf *text)
{
	struct dot_decoder	d = { 0 };
	struct buf		out;
	size_t			taken = 0;

	buf_init(&out, room);
	while (taken < in.n && !d.done) {
		struct span	piece = span_first(span_skip(in, taken),
				    next_size(&seed));
		size_t		all = piece.n;

		while (piece.n > 0 && !d.done) {
			dot_decode(&d, &piece, &out);
			append(text, buf_span(&out));
			buf_clear(&out);
		}
		taken += all - piece.n;
	}
	buf_fini(&out);
	return taken;
}

/* The same, of whole lines; an unfinished line at the end is taken, and left out. */
static size_t
plain_decode(struct span in, struct buf *text)
{
	size_t at = 0;

	for (;;) {
		struct span	line = span_skip(in, at);
		size_t		lf = span_find(line, '\n');

		if (lf == line.n)
			return in.n;
		at += lf + 1;
		line = span_first(line, lf);
		line.n -= line.n > 0 && line.p[line.n - 1] == '\r';
		if (span_eq(line, SPAN(".")))
			return at;
		append(text, span_skip(line, line.n > 0 && line.p[0] == '.'));
		append(text, SPAN("\n"));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span	text = span_skip(span_of(data, n), 2);
	struct buf	b[4];
	size_t		room;
	size_t		taken;

	if (n < 2)
		return 0;
	room = 5 + data[0] % 200;
	for (size_t i = 0; i < 4; i++)
		buf_init(&b[i], 3 * n + 16);
	check_count(text, data[1], plain_encode(text, &b[0]));
	encode(text, data[1], room, &b[1]);
	ASSERT(span_eq(buf_span(&b[0]), buf_span(&b[1])));
	taken = plain_decode(text, &b[2]);
	ASSERT(decode(text, data[1], room, &b[3]) == taken);
	ASSERT(span_starts(buf_span(&b[3]), buf_span(&b[2])));
	for (size_t i = 0; i < 4; i++)
		buf_fini(&b[i]);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: what a stranger sends, on its way through src/proto/.
 * The first octet of the input chooses how the rest is split.
 */
#include "proto/command.h"
#include "proto/dot.h"
#include "proto/line.h"

#include "base/attr.h"

#include <stdlib.h>

#define ROOM_MAX	(64u << 20)

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
append(struct buf *b, struct span s)
{
	ASSERT(buf_append(b, s) == 0);
}

/* Pieces of changing, small sizes. */
static struct span
next_piece(struct span *rest, uint8_t *seed)
{
	struct span piece;

	*seed = (uint8_t)(*seed * 5u + 3u);
	piece = span_first(*rest, 1u + *seed % 7u);
	*rest = span_skip(*rest, piece.n);
	return piece;
}

static void
check_redaction(struct span line, const struct command *cmd)
{
	char	all[LIMIT_LINE + 64];
	char	cut[16];
	size_t	n = command_redact(line, all, sizeof(all));
	size_t	k = command_redact(line, cut, sizeof(cut));

	ASSERT(span_eq(span_of(cut, k),
	    span_first(span_of(all, n), sizeof(cut))));
	if (cmd->id == CMD_PASS)
		ASSERT(span_eq(span_of(all, n), SPAN("PASS ***")));
	if (cmd->id == CMD_COUNT)
		ASSERT(n == 0 || span_eq(span_of(all, n), SPAN("***")));
}

static void
check_command(struct span line, enum pop_state state)
{
	struct command			cmd;
	enum command_result		r = command_parse(line, state, &cmd);
	const struct command_row	*row;

	check_redaction(line, &cmd);
	ASSERT(command_error(r) != NULL);
	if (r != COMMAND_OK)
		return;
	row = command_row(cmd.id);
	ASSERT((row->states & (1u << state)) != 0);
	ASSERT(cmd.nargs >= row->args_min && cmd.nargs <= row->args_max);
	for (size_t i = 0; i < cmd.nargs; i++) {
		ASSERT(cmd.word[i].p >= line.p);
		ASSERT(cmd.word[i].p + cmd.word[i].n <= line.p + line.n);
		if (row->args[i] == ARG_MSGNO)
			ASSERT(cmd.number[i] >= 1 &&
			    cmd.number[i] <= INT32_MAX);
	}
}

static void
on_line(struct span line, struct buf *seen)
{
	ASSERT(line.n < LIMIT_LINE);
	append(seen, SPAN("["));
	append(seen, line);
	for (int st = POP_AUTHORIZATION; st <= POP_TRANSACTION; st++)
		check_command(line, (enum pop_state)st);
}

static void
feed(struct line_reader *r, struct span in, struct buf *seen)
{
	struct span		line;
	enum line_result	got;

	while ((got = line_feed(r, &in, &line)) != LINE_MORE) {
		if (got == LINE_READY)
			on_line(line, seen);
		else
			append(seen, SPAN("!"));
	}
	ASSERT(in.n == 0);
}

/* The same lines, however they come. */
static void
check_lines(struct span in, uint8_t seed)
{
	struct line_reader	r;
	struct buf		whole;
	struct buf		split;

	buf_init(&whole, ROOM_MAX);
	buf_init(&split, ROOM_MAX);
	line_init(&r);
	feed(&r, in, &whole);
	append(&whole, line_pending(&r));
	line_fini(&r);
	while (in.n > 0)
		feed(&r, next_piece(&in, &seed), &split);
	append(&split, line_pending(&r));
	line_fini(&r);
	ASSERT(span_eq(buf_span(&whole), buf_span(&split)));
	buf_fini(&whole);
	buf_fini(&split);
}

static void
encode(struct span text, uint8_t seed, struct buf *wire)
{
	struct dot_encoder	e = { 0 };
	struct buf		out;

	buf_init(&out, 5 + seed % 60u);
	while (text.n > 0) {
		struct span piece = next_piece(&text, &seed);

		while (piece.n > 0) {
			dot_encode(&e, &piece, &out);
			append(wire, buf_span(&out));
			buf_clear(&out);
		}
	}
	ASSERT(dot_encode_end(&e, wire) == 0);
	buf_fini(&out);
}

static bool
decode(struct span wire, uint8_t seed, struct buf *text)
{
	struct dot_decoder	d = { 0 };
	struct buf		out;

	buf_init(&out, 1 + seed % 60u);
	while (wire.n > 0 && !d.done) {
		struct span piece = next_piece(&wire, &seed);

		while (piece.n > 0 && !d.done) {
			dot_decode(&d, &piece, &out);
			append(text, buf_span(&out));
			buf_clear(&out);
		}
	}
	buf_fini(&out);
	return d.done;
}

/* CRLF to LF, and a last line end: what must come back. */
static void
canonical(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\r' || i + 1 == text.n ||
		    text.p[i + 1] != '\n')
			append(out, span_of(text.p + i, 1));
	if (text.n > 0 && text.p[text.n - 1] != '\n')
		append(out, SPAN("\n"));
}

/* Octets of what was sent that are not the text's. */
static size_t
overhead(struct span wire)
{
	size_t		dots = 0;
	struct span	line;

	while (span_line(&wire, &line))
		if (line.n > 0 && line.p[0] == '.')
			dots++;
	return dots + 2;		/* the final line is all overhead */
}

static void
check_dots(struct span text, uint8_t seed)
{
	struct dot_counter	c = { 0 };
	struct buf		wire;
	struct buf		back;
	struct buf		want;

	buf_init(&wire, ROOM_MAX);
	buf_init(&back, ROOM_MAX);
	buf_init(&want, ROOM_MAX);
	encode(text, seed, &wire);
	canonical(text, &want);
	dot_count(&c, text);
	ASSERT(dot_count_end(&c) + overhead(buf_span(&wire)) ==
	    buf_len(&wire));
	ASSERT(decode(buf_span(&wire), seed, &back));
	ASSERT(span_eq(buf_span(&back), buf_span(&want)));
	buf_clear(&back);
	(void)decode(text, seed, &back);	/* any input must do */
	buf_fini(&wire);
	buf_fini(&back);
	buf_fini(&want);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = span_of(data, n);

	if (n == 0)
		return 0;
	check_lines(span_skip(in, 1), data[0]);
	check_dots(span_skip(in, 1), data[0]);
	return 0;
}

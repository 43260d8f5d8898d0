/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: a stranger's lines before the login (src/pop/authorize.c), with the
 * exchanges of AUTH among them.  The first octet of the input chooses what is offered,
 * the second one how questions are answered; the rest is what the client says.
 */
#include "pop/authorize.h"

#include "base/attr.h"

#include <string.h>

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { TRIES = 3, BAD_MAX = 5, LINES_MAX = 50 };

static struct buf out;

/* Whole lines, of what may stand in a reply; a status line comes first. */
static void
check_out(bool status)
{
	struct span s = buf_span(&out);

	ASSERT(!status || span_starts(s, SPAN("+OK")) ||
	    span_starts(s, SPAN("-ERR ")) || span_starts(s, SPAN("+ ")));
	for (size_t i = 0; i < s.n; i++)
		ASSERT(s.p[i] >= ' ' || (s.p[i] == '\r' && i + 1 < s.n &&
		    s.p[i + 1] == '\n') || (s.p[i] == '\n' && i > 0 &&
		    s.p[i - 1] == '\r'));
	ASSERT(s.n == 0 || s.p[s.n - 1] == '\n');
}

static void
check_state(const struct authorize *a)
{
	ASSERT(a->name_n <= sizeof(a->name));
	ASSERT(a->failures <= TRIES && a->lines <= LINES_MAX + 1);
	if (a->exchange != EXCHANGE_NONE)
		ASSERT(authorize_is_secret(a));
}

/* The question is answered; never yes, or it would be over. */
static enum authorize_next
answer(struct authorize *a, uint8_t *seed)
{
	static const enum authorize_answer answers[] = {
		ANSWER_NO, ANSWER_ERROR, ANSWER_FULL, ANSWER_USER_FULL,
	};

	ASSERT(buf_len(&out) == 0);	/* the answer is the reply */
	ASSERT(a->exchange == EXCHANGE_NONE);
	ASSERT(a->ask.secret.n <= SECRET_MAX);
	authorize_asked(a);
	*seed = (uint8_t)(*seed * 5u + 3u);
	return authorize_answer(a, answers[*seed % ARRAY_LEN(answers)], &out);
}

static enum authorize_next
on_line(struct authorize *a, enum line_result r, struct span line,
    uint8_t *seed)
{
	enum authorize_next next;

	buf_clear(&out);
	next = r == LINE_READY ? authorize_line(a, line, &out) :
	    authorize_too_long(a, &out);
	if (next == AUTHORIZE_ASK)
		next = answer(a, seed);
	if (next == AUTHORIZE_CLIENT)
		authorize_moved(a, &out);
	check_out(true);
	if (next == AUTHORIZE_TLS) {
		ASSERT(a->stls && !a->secure);
		authorize_secured(a);
		ASSERT(!a->named && a->name_n == 0 &&
		    a->exchange == EXCHANGE_NONE);
	}
	check_state(a);
	return next;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct authorize	a;
	struct line_reader	lines;
	struct span		rest = span_skip(span_of(data, n), 2);
	struct span		line;
	enum line_result	r;
	enum authorize_next	next = AUTHORIZE_MORE;
	uint8_t			seed;

	if (n < 2)
		return 0;
	seed = data[1];
	authorize_init(&a, "pop.example.org", (data[0] & 1) != 0 ? "1" : NULL,
	    TRIES, BAD_MAX, LINES_MAX, (data[0] & 2) != 0);
	a.xclient = (data[0] & 4) != 0;
	a.stls = (data[0] & 8) != 0;
	a.needs_tls = (data[0] & 16) != 0;
	a.tokens = (data[0] & 32) != 0;
	buf_init(&out, LIMIT_OUTPUT);
	line_init(&lines);
	authorize_greet(&a, &out);
	check_out(true);
	while (next != AUTHORIZE_CLOSE) {
		lines.wide = authorize_width(&a);
		r = line_feed(&lines, &rest, &line);
		if (r == LINE_MORE)
			break;
		next = on_line(&a, r, line, &seed);
	}
	line_fini(&lines);
	authorize_fini(&a);
	buf_fini(&out);
	return 0;
}

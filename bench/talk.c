/* SPDX-License-Identifier: ISC */
#include "talk.h"

#include "base/num.h"

#include <assert.h>
#include <stdio.h>

#define SHOWN_MAX	80		/* octets of an answer in a complaint */

static const char *const names[] = {
	[WORD_GREETING]	= "greeting",
	[WORD_STLS]	= "stls",
	[WORD_SCRAM]	= "scram",
	[WORD_PROOF]	= "proof",
	[WORD_USER]	= "user",
	[WORD_PASS]	= "pass",
	[WORD_STAT]	= "stat",
	[WORD_RETR]	= "retr",
	[WORD_NOOP]	= "noop",
	[WORD_QUIT]	= "quit",
	[WORD_END]	= "end",
	[WORD_HOLD]	= "hold",
	[WORD_LEAVE]	= "leave",
};
static_assert(ARRAY_LEN(names) == WORD_COUNT, "a name for each word");

const char *
word_name(enum word w)
{
	return names[w];
}

bool
word_find(struct span name, enum word *out)
{
	for (unsigned w = WORD_GREETING; w < WORD_END; w++) {
		if (span_eq(name, span_str(names[w]))) {
			*out = (enum word)w;
			return true;
		}
	}
	return false;
}

void
talk_expect(struct talk *t, enum word word, size_t index)
{
	t->word = word;
	t->index = index;
	t->in_text = false;
	t->at = 0;
}

struct span
talk_challenge(const struct talk *t)
{
	return span_of(t->line + 2, t->at - 4);		/* "+ ", CRLF */
}

/* Foreign octets for a complaint: printable, bounded. */
static const char *
shown(struct span s, char *out, size_t cap)
{
	size_t	n = 0;

	s = span_first(s, SHOWN_MAX);
	for (size_t i = 0; i < s.n && n + 5 < cap; i++) {
		if (s.p[i] >= ' ' && s.p[i] < 0x7f && s.p[i] != '\\')
			out[n++] = (char)s.p[i];
		else
			n += (size_t)snprintf(out + n, 5, "\\x%02x", s.p[i]);
	}
	out[n] = '\0';
	return out;
}

static enum verdict
wrong(const struct talk *t, struct span got, const char *want, char *why,
    size_t cap)
{
	char	text[SHOWN_MAX * 4 + 1];

	snprintf(why, cap, "answer to %s: \"%s\" instead of %s",
	    word_name(t->word), shown(got, text, sizeof(text)), want);
	return TALK_WRONG;
}

/* "+OK n m" of STAT, when nobody told us the numbers. */
static bool
is_two_numbers(struct span line)
{
	struct span	rest = span_skip(line, 4);
	uint64_t	n;

	return num_parse(span_word(&rest), UINT64_MAX, &n) &&
	    num_parse(span_skip(rest, 1), UINT64_MAX, &n);
}

/* A whole status line, without CRLF. */
static enum verdict
judge_line(const struct talk *t, const struct answers *a, struct span line,
    char *why, size_t cap)
{
	const char	*want = a->line[t->word];

	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] < ' ' || line.p[i] > '~')
			return wrong(t, line, "printable ASCII", why, cap);
	}
	if (t->word == WORD_SCRAM || t->word == WORD_PROOF)
		return span_starts(line, SPAN("+ ")) ? TALK_ANSWERED :
		    wrong(t, line, "a challenge", why, cap);
	if (want != NULL)
		return span_eq(line, span_str(want)) ? TALK_ANSWERED :
		    wrong(t, line, want, why, cap);
	if (!span_eq(line, SPAN("+OK")) && !span_starts(line, SPAN("+OK ")))
		return wrong(t, line, "+OK", why, cap);
	if (t->word == WORD_STAT && !is_two_numbers(line))
		return wrong(t, line, "two numbers", why, cap);
	return TALK_ANSWERED;
}

/* Takes octets up to the LF off *in. */
static enum verdict
feed_line(struct talk *t, const struct answers *a, struct span *in, char *why,
    size_t cap)
{
	size_t	n = span_find(*in, '\n');
	bool	whole = n < in->n;

	n += whole ? 1 : 0;
	if (n > sizeof(t->line) - t->at)
		return wrong(t, *in, "a line of 512 octets at most", why, cap);
	memcpy(t->line + t->at, in->p, n);
	t->at += n;
	*in = span_skip(*in, n);
	if (!whole)
		return TALK_MORE;
	if (t->at < 2 || t->line[t->at - 2] != '\r')
		return wrong(t, span_of(t->line, t->at), "CRLF", why, cap);
	return judge_line(t, a, span_of(t->line, t->at - 2), why, cap);
}

/* The text behind RETR's status line, octet by octet. */
static enum verdict
feed_text(struct talk *t, const struct answers *a, struct span *in, char *why,
    size_t cap)
{
	struct span	want = span_skip(a->mail[t->index], t->at);
	size_t		n = in->n < want.n ? in->n : want.n;
	char		text[SHOWN_MAX * 4 + 1];
	size_t		i = 0;

	if (memcmp(in->p, want.p, n) != 0) {
		while (in->p[i] == want.p[i])
			i++;
		snprintf(why, cap, "message %zu, octet %zu: \"%s\" is wrong",
		    t->index + 1, t->at + i,
		    shown(span_skip(*in, i), text, sizeof(text)));
		return TALK_WRONG;
	}
	t->at += n;
	*in = span_skip(*in, n);
	return t->at == a->mail[t->index].n ? TALK_ANSWERED : TALK_MORE;
}

enum verdict
talk_feed(struct talk *t, const struct answers *a, struct span in, char *why,
    size_t cap)
{
	enum verdict	v = TALK_MORE;

	if (t->word == WORD_END || t->word == WORD_HOLD)
		return wrong(t, in, "silence", why, cap);
	if (!t->in_text)
		v = feed_line(t, a, &in, why, cap);
	if (v == TALK_ANSWERED && t->word == WORD_RETR) {
		t->in_text = true;
		t->at = 0;
		v = TALK_MORE;
	}
	if (t->in_text && in.n > 0)
		v = feed_text(t, a, &in, why, cap);
	if (v == TALK_ANSWERED && in.n > 0)
		return wrong(t, in, "silence behind it", why, cap);
	return v;
}

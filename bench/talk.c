/* SPDX-License-Identifier: ISC */
#include "talk.h"

#include "base/alloc.h"
#include "base/num.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define UIDL_MAX	70		/* RFC 1939 s.7 */
#define SHOWN_MAX	80		/* octets of an answer in a complaint */

static const char *const names[] = {
	[WORD_GREETING]	= "greeting",
	[WORD_STLS]	= "stls",
	[WORD_SCRAM]	= "scram",
	[WORD_PROOF]	= "proof",
	[WORD_USER]	= "user",
	[WORD_PASS]	= "pass",
	[WORD_STAT]	= "stat",
	[WORD_UIDL]	= "uidl",
	[WORD_LIST]	= "list",
	[WORD_RETR]	= "retr",
	[WORD_TOP]	= "top",
	[WORD_DELE]	= "dele",
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

bool
word_is_each(enum word w)
{
	return w == WORD_RETR || w == WORD_TOP || w == WORD_DELE;
}

const struct mail *
answers_mail(const struct answers *a, size_t index)
{
	return &a->mail[index % a->mails];
}

void
talk_expect(struct talk *t, enum word word, size_t index)
{
	t->word = word;
	t->index = index;
	t->ahead = 0;
	t->in_text = false;
	t->at = 0;
	t->listed = 0;
	t->ids_sum = 0;
}

void
talk_fini(struct talk *t)
{
	free(t->ids);
	t->ids = NULL;
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

/* Takes octets up to the LF off *in; the line is without CRLF. */
static enum verdict
take_line(struct talk *t, struct span *in, struct span *line_r, char *why,
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
	*line_r = span_of(t->line, t->at - 2);
	return TALK_ANSWERED;
}

/* The text behind a status line of RETR or TOP, octet by octet. */
static enum verdict
feed_text(struct talk *t, const struct answers *a, struct span *in, char *why,
    size_t cap)
{
	const struct mail	*m = answers_mail(a, t->index);
	size_t			 upto = t->word == WORD_TOP ? m->head :
				    m->text.n;
	struct span		 end = SPAN(MAIL_END);
	char			 text[SHOWN_MAX * 4 + 1];
	size_t			 n = 0;

	if (t->at < upto) {
		n = mail_agrees(m, t->index, t->at, upto, *in);
		t->at += n;
		*in = span_skip(*in, n);
	}
	for (; t->at >= upto && t->at < upto + end.n && in->n > 0 &&
	    in->p[0] == end.p[t->at - upto]; t->at++)
		*in = span_skip(*in, 1);
	if (t->at == upto + end.n)
		return TALK_ANSWERED;
	if (in->n == 0)
		return TALK_MORE;
	snprintf(why, cap, "message %zu, octet %zu: \"%s\" is wrong",
	    t->index + 1, t->at, shown(*in, text, sizeof(text)));
	return TALK_WRONG;
}

/* FNV-1a: nobody here means to collide. */
static uint64_t
hash(struct span s)
{
	uint64_t	h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static int
compare(const void *a, const void *b)
{
	uint64_t	x = *(const uint64_t *)a;
	uint64_t	y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The end of UIDL or LIST: as many as there are, and no id twice. */
static enum verdict
judge_list(struct talk *t, const struct answers *a, char *why, size_t cap)
{
	if (t->listed != a->count) {
		snprintf(why, cap, "answer to %s: %zu messages instead of %zu",
		    word_name(t->word), t->listed, a->count);
		return TALK_WRONG;
	}
	if (t->word != WORD_UIDL || t->listed == 0)
		return TALK_ANSWERED;
	qsort(t->ids, t->listed, sizeof(*t->ids), compare);
	for (size_t i = 1; i < t->listed; i++) {
		if (t->ids[i] == t->ids[i - 1]) {
			snprintf(why, cap, "answer to uidl: an id twice");
			return TALK_WRONG;
		}
	}
	return TALK_ANSWERED;
}

/* What a line of UIDL says behind the number. */
static bool
take_id(struct talk *t, struct span id)
{
	if (id.n == 0 || id.n > UIDL_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		if (id.p[i] <= ' ' || id.p[i] > '~')
			return false;
	}
	t->ids = xgrow(t->ids, t->listed, &t->ids_cap, sizeof(*t->ids));
	t->ids[t->listed] = hash(id);
	t->ids_sum = t->ids_sum * 31 + t->ids[t->listed];
	return true;
}

static bool
is_listed(struct talk *t, const struct answers *a, struct span line)
{
	size_t		blank = span_find(line, ' ');
	struct span	what = span_skip(line, blank + 1);
	uint64_t	n;

	if (!num_parse(span_first(line, blank), SIZE_MAX, &n) ||
	    n != t->listed + 1 || n > a->count)
		return false;
	if (t->word == WORD_UIDL)
		return take_id(t, what);
	return num_parse(what, UINT64_MAX, &n) &&
	    (a->any_size || n == answers_mail(a, t->listed)->octets);
}

/* Lines behind the status line of UIDL or LIST. */
static enum verdict
feed_list(struct talk *t, const struct answers *a, struct span *in, char *why,
    size_t cap)
{
	struct span	line;
	enum verdict	v;

	while (in->n > 0) {
		v = take_line(t, in, &line, why, cap);
		if (v != TALK_ANSWERED)
			return v;
		t->at = 0;
		if (span_eq(line, SPAN(".")))
			return judge_list(t, a, why, cap);
		if (!is_listed(t, a, line))
			return wrong(t, line, "the next message's", why, cap);
		t->listed++;
	}
	return TALK_MORE;
}

enum verdict
talk_feed(struct talk *t, const struct answers *a, struct span *in, char *why,
    size_t cap)
{
	bool		is_list = t->word == WORD_UIDL || t->word == WORD_LIST;
	bool		has_text = t->word == WORD_RETR || t->word == WORD_TOP;
	enum verdict	v = TALK_MORE;
	struct span	line;

	if (t->word == WORD_END || t->word == WORD_HOLD)
		return wrong(t, *in, "silence", why, cap);
	if (!t->in_text) {
		v = take_line(t, in, &line, why, cap);
		if (v == TALK_ANSWERED)
			v = judge_line(t, a, line, why, cap);
	}
	if (v == TALK_ANSWERED && (is_list || has_text)) {
		t->in_text = true;
		t->at = 0;
		v = TALK_MORE;
	}
	if (t->in_text && in->n > 0)
		v = is_list ? feed_list(t, a, in, why, cap) :
		    feed_text(t, a, in, why, cap);
	if (v == TALK_ANSWERED && in->n > 0 && t->ahead == 0)
		return wrong(t, *in, "silence behind it", why, cap);
	return v;
}

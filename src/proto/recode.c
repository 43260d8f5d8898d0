/* SPDX-License-Identifier: ISC */
#include "proto/recode.h"

#include "base/codec.h"

#include <stdio.h>

#define LINE_MAX	76		/* one with an encoded word, RFC 2047 s.2 */
#define WORD_MAX	63		/* text of one, encoded; its frame has 12 */
#define WORD_FRAME	12
#define WORD_LEAST	24		/* less room is not worth one */
#define B_MAX		(WORD_MAX / 4 * 3)
#define PARAM_NAME_MAX	40
#define PARAM_LINE	60		/* of a value, encoded */
#define NOBODY		"<invalid@internationalized-address.invalid>"

struct writer {
	struct buf	*out;
	struct buf	 text;		/* of one run, to be encoded */
	size_t		 col;
	bool		 recoded;	/* this line has an encoded word */
	bool		 full;
};

/* --- octets and characters ------------------------------------------------------- */

static size_t
char_size(uint8_t first)
{
	return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

bool
utf8_is_valid(struct span s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	while (s.n > 0) {
		size_t	 n = char_size(s.p[0]);
		uint32_t c = n == 1 ? s.p[0] : s.p[0] & (0x7fu >> n);

		if (n > s.n || (s.p[0] >= 0x80 && s.p[0] < 0xc2) ||
		    s.p[0] > 0xf4)
			return false;
		for (size_t i = 1; i < n; i++) {
			if ((s.p[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (s.p[i] & 0x3fu);
		}
		if (c < least[n] || (c >= 0xd800 && c < 0xe000) ||
		    c > 0x10ffff)
			return false;
		s = span_skip(s, n);
	}
	return true;
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t
blanks_before(struct span s)
{
	size_t n = 0;

	while (n < s.n && is_blank(s.p[n]))
		n++;
	return n;
}

/* Without what is blank at both ends, line ends too. */
static struct span
trim(struct span s)
{
	s = span_skip(s, blanks_before(s));
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool
is_alnum(uint8_t c)
{
	return ascii_isdigit(c) || (ascii_lower(c) >= 'a' &&
	    ascii_lower(c) <= 'z');
}

/* --- writing --------------------------------------------------------------------- */

static void
put(struct writer *w, struct span s)
{
	size_t lf;

	if (buf_append(w->out, s) != 0)
		w->full = true;
	while ((lf = span_find(s, '\n')) < s.n) {
		s = span_skip(s, lf + 1);
		w->col = 0;
		w->recoded = false;
	}
	w->col += s.n;
}

/* A gap of blanks, before n octets that cannot be parted. */
static void
put_gap(struct writer *w, struct span gap, size_t n)
{
	if (gap.n > 0 && span_find(gap, '\n') == gap.n &&
	    w->col + gap.n + n > LINE_MAX)
		put(w, SPAN("\n"));
	put(w, gap);
}

static void
put_plain(struct writer *w, struct span gap, struct span word)
{
	put_gap(w, gap, w->recoded ? word.n : 0);
	put(w, word);
}

/* Text as it is read: without the line ends of folding. */
static void
add_text(struct writer *w, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\r' && s.p[i] != '\n' &&
		    buf_append(&w->text, span_of(&s.p[i], 1)) != 0)
			w->full = true;
}

/* Octets of Q; RFC 2047 s.5: what is good in a phrase is good everywhere. */
static size_t
q_size(uint8_t c)
{
	return is_alnum(c) || c == ' ' || c == '!' || c == '*' || c == '+' ||
	    c == '-' || c == '/' ? 1 : 3;
}

static size_t
q_size_of(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += q_size(s.p[i]);
	return n;
}

static void
put_q(struct writer *w, struct span s)
{
	char	hex[4];
	uint8_t	c;

	put(w, SPAN("=?UTF-8?Q?"));
	for (size_t i = 0; i < s.n; i++) {
		c = s.p[i] == ' ' ? '_' : s.p[i];
		(void)snprintf(hex, sizeof(hex), "=%02X", c);
		put(w, q_size(s.p[i]) == 1 ? span_of(&c, 1) : span_str(hex));
	}
	put(w, SPAN("?="));
}

static void
put_b(struct writer *w, struct span s)
{
	char text[BASE64_SIZE(B_MAX)];

	put(w, SPAN("=?UTF-8?B?"));
	put(w, span_of(text, base64_encode(s, text)));
	put(w, SPAN("?="));
}

/* How much of s, in whole characters, is no longer than room when encoded. */
static size_t
fitting(struct span s, bool q, size_t room)
{
	size_t n = 0;
	size_t used = 0;

	while (n < s.n) {
		size_t	size = char_size(s.p[n]);
		size_t	more = q_size_of(span_first(span_skip(s, n), size));

		if (q ? used + more > room : BASE64_SIZE(n + size) > room)
			break;
		used += more;
		n += size;
	}
	return n > 0 ? n : char_size(s.p[0]);
}

/* What add_text has gathered, in encoded words behind the gap. */
static void
put_encoded(struct writer *w, struct span gap)
{
	struct span	s = buf_span(&w->text);
	bool		q = q_size_of(s) <= 2 * s.n;	/* can be read */
	size_t		room;
	size_t		n;

	put_gap(w, gap, WORD_FRAME + WORD_LEAST);
	while (s.n > 0) {
		room = w->col + WORD_FRAME + WORD_LEAST > LINE_MAX ? WORD_MAX :
		    LINE_MAX - WORD_FRAME - w->col;
		n = fitting(s, q, room < WORD_MAX ? room : WORD_MAX);
		if (q)
			put_q(w, span_first(s, n));
		else
			put_b(w, span_first(s, n));
		s = span_skip(s, n);
		if (s.n > 0)
			put(w, SPAN("\n "));
		w->recoded = true;
	}
	buf_clear(&w->text);
}

/* --- text ------------------------------------------------------------------------- */

static size_t
word_end(struct span s, size_t at)
{
	while (at < s.n && !is_blank(s.p[at]))
		at++;
	return at;
}

/* Words of a run that all need it, with the blanks between: those between two
 * encoded words are not shown. */
static size_t
run_end(struct span s, size_t end)
{
	for (;;) {
		size_t	from = end + blanks_before(span_skip(s, end));
		size_t	to = word_end(s, from);

		if (span_is_ascii(span_of(s.p + from, to - from)))
			return end;
		end = to;
	}
}

static void
put_text(struct writer *w, struct span s)
{
	while (s.n > 0) {
		struct span	gap = span_first(s, blanks_before(s));
		size_t		end = word_end(s, gap.n);
		struct span	word = span_of(s.p + gap.n, end - gap.n);

		if (span_is_ascii(word)) {
			put_plain(w, gap, word);
		} else {
			end = run_end(s, end);
			add_text(w, span_of(s.p + gap.n, end - gap.n));
			put_encoded(w, gap);
		}
		s = span_skip(s, end);
	}
}

/* --- addresses (RFC 5322 s.3.4) ------------------------------------------------------ */

/* The first of `stops` that is in no quoted string, comment, or brackets. */
static size_t
find_bare(struct span s, const char *stops)
{
	unsigned	depth = 0;	/* of comments */
	uint8_t		until = 0;	/* '"', '>' or ']' */

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (until == 0 && depth == 0 && c != '\0' &&
		    strchr(stops, c) != NULL)
			return i;
		if (c == '\\' && (until == '"' || depth > 0))
			i++;
		else if (until != 0)
			until = c == until ? 0 : until;
		else if (c == '(' || (c == ')' && depth > 0))
			depth += c == '(' ? 1u : -1u;
		else if (depth == 0 && (c == '"' || c == '<' || c == '['))
			until = c == '<' ? '>' : c == '[' ? ']' : c;
	}
	return s.n;
}

/* What a phrase says, without quotes. */
static void
add_unquoted(struct writer *w, struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && s.p[i] == '\\' && i + 1 < s.n)
			i++;
		add_text(w, span_of(&s.p[i], 1));
	}
}

static void
put_phrase(struct writer *w, struct span gap, struct span s)
{
	if (span_is_ascii(s)) {
		put_plain(w, gap, s);
		return;
	}
	add_unquoted(w, s);
	put_encoded(w, gap);
}

static void
put_comment(struct writer *w, struct span gap, struct span s)
{
	if (span_is_ascii(s)) {
		put_plain(w, gap, s);
		return;
	}
	s = span_skip(s, 1);
	if (s.n > 0 && s.p[s.n - 1] == ')')
		s.n--;
	put_plain(w, gap, SPAN("("));
	add_text(w, s);
	put_encoded(w, SPAN(""));
	put(w, SPAN(")"));
}

/* phrase <address> comment */
static void
put_angle(struct writer *w, struct span gap, struct span s, size_t at)
{
	struct span	phrase = trim(span_first(s, at));
	struct span	addr = span_skip(s, at);
	struct span	rest;

	addr = span_first(addr, span_find(addr, '>') + 1);
	rest = span_skip(s, at + addr.n);
	if (span_is_ascii(addr)) {
		put_phrase(w, gap, phrase);
		put_plain(w, SPAN(" "), addr);
	} else {
		add_unquoted(w, phrase);
		if (phrase.n > 0)
			add_text(w, SPAN(" "));
		add_text(w, addr);
		put_encoded(w, gap);
		put_plain(w, SPAN(" "), SPAN(NOBODY));
	}
	if (span_is_ascii(rest))
		put(w, rest);
}

/* One that needs it. */
static void
put_mailbox(struct writer *w, struct span gap, struct span s)
{
	size_t	angle = find_bare(s, "<");
	size_t	comment = find_bare(s, "(");
	struct span before = trim(span_first(s, comment));

	if (angle < s.n) {
		put_angle(w, gap, s, angle);
	} else if (span_find(s, '@') == s.n) {
		put_phrase(w, gap, s);
	} else if (span_is_ascii(before)) {
		put_plain(w, gap, before);
		put_comment(w, SPAN(" "), span_skip(s, comment));
	} else {
		add_text(w, s);
		put_encoded(w, gap);
		put_plain(w, SPAN(" "), SPAN(NOBODY));
	}
}

static void
put_addresses(struct writer *w, struct span s)
{
	while (s.n > 0) {
		size_t		end = find_bare(s, ",:;");
		struct span	item = span_first(s, end);
		struct span	gap = span_first(item, blanks_before(item));
		struct span	box = trim(item);

		if (span_is_ascii(item)) {
			put_plain(w, gap, span_skip(item, gap.n));
		} else {
			put_mailbox(w, gap, box);
			put(w, span_skip(item, gap.n + box.n));
		}
		s = span_skip(s, end);
		put(w, span_first(s, 1));
		s = span_skip(s, 1);
	}
}

/* --- parameters (RFC 2045 s.5.1, RFC 2231) ------------------------------------------- */

static size_t
param_end(struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (quoted && s.p[i] == '\\')
			i++;
		else if (!quoted && s.p[i] == ';')
			return i;
	return s.n;
}

static bool
is_attr_char(uint8_t c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_';
}

static size_t
put_percent(struct writer *w, struct span s)
{
	char	hex[4];
	size_t	used = 0;
	size_t	i = 0;

	for (; i < s.n && used < PARAM_LINE; i++) {
		bool plain = is_attr_char(s.p[i]);

		(void)snprintf(hex, sizeof(hex), "%%%02X", s.p[i]);
		put(w, plain ? span_of(&s.p[i], 1) : span_str(hex));
		used += plain ? 1 : 3;
	}
	return i;
}

/* What is gathered, as name*=UTF-8''... or in numbered parts. */
static void
put_param(struct writer *w, struct span name)
{
	struct span	s = buf_span(&w->text);
	bool		parts = 3 * s.n > PARAM_LINE;
	char		number[24] = "*";

	for (unsigned i = 0; i == 0 || s.n > 0; i++) {
		if (parts)
			(void)snprintf(number, sizeof(number), "*%u*", i);
		put(w, SPAN(";\n "));
		put(w, name);
		put(w, span_str(number));
		put(w, i == 0 ? SPAN("=UTF-8''") : SPAN("="));
		s = span_skip(s, put_percent(w, s));
	}
	buf_clear(&w->text);
}

static struct span
param_name(struct span param)
{
	return trim(span_first(param, span_find(param, '=')));
}

static bool
may_be_extended(struct span name)
{
	return name.n > 0 && name.n <= PARAM_NAME_MAX && span_is_ascii(name) &&
	    span_find(name, '*') == name.n;
}

/* False: without what stands before the parameters the field says nothing. */
static bool
put_params(struct writer *w, struct span s)
{
	size_t end = param_end(s);

	if (!span_is_ascii(span_first(s, end)))
		return false;
	put(w, span_first(s, end));
	for (s = span_skip(s, end + 1); s.n > 0; s = span_skip(s, end + 1)) {
		struct span param, name;

		end = param_end(s);
		param = span_first(s, end);
		name = param_name(param);
		if (span_is_ascii(param)) {
			put(w, SPAN(";"));
			put(w, param);
		} else if (may_be_extended(name)) {
			add_unquoted(w, trim(span_skip(param,
			    span_find(param, '=') + 1)));
			put_param(w, name);
		}
	}
	return true;
}

size_t
recode_param(struct span value, struct span name, uint8_t *out, size_t cap)
{
	size_t	n = 0;
	size_t	end = param_end(value);

	while (end < value.n) {
		struct span param, s;

		value = span_skip(value, end + 1);
		end = param_end(value);
		param = span_first(value, end);
		if (!span_eq_nocase(param_name(param), name))
			continue;
		s = trim(span_skip(param, span_find(param, '=') + 1));
		for (size_t i = 0; i < s.n; i++) {
			if (s.p[i] == '"')
				continue;
			i += s.p[i] == '\\' && i + 1 < s.n;
			if (n == cap)
				return 0;
			out[n++] = s.p[i];
		}
		return n;
	}
	return 0;
}

/* --- fields --------------------------------------------------------------------------- */

enum kind { TEXT, ADDRESSES, PARAMS, LEFT_OUT };

static const struct {
	const char	*name;
	enum kind	 kind;
} fields[] = {
	{ "From",		ADDRESSES }, { "Sender",	ADDRESSES },
	{ "Reply-To",		ADDRESSES }, { "To",		ADDRESSES },
	{ "Cc",			ADDRESSES }, { "Bcc",		ADDRESSES },
	{ "Resent-From",	ADDRESSES }, { "Resent-Sender",	ADDRESSES },
	{ "Resent-To",		ADDRESSES }, { "Resent-Cc",	ADDRESSES },
	{ "Resent-Bcc",		ADDRESSES }, { "Resent-Reply-To", ADDRESSES },
	{ "Mail-Followup-To",	ADDRESSES }, { "Mail-Reply-To",	ADDRESSES },
	{ "Disposition-Notification-To", ADDRESSES },
	{ "Content-Type",	PARAMS }, { "Content-Disposition", PARAMS },
	{ "Return-Path",	LEFT_OUT }, { "Received",	LEFT_OUT },
	{ "Message-ID",		LEFT_OUT }, { "In-Reply-To",	LEFT_OUT },
	{ "References",		LEFT_OUT }, { "Resent-Message-ID", LEFT_OUT },
	{ "Date",		LEFT_OUT }, { "Resent-Date",	LEFT_OUT },
	{ "Content-ID",		LEFT_OUT }, { "MIME-Version",	LEFT_OUT },
	{ "Content-Transfer-Encoding", LEFT_OUT },
	{ "DKIM-Signature",	LEFT_OUT }, { "ARC-Seal",	LEFT_OUT },
	{ "ARC-Message-Signature", LEFT_OUT },
	{ "ARC-Authentication-Results", LEFT_OUT },
	{ "Authentication-Results", LEFT_OUT },
	{ "Received-SPF",	LEFT_OUT },
};

static enum kind
kind_of(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (span_eq_nocase(name, span_str(fields[i].name)))
			return fields[i].kind;
	return TEXT;
}

/* Its line ends, at the end. */
static size_t
end_size(struct span s)
{
	size_t n = s.n > 0 && s.p[s.n - 1] == '\n';

	return n + (s.n > n && s.p[s.n - n - 1] == '\r');
}

enum recoded
recode_field(struct span field, struct buf *out)
{
	struct writer	w = { .out = out };
	size_t		colon = span_find(field, ':');
	struct span	name = span_trim(span_first(field, colon));
	struct span	end = span_skip(field, field.n - end_size(field));
	struct span	value = span_first(span_skip(field, colon + 1),
			    field.n - end.n - colon - 1);
	enum kind	kind = kind_of(name);
	bool		good = true;

	if (span_is_ascii(field) || !utf8_is_valid(field))
		return RECODED_SAME;
	if (colon + 1 > field.n - end.n || !span_is_ascii(name) ||
	    kind == LEFT_OUT)
		return RECODED_NONE;
	buf_init(&w.text, RECODE_FIELD_MAX);
	put(&w, span_first(field, colon + 1));
	if (kind == ADDRESSES)
		put_addresses(&w, value);
	else if (kind == PARAMS)
		good = put_params(&w, value);
	else
		put_text(&w, value);
	put(&w, end);
	buf_fini(&w.text);
	if (good && !w.full)
		return RECODED_OTHER;
	buf_clear(out);
	return RECODED_NONE;
}

/* SPDX-License-Identifier: ISC */
/*
 * The form of a line, and of files that are made of blocks.  Pure.
 */
#include "conf/conf_priv.h"

#include <assert.h>

static bool
is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    ascii_isdigit(c) || c == '_' || c == '-' || c == '.';
}

static void
bad(struct line_parts *out, const char *why)
{
	out->kind = LINE_BAD;
	out->bad = why;
}

#define TOO_LONG	"the value is longer than 4095 octets"
static_assert(CONF_VALUE_MAX == 4095, "TOO_LONG tells another length");

/* Nothing, or a comment. */
static bool
ends_here(struct span s)
{
	s = span_trim(s);
	return s.n == 0 || s.p[0] == '#';
}

/*
 * Cut "..." off *s, which begins with the quote; \" and \\ stand for
 * themselves without the backslash.
 */
static bool
take_quoted(struct span *s, struct line_parts *out)
{
	size_t i, n = 0;

	for (i = 1; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && i + 1 < s->n &&
		    (s->p[i + 1] == '"' || s->p[i + 1] == '\\'))
			i++;
		if (n == CONF_VALUE_MAX) {
			bad(out, TOO_LONG);
			return false;
		}
		out->value[n++] = (char)s->p[i];
	}
	out->value[n] = '\0';
	if (i == s->n) {
		bad(out, "the closing quote is missing; put \" at the end of "
		    "the value");
		return false;
	}
	*s = span_skip(*s, i + 1);
	return true;
}

/* A value without quotes reaches to the end, or to a '#' behind a blank. */
static struct span
bare_value(struct span s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '#' && (s.p[i - 1] == ' ' || s.p[i - 1] == '\t'))
			return span_trim(span_first(s, i));
	}
	return span_trim(s);
}

static void
take_value(struct span s, struct line_parts *out)
{
	out->kind = LINE_ROW;
	s = span_trim(s);
	if (s.n == 0 || s.p[0] == '#')
		return;
	if (s.p[0] == '"') {
		if (take_quoted(&s, out) && !ends_here(s))
			bad(out, "there is more behind the closing quote; "
			    "remove it, or write \\\" for a quote inside");
		return;
	}
	if (!span_cstr(bare_value(s), out->value, sizeof(out->value)))
		bad(out, TOO_LONG);
}

/* Behind the word: a name, perhaps quoted, and the brace. */
static void
take_open(struct span s, struct line_parts *out)
{
	struct span name;

	out->kind = LINE_OPEN;
	s = span_trim(s);
	if (s.n > 0 && s.p[0] == '"') {
		if (!take_quoted(&s, out))
			return;
	} else {
		size_t brace = span_find(s, '{');

		name = span_first(s, brace);
		name = span_word(&name);
		if (!span_cstr(name, out->value, sizeof(out->value))) {
			bad(out, "the name is too long");
			return;
		}
		s = span_skip(s, name.n);
	}
	s = span_trim(s);
	if (s.n == 0 || s.p[0] != '{' || !ends_here(span_skip(s, 1)))
		bad(out, "this is neither \"name = value\" nor "
		    "\"word name {\"; is a = missing?");
}

void
line_take_apart(struct span line, struct line_parts *out)
{
	size_t n = 0;

	out->kind = LINE_BLANK;
	out->key[0] = out->value[0] = '\0';
	out->bad = NULL;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (span_find(line, '\0') < line.n) {
		bad(out, "there is a NUL byte in the line; is this a text file?");
		return;
	}
	line = span_trim(line);
	if (ends_here(line))
		return;
	if (line.p[0] == '}') {
		out->kind = LINE_CLOSE;
		if (!ends_here(span_skip(line, 1)))
			bad(out, "a closing brace stands alone on its line");
		return;
	}
	while (n < line.n && is_name_byte(line.p[n]))
		n++;
	if (n == 0 || !span_cstr(span_first(line, n), out->key,
	    sizeof(out->key))) {
		bad(out, "a line begins with the name of an option, or with # "
		    "when it is a comment");
		return;
	}
	line = span_trim(span_skip(line, n));
	if (line.n > 0 && line.p[0] == '=')
		take_value(span_skip(line, 1), out);
	else
		take_open(line, out);
}

/* One block file's reader on its way. */
struct blocks {
	bool	inside;
	char	block[CONF_NAME_MAX + 1];
	char	name[CONF_VALUE_MAX + 1];
};

/* What is wrong with this line at this place, or NULL. */
static const char *
misplaced(const struct blocks *b, const struct line_parts *l)
{
	switch (l->kind) {
	case LINE_BAD:
		return l->bad;
	case LINE_OPEN:
		return b->inside ? "the block above is still open; close it "
		    "with } first" : NULL;
	case LINE_CLOSE:
		return b->inside ? NULL : "there is no open block to close";
	case LINE_ROW:
		return b->inside ? NULL : "this line stands outside of any "
		    "block; put it between { and }";
	case LINE_BLANK:
		return NULL;
	}
	return NULL;
}

void
conf_blocks(struct span text,
    void (*fn)(void *ctx, unsigned line, const char *block, const char *name,
    const char *key, const char *value),
    void (*bad_fn)(void *ctx, unsigned line, const char *text), void *ctx)
{
	struct blocks		b = { .inside = false };
	struct line_parts	l;
	struct span		line;
	unsigned		n = 0;

	while (span_line(&text, &line)) {
		const char *wrong;

		n++;
		line_take_apart(line, &l);
		wrong = misplaced(&b, &l);
		if (wrong != NULL) {
			bad_fn(ctx, n, wrong);
			continue;
		}
		if (l.kind == LINE_OPEN) {
			b.inside = true;
			memcpy(b.block, l.key, sizeof(b.block));
			memcpy(b.name, l.value, sizeof(b.name));
			fn(ctx, n, b.block, b.name, "{", "");
		} else if (l.kind == LINE_CLOSE) {
			b.inside = false;
			fn(ctx, n, b.block, b.name, "}", "");
		} else if (l.kind == LINE_ROW) {
			fn(ctx, n, b.block, b.name, l.key, l.value);
		}
	}
	if (b.inside)
		bad_fn(ctx, n, "the last block is not closed; add a line with }");
}

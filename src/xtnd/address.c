/* SPDX-License-Identifier: ISC */
#include "xtnd/address.h"

enum token {
	TOKEN_END,
	TOKEN_OCTET,			/* a part of a word */
	TOKEN_BLANK,			/* blanks, folding, a comment */
	TOKEN_SPECIAL,			/* , ; : < > */
	TOKEN_BAD,
};

/* An address on its way. */
struct parse {
	struct span	*rest;
	struct address	*out;
	bool		 in_quote;
	bool		 in_literal;	/* [...] of a domain */
	bool		 in_angle;
	bool		 angle_done;
	bool		 at_word;	/* the next octet begins a word */
	bool		 hostile;
	bool		 too_long;
};

static bool
take(struct span *s, uint8_t *c_r)
{
	if (s->n == 0)
		return false;
	*c_r = s->p[0];
	*s = span_skip(*s, 1);
	return true;
}

/* Behind "(": comments nest, and quote by backslash. */
static enum token
skip_comment(struct span *s)
{
	size_t	depth = 1;
	uint8_t	c;

	while (depth > 0) {
		if (!take(s, &c))
			return TOKEN_BAD;
		if (c == '(') {
			depth++;
		} else if (c == ')') {
			depth--;
		} else if (c == '\\' && !take(s, &c)) {
			return TOKEN_BAD;
		}
	}
	return TOKEN_BLANK;
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static enum token
next_token(struct parse *p, uint8_t *c_r)
{
	uint8_t c;

	while (take(p->rest, &c)) {
		*c_r = c;
		if (c == '\\')
			return take(p->rest, c_r) ? TOKEN_OCTET : TOKEN_BAD;
		if (c == '"' && !p->in_literal) {
			p->in_quote = !p->in_quote;
			continue;
		}
		if (p->in_quote)
			return TOKEN_OCTET;
		if (c == ']')
			p->in_literal = false;
		if (is_blank(c))
			return TOKEN_BLANK;
		if (p->in_literal)
			return TOKEN_OCTET;
		if (c == '[')
			p->in_literal = true;
		if (c == '(')
			return skip_comment(p->rest);
		if (c == ',' || c == ';' || c == ':' || c == '<' || c == '>')
			return TOKEN_SPECIAL;
		return c == ')' ? TOKEN_BAD : TOKEN_OCTET;
	}
	return p->in_quote || p->in_literal ? TOKEN_BAD : TOKEN_END;
}

/* Programs, files, options, :include:, routes: see the head of address.h. */
static bool
begins_badly(const struct address *a, uint8_t c)
{
	return c == '|' || c == '/' || c == '-' || c == ':' ||
	    (c == '@' && a->n == 0);
}

static void
add_octet(struct parse *p, uint8_t c)
{
	/* A blank within quotes begins nothing: `" |x"` is hostile, too. */
	if (p->at_word && !is_blank(c)) {
		p->hostile = p->hostile || begins_badly(p->out, c);
		p->at_word = false;
	}
	if (p->out->n == ADDRESS_MAX)
		p->too_long = true;
	else
		p->out->text[p->out->n++] = c;
}

/* What was read so far was a display name or the name of a group. */
static void
forget(struct parse *p)
{
	p->out->n = 0;
	p->at_word = true;
	p->hostile = false;
	p->too_long = false;
}

static bool
is_good(const struct parse *p)
{
	return p->out->n > 0 && !p->hostile && !p->too_long;
}

/* ':' ends the name of a group; without a name it may be ":include:". */
static bool
begin_group(struct parse *p, struct address_list *l)
{
	if (l->in_group || p->out->n == 0 || p->angle_done || p->hostile)
		return false;
	l->in_group = true;
	forget(p);
	return true;
}

/* False when the special octet may not stand here. */
static bool
on_special(struct parse *p, struct address_list *l, uint8_t c, bool *end_r)
{
	*end_r = false;
	if (p->in_angle) {
		if (c != '>')
			return false;
		p->in_angle = false;
		p->angle_done = true;
		return p->out->n > 0;
	}
	switch (c) {
	case '<':
		if (p->angle_done)
			return false;
		p->in_angle = true;
		forget(p);
		return true;
	case ':':
		return begin_group(p, l);
	case ';':
		if (!l->in_group)
			return false;
		l->in_group = false;
		*end_r = true;
		return true;
	case ',':
		*end_r = true;
		return true;
	}
	return false;
}

/* At a separator or the end: an address, or an empty element. */
static enum address_result
finish(const struct parse *p, bool *again_r)
{
	*again_r = p->out->n == 0;
	return is_good(p) ? ADDRESS_ONE : ADDRESS_BAD;
}

enum address_result
address_next(struct address_list *l, struct address *out)
{
	struct parse	p = { .rest = &l->rest, .out = out, .at_word = true };
	bool		end;
	bool		again;
	uint8_t		c;

	out->n = 0;
	for (;;) {
		switch (next_token(&p, &c)) {
		case TOKEN_END:
			if (p.in_angle || (out->n == 0 && l->in_group))
				return ADDRESS_BAD;
			return out->n == 0 ? ADDRESS_END : finish(&p, &again);
		case TOKEN_BAD:
			return ADDRESS_BAD;
		case TOKEN_BLANK:
			p.at_word = true;
			break;
		case TOKEN_OCTET:
			if (p.angle_done)
				return ADDRESS_BAD;
			add_octet(&p, c);
			break;
		case TOKEN_SPECIAL:
			if (!on_special(&p, l, c, &end))
				return ADDRESS_BAD;
			if (!end)
				break;
			if (finish(&p, &again) == ADDRESS_ONE)
				return ADDRESS_ONE;
			if (!again)
				return ADDRESS_BAD;
			break;
		}
	}
}

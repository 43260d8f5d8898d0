/* SPDX-License-Identifier: ISC */
#include "proto/surrogate.h"

#include "proto/recode.h"

/* "--", a boundary, "--", and blanks: no more of a line is held. */
#define DELIMITER_MAX	(2 + SURROGATE_BOUNDARY + 2 + 128)

void
surrogate_init(struct surrogate *s)
{
	*s = (struct surrogate){ 0 };
	buf_init(&s->held, RECODE_FIELD_MAX);
	buf_init(&s->made, RECODE_MADE_MAX);
}

void
surrogate_fini(struct surrogate *s)
{
	buf_fini(&s->held);
	buf_fini(&s->made);
}

bool
surrogate_passes(const struct surrogate *s)
{
	return s->in_body && s->depth == 0 &&
	    (s->sent || buf_len(&s->held) == 0);
}

/* --- where parts begin ----------------------------------------------------------- */

static void
begin_header(struct surrogate *s)
{
	s->in_body = false;
	s->next = SURROGATE_LEAF;
	s->to.n = 0;
}

static void
look_at_type(struct surrogate *s, struct span field)
{
	size_t		colon = span_find(field, ':');
	struct span	value = span_skip(field, colon + 1);
	struct span	type = value;

	if (!span_eq_nocase(span_trim(span_first(field, colon)),
	    SPAN("Content-Type")))
		return;
	while (type.n > 0 && (type.p[0] == ' ' || type.p[0] == '\t' ||
	    type.p[0] == '\r' || type.p[0] == '\n'))
		type = span_skip(type, 1);
	if (span_starts_nocase(type, SPAN("multipart/"))) {
		s->next = SURROGATE_PARTS;
		s->to.n = recode_param(value, SPAN("boundary"), s->to.text,
		    sizeof(s->to.text));
	} else if (span_starts_nocase(type, SPAN("message/rfc822")) ||
	    span_starts_nocase(type, SPAN("message/global"))) {
		s->next = SURROGATE_MESSAGE;
	}
}

static void
end_header(struct surrogate *s)
{
	bool message = s->next == SURROGATE_MESSAGE;

	if (s->next == SURROGATE_PARTS && s->to.n > 0 &&
	    s->depth < SURROGATE_DEPTH)
		s->open[s->depth++] = s->to;
	begin_header(s);
	s->in_body = !message;
}

/* Does this line end the part?  Then what it opens, or closes, is known. */
static bool
take_delimiter(struct surrogate *s, struct span line)
{
	if (!span_starts(line, SPAN("--")))
		return false;
	line = span_skip(line, 2);
	for (size_t i = s->depth; i > 0; i--) {
		const struct surrogate_boundary *b = &s->open[i - 1];
		struct span rest = span_skip(line, b->n);
		bool	    closes = span_starts(rest, SPAN("--"));

		if (!span_starts(line, span_of(b->text, b->n)))
			continue;
		rest = span_skip(rest, closes ? 2 : 0);
		while (rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t' ||
		    rest.p[0] == '\r' || rest.p[0] == '\n'))
			rest = span_skip(rest, 1);
		if (rest.n > 0)
			continue;
		s->depth = closes ? i - 1 : i;
		begin_header(s);
		s->in_body = closes;
		return true;
	}
	return false;
}

/* --- headers ------------------------------------------------------------------------ */

static bool
is_blank_line(struct span s)
{
	return span_eq(s, SPAN("\n")) || span_eq(s, SPAN("\r\n"));
}

static struct span
as_question_marks(struct surrogate *s, struct span in)
{
	uint8_t *p = buf_reserve(&s->made, in.n);

	ASSERT(p != NULL);
	s->sent = true;
	for (size_t i = 0; i < in.n; i++) {
		s->changed |= in.p[i] >= 0x80;
		p[i] = in.p[i] < 0x80 ? in.p[i] : '?';
	}
	buf_extend(&s->made, in.n);
	return buf_span(&s->made);
}

/* The field that is held is whole; what is sent for it. */
static struct span
end_field(struct surrogate *s)
{
	struct span field = buf_span(&s->held);

	s->sent = true;
	if (is_blank_line(field)) {
		end_header(s);
		return field;
	}
	if (take_delimiter(s, field))
		return field;
	look_at_type(s, field);
	switch (recode_field(field, &s->made)) {
	case RECODED_SAME:
		return field;
	case RECODED_OTHER:
	case RECODED_NONE:
		break;
	}
	s->changed = true;
	return buf_span(&s->made);
}

/* More of a header line, up to its end or as much as there is room for. */
static struct span
take_line(struct surrogate *s, struct span *in, size_t room)
{
	struct span line = span_first(*in, span_find(*in, '\n') + 1);

	line = span_first(line, room);
	*in = span_skip(*in, line.n);
	s->mid_line = line.p[line.n - 1] != '\n';
	return line;
}

/* True: *out_r is to be sent, perhaps nothing; false: it wants more. */
static bool
header(struct surrogate *s, struct span *in, bool end, struct span *out_r)
{
	bool	blank = is_blank_line(buf_span(&s->held));
	bool	begins = !s->mid_line && (blank || (in->n > 0 &&
		    in->p[0] != ' ' && in->p[0] != '\t'));

	if (s->over && begins)
		s->over = false;
	if (buf_len(&s->held) > 0 && (begins || (in->n == 0 && end))) {
		*out_r = end_field(s);
		return true;
	}
	if (in->n == 0)
		return false;
	if (!s->over && buf_room(&s->held) == 0) {
		s->over = true;
		*out_r = as_question_marks(s, buf_span(&s->held));
		return true;
	}
	if (s->over) {
		*out_r = as_question_marks(s, take_line(s, in,
		    RECODE_FIELD_MAX));
		return true;
	}
	ASSERT(buf_append(&s->held, take_line(s, in,
	    buf_room(&s->held))) == 0);
	*out_r = (struct span){ 0 };
	return true;
}

/* --- bodies ------------------------------------------------------------------------ */

/* As many octets as hold no line that may be a delimiter. */
static struct span
plain(struct surrogate *s, struct span *in)
{
	struct span	all = *in;
	size_t		n = 0;

	do {
		n += span_find(span_skip(all, n), '\n') + 1;
	} while (n < all.n && all.p[n] != '-');
	s->mid_line = n > all.n;
	*in = span_skip(all, n);
	return span_first(all, n);
}

static bool
body(struct surrogate *s, struct span *in, bool end, struct span *out_r)
{
	struct span	line;
	bool		whole;

	if (in->n == 0 && (buf_len(&s->held) == 0 || !end))
		return false;
	if (s->depth == 0 || (buf_len(&s->held) == 0 &&
	    (s->mid_line || in->p[0] != '-'))) {
		*out_r = s->depth == 0 ? *in : plain(s, in);
		if (s->depth == 0)
			*in = span_skip(*in, in->n);
		return true;
	}
	if (in->n > 0)
		ASSERT(buf_append(&s->held, take_line(s, in, DELIMITER_MAX -
		    buf_len(&s->held))) == 0);
	line = buf_span(&s->held);
	whole = !s->mid_line || (in->n == 0 && end);
	*out_r = (struct span){ 0 };
	if (!whole && line.n < DELIMITER_MAX)
		return true;
	if (whole)
		(void)take_delimiter(s, line);
	s->sent = true;
	*out_r = line;
	return true;
}

struct span
surrogate_next(struct surrogate *s, struct span *in, bool end)
{
	struct span	out = { 0 };
	bool		more = true;

	while (more && out.n == 0) {
		if (s->sent) {
			buf_clear(&s->held);
			buf_clear(&s->made);
			s->sent = false;
		}
		more = s->in_body ? body(s, in, end, &out) :
		    header(s, in, end, &out);
	}
	return out;
}

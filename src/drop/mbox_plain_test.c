/* SPDX-License-Identifier: ISC */
#include "drop/mbox_plain.h"

#include "base/alloc.h"
#include "drop/uidl.h"

#include <stdlib.h>

/* A line from `at` on, with its LF if it has one. */
static struct span
line_at(struct span mbox, uint64_t at)
{
	struct span rest = span_skip(mbox, (size_t)at);

	return span_first(rest, span_find(rest, '\n') + 1);
}

static bool
has_lf(struct span line)
{
	return line.n > 0 && line.p[line.n - 1] == '\n';
}

static bool
is_blank(struct span line)
{
	return span_eq(line, SPAN("\n")) || span_eq(line, SPAN("\r\n"));
}

static struct span
without_lf(struct span line)
{
	return span_first(line, line.n - has_lf(line));
}

static bool
is_separator(struct span line)
{
	return from_line_starts(line) && from_line(without_lf(line));
}

/* The From_ line of the next message, or the end: *blank_r: of what line it came. */
static uint64_t
find_next(struct span mbox, uint64_t text, size_t *blank_r)
{
	bool		body = false;
	uint64_t	at = text;

	*blank_r = 0;
	while (at < mbox.n) {
		struct span line = line_at(mbox, at);

		if (body && *blank_r > 0 && is_separator(line))
			return at;
		*blank_r = is_blank(line) ? line.n : 0;
		body = body || *blank_r > 0;
		at += line.n;
	}
	return at;
}

static void
add_mutable(struct mbox_msg *m, struct digest *d, bool *any, struct span line,
    uint64_t at)
{
	if (!*any)
		digest_init(d);
	*any = true;
	for (unsigned i = 0; i < 8; i++)
		digest_add(d, span_of((uint8_t []){
		    (uint8_t)((at - m->text) >> 8 * i) }, 1));
	digest_add(d, line);
}

static void
read_status(struct mbox_msg *m, struct span line, uint64_t at)
{
	for (size_t i = span_find(line, ':'); i < line.n; i++)
		if (line.p[i] >= 'A' && line.p[i] <= 'Z')
			m->letters |= 1u << (line.p[i] - 'A');
	if (m->letters & 1u << ('R' - 'A'))
		m->flags |= MBOX_SEEN;
	if (m->status_len == 0) {
		m->status = at;
		m->status_len = line.n;
	}
}

/* The text's line ends are CRLF, the last is there. */
static uint64_t
wire_size(struct span text)
{
	uint64_t	octets = 0;

	for (size_t i = 0; i < text.n; i++)
		octets += text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r') ?
		    2 : 1;
	return octets + (text.n > 0 && !has_lf(text) ? 2 : 0);
}

/* Identity, header fields, and what is left open at the end. */
static void
read_text(struct span mbox, struct mbox_msg *m, struct digest *kept)
{
	struct digest	changing;
	bool		any = false;
	bool		mutable = false;
	bool		head = true;
	struct span	line;
	struct span	end;

	m->head_end = m->end;
	for (uint64_t at = m->text; at < m->end; at += line.n) {
		line = span_first(line_at(mbox, at), (size_t)(m->end - at));
		if (head && is_blank(line)) {
			head = false;
			m->head_end = at;
		}
		if (head && line.p[0] != ' ' && line.p[0] != '\t') {
			struct span name = mbox_field_name(line);

			mutable = mbox_field_mutable(name);
			if (span_eq_nocase(name, SPAN("Status")))
				read_status(m, line, at);
		}
		if (head && mutable)
			add_mutable(m, &changing, &any, line, at);
		else
			digest_add(kept, line);
	}
	end = m->end == m->text ? SPAN("") :
	    mbox_missing_end(m, mbox.p[m->end - 1]);
	digest_add(head && mutable ? &changing : kept, end);
	if (any)
		digest_take(&changing, m->changing);
	if (m->next == mbox.n && m->next == m->end && head &&
	    mbox.p[mbox.n - 1] != '\n')
		m->flags |= MBOX_HEAD_OPEN;
}

static void
read_message(struct span mbox, struct mbox_msg *m)
{
	struct span	from = line_at(mbox, m->from);
	struct span	bare = without_lf(from);
	bool		cr = bare.n > 0 && bare.p[bare.n - 1] == '\r';
	struct span	text;
	struct digest	kept;
	size_t		blank;

	m->text = m->from + from.n;
	m->next = find_next(mbox, m->text, &blank);
	m->end = m->next - blank;
	m->flags = blank > 0 ? MBOX_SEPARATED : 0;
	if (cr && has_lf(from))
		m->flags |= MBOX_CRLF;
	m->delivered = from_line_when(bare.n > FROM_TAIL ?
	    span_skip(bare, bare.n - FROM_TAIL) : bare);
	text = span_skip(span_first(mbox, (size_t)m->end), (size_t)m->text);
	m->size_wire = wire_size(text);
	if (!span_is_ascii(text))
		m->flags |= MBOX_8BIT;
	digest_init(&kept);
	digest_add(&kept, span_first(bare, bare.n - cr));
	digest_add(&kept, SPAN("\n"));
	read_text(mbox, m, &kept);
	digest_take(&kept, m->digest);
}

bool
mbox_plain(struct span mbox, struct mbox_table *t)
{
	uint64_t at = 0;

	while (at < mbox.n && (mbox.p[at] == '\0' || mbox.p[at] == '\r' ||
	    mbox.p[at] == '\n'))
		at++;
	if (at < mbox.n && !is_separator(line_at(mbox, at)))
		return false;
	while (at < mbox.n) {
		t->m = xgrow(t->m, t->n, &t->cap, sizeof(*t->m));
		t->m[t->n] = (struct mbox_msg){ .from = at };
		read_message(mbox, &t->m[t->n]);
		at = t->m[t->n++].next;
	}
	mbox_number_twins(t);
	return true;
}

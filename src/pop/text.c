/* SPDX-License-Identifier: ISC */
#include "pop/text.h"

#include "base/alloc.h"
#include "drop/recoder.h"

#include <stdlib.h>

void
text_init(struct text *t, const struct view_item *m)
{
	t->m = m;
	t->off = 0;
	t->pos = 0;
	t->n = 0;
	t->mid_line = false;
	t->most = TEXT_FIRST;
	t->recoder = m->recoded ? recoder_new(m->drop, m->index,
	    m->entry.size_disk) : NULL;
	t->made = (struct span){ 0 };
	t->ended = false;
	t->room = TEXT_BLOCK;
	if (t->recoder == NULL && m->entry.size_disk < TEXT_BLOCK)
		t->room = (size_t)m->entry.size_disk;
	t->block = NULL;
}

void
text_begin_at(struct text *t, uint64_t off)
{
	ASSERT(t->recoder == NULL && t->n == 0);
	t->off = off;
}

void
text_fini(struct text *t)
{
	recoder_free(t->recoder);
	t->recoder = NULL;
	free(t->block);
	t->block = NULL;
}

/* At least one octet, from *off on, which is not the end. */
static ssize_t
read_on(const struct view_item *m, uint64_t *off, uint8_t *p, size_t n,
    struct fault *f)
{
	uint64_t left = m->entry.size_disk - *off;
	ssize_t	 got;

	got = drop_ops_of(m->drop)->read(m->drop, m->index, *off, p,
	    n < left ? n : (size_t)left, f);

	if (got == 0)
		return fault_set(f, FAULT_TEMP, "message ends too early");
	if (got > 0)
		*off += (uint64_t)got;
	return got;
}

static ssize_t
read_recoded(struct text *t, uint8_t *p, size_t n, struct fault *f)
{
	struct span part;

	if (t->made.n == 0 && recoder_next(t->recoder, &t->made, f) != 0)
		return -1;
	part = span_first(t->made, n);
	t->ended = part.n == 0;
	if (part.n > 0)
		memcpy(p, part.p, part.n);
	t->made = span_skip(t->made, part.n);
	return (ssize_t)part.n;
}

static bool
at_end(const struct text *t)
{
	return t->recoder != NULL ? t->ended :
	    t->off == t->m->entry.size_disk;
}

/* Make at least `want` octets available, fewer only at the end; read no more
 * than `most` at once. */
static int
fill(struct text *t, size_t want, size_t most, struct fault *f)
{
	size_t	room;
	ssize_t	got;

	while (t->n - t->pos < want && !at_end(t)) {
		if (t->block == NULL)
			t->block = xroom(t->room);
		memmove(t->block, t->block + t->pos, t->n - t->pos);
		t->n -= t->pos;
		t->pos = 0;
		room = t->room - t->n;
		if (room > most)
			room = most;
		got = t->recoder != NULL ?
		    read_recoded(t, t->block + t->n, room, f) :
		    read_on(t->m, &t->off, t->block + t->n, room, f);
		if (got < 0)
			return -1;
		t->n += (size_t)got;
	}
	return 0;
}

/* What the drop has at hand, when nothing else is to be given before. */
static struct span
peek(struct text *t)
{
	const struct view_item	*m = t->m;
	struct span		 s;

	if (t->recoder != NULL || t->n > t->pos || at_end(t) ||
	    drop_ops_of(m->drop)->peek == NULL)
		return SPAN("");
	s = drop_ops_of(m->drop)->peek(m->drop, m->index, t->off);
	if (s.n > m->entry.size_disk - t->off)
		s.n = (size_t)(m->entry.size_disk - t->off);
	t->off += s.n;
	return s;
}

int
text_block(struct text *t, struct span *out, struct fault *f)
{
	*out = peek(t);
	if (out->n > 0)
		return 0;
	if (fill(t, 1, t->room, f) != 0)
		return -1;
	*out = span_of(t->block + t->pos, t->n - t->pos);
	t->pos = t->n;
	return 0;
}

int
text_begin(struct text *t, struct fault *f)
{
	return fill(t, TEXT_AHEAD, t->most, f);
}

int
text_piece(struct text *t, struct text_piece *out, struct fault *f)
{
	struct span	ahead;
	size_t		lf;

	if (t->n - t->pos < TEXT_AHEAD && !at_end(t)) {
		if (fill(t, TEXT_AHEAD, t->most, f) != 0)
			return -1;
		t->most = t->most < TEXT_BLOCK / 2 ? 2 * t->most : TEXT_BLOCK;
	}
	ahead = span_of(t->block + t->pos, t->n - t->pos);
	lf = span_find(ahead, '\n');
	out->ends_line = lf < ahead.n;
	out->begins_line = !t->mid_line;
	out->s = span_first(ahead, lf + 1);
	t->pos += out->s.n;
	t->mid_line = !out->ends_line;
	return 0;
}

bool
text_is_blank(const struct text_piece *p)
{
	return p->begins_line && p->ends_line &&
	    (p->s.n == 1 || (p->s.n == 2 && p->s.p[0] == '\r'));
}

bool
text_is_field(const struct text_piece *p, struct span name)
{
	struct span rest;

	if (name.n > 0 && name.p[name.n - 1] == ':')
		name.n--;
	if (name.n == 0 || !p->begins_line || !span_starts_nocase(p->s, name))
		return false;
	rest = span_trim(span_skip(p->s, name.n));
	return rest.n > 0 && rest.p[0] == ':';
}

static struct span
body_of(struct span line)
{
	struct span body = span_skip(line, span_find(line, ':') + 1);

	while (body.n > 0 && (body.p[body.n - 1] == '\n' ||
	    body.p[body.n - 1] == '\r'))
		body.n--;
	return span_trim(body);
}

ssize_t
text_field(const struct view_item *m, struct span name, char *out, size_t cap,
    struct fault *f)
{
	struct text		*t = xalloc(1, sizeof(*t));
	struct text_piece	 p;
	struct span		 body = { 0 };
	int			 result;

	text_init(t, m);
	while ((result = text_piece(t, &p, f)) == 0 && p.s.n > 0 &&
	    !text_is_blank(&p)) {
		if (!text_is_field(&p, name))
			continue;
		body = span_first(body_of(p.s), cap);
		memcpy(out, body.p, body.n);
		break;
	}
	text_fini(t);
	free(t);
	return result == 0 ? (ssize_t)body.n : -1;
}

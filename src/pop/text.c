/* SPDX-License-Identifier: ISC */
#include "pop/text.h"

#include "base/alloc.h"
#include "proto/dot.h"
#include "proto/surrogate.h"

#include <stdlib.h>

#define RECODER_BLOCK	8192

/* Between the message as it is and as it is sent. */
struct text_recoder {
	struct surrogate	s;
	struct span		in;		/* read, and not yet taken */
	struct span		out;		/* made, and not yet given */
	bool			ended;
	uint8_t			block[RECODER_BLOCK];
};

static struct text_recoder *
recoder_new(void)
{
	struct text_recoder *r = xalloc(1, sizeof(*r));

	surrogate_init(&r->s);
	return r;
}

static void
recoder_free(struct text_recoder *r)
{
	if (r != NULL)
		surrogate_fini(&r->s);
	free(r);
}

void
text_init(struct text *t, const struct view_item *m)
{
	t->m = m;
	t->off = 0;
	t->pos = 0;
	t->n = 0;
	t->mid_line = false;
	t->most = TEXT_FIRST;
	t->recoder = m->recoded ? recoder_new() : NULL;
	t->room = TEXT_BLOCK;
	if (t->recoder == NULL && m->entry.size_disk < TEXT_BLOCK)
		t->room = (size_t)m->entry.size_disk;
	t->block = xalloc(t->room, 1);
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
	ssize_t got = drop_ops_of(m->drop)->read(m->drop, m->index, *off, p, n,
	    f);

	if (got == 0)
		return fault_set(f, FAULT_TEMP, "message ends too early");
	if (got > 0)
		*off += (uint64_t)got;
	return got;
}

/* What comes next, in r->out; nothing at the end.  *taken_r: of what it came. */
static int
recode(struct text_recoder *r, const struct view_item *m, uint64_t *off,
    struct span *taken_r, struct fault *f)
{
	ssize_t	got;
	bool	end;

	if (r->in.n == 0 && *off < m->entry.size_disk) {
		got = read_on(m, off, r->block, sizeof(r->block), f);
		if (got < 0)
			return -1;
		r->in = span_of(r->block, (size_t)got);
	}
	end = *off == m->entry.size_disk;
	*taken_r = r->in;
	r->out = surrogate_next(&r->s, &r->in, end);
	taken_r->n -= r->in.n;
	r->ended = end && r->out.n == 0;
	return 0;
}

static ssize_t
read_recoded(struct text *t, uint8_t *p, size_t n, struct fault *f)
{
	struct text_recoder	*r = t->recoder;
	struct span		 part;

	while (r->out.n == 0 && !r->ended)
		if (recode(r, t->m, &t->off, &part, f) != 0)
			return -1;
	part = span_first(r->out, n);
	if (part.n > 0)
		memcpy(p, part.p, part.n);
	r->out = span_skip(r->out, part.n);
	return (ssize_t)part.n;
}

static bool
at_end(const struct text *t)
{
	return t->recoder != NULL ? t->recoder->ended :
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

int
text_measure(const struct view_item *m, bool *recoded_r, uint64_t *size_r,
    struct fault *f)
{
	struct text_recoder	*r = recoder_new();
	struct dot_counter	 was = { 0 };
	struct dot_counter	 is = { 0 };
	struct span		 taken;
	uint64_t		 off = 0;
	int			 result = 0;

	while (result == 0 && !r->ended && !surrogate_passes(&r->s)) {
		result = recode(r, m, &off, &taken, f);
		if (result == 0) {
			dot_count(&was, taken);
			dot_count(&is, r->out);
		}
	}
	/* What passes is of the same size, and begins a line. */
	*size_r = r->ended ? dot_count_end(&is) :
	    m->entry.size_wire - was.octets + is.octets;
	*recoded_r = r->s.changed;
	recoder_free(r);
	return result;
}

int
text_block(struct text *t, struct span *out, struct fault *f)
{
	if (fill(t, 1, t->room, f) != 0)
		return -1;
	*out = span_of(t->block + t->pos, t->n - t->pos);
	t->pos = t->n;
	return 0;
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

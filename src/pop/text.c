/* SPDX-License-Identifier: ISC */
#include "pop/text.h"

#include "base/alloc.h"

#include <stdlib.h>

void
text_init(struct text *t, const struct view_item *m)
{
	t->m = m;
	t->off = 0;
	t->pos = 0;
	t->n = 0;
	t->mid_line = false;
}

/* Make at least `want` octets available, fewer only at the end. */
static int
fill(struct text *t, size_t want, struct fault *f)
{
	const struct drop_ops	*ops = drop_ops_of(t->m->drop);
	ssize_t			 got;

	while (t->n - t->pos < want && t->off < t->m->entry.size_disk) {
		memmove(t->block, t->block + t->pos, t->n - t->pos);
		t->n -= t->pos;
		t->pos = 0;
		got = ops->read(t->m->drop, t->m->index, t->off,
		    t->block + t->n, sizeof(t->block) - t->n, f);
		if (got < 0)
			return -1;
		if (got == 0)
			return fault_set(f, FAULT_TEMP,
			    "message ends too early");
		t->n += (size_t)got;
		t->off += (uint64_t)got;
	}
	return 0;
}

int
text_block(struct text *t, struct span *out, struct fault *f)
{
	if (fill(t, 1, f) != 0)
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

	if (fill(t, TEXT_AHEAD, f) != 0)
		return -1;
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
	free(t);
	return result == 0 ? (ssize_t)body.n : -1;
}

/* SPDX-License-Identifier: ISC */
#include "drop/recoder.h"

#include "base/alloc.h"
#include "proto/dot.h"
#include "proto/surrogate.h"

#include <stdlib.h>

#define BLOCK	8192

/* Between the message as it is and as it is sent. */
struct recoder {
	struct drop		*drop;		/* borrows */
	size_t			 index;
	uint64_t		 size;
	uint64_t		 off;		/* next octet to read */
	struct surrogate	 s;
	struct span		 in;		/* read, and not yet taken */
	bool			 ended;
	uint8_t			 block[BLOCK];
};

struct recoder *
recoder_new(struct drop *d, size_t i, uint64_t size)
{
	struct recoder *r = xalloc(1, sizeof(*r));

	r->drop = d;
	r->index = i;
	r->size = size;
	surrogate_init(&r->s);
	return r;
}

void
recoder_free(struct recoder *r)
{
	if (r != NULL)
		surrogate_fini(&r->s);
	free(r);
}

static int
read_on(struct recoder *r, struct fault *f)
{
	ssize_t got = drop_ops_of(r->drop)->read(r->drop, r->index, r->off,
	    r->block, sizeof(r->block), f);

	if (got <= 0)
		return got == -1 ? -1 :
		    fault_set(f, FAULT_TEMP, "message ends too early");
	r->off += (uint64_t)got;
	r->in = span_of(r->block, (size_t)got);
	return 0;
}

/* One step; nothing may come of it, and more after it.  *taken_r: of what. */
static int
step(struct recoder *r, struct span *taken_r, struct span *out, struct fault *f)
{
	bool end;

	if (r->in.n == 0 && r->off < r->size && read_on(r, f) == -1)
		return -1;
	end = r->off == r->size;
	*taken_r = r->in;
	*out = surrogate_next(&r->s, &r->in, end);
	taken_r->n -= r->in.n;
	r->ended = end && out->n == 0;
	return 0;
}

int
recoder_next(struct recoder *r, struct span *out, struct fault *f)
{
	struct span taken;

	*out = (struct span){ 0 };
	while (out->n == 0 && !r->ended)
		if (step(r, &taken, out, f) == -1)
			return -1;
	return 0;
}

int
recoder_measure(struct drop *d, size_t i, struct drop_entry *e, struct fault *f)
{
	struct recoder		*r = recoder_new(d, i, e->size_disk);
	struct dot_counter	 was = { 0 };
	struct dot_counter	 is = { 0 };
	struct span		 taken;
	struct span		 out;
	int			 result = 0;

	while (result == 0 && !r->ended && !surrogate_passes(&r->s)) {
		result = step(r, &taken, &out, f);
		if (result == 0) {
			dot_count(&was, taken);
			dot_count(&is, out);
		}
	}
	if (result == 0)
		e->flags &= ~(uint32_t)DROP_8BIT;
	if (result == 0 && r->s.changed) {
		e->flags |= DROP_RECODED;
		/* What passes is of the same size, and begins a line. */
		e->size_surrogate = r->ended ? dot_count_end(&is) :
		    e->size_wire - was.octets + is.octets;
	}
	recoder_free(r);
	return result;
}

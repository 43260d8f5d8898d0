/* SPDX-License-Identifier: ISC */
#include "cmd/uidl_key.h"

#include "base/alloc.h"
#include "base/codec.h"
#include "drop/former.h"
#include "sys/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_N	(BASE64_SIZE(MBOX_DIGEST) + 64 + DROP_UIDL_MAX)

int
uidl_key_tell(int out, const uint8_t *digest, uint64_t number, uint64_t octets,
    struct span uidl, struct fault *f)
{
	char	word[BASE64_SIZE(MBOX_DIGEST) + 1] = "-";
	char	line[LINE_MAX_N];
	int	n;

	if (digest != NULL)
		word[base64_encode(span_of(digest, MBOX_DIGEST), word)] = '\0';
	n = snprintf(line, sizeof(line), "%s %" PRIu64 " %" PRIu64 " %.*s\n", word,
	    number, octets, (int)uidl.n, (const char *)uidl.p);
	return file_write(out, line, (size_t)n, f);
}

/* A message, here or there. */
struct key {
	uint8_t		digest[MBOX_DIGEST];	/* of its header */
	uint64_t	size;
	size_t		place;			/* here, or there */
	struct span	uidl;			/* there */
};
struct keys {
	struct key	*v;		/* owns */
	size_t		 n;
};

static int
by_text(const struct key *a, const struct key *b)
{
	return memcmp(a->digest, b->digest, MBOX_DIGEST);
}

static int
by_text_and_size(const struct key *a, const struct key *b)
{
	int c = by_text(a, b);

	return c != 0 ? c : a->size < b->size ? -1 : a->size > b->size;
}

static int
by_place(const struct key *a, const struct key *b)
{
	return a->place < b->place ? -1 : a->place > b->place;
}

static int
order_by_text(const void *a, const void *b)
{
	int c = by_text(a, b);

	return c != 0 ? c : by_place(a, b);
}

static int
order_by_text_and_size(const void *a, const void *b)
{
	int c = by_text_and_size(a, b);

	return c != 0 ? c : by_place(a, b);
}

/* Those that are alike, in the order that they have; who is left is left in both. */
static void
pair(struct drops *d, struct keys *here, struct keys *there,
    int (*same)(const struct key *, const struct key *),
    int (*order)(const void *, const void *))
{
	struct keys	h = { here->v, 0 };
	struct keys	t = { there->v, 0 };
	size_t		i = 0;
	size_t		j = 0;

	qsort(here->v, here->n, sizeof(*here->v), order);
	qsort(there->v, there->n, sizeof(*there->v), order);
	while (i < here->n || j < there->n) {
		int c = i == here->n ? 1 : j == there->n ? -1 :
		    same(&here->v[i], &there->v[j]);

		if (c < 0) {
			h.v[h.n++] = here->v[i++];
		} else if (c > 0) {
			t.v[t.n++] = there->v[j++];
		} else {
			struct message *v = &d->v[here->v[i++].place];

			ASSERT(span_cstr(there->v[j++].uidl, v->old,
			    sizeof(v->old)));
		}
	}
	*here = h;
	*there = t;
}

static int
key_messages(struct drops *d, struct keys *out, struct fault *f)
{
	out->v = xalloc(d->n + 1, sizeof(*out->v));
	for (size_t i = 0; i < d->n; i++) {
		struct key	*k = &out->v[out->n];
		struct span	 head;
		bool		 whole;

		if (uidl_read_header(d, i, &head, &whole, f) == -1)
			return -1;
		*k = (struct key){ .size = d->v[i].octets, .place = i };
		out->n += former_head_digest(head, whole, k->digest);
	}
	return 0;
}

/* Lines of uidl_key_tell. */
static int
key_lines(struct span rest, struct keys *out, size_t *unknown_r, struct fault *f)
{
	size_t			cap = 0;
	struct former_row	r;
	struct span		line;
	struct span		digest;
	size_t			n;

	for (size_t i = 0; span_line(&rest, &line); i++) {
		struct key k = { .place = i };

		digest = span_word(&line);
		if (former_list_line(line, &r) != FORMER_ROW || !r.sized)
			return fault_set(f, FAULT_PEER, "who asked the old server "
			    "has written nonsense");
		k.size = r.size;
		k.uidl = r.uidl;
		if (!base64_decode(digest, k.digest, sizeof(k.digest), &n) ||
		    n != sizeof(k.digest)) {
			++*unknown_r;
			continue;
		}
		out->v = xgrow(out->v, out->n, &cap, sizeof(*out->v));
		out->v[out->n++] = k;
	}
	return 0;
}

/* By the header, and by the size as well if there is one with it: some servers count
 * what others do not. */
int
uidl_by_keys(struct drops *d, struct fault *f)
{
	struct keys	here = { 0 };
	struct keys	there = { 0 };
	struct buf	b;
	size_t		unknown = 0;
	int		r = uidl_slurp(d->w->list, true, &b, f);

	if (r == 0)
		r = key_lines(buf_span(&b), &there, &unknown, f);
	if (r == 0)
		r = key_messages(d, &here, f);
	if (r == 0 && there.n > 0) {
		pair(d, &here, &there, by_text_and_size, order_by_text_and_size);
		pair(d, &here, &there, by_text, order_by_text);
	}
	if (r == 0 && there.n + unknown > 0)
		fprintf(stderr, "popper uidl: %zu messages of the old server are "
		    "not here\n", there.n + unknown);
	buf_fini(&b);
	free(here.v);
	free(there.v);
	return r;
}

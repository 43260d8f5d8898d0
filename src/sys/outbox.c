/* SPDX-License-Identifier: ISC */
#include "sys/outbox.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_MS	10		/* to who, or to a kernel that, has no room */

struct outbox_kept {
	struct outbox_kept	*next;
	uint32_t		 tag;
	uint16_t		 type;
	uint8_t			 nfds;
	int			 fds[LINK_FDS_MAX];	/* owns */
	size_t			 n;
	uint8_t			 b[];		/* a message takes 4 KiB */
};

static void
kept_free(struct outbox_kept *k)
{
	while (k->nfds > 0)
		fd_close(&k->fds[--k->nfds]);
	free(k);
}

static void
forget_first(struct outbox *o)
{
	struct outbox_kept *k = o->first;

	o->first = k->next;
	if (o->first == NULL)
		o->end = &o->first;
	o->n--;
	kept_free(k);
}

static void
on_again(void *ctx, unsigned what UNUSED)
{
	struct outbox			*o = ctx;
	UNZEROED struct link_out	 m;
	struct fault			 f;

	while (o->first != NULL) {
		const struct outbox_kept *k = o->first;
		uint32_t	tag = k->tag;
		bool		sent;

		link_out_init(&m, k->type);
		link_put_raw(&m, span_of(k->b, k->n));
		sent = link_send(o->link, &m, k->fds, k->nfds, &f) == 0;
		if (!sent && link_busy(&f)) {
			loop_watch_set(&o->again, 0, AGAIN_MS);
			return;
		}
		forget_first(o);
		if (!sent)	/* who hears it may clear all, or put more */
			o->lost(o->ctx, m.type, tag, &f);
	}
}

void
outbox_init(struct outbox *o, struct loop *l)
{
	o->n = 0;
	o->first = NULL;
	o->end = &o->first;
	loop_watch_init(&o->again, l, -1, on_again, o);
}

void
outbox_clear(struct outbox *o)
{
	loop_watch_fini(&o->again);
	while (o->first != NULL)
		forget_first(o);
}

static int
keep(struct outbox *o, const struct link_out *m, uint32_t tag, const int *fds,
    uint8_t nfds, struct fault *f)
{
	struct outbox_kept *k;

	if (o->n >= o->max)
		return fault_set(f, FAULT_LIMIT, "message %u: %zu are not read",
		    m->type, o->n);
	k = xalloc(1, sizeof(*k) + m->n);
	k->tag = tag;
	k->type = m->type;
	k->n = m->n;
	memcpy(k->b, m->b, m->n);
	for (; k->nfds < nfds; k->nfds++)
		if (fd_dup_high(fds[k->nfds], &k->fds[k->nfds], f) != 0) {
			kept_free(k);
			return -1;
		}
	*o->end = k;
	o->end = &k->next;
	o->n++;
	if (o->n == 1)
		loop_watch_set(&o->again, 0, AGAIN_MS);
	return 0;
}

void
outbox_put(struct outbox *o, const struct link_out *m, uint32_t tag,
    const int *fds, uint8_t nfds)
{
	struct fault	f;
	bool		done = false;
	bool		waits = o->first != NULL;

	if (!waits) {
		done = link_send(o->link, m, fds, nfds, &f) == 0;
		waits = !done && link_busy(&f);
	}
	if (waits)
		done = keep(o, m, tag, fds, nfds, &f) == 0;
	if (!done)
		o->lost(o->ctx, m->type, tag, &f);
}

int
outbox_renew(struct outbox *o, const struct link_out *m, struct link_ends *p,
    const int *end, struct fault *f)
{
	struct link_ends old = *p;

	if (link_pair(&p->a, &p->b, f) != 0) {
		*p = old;
		return -1;
	}
	outbox_put(o, m, 0, end, 1);
	link_ends_close(&old);
	return 0;
}

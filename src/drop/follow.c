/* SPDX-License-Identifier: ISC */
#include "drop/follow.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <stdlib.h>

#define BLOCK	512
#define TAIL	8			/* a line's end, and the separator */

struct follow {
	const struct mbox_msg	*m;	/* borrows; NULL: none is followed */
	uint64_t		 off;	/* of its text, what comes next */
	size_t			 ntail;
	uint8_t			 tail[TAIL];
	struct mbox_table	 table;
	struct mbox_scan	 scan;
};

struct follow *
follow_new(void)
{
	/* a digest's state wants more than malloc's alignment */
	return xalloc_aligned(_Alignof(struct follow), sizeof(struct follow));
}

void
follow_free(struct follow *w)
{
	if (w != NULL)
		mbox_table_fini(&w->table);
	free(w);
}

void
follow_begin(struct follow *w, int fd, const struct mbox_msg *m)
{
	uint8_t block[BLOCK];

	mbox_table_fini(&w->table);
	mbox_scan_init(&w->scan, &w->table);
	w->scan.pos = m->from;
	while (w->scan.pos < m->text) {
		uint64_t left = m->text - w->scan.pos;
		ssize_t	 got = file_pread(fd, block, left < BLOCK ?
			    (size_t)left : BLOCK, w->scan.pos, NULL);

		if (got <= 0)
			break;
		mbox_scan_feed(&w->scan, span_of(block, (size_t)got));
	}
	w->m = m;
	w->off = 0;
}

void
follow_tail(struct follow *w, int fd, const struct mbox_msg *m, uint64_t size)
{
	uint64_t at = m->text + size;
	size_t	 n = m->next - at < TAIL ? (size_t)(m->next - at) : TAIL;
	ssize_t	 got = n == 0 ? 0 : file_pread(fd, w->tail, n, at, NULL);

	w->ntail = got > 0 ? (size_t)got : 0;
}

static bool
is_it(const struct follow *w, const struct mbox_msg *m)
{
	return w->table.n == 1 &&
	    memcmp(w->table.m[0].digest, m->digest, MBOX_DIGEST) == 0 &&
	    memcmp(w->table.m[0].changing, m->changing, MBOX_DIGEST) == 0;
}

bool
follow_octets(struct follow *w, const struct mbox_msg *m, uint64_t size,
    uint64_t off, struct span octets)
{
	if (w->m != m || w->off != off) {
		w->m = NULL;
		return true;
	}
	mbox_scan_feed(&w->scan, octets);
	w->off += octets.n;
	if (w->off < size)
		return true;
	w->m = NULL;
	mbox_scan_feed(&w->scan, span_of(w->tail, w->ntail));
	return mbox_scan_end(&w->scan, NULL) == 0 && is_it(w, m);
}

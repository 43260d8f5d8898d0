/* SPDX-License-Identifier: ISC */
/*
 * What a session sees: the maildrop's messages and behind them the new
 * bulletins, or a board's messages, as one numbered list with marks.
 * Floor 3, pure but for the drops it is handed.  Numbers never move.
 *
 * msgno: 1..n, as the client says it.  index: 0..n-1.
 */
#ifndef POP_VIEW_H
#define POP_VIEW_H

#include "base/attr.h"
#include "drop/drop.h"

struct view_item {
	struct drop		*drop;		/* borrows */
	size_t			 index;		/* in that drop */
	struct drop_entry	 entry;		/* unique-id made distinct */
	uint64_t		 maxima;	/* RFC 1082; boards only */
	bool			 recoded;	/* for who is not in UTF-8 mode: what
						   is sent is a surrogate */
	bool			 deleted;
	bool			 retrieved;
};

struct view {
	struct view_item	*items;		/* owns */
	size_t			 n;
	size_t			 own;		/* the first ones are the
						   maildrop's, the rest bulletins */
	size_t			 left;		/* not marked deleted */
	uint64_t		 left_octets;	/* wire */
	uint32_t		 last;		/* RFC 1081 LAST */
	uint32_t		 last_at_login;
	bool			 read_only;	/* a board: DELE is a no-op */
};

/*
 * Concatenate.  bulletins may be NULL.  last_at_login comes from the
 * messages' DROP_SEEN flags.  O(n log n).
 */
void	view_init(struct view *v, struct drop *maildrop, struct drop *bulletins);
void	view_fini(struct view *v);

/* NULL when there is no such message. */
struct view_item	*view_find(struct view *v, uint64_t msgno);

void	view_delete(struct view *v, struct view_item *m);
/* RSET: marks off, LAST as at login. */
void	view_reset(struct view *v);
/* RETR and DELE raise LAST (RFC 1081). */
void	view_touch(struct view *v, const struct view_item *m);
uint32_t	view_msgno(const struct view *v, const struct view_item *m);

#endif

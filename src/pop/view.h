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

enum view_utf8 {
	VIEW_AS_IS,			/* nothing is recoded */
	VIEW_MARKED,			/* what would have to be is */
	VIEW_DOWNGRADED,		/* and has the size of its surrogate */
};

struct view {
	struct drop		*maildrop;	/* borrows */
	struct drop		*bulletins;	/* borrows */
	struct view_item	*items;		/* owns; zero until view_at */
	bool			*known;		/* owns; that they are there */
	size_t			 n;
	size_t			 own;		/* the first ones are the
						   maildrop's, the rest bulletins */
	size_t			 left;		/* not marked deleted */
	uint64_t		 left_octets;	/* wire */
	uint64_t		 octets;	/* the same of all */
	enum view_utf8		 utf8;
	bool			 eight_bit;	/* some have DROP_8BIT */
	int64_t			 surrogates;	/* drop_totals */
	bool			 marked;	/* one was deleted or retrieved */
	uint64_t		 oldest;	/* least known `delivered` of own
						   messages; 0: none is known */
	uint32_t		 last;		/* RFC 1081 LAST */
	uint32_t		 last_at_login;
	bool			 read_only;	/* a board: DELE is a no-op */
};

/*
 * Concatenate.  bulletins may be NULL.  last_at_login comes from the
 * messages' DROP_SEEN flags.  O(1) where the drops tell totals and there is no
 * bulletin; else O(n log n).
 */
void	view_init(struct view *v, struct drop *maildrop, struct drop *bulletins);
void	view_fini(struct view *v);
/*
 * RFC 6856 s.2, s.5, of a fresh view.  O(1) when the drops have measured what has
 * octets beyond ASCII and nothing else is known of the messages; else a look at the
 * header of each of those, and at all of it when it has parts.
 */
void	view_recode(struct view *v, enum view_utf8 how);

/* i from 0 to n-1.  NULL: its entry cannot be found out. */
struct view_item	*view_at(struct view *v, size_t i, struct fault *f);
static inline bool
view_is_deleted(const struct view *v, size_t i)
{
	return v->known[i] && v->items[i].deleted;
}
/* What LIST and UIDL tell of it, as drop_ops.size and uidl do. */
int	view_size(const struct view *v, size_t i, uint64_t *wire_r,
	    struct fault *f) MUSTUSE;
char	*view_uidl(const struct view *v, size_t i, char *out, struct fault *f)
	    MUSTUSE;
/* All of them: then what items[] says is so. */
int	view_all(struct view *v, struct fault *f) MUSTUSE;
/* NULL when there is no such message: FAULT_NONE; or as above. */
struct view_item	*view_find(struct view *v, uint64_t msgno,
			    struct fault *f);

void	view_delete(struct view *v, struct view_item *m);
void	view_retrieve(struct view *v, struct view_item *m);
/* RSET: marks off, LAST as at login. */
void	view_reset(struct view *v);
uint32_t	view_msgno(const struct view *v, const struct view_item *m);

#endif

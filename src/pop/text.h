/* SPDX-License-Identifier: ISC */
/*
 * The text of one message, read forward in pieces that know where lines
 * begin and end.  Floor 3.  Memory does not depend on the message or on the
 * length of its lines.
 */
#ifndef POP_TEXT_H
#define POP_TEXT_H

#include "base/attr.h"
#include "pop/view.h"

#define TEXT_BLOCK	32768u
/* Who looks at pieces mostly wants a header: so much is read at first, and twice
 * as much each time. */
#define TEXT_FIRST	2048u
/* A piece that begins a line has at least so many octets of it (or all). */
#define TEXT_AHEAD	1024u

struct text {
	const struct view_item	*m;		/* borrows */
	uint64_t		 off;		/* next octet to read */
	size_t			 pos;
	size_t			 n;
	size_t			 most;		/* of the next read, for pieces */
	bool			 mid_line;	/* the last piece ended no line */
	struct recoder		*recoder;	/* owns; of a message so sent */
	struct span		 made;		/* by it, and not yet given */
	bool			 ended;		/* it has no more */
	size_t			 room;		/* of block: the message's size, or
						   TEXT_BLOCK */
	uint8_t			*block;		/* owns */
};

void	text_init(struct text *t, const struct view_item *m);
void	text_fini(struct text *t);
/* Of one that is not recoded, and not yet read: begin there. */
void	text_begin_at(struct text *t, uint64_t off);

/* Have the first octets at hand, for pieces: -1 when they cannot be read. */
int	text_begin(struct text *t, struct fault *f) MUSTUSE;

/*
 * All that is read ahead, as one span (several lines, the last perhaps
 * unfinished); empty at the end.  Until the next call, also of the drop.  -1 when that
 * cannot be read.
 */
int	text_block(struct text *t, struct span *out, struct fault *f) MUSTUSE;

struct text_piece {
	struct span	s;		/* into t; with its LF if it has one */
	bool		begins_line;
	bool		ends_line;
};
/* The next piece of at most one line; s.n == 0 at the end. */
int	text_piece(struct text *t, struct text_piece *out, struct fault *f)
	    MUSTUSE;

/* An empty line, or just a CR. */
bool	text_is_blank(const struct text_piece *p);

/* Does this piece begin the header field `name` (any case)?  A colon at the
 * end of name does not count. */
bool	text_is_field(const struct text_piece *p, struct span name);

/*
 * The first line of a field's body, trimmed, at most cap octets, into out;
 * 0 when there is no such field.  O(header).
 */
ssize_t	text_field(const struct view_item *m, struct span name, char *out,
	    size_t cap, struct fault *f) MUSTUSE;

#endif

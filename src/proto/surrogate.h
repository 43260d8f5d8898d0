/* SPDX-License-Identifier: ISC */
/*
 * A message for a client that is not in UTF-8 mode (RFC 6856 s.2.1): fields of its
 * header, and of the headers of its MIME parts and of messages within, go through
 * proto/recode.h, all else passes.  Floor 1, pure.  Memory: a field and what is
 * made of it, whatever the message.
 *
 * Octets beyond ASCII in a field of more than RECODE_FIELD_MAX octets become
 * question marks: such a field is sent before all of it is seen.
 */
#ifndef PROTO_SURROGATE_H
#define PROTO_SURROGATE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

#define SURROGATE_DEPTH		8	/* of parts within parts; deeper ones pass */
#define SURROGATE_BOUNDARY	70	/* octets; RFC 2046 s.5.1.1 */

struct surrogate {
	bool		changed;	/* something is not as it was */
	/* private */
	bool		in_body;
	bool		mid_line;	/* the last octet taken ended no line */
	bool		over;		/* the rest of a field that is too long */
	bool		sent;		/* what the next two hold was */
	struct buf	held;		/* a field, or what may be a delimiter */
	struct buf	made;
	enum {
		SURROGATE_LEAF,
		SURROGATE_PARTS,
		SURROGATE_MESSAGE,
	}		next;		/* what follows this header */
	struct surrogate_boundary {
		size_t	n;
		uint8_t	text[SURROGATE_BOUNDARY];
	}		to;		/* that of this header */
	size_t		depth;
	struct surrogate_boundary open[SURROGATE_DEPTH];
};

void	surrogate_init(struct surrogate *s);
void	surrogate_fini(struct surrogate *s);

/*
 * The next octets that are sent; *in is advanced.  They are good until the next
 * call, and as long as *in's are.  None: all of *in was taken, and with `end` (no
 * more will come) that is the end.
 */
struct span	surrogate_next(struct surrogate *s, struct span *in, bool end);

/* From here on everything passes. */
bool	surrogate_passes(const struct surrogate *s);

#endif

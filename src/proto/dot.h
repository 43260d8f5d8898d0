/* SPDX-License-Identifier: ISC */
/*
 * Message text for the wire and back: line ends, dot-stuffing, the lone dot.
 * Floor 1, pure.  RFC 1939 s.3; sizes are those of s.11: with CRLF line ends,
 * without the doubled dots, without the final ".".
 *
 * On the way out: LF becomes CRLF; CRLF stays CRLF; a CR elsewhere is passed
 * as it is; NUL and every other octet pass; a last line without line end gets
 * one (and it is counted).
 */
#ifndef PROTO_DOT_H
#define PROTO_DOT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

/* State between blocks; start with {0}. */
struct dot_encoder {
	bool		mid_line;	/* the last octet was no line end */
	bool		after_cr;
};

/*
 * Encode from *in (advanced) into out until *in is used up or out has no room
 * for more: then call again.  Progress is made whenever out has room for four
 * octets.  O(octets taken): a few wide copies a line, no work per octet, however
 * small the room and however long the line.
 */
void	dot_encode(struct dot_encoder *e, struct span *in, struct buf *out);
/* The missing line end, if any, and ".\r\n"; needs 5 octets of room. */
int	dot_encode_end(struct dot_encoder *e, struct buf *out) MUSTUSE;

/*
 * Octets of the text on the wire; the same state, no output.  Start with {0}.
 * O(n), one look at each 64 octets.
 */
struct dot_counter {
	uint64_t	octets;
	bool		mid_line;
	bool		after_cr;
	bool		is_8bit;	/* one of them is no ASCII */
};
void		dot_count(struct dot_counter *c, struct span text);
/* Only up to the next line that begins with `first`, be it that a line begins with
 * `text` itself.  Returns how much that is: of some text at least an octet. */
size_t		dot_count_until(struct dot_counter *c, struct span text,
		    uint8_t first) MUSTUSE;
/* What was counted last, whole lines, is none of the text; is_8bit stays. */
void		dot_take_back(struct dot_counter *c, struct span lines);
uint64_t	dot_count_end(struct dot_counter *c);
/* Does a line of the text that comes next begin with a dot?  To be asked before it
 * is counted.  A text without such lines that is on the wire of its own size is
 * there just what it is. */
bool		dot_begins_line(const struct dot_counter *c, struct span text);

/*
 * The way in, for XTND XMIT: CRLF (or LF) becomes LF, a leading dot is taken
 * off, a line that is just "." ends; a CR elsewhere and every other octet pass.
 * Start with {0}.
 */
struct dot_decoder {
	uint8_t		state;
	bool		done;
};
/*
 * Decode from *in (advanced) into out; stops behind the final line (then
 * done is true and *in begins with what follows) or when out is full.
 * O(octets taken), by runs as above.
 */
void	dot_decode(struct dot_decoder *d, struct span *in, struct buf *out);

#endif

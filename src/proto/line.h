/* SPDX-License-Identifier: ISC */
/*
 * Bytes to command lines; the one place that decides what ends a line: LF,
 * with the CR before it, if there, taken off (old clients send bare LF).
 * Floor 1, pure.  Any split of the input gives the same lines.
 */
#ifndef PROTO_LINE_H
#define PROTO_LINE_H

#include "base/span.h"
#include "proto/limits.h"

struct line_reader {
	size_t	n;			/* octets of an unfinished line */
	bool	swallowing;		/* over-long: waiting for its LF */
	uint8_t	b[LIMIT_LINE];
};

enum line_result {
	LINE_MORE,			/* *in is used up, no line yet */
	LINE_READY,			/* *line_r is a line, without its end */
	LINE_TOO_LONG,			/* one such line has ended: answer once */
};

/* Wipes too: call it again behind a line that held a password. */
void	line_init(struct line_reader *r);

/*
 * Take bytes from *in (it is advanced) until a line is complete.  *line_r
 * points into *in or into r and is valid until the next call.  A line counts
 * as too long when it is longer than LIMIT_LINE, its end included.
 * O(octets taken), at most one copy.
 */
enum line_result	line_feed(struct line_reader *r, struct span *in,
			    struct span *line_r);

/* An unfinished line is kept?  Then its bytes (for a hand-over, which happens
 * behind a complete line and so never in the middle of an over-long one). */
struct span	line_pending(const struct line_reader *r);

#endif

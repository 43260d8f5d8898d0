/* SPDX-License-Identifier: ISC */
/*
 * Bytes to command lines; the one place that decides what ends a line: LF,
 * with the CR before it, if there, taken off (old clients send bare LF).
 * Floor 1, pure.  Any split of the input gives the same lines.
 */
#ifndef PROTO_LINE_H
#define PROTO_LINE_H

#include "base/buf.h"
#include "proto/limits.h"

enum line_width {
	LINE_NARROW,			/* LIMIT_LINE */
	LINE_AUTH,			/* but LIMIT_AUTH_LINE for AUTH */
	LINE_WIDE,			/* LIMIT_AUTH_LINE, whatever it is */
};

struct line_reader {
	enum line_width	wide;		/* set it between lines */
	/* private */
	bool		swallowing;	/* over-long: waiting for its LF */
	bool		given;		/* part was the last line */
	struct buf	part;		/* of an unfinished line; wiped */
};

enum line_result {
	LINE_MORE,			/* *in is used up, no line yet */
	LINE_READY,			/* *line_r is a line, without its end */
	LINE_TOO_LONG,			/* one such line has ended: answer once */
};

/* Nothing is allocated before a line comes in parts. */
void	line_init(struct line_reader *r);
void	line_fini(struct line_reader *r);

/*
 * Take bytes from *in (it is advanced) until a line is complete.  *line_r
 * points into *in or into r and is valid until the next call.  A line counts
 * as too long when it is longer than its limit, its end included.
 * O(octets taken), at most one copy.
 */
enum line_result	line_feed(struct line_reader *r, struct span *in,
			    struct span *line_r);

/* An unfinished line is kept?  Then its bytes (for a hand-over, which happens
 * behind a complete line and so never in the middle of an over-long one). */
struct span	line_pending(const struct line_reader *r);

#endif

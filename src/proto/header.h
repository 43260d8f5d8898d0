/* SPDX-License-Identifier: ISC */
/*
 * The fields of a message header that lies in memory.  Floor 1, pure.  RFC 5322
 * s.2.2, read as mail really is: LF or CRLF line ends, blanks before the colon.
 */
#ifndef PROTO_HEADER_H
#define PROTO_HEADER_H

#include "base/span.h"

struct header_field {
	struct span	name;		/* without colon; empty: no field, a
					   line that has none */
	struct span	value;		/* behind the colon, up to the last line
					   end of the field (not included); line
					   ends of folding are in it */
};

/*
 * Cut the next field, with its continuation lines, off *rest.  False at the
 * blank line (it is cut off: *rest is the body) and at the end.  O(field).
 */
bool	header_next(struct span *rest, struct header_field *out);

#endif

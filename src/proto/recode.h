/* SPDX-License-Identifier: ISC */
/*
 * One header field with UTF-8 in it (RFC 6532) as a client that does not know of
 * that reads it: RFC 6858, but kinder where RFC 2047 and RFC 2231 can say it.
 * Floor 1, pure.
 *
 *   an address	its text as the name of one that is nobody's
 *   a name, a comment	encoded words
 *   a parameter	percent signs
 *   other fields	encoded words; those that programs read are left out
 */
#ifndef PROTO_RECODE_H
#define PROTO_RECODE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

/* What recode_field is given at the most, and what it makes of that at the most. */
#define RECODE_FIELD_MAX	32768u
#define RECODE_MOST		20u	/* octets for one */
#define RECODE_MADE_MAX		(RECODE_MOST * RECODE_FIELD_MAX)

/* RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
bool	utf8_is_valid(struct span s);

enum recoded {
	RECODED_SAME,		/* it can be sent as it is */
	RECODED_OTHER,		/* what is in out is to be sent */
	RECODED_NONE,		/* it cannot be told: it is left out */
};

/*
 * A whole field, with its line ends.  out is empty, with RECODE_MADE_MAX octets of
 * room.  What is no UTF-8 is no field of RFC 6532, and stays as it is: for such
 * fields clients have had their guesses for decades.  O(octets).
 */
enum recoded	recode_field(struct span field, struct buf *out);

/*
 * The value of a parameter of Content-Type and its like, without quotes, at most
 * cap octets, into out; 0: there is none, or it is longer.
 */
size_t	recode_param(struct span value, struct span name, uint8_t *out,
	    size_t cap);

#endif

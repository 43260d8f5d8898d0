/* SPDX-License-Identifier: ISC */
/*
 * The line that begins a message in a mailbox: "From ", a sender, a date that
 * is loosely ctime's.  Floor 1, pure.  The one place that decides: maildrop
 * scanner, bulletins and quoting must never disagree about where a message
 * begins.  RFC 4155 has the strict form; what is accepted here is wider.
 */
#ifndef PROTO_FROM_LINE_H
#define PROTO_FROM_LINE_H

#include "base/attr.h"
#include "base/span.h"

/* "From ", with its blank: such a line gets a '>' when it is text. */
bool	from_line_starts(struct span line);

/*
 * Is this whole line, without its LF (a CR before it does not matter), a
 * separator?  Accepted after a sender of any form, or none, and whatever
 * follows it: weekday, month and day (either order), time with or without
 * seconds, and a year with up to three words between (zone names, offsets);
 * what follows the year does not matter ("remote from x").  Whether the line
 * stands at the file's start or after a blank line is for the caller to know.
 *
 * No line is too long, and none has too many words: the sender is a stranger's
 * choice (quoted, it may be a sentence, or thousands of octets; even a date),
 * and where such a line is not found two messages are one.
 */
bool	from_line(struct span line);

/*
 * The same for a line that comes in pieces.  Start with {0}, feed all its
 * octets but the LF, in pieces of any size; from_match_end says what it was.
 * O(octets); the line itself is not kept.
 */
#define FROM_WORD_MAX	9		/* "00:00:00", and a CR */

struct from_match {
	uint8_t		prefix;		/* octets of "From " that were there */
	bool		other;		/* it begins in another way */
	bool		after_cr;
	unsigned	at;		/* how much of a date ends here */
	size_t		n;		/* of this word, also when too long */
	uint8_t		word[FROM_WORD_MAX];
};
/*
 * When such a line says that its message was delivered, by the end of the line, of
 * which FROM_TAIL octets are enough: seconds since 1970, as if the time were UTC's.
 * Mostly it is the local time of some host, so it may be wrong by a day in either
 * direction.  0: not known: another form than ctime's (with a zone, perhaps), a day
 * that there was not or that had another name, or a year before 1990.
 */
#define FROM_TAIL	40
uint64_t	from_line_when(struct span tail) MUSTUSE;

void	from_match_feed(struct from_match *m, struct span part);
bool	from_match_end(struct from_match *m) MUSTUSE;

#endif

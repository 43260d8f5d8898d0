/* SPDX-License-Identifier: ISC */
/*
 * The line that begins a message in a mailbox: "From ", a sender, a date that
 * is loosely ctime's.  Floor 1, pure.  The one place that decides: maildrop
 * scanner, bulletins and quoting must never disagree about where a message
 * begins.  RFC 4155 has the strict form; what is accepted here is wider.
 */
#ifndef PROTO_FROM_LINE_H
#define PROTO_FROM_LINE_H

#include "base/span.h"

/* A longer line (without its LF) is text, whatever it says. */
#define FROM_LINE_MAX	1024

/* "From ", with its blank: such a line gets a '>' when it is text. */
bool	from_line_starts(struct span line);

/*
 * Is this whole line, without its LF (a CR before it does not matter), a
 * separator?  Accepted after a sender of any form, or none, and whatever
 * follows it: weekday, month and day (either order), time with or without
 * seconds, and a year with up to three words between (zone names, offsets);
 * what follows the year does not matter ("remote from x").  Whether the line
 * stands at the file's start or after a blank line is for the caller to know.
 */
bool	from_line(struct span line);

#endif

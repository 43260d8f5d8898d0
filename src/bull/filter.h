/* SPDX-License-Identifier: ISC */
/*
 * A bulletin on its way into a maildrop: the file as the operator made it goes
 * in, in blocks of any size; one message in mailbox form comes out.  Floor 2,
 * pure.  Memory does not depend on the length of a line, nor does what it is.
 *
 * Copied byte for byte, but for the header: the first To: field becomes
 * "To: user@host" (the manual; with its continuation lines, which in the old
 * code remained and extended the new one), further To: fields, Status: and
 * X-UIDL: go.  A bulletin without To: gets none: the manual replaces, it does
 * not add.  At the end what is missing of a line end and a blank line is added,
 * in the style (LF or CRLF) of the file.
 */
#ifndef BULL_FILTER_H
#define BULL_FILTER_H

#include "base/attr.h"
#include "base/span.h"
#include "proto/from_line.h"

#define BULL_HEAD	1024		/* octets that tell a header field's name */

enum bull_verdict {
	BULL_GOOD,
	BULL_NO_FROM,			/* first line is no From_ line */
	BULL_TWO,			/* a second From_ line after a blank line */
	BULL_VERDICTS
};
/* For the operator; NULL for BULL_GOOD. */
const char	*bull_verdict_text(enum bull_verdict v);

struct bull_filter {
	const char	*to;		/* "user@host"; borrows */
	int		(*put)(void *ctx, struct span s);
	void		*ctx;
	enum bull_verdict verdict;
	enum {
		BULL_AT_FROM,
		BULL_IN_HEADER,
		BULL_IN_BODY
	}		 place;
	bool		 keep;		/* this field is copied */
	bool		 to_done;
	bool		 judged;	/* the start of this line was: the rest
					   follows its fate */
	bool		 own_end;	/* a line of ours waits for its line end */
	bool		 blank;		/* this line is */
	bool		 after_blank;
	bool		 separated;	/* the last line is a blank one that does
					   not end the header */
	bool		 crlf;		/* style of the last line end */
	uint8_t		 last;		/* octet before the next one */
	size_t		 n;
	uint8_t		 head[BULL_HEAD + 1]; /* start of this line */
	struct from_match from;		/* of all of it */
};

/* put takes each piece of the result and returns 0, or -1 to stop. */
void	bull_filter_init(struct bull_filter *f, const char *to,
	    int (*put)(void *ctx, struct span s), void *ctx);
/* -1 when put said so.  Once the verdict is bad, nothing more is put. */
int	bull_filter_feed(struct bull_filter *f, struct span in) MUSTUSE;
/* The end of the file; then f->verdict holds. */
int	bull_filter_end(struct bull_filter *f) MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * One pass over a mailbox: where its messages begin and end, what they weigh
 * on the wire, who they are.  Floor 2, pure: it is fed blocks of any size, and
 * any split of the same octets gives the same table.  O(octets), one table row
 * a message, and MBOX_HELD octets besides: no line or message is too long.
 *
 * A message begins with a From_ line (proto/from_line.h) at the start of the
 * file or after a blank line, that is an empty one or one of a CR alone.  NULs
 * and blank lines before the first one (holes that a crash left) belong to no
 * message; anything else there means that the file is no mailbox.
 *
 * The text of a message is what stands behind its From_ line, without exactly
 * one blank line at its end, the separator.  Content-Length is not believed.
 *
 * Identity is a digest of the From_ line (without its line end) and the text
 * without the fields that mail programs rewrite; see mbox_field_mutable().
 * A last line without LF counts as if it had one: who appends to the file, we
 * among others, gives it one, and it is the same message for all that.
 */
#ifndef DROP_MBOX_SCAN_H
#define DROP_MBOX_SCAN_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"
#include "drop/digest.h"
#include "proto/dot.h"
#include "proto/from_line.h"

#include <sys/types.h>

/* What is looked at of a header line. */
#define MBOX_HELD	2048
/* Octets from which on what is not in memory is read past the page cache: who logs in
 * to less reads much of it next, and should find it there. */
#define MBOX_LONG	((uint64_t)256 << 20)
/* Messages in one table; what follows in the file is left as one rest. */
#define MBOX_MAX	(1u << 21)
#define MBOX_DIGEST	DIGEST_SIZE	/* octets of an identity */

enum {					/* mbox_msg.flags */
	MBOX_SEEN	= 1u << 0,	/* a Status: field with an R */
	MBOX_HIDDEN	= 1u << 1,	/* c-client's pseudo-message */
	MBOX_CRLF	= 1u << 2,	/* its From_ line ends so */
	MBOX_HEAD_OPEN	= 1u << 3,	/* the header's last line has no LF */
	MBOX_SEPARATED	= 1u << 4,	/* a blank line follows the text */
	MBOX_GONE	= 1u << 5,	/* no longer in the spool (in place) */
	MBOX_8BIT	= 1u << 6,	/* octets beyond ASCII in it, and rows.c
					   has not measured it */
	MBOX_DOUBTED	= 1u << 7,	/* to be looked at before it is read (in
					   place) */
	MBOX_RECODED	= 1u << 8,	/* measured: a surrogate is another text */
};

/* Offsets in octets from the file's start. */
struct mbox_msg {
	uint64_t	from;		/* the From_ line */
	uint64_t	text;		/* behind the From_ line */
	uint64_t	end;		/* of the text */
	uint64_t	next;		/* From_ line of the next, or the file's
					   end */
	uint64_t	size_wire;	/* of the text; proto/dot.h */
	uint64_t	size_surrogate;	/* MBOX_RECODED: of its surrogate; else 0 */
	uint64_t	head_end;	/* where a header line could be added */
	uint64_t	status_len;	/* first Status: line with its line end;
					   0: there is none */
	uint64_t	status;		/* where it begins */
	uint64_t	delivered;	/* from_line_when() */
	uint32_t	letters;	/* of all Status: fields: bit n is 'A'+n */
	uint32_t	twin;		/* 1, 2... among equal digests, by order;
					   set by mbox_number_twins() */
	uint32_t	flags;
	uint8_t		digest[MBOX_DIGEST];
	uint8_t		changing[MBOX_DIGEST];	/* of the fields left out of
						   digest, and where they
						   stand; 0 when none */
};

struct mbox_table {
	struct mbox_msg	*m;		/* owns */
	size_t		 n;
	size_t		 cap;
};
void	mbox_table_fini(struct mbox_table *t);

enum mbox_part {
	PART_PREAMBLE,			/* nothing but NULs and blank lines yet */
	PART_HEAD,
	PART_BODY,
	PART_REST,			/* behind MBOX_MAX messages */
	PART_FOREIGN,			/* it is no mailbox */
};

enum mbox_take {
	TAKE_HOLD,			/* collect the line: not decided yet */
	TAKE_KEEP,			/* the rest of the line is identity */
	TAKE_MUTABLE,			/* the rest of the line is not */
	TAKE_FROM,			/* is it a From_ line?  Its end tells */
};

struct mbox_scan {
	struct mbox_table	*out;	/* borrows */
	size_t			 max;	/* rows */
	uint64_t		 pos;	/* octets consumed */
	uint64_t		 line;	/* where the current line began */
	enum mbox_part		 part;
	enum mbox_take		 take;
	bool			 after_blank;
	size_t			 nblank;	/* octets of a blank line that
						   may be the separator */
	bool			 mutable;	/* the current field is */
	bool			 in_status;	/* in the first Status: line */
	unsigned		 signs;		/* of c-client, see there */
	bool			 changing;	/* second digest has begun */
	struct mbox_msg		 cur;
	struct dot_counter	 wire;
	struct digest		 digest;
	struct digest		 change_digest;
	/* TAKE_FROM: the line counts as text until it turns out to be none. */
	struct from_match	 match;
	struct digest		 from_digest;	/* of what it would begin */
	bool			 from_cr;	/* held back: of its line end? */
	size_t			 ntail;	/* of that line, its end */
	uint8_t			 tail[FROM_TAIL];
	struct digest		 text_digest;	/* as it was before the line */
	struct dot_counter	 text_wire;
	size_t			 text_nblank;
	size_t			 nheld;
	uint8_t			 held[MBOX_HELD];
};

/* Rows are appended to out, which begins as {0} and is the caller's. */
void	mbox_scan_init(struct mbox_scan *s, struct mbox_table *out);
void	mbox_scan_feed(struct mbox_scan *s, struct span block);
/* No mailbox: nothing that may still come would change that. */
static inline bool
mbox_scan_foreign(const struct mbox_scan *s)
{
	return s->part == PART_FOREIGN;
}
/* The file ends here.  -1, FAULT_PERM: it is no mailbox.  Numbers the twins. */
int	mbox_scan_end(struct mbox_scan *s, struct fault *f) MUSTUSE;

/* Scan len octets of a file from off on; offsets in the table are the file's. */
int	mbox_scan_file(int fd, uint64_t off, uint64_t len,
	    struct mbox_table *out, struct fault *f) MUSTUSE;

/*
 * What a last line lacks whose last octet is `last` (the one before m->next):
 * nothing, an LF, or behind a CR of the text, which is sent as one, CRLF.
 * With it the message has the same identity, and the same octets on the wire.
 */
struct span	mbox_missing_end(const struct mbox_msg *m, uint8_t last) MUSTUSE;

/*
 * A header field that mail programs add, change or drop: Status, X-Status,
 * X-Keywords, X-UID, X-UIDL, X-IMAP, X-IMAPbase, Content-Length, Lines.
 */
bool	mbox_field_mutable(struct span name) MUSTUSE;

/* The name of a header line, up to its colon; empty when there is no colon. */
struct span	mbox_field_name(struct span line) MUSTUSE;

#endif

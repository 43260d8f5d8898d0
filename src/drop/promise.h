/* SPDX-License-Identifier: ISC */
/*
 * Promised unique-ids: those that clients had from another server, and that
 * cannot be derived from the message.  Who forgets them makes every client
 * fetch all its mail again, so they are in a file of their own that is
 * replaced as a whole and never written into.  Floor 2; pure but for
 * promises_load; the file is written by `popper uidl import` alone.
 *
 *	"popperu1"	and 8 octets: how many rows (numbers: least octet first)
 *	rows		digest (16), twin (4), length of the id (1), the id;
 *			ascending by digest and twin, each once
 *	digest (16)	of all that stands before it
 *
 * A message is known by its digest and, among messages with the same one, by
 * its number (drop/mbox_scan.h): what uidl_format makes an id of.  A row
 * whose message is gone is of no effect, and is swept out when there are many.
 */
#ifndef DROP_PROMISE_H
#define DROP_PROMISE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"
#include "drop/drop.h"
#include "drop/mbox_scan.h"

#define PROMISE_MAX		MBOX_MAX	/* rows */
#define PROMISE_FIXED		(MBOX_DIGEST + 4 + 1)	/* octets of a row */
#define PROMISE_TEXT_MAX	(8 + 8 + (size_t)PROMISE_MAX *	\
	    (PROMISE_FIXED + DROP_UIDL_MAX) + MBOX_DIGEST)

/* Of a file; {0}: there are none. */
struct promises {
	uint8_t		 *text;		/* owns */
	size_t		  size;		/* of text */
	const uint8_t	**rows;		/* owns; into text */
	size_t		  n;
	uint32_t	 *first;	/* owns; by the first `bits` bits of a
					   digest: the first row that is not before
					   them, and n at the end */
	unsigned	  bits;
	bool		  pending;	/* rows and first are made when they are
					   needed */
};

/* RFC 1939 s.7: 1 to 70 octets of 0x21 to 0x7E. */
bool	promise_legal(struct span uidl) MUSTUSE;

/*
 * Read such a file.  FAULT_PERM: it is damaged; then the maildrop must not be
 * shown with other unique-ids.  O(octets); the caller calls promises_fini, also
 * after -1.
 */
int	promises_load(int fd, struct promises *out, struct fault *f) MUSTUSE;
/* The same, but its rows are looked at when the first id is asked for: then a row that
 * is none ends the process. */
int	promises_open(int fd, struct promises *out, struct fault *f) MUSTUSE;
/* promises_load of a text in memory, which is copied. */
int	promises_read(struct span text, struct promises *out, struct fault *f)
	    MUSTUSE;
void	promises_fini(struct promises *p);

/* The id of a message, if there is one for it; p may be NULL.  O(log n). */
bool	promises_find(struct promises *p, const uint8_t digest[MBOX_DIGEST],
	    uint32_t twin, char out[DROP_UIDL_MAX + 1]) MUSTUSE;

/*
 * Which rows a maildrop has no use for any more: of the rows of one digest those
 * with a twin beyond the messages that are left.  Not just those of the messages
 * that went: their twins move up.
 */
struct promise_use {
	const struct drop_conf	*c;	/* borrows */
	uint32_t		*left;	/* owns; messages, by the first row of
					   their digest */
};
/* False: there are none, or none can be forgotten. */
bool	promise_use_begin(struct promise_use *u, const struct drop_conf *c) MUSTUSE;
/* Such a message stays.  O(log n). */
void	promise_use_message(struct promise_use *u,
	    const uint8_t digest[MBOX_DIGEST]);
/*
 * They cost each login a little, so they go when they are half of all, and a row is
 * written twice at the most, on average: the host is told which file it is about (its
 * digest), then a bit for each row, in order, least bit first: 1, nobody needs it.
 * Without success they stay, and the operator is told.
 */
void	promise_use_end(struct promise_use *u);
/* Instead: all of them stay. */
void	promise_use_drop(struct promise_use *u);
#define PROMISE_DEAD_MAX	(MBOX_DIGEST + (PROMISE_MAX + 7) / 8)

/*
 * Append to *out (PROMISE_TEXT_MAX) the text of p without those rows; *left_r is how
 * many it has.  FAULT_PEER: dead is about another file, or has another length.
 */
int	promises_forget(const struct promises *p, struct span dead,
	    struct buf *out, size_t *left_r, struct fault *f) MUSTUSE;

/* What the text is made of; in any order, each message and each id once. */
struct promise {
	uint8_t		digest[MBOX_DIGEST];
	uint32_t	twin;
	char		uidl[DROP_UIDL_MAX + 1];
};
/*
 * Append the text of a file to *out, whose maximum is PROMISE_TEXT_MAX; sorts
 * rows.  FAULT_PROTO: a message is there twice, an id is there twice or is not
 * legal.  O(n log n).
 */
int	promises_pack(struct promise *rows, size_t n, struct buf *out,
	    struct fault *f) MUSTUSE;

#endif

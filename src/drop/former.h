/* SPDX-License-Identifier: ISC */
/*
 * Unique-ids as other servers make them, or have written them down.  Floor 2,
 * pure.  What is read here anybody may have written: a sender can put an
 * X-UIDL: field into his message.
 */
#ifndef DROP_FORMER_H
#define DROP_FORMER_H

#include "base/attr.h"
#include "base/buf.h"
#include "drop/drop.h"
#include "drop/mbox_scan.h"

/* ---- a list: an answer to UIDL (RFC 1939 s.7), or `popper uidl export` ---- */

enum former_line {
	FORMER_ROW,
	FORMER_NOTHING,		/* an empty line, or a line of status */
	FORMER_END,		/* the dot that ends the answer */
	FORMER_BAD,
};
struct former_row {
	uint64_t	number;		/* from 1 on */
	uint64_t	size;		/* octets, as LIST says; when sized */
	bool		sized;
	struct span	uidl;		/* legal; borrows from the line */
};
/* A line without its LF: "number id", or "number size id". */
enum former_line	former_list_line(struct span line,
			    struct former_row *out);

/* ---- what mail programs put into the header of a message ---- */

struct former_head {
	struct span	xuidl;		/* X-UIDL: (qpopper), legal; else empty */
	uint64_t	uid;		/* X-UID: (c-client, Dovecot); 0: none */
	uint64_t	validity;	/* X-IMAP: or X-IMAPbase:, in the first
					   message of a mailbox; 0: none */
};
/* The first field of each name counts.  O(octets); borrows from header. */
void	former_head(struct span header, struct former_head *out);

/*
 * How a server makes an id of a uid and the mailbox's uidvalidity: %u and %v,
 * as decimal numbers or, with a width in front and an X before the letter, as
 * Dovecot's pop3_uidl_format has it (%08Xu).  Or the name of a server whose
 * form it is.  NULL: no such form.
 */
const char	*former_format(const char *word) MUSTUSE;
/* False: what format makes of these is no legal id. */
bool	former_make(const char *format, uint64_t uid, uint64_t validity,
	    char out[DROP_UIDL_MAX + 1]) MUSTUSE;

/*
 * What tells a message's header from others', however it is kept and sent: without the
 * fields that servers put in (mbox_field_mutable), and alike with LF and CRLF.  whole:
 * text has all of the header.  False: it has not.
 */
bool	former_head_digest(struct span text, bool whole,
	    uint8_t out[MBOX_DIGEST]) MUSTUSE;

/* ---- files that a server keeps in a Maildir ---- */

/*
 * A line of dovecot-uidlist, version 3, or of courierpop3dsizelist, versions 2 and
 * 3, without its LF; the first line of a file is its head.
 */
struct former_file {
	struct span	base;		/* of the message's file name, up to its
					   colon; borrows */
	uint64_t	uid;		/* 0: Courier's id is the name */
	uint64_t	validity;	/* 0: Courier's id has none */
	struct span	kept;		/* P: an id that Dovecot was to keep;
					   legal, or empty */
};
/* False: it is no head of such a file. */
bool	former_dovecot_head(struct span line, uint64_t *validity_r) MUSTUSE;
bool	former_courier_head(struct span line) MUSTUSE;
/* False: it is no such line.  validity: of the head. */
bool	former_dovecot_line(struct span line, uint64_t validity,
	    struct former_file *out) MUSTUSE;
bool	former_courier_line(struct span line, struct former_file *out) MUSTUSE;
/* Courier's id of such a message; false: it is not legal. */
bool	former_courier(const struct former_file *file,
	    char out[DROP_UIDL_MAX + 1]) MUSTUSE;

/* ---- qpopper ---- */

#define FORMER_QPOPPER_LINE	1023	/* octets of a line that it has read at once */

/* What it takes for an X-UIDL: field of its own; empty: there is none. */
struct span	former_qpopper_field(struct span header) MUSTUSE;
/*
 * The text whose MD5 it has made ids of where it writes no such fields: the From_ line,
 * the first lines of Received:, Date:, Message-Id: and Subject: as they stand there,
 * and (not `old', its old-style-uid) the From_ line once more.  -1: *out has no room.
 */
int	former_qpopper_text(struct span from_line, struct span header, bool old,
	    struct buf *out) MUSTUSE;
/* Its id, of the 32 hexadecimal digits of that MD5; the old form is the digits. */
void	former_qpopper(const char *md5, char out[DROP_UIDL_MAX + 1]);

/* ---- popa3d ---- */

/*
 * The text whose MD5 is popa3d's digest of a message: Date: and Message-ID:
 * up to the first Received:, that one, each Delivered-To: and X-Delivery-ID:;
 * whole lines as they stand in the mailbox.  -1: *out has no room.
 */
int	former_popa3d_text(struct span header, struct buf *out) MUSTUSE;
/*
 * The same for Dovecot's %m and mbox_md5 = apop3d: of the same fields the values alone,
 * without the blanks before them and without line ends.
 */
int	former_dovecot_text(struct span header, struct buf *out) MUSTUSE;
/* popa3d's id, of the 32 hexadecimal digits of that MD5. */
void	former_popa3d(const char *md5, char out[DROP_UIDL_MAX + 1]);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The names of files in a Maildir: what they tell of a message.  Floor 2, pure.
 *
 *	TIME.UNIQUE.HOST[,S=OCTETS][,W=OCTETS][:2,FLAGS]
 *
 * What stands before the colon, the base name, is the message's own for ever;
 * what follows changes as mail programs mark it.  Names come from whoever can
 * write to the folder: nothing in them is more than a hint.
 * https://cr.yp.to/proto/maildir.html; S= and W= as Maildir++ and Dovecot have
 * them.
 */
#ifndef DROP_MAILDIR_NAME_H
#define DROP_MAILDIR_NAME_H

#include "base/attr.h"
#include "drop/digest.h"
#include "drop/drop.h"

#define MAILDIR_NAME_MAX	255	/* octets of a file's name */

struct maildir_name {
	struct span	base;		/* borrows, as info does; may be empty */
	struct span	info;		/* behind the colon, "2,FS"; may be empty */
	uint64_t	time;		/* of delivery, s since 1970; 0: none */
	uint64_t	usec;		/* and its fraction, if it has one */
	bool		has_size;	/* both S= and W=, and W >= S */
	uint64_t	size;		/* S=: octets of the file */
	uint64_t	wire;		/* W=: with CRLF line ends */
	bool		seen;
};

/* False: not the name of a message (hidden, empty, too long). */
bool	maildir_name_parse(struct span name, struct maildir_name *out) MUSTUSE;

/* The order of delivery: by time, by its fraction, by base name, by octets. */
int	maildir_name_order(const struct maildir_name *a,
	    const struct maildir_name *b);

/*
 * The same message with the flag S.  False, and an empty string: it has it, or
 * what it has are no flags, or there is no room in a name.
 */
bool	maildir_name_seen(const struct maildir_name *n,
	    char out[MAILDIR_NAME_MAX + 1]) MUSTUSE;

/*
 * The unique-id: the base name itself, as qmail-pop3d and Dovecot's %f have it,
 * when it can be one (RFC 1939 s.7); else a digest of it.  Of a bulletin that
 * was kept (maildir_name_bulletin) the id that it had as one.  Returns its end.
 */
char	*maildir_name_uidl(struct span base, char out[DROP_UIDL_MAX + 1]);

/* For files that share their base name: an id by the file's number, too. */
char	*maildir_name_uidl_twin(struct span base, uint64_t ino,
	    char out[DROP_UIDL_MAX + 1]);

/* What such an id is made of; ino NULL: the file has its name for itself. */
void	maildir_name_digest(struct span base, const uint64_t *ino,
	    uint8_t out[DIGEST_SIZE]);

/*
 * A name for a bulletin that is kept: it carries the unique-id of the message
 * in mailbox form.  `nth` tells those of one id apart.
 */
struct maildir_bulletin {
	uint64_t	time;
	const char	*uidl;		/* UIDL_BASE letters */
	unsigned	nth;
	uint64_t	size;
	uint64_t	wire;
};
void	maildir_name_bulletin(const struct maildir_bulletin *b,
	    char out[MAILDIR_NAME_MAX + 1]);

#endif

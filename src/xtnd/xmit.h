/* SPDX-License-Identifier: ISC */
/*
 * XTND XMIT: take a message from the client, whole, before anything is done
 * with it.  Floor 2; the session, as the user.  Handing it to the MTA is the
 * host's (monitor's) work: the session may not start programs.
 */
#ifndef XTND_XMIT_H
#define XTND_XMIT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"
#include "proto/dot.h"

enum xmit_refusal {
	XMIT_FINE,
	XMIT_TOO_LARGE,			/* over the limit; swallowed to its end */
	XMIT_NO_RECIPIENT,		/* no To, Cc, Bcc, Resent-* with an address */
	XMIT_BAD_RECIPIENT,		/* a pipe, a file, :include:, an option */
	XMIT_BAD_SENDER,		/* virtual user: From: is not the fixed one */
	XMIT_MALFORMED,			/* no header, NUL in the header */
	XMIT_NO_ROOM,			/* the file could not be written */
};

struct xmit {
	int			fd;	/* unnamed file; owns */
	uint64_t		octets;
	uint64_t		max;
	struct dot_decoder	decoder;
	struct buf		out;	/* decoded, not yet written */
	enum xmit_refusal	refusal;
	int			err;	/* of XMIT_NO_ROOM */
};

/* Takes fd.  max octets of decoded text. */
void	xmit_init(struct xmit *x, int fd, uint64_t max);
void	xmit_fini(struct xmit *x);

/* Take bytes from *in; true when the final dot was seen. */
bool	xmit_feed(struct xmit *x, struct span *in) MUSTUSE;

/*
 * After the final dot: judge the header.  sender: the fixed address of a
 * virtual user, or NULL; From:, Sender: and Resent-* of these may be missing,
 * and must hold just that address when they are there.  Every recipient field
 * is judged (xtnd/address.h), and at least one address must be there.  A header
 * of more than 256 KiB, with a NUL, a lone CR or a line that is no field is
 * malformed.  Fills x->refusal.  O(header), bounded.
 */
void	xmit_judge(struct xmit *x, const char *sender);

/* What the client is told behind "-ERR " for a refusal. */
const char	*xmit_text(enum xmit_refusal r);

#endif

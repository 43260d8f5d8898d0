/* SPDX-License-Identifier: ISC */
/*
 * cyrus.index, in which Cyrus IMAP keeps what is in a mailbox: the versions of Cyrus
 * 2.2 to 3.12.  Floor 2, pure.  The messages themselves are files beside it, named by
 * their uid and a dot, with CRLF.
 *
 * All numbers are 32 bits, the most significant octet first: a header that says
 * where the rows begin and how long one is, then the rows, in the order of uids.
 */
#ifndef DROP_CYRUS_H
#define DROP_CYRUS_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

#define CYRUS_HEADER_MAX	96	/* octets of the header that are looked at */
#define CYRUS_ROW_MIN		60	/* octets of the shortest row there is */
#define CYRUS_ROW_MAX		4096

struct cyrus_index {
	unsigned	version;
	uint64_t	rows_at;	/* octets */
	size_t		row_size;	/* CYRUS_ROW_MIN to CYRUS_ROW_MAX */
	uint64_t	n;		/* rows */
	uint32_t	validity;
	bool		named;		/* by the pop3d: validity and uid; else uid alone */
};
struct cyrus_row {
	uint32_t	uid;
	bool		gone;		/* deleted; its file may be there yet */
};

/* start: the first octets of a file of so many.  FAULT_PROTO: it is no such file, or
 * of a version that is not known, or shorter than it says. */
int	cyrus_header(struct span start, uint64_t file_size,
	    struct cyrus_index *out, struct fault *f) MUSTUSE;
/* row: index->row_size octets. */
void	cyrus_row(const struct cyrus_index *index, struct span row,
	    struct cyrus_row *out);

#endif

/* SPDX-License-Identifier: ISC */
/* Files that decide who may log in, read whole.  Floor 2; before privileges go. */
#ifndef AUTH_LOAD_H
#define AUTH_LOAD_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"

enum auth_load {
	LOAD_OPTIONAL	= 1u << 0,	/* a missing file is an empty one */
	LOAD_SECRET	= 1u << 1,	/* others must not read it */
};

/*
 * Read a regular file that root or we own and that no other account can
 * write.  out is empty afterwards when it fails; the caller owns it and calls
 * buf_fini, which wipes it.  May block on the disk.
 */
int	auth_load(const char *path, unsigned how, struct buf *out,
	    struct fault *f) MUSTUSE;

#endif

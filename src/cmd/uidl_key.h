/* SPDX-License-Identifier: ISC */
/*
 * Messages of an old server that are found again by their headers, wherever they lie
 * here.  Who looks at them there (uidl_live.c, uidl_cyrus.c) writes a line for each:
 * the digest of its header or "-", number, octets, unique-id.  Floor 5; both ends
 * are powerless children, and neither believes the other.
 */
#ifndef CMD_UIDL_KEY_H
#define CMD_UIDL_KEY_H

#include "cmd/uidl_work.h"

/* Into the file of memory out.  digest: MBOX_DIGEST octets, of former_head_digest;
 * NULL: it cannot be had. */
int	uidl_key_tell(int out, const uint8_t *digest, uint64_t number,
	    uint64_t octets, struct span uidl, struct fault *f) MUSTUSE;
/* The old ids of the messages here, by the file d->w->list.  O(n log n). */
int	uidl_by_keys(struct drops *d, struct fault *f) MUSTUSE;

#endif

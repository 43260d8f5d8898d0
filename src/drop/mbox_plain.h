/* SPDX-License-Identifier: ISC */
/*
 * For tests: the table that mbox_scan.h promises, in the plain way: all octets in
 * memory, line by line, each looked at as often as it takes.  Lines are no longer
 * than MBOX_HELD; nothing is MBOX_HIDDEN.
 */
#ifndef DROP_MBOX_PLAIN_H
#define DROP_MBOX_PLAIN_H

#include "drop/mbox_scan.h"

/* t begins as {0} and is the caller's.  False: it is no mailbox. */
bool	mbox_plain(struct span mbox, struct mbox_table *t);

#endif

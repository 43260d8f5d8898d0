/* SPDX-License-Identifier: ISC */
/*
 * How many connections each address and each network has, counted by several
 * processes in memory that they share: each writes a row of its own and reads all.
 * A row of a process that died is cleared by the master.  Counts are of hashes of
 * addresses, by a key of this run's; a network of 64 bits is one address of IPv6: a
 * host has as many there as it likes.  Two others with the same two hashes count as
 * one, rarely.  A network is 24 bits of IPv4 or 48 of IPv6, as for penalties.
 * Floor 4.
 *
 * A process that was taken over can write anything into its row.  No more of a
 * count is believed than the row may have in all (`most`), so nobody else's count
 * becomes smaller by it; and a row with more than that in its counts together lies
 * (tally_lies), which the master asks now and then: so it can lock out some `most`
 * connections' worth of addresses, as it could by refusing those who come to it.
 */
#ifndef ROLE_TALLY_H
#define ROLE_TALLY_H

#include "role/limit.h"
#include "sys/sock.h"

struct tally;

#define TALLY_ROWS_MAX	131		/* a master, twice an auth and 64 fronts */
#define TALLY_MASTER	0		/* the row of sessions; others: of fronts */

enum tally_of { TALLY_ADDRESS, TALLY_NETWORK, TALLY_KINDS };

/* O(rows) memory, 256 KiB a row; before the forks.  most: connections that one
 * row may count. */
struct tally	*tally_new(size_t rows, uint32_t most, struct fault *f);
/* So many rows at least, and so many connections.  Children that are there already
 * do not see the new ones: they can be right no more. */
int		 tally_grow(struct tally *t, size_t rows, uint32_t most,
		    struct fault *f) MUSTUSE;
size_t		 tally_rows(const struct tally *t);
/* In a child that does not count: it has none of this memory any more. */
void		 tally_free(struct tally *t);
/* In a child: no row but this one can be written any more (SIZE_MAX: none).  Before
 * it closes descriptors that it does not know. */
int		 tally_own(struct tally *t, size_t row, struct fault *f);
/* n is 1 or -1; for both kinds. */
void		 tally_add(struct tally *t, size_t row,
		    const struct sock_addr *a, int n);
/* Over all rows.  Addresses that are none count 0. */
unsigned	 tally_count(const struct tally *t, enum tally_of kind,
		    const struct sock_addr *a);
void		 tally_clear(struct tally *t, size_t row);
/* Are its counts more than a true one could show, even while it changes?  Reads
 * 256 KiB. */
bool		 tally_lies(const struct tally *t, size_t row);

/* Before a row's process takes somebody; false: it is shut, and he stays outside.  Until
 * tally_exit he is within. */
bool		 tally_enter(struct tally *t, size_t row);
void		 tally_exit(struct tally *t, size_t row);
/* In the master: shut for good, if nobody is within.  O(rows) */
bool		 tally_shut(struct tally *t);

/* For limit_reached, and for limit_gauges; kept when a row is cleared. */
uint32_t	*tally_refused(struct tally *t, size_t row);
uint64_t	 tally_refusals(const struct tally *t, enum limit which);
/* Connections of a row, and of the address or network that has most: rarely a
 * few too many.  O(buckets). */
unsigned	 tally_total(const struct tally *t, size_t row);
unsigned	 tally_fullest(const struct tally *t, enum tally_of kind);

#endif

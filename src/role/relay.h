/* SPDX-License-Identifier: ISC */
/*
 * A session's plaintext: between a client under TLS, which the front keeps, and one
 * end of a pair of sockets, of which the session has the other.  Floor 4.
 *
 * Each direction is read only when what was read before is gone, so memory is
 * bounded, and a slow client slows its session down as without TLS.  One more copy
 * and two more system calls for each RELAY_ROOM octets.
 */
#ifndef ROLE_RELAY_H
#define ROLE_RELAY_H

#include "role/secure.h"

#include "base/buf.h"

#define RELAY_ROOM	((size_t)65536)

struct relay {
	struct secure	*client;	/* borrows */
	int		 session;	/* owns: our end */
	unsigned	 drain_s;
	struct buf	 up;		/* for the session, that it did not take */
	struct buf	 down;		/* for the client, likewise */
	bool		 client_ended;
	bool		 session_ended;
	uint64_t	 end_ms;	/* of our patience, when it has ended; or 0 */
};

/* `first`: of the client, read before; bounded by LIMIT_INPUT. */
void	relay_init(struct relay *r, struct secure *client, int session,
	    struct span first, unsigned drain_s);
void	relay_fini(struct relay *r);

/* What an event has told of. */
enum { RELAY_CLIENT = 1, RELAY_SESSION = 2 };

/*
 * Carry what can be carried without waiting, within the bound of a turn, of the sides
 * that are ready; room has RELAY_ROOM octets, for the call alone.  false: it is over.
 */
bool	relay_turn(struct relay *r, unsigned ready, uint8_t *room) MUSTUSE;

/* For a process with one client: to its end. */
void	relay_run(struct relay *r, uint8_t *room);

/* What to wait for then, of each side: PUMP_READ, PUMP_WRITE; and ms, at the most. */
uint64_t	relay_wish(const struct relay *r, unsigned *client_r,
		    unsigned *session_r);

#endif

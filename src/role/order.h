/* SPDX-License-Identifier: ISC */
/*
 * An order of the master's, for the spawner and for the ushers to whom it passes
 * some on; and what a new session is told as root.  Floor 4.
 */
#ifndef ROLE_ORDER_H
#define ROLE_ORDER_H

#include "base/attr.h"
#include "role/host.h"
#include "role/session.h"
#include "role/settings.h"
#include "sys/link.h"
#include "sys/sock.h"

/* One order, taken apart. */
struct order {
	uint32_t		slot;
	uint64_t		sid;
	uint8_t			question;	/* of a hand; 0: recovery */
	struct words		words;		/* of a session */
	bool			locked;
	enum host_which		which;		/* of a hand: of its session's */
	struct sock_addr	peer;
	struct identity		id;
	bool			cached;		/* its password was */
	int			link;		/* owns, as the next three; -1 */
	int			client;
	int			rest;		/* pipe: what is left of its input */
	int			far;		/* of a relay: the client's own */
};

/*
 * One as the master gives it.  question: for a session its words, packed.  person:
 * what order_put_person has put into another message, so that nobody need keep it but
 * in that form.  Of the facts: locked and which.
 */
void	order_put_person(struct link_out *m, const struct sock_addr *peer,
	    const struct identity *id, bool cached);
/* The same read again, but for what it says of the client. */
int	order_read_person(struct span person, struct identity *id, struct fault *f)
	    MUSTUSE;
void	order_put(struct link_out *m, uint16_t type, uint32_t slot,
	    uint64_t sid, uint8_t question, const struct host_facts *facts,
	    struct span person);
/* Takes the descriptors, also when it fails. */
int	order_read(struct link_in *m, struct order *o, struct fault *f) MUSTUSE;
void	order_close(struct order *o);

/* There is no process for it, or none that could be locked in: its client is told to
 * try again. */
void	order_refuse(int client);

/* A session's start, of an order and what was found out about its maildrop; the
 * pieces must live as long. */
struct session_start	order_start(const struct settings *conf,
			    const char *hostname, const struct order *o,
			    const struct host *h);

/*
 * To the master: what it must know of the maildrop.  pid: this process, parent: the
 * spawner; pid 0: of a session for whose process the usher, parent, alone answers.
 */
int	order_send_facts(int link, const struct host *h, pid_t pid, pid_t parent,
	    struct fault *f) MUSTUSE;
/* The same, in the master.  What *facts had is gone, but for a dotlock: who says
 * that it has none has not taken another one. */
int	order_get_facts(struct link_in *m, struct host_facts *facts, pid_t *pid_r,
	    pid_t *parent_r, struct fault *f) MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * What the files of a front share: its strangers, and itself.  Floor 4, private to
 * fronts*.c.
 *
 *   fronts.c		the process, its links to auth, master and keeper
 *   fronts_stranger.c	a stranger from connection to end: whose turn is it?
 *   fronts_in.c	the way in: listeners, PROXY, limits, TLS, the greeting
 *   fronts_talk.c	what they say; questions to auth, and what is answered
 *   fronts_out.c	the way out: to the master, or as a relay
 */
#ifndef ROLE_FRONTS_PRIV_H
#define ROLE_FRONTS_PRIV_H

#include "role/fronts.h"

#include "pop/authorize.h"
#include "role/limit.h"
#include "role/listen.h"
#include "role/proxied.h"
#include "role/pump.h"
#include "role/relay.h"
#include "role/secure.h"

#include "base/map.h"
#include "sys/link.h"
#include "sys/loop.h"

enum stage { AWAITS, SHAKES, TALKS, ASKED, LEAVES, RELAYS, DRAINS };

struct stranger {
	struct map_node		 in;		/* by sid */
	struct front_house	*house;
	uint64_t		 sid;
	int			 fd;		/* owns */
	enum stage		 stage;
	bool			 counted;	/* of max_strangers */
	bool			 tallied;	/* of its address and network */
	bool			 quiet;		/* a proxy's own: see popper.conf(5) */
	bool			 tls_before;	/* it came to the proxy by TLS */
	uint64_t		 end_ms;	/* DRAINS, LEAVES; ASKED: of our
						   patience */
	struct sock_addr	 peer;		/* the client */
	struct sock_addr	 socket;	/* who is at its other end */
	const struct listen_rules *rules;
	struct proxied		*proxied;	/* owns; AWAITS */
	struct loop_watch	 watch;
	struct authorize	 auth;		/* may hold a secret */
	struct pump		 pump;
	bool			 starts_tls;	/* STLS was answered */
	bool			 exchanges;	/* auth waits for a response */
	struct secure		 secure;
	struct relay		*relay;		/* owns; RELAYS */
	struct loop_watch	 session;	/* its other side */
};

/* A listener, by its number. */
struct door {
	struct front_house	*house;
	size_t			 i;
};

struct front_house {
	const struct fronts_start	*a;
	struct loop			*loop;
	struct map			 strangers;	/* by sid */
	size_t				 n;		/* counted ones */
	size_t				 max;
	size_t				 refused;	/* DRAINS, not counted */
	size_t				 relays;	/* RELAYS, not counted */
	struct limit_log		 limits;
	struct quiet			 no_accept;
	struct quiet			 no_proxy;
	struct quiet			 no_verdict;
	struct listen_rules		 rules[LISTENERS_MAX];
	struct loop_watch		 listeners[LISTENERS_MAX];
	struct door			 doors[LISTENERS_MAX];	/* of them */
	size_t				 nlisteners;
	bool				 leaving;
	struct loop_watch		 auth;
	struct loop_watch		 auth_gone;	/* and nobody in its place */
	struct loop_watch		 master;
	int				 resolver;	/* or -1 */
	struct loop_watch		 pause;
	struct loop_watch		 keeper;
	struct certificates		*coming;	/* owns; of a renewal */
	struct secure_house		 secure;
	bool				 stopping;	/* it stays for relays alone */
	uint8_t				 room[LIMIT_INPUT];	/* of all pumps */
	uint8_t				 relay_room[RELAY_ROOM];
};

/* ---- a stranger's life (fronts_stranger.c) ---- */

/* It owns fd; the loop is to look at what comes there when it is told so. */
struct stranger	*stranger_new(struct front_house *h, int fd,
		    const struct sock_addr *peer,
		    const struct listen_rules *rules);
void		stranger_free(struct stranger *s);
/* It is none of its address and network any more; or of max_strangers either. */
void		stranger_untally(struct stranger *s);
void		stranger_uncount(struct stranger *s);
/* What comes of a turn of its pump.  May free it, as all below may that do not say
 * what comes next. */
void		stranger_go_on(struct stranger *s, enum pump_end end);
/* Told why not, and heard out if there is room for that. */
void		stranger_refuse(struct stranger *s, struct span text);
void		stranger_log_end(const struct stranger *s, enum pump_end end);

/* ---- the way in (fronts_in.c) ---- */

/* On the listeners of h->a; then nobody is taken any more. */
void		fronts_listen(struct front_house *h);
void		fronts_close_listeners(struct front_house *h);
/* The same after a reload, for who waits there yet: `ours`, by bits, are listeners
 * that nobody else has.  The master is told. */
void		fronts_leave_listeners(struct front_house *h, uint32_t ours);
/* AWAITS: more of a PROXY header. */
void		stranger_header(struct stranger *s);
/* SHAKES: TLS begins, TLS goes on. */
void		stranger_start_tls(struct stranger *s);
void		stranger_shake(struct stranger *s);
/* TALKS, XCLIENT: it is somebody else's. */
enum pump_next	stranger_announced(struct stranger *s, struct buf *out);

/* ---- what they say (fronts_talk.c) ---- */

extern const struct pump_ops	stranger_ops;

/* How long its next line may be, and whether that is secret. */
void		stranger_expect(struct stranger *s);
/* ASKED: no verdict has come. */
void		stranger_give_up(struct stranger *s);
/* One verdict; of a stranger that has gone meanwhile it means nothing. */
void		fronts_verdict(struct front_house *h, struct link_in *m,
		    bool of_master);
void		fronts_challenge(struct front_house *h, struct link_in *m);
/* Nobody will respond to what auth has asked.  Best effort: it has a bound of its own
 * for who does not go on. */
void		fronts_abort(struct front_house *h, uint64_t sid);

/* ---- the way out (fronts_out.c) ---- */

/* LEAVES: to the master.  Whatever is short just now, it is tried as long as that
 * waits for it. */
void		stranger_leave(struct stranger *s);
/* RELAYS: what is ready, bits of relay.h. */
void		stranger_relay(struct stranger *s, unsigned ready);
void		stranger_on_session(void *ctx, unsigned what);

/* ---- the process (fronts.c) ---- */

/* Who leaves ends with the last one, or stays for those that are relayed. */
void		fronts_end_if_empty(struct front_house *h);

#endif

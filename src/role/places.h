/* SPDX-License-Identifier: ISC */
/*
 * The sessions of popper serve, as the master sees them: each has a place from
 * the moment auth grants it until nothing of its maildrop is left to be done.
 * Floor 4; the master, as root.
 */
#ifndef ROLE_PLACES_H
#define ROLE_PLACES_H

#include "pop/authorize.h"
#include "role/settings.h"
#include "role/tally.h"
#include "role/wire.h"
#include "sys/identity.h"
#include "sys/link.h"
#include "sys/loop.h"
#include "sys/outbox.h"

struct places;

/*
 * What sessions have in common that began under one reading of the configuration:
 * their settings, and the spawner that knows them.
 */
struct nest {
	const struct settings	*conf;
	size_t			 n;		/* places */
	struct places		*all;
	/* Who forks, as it is now: the master's to set. */
	pid_t			 spawner;	/* 0: there is none just now */
	struct outbox		 orders;	/* its link */
};
/* To be cleared of its orders when it has no places any more. */
void	nest_init(struct nest *n, struct places *p,
	    const struct settings *conf);

/* row: ours of the tally. */
struct places	*places_new(struct loop *l, struct tally *t, size_t row);

/*
 * auth has granted: is there room, and are the ids allowed?  START has to show a
 * socket with that other end.  front: a number that no other living front has.
 */
enum authorize_answer	places_admit(struct places *p, struct nest *n,
			    size_t front, const struct wire_admit *who);
/* Nobody will START those that it was told of. */
void	places_front_died(struct places *p, size_t front);	/* O(n) */
/* START, START_REST or START_RELAY of that front.  FAULT_PEER: it must be ended. */
int	places_start(struct places *p, size_t front, struct link_in *in,
	    struct fault *f) MUSTUSE;

/* ENDED of that spawner. */
void	places_ended(struct places *p, const struct nest *n, uint32_t tag,
	    uint32_t status);
/* It died, and what it had said was heard.  Its children live on: they are ours
 * now (spawn_adopt), to be signalled and reaped. */
void	places_spawner_died(struct places *p, const struct nest *n);
/* A child has ended that is no role. */
void	places_reaped(struct places *p, pid_t pid, uint32_t status);

/* What can be seen of a session. */
enum places_stage {
	PLACES_EXPECTED,	/* has logged in; its front has it still */
	PLACES_RUNS,
	PLACES_RECOVERS,	/* it died; its UPDATE is being finished */
	PLACES_UPDATES,
	PLACES_STAGES
};
struct places_view {
	uint64_t		 sid;
	const char		*user;
	const struct sock_addr	*peer;
	uint32_t		 pid;		/* 0: not yet, or shared */
	uint64_t		 age_ms;	/* in that place */
	enum places_stage	 stage;
	const char		*path;		/* of the maildrop that it holds; "" */
	struct span		 person;	/* who it is: for order_read_person */
};
/*
 * How many that are to which fn says true.  They are told to end (or killed), but
 * for those that do not run yet: a place and its locks are given up when its
 * session has ended.
 */
enum places_act { PLACES_LOOK, PLACES_KICK, PLACES_KILL };
size_t	places_each(struct places *p, enum places_act act, bool (*fn)(void *ctx,
	    const struct places_view *v), void *ctx);

/* Tell all sessions to end; and those of each nest's spawner. */
void	places_stop(struct places *p);
void	nest_stop(struct nest *n);
size_t	places_count(const struct places *p);
/* A session is in UPDATE, and its dotlock is ours to remove.  O(n). */
bool	places_hold_dotlock(const struct places *p);

#endif

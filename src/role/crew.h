/* SPDX-License-Identifier: ISC */
/*
 * The processes of popper serve that one reading of the configuration has, and
 * the links between them.  Floor 4; the master, and its children when they are
 * about to become one of them.
 */
#ifndef ROLE_CREW_H
#define ROLE_CREW_H

#include "role/child.h"
#include "role/ctl.h"
#include "role/edition.h"
#include "role/penalty.h"
#include "role/places.h"
#include "role/tally.h"
#include "role/tickets.h"
#include "sys/cage.h"
#include "sys/listen.h"
#include "sys/loop.h"

#define FRONTS_MAX	64

/* The first four are whom strangers, or who has just logged in, may need. */
enum kind { AUTH, WARDEN, SPAWNER, RESOLVER, CTL, METRICS, KEEPER, FRONT };

struct role {
	struct crew		*crew;
	enum kind		 kind;
	size_t			 index;		/* of a front */
	size_t			 row;		/* of who counts: FRONT, AUTH, KEEPER */
	struct child		 child;
	uint64_t		 deaths;
	struct loop_watch	 again;		/* when it is started anew */
	bool			 leaves;	/* a front takes nobody any more */
};

struct crew {
	struct crew		*next;		/* an older one */
	struct edition		*edition;	/* owns */
	struct listeners	 listeners;	/* the master's, in this order */
	struct tally		*tally;
	struct tickets		*tickets;
	struct penalty		*penalty;	/* for auth alone */
	struct ctl_start	 ctl;		/* listener: the master's */
	int			 exporter;	/* likewise; -1: none */
	size_t			 nfronts;
	struct link_ends	 to_auth[FRONTS_MAX];	/* a: front, b: auth */
	struct link_ends	 to_resolver[FRONTS_MAX];
	struct link_ends	 to_keeper[FRONTS_MAX];
	struct link_ends	 to_warden;		/* a: auth */
	struct role		 roles[FRONT + FRONTS_MAX];
	size_t			 nroles;
	struct nest		 nest;
	bool			 leaving;	/* another one has its place */
	uint64_t		 since_ms;	/* leaving */
};

const char	*role_word(const struct role *r);
/* Its role of that kind; NULL: it has none.  Not of fronts. */
struct role	*crew_role(struct crew *c, enum kind kind);
/* In a child of the master: be that role. */
void		 role_become(const struct role *r) NORETURN;
/* Has it a row of its own in what is counted? */
bool		 role_counts(const struct role *r);
/* It has ended.  expected: nobody will wonder, nor miss it. */
void		 role_count_end(struct role *r, bool expected);
size_t		 crew_fronts_wanted(const struct settings *s);
/* Connections that one process may count in the tally. */
uint32_t	 crew_most(const struct settings *s);
/* How long who leaves may take: longer than a stranger can.  ms */
uint64_t	 crew_leave_ms(const struct settings *s);
/* The links between its roles; when that fails, to be closed all the same. */
int		 crew_links_make(struct crew *c, struct fault *f) MUSTUSE;
/* Nobody at that front asks the others any more; without any who asks, they end. */
void		 crew_link_close(struct crew *c, size_t front);
/* Is there a front whose strangers may ask the others? */
bool		 crew_asks(const struct crew *c);
/* Rows of tally and metrics for who counts, that nobody of the others has. */
int		 crew_rows_take(struct crew *c, const struct crew *others,
		    struct fault *f) MUSTUSE;

#endif

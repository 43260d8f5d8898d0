/* SPDX-License-Identifier: ISC */
/*
 * Many clients in one process, driven by epoll: opens connections, plays a
 * script on each, checks every answer (talk.h), holds or repeats, reports on
 * standard output.
 */
#ifndef BENCH_SWARM_H
#define BENCH_SWARM_H

#include "talk.h"

#include <netinet/in.h>

#define SWARM_AHEAD_MAX	256

struct user {
	char		*name;		/* owns */
	char		*password;	/* owns */
};

enum plan_tls { PLAN_PLAIN, PLAN_TLS, PLAN_STLS };

struct plan {
	const char		*name;		/* of the scenario */
	const enum word		*script;	/* ends with WORD_END */
	struct answers		 answers;
	struct sockaddr_in	 to;
	struct sockaddr_in	 from;		/* first source address */
	size_t			 sources;	/* how many from there; 0: the
						   kernel chooses */
	const struct user	*users;		/* borrows */
	size_t			 users_n;
	size_t			 connections;	/* at work at a time */
	size_t			 ahead;		/* RETR, TOP, DELE: how many may
						   be without an answer */
	size_t			 hold;		/* to be held; 0: none */
	size_t			 sessions;	/* stop after so many; 0: no */
	int64_t			 for_ns;	/* stop after so long; 0: no */
	int64_t			 every_ns;	/* begin one at these times; 0:
						   as fast as they end */
	int64_t			 drip_ns;	/* held: an octet so often */
	int64_t			 timeout_ns;	/* for an answer */
	enum plan_tls		 tls;		/* see secure_init */
};

/* Runs to the end.  The number of errors, or -1 when it could not begin. */
int	swarm_run(const struct plan *p);

#endif

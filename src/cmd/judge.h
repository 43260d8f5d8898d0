/* SPDX-License-Identifier: ISC */
/*
 * A reading of the configuration that shall be used by a server that runs: is it good?
 * Floor 5; between that server and a child of it, which may wait for name services,
 * databases and disks while the server goes on.
 */
#ifndef CMD_JUDGE_H
#define CMD_JUDGE_H

#include "role/edition.h"

/* What is asked. */
struct judge {
	const struct edition	*now;		/* in use */
	struct edition		*next;		/* read, and no more; borrowed */
	enum settings_result	 result;	/* of that */
	struct edition_ears	 ears;
	pid_t			 server;	/* who asks */
	int			 link;		/* owns: one end is the child's */
};

/* In the child: tells all mistakes and says over the link what is to be known.  It ends
 * within JUDGE_S seconds, or with the server, whatever it waits for. */
#define JUDGE_S		30
void	judge_there(struct judge *j) NORETURN;
/*
 * In the server: waits until end_ms.  0: next has numbers in place of names, and a
 * hostname; -1: it is not good, why is told in one line, FAULT_TEMP when that was not
 * found out.
 */
int	judge_hear(int link, struct edition *next, uint64_t end_ms,
	    struct fault *f) MUSTUSE;

#endif

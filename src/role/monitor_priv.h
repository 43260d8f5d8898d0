/* SPDX-License-Identifier: ISC */
/*
 * What the files of the monitor share: one connection, and the processes that are
 * forked for it.  Floor 4, private to monitor*.c.
 *
 *   monitor.c		the process, from the connection to its end
 *   monitor_part.c	children: their links, their log, their end; resolvers
 *   monitor_stranger.c	until somebody has logged in: whose turn, and how long
 *   monitor_front.c	the front: its start, and what it says
 *   monitor_worker.c	workers: a question to each database, and what they answer
 *   monitor_session.c	the session, and its recovery
 */
#ifndef ROLE_MONITOR_PRIV_H
#define ROLE_MONITOR_PRIV_H

#include "role/monitor.h"

#include "auth/auth.h"
#include "pop/authorize.h"
#include "role/listen.h"
#include "role/permit.h"
#include "role/session.h"

#include "sys/identity.h"
#include "sys/link.h"
#include "sys/sock.h"

#include <sys/types.h>

#define FRONT_GRACE_S		5	/* beyond what a front bounds itself to */
#define ENDING_MS		1000	/* of a child that says it has ended */
/* The longest sleep: what is left of a resolver is removed then. */
#define SLEEP_MS		10000

/* A child and our ends of its links. */
struct part {
	pid_t	pid;			/* 0: none */
	int	link;			/* owns */
	int	log_link;		/* owns */
};

struct monitor {
	const struct settings	*conf;
	const char		*hostname;
	char			 sid[24];
	struct sock_addr	 socket;	/* who has connected */
	struct sock_addr	 peer;		/* the client: perhaps another one,
						   whom a proxy has announced */
	struct sock_addr	 local;		/* where; family 0: unknown */
	struct listen_rules	 rules;		/* for who connects there */
	bool			 awaits;	/* a PROXY header, before all else */
	/* Neither before it is known whose connection it is: */
	bool			 served;	/* its network is */
	bool			 may_announce;	/* by XCLIENT, once */
	int			 in;		/* owns; never read here */
	int			 out;		/* owns */
	enum monitor_phase	 phase;
	struct part		 front;
	struct part		 worker;	/* link: its verdict */
	pid_t			 resolvers[2];	/* of who came, and of whom XCLIENT
						   announced */
	int			 credential_front;	/* the front's end */
	int			 credential_worker;
	size_t			 db;		/* which database is asked */
	enum auth_method	 method;	/* by what, says the front */
	int			 passed;	/* owns; where its worker finds the
						   record if it is not the first */
	uint64_t		 end_ms;	/* of all that a stranger may do */
	uint64_t		 first_end_ms;	/* before anything was asked */
	unsigned		 asked;		/* questions of the front */
	unsigned		 aborted;	/* and those that it gave up */
	uint64_t		 asked_ms;
	uint64_t		 answer_ms;	/* when NO is told; 0: not due */
	enum authorize_answer	 answer;
	struct identity		 id;
	bool			 client_gone;	/* its host is silent */
	bool			 relayed;	/* by the front, which stays */
	struct words		 words;		/* that it takes, says the front */
};

/* The last message.  Not on the stack, where each page of it would be a new one. */
extern struct link_in	monitor_heard;

/* ---- children (monitor_part.c) ---- */

void		part_init(struct part *p);
/*
 * Fork with a link and a log link.  Returns 0 in the child, with its ends in
 * *link_r and *log_link_r; 1 in the parent; -1.  A Ctrl-C is for the server
 * alone, SIGTERM sets a flag: who has begun an UPDATE finishes it.
 */
int		part_fork(struct part *p, int *link_r, int *log_link_r,
		    struct fault *f);
/* Waited for, unless it was before: pid is 0. */
void		part_fini(struct part *p);
void		part_kill(struct part *p);
/* It may say its last word, if it is told to stop because we are. */
void		part_stop(struct part *p);
/* Nonsense here is as bad as on the other link: -1, and the child is killed. */
int		part_serve_log(struct part *p);

/* Of who came, or of whom XCLIENT announced.  They end by themselves, and nobody
 * waits for them; only remains are removed. */
void		monitor_start_resolver(struct monitor *m, bool xclient);
void		monitor_reap_resolvers(struct monitor *m);

/* ---- the front (monitor_front.c) ---- */

int		monitor_start_front(struct monitor *m, struct fault *f);
/* 1: HANDOVER has come, *rest_r is the pipe; 0: go on; -1: over. */
int		monitor_on_front(struct monitor *m, int *rest_r, struct fault *f);
/* A stranger's time ends so long after `from_ms` when its front does not keep
 * it: beyond what a front bounds itself to. */
uint64_t	monitor_end_of_front(const struct monitor *m, uint64_t from_ms,
		    unsigned seconds);
/* What m->peer, as the other end of the socket or of a proxy, may do. */
void		monitor_know_client(struct monitor *m);

/* ---- workers (monitor_worker.c) ---- */

/* From the first one on; a NO is told by monitor_tell_front when answer_ms is due. */
void		monitor_ask_database(struct monitor *m, size_t db);
/* The worker has spoken, or died.  -1: the front is gone. */
int		monitor_on_verdict(struct monitor *m, struct fault *f);
/* NO is due at a fixed time after the question, or a multiple of it; no worker is
 * left. */
void		monitor_decide(struct monitor *m, enum authorize_answer answer);
int		monitor_tell_front(struct monitor *m, enum authorize_answer answer,
		    struct fault *f);

/* ---- the stranger (monitor_stranger.c) ---- */

/*
 * The AUTHORIZATION state, seen from here.  0: m->id has logged in, *rest_r is
 * the pipe with the rest of the input; -1: the stranger is gone.
 */
int		monitor_serve_stranger(struct monitor *m, int *rest_r);
/*
 * It is gone in the middle of an attempt.  A verdict that came meanwhile is no loose
 * end: who says no has written the line.
 */
void		monitor_log_loose_end(struct monitor *m);

/* ---- the session (monitor_session.c) ---- */

/* To its end, and what it has left open is finished.  *rest is closed. */
void		monitor_serve_session(struct monitor *m, int *rest);

/* ---- the connection (monitor.c) ---- */

void		monitor_close_client(struct monitor *m);

#endif

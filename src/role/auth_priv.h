/* SPDX-License-Identifier: ISC */
/*
 * What the files of auth share: questions, fronts, workers, and auth itself.  Floor 4,
 * private to auth*.c of this room.
 *
 *   auth.c		the process: its start, the master, what is there for it
 *   auth_front.c	fronts, what they ask, their share
 *   auth_question.c	questions, rows of them, exchanges that are held
 *   auth_worker.c	workers, and who gets which question
 *   auth_answer.c	what a worker's answer means
 *   auth_decide.c	what a question comes to, and when that is told
 */
#ifndef ROLE_AUTH_PRIV_H
#define ROLE_AUTH_PRIV_H

#include "role/auth.h"

#include "pop/authorize.h"
#include "role/due.h"
#include "role/kerberos.h"
#include "role/limit.h"
#include "role/penalty.h"
#include "role/verdict.h"

#include "base/map.h"
#include "base/secret.h"
#include "sys/identity.h"
#include "sys/link.h"
#include "sys/loop.h"
#include "sys/outbox.h"
#include "watch/log.h"
#include "watch/metrics.h"

#define AUTH_FRONTS_MAX		64
#define AUTH_QUESTIONS_MAX	4096	/* that wait, or are with a worker */
#define AUTH_ANSWERS_MAX	65536	/* and those whose answer is not due */

struct question {
	struct question		*next;
	uint64_t		 sid;
	uint64_t		 asked_ms;
	uint32_t		 front;		/* index */
	uint32_t		 epoch;		/* of that front */
	struct sock_addr	 peer;		/* the client */
	struct sock_addr	 socket;	/* who is at its other end */
	struct auth_way		 way;
	uint8_t			 db;		/* which one is asked */
	uint8_t			 method;
	size_t			 user_n;
	uint8_t			 user[IDENTITY_USER_MAX];
	struct secret		 secret;
	struct buf		 token;		/* owns; in its place */
	bool			 proven;	/* that was good: user is whose it is */
	struct penalty_case	 who;
	/* Of an exchange: */
	struct buf		 message;	/* owns; what is to be judged now */
	bool			 broken;
	size_t			 binding_n;
	uint8_t			 binding[AUTH_BINDING_MAX];
	struct worker		*with;		/* who has begun it; NULL: it has
						   ended */
	struct map_node		 in;		/* by sid, to its end */
	bool			 held;
	struct question		*before;	/* in the row of those that are */
	uint64_t		 until_ms;	/* and no longer */
	uint8_t			 key[VERDICT_KEY];
	uint64_t		 vouched;	/* a print, or 0 */
	uint32_t		 flushes;	/* when it was given to a worker */
};

#define AUTH_ROWS	(KERBEROS_DB + 1)	/* the last two are no databases */

struct row {
	struct question		*first;		/* owns: those that wait */
	struct question		**last;
};

struct front {
	struct auth		*a;
	uint32_t		 index;
	uint32_t		 epoch;		/* raised when it goes: what is left
						   of it is nobody's */
	int			 link;		/* owns; -1: gone */
	struct loop_watch	 watch;
	struct outbox		 out;		/* verdicts */
	struct row		 rows[AUTH_ROWS];	/* for each database, and
						   tokens */
	size_t			 questions;	/* of its share */
	size_t			 answers;	/* that are not due */
	size_t			 held;
};

struct worker {
	struct auth		*a;
	uint8_t			 db;
	int			 link;		/* owns; -1: none */
	struct loop_watch	 watch;
	struct question		*q;		/* owns; NULL: idle */
	struct row		 responses;	/* that wait for it */
	size_t			 held;		/* and exchanges of its that do */
	bool			 retired;	/* the last question it gets */
	uint64_t		 until_ms;	/* then; and responses no longer */
};

struct database {
	bool			 one_each;	/* a worker answers one question */
	bool			 vouched;	/* what was right is remembered */
};

struct auth {
	const struct settings	*conf;
	struct database		 dbs[AUTH_ROWS];	/* from TOKENS_DB on zero */
	uint8_t			 ndbs;
	struct loop		*loop;
	int			 master;
	struct loop_watch	 master_watch;
	int			 warden;
	struct loop_watch	 warden_watch;
	int			 log_link;
	struct front		 fronts[AUTH_FRONTS_MAX];
	size_t			 nfronts;
	size_t			 turn;		/* the front that is next */
	bool			 leaving;	/* ends with the last front */
	struct worker		*workers;
	size_t			 nworkers;
	struct question		*pool;
	size_t			 used;		/* of the pool, ever */
	struct question		*unused;
	struct due_heap		 due;
	struct map		 exchanges;	/* that have begun */
	struct question		*held;		/* owns; the oldest first */
	struct question		*held_last;
	struct loop_watch	 timer;
	struct penalty		*penalty;
	struct loop_watch	 gauges;	/* when they are counted again */
	bool			 changed;	/* which is soon */
	struct verdict_cache	*cache;		/* NULL: there is none */
	uint32_t		 flushes;	/* of it */
	struct quiet		 full;
	struct quiet		 late;
	struct quiet		 delayed;
	struct quiet		 unjudged;
	struct link_in		 in;		/* both may hold a password */
	struct link_out		 out;
};

/* ---- questions (auth_question.c) ---- */

/* Of that front, empty, asked now.  There is room: each front has its share, and of those
 * who are gone there is what workers still think about. */
struct question	*question_new(struct front *f);
/* It must be in no row, and not be held; what is secret is wiped. */
void		question_free(struct auth *a, struct question *q);
/* A question's front, or NULL: that has gone, and nobody waits for the answer. */
struct front	*front_of(struct auth *a, uint32_t index, uint32_t epoch);
struct span	question_secret(const struct question *q);
/* It is to be judged before any database is asked. */
bool		question_needs_proof(const struct question *q);
bool		question_by_exchange(const struct question *q);
/* What is to be judged now, at most AUTH_MESSAGE_MAX octets of an exchange. */
void		question_take_message(struct question *q, struct span octets,
		    bool broken);
/* Whose name it is, a worker has read. */
void		question_know_user(struct auth *a, struct question *q,
		    struct span user);
/* How it ended; judged: those that were, after how long. */
void		question_count(const struct question *q, enum metric pass,
		    bool judged);
/* The line of an attempt that no worker has judged, or in vain. */
void		question_log_lost(const struct question *q, const char *why);
/* When its time is over, by clock_ms. */
uint64_t	question_deadline(const struct auth *a, const struct question *q);

void		row_put(struct row *r, struct question *q);
/* It must not be empty. */
struct question	*row_take(struct row *r);

/* Its worker is free for others until the client has answered. */
void		exchange_hold(struct auth *a, struct question *q);
/* The caller's again. */
void		exchange_take(struct auth *a, struct question *q);
/* NULL: there is none of this front's. */
struct question	*exchange_find(const struct front *f, uint64_t sid);
/* Its worker is told that nobody wants its verdict any more. */
void		exchange_tell_abort(struct auth *a, const struct question *q);
/* One that is held.  Nothing was judged, so there is no line, and nothing to count. */
void		exchange_forget(struct auth *a, struct question *q);

/* ---- fronts (auth_front.c) ---- */

void		front_open(struct front *f, int link);
/* And whatever of it waits. */
void		front_close(struct front *f);
/* VERDICT, at once. */
void		front_tell(struct front *f, uint64_t sid, uint8_t answer);

/* ---- what a question comes to (auth_decide.c); each ends it ---- */

/* Told at a fixed time after it came, or a multiple of that, whatever the reason. */
void		question_decide(struct auth *a, struct question *q,
		    enum authorize_answer answer);
/* NO; later, where many were wrong before (penalty.h).  Fronts wait as long as a
 * judgement may take. */
void		question_refuse(struct auth *a, struct question *q);
/* Its password is not even looked at. */
void		question_leave_unjudged(struct auth *a, struct question *q);
/* In the midst of an exchange its worker has ended. */
void		question_lose(struct auth *a, struct question *q);
/* No end: may it be judged, now that it is its turn?  Much may have gone wrong since
 * it was asked. */
bool		question_may_be_judged(struct auth *a, struct question *q);

/* The next time at which something is due. */
void		auth_set_timer(struct auth *a);
void		auth_on_timer(void *ctx, unsigned what);
/* Penalties are counted for the metrics, soon. */
void		auth_penalties_changed(struct auth *a);
void		auth_on_gauges(void *ctx, unsigned what);

/* ---- workers (auth_worker.c) ---- */

/* It has died, or what it knew is old.  It must have no question.  Exchanges that are
 * held end when the client says more. */
void		worker_close(struct worker *w);
/* What it was asked stays undecided, and it is idle, or gone. */
void		worker_undecided(struct worker *w);
/* Whoever waits gets a worker, as long as there are some. */
void		auth_serve_rows(struct auth *a);

/* ---- what a worker says (auth_answer.c) ---- */

/* Its decision; false: it is of no more use. */
bool		worker_answer(struct worker *w, struct link_in *m);
/* A line about it, with the sid of its question. */
void		worker_log(const struct worker *w, const char *word,
		    const char *text);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The process that answers the question "is this user who it says?".  Floor 4.
 */
#ifndef ROLE_WORKER_H
#define ROLE_WORKER_H

#include "base/attr.h"
#include "auth/auth.h"
#include "role/limit.h"
#include "role/settings.h"

/* One question of a monitor's client.  Descriptors are borrowed. */
struct worker_question {
	const struct sock_addr	*peer;
	enum auth_method	 method;
	pid_t			 monitor;
	int			 credential;	/* the front is at its other end */
	int			 record;	/* has what the client said; may be
						 * credential */
	int			 pass;		/* where the worker of the next
						 * database finds the same, or -1 */
	int			 verdict;
	int			 log_link;
};

/*
 * Read one record, decide (in an exchange ask the front), log a failure, write the
 * verdict, exit.  What a question by another method than `method` would need is not
 * there, so such a record is not judged.  Root with PAM; else it enters a cage first.
 * It ends with its monitor: nobody else would end a PAM that hangs.
 * conf->auth is that of one database (auth_select).
 */
void	worker_main(const struct settings *conf, const struct worker_question *w)
	    NORETURN;

/* Many workers one after the other, in memory that they share: of what is wrong they say
 * one line in a while, unless it is something else now. */
struct worker_errors {
	struct quiet	quiet;
	char		text[sizeof(((struct fault *)0)->text)];
};
/* For this process; without it, each error has its line. */
void	worker_share_errors(struct worker_errors *e);

/* Of one worker, at a time. */
#define WORKER_EXCHANGES_MAX	1024
/* How long after RETIRED: responses of exchanges that it has begun are given to it. */
#define WORKER_RETIRED_MS	300

/*
 * The worker of popper serve: answers QUESTIONs on `link`, one with PAM, then it
 * exits; with a password file, many.  `lease` (-1 with PAM) is a pipe that shows
 * its end when what prepare has read may be old: then the worker asks, by
 * RETIRED, for no more questions, answers what has been sent to it, goes on with
 * exchanges until its link is closed, and exits.
 * log_link: of its own; -1: it can open the log by itself.
 */
void	worker_serve(const struct settings *conf, pid_t warden, int link,
	    int lease, int log_link) NORETURN;

/* The same, of tokens: says whose they are (PROVEN), never who that is here.  front_user
 * in a cage, with a network if it has to ask a server.  lease -1: for one question. */
void	worker_serve_tokens(const struct settings *conf, pid_t parent, int link,
	    int lease, int log_link) NORETURN;
/* The same, of GSSAPI, in exchanges. */
void	worker_serve_kerberos(const struct settings *conf, pid_t parent,
	    int link, int lease, int log_link) NORETURN;

/* The log line of a failed login: stable, for fail2ban and its like. */
void	worker_log_failure(const struct auth_request *q,
	    const struct auth_verdict *v);
/* Of who was let in: that it was by an app password, or a master user, and by which. */
void	worker_log_proof(const struct auth_request *q,
	    const struct auth_verdict *v);

#endif

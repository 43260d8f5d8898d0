/* SPDX-License-Identifier: ISC */
/*
 * What the files of popper ctl share: a job.  Floor 5, private to ctl*.c of this room.
 *
 *   ctl.c		the commands
 *   ctl_args.c		what the operator has written
 *   ctl_ask.c		servers are asked, and what they say is printed
 *   ctl_why.c		why: what would become of a login
 *   ctl_trace.c	trace
 */
#ifndef CMD_CTL_PRIV_H
#define CMD_CTL_PRIV_H

#include "cmd/ctl.h"

#include "auth/network.h"
#include "base/attr.h"
#include "cmd/start.h"
#include "role/ctl.h"
#include "role/settings.h"
#include "sys/link.h"

#define CTL_WAIT_MS	30000		/* for an answer */

enum { OPT_CONFIG = 256, OPT_JSON, OPT_HARD, OPT_CLEAR, OPT_FOR, OPT_SIZE,
    OPT_LISTENER, OPT_METHOD, OPT_TLS, OPT_HELP };

/* Of the options that not every command takes, JSON to TLS. */
#define GIVEN(option)	(1u << ((option) - OPT_JSON))

struct job {
	struct settings	 settings;
	char		*config;
	unsigned	 given;
	bool		 json;
	bool		 help;
	uint64_t	 trace_s;
	uint64_t	 trace_octets;
	char		**words;
	int		 nwords;
	struct ctl_whom	 whom;
	struct network	 network;	/* trace @NETWORK */
	enum auth_method method;	/* why */
	struct auth_way	 way;
	uint64_t	 rows;
	bool		 from_all;	/* several answer: until the end */
	int		 wait_ms;	/* for an answer */
	/* Of the facts that come, those; NULL: all. */
	bool		 (*wants)(const char *name);
	/* They are no rows, but to be told so; NULL: rows. */
	void		 (*tell)(const char *name, const char *text);
};

/* ---- arguments (ctl_args.c) ---- */

/* STATUS_OK: j->words are what stands behind the options. */
int	job_parse(int argc, char **argv, struct job *j) MUSTUSE;
/* j->words[1]; networks: it may be @NETWORK.  STATUS_OK: j->whom, or j->network. */
int	job_parse_whom(struct job *j, bool networks) MUSTUSE;
/* The name of one that was given, and is not among what a command takes. */
const char *job_refused_option(unsigned given, unsigned takes);
/* Tells standard error, unless why is NULL: STATUS_USAGE. */
int	job_bad_usage(const char *why);

/* ---- questions and answers (ctl_ask.c) ---- */

/* All servers that inetd has started side by side; most often there is one.  What
 * they say is printed; *n_r is what they have counted. */
int	job_ask(struct job *j, uint16_t type, uint32_t *n_r) MUSTUSE;
/* text NULL: a number. */
void	job_show(struct job *j, const char *name, const char *text,
	    uint64_t number);
/* To the nth of the servers. */
int	job_connect(const struct job *j, size_t nth, int *fd_r, struct fault *f)
	    MUSTUSE;
/* DONE: adds to *n_r; -1: it was a no. */
int	job_read_done(struct link_in *in, uint32_t *n_r, struct fault *f) MUSTUSE;
/* There is no such server. */
bool	job_is_absent(const struct fault *f);
/* Tells standard error; a status. */
int	job_complain(const struct fault *f);

/* ---- commands of their own files ---- */

int	job_why(struct job *j) MUSTUSE;
int	job_trace(struct job *j) MUSTUSE;

#endif

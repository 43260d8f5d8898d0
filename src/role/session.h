/* SPDX-License-Identifier: ISC */
/*
 * The process that serves one login (TRANSACTION and UPDATE states).  Floor 4.
 */
#ifndef ROLE_SESSION_H
#define ROLE_SESSION_H

#include "base/attr.h"
#include "pop/transact.h"
#include "role/host.h"
#include "role/pump.h"
#include "role/reach.h"
#include "role/settings.h"
#include "sys/sock.h"

/*
 * A session that was served in a process of many until it met a command that is
 * not for there: it goes on where that left off, over the same copy.
 */
struct session_moved {
	int			 copy;		/* owns */
	uint64_t		 size;		/* its octets */
	uint64_t		 began_ms;
	uint64_t		 octets_in;
	uint64_t		 octets_out;
	struct pop_marks	 marks;
	struct words		 words;
	struct span		 line;		/* that command */
};

struct session_start {
	const struct settings	*conf;
	const struct identity	*id;
	const struct host	*facts;		/* path, folders, journal: as
						   found; not to be asked */
	struct host		*direct;	/* isolation = single; else NULL */
	const char		*hostname;
	uint64_t		 sid;		/* 0: it is never traced by it */
	const struct sock_addr	*peer;
	int			 in;
	int			 out;
	int			 far;		/* the client's own socket, where in
						   and out are a relay; or -1 */
	const struct pump_wire	*wire;		/* or NULL; where no front is */
	void			*wire_ctx;
	int			 link;		/* to the monitor, or -1 */
	int			 log_link;	/* or -1 */
	int			 rest_fd;	/* pipe with the input that a
						   front had read, or -1 */
	struct span		 rest;		/* that input, where no front is */
	struct words		 words;		/* as told before the login */
	struct reach		*reach;		/* opened before the cage; NULL:
						   not yet */
	bool			 cached;	/* auth knew the password: to be
						   logged */
	bool			 alone;		/* nobody else looks whether the
						   client's host has vanished */
	bool			 tells;		/* its SUMMARY is asked for */
	bool			 clock_kept;	/* clock_is_kept(), before the cage */
	uint64_t		 boot;		/* file_boot(), likewise */
	const struct fault	*refused;	/* why there is no maildrop, or NULL */
	const struct session_moved *moved;	/* or NULL: it begins here */
};

/* Serve until the end; everything is logged.  For isolation = single. */
void	session_run(const struct session_start *c);

/* Become the user, enter the cage, serve, exit 0; SESSION_UNBORN: it could not
 * be caged. */
#define SESSION_UNBORN	1
void	session_main(const struct session_start *c) NORETURN;

/*
 * What a front had read of the client, as far as it is in the pipe: the front
 * has ended.  Were it no pipe of an honest front's, this does not wait for it.
 * Good until the next call.
 */
struct span	session_read_rest(int fd);

/*
 * Finish an interrupted UPDATE, likewise.  Exit status: 0, or 75 when it could
 * not be done now.
 */
void	session_recover_main(const struct session_start *c) NORETURN;
/* The same in this process.  0 or -1. */
int	session_recover(const struct session_start *c) MUSTUSE;

#endif

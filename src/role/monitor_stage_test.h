/* SPDX-License-Identifier: ISC */
/*
 * For the tests of the monitor and of its children, which are real processes here.  The
 * linker puts this file's front, worker and session in place of the real ones (--wrap):
 * each plays a script, and writes a letter into a trail when something has had an effect.
 * Every function fails the test that calls it.
 */
#ifndef ROLE_MONITOR_STAGE_TEST_H
#define ROLE_MONITOR_STAGE_TEST_H

#include "pop/authorize.h"
#include "role/mad_test.h"
#include "role/settings.h"
#include "role/wire.h"

#define BODY	MAD_BODY

/* One message of a mad peer. */
struct say {
	uint16_t	type;
	uint32_t	n;		/* octets of the body */
	uint8_t		fds;
	uint8_t		fill;		/* the body is of these */
};

enum where { NOWHERE, STRANGER, ASKED, GRANTED, SESSION, RECOVERY, WORKER,
	     FRONT_LOG, SESSION_LOG, FRONT_STAYS, SESSION_CLOSES,
	     SESSION_FLOODS, WORKER_GRANTS, EXCHANGE, FRONT_ASKS_ON, WORKER_DIES,
	     FRONT_DIES, ANNOUNCES, BEHIND };

/* Set before a monitor is forked. */
extern struct script {
	enum where	 where;
	struct say	 say;
	struct say	 handed;	/* when a file is wanted */
	bool		 silent;	/* nothing, and the link stays open */
	const struct link_out *grant;
	struct link_out	 clients[2];	/* of a front that announces */
	size_t		 nclients;
	int		 spoken[2];	/* BEHIND: the worker has */
} script;

/* What came of it. */
extern struct outcome {
	int	status;			/* of waitpid */
	char	trail[4000];
	char	log[16384];
} out;

extern struct settings		conf;
extern const struct identity	user;

/* For main. */
int	setup(void **state);
int	teardown(void **state);

/* A monitor whose children play the script up to there; s: what is said then.  run_for:
 * for the connection client[1]; it closes both. */
void	run(enum where where, const struct say *s);
void	run_for(int client[2]);
/* What came of it; NULL: nothing was logged. */
void	expect(const char *want_trail, const char *want_log);

void	say(int link, const struct say *s);
/* Every type with bodies of several sizes and 0, 1, 2 descriptors. */
bool	next_say(struct say *s);
bool	is(const struct say *s, uint16_t type, uint32_t n, uint8_t fds);
void	put_grant(struct link_out *m, const struct identity *id);

/* A process, which must end by itself: its wait status. */
int	wait_for(pid_t pid);
/* Into out.log, and it begins anew. */
void	read_log(void);

#endif

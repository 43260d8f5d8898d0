/* SPDX-License-Identifier: ISC */
/*
 * For the tests of the authenticator and its warden, which are real processes here:
 * the house around them.  A test plays fronts, the master, and the warden, its workers
 * or who asks them.  Every function fails the test that calls it.
 */
#ifndef ROLE_AUTH_STAGE_TEST_H
#define ROLE_AUTH_STAGE_TEST_H

#include "role/penalty.h"
#include "role/permit.h"
#include "role/settings.h"

#include "base/num.h"
#include "sys/file.h"
#include "sys/link.h"
#include "sys/sock.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FRONTS		2
#define DELAY_MS	1000		/* auth_fail_delay, in the settings */
#define LATE_MS		800		/* of a busy machine; less than DELAY_MS, the next
					   time at which an answer could come */
#define TIMEOUT_S	10		/* auth_timeout; no delay is longer */
#define LONG_MS		60000		/* longer than anything here takes */
#define USERS		"ann:{PLAIN}wonderland:::::::\nbob:{PLAIN}builder:::::::\n"

/* Our ends of all links; -1: closed, or somebody else's. */
struct stage {
	pid_t		auth;
	pid_t		warden;
	int		front[FRONTS];
	int		master;
	int		wardens;	/* the warden's end, when we play it */
	int		log[2];
	struct link_in	in;
	struct link_out	out;
};

extern struct stage	it;
extern struct settings	conf;		/* of the next begin; each test has its own */
extern char		users_file[];	/* USERS, when a test begins */
extern char		deny_file[];	/* there is none */
extern int		pipe_ends[2];	/* descriptors to send */
extern char		seen[];		/* of the log, as it was last read */
extern struct penalty	*penalty;
extern struct sock_addr	peer;		/* 127.0.0.1, who has no penalties */
extern uint8_t		method;		/* enum auth_method of what is asked */
extern uint64_t		delay_ms;	/* auth_fail_delay, in this try */
extern bool		late;		/* the machine was too slow for this try */

/* For main.  A test as root begins with settings, files and penalties of its own. */
int		setup(void **state);
int		teardown(void **state);
int		afresh(void **state);
#define AS_ROOT(test)	cmocka_unit_test_setup(test, afresh)

/* A real auth, and its warden or this test instead.  Until the master goes, whereupon
 * all must end; auth with that wait status. */
void		begin(bool real_warden);
void		end(void);
void		end_with(int status);
/* It must end by itself. */
int		wait_for(pid_t pid);

/* How often the log has that word. */
size_t		count(const char *word);
void		forget_log(void);
/* Another file in its place. */
void		put_text(const char *path, const char *rows);

/* With the delay that is set, and if the machine was too slow for that, with so
 * many times it (in_time: 3), and again. */
void		try_with(void **state, void (*attempt)(void), unsigned more);
void		in_time(void **state, void (*attempt)(void));
/* After that time, and by that thousandth of the delay later; else it was late. */
void		expect_taken(uint64_t taken, uint64_t ms, unsigned later);

/* ---- a front ---- */

void		come_from(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
/* What CHECK and QUESTION have in common, behind their head. */
void		put_fields(const char *user, const char *password);
void		put_check(uint64_t sid, const char *user, const char *password);
void		check(int front, uint64_t sid, const char *user, const char *password);
void		begin_exchange(int front, uint64_t sid);
void		respond(int front, uint64_t sid);
/* Until auth has met what this front has said: the next thing that it reads was said
 * later. */
void		wait_read(int front);
/* 'n' no, 'e' error; 'y' is for the master to say; '-': nothing in time; '.': the
 * end. */
char		hear(int front, int timeout_ms, uint64_t *sid_r);
void		expect(int front, char answer, uint64_t sid);
/* What becomes of ann's question: the master is told ('y', or 'k': known before), or
 * her front is, before or after what becomes of wrong ones.  If it is not this, though
 * asked again in time, then something else was too late. */
void		expect_outcome(int front, uint64_t sid, char answer);
/* In place of one that has gone. */
void		new_front(uint32_t index);

/* ---- the master ---- */

/* Who has logged in; cached: not hashed. */
void		expect_admit(int front, uint64_t sid, const char *user);
void		expect_admit_as(int front, uint64_t sid, const char *user, uint8_t cached);
/* ann. */
void		log_in(int front, uint64_t sid);
/* How many were forgotten, of a user, or of all (""). */
void		expect_flushed(const char *user, uint32_t n);

/* ---- the warden, and a worker ---- */

/* The link of a worker that auth wants; of that database. */
int		take_worker(void);
int		take_worker_of(uint8_t db);
/* A print, or 0. */
uint64_t	take_vouched(int link, uint64_t sid);
void		take_question(int link, uint64_t sid);
/* What it answers: no (DENY_NO) or another of role/wire.h; ann. */
void		deny(int link, uint8_t undecided);
void		grant(int link);
void		grant_print(int link, uint64_t print);
/* It wants no more questions. */
void		retire(int link);
/* It wants to know more of that user; of ann, whose client hears that. */
void		put_challenge(int link, uint64_t sid, const char *user);
void		challenge(int link, int front, uint64_t sid);
/* What it is asked that is no new question: a message of that type. */
void		take_said(int link, uint16_t type);
void		expect_closed(int *link);

#endif

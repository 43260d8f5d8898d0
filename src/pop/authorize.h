/* SPDX-License-Identifier: ISC */
/*
 * The AUTHORIZATION state (RFC 1939 s.4, s.7): lines in, replies out, and now
 * and then a question that somebody else answers.  Floor 3, pure.
 *
 *   START --USER--> NAMED --PASS/RPOP--> ASKED --yes--> (TRANSACTION)
 *     ^               |other                |no
 *     +---------------+<--------------------+  (or the end: tries)
 *     +--XCLIENT--> (whose is it?) --> START
 */
#ifndef POP_AUTHORIZE_H
#define POP_AUTHORIZE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/secret.h"
#include "proto/proxy.h"

#define AUTHORIZE_NAME_MAX	255

enum authorize_next {
	AUTHORIZE_MORE,		/* go on reading */
	AUTHORIZE_ASK,		/* see ask; then call authorize_answer */
	AUTHORIZE_CLIENT,	/* see announced; then call authorize_moved, or
				   end it */
	AUTHORIZE_CLOSE,	/* the last reply is in out */
};

enum authorize_answer {
	ANSWER_YES,
	ANSWER_NO,
	ANSWER_ERROR,		/* the question could not be decided */
	ANSWER_FULL,		/* yes, but there is no room for a session */
	ANSWER_USER_FULL,	/* or for one more of this user */
};

struct authorize {
	const char	*host;			/* for greeting and farewell */
	const char	*version;		/* NULL: hidden */
	unsigned	 tries;			/* failures allowed */
	unsigned	 bad_max;		/* bad commands in a row */
	unsigned	 lines_max;		/* lines in all */
	bool		 rpop;			/* RPOP is a command */
	bool		 xclient;		/* so is XCLIENT, once; set it
						   before the greeting */
	unsigned	 failures;
	unsigned	 bad;
	unsigned	 lines;
	bool		 quit;			/* ended by QUIT */
	bool		 named;
	size_t		 name_n;
	uint8_t		 name[AUTHORIZE_NAME_MAX];
	struct {
		bool		rpop;
		struct secret	secret;
	} ask;
	struct proxy_client announced;		/* by XCLIENT */
};

void	authorize_init(struct authorize *a, const char *host,
	    const char *version, unsigned tries, unsigned bad_max,
	    unsigned lines_max, bool rpop);
void	authorize_fini(struct authorize *a);

/* out needs room for LIMIT_REPLY (and for CAPA's list). */
void	authorize_greet(const struct authorize *a, struct buf *out);
enum authorize_next	authorize_line(struct authorize *a, struct span line,
			    struct buf *out);
/* It is another client's connection from now on. */
void	authorize_moved(struct authorize *a, struct buf *out);
/* A line that was too long. */
enum authorize_next	authorize_too_long(struct authorize *a, struct buf *out);
/* MORE or CLOSE; ANSWER_YES is not for here: the session replies. */
enum authorize_next	authorize_answer(struct authorize *a,
			    enum authorize_answer answer, struct buf *out);

#endif

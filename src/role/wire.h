/* SPDX-License-Identifier: ISC */
/*
 * Fields that several messages between roles have, put and got in one way.
 * Floor 4.  What is got is checked: whoever sent it may have been taken over.
 */
#ifndef ROLE_WIRE_H
#define ROLE_WIRE_H

#include "auth/exchange.h"
#include "sys/identity.h"
#include "sys/link.h"
#include "sys/sock.h"
#include "watch/metrics.h"

/* The most octets that the fields of each take. */
#define WIRE_IDENTITY_MAX	(2 * (4u + IDENTITY_PATH_MAX) + 4u + \
				 IDENTITY_USER_MAX + 3 * 4u + \
				 4u * IDENTITY_GIDS_MAX + 1 + \
				 4u + IDENTITY_DB_MAX + 1 + 1 + 4)
#define WIRE_PEER_MAX		(1 + 4u + 16 + 4)
#define WIRE_WAY_MAX		(WIRE_PEER_MAX + 1)
#define WIRE_SID_MAX		24	/* octets of a sid as text */

void	wire_put_identity(struct link_out *m, const struct identity *id);
/*
 * FAULT_PEER for control characters (an owner file has a line for each text,
 * host_journal.c), for too many groups or too long texts.  Ids are not judged.
 */
int	wire_get_identity(struct link_in *m, struct identity *id,
	    struct fault *f) MUSTUSE;

/* An address without its text, which the receiver makes anew. */
void	wire_put_peer(struct link_out *m, const struct sock_addr *a);
int	wire_get_peer(struct link_in *m, struct sock_addr *a, struct fault *f)
	    MUSTUSE;

void	wire_put_way(struct link_out *m, const struct auth_way *w);
int	wire_get_way(struct link_in *m, struct auth_way *w, struct fault *f)
	    MUSTUSE;
/* What a front asks, in CREDENTIAL, CHECK and QUESTION: views. */
struct wire_asked {
	uint8_t		method;		/* enum auth_method */
	struct auth_way	way;
	struct span	user;		/* empty in an exchange */
	struct span	secret;		/* or its first message */
	bool		broken;		/* which was no base64 */
	struct span	binding;	/* struct auth_request's */
};
void	wire_put_asked(struct link_out *m, const struct wire_asked *a);
int	wire_get_asked(struct link_in *m, struct wire_asked *a, struct fault *f)
	    MUSTUSE;
/* Of an exchange, with the sid before it: CHALLENGE and RESPONSE. */
void	wire_put_challenge(struct link_out *m, uint64_t sid, struct span user,
	    struct span octets);
int	wire_get_challenge(struct link_in *m, uint64_t *sid_r,
	    struct span *user_r, struct span *octets_r, struct fault *f) MUSTUSE;
void	wire_put_response(struct link_out *m, uint64_t sid, struct span octets,
	    bool broken);
int	wire_get_response(struct link_in *m, uint64_t *sid_r,
	    struct span *octets_r, bool *broken_r, struct fault *f) MUSTUSE;

/* DENY: how it was meant. */
enum wire_deny {
	DENY_NO,
	DENY_UNDECIDED,			/* the database could not be asked */
	DENY_UNKNOWN,			/* to this database: ask the next */
};

/* ADMIT: who has logged in, on which of the strangers' sockets. */
struct wire_admit {
	uint64_t		sid;
	uint32_t		front;
	bool			cached;		/* for the log */
	struct sock_addr	peer;		/* the client */
	struct sock_addr	socket;		/* who is at its other end */
	struct identity		id;
};
void	wire_put_admit(struct link_out *m, const struct wire_admit *a);
/* The whole message.  Neither the front nor ids are judged. */
int	wire_get_admit(struct link_in *m, struct wire_admit *a, struct fault *f)
	    MUSTUSE;

/* What a session tells of itself at its end. */
struct wire_summary {
	enum metric	end;		/* METRIC_END_QUIT to _CRASH */
	uint64_t	retrieved;
	uint64_t	deleted;
	uint64_t	octets_in;
	uint64_t	octets_out;
	uint64_t	ms;
	uint64_t	lock_ms;	/* waited for locks of others */
};
#define WIRE_SUMMARY_SIZE	(1 + 6 * 8)
void	wire_put_summary(struct link_out *m, const struct wire_summary *s);
/*
 * Checked and cut to what a session that began ms ago can have done: it is the
 * user's process.  FAULT_PEER: no reason that there is.
 */
int	wire_get_summary(struct link_in *m, uint64_t ms, struct wire_summary *s,
	    struct fault *f) MUSTUSE;
/* The same, and add it to what is counted; once.  Why the session has ended. */
int	wire_take_summary(struct link_in *m, uint64_t ms, bool *once,
	    enum metric *end_r, struct fault *f) MUSTUSE;

/*
 * A pipe with what a front has read of a client beyond its login, for the session;
 * fd_r: the end to be read, the caller's.  Never waits:
 * who has many pipes is given small ones by the kernel (one page before Linux 5.14),
 * and then this fails for the time being, with EAGAIN.
 */
int	wire_rest(struct span rest, int *fd_r, struct fault *f) MUSTUSE;

/*
 * The id of a stranger and then of its session, in all roles and in the log:
 * 48 random bits, never 0.
 */
uint64_t	wire_new_sid(void);
/* As the log shows it. */
void		wire_sid_text(uint64_t sid, char out[WIRE_SID_MAX]);
/* From now on this process logs for that one. */
void		wire_log_sid(uint64_t sid);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Who guesses passwords waits: what auth remembers of failed logins, by address,
 * by network and by user, and of devices that have logged in.  In memory of
 * bounded size, as hashes by a key of this run's, and forgotten with it; what is
 * weakest makes room.  Floor 4; its clock is the caller's.
 *
 * The master makes it and has no further use for it; auths share it, the next one
 * after one that has died, and those of two crews during a reload, each with the
 * times of its own settings.  No other process keeps a mapping of it: the key is in
 * there, and hashes of passwords that were wrong.  It is fixed tables without
 * pointers.  Whatever an auth has left there, killed in the middle or not, is a
 * hint: each number is bounded when it is read.
 *
 * A failure raises a score of its address (IPv4; of IPv6 a network of 64 bits: a
 * host has as many there as it likes), of its network (/24, /48) and of its user,
 * whether there is such a user or not.  Scores halve in five minutes.  From a
 * score on, each further failure doubles the time after which a refusal is told;
 * and where one more would be too much, one question is judged at a time, and
 * after a failure none until its refusal is told: who guesses could hang up, and
 * guess on, from the next address if need be.
 *
 * What an address can do then stays below what is too much for a network, and
 * what a network can do below what is too much for a user.  So who has one address
 * shuts out nobody from his network, who has one network nobody elsewhere, and a
 * user waits only when his password is guessed from several networks at a time.
 * With the defaults it can be tried from one address some 4000 times a day, from
 * one network or from all the world 7000 times.
 *
 * What protects users from that.  Where a user has logged in from an address, both
 * together (a device) never wait longer than everybody does, and are always
 * judged.  Elsewhere in a network where he has logged in, it does not count that
 * strangers guess his password.  From a network where he never was he must try
 * again while they do: nothing tells him from them.
 *
 * The same wrong password from the same address for the same user counts once: a
 * mail program that was not told of a new password is no attack.  Addresses of
 * this host itself (a webmail's) have no score: they are many people's.
 */
#ifndef ROLE_PENALTY_H
#define ROLE_PENALTY_H

#include "base/span.h"
#include "sys/sock.h"

#define PENALTY_DOUBLINGS	3	/* at the most */

struct penalty;

/* What has a score, the narrowest first. */
enum penalty_level { PENALTY_ADDRESS, PENALTY_NETWORK, PENALTY_USER,
	PENALTY_LEVELS };

/* Hashes of who asks what; holds no password. */
struct penalty_case {
	uint64_t	key[PENALTY_LEVELS];	/* 0: has none that counts */
	uint64_t	device;
	uint64_t	near;		/* this user in this network */
	uint64_t	guess;
	unsigned	waits;		/* mask of levels that wait for this one */
};

/* What is known of one who asks, for an operator; a key of 0 is left out, and so
 * are a device and a near one of 0. */
struct penalty_view {
	unsigned	failures[PENALTY_LEVELS];	/* as they have faded */
	unsigned	doublings;	/* of the next refusal */
	bool		device;		/* has logged in from there */
	bool		near;		/* or elsewhere in that network */
	uint64_t	until_ms;	/* not judged until then */
};
void		 penalty_look(struct penalty *p,
		    const struct penalty_case *c, uint64_t now_ms,
		    struct penalty_view *out);
struct penalty_sum {
	size_t	scores;			/* addresses, networks and users */
	size_t	waiting;		/* those of them that are not judged now */
	size_t	delayed[PENALTY_LEVELS];	/* or whose next refusal is doubled;
						   devices may be excepted */
	size_t	known;			/* devices, and users in networks */
};
/* O(all of it): a fraction of a millisecond.  Without the lock: an estimate. */
void		 penalty_count(const struct penalty *p, uint64_t now_ms,
		    struct penalty_sum *out);
/* Forget the scores of these keys. */
void		 penalty_clear(struct penalty *p, const struct penalty_case *c);

/* 5 MiB that processes forked later share.  NULL: a fault. */
struct penalty	*penalty_new(struct fault *f);
/* An auth, before all else: `who` it is, and how long a refusal takes at the most. */
void		 penalty_join(struct penalty *p, uint32_t who, uint64_t most_ms);
/* The master: that one has died. */
void		 penalty_left(struct penalty *p, uint32_t who);
/* This process has it no more. */
void		 penalty_free(struct penalty *p);

void	penalty_case(const struct penalty *p, const struct sock_addr *peer,
	    struct span user, struct span secret, struct penalty_case *out);

/* Is it to be judged at all? */
bool	penalty_judged(struct penalty *p, const struct penalty_case *c,
	    uint64_t now_ms) MUSTUSE;
/* It is being judged, until then at the latest. */
void	penalty_begin(struct penalty *p, struct penalty_case *c,
	    uint64_t now_ms, uint64_t until_ms);
/* It is not, after all. */
void	penalty_end(struct penalty *p, struct penalty_case *c);
/* It was wrong: how often is the delay of this refusal doubled? */
unsigned	penalty_wrong(struct penalty *p, struct penalty_case *c,
		    uint64_t now_ms) MUSTUSE;
/* That refusal, doubled, is told then. */
void	penalty_until(struct penalty *p, const struct penalty_case *c,
	    uint64_t at_ms);
/* It was right. */
void	penalty_right(struct penalty *p, struct penalty_case *c,
	    uint64_t now_ms);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The verdict cache: what auth remembers of right passwords, so that a program
 * that asks for mail every few minutes does not cost a slow hash each time.  Only
 * of a yes, and no yes by itself: it holds the print of what the password was
 * right against, with which auth vouches for the same question when it is asked
 * again; the worker judges all else, and hashes if what is stored has changed
 * (auth/auth.h).  So a wrong password is never answered from here, nor an account
 * that was closed or changed meanwhile.
 *
 * In locked memory of bounded size, no passwords, but keyed hashes (BLAKE2b of
 * libsodium) of database, user, mechanism and password together, and of the user, by
 * a key of this run's.  Nothing makes room before its time is over.  Floor 4; knows no clock.
 */
#ifndef ROLE_VERDICT_H
#define ROLE_VERDICT_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

#define VERDICT_KEY	32

struct verdict_cache;

/* Before the cage.  ttl_ms: how long an entry is good for; vouching does not prolong
 * it.  NULL: the hash cannot be had. */
struct verdict_cache	*verdict_new(size_t entries, uint64_t ttl_ms,
			    struct fault *f) MUSTUSE;
void	verdict_free(struct verdict_cache *c);

void	verdict_key(const struct verdict_cache *c, uint8_t db,
	    uint8_t mechanism, struct span user, struct span secret,
	    uint8_t out[VERDICT_KEY]);

/* The print, or 0: nobody can vouch for it. */
uint64_t	verdict_find(const struct verdict_cache *c,
		    const uint8_t key[VERDICT_KEY], uint64_t now_ms) MUSTUSE;
/* The password was right against that, now; it is not 0.  Where there is no room,
 * nothing is remembered. */
void	verdict_put(struct verdict_cache *c, const uint8_t key[VERDICT_KEY],
	    struct span user, uint64_t print, uint64_t now_ms);
/* Forget everything, the key, too; or all of a user.  How many that were, those
 * whose time was over among them.  O(entries) */
size_t	verdict_flush(struct verdict_cache *c);
size_t	verdict_forget(struct verdict_cache *c, struct span user);

#endif

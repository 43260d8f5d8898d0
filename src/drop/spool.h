/* SPDX-License-Identifier: ISC */
/*
 * The spool file under its locks.  Floor 2; the session or the recovery child,
 * as the user.
 *
 * Two locks, as Debian Policy 11.6 wants them: the kernel's on the file, and
 * the dotlock (the host's, or our own in a folder of the user's).  Neither is
 * waited for: when one cannot be had, both are released, and after a random
 * sleep both are tried again.  So no order of theirs in another program can
 * make a deadlock.
 */
#ifndef DROP_SPOOL_H
#define DROP_SPOOL_H

#include "drop/drop.h"
#include "sys/file.h"
#include "sys/lock.h"

#define SPOOL_NAME_MAX	256

struct spool {
	const struct drop_conf	*conf;	/* borrows */
	int			 fd;	/* owns; -1: there is no spool */
	struct file_facts	 facts;	/* when it was locked */
	int			 dirfd;	/* owns; the folder; -1 before */
	char			 name[SPOOL_NAME_MAX];	/* in that folder */
	bool			 locked;	/* both */
	bool			 dot;		/* the dotlock is ours */
	struct dotlock		 dotlock;	/* if we made it, not the host */
	bool			 pending;	/* set by who recovers: an update is
						   open, so the dotlock stays when
						   no lock can be had */
	uint64_t		 fresh_ms;	/* the dotlock is, since then */
};

void	spool_init(struct spool *s, const struct drop_conf *c);

/* Open the folder alone, and know the name in it. */
int	spool_folder(struct spool *s, struct fault *f) MUSTUSE;

/*
 * Open and lock, within conf->lock_timeout_s; what is locked is what the path
 * names.  SCAN: a missing spool is no failure, nothing is locked then.
 * UPDATE: it is made.  owned: inode number of a dotlock of our own that a crash
 * left behind (0: none), which is taken over.
 * FAULT_IN_USE: no lock in time; FAULT_PERM: no regular file, or another
 * user's, or with a second name.
 */
int	spool_lock(struct spool *s, enum drop_lock_purpose why, uint64_t owned,
	    struct fault *f) MUSTUSE;

/* From now on our own dotlock outlives us (the host's UPDATE lock does). */
int	spool_hold(struct spool *s, struct fault *f) MUSTUSE;
/* Inode number of our own dotlock; 0 when the host has it. */
uint64_t spool_own_lock(const struct spool *s);

/* Keep the dotlock fresh: call it every few MiB; it acts when it is time. */
int	spool_tick(struct spool *s, struct fault *f) MUSTUSE;

/* Release both locks.  The file stays open. */
void	spool_unlock(struct spool *s);
/* Close all.  When still locked, the dotlock stays behind, for recovery. */
void	spool_fini(struct spool *s);

/* Is this a maildrop of that user's: regular, his, one name? */
int	spool_check_owner(const struct file_facts *facts, uid_t uid,
	    const char *path, struct fault *f) MUSTUSE;

/* Do both say the same file in the same state? */
bool	spool_same_state(const struct file_facts *a, const struct file_facts *b);

#endif

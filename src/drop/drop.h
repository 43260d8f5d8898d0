/* SPDX-License-Identifier: ISC */
/*
 * A maildrop.  Floor 2; run by the session process with the user's rights
 * (and by the recovery child, likewise).  All calls may block on the disk.
 *
 * A session sees an immutable snapshot: entries in arrival order whose bytes
 * stay what they are, whatever others do to the spool meanwhile; commit()
 * merges the session's deletions with what is there by then.
 */
#ifndef DROP_DROP_H
#define DROP_DROP_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"
#include "proto/limits.h"

#include <sys/types.h>

#define DROP_UIDL_MAX	LIMIT_UIDL
#define DROP_NOTE_MAX	256

enum {					/* drop_entry.flags */
	DROP_SEEN	= 1u << 0,	/* an earlier session RETRieved it */
	DROP_8BIT	= 1u << 1,	/* octets beyond ASCII may be in it, and it
					   was not looked at (drop/recoder.h) */
	DROP_PROMISED	= 1u << 2,	/* its uidl is one of drop/promise.h */
	DROP_AS_SENT	= 1u << 3,	/* it is on the wire what read() gives: each
					   line ends in CRLF, none begins with a
					   dot; without: not known */
	DROP_RECODED	= 1u << 4,	/* who is not in UTF-8 mode gets another
					   text (drop/recoder.h) */
};

struct drop_entry {
	uint64_t	locator;	/* the back end's; opaque */
	uint64_t	size_disk;	/* octets that read() gives */
	uint64_t	size_wire;	/* with CRLF line ends, see proto/dot.h */
	uint64_t	size_surrogate;	/* the same of that text; DROP_RECODED */
	uint64_t	delivered;	/* seconds since 1970, give or take a
					   day; 0: not known */
	uint32_t	flags;
	char		uidl[DROP_UIDL_MAX + 1];
};

struct snapshot {
	const struct drop_entry	*entries;	/* owned by the drop; NULL: ask
						   entry() for each */
	size_t			 n;
};

/* Of all messages: what is known before one of them is looked at. */
struct drop_totals {
	size_t		n;
	uint64_t	octets;		/* size_wire */
	uint64_t	last_seen;	/* number of the last one with DROP_SEEN,
					   from 1; 0 */
	uint64_t	eight_bit;	/* how many have DROP_8BIT */
	int64_t		surrogates;	/* octets that those with DROP_RECODED have
					   more as surrogates, or fewer */
	uint64_t	oldest;		/* the least `delivered` that is known; 0 */
};

/*
 * What a maildrop asks of its host, which may be the monitor at the other end
 * of a link.  None has an argument of its own: which file is meant was fixed
 * when the session began.
 */
enum drop_lock_purpose { DROP_LOCK_SCAN, DROP_LOCK_UPDATE };
struct drop_host {
	void	*ctx;
	/*
	 * The dotlock of a spool in a system folder, one try.  NULL: the user
	 * owns the folder, the drop makes its own dotlock.  FAULT_IN_USE when
	 * held by another.  UPDATE: the lock says pid 0, and the spool file is
	 * made (user's, empty) when it is missing.
	 */
	int	(*lock)(void *ctx, enum drop_lock_purpose why, struct fault *f);
	/* It has taken it for the first SCAN before that was asked: the first
	 * lock() tells so, and takes this back. */
	bool	dotlocked;
	int	(*refresh)(void *ctx, struct fault *f);
	int	(*unlock)(void *ctx, struct fault *f);
	/* An unnamed file for the temporary copy; the caller owns *fd_r. */
	int	(*tempfile)(void *ctx, int *fd_r, struct fault *f);
	/*
	 * The journal of this maildrop: a file whose folder entry is durable.
	 * reserve: blocks that were kept back for a full disk belong to it
	 * (DROP_RESERVE octets).  The caller owns *fd_r.
	 */
	int	(*journal)(void *ctx, bool reserve, int *fd_r, struct fault *f);
	/*
	 * The drop's promised unique-ids may be rid of some (promise_use_end).
	 * NULL: the host keeps none.  Without success they just stay.
	 */
	int	(*forget)(void *ctx, struct span dead, struct fault *f);
	/*
	 * A file for the index of this maildrop, which may hold anything.  NULL:
	 * there is none.  The caller owns *fd_r.
	 */
	int	(*index)(void *ctx, int *fd_r, struct fault *f);
	/* Remove the .user.pop that an older popper left beside the spool; its
	 * mail is in the spool by now, durably. */
	int	(*drop_legacy)(void *ctx, struct fault *f);
	/*
	 * The note that went with a commit is to be made true now: the spool is
	 * durable, the journal is still there.  Idempotent.  While it fails the
	 * commit stays open and nobody can log in: a host that will never be able
	 * to do it says so in the log and returns 0.
	 */
	int	(*note)(void *ctx, struct span note, struct fault *f);
	/* Something for the operator's log: a fixed word and a text. */
	void	(*tell)(void *ctx, const char *id, const char *text);
	/* A lock was waited for so long, perhaps not for the last time.  May be
	 * NULL. */
	void	(*waited)(void *ctx, uint64_t ms);
};
#define DROP_RESERVE	(1u << 20)

struct promises;
/* What it points to must live as long as the drop. */
struct drop_conf {
	const char		*path;		/* the spool file, the Maildir */
	uid_t			 uid;		/* who must own it */
	int			 journal_fd;	/* one that exists, or -1; borrows */
	bool			 status;	/* write Status: at commit */
	bool			 surrogates;	/* are sent to who is not in UTF-8
						   mode, or refused: an index is
						   to know of them */
	unsigned		 lock_timeout_s;
	uint64_t		 copy_max;	/* octets; a larger spool is
						   verified in place */
	uint64_t		 memory_max;	/* one of no more octets is copied
						   into memory */
	bool			 in_place;	/* what cannot be cloned is not
						   copied either, but verified in
						   place */
	struct promises		*promises;	/* unique-ids; NULL: none */
	uint64_t		 boot;		/* file_boot(); 0: no index is believed
						   when mail is read or deleted */
	const struct drop_host	*host;
};

struct drop_extra {
	uint64_t	off;
	uint64_t	len;
};

/* What the session did.  Arrays have snapshot.n elements. */
struct drop_change {
	const bool	*deleted;
	const bool	*retrieved;
	const bool	*expired;	/* deleted ones, not by the client;
					   NULL: none */
	/* Messages to append, in mailbox form (bulletins): already the bytes that
	 * go into the spool, each with From_ line and final blank line. */
	int		 extra_fd;
	const struct drop_extra *extra;
	size_t		 nextra;
	struct span	 note;		/* journalled; see drop_host.note */
};

struct drop_outcome {
	uint64_t	deleted;	/* messages removed */
	uint64_t	deleted_octets;	/* size_wire */
	uint64_t	expired;	/* of those, how many */
	uint64_t	vanished;	/* deleted ones that others had removed */
	bool		rewritten;	/* the spool was written to */
	bool		extra_dropped;	/* no room for the bulletins: not added,
					   the note was not made true */
	bool		status_dropped;
	bool		unfinished;	/* it failed with its journal open: the
					   rest is recovery's, and this drop can
					   but be closed */
};

struct drop;

/* RFC 1939's maildrop, as a back end provides it. */
struct drop_ops {
	const char	*name;
	/* Is there a maildrop of this kind?  No lock, nothing is changed. */
	int	(*probe)(const struct drop_conf *c, struct fault *f);
	/*
	 * Finish an interrupted commit if there is one, lock, copy, scan,
	 * unlock.  O(octets).  A missing spool is an empty drop.  FAULT_IN_USE:
	 * the lock could not be had in time; FAULT_PERM: not a mailbox (it was
	 * not touched); FAULT_TEMP: anything that may pass.
	 */
	int	(*open)(const struct drop_conf *c, struct drop **drop_r,
		    struct fault *f) MUSTUSE;
	void	(*snapshot)(const struct drop *d, struct snapshot *out);
	/*
	 * Instead of a snapshot, for who does not want all entries; NULL, all four,
	 * in a back end that has them at hand.  entry: i from 0.  -1: it cannot be
	 * found out any more, nor will it be.  size and uidl are what LIST and UIDL
	 * tell of a message, for less than an entry costs: size_wire (of its
	 * surrogate, if it is to be one), and the id, in room for DROP_UIDL_MAX + 1
	 * octets; its end, or NULL for -1.
	 */
	void	(*totals)(const struct drop *d, struct drop_totals *out);
	int	(*entry)(struct drop *d, size_t i, struct drop_entry *out,
		    struct fault *f) MUSTUSE;
	int	(*size)(struct drop *d, size_t i, bool surrogate,
		    uint64_t *wire_r, struct fault *f) MUSTUSE;
	char	*(*uidl)(struct drop *d, size_t i, char *out, struct fault *f)
		    MUSTUSE;
	/*
	 * n octets of message i from octet off of its size_disk (without From_
	 * line and separator).  Fewer only at its end.  O(n).
	 */
	ssize_t	(*read)(struct drop *d, size_t i, uint64_t off, void *p, size_t n,
		    struct fault *f) MUSTUSE;
	/*
	 * What read() would give from octet off of message i on, for who reads it to
	 * its end, and without a copy: at least one octet of what is at hand or can
	 * simply be read, more of it later; borrowed until the next call.  Messages
	 * in order cost less.  Empty: it has to be read().  NULL: always.
	 */
	struct span	(*peek)(struct drop *d, size_t i, uint64_t off);
	/*
	 * The file that has the octets of message i, each where read() has it; lent
	 * until another message is asked for.  The same is looked at as in read():
	 * what was sent from there before a later lend() or read() of message i
	 * succeeds, was the message's.  NULL: the back end has no such files.
	 */
	int	(*lend)(struct drop *d, size_t i, int *fd_r, struct fault *f);
	/*
	 * RFC 1939 s.6.  After a crash at any point, followed by recovery, the
	 * maildrop is the old one or the new one; no undeleted message is
	 * lost; mail that came meanwhile survives.  -1: nothing was deleted
	 * (or recovery will finish it: then FAULT_TEMP says so).  A Maildir is
	 * many files: there each message is deleted or not, for itself.
	 * With a note and nothing to write, the note alone is made true.
	 * O(octets of the spool), or, when nobody else has changed it, of what
	 * stands behind the first change; those twice on the disk.
	 */
	int	(*commit)(struct drop *d, const struct drop_change *c,
		    struct drop_outcome *out, struct fault *f) MUSTUSE;
	void	(*close)(struct drop *d);
};

extern const struct drop_ops	mbox_ops;
extern const struct drop_ops	maildir_ops;

/*
 * Of a Maildir without an index, what a promised unique-id of message i goes by, with 1
 * for the number among twins (drop/promise.h): a digest of the base name of its file,
 * which is returned, and borrowed; of files that share it, of the inode, too.
 */
struct span	maildir_key(const struct drop *d, size_t i, uint8_t digest[16]);

/*
 * Finish an interrupted commit of this maildrop, as the user: at once when a
 * session died, at boot, before a scan.  0 also when there was nothing to do;
 * *did_r says.  Takes the spool's locks, and keeps the dotlock when the spool is
 * still half written.  FAULT_PERM: the journal is damaged, or the spool was
 * replaced meanwhile; both are left to the operator.
 */
int	drop_recover(const struct drop_conf *c, bool *did_r, struct fault *f)
	    MUSTUSE;

/*
 * A read-only drop over mailbox bytes in a file that nobody changes: bulletins,
 * copies of boards.  fd is borrowed.  commit() of such a drop does nothing.
 */
int	mbox_open_image(int fd, uint64_t len, struct drop **drop_r, struct fault *f)
	    MUSTUSE;

/*
 * The two halves of mbox_ops.open, for two processes.  mbox_copy: as the user
 * (fs ids suffice), lock the spool with one try, copy it without a look at what is
 * in it, unlock; the caller owns *fd_r.  An open journal and a .USER.pop are the
 * caller's to look for.  FAULT_LIMIT: it is larger than `most`; FAULT_IN_USE: it is
 * locked.  mbox_open_copy: the same drop over such a copy; takes fd.
 */
int	mbox_copy(const struct drop_conf *c, uint64_t most, int *fd_r,
	    uint64_t *size_r, struct fault *f) MUSTUSE;
int	mbox_open_copy(const struct drop_conf *c, int fd, uint64_t size,
	    struct drop **drop_r, struct fault *f) MUSTUSE;

/* Which operations a drop has. */
const struct drop_ops	*drop_ops_of(const struct drop *d);

/*
 * Unique-ids of several lists that are shown as one (maildrop, then
 * bulletins): give twins the suffixes that they would have in one maildrop.
 * What was promised stays as it is, and so do the first `own`, which are one list,
 * in order: what comes behind them changes no id.  Entries are changed in place.
 * O(n log n).
 */
void	drop_distinct(struct drop_entry **entries, size_t n, size_t own);

/* The smallest scan: is this an mbox (empty counts)?  For `check`. */
int	mbox_probe_file(int fd, struct fault *f) MUSTUSE;

#endif

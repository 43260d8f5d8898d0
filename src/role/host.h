/* SPDX-License-Identifier: ISC */
/*
 * What the privileged side does for one session: the dotlock in a system
 * spool, temporary files, the journal, the lock against a second session,
 * handing a message to the MTA.  Floor 4.
 *
 * Runs as: root in the monitor; the user himself with isolation = single.
 * Every path was fixed when the session began; no call has an argument from
 * the session but the purpose of a lock and the message to be submitted.
 */
#ifndef ROLE_HOST_H
#define ROLE_HOST_H

#include "base/attr.h"
#include "drop/drop.h"
#include "role/settings.h"
#include "sys/identity.h"
#include "sys/lock.h"
#include "sys/sock.h"

#define HOST_KEY_MAX	320
#define HOST_MEMORY_MAX	32768		/* octets of a maildrop copied there */
#define HOST_OWNER	"owner."	/* + key: whose that journal is */
#define HOST_KEPT	"kept."		/* + time.key: of another user, put aside */

/* Who holds a maildrop, in his own words: a text for the log, no more. */
struct host_holder {
	bool			 known;
	char			 sid[32];
	char			 ip[SOCK_ADDR_MAX];
	uint64_t		 pid;
	uint64_t		 age_s;
	char			 key[HOST_KEY_MAX];	/* of the journal */
};

/*
 * Which one: what `maildrop` or the user's row names, or the Maildir of
 * `maildrop_else`.  Decided once for a session, and told to whoever works for it.
 */
enum host_which {
	HOST_ANY,			/* to be decided */
	HOST_NAMED,
	HOST_ELSE,
	HOST_NEAR,			/* to be decided without a look into a home */
};

/* What its login has to do about that. */
enum host_news {
	HOST_NEWS_NONE,
	HOST_NEWS_ELSE,			/* to note it: role/elsewhere.h */
	HOST_NEWS_TWO,			/* to tell: mail in both, one is served */
	HOST_NEWS_GONE,			/* the note is of no use any more */
};

struct host {
	const struct settings	*conf;		/* borrows */
	const struct identity	*id;		/* borrows */
	char			 path[IDENTITY_PATH_MAX + 1];	/* the spool, or
						   the Maildir */
	char			 name[IDENTITY_PATH_MAX + 1];	/* its last part */
	char			 lock[HOST_KEY_MAX];	/* names its session lock */
	char			 key[HOST_KEY_MAX];	/* names its journal */
	char			 temp[IDENTITY_PATH_MAX + 1];
	int			 dirfd;		/* the spool's folder; owns */
	bool			 system_spool;	/* root's folder: we dotlock */
	bool			 maildir;	/* path is one: no dotlock */
	enum host_which		 which;		/* decided, when it is open */
	enum host_news		 news;
	struct dotlock		 dotlock;	/* ino 0: not held */
	int			 session_lock;	/* owns; -1: another process has
						   it, or nobody */
	bool			 locked;	/* by this session */
	struct host_holder	 holder;	/* when another one holds it */
	unsigned		 wait_s;	/* until login_delay is over */
	pid_t			 server;	/* who will serve this session, for
						   whoever finds it in use; 0: this
						   process */
	int			 journal;	/* an existing one; owns; or -1 */
	int			 promises;	/* likewise: drop/promise.h */
	bool			 has_home;	/* it need not be there now */
	char			 user_dir[IDENTITY_PATH_MAX + 1];
						/* state folder, "" if none */
	char			 sender[IDENTITY_PATH_MAX + 1];
						/* XMIT of virtual users */
};

/*
 * Find out about the user's maildrop: path, folder, key, state folder (made
 * when the user needs one).  FAULT_PERM: misconfigured.
 */
int	host_open(struct host *h, const struct settings *conf,
	    const struct identity *id, struct fault *f) MUSTUSE;
/*
 * The same for who works for a session that is there: its maildrop, and no other.
 * HOST_NEAR: nobody's home is looked at, for that may take for ever; -1 and h->which
 * HOST_ANY: it would have to be.
 */
int	host_open_again(struct host *h, const struct settings *conf,
	    const struct identity *id, enum host_which which, struct fault *f)
	    MUSTUSE;
/* Where a login would find the mail (path: IDENTITY_PATH_MAX + 1 octets). */
int	host_where(const struct settings *conf, const struct identity *id,
	    char *path, enum host_which *which_r, struct fault *f) MUSTUSE;
/*
 * The same in another process, which serves many: what host_open found out, and
 * id with uid, gid and user alone.  For host_lock, host_refresh, host_unlock,
 * host_session_unlock and host_leave; those open the spool's folder when it is
 * root's.  host_detach closes what they opened, releases nothing, and keeps in the facts
 * what is held.
 */
struct host_facts {
	char		*path;		/* owns, as the next two; NULL: there is
					   no maildrop */
	char		*key;
	char		*lock;
	bool		 system_spool;
	bool		 locked;
	enum host_which	 which;
	struct dotlock	 dotlock;
};
void	host_facts_fini(struct host_facts *facts);
int	host_attach(struct host *h, const struct settings *conf,
	    const struct identity *id, const struct host_facts *facts,
	    struct fault *f) MUSTUSE;
void	host_detach(struct host *h, struct host_facts *facts);
/*
 * Its session has ended: the dotlock is given back, and the lock file is removed,
 * unless that has a new holder.  False: its UPDATE is unfinished, both stay.
 */
bool	host_leave(struct host *h);

/* Releases the dotlock and what else is held. */
void	host_close(struct host *h);

/*
 * The lock against a second session, for the session `sid` of the client at
 * `ip`; FAULT_IN_USE, and h->holder tells who has it, if that can be read.  With
 * the lock comes a journal that exists, and a file of promised unique-ids.
 */
int	host_session_lock(struct host *h, const char *sid, const char *ip,
	    struct fault *f) MUSTUSE;
/*
 * The same for a login: FAULT_DELAY, without the lock, when login_delay is not over
 * yet, and h->wait_s.  host_session_end: that login has come to its QUIT;
 * host_session_give_up: it came to nothing; it keeps the lock, and is to be recovered,
 * if it left an UPDATE unfinished.
 */
int	host_login(struct host *h, const char *sid, const char *ip,
	    struct fault *f) MUSTUSE;
void	host_session_end(struct host *h);
void	host_session_give_up(struct host *h);
/* How much of login_delay is left for who would log in now; changes nothing. */
int	host_login_wait(const struct settings *conf, const struct identity *id,
	    unsigned *wait_s_r, struct fault *f) MUSTUSE;
/* The file of the lock stays where an UPDATE is unfinished. */
void	host_session_unlock(struct host *h);
/* The same by the lock's name, for who has nothing but that; its descriptor is to
 * be closed afterwards. */
void	host_session_forget(const struct settings *conf, const char *lock);
/* Where those files are, below run_dir; both are made if they are not there. */
int	host_lock_folder(const struct settings *conf, int *fd_r,
	    struct fault *f) MUSTUSE;
/*
 * Whose lock files are there: maildrops that a session has, or whose session was killed
 * together with who watches over it, or left its UPDATE unfinished; all of those since
 * run_dir is there, but for one that was killed while it wrote that file.  key: of the
 * journal, whether there is one or not.
 */
int	host_each_lock(const struct settings *conf,
	    void (*fn)(void *ctx, const char *key), void *ctx, struct fault *f)
	    MUSTUSE;
/* Instead: this process has inherited that lock.  Takes the descriptor. */
int	host_session_adopt(struct host *h, int lock, struct fault *f) MUSTUSE;
/* It was taken at since_ms, and this process serves the session from now on. */
void	host_session_hold(const struct host *h, const char *sid, const char *ip,
	    uint64_t since_ms);
/* Is there anything besides the spool: an unfinished UPDATE, mail that an older
 * popper left?  Needs the session lock. */
bool	host_has_remains(const struct host *h);
/*
 * A copy of the spool, with the user's rights, in the hands of root: nobody has
 * looked at what is in it (mbox_copy).  The caller owns *fd_r.  Needs the session
 * lock, and no remains.  FAULT_PERM: a Maildir.
 */
int	host_copy(struct host *h, uint64_t most, int *fd_r, uint64_t *size_r,
	    struct fault *f) MUSTUSE;
/* Replace the promised unique-ids of this maildrop, durably.  Needs the session
 * lock. */
int	host_promise(const struct host *h, struct span text, struct fault *f)
	    MUSTUSE;

/*
 * Work on files as the user, in the group of the spool's folder when that is
 * root's (mail): no more than a set-gid helper may.  Then back to root.
 */
int	host_rights_begin(const struct host *h, struct fault *f) MUSTUSE;
void	host_rights_end(void);

/* The questions: see drop/drop.h and pop/transact.h. */
int	host_lock(struct host *h, enum drop_lock_purpose why, struct fault *f)
	    MUSTUSE;
/* What a session asks for first, before it runs; in vain, and it will ask. */
void	host_lock_ahead(struct host *h);
int	host_refresh(struct host *h, struct fault *f) MUSTUSE;
int	host_unlock(struct host *h, struct fault *f) MUSTUSE;
int	host_tempfile(struct host *h, int *fd_r, struct fault *f) MUSTUSE;
int	host_journal(struct host *h, bool reserve, int *fd_r, struct fault *f)
	    MUSTUSE;
int	host_index(struct host *h, int *fd_r, struct fault *f) MUSTUSE;
int	host_drop_legacy(struct host *h, struct fault *f) MUSTUSE;
/* A temporary file for a message.  FAULT_PERM: none can be sent. */
int	host_draft(struct host *h, int *fd_r, struct fault *f) MUSTUSE;
/* FAULT_PERM: the MTA will not take it; FAULT_PROTO: it is the message that it does not
 * like; FAULT_LIMIT: too many; else it may later. */
int	host_submit(struct host *h, int fd, struct fault *f) MUSTUSE;
/*
 * The promised unique-ids of this maildrop without those rows: fd is a temporary
 * file of the session's with what promise_use_end says.  FAULT_IN_USE: somebody
 * else writes them.
 */
int	host_forget(struct host *h, int fd, struct fault *f) MUSTUSE;

/* Is an UPDATE of this maildrop unfinished? */
bool	host_journal_open(const struct host *h);

/* Is this the name of a journal, in the journals' folder? */
bool	host_is_journal(const char *name);

/* The folders that popper makes for itself, when they are missing. */
int	host_folders(const struct settings *conf, struct fault *f) MUSTUSE;

/*
 * Whose maildrop an unfinished journal KEY is: written beside each journal by
 * the privileged side, for `popper recover`.
 */
int	host_journal_owner(const struct settings *conf, const char *key,
	    struct identity *id, struct fault *f) MUSTUSE;

#endif

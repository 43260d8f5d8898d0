/* SPDX-License-Identifier: ISC */
/*
 * The TRANSACTION state, and the step into UPDATE: a session after login.
 * Floor 3; pure but for the drops and the host that it is handed: it never
 * touches a socket.  Whoever drives it reads lines, hands them in, and writes
 * what is in the output buffer; several sessions may live in one process.
 */
#ifndef POP_TRANSACT_H
#define POP_TRANSACT_H

#include "base/attr.h"
#include "base/buf.h"
#include "bull/bull.h"
#include "drop/drop.h"
#include "proto/lang.h"

/* What a session asks for beyond its maildrop; see role/host.h. */
struct pop_host {
	void	*ctx;
	int	(*tempfile)(void *ctx, int *fd_r, struct fault *f);
	/* Likewise, for a message.  -1 with FAULT_PERM: none can be sent. */
	int	(*draft)(void *ctx, int *fd_r, struct fault *f);
	/* Hand the message in fd to the MTA as the user, and wait.  -1 with
	 * FAULT_LIMIT: too many; else it was not sent: FAULT_TEMP, it may be later;
	 * FAULT_PERM, not on this host; FAULT_PROTO, not this message. */
	int	(*submit)(void *ctx, int fd, struct fault *f);
	/* The maildrop is closed for good: others may log in.  done: its UPDATE is. */
	void	(*release)(void *ctx, bool done);
	/* LAST when it does not live in Status: lines. */
	void	(*last)(void *ctx, const char *uidl);
	void	(*tell)(void *ctx, const char *id, const char *text);
	/* May octets of a file go to the client (POP_NEXT_FILE)?  NULL: never. */
	bool	(*lends)(void *ctx);
};

/* Messages with UTF-8 in their headers, for who is not in UTF-8 mode. */
enum pop_utf8 {
	POP_UTF8_DOWNGRADE,	/* a surrogate (proto/surrogate.h) is sent */
	POP_UTF8_REFUSE,	/* RETR, TOP and LIST n say [UTF8] */
	POP_UTF8_AS_IS,		/* nobody looks */
};

struct pop_conf {
	const char		*host;		/* name of this host */
	bool			 tokens;	/* of AUTH, for CAPA */
	const char		*implementation;/* NULL: hidden */
	unsigned		 offers;	/* of AUTH; see authorize.h */
	const char		*bboards;	/* file, or "" */
	uint64_t		 copy_max;	/* octets of a group's copy */
	bool			 xmit;
	uint64_t		 xmit_max;	/* octets */
	const char		*xmit_sender;	/* fixed address, or NULL */
	unsigned		 bad_max;	/* bad commands in a row */
	struct words		 words;		/* as told before the login */
	uint8_t			 preferred;	/* language of LANG * */
	enum pop_utf8		 utf8;
	bool			 status;	/* LAST lives in Status: lines */
	unsigned		 login_delay_s;	/* for CAPA; 0: none */
	bool			 own_delays;	/* likewise: 0 is the user's own */
	bool			 utf8_user;	/* likewise */
	const char		*expire;	/* likewise; NULL: NEVER */
	/* What an UPDATE deletes besides what the client wants: of the maildrop's
	 * messages those that were delivered before that (seconds since 1970;
	 * 0: none), and those that this session has RETRieved. */
	uint64_t		 expire_before;
	bool			 expire_retrieved;
	bool			 expire_held;	/* of the first kind none, but it is
						   told of: the clock may be wrong */
	const struct pop_host	*ask;
};

/* What the session came to; for the log. */
struct pop_counts {
	uint64_t	retrieved;
	uint64_t	deleted;
	uint64_t	deleted_octets;
	uint64_t	expired;		/* of deleted */
	uint64_t	left;
	uint64_t	left_octets;
	bool		updated;		/* an UPDATE was done */
	bool		quit;			/* the client said QUIT */
};

enum pop_next {
	POP_NEXT_LINE,		/* wants a line */
	POP_NEXT_FILL,		/* wants room for output: call pop_fill */
	POP_NEXT_FILE,		/* wants a file to be sent: call pop_file */
	POP_NEXT_TAKEN,		/* as FILL, but when the client has taken all that
				   was sent from files */
	POP_NEXT_COLLECT,	/* wants raw octets: call pop_collect */
	POP_NEXT_CLOSE,		/* the last reply is in the output */
	POP_NEXT_ABORT,		/* close at once, the reply cannot be ended */
};

struct pop;

/*
 * Takes maildrop and bulletins (may be NULL, with set = NULL); borrows the
 * rest.  last_uidl: LAST as kept elsewhere, or NULL (then from the drop).
 */
struct pop	*pop_new(const struct pop_conf *c, struct drop *maildrop,
		    struct drop *bulletins, const struct bull_set *set,
		    int bulletins_fd, const char *last_uidl);
/* Closes what is open.  Never an UPDATE. */
void	pop_free(struct pop *p);

/* The reply to the right password. */
void	pop_welcome(struct pop *p, struct buf *out);

/* out has room for SAY_ROOM octets. */
enum pop_next	pop_line(struct pop *p, struct span line, struct buf *out);
enum pop_next	pop_too_long(struct pop *p, struct buf *out);
enum pop_next	pop_fill(struct pop *p, struct buf *out);
/*
 * What is to be sent next, behind what is in the output; `sent` of it have gone since
 * the last call.  The file is lent until the next call.  NULL: it cannot be sent from
 * there, which ends in POP_NEXT_FILL.
 */
struct pop_file {
	int		fd;
	uint64_t	off;
	uint64_t	n;
};
enum pop_next	pop_file(struct pop *p, uint64_t sent, struct pop_file *out);
/* Takes from *in what belongs to the message. */
enum pop_next	pop_collect(struct pop *p, struct span *in, struct buf *out);

void		pop_count(const struct pop *p, struct pop_counts *out);

/*
 * What a session has done so far, for one that goes on in another process: an
 * octet for each message of the maildrop.
 */
enum {
	POP_MARK_DELETED	= 1u << 0,
	POP_MARK_RETRIEVED	= 1u << 1,
};
#define POP_MARKS_MAX	1024	/* messages; a larger maildrop's cannot be told */
struct pop_marks {
	uint32_t	last;		/* LAST, as a message number; 0: none */
	uint64_t	retrieved;	/* of pop_counts */
	size_t		n;
	uint8_t		of[POP_MARKS_MAX];
};
/* FAULT_LIMIT: too many messages. */
int		pop_marks_get(const struct pop *p, struct pop_marks *out,
		    struct fault *f) MUSTUSE;
/* Into one that was opened over the same octets; FAULT_PEER: they are not. */
int		pop_marks_set(struct pop *p, const struct pop_marks *in,
		    struct fault *f) MUSTUSE;
/* As they are now: for one that goes on elsewhere. */
struct words	pop_words(const struct pop *p);
/* May QUIT have something to write?  (With status; else see `last`.) */
bool		pop_is_changed(struct pop *p);

#endif

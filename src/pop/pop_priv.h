/* SPDX-License-Identifier: ISC */
/* What the files of the room share: the body of struct pop.  Floor 3. */
#ifndef POP_PRIV_H
#define POP_PRIV_H

#include "pop/text.h"
#include "pop/transact.h"
#include "pop/view.h"
#include "proto/command.h"
#include "proto/dot.h"
#include "sys/file.h"
#include "xtnd/bboards.h"
#include "xtnd/xmit.h"

/* A multi-line reply that is being written, as room comes. */
enum stream_kind {
	STREAM_NONE,
	STREAM_LIST,
	STREAM_UIDL,
	STREAM_MESSAGE,			/* RETR */
	STREAM_TOP,
	STREAM_FIELD,			/* XTND XLST */
	STREAM_LISTING,			/* lines made beforehand */
};

struct stream {
	enum stream_kind	 kind;
	size_t			 index;		/* next message of a list */
	size_t			 stop;		/* and where it ends */
	struct text		*text;		/* owns; NULL for lists */
	struct dot_encoder	 encoder;
	struct span		 pending;	/* text not yet encoded */
	uint64_t		 lent;		/* octets that went from the file */
	uint64_t		 lent_end;	/* and are to; 0: none */
	bool			 taken;		/* those, by the client */
	bool			 in_body;	/* TOP: the blank line was seen */
	uint64_t		 lines;		/* TOP: lines still to send */
	bool			 in_field;	/* FIELD: inside the match */
	bool			 matched;
	bool			 passed_over;	/* one that cannot be read */
	char			 prefix[16];
	struct buf		 listing;
	uint8_t			 field_n;
	uint8_t			 field[LIMIT_LINE];
};

/*
 * The greatest MAXIMA among a group's messages, and what its maildrop was like
 * when they were looked at: a client that asks again costs a stat.
 */
struct board_known {
	char			*path;		/* owns */
	struct file_facts	 facts;
	uint64_t		 greatest;
};

struct boards_known {
	struct board_known	*list;		/* owns; one for each maildrop */
	size_t			 n;
	size_t			 cap;
};

struct pop {
	const struct pop_conf	*conf;
	struct drop		*maildrop;	/* owns; NULL after a switch */
	struct drop		*bulletins;	/* owns */
	const struct bull_set	*set;		/* borrows */
	int			 bulletins_fd;	/* borrows */
	struct view		 view;
	struct stream		 stream;
	struct xmit		*xmit;		/* owns; while collecting */
	struct drop		*board;		/* owns; instead of the maildrop */
	int			 board_fd;	/* its copy; owns */
	struct boards_known	 known;
	unsigned		 bad;
	struct words		 words;
	struct pop_counts	 counts;
	bool			 unfinished;	/* an UPDATE is, that failed */
	struct fault		 fault;
};

/* transact.c: the message meant; NULL after an -ERR. */
struct view_item	*pop_wanted(struct pop *p, uint64_t msgno,
			    struct buf *out);
/* p->fault is why it cannot be read: for the log, and for the client, too. */
void	pop_tell_unreadable(struct pop *p);
void	pop_unreadable(struct pop *p, struct buf *out);

/* stream.c */
void	stream_list(struct pop *p, enum stream_kind kind);
/* FAULT when the first octets cannot be read: then nothing was begun. */
int	stream_message(struct pop *p, struct view_item *m, bool top,
	    uint64_t lines, struct fault *f) MUSTUSE;
/* Of all messages; or of one, -1 when it cannot be read: then nothing was begun. */
void	stream_fields(struct pop *p, struct span name);
int	stream_field(struct pop *p, struct span name, const struct view_item *m,
	    struct fault *f) MUSTUSE;
/* A buffer for lines of ours that are sent when the reply is filled. */
struct buf	*stream_listing(struct pop *p);
enum pop_next	stream_fill(struct pop *p, struct buf *out);
enum pop_next	stream_file(struct pop *p, uint64_t sent, struct pop_file *out);
void	stream_fini(struct stream *s);

/* utf8.c: what is not as it is for who is not in UTF-8 mode; a fresh view. */
void	utf8_prepare(const struct pop *p, struct view *v);
/* It is refused for that, and -ERR was said. */
bool	utf8_refuses(const struct pop *p, const struct view_item *m,
	    struct buf *out);

/* update.c: RFC 1939 s.6.  0: done, the maildrop is closed and its lock given
 * back; -1 with p->fault: nothing was deleted, it is still open, and when that is
 * p->unfinished, nothing but update_give_up may follow. */
int	update_run(struct pop *p) MUSTUSE;
/* After that: it is closed all the same, and given back. */
void	update_give_up(struct pop *p);
/* Will one have nothing to do for the maildrop's own messages? */
bool	update_is_idle(const struct pop *p) MUSTUSE;
/* Does an UPDATE delete this message of the maildrop, though the client has not? */
bool	update_expires(const struct pop *p, const struct view_item *m) MUSTUSE;

/* extend.c: XTND */
void	boards_known_fini(struct boards_known *k);
enum pop_next	extend_handle(struct pop *p, const struct command *cmd,
		    struct buf *out);

#endif

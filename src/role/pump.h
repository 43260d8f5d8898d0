/* SPDX-License-Identifier: ISC */
/*
 * The one place that reads and writes a client's socket: it cuts the input into
 * lines, hands them to the state's code, and sends what that puts into the
 * output buffer.  Floor 4; front and session drive their pure parts with it.
 *
 * Replies are collected while more commands wait in the input, and sent when
 * the input runs dry or the buffer is full.  Nothing is read while output is
 * stuck.  Memory is fixed.
 *
 * The idle clock runs only while the client takes nothing: whatever it takes
 * from our buffer, or from the kernel's, winds the clock again (the manual's
 * SLIP links).  A command winds it when it is whole, however it came.  It stands
 * still, and the deadline does not count, while the client waits for an answer of
 * ours.
 *
 * Who would go on for ever, but takes (or sends, of a message) less than min_rate
 * over the time of the idle clock, is ended too.  It counts only what was waiting
 * for him all that time.
 *
 * In an event loop one call handles a bounded number of lines; who has more waits
 * until others had their turn (pump_pending).
 */
#ifndef ROLE_PUMP_H
#define ROLE_PUMP_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"
#include "pop/authorize.h"
#include "proto/line.h"
#include "role/trace.h"

#include <sys/types.h>

enum pump_next {
	PUMP_LINE,		/* wants a line */
	PUMP_FILL,		/* wants to write more: call fill */
	PUMP_FILE,		/* wants a file to be sent: call file */
	PUMP_TAKEN,		/* as PUMP_FILL, when the client has taken all that
				   was sent from files */
	PUMP_COLLECT,		/* wants raw input: call collect */
	PUMP_HOLD,		/* waits for hold_fd; reads nothing */
	PUMP_CLOSE,		/* send what is there, then end */
	PUMP_ABORT,		/* end without sending more */
	PUMP_LEAVE,		/* send what is there, then stop pumping: the
				   connection stays open */
};

/* Of a stranger's connection. */
enum pump_next	pump_after(enum authorize_next n);

enum pump_end {
	PUMP_GOES_ON,		/* it is no end */
	PUMP_END_CLOSED,	/* by us, all was sent */
	PUMP_END_ABORTED,
	PUMP_END_LEFT,
	PUMP_END_EOF,		/* the client went away */
	PUMP_END_SILENT,	/* so did its host, without a word */
	PUMP_END_TIMEOUT,
	PUMP_END_SLOW,		/* below min_rate */
	PUMP_END_STOPPED,	/* SIGTERM */
	PUMP_END_ORPHANED,	/* hold_fd spoke unasked, or was closed */
};
const char	*pump_end_word(enum pump_end e);

enum { PUMP_READ = 1, PUMP_WRITE = 2 };

/* Octets of a file. */
struct pump_file {
	int		fd;		/* borrowed until the next call */
	uint64_t	off;
	uint64_t	n;		/* at least one */
};

struct pump;
struct pump_ops {
	enum pump_next	(*line)(void *ctx, struct span line, struct buf *out);
	enum pump_next	(*too_long)(void *ctx, struct buf *out);
	enum pump_next	(*fill)(void *ctx, struct buf *out);
	/* So many octets more have gone from the file: what comes next?  out NULL:
	 * from this file none can.  Only without a wire, and to a socket. */
	enum pump_next	(*file)(void *ctx, uint64_t sent, struct pump_file *out);
	enum pump_next	(*collect)(void *ctx, struct span *in, struct buf *out);
	/* hold_fd is readable, in PUMP_HOLD. */
	enum pump_next	(*held)(void *ctx, struct buf *out);
};

/* What the client's octets go through on their way; as sock_read and sock_write. */
struct pump_wire {
	ssize_t		(*read)(void *ctx, void *p, size_t n, struct fault *f);
	ssize_t		(*write)(void *ctx, struct span s, struct fault *f);
	/* What the last call that said EAGAIN waits for: PUMP_READ, PUMP_WRITE. */
	unsigned	(*wants)(const void *ctx);
	/* Octets have come that no event will tell of. */
	bool		(*pending)(const void *ctx);
	/* Our last octet; best effort. */
	void		(*end)(void *ctx);
};

struct pump {
	int			 in;		/* borrows; may equal out */
	int			 out_fd;
	int			 far_fd;	/* the client's own socket, where
						   out_fd leads to a relay: to be
						   looked at; -1 */
	const struct pump_wire	*wire;		/* NULL: the socket itself */
	void			*wire_ctx;
	int			 hold_fd;	/* to the monitor; -1: none.  But in
						   PUMP_HOLD it only tells that
						   the monitor is gone */
	unsigned		 idle_s;
	unsigned		 min_rate;	/* octets a second; 0: none */
	uint64_t		 deadline_ms;	/* 0: none; absolute end */
	unsigned		 drain_s;
	unsigned		 gone_s;	/* look whether the host of a client
						   that takes nothing has vanished;
						   0: somebody else does */
	const struct pump_ops	*ops;
	void			*ctx;
	uint8_t			*room;		/* borrows LIMIT_INPUT octets to read
						   into */
	bool			 shared;	/* the room is others' between calls */
	struct trace_who	 who;		/* for who traces; none: nobody can */
	/* private */
	enum pump_next		 next;
	struct buf		 out;
	struct line_reader	 lines;
	bool			 secret;	/* the next line */
	struct span		 rest;		/* read and not used; in room or kept */
	struct buf		 kept;
	bool			 in_ended;
	uint64_t		 progress_ms;
	struct pump_rate {
		uint64_t	since_ms;	/* a window begins */
		uint64_t	count;		/* octets by then */
		uint64_t	goal;		/* with so many it ends */
	}			 taken;
	struct pump_rate	 given;
	bool			 slow;
	uint64_t		 unsent;	/* at the last look, and since */
	uint64_t		 looked_ms;	/* or when there was something to look
						   for again */
	uint64_t		 octets_in;
	uint64_t		 octets_out;
	bool			 gone;		/* the client, as a write told */
	uint64_t		 file_sent;	/* octets that its owner does not know
						   of yet */
	uint64_t		 file_end;	/* octets_out behind the last of them */
	struct pump_tries {			/* to read without waiting */
		unsigned	good;		/* one after the other */
		unsigned	skip;		/* waits until the next */
		unsigned	skipped;	/* before the last one in vain */
	}			 tries;
	size_t			 shown;		/* octets of out, in log and trace */
	struct pump_rest {			/* behind the first line of a reply;
						   of what is collected */
		uint64_t	lines;
		uint64_t	octets;
	}			 reply;
	struct pump_rest	 message;
};

/* Sets everything to its start; the caller fills in the first part. */
void	pump_init(struct pump *p);
void	pump_fini(struct pump *p);
/* As new, for the same client: whatever was said is forgotten. */
void	pump_again(struct pump *p);
/* Input that was read by somebody before us; at most LIMIT_INPUT.  Copied. */
void	pump_preload(struct pump *p, struct span s);
/* The next line may be so long; secret: nothing of it is logged or traced. */
void	pump_expect(struct pump *p, enum line_width width, bool secret);
/* What was read and not used, for a hand-over. */
struct span	pump_rest(const struct pump *p);

/* `next` is what the first reply, already in p->out, leads to. */
enum pump_end	pump_run(struct pump *p, enum pump_next next);

/*
 * The same for an event loop: pump_start, and after it for each event pump_event,
 * each doing all that can be done without waiting; in between pump_wish says what
 * to wait for.  PUMP_HOLD ends by pump_answered, with what the answer leads to.
 */
enum pump_end	pump_start(struct pump *p, enum pump_next next);
enum pump_end	pump_event(struct pump *p, unsigned ready);
enum pump_end	pump_answered(struct pump *p, enum pump_next next);
/* Milliseconds to wait at the most; 0: the time is over, pump_over tells how. */
uint64_t	pump_wish(struct pump *p, unsigned *events_r);
enum pump_end	pump_over(const struct pump *p);
/* There is more to do: call pump_event with 0 soon, after others. */
bool		pump_pending(const struct pump *p);

/* What the kernel still holds for a client that does not take it is thrown away
 * with the connection. */
void	pump_forget(struct pump *p);

/* After a close of ours: no more output, then read until the client's end or
 * drain_s, so that the last reply is not destroyed by a reset. */
void	pump_drain(struct pump *p);

#endif

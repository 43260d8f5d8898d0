/* SPDX-License-Identifier: ISC */
/*
 * popper ctl trace: the dialogue of those whom an operator has named, as it goes on.
 * Floor 4.
 *
 * The switch is memory that all roles of popper serve see and the one that hears
 * popper ctl (ctl.c) alone can write: one trace at a time, for whom, until when.  A
 * role that serves one of those asks its parent for a socket, whose other end is
 * popper ctl's; lines go there straight.  Nobody ever waits for that: what is not
 * taken is lost, and counted.
 *
 * What a line holds has been redacted (command_redact), and of a reply of several
 * lines, or a message that is sent to us, there are but counts.
 */
#ifndef ROLE_TRACE_H
#define ROLE_TRACE_H

#include "base/attr.h"
#include "auth/network.h"
#include "sys/identity.h"
#include "sys/link.h"
#include "sys/sock.h"

/* All that is said must be so; at least one is said. */
struct trace_whom {
	uint64_t	 sid;				/* 0: of any */
	char		 user[IDENTITY_USER_MAX + 1];	/* "" */
	struct network	 network;			/* family 0 */
};
#define TRACE_WHOM_MAX	(8u + 4 + IDENTITY_USER_MAX + 1 + 1 + 4 + 16)
#define TRACE_WHOM_TEXT	(IDENTITY_USER_MAX + SOCK_ADDR_MAX + 8)

void	trace_put_whom(struct link_out *m, const struct trace_whom *w);
/* To the end of the message.  FAULT_PEER: nonsense, or everybody. */
int	trace_get_whom(struct link_in *m, struct trace_whom *w, struct fault *f)
	    MUSTUSE;
/* As popper ctl takes it. */
void	trace_whom_text(const struct trace_whom *w, char out[TRACE_WHOM_TEXT]);

/* --- who serves clients --------------------------------------------------------- */

/* One client.  peer NULL: it is never traced. */
struct trace_who {
	uint64_t		 sid;
	struct span		 user;	/* borrows; before the login as it says */
	const struct sock_addr	*peer;	/* borrows */
};

enum trace_what {
	TRACE_CLIENT,		/* it said */
	TRACE_SERVER,		/* we said */
	TRACE_CLIENT_REST,	/* ... that, and more, which is counted */
	TRACE_SERVER_REST,
	TRACE_WHATS
};

/* Is anybody traced?  All that it costs when nobody is. */
bool	trace_on(void);
/* This one? */
bool	trace_wants(const struct trace_who *w);
/* A line, whose text is cut to TRACE_TEXT_MAX octets; or counts of lines and octets.
 * True: it was this one's, though it may be lost. */
#define TRACE_TEXT_MAX	255
bool	trace_say(const struct trace_who *w, enum trace_what what,
	    struct span text);
void	trace_count(const struct trace_who *w, enum trace_what what,
	    uint64_t lines, uint64_t octets);
/* How to ask for the socket: a descriptor that is ours then, or -1. */
void	trace_set_ask(int (*ask)(void *ctx), void *ctx);

/* --- who reads them --------------------------------------------------------------- */

struct trace_line {
	enum trace_what	 what;
	uint64_t	 at_us;		/* since 1970 */
	uint64_t	 sid;
	struct sock_addr peer;
	struct span	 user;		/* these borrow from the message */
	struct span	 text;
	uint64_t	 lines;
	uint64_t	 octets;
	uint64_t	 lost;		/* of that process, before this one */
};
#define TRACE_LINE_MAX	(1u + 8 + 8 + 1 + 4 + 16 + 4 + 4 + IDENTITY_USER_MAX + \
			 4 + TRACE_TEXT_MAX + 3 * 8)
int	trace_get_line(struct link_in *m, struct trace_line *l, struct fault *f)
	    MUSTUSE;

/* --- the switch -------------------------------------------------------------------- */

/* Once, in the master; run_dir is root's alone to write. */
int	trace_new(const char *run_dir, struct fault *f) MUSTUSE;
void	trace_free(void);
/* Where who traces is connected to; as root, once.  n: as of ctl_path. */
int	trace_listen(size_t n, int *fd_r, struct fault *f) MUSTUSE;
/* In a child of it: whether that may turn the switch.  Before it closes
 * descriptors. */
int	trace_own(bool turns, struct fault *f) MUSTUSE;
/* Root's part of asking: a socket to who reads, or -1.  Never waits. */
int	trace_connect(void);

/* On, for so long at most; its number, which is not 0. */
uint32_t	trace_begin(const struct trace_whom *w, uint64_t ms);
/* Off, if it is (that one; 0: any).  Whose it was. */
bool	trace_end(uint32_t which, struct trace_whom *w);

#endif

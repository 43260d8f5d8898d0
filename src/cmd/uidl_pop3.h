/* SPDX-License-Identifier: ISC */
/*
 * An old server, asked by POP3: what libcurl is for.  Floor 5.  A module
 * (popper-pop3.so), opened by `popper uidl` alone.  It deletes nothing there.
 */
#ifndef CMD_UIDL_POP3_H
#define CMD_UIDL_POP3_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"

#include <stdbool.h>

#define POP3_ABI	1
#define POP3_HOSTS_MAX	1024

struct pop3;				/* a connection, and who is logged in */
/* All of it is borrowed, as long as that lives. */
struct pop3_conf {
	const char	*url;		/* pop3[s]://[user@]host[:port] */
	const char	*user;		/* when the URL has none */
	bool		 plaintext;	/* the password may go in the clear; to this
					   host it may always */
	struct span	 password;	/* without NUL */
	struct span	 roots;		/* PEM: who vouches for the server */
	struct span	 hosts;		/* of look_up */
};

struct pop3_ops {
	unsigned	 abi;
	/* Before the cage, but not by root: name servers answer.  *out:
	 * POP3_HOSTS_MAX. */
	int		(*look_up)(const char *url, struct buf *out, struct fault *f);
	/* FAULT_PERM: no such URL.  Connects at the first question. */
	struct pop3	*(*open)(const struct pop3_conf *c, struct fault *f);
	/*
	 * A command with a multi-line answer, whose lines go to the end of *out
	 * without stuffing and final dot.  What is beyond its maximum: passed over
	 * if cut, else FAULT_LIMIT.  FAULT_PROTO: -ERR; FAULT_AUTH: the login was
	 * refused.  Waits a minute for each octet.
	 */
	int		(*ask)(struct pop3 *p, const char *command, bool cut,
			    struct buf *out, struct fault *f);
	void		(*close)(struct pop3 *p);
};

extern const struct pop3_ops	popper_pop3;

#endif

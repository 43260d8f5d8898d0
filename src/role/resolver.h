/* SPDX-License-Identifier: ISC */
/*
 * The check of the client's name: its canonical name is looked up, then the
 * addresses of that name, and what does not fit is a warning in the log:
 *
 *	peer-no-name		there is no canonical name
 *	peer-unknown-name	the name has no addresses
 *	peer-not-listed		its addresses are others
 *	peer-dns-timeout	(debug) no name server could answer in time
 *
 * Floor 4; a process of its own, which nobody waits for: it neither delays nor
 * refuses a client.  In inetd mode it looks up one client and ends; popper serve
 * has one for all.
 */
#ifndef ROLE_RESOLVER_H
#define ROLE_RESOLVER_H

#include "base/attr.h"
#include "base/fault.h"
#include "sys/sock.h"

struct settings;

struct resolver_conf {
	const char	*name_servers;	/* addresses, "127.0.0.1:5353", with
					   blanks between; "" = resolv.conf */
	unsigned	 timeout_ms;	/* all questions about one client */
	const char	*user;		/* whom to become */
	const char	*chroot_dir;
	const char	*hosts;		/* NULL = /etc/hosts */
};

/* The strings stay the settings'. */
struct resolver_conf	resolver_conf_of(const struct settings *s);

/* Open the library that it needs; FAULT_PERM: it is not there. */
int	resolver_library(struct fault *f) MUSTUSE;

/*
 * The whole life of the process after the fork: prepare, become `user`, enter
 * the cage, work.  Must be root.  Returns the exit status.  An address that
 * stands in the host's own table (/etc/hosts) is fine without any question.
 */
int	resolver_run(const struct resolver_conf *c,
	    const struct sock_addr *peer);

/*
 * Its two halves: what needs files (resolv.conf, /etc/hosts), and what needs
 * the network.  *r_r is NULL when there is nothing left to ask.
 */
struct resolver;
int	resolver_prepare(const struct resolver_conf *c,
	    const struct sock_addr *peer, struct resolver **r_r,
	    struct fault *f) MUSTUSE;
/* Ask, log, and free r; takes timeout_ms at most. */
void	resolver_work(struct resolver *r);

/*
 * popper serve: the whole life of the process after the fork.  Must be root.  On
 * each of `fronts` (-1: it has gone) come PEER messages (role/permit.h), which are
 * never answered; a front that sends anything else is told off in the log and its
 * link closed; FRONT on `master` brings the link of the next one, LEAVE ends it with
 * the last of them.  With the master's end (with master -1: with the last link of a
 * front), or on SIGTERM, the process ends.  resolv.conf and the table of hosts are
 * read once.
 *
 * Who sends must not mind a full link (link_send, EAGAIN): such a client is not
 * looked up, as those are not for whom there is no room here (peer-skipped).
 */
void	resolver_main(const struct resolver_conf *c, const int *fronts,
	    size_t nfronts, int master, int log_link) NORETURN;

/* Its two halves, as above.  The links become the resolver's. */
struct resolver_many;
int	resolver_many_prepare(const struct resolver_conf *c, const int *fronts,
	    size_t nfronts, int master, struct resolver_many **m_r,
	    struct fault *f) MUSTUSE;
/* Until the end. */
void	resolver_many_work(struct resolver_many *m);

#endif

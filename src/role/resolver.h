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
 * refuses a client.
 */
#ifndef ROLE_RESOLVER_H
#define ROLE_RESOLVER_H

#include "base/attr.h"
#include "base/fault.h"
#include "sys/sock.h"

struct resolver_conf {
	const char	*name_servers;	/* addresses, "127.0.0.1:5353", with
					   blanks between; "" = resolv.conf */
	unsigned	 timeout_ms;	/* all look-ups together */
	const char	*user;		/* whom to become */
	const char	*chroot_dir;
};

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

#endif

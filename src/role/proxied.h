/* SPDX-License-Identifier: ISC */
/*
 * A connection that begins with a PROXY header, up to the end of that.  Floor 4;
 * a front.  Who may send one was judged before.
 */
#ifndef ROLE_PROXIED_H
#define ROLE_PROXIED_H

#include "proto/proxy.h"
#include "sys/sock.h"

#define PROXIED_WAIT_MS	5000		/* for the header */

struct proxied {
	struct proxy_reader	reader;
	uint64_t		end_ms;
	bool			tls;	/* of PROXIED_CLIENT: by TLS to the proxy */
};

enum proxied_result {
	PROXIED_MORE,		/* wait */
	PROXIED_CLIENT,		/* *client is whose connection it is */
	PROXIED_ITSELF,		/* the proxy's own, or it does not know */
	PROXIED_SILENT,		/* it ended without a word: a health check */
	PROXIED_BAD,		/* *why says what is wrong */
};

void	proxied_init(struct proxied *p);
/*
 * Read what is there into room; call it when the socket is readable, or the time
 * is over.  What follows the header is *rest, in room.
 */
enum proxied_result	proxied_read(struct proxied *p, int fd, uint8_t *room,
			    size_t cap, struct sock_addr *client,
			    struct span *rest, const char **why);

/* Lines of the log.  times: how often since the last such one. */
void	proxied_log_refused(const struct sock_addr *by, uint64_t times,
	    const char *why);
void	proxied_log_announced(const struct sock_addr *client,
	    const struct sock_addr *by, const char *how);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * What the files of the resolver share: the look-up of one peer, which knows
 * neither a process nor a loop, and what must be read before the cage.
 * Floor 4.
 */
#ifndef ROLE_RESOLVER_PRIV_H
#define ROLE_RESOLVER_PRIV_H

#include "role/resolver.h"

/* 1.28 discourages ares_getsock; Debian 12 has nothing else. */
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <stdbool.h>

/* Only its types are linked with: whoever looks up nobody need not carry it. */
extern struct ares_calls {
	__typeof__(ares_cancel)			*cancel;
	__typeof__(ares_destroy)		*destroy;
	__typeof__(ares_free_data)		*free_data;
	__typeof__(ares_free_hostent)		*free_hostent;
	__typeof__(ares_freeaddrinfo)		*freeaddrinfo;
	__typeof__(ares_get_servers_ports)	*get_servers_ports;
	__typeof__(ares_getaddrinfo)		*getaddrinfo;
	__typeof__(ares_getsock)		*getsock;
	__typeof__(ares_init_options)		*init_options;
	__typeof__(ares_library_init)		*library_init;
	__typeof__(ares_parse_ptr_reply)	*parse_ptr_reply;
	__typeof__(ares_process_fd)		*process_fd;
	__typeof__(ares_query)			*query;
	__typeof__(ares_set_servers_ports_csv)	*set_servers_ports_csv;
	__typeof__(ares_strerror)		*strerror;
	__typeof__(ares_timeout)		*timeout;
} ares;

#define RESOLVER_NAME_MAX	1100	/* 255 octets, escaped as \DDD */

enum resolver_what {
	FOUND_GOOD,		/* nothing to be said */
	FOUND_SILENCE,
	FOUND_NO_NAME,
	FOUND_UNKNOWN,
	FOUND_NOT_LISTED,
};

struct resolver_found {
	enum resolver_what	what;
	int			err;	/* NO_NAME: h_errno's number */
	int			shown;	/* octets of name without the dot */
	char			name[RESOLVER_NAME_MAX];
					/* canonical, "x.y."; foreign octets */
};

/* Log what was found about peer, if there is anything to say. */
void	resolver_say(const struct sock_addr *peer,
	    const struct resolver_found *found);

struct resolver_look {
	ares_channel		 channel;	/* borrows */
	struct sock_addr	 peer;
	void			(*fn)(void *ctx);	/* `found` is there */
	void			*ctx;
	bool			 over;		/* its time: the question that
						   is on is the last one */
	struct resolver_found	 found;
	bool			 other_family;	/* asked for its addresses, too */
};

/*
 * Ask; channel, peer, fn and ctx are set.  fn is called once, perhaps before
 * this returns, at the latest when the channel is cancelled; until then *l must
 * stay where it is.  At most three questions.
 */
void	resolver_look_begin(struct resolver_look *l);

/* Milliseconds until c-ares has to be called again though nothing came; UINT64_MAX: it
 * has not. */
uint64_t	resolver_next_ms(ares_channel channel);

/*
 * A channel to the name servers, which c-ares gives timeout_ms for one question,
 * however many they are.  fn as in ARES_OPT_SOCK_STATE_CB, or NULL.  Before the
 * cage: reads resolv.conf.
 */
int	resolver_channel_open(const struct resolver_conf *c,
	    ares_sock_state_cb fn, void *ctx, ares_channel *channel_r,
	    struct fault *f) MUSTUSE;

/* The addresses that the table of hosts has names for. */
struct resolver_host {
	uint8_t	family;			/* 4 or 6 */
	uint8_t	raw[16];
};

struct resolver_hosts {
	struct resolver_host	*v;	/* owns; sorted */
	size_t			 n;
	size_t			 cap;
};

/* path NULL: /etc/hosts.  A table that cannot be read is empty. */
void	resolver_hosts_load(const char *path, struct resolver_hosts *h);
void	resolver_hosts_fini(struct resolver_hosts *h);
/* O(log n) */
bool	resolver_hosts_has(const struct resolver_hosts *h,
	    const struct sock_addr *peer);

/* channel: whose servers' ports may be connected to, where Landlock knows of ports. */
int	resolver_enter_cage(const struct resolver_conf *c, ares_channel channel,
	    struct fault *f) MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A line of the option listen: addresses, and the rules of all connections that
 * come there.  Floor 4.
 *
 *	listen = 192.0.2.1:110 [2001:db8::1]:110 proxy networks=10.0.0.0/8
 *
 * Rules belong to an address, not to a descriptor: a socket that somebody else
 * opened for us has those of the line with its address.
 */
#ifndef ROLE_LISTEN_H
#define ROLE_LISTEN_H

#include "auth/network.h"
#include "role/settings.h"

#define LISTEN_AT_MAX		16
#define LISTEN_WHERE_MAX	64
#define LISTEN_NETWORKS_MAX	16

/* What TLS may be there. */
enum listen_policy { LISTEN_MODERN, LISTEN_OLD, LISTEN_POLICIES };

struct listen_rules {
	bool		proxy;		/* a PROXY header comes first, always */
	bool		tls;		/* then TLS at once (RFC 8314) */
	enum listen_policy policy;
	unsigned	max_per_address;	/* 0: max_sessions_per_address */
	size_t		nnetworks;	/* 0: everybody may connect */
	struct network	networks[LISTEN_NETWORKS_MAX];
};

struct listen_line {
	size_t			n;
	char			where[LISTEN_AT_MAX][LISTEN_WHERE_MAX];
	struct listen_rules	rules;
};

/* False: what to write instead is put into expected. */
bool	listen_read(const char *line, struct listen_line *out, char *expected,
	    size_t cap) MUSTUSE;
/* For the table of options (conf_option.fits). */
bool	listen_fits(const char *line, char *expected, size_t cap);

/*
 * The addresses of all lines, as text in `room`, which has one for each line: up
 * to cap; their number.
 */
size_t	listen_places(const struct conf_list *lines, struct listen_line *room,
	    const char **where, size_t cap);

/*
 * The rules for a listener, or a connection, at that address of ours: of the line
 * that names it, else of the one with a wildcard and its port; else none.
 */
void	listen_rules_at(const struct conf_list *lines,
	    const struct sock_addr *local, struct listen_rules *out);

/* May this one connect? */
bool	listen_takes(const struct listen_rules *r, const struct sock_addr *client);
/* How many connections an address and a network may have there. */
unsigned	listen_per_address(const struct listen_rules *r,
		    const struct role_settings *s);
unsigned	listen_per_network(const struct listen_rules *r,
		    const struct role_settings *s);

/* Must this client use TLS before it may say a password?  Not on this host itself,
 * nor in plaintext_networks. */
bool	listen_needs_tls(const struct role_settings *s,
	    const struct sock_addr *client);

/* Does one of them begin with TLS? */
bool	listen_wants_tls(const struct conf_list *lines);
#define LISTEN_TLS_TEXT	"the rule tls needs a certificate: set tls_certificate, or " \
			"remove the rule"

/* What is told to whom the rule networks= refuses. */
#define LISTEN_NETWORKS_TEXT \
	"-ERR [SYS/PERM] Your network is not served here.\r\n"

/*
 * May the other end of this socket, which a front says is `socket`, be `peer`, or speak
 * for him?  What the kernel says of it decides.  FAULT_PEER: it is another socket, or
 * may not be used for that client; err ENOTCONN: it has hung up.
 */
int	listen_check_client(const struct role_settings *r, int client,
	    const struct sock_addr *socket, const struct sock_addr *peer,
	    struct fault *f) MUSTUSE;

#endif

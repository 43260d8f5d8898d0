/* SPDX-License-Identifier: ISC */
/*
 * The look-up of one peer, and the process that does one (inetd mode).  The one
 * that does many is resolver_many.c.
 * Runs as: root until it has read resolv.conf and /etc/hosts; then front_user
 * in an empty chroot, with sockets for name servers alone.
 * Reads from: name servers, that is, from whoever owns the client's address;
 * c-ares takes the answers apart, inside the cage.
 * Trusts: nobody; a name goes into the log, escaped and cut, and nowhere else.
 * Gives up, in this order: descriptors, root folder, limits, identity, system
 * calls.
 */
#include "role/resolver_priv.h"

#include "role/ask_log.h"
#include "role/settings.h"
#include "sys/cage.h"
#include "sys/cage_files.h"
#include "sys/file.h"
#include "sys/library.h"
#include "watch/log.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#define LIBRARY	"libcares.so.2"

enum {
	TEXT_MAX	= RESOLVER_NAME_MAX + SOCK_ADDR_MAX + 100,
	REVERSE_MAX	= 80,
	SERVERS_MAX	= 1024,
	DNS_IN		= 1,		/* RFC 1035 s.3.2.4, s.3.2.2 */
	DNS_PTR		= 12,
	DNS_PORT	= 53,
	TRIES		= 2,
	PORTS_MAX	= 16,
};

struct ares_calls ares;

struct resolver {
	ares_channel		 channel;	/* owns */
	struct resolver_look	 look;
	uint64_t		 timeout_ms;
	bool			 done;
};

struct resolver_conf
resolver_conf_of(const struct settings *s)
{
	return (struct resolver_conf){
		.name_servers = s->role.name_servers,
		.timeout_ms = s->role.peer_check_timeout_s * 1000,
		.user = s->role.front_user,
		.chroot_dir = s->role.chroot_dir,
	};
}

static int
family_of(const struct sock_addr *a)
{
	return a->family == 4 ? AF_INET : AF_INET6;
}

static int
octets_of(const struct sock_addr *a)
{
	return a->family == 4 ? 4 : 16;
}

/* ------------------------------------------------------- what is said */

/* The number that gethostbyaddr left in h_errno, as the old warning had it. */
static int
old_errno(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return HOST_NOT_FOUND;
	case ARES_ENODATA:
		return NO_DATA;
	default:
		return NO_RECOVERY;
	}
}

/*
 * Nobody answered, or nobody could: that says nothing about the client.  (To
 * c-ares in Debian 12 servers that all fail are ECONNREFUSED.)
 */
static bool
is_silence(int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
	case ARES_ECONNREFUSED:
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_ECANCELLED:
	case ARES_ENOMEM:
		return true;
	default:
		return false;
	}
}

static void
say(const struct sock_addr *peer, const struct resolver_found *found,
    enum log_level level, const char *id, const char *text)
{
	struct log_line l;

	log_begin(&l, level, id);
	log_str(&l, "ip", peer->text);
	if (found->shown > 0)
		log_field(&l, "name",
		    span_of(found->name, (size_t)found->shown));
	log_str(&l, "text", text);
	log_end(&l);
}

void
resolver_say(const struct sock_addr *peer, const struct resolver_found *found)
{
	char text[TEXT_MAX];

	switch (found->what) {
	case FOUND_GOOD:
		return;
	case FOUND_SILENCE:
		say(peer, found, LEVEL_DEBUG, "peer-dns-timeout",
		    "No name server has answered");
		return;
	case FOUND_NO_NAME:
		(void)snprintf(text, sizeof(text),
		    "Unable to get canonical name of client, err = %d",
		    found->err);
		say(peer, found, LEVEL_WARN, "peer-no-name", text);
		return;
	case FOUND_UNKNOWN:
		(void)snprintf(text, sizeof(text), "Client at \"%s\" "
		    "resolves to an unknown host name \"%.*s\"",
		    peer->text, found->shown, found->name);
		say(peer, found, LEVEL_WARN, "peer-unknown-name", text);
		return;
	case FOUND_NOT_LISTED:
		(void)snprintf(text, sizeof(text), "Client address \"%s\" "
		    "not listed for its host name \"%.*s\"",
		    peer->text, found->shown, found->name);
		say(peer, found, LEVEL_WARN, "peer-not-listed", text);
		return;
	}
}

/* ------------------------------------------------------- the questions */

static void	ask_addresses(struct resolver_look *l, int family);

static void
finish(struct resolver_look *l, enum resolver_what what)
{
	l->found.what = what;
	l->fn(l->ctx);
}

static bool
is_peer(const struct sock_addr *peer, const struct ares_addrinfo_node *node)
{
	const void *raw;

	if (node->ai_family != family_of(peer))
		return false;
	raw = node->ai_family == AF_INET ?
	    (const void *)&((const struct sockaddr_in *)
	    (const void *)node->ai_addr)->sin_addr :
	    (const void *)&((const struct sockaddr_in6 *)
	    (const void *)node->ai_addr)->sin6_addr;
	return memcmp(raw, peer->raw, (size_t)octets_of(peer)) == 0;
}

static bool
is_listed(const struct sock_addr *peer, const struct ares_addrinfo *found)
{
	for (const struct ares_addrinfo_node *n = found->nodes; n != NULL;
	    n = n->ai_next)
		if (is_peer(peer, n))
			return true;
	return false;
}

/*
 * A name without an address of the client's family may still have others;
 * only when it has none at all it is unknown.
 */
static void
on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	struct resolver_look	*l = arg;
	enum resolver_what	 what = FOUND_UNKNOWN;

	(void)timeouts;
	if (status == ARES_ENODATA && !l->other_family) {
		l->other_family = true;
		ask_addresses(l, l->peer.family == 4 ? AF_INET6 : AF_INET);
		return;
	}
	if (is_silence(status))
		what = FOUND_SILENCE;
	else if (status == ARES_SUCCESS && found != NULL)
		what = is_listed(&l->peer, found) ? FOUND_GOOD :
		    FOUND_NOT_LISTED;
	if (found != NULL)
		ares.freeaddrinfo(found);
	finish(l, what);
}

static void
ask_addresses(struct resolver_look *l, int family)
{
	const struct ares_addrinfo_hints hints = {
		.ai_family	= family,
		.ai_socktype	= SOCK_STREAM,
		.ai_flags	= ARES_AI_NOSORT,	/* no test connections */
	};

	if (l->over)
		finish(l, FOUND_SILENCE);
	else
		ares.getaddrinfo(l->channel, l->found.name, NULL, &hints,
		    on_addresses, l);
}

/*
 * With a dot at its end the name is absolute: no search list, and a PTR record
 * that holds an address ("192.0.2.1") is asked for like any other name.
 */
static bool
keep_name(struct resolver_found *found, const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n + 2 > sizeof(found->name))
		return false;
	if (name[n - 1] == '.')
		n--;
	memcpy(found->name, name, n);
	memcpy(found->name + n, ".", 2);
	found->shown = (int)n;
	return true;
}

static void
on_name(void *arg, int status, int timeouts, unsigned char *answer, int n)
{
	struct resolver_look	*l = arg;
	struct hostent		*host = NULL;
	bool			 kept;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		status = ares.parse_ptr_reply(answer, n, l->peer.raw,
		    octets_of(&l->peer), family_of(&l->peer), &host);
	kept = status == ARES_SUCCESS && host->h_name != NULL &&
	    keep_name(&l->found, host->h_name);
	if (host != NULL)
		ares.free_hostent(host);
	if (kept) {
		ask_addresses(l, family_of(&l->peer));
		return;
	}
	l->found.err = old_errno(status);
	finish(l, is_silence(status) ? FOUND_SILENCE : FOUND_NO_NAME);
}

/* "4.3.2.1.in-addr.arpa", or 32 nibbles and "ip6.arpa" (RFC 1035, 3596). */
static void
reverse_name(const struct sock_addr *a, char out[REVERSE_MAX])
{
	size_t n = 0;

	for (int i = octets_of(a); i-- > 0;)
		n += (size_t)(a->family == 4 ?
		    snprintf(out + n, REVERSE_MAX - n, "%u.", a->raw[i]) :
		    snprintf(out + n, REVERSE_MAX - n, "%x.%x.",
		    a->raw[i] & 15u, (unsigned)a->raw[i] >> 4));
	(void)snprintf(out + n, REVERSE_MAX - n, "%s",
	    a->family == 4 ? "in-addr.arpa" : "ip6.arpa");
}

/*
 * Not ares_gethostbyaddr: in Debian 12 every failure of it is "not found",
 * silence included.
 */
void
resolver_look_begin(struct resolver_look *l)
{
	char name[REVERSE_MAX];

	l->found = (struct resolver_found){ 0 };
	l->other_family = l->over = false;
	reverse_name(&l->peer, name);
	ares.query(l->channel, name, DNS_IN, DNS_PTR, on_name, l);
}

/* ------------------------------------------------------- preparing */

int
resolver_library(struct fault *f)
{
	const struct library_call calls[] = {
		{ "ares_cancel",		(void **)&ares.cancel },
		{ "ares_destroy",		(void **)&ares.destroy },
		{ "ares_free_data",		(void **)&ares.free_data },
		{ "ares_free_hostent",		(void **)&ares.free_hostent },
		{ "ares_freeaddrinfo",		(void **)&ares.freeaddrinfo },
		{ "ares_get_servers_ports",	(void **)&ares.get_servers_ports },
		{ "ares_getaddrinfo",		(void **)&ares.getaddrinfo },
		{ "ares_getsock",		(void **)&ares.getsock },
		{ "ares_init_options",		(void **)&ares.init_options },
		{ "ares_library_init",		(void **)&ares.library_init },
		{ "ares_parse_ptr_reply",	(void **)&ares.parse_ptr_reply },
		{ "ares_process_fd",		(void **)&ares.process_fd },
		{ "ares_query",			(void **)&ares.query },
		{ "ares_set_servers_ports_csv",	(void **)&ares.set_servers_ports_csv },
		{ "ares_strerror",		(void **)&ares.strerror },
		{ "ares_timeout",		(void **)&ares.timeout },
	};

	return library_open(LIBRARY, calls, ARRAY_LEN(calls), f);
}

uint64_t
resolver_next_ms(ares_channel channel)
{
	struct library_time	 room;
	const struct timeval	*t = ares.timeout(channel, NULL,
				    library_time_arg(&room));

	return t == NULL ? UINT64_MAX : library_time_ms(&room);
}

static int
ares_fault(int status, const char *what, struct fault *f)
{
	return fault_set(f, FAULT_TEMP, "%s: %s", what, ares.strerror(status));
}

/* c-ares wants commas. */
static int
set_servers(ares_channel channel, const char *text, struct fault *f)
{
	struct span	rest = span_str(text);
	struct span	word;
	struct buf	b;
	int		status = ARES_SUCCESS;

	buf_init(&b, SERVERS_MAX);
	while (status == ARES_SUCCESS && (word = span_word(&rest)).n > 0)
		if (buf_appendf(&b, "%s%.*s", buf_len(&b) > 0 ? "," : "",
		    (int)word.n, (const char *)word.p) == -1)
			status = ARES_ENOMEM;
	if (status == ARES_SUCCESS && buf_len(&b) > 0) {
		if (buf_append(&b, span_of("", 1)) == -1)
			status = ARES_ENOMEM;
		else
			status = ares.set_servers_ports_csv(channel,
			    (const char *)buf_span(&b).p);
	}
	buf_fini(&b);
	return status == ARES_SUCCESS ? 0 :
	    ares_fault(status, "name_servers", f);
}

static int
channel_for(const struct resolver_conf *c, size_t servers,
    ares_sock_state_cb fn, void *ctx, ares_channel *channel_r,
    struct fault *f)
{
	char			dns[] = "b";
	struct ares_options	o = {
		.lookups	= dns,
		.tries		= TRIES,
		/* Each server is asked, then each once more, waiting twice as
		 * long: together the whole. */
		.timeout	= (int)(c->timeout_ms / (3 * servers) + 1),
		.ndomains	= 0,
		.sock_state_cb	= fn,
		.sock_state_cb_data = ctx,
	};
	int			mask = ARES_OPT_LOOKUPS | ARES_OPT_TRIES |
				    ARES_OPT_TIMEOUTMS | ARES_OPT_DOMAINS |
				    (fn != NULL ? ARES_OPT_SOCK_STATE_CB : 0);
	int			status;

#ifdef ARES_OPT_QUERY_CACHE
	/* Newer ones keep answers for an hour, however many there are. */
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	status = ares.init_options(channel_r, &o, mask);
	if (status != ARES_SUCCESS)
		return ares_fault(status, "c-ares", f);
	if (set_servers(*channel_r, c->name_servers, f) == -1) {
		ares.destroy(*channel_r);
		return -1;
	}
	return 0;
}

static size_t
count_servers(ares_channel channel)
{
	struct ares_addr_port_node	*all = NULL;
	size_t				 n = 0;

	if (ares.get_servers_ports(channel, &all) != ARES_SUCCESS)
		return 1;
	for (const struct ares_addr_port_node *a = all; a != NULL; a = a->next)
		n++;
	ares.free_data(all);
	return n > 0 ? n : 1;
}

int
resolver_channel_open(const struct resolver_conf *c, ares_sock_state_cb fn,
    void *ctx, ares_channel *channel_r, struct fault *f)
{
	int	status;
	size_t	servers;

	if (resolver_library(f) != 0)
		return -1;
	status = ares.library_init(ARES_LIB_INIT_ALL);
	if (status != ARES_SUCCESS)
		return ares_fault(status, "c-ares", f);
	if (channel_for(c, 1, fn, ctx, channel_r, f) == -1)
		return -1;
	servers = count_servers(*channel_r);
	if (servers == 1)
		return 0;
	ares.destroy(*channel_r);	/* now that it is known how many */
	return channel_for(c, servers, fn, ctx, channel_r, f);
}

static void
on_found(void *ctx)
{
	struct resolver *r = ctx;

	r->done = true;
	resolver_say(&r->look.peer, &r->look.found);
}

int
resolver_prepare(const struct resolver_conf *c, const struct sock_addr *peer,
    struct resolver **r_r, struct fault *f)
{
	struct resolver		*r;
	struct resolver_hosts	 hosts;
	ares_channel		 channel;
	bool			 known;

	*r_r = NULL;
	if (peer->family == 0)
		return 0;
	resolver_hosts_load(c->hosts, &hosts);
	known = resolver_hosts_has(&hosts, peer);
	resolver_hosts_fini(&hosts);
	if (known)
		return 0;
	if (resolver_channel_open(c, NULL, NULL, &channel, f) == -1)
		return -1;
	r = xalloc(1, sizeof(*r));
	r->channel = channel;
	r->timeout_ms = c->timeout_ms;
	r->look = (struct resolver_look){
		.channel = channel, .peer = *peer, .fn = on_found, .ctx = r,
	};
	*r_r = r;
	return 0;
}

/* ------------------------------------------------------- working */

/* Wait for the name servers once, left_ms at most, and let c-ares read. */
static void
pump(struct resolver *r, uint64_t left_ms)
{
	ares_socket_t	s[ARES_GETSOCK_MAXNUM];
	struct wait_for	w[ARES_GETSOCK_MAXNUM];
	uint64_t	next_ms = resolver_next_ms(r->channel);
	int		bits = ares.getsock(r->channel, s, ARES_GETSOCK_MAXNUM);
	size_t		n = 0;

	while (n < ARES_GETSOCK_MAXNUM &&
	    (ARES_GETSOCK_READABLE(bits, n) || ARES_GETSOCK_WRITABLE(bits, n))) {
		w[n] = (struct wait_for){ .fd = s[n], .events = (uint8_t)
		    ((ARES_GETSOCK_READABLE(bits, n) ? WAIT_READ : 0) |
		    (ARES_GETSOCK_WRITABLE(bits, n) ? WAIT_WRITE : 0)) };
		n++;
	}
	if (sock_wait(w, n, (int)(next_ms < left_ms ? next_ms : left_ms)) == 0) {
		ares.process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (w[i].ready != 0)
			ares.process_fd(r->channel,
			    w[i].ready & WAIT_READ ? s[i] : ARES_SOCKET_BAD,
			    w[i].ready & WAIT_WRITE ? s[i] : ARES_SOCKET_BAD);
}

void
resolver_work(struct resolver *r)
{
	uint64_t deadline = clock_ms() + r->timeout_ms;

	resolver_look_begin(&r->look);
	while (!r->done) {
		uint64_t now = clock_ms();

		if (now >= deadline)
			ares.cancel(r->channel);	/* the call-back ends it */
		else
			pump(r, deadline - now);
	}
	ares.destroy(r->channel);
	free(r);
}

/* The log's daemon is not among those whom a resolver may talk to anew. */
static int
no_fresh_log(void *ctx)
{
	(void)ctx;
	return -1;
}

/* Those to which an answer that is too long for a datagram may take c-ares. */
static size_t
server_ports(ares_channel channel, uint16_t ports[PORTS_MAX])
{
	struct ares_addr_port_node	*all = NULL;
	size_t				 n = 0;

	if (ares.get_servers_ports(channel, &all) != ARES_SUCCESS)
		return 0;
	for (const struct ares_addr_port_node *a = all; a != NULL &&
	    n < PORTS_MAX; a = a->next)
		ports[n++] = a->tcp_port == 0 ? DNS_PORT : (uint16_t)a->tcp_port;
	ares.free_data(all);
	return n;
}

int
resolver_enter_cage(const struct resolver_conf *c, ares_channel channel,
    struct fault *f)
{
	uint16_t	ports[PORTS_MAX];
	size_t		n = server_ports(channel, ports);
	bool		degraded;

	return cage_step_down(c->user, c->chroot_dir, CAGE_RESOLVER, f) != 0 ||
	    cage_files_nothing(ports, n, f) != 0 ||
	    cage_enter(CAGE_RESOLVER, &degraded, f) != 0 ? -1 : 0;
}

int
resolver_run(const struct resolver_conf *c, const struct sock_addr *peer)
{
	struct resolver	*r;
	struct fault	 f;

	shed_descriptors(NULL, 0);
	log_set_reopen(no_fresh_log, NULL);
	if (resolver_prepare(c, peer, &r, &f) == -1 ||
	    (r != NULL && resolver_enter_cage(c, r->channel, &f) == -1)) {
		log_fault(LEVEL_ERR, "peer-check", &f);
		return EXIT_FAILURE;
	}
	if (r != NULL)
		resolver_work(r);
	return EXIT_SUCCESS;
}

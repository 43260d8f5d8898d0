/* SPDX-License-Identifier: ISC */
#include "role/listen.h"

#include "base/num.h"
#include "watch/log.h"

#include <limits.h>
#include <stdio.h>

static bool
read_networks(struct span list, struct listen_rules *r, char *expected,
    size_t cap)
{
	while (list.n > 0) {
		size_t		comma = span_find(list, ',');
		struct network	*n = &r->networks[r->nnetworks];

		if (r->nnetworks == LISTEN_NETWORKS_MAX) {
			snprintf(expected, cap, "at most %d networks",
			    LISTEN_NETWORKS_MAX);
			return false;
		}
		if (!network_read(span_first(list, comma), n, expected, cap))
			return false;
		r->nnetworks++;
		list = span_skip(list, comma + 1);
	}
	if (r->nnetworks > 0)
		return true;
	snprintf(expected, cap, "networks=10.0.0.0/8,192.0.2.1 with those who "
	    "may connect");
	return false;
}

static bool
read_rule(struct span word, struct listen_rules *r, char *expected, size_t cap)
{
	static const struct span	networks = SPAN("networks=");
	static const struct span	max = SPAN("max_per_address=");
	uint64_t			n;

	if (span_eq(word, SPAN("proxy"))) {
		r->proxy = true;
		return true;
	}
	if (span_eq(word, SPAN("tls"))) {
		r->tls = true;
		return true;
	}
	if (span_eq(word, SPAN("old_tls"))) {
		r->policy = LISTEN_OLD;
		return true;
	}
	if (span_starts(word, networks))
		return read_networks(span_skip(word, networks.n), r, expected,
		    cap);
	if (!span_starts(word, max)) {
		snprintf(expected, cap, "addresses with ports, such as *:110 "
		    "or [::1]:110, and behind them proxy, tls, old_tls, "
		    "networks=... or max_per_address=N, for \"%.*s\"",
		    (int)(word.n < 60 ? word.n : 60), (const char *)word.p);
		return false;
	}
	if (num_parse(span_skip(word, max.n), UINT_MAX, &n) && n > 0) {
		r->max_per_address = (unsigned)n;
		return true;
	}
	snprintf(expected, cap, "max_per_address=20, or another number of at "
	    "least 1");
	return false;
}

bool
listen_read(const char *line, struct listen_line *out, char *expected,
    size_t cap)
{
	struct span	rest = span_str(line);
	struct span	word;
	bool		rules = false;

	*out = (struct listen_line){ .n = 0 };
	while ((word = span_word(&rest)).n > 0) {
		char	*where = out->where[out->n];
		bool	 is_where = span_cstr(word, where, LISTEN_WHERE_MAX) &&
			    sock_listen_valid(where);

		if (is_where && (rules || out->n + 1 == LISTEN_AT_MAX)) {
			snprintf(expected, cap, rules ? "the address %s before "
			    "the rules" : "%s into a line of its own", where);
			return false;
		}
		if (is_where)
			out->n++;
		else if (!read_rule(word, &out->rules, expected, cap))
			return false;
		rules |= !is_where;
	}
	if (out->n > 0)
		return true;
	snprintf(expected, cap, "an address with a port, such as *:110, before "
	    "the rules");
	return false;
}

bool
listen_fits(const char *line, char *expected, size_t cap)
{
	struct listen_line l;

	return listen_read(line, &l, expected, cap);
}

size_t
listen_places(const struct conf_list *lines, struct listen_line *room,
    const char **where, size_t cap)
{
	char	unused[8];
	size_t	n = 0;

	for (size_t i = 0; i < lines->n; i++) {
		if (!listen_read(lines->item[i], &room[i], unused,
		    sizeof(unused)))
			continue;	/* the settings were refused */
		for (size_t k = 0; k < room[i].n && n < cap; k++)
			where[n++] = room[i].where[k];
	}
	return n;
}

static bool
is_any(const struct sock_addr *a)
{
	static const uint8_t zeros[sizeof(a->raw)];

	return memcmp(a->raw, zeros, sizeof(zeros)) == 0;
}

/* 0: not that one; else the greater, the better. */
static int
closeness(const struct sock_addr *at, const struct sock_addr *local)
{
	if (sock_addr_same(at, local))
		return 3;
	if (at->port != local->port || !is_any(at))
		return 0;
	return at->family == local->family ? 2 : 1;
}

static int
line_closeness(const struct listen_line *l, const struct sock_addr *local)
{
	int best = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct sock_addr	at[2];
		size_t			n = sock_listen_parse(l->where[i], at);

		for (size_t k = 0; k < n; k++)
			if (closeness(&at[k], local) > best)
				best = closeness(&at[k], local);
	}
	return best;
}

void
listen_rules_at(const struct conf_list *lines, const struct sock_addr *local,
    struct listen_rules *out)
{
	char	unused[8];
	int	best = 0;

	*out = (struct listen_rules){ .proxy = false };
	for (size_t i = 0; i < lines->n; i++) {
		struct listen_line	l;
		int			c;

		if (!listen_read(lines->item[i], &l, unused, sizeof(unused)))
			continue;
		c = line_closeness(&l, local);
		if (c > best) {
			best = c;
			*out = l.rules;
		}
	}
}

bool
listen_takes(const struct listen_rules *r, const struct sock_addr *client)
{
	for (size_t i = 0; i < r->nnetworks; i++)
		if (network_has(&r->networks[i], client))
			return true;
	return r->nnetworks == 0;
}

unsigned
listen_per_address(const struct listen_rules *r, const struct role_settings *s)
{
	return r->max_per_address > 0 ? r->max_per_address :
	    s->max_sessions_per_address;
}

unsigned
listen_per_network(const struct listen_rules *r, const struct role_settings *s)
{
	unsigned n = settings_per_network(s);

	return n > r->max_per_address ? n : r->max_per_address;
}

bool
listen_wants_tls(const struct conf_list *lines)
{
	struct listen_line	l;
	char			unused[8];

	for (size_t i = 0; i < lines->n; i++)
		if (listen_read(lines->item[i], &l, unused, sizeof(unused)) &&
		    l.rules.tls)
			return true;
	return false;
}

static bool
is_this_host(const struct sock_addr *a)
{
	static const uint8_t one[sizeof(a->raw)] = { [15] = 1 };

	return a->family == 0 || (a->family == 4 && a->raw[0] == 127) ||
	    (a->family == 6 && memcmp(a->raw, one, sizeof(one)) == 0);
}

bool
listen_needs_tls(const struct role_settings *s, const struct sock_addr *client)
{
	return !is_this_host(client) &&
	    !networks_have(&s->plaintext_networks, client);
}

/* May the other end speak for another client? */
static bool
may_announce(const struct role_settings *r, int client)
{
	struct sock_addr	local;
	struct sock_addr	peer;
	struct listen_rules	rules;
	struct fault		f;

	if (sock_local(client, &local, &f) != 0 ||
	    sock_peer(client, &peer, &f) != 0)
		return false;
	if (networks_have(&r->xclient_networks, &peer))
		return true;
	listen_rules_at(&r->listen, &local, &rules);
	return rules.proxy && networks_have(&r->proxy_networks, &peer);
}

int
listen_check_client(const struct role_settings *r, int client,
    const struct sock_addr *socket, const struct sock_addr *peer,
    struct fault *f)
{
	struct sock_addr at;

	if (sock_peer(client, &at, f) != 0) {
		f->class = FAULT_PEER;
		return -1;
	}
	if (!sock_addr_same(&at, socket))
		return fault_set(f, FAULT_PEER, "START of another client");
	if (!sock_addr_same(peer, socket) && !may_announce(r, client))
		return fault_set(f, FAULT_PEER, "START for another client");
	return 0;
}

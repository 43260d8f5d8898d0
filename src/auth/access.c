/* SPDX-License-Identifier: ISC */
#include "auth/access.h"

#include "auth/network.h"
#include "base/num.h"

#include <stdio.h>

#define NAME_MAX_OCTETS	64
#define SHOWN_MAX	60

enum condition {
	OF_USER, OF_GROUP, OF_DOMAIN, OF_DB, OF_METHOD, OF_NETWORK, OF_LISTENER,
	OF_TLS, OF_MASTER, OF_APP, CONDITIONS
};

/* ---- does an item of a list fit?  One of what is listed does. ---- */

static bool
fits_user(struct span item, const struct access_groups *g UNUSED,
    const struct access_who *who)
{
	return span_eq(item, span_str(who->id->user));
}

static bool
has_gid(const struct identity *id, gid_t gid)
{
	for (size_t i = 0; i < id->ngids; i++)
		if (id->gids[i] == gid)
			return true;
	return id->gid == gid;
}

static bool
fits_group(struct span item, const struct access_groups *g,
    const struct access_who *who)
{
	for (size_t i = 0; i < g->n; i++)
		if (span_eq(g->of[i].name, item))
			return g->of[i].known && (has_gid(who->id, g->of[i].gid) ||
			    (who->groups != NULL &&
			    (who->groups[i / 64] & 1ull << i % 64) != 0));
	return false;
}

void
access_note(const struct access_groups *g, gid_t gid,
    uint64_t groups[AUTH_GROUPS_MAX / 64])
{
	for (size_t i = 0; i < g->n; i++)
		if (g->of[i].known && g->of[i].gid == gid)
			groups[i / 64] |= 1ull << i % 64;
}

/* What follows the last @ of the name. */
static bool
fits_domain(struct span item, const struct access_groups *g UNUSED,
    const struct access_who *who)
{
	struct span	user = span_str(who->id->user);
	size_t		at = user.n;

	while (at > 0 && user.p[at - 1] != '@')
		at--;
	return at > 0 && span_eq_nocase(span_skip(user, at), item);
}

static bool
fits_db(struct span item, const struct access_groups *g UNUSED,
    const struct access_who *who)
{
	return span_eq(item, span_str(who->db));
}

static bool
fits_method(struct span item, const struct access_groups *g UNUSED,
    const struct access_who *who)
{
	return span_eq(item, span_str(auth_method_word(who->method)));
}

static bool
fits_network(struct span item, const struct access_groups *g UNUSED,
    const struct access_who *who)
{
	struct network	n;
	char		unused[128];

	return network_read(item, &n, unused, sizeof(unused)) &&
	    network_has(&n, who->peer);
}

static bool
fits_listener(struct span item, const struct access_groups *g UNUSED,
    const struct access_who *who)
{
	struct sock_addr	at[2];
	char			where[SOCK_WHERE_MAX];
	size_t			n = 0;

	if (span_cstr(item, where, sizeof(where)))
		n = sock_listen_parse(where, at);
	for (size_t i = 0; i < n; i++)
		if (sock_addr_overlaps(&at[i], &who->way->local))
			return true;
	return false;
}

static bool
says(struct span item, bool is)
{
	return span_eq(item, is ? SPAN("yes") : SPAN("no"));
}

static bool
fits_tls(struct span item, const struct access_groups *g UNUSED,
    const struct access_who *who)
{
	return says(item, who->way->tls);
}

static bool
fits_master(struct span item, const struct access_groups *g UNUSED,
    const struct access_who *who)
{
	return says(item, who->master);
}

static bool
fits_app(struct span item, const struct access_groups *g UNUSED,
    const struct access_who *who)
{
	return says(item, who->app);
}

/* ---- can such an item be written?  Else what to write is put into expected. ---- */

static int
shown(struct span item)
{
	return (int)(item.n < SHOWN_MAX ? item.n : SHOWN_MAX);
}

static bool
good_name(struct span item, char *expected, size_t cap)
{
	if (item.n > 0 && item.n <= IDENTITY_USER_MAX)
		return true;
	snprintf(expected, cap, "names with commas between, and nothing else, "
	    "behind the equals sign");
	return false;
}

static bool
good_group(struct span item, char *expected, size_t cap)
{
	if (item.n > 0 && item.n < NAME_MAX_OCTETS)
		return true;
	snprintf(expected, cap, "names of groups of at most %d octets, with "
	    "commas between", NAME_MAX_OCTETS - 1);
	return false;
}

static bool
good_domain(struct span item, char *expected, size_t cap)
{
	if (item.n > 0 && span_find(item, '@') == item.n)
		return true;
	snprintf(expected, cap, "a domain without an @, such as "
	    "domain=example.org, for \"%.*s\"", shown(item),
	    (const char *)item.p);
	return false;
}

static bool
good_method(struct span item, char *expected, size_t cap)
{
	int n = 0;

	for (unsigned m = 0; m < AUTH_METHODS; m++)
		if (span_eq(item,
		    span_str(auth_method_word((enum auth_method)m))))
			return true;
	for (unsigned m = 0; m < AUTH_METHODS && n >= 0 && (size_t)n < cap; m++)
		n += snprintf(expected + n, cap - (size_t)n, "%s%s", m == 0 ?
		    "method=" : ",", auth_method_word((enum auth_method)m));
	if (n >= 0 && (size_t)n < cap)
		snprintf(expected + n, cap - (size_t)n, ", or some of these, for "
		    "\"%.*s\"", shown(item), (const char *)item.p);
	return false;
}

static bool
good_network(struct span item, char *expected, size_t cap)
{
	struct network n;

	return network_read(item, &n, expected, cap);
}

static bool
good_listener(struct span item, char *expected, size_t cap)
{
	char where[SOCK_WHERE_MAX];

	if (span_cstr(item, where, sizeof(where)) && sock_listen_valid(where))
		return true;
	snprintf(expected, cap, "an address with its port, such as *:995 or "
	    "192.0.2.1:110, for \"%.*s\"", shown(item), (const char *)item.p);
	return false;
}

static bool
good_flag(struct span item, char *expected, size_t cap)
{
	if (span_eq(item, SPAN("yes")) || span_eq(item, SPAN("no")))
		return true;
	snprintf(expected, cap, "tls=, master= and app= with yes or no");
	return false;
}

static const struct {
	const char	*name;
	bool		(*fits)(struct span item, const struct access_groups *g,
			    const struct access_who *who);
	bool		(*good)(struct span item, char *expected, size_t cap);
} conditions[CONDITIONS] = {
	[OF_USER]	= { "user",	fits_user,	good_name },
	[OF_GROUP]	= { "group",	fits_group,	good_group },
	[OF_DOMAIN]	= { "domain",	fits_domain,	good_domain },
	[OF_DB]		= { "db",	fits_db,	good_name },
	[OF_METHOD]	= { "method",	fits_method,	good_method },
	[OF_NETWORK]	= { "network",	fits_network,	good_network },
	[OF_LISTENER]	= { "listener",	fits_listener,	good_listener },
	[OF_TLS]	= { "tls",	fits_tls,	good_flag },
	[OF_MASTER]	= { "master",	fits_master,	good_flag },
	[OF_APP]	= { "app",	fits_app,	good_flag },
};

/* ---- a rule's words ---- */

/* "name=[!]item,item"; CONDITIONS: no such name. */
static enum condition
take_apart(struct span word, bool *not_r, struct span *list_r)
{
	size_t		equals = span_find(word, '=');
	struct span	name = span_first(word, equals);
	unsigned	c = 0;

	*list_r = span_skip(word, equals + 1);
	*not_r = span_starts(*list_r, SPAN("!"));
	if (*not_r)
		*list_r = span_skip(*list_r, 1);
	if (equals == word.n)
		return CONDITIONS;
	while (c < CONDITIONS && !span_eq(name, span_str(conditions[c].name)))
		c++;
	return (enum condition)c;
}

/* An empty list has one item, which is empty. */
static bool
take_item(struct span *list, bool *more, struct span *item_r)
{
	size_t comma = span_find(*list, ',');

	if (!*more)
		return false;
	*more = comma < list->n;
	*item_r = span_first(*list, comma);
	*list = span_skip(*list, comma + 1);
	return true;
}

static bool
good_word(struct span word, char *expected, size_t cap)
{
	struct span	list;
	struct span	item;
	bool		not;
	bool		more = true;
	enum condition	c = take_apart(word, &not, &list);

	if (c == CONDITIONS) {
		snprintf(expected, cap, "behind allow or deny user=, group=, "
		    "domain=, db=, method=, network=, listener=, tls=, master= "
		    "or app=, for \"%.*s\"", shown(word), (const char *)word.p);
		return false;
	}
	while (take_item(&list, &more, &item))
		if (!conditions[c].good(item, expected, cap))
			return false;
	return true;
}

static size_t
count_groups(struct span list)
{
	size_t n = 1;

	for (size_t i = 0; i < list.n; i++)
		n += list.p[i] == ',' ? 1 : 0;
	return n;
}

bool
access_fits(const char *line, char *expected, size_t cap)
{
	struct span	rest = span_str(line);
	struct span	word = span_word(&rest);
	size_t		groups = 0;

	if (!span_eq(word, SPAN("allow")) && !span_eq(word, SPAN("deny"))) {
		snprintf(expected, cap, "allow or deny before the conditions, "
		    "such as deny user=ann network=!192.0.2.0/24");
		return false;
	}
	while ((word = span_word(&rest)).n > 0) {
		if (!good_word(word, expected, cap))
			return false;
		if (span_starts(word, SPAN("group=")))
			groups += count_groups(word);
	}
	if (groups <= ACCESS_GROUPS_MAX / CONF_LIST_MAX)
		return true;
	snprintf(expected, cap, "at most %d groups in a line",
	    ACCESS_GROUPS_MAX / CONF_LIST_MAX);
	return false;
}

static int
load_group(struct span name, struct access_groups *g,
    int (*find)(const char *name, gid_t *gid_r, struct fault *f),
    struct fault *f)
{
	char		text[NAME_MAX_OCTETS];
	uint64_t	v;
	int		found = 1;

	ASSERT(g->n < ACCESS_GROUPS_MAX && span_cstr(name, text, sizeof(text)));
	g->of[g->n].name = name;
	if (num_parse(name, UINT32_MAX - 1, &v))
		g->of[g->n].gid = (gid_t)v;
	else
		found = find(text, &g->of[g->n].gid, f);
	g->of[g->n++].known = found == 1;
	return found < 0 ? -1 : 0;
}

int
access_load(const struct conf_list *rules, struct access_groups *g,
    int (*find)(const char *name, gid_t *gid_r, struct fault *f),
    struct fault *f)
{
	g->n = 0;
	for (size_t i = 0; i < rules->n; i++) {
		struct span	rest = span_str(rules->item[i]);
		struct span	word;

		while ((word = span_word(&rest)).n > 0) {
			struct span	list;
			struct span	item;
			bool		not;
			bool		more = true;

			if (take_apart(word, &not, &list) != OF_GROUP)
				continue;
			while (take_item(&list, &more, &item))
				if (load_group(item, g, find, f) != 0)
					return -1;
		}
	}
	return 0;
}

bool
access_unknown_db(const char *line, bool (*has)(const void *ctx,
    struct span id), const void *ctx, struct span *id_r)
{
	struct span	rest = span_str(line);
	struct span	word;

	while ((word = span_word(&rest)).n > 0) {
		struct span	list;
		bool		not;
		bool		more = true;

		if (take_apart(word, &not, &list) != OF_DB)
			continue;
		while (take_item(&list, &more, id_r))
			if (!has(ctx, *id_r))
				return true;
	}
	return false;
}

static bool
holds(struct span word, const struct access_groups *g,
    const struct access_who *who)
{
	struct span	list;
	struct span	item;
	bool		not;
	bool		more = true;
	bool		fits = false;
	enum condition	c = take_apart(word, &not, &list);

	if (c == CONDITIONS)
		return false;		/* the settings were refused */
	while (!fits && take_item(&list, &more, &item))
		fits = conditions[c].fits(item, g, who);
	return fits != not;
}

int
access_judge(const struct conf_list *rules, const struct access_groups *g,
    const struct access_who *who, bool *allowed_r)
{
	*allowed_r = true;
	for (size_t i = 0; i < rules->n; i++) {
		struct span	rest = span_str(rules->item[i]);
		struct span	action = span_word(&rest);
		struct span	word;
		bool		all = true;

		while (all && (word = span_word(&rest)).n > 0)
			all = holds(word, g, who);
		if (!all)
			continue;
		*allowed_r = span_eq(action, SPAN("allow"));
		return (int)i;
	}
	return -1;
}

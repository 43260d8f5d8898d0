/* SPDX-License-Identifier: ISC */
/*
 * Values that are each good but do not fit together, and those that need an
 * explanation.
 */
#include "cmd/check_priv.h"

#include "auth/access.h"
#include "role/listen.h"
#include "sys/cage_files.h"
#include "sys/listen.h"

#include <string.h>

#define EXPIRE_SOON	31		/* days */
#define STD53_TIMEOUT_S	600		/* STD 53 (RFC 1939) s.3 */

static void
rule_isolation(struct check *c)
{
	const struct settings	*s = c->s;
	bool			 single = s->role.isolation == ISOLATION_SINGLE;

	if (single && auth_has(&s->auth, AUTH_PAM))
		check_error(c, "isolation", "single cannot ask PAM, which "
		    "needs root; set auth = file, or isolation = split and "
		    "start popper as root");
	if (single && c->root)
		check_error(c, "isolation", "single is for ordinary users, "
		    "root would serve every session itself; set isolation = "
		    "split, or start popper (and this check) as another user");
	if (!single && !c->root)
		check_warn(c, "isolation", "split needs root, and this check "
		    "is not run by root: it cannot see all that popper will; "
		    "run it as root, or set isolation = single and auth = "
		    "file to serve as this user");
}

/* What is about the parts of the other assembly, or about what they alone do. */
static void
rule_single(struct check *c)
{
	static const char *const of_split[] = { "front_user", "auth_user",
	    "chroot_dir", "fronts", "auth_workers", "auth_timeout",
	    "auth_cache_ttl", "auth_cache_size", "auth_cache_pam",
	    "max_strangers", "max_sessions_per_user", "xclient_networks",
	    "peer_check", "peer_check_timeout", "name_servers", "ctl_socket",
	    "ctl_group", "metrics" };

	for (size_t i = 0; i < ARRAY_LEN(of_split) &&
	    c->s->role.isolation == ISOLATION_SINGLE; i++)
		if (conf_is_set(c->s->store, of_split[i]))
			check_warn(c, of_split[i], "has no effect with "
			    "isolation = single; remove the line");
}

static void
rule_kernel(struct check *c)
{
	struct fault f;

	if (c->s->role.isolation == ISOLATION_SPLIT &&
	    cage_files_version(&f) == 0)
		check_warn(c, "isolation", "%s: a session that is taken over "
		    "can reach every file that its user can", f.text);
}

static void
rule_timeout(struct check *c)
{
	unsigned now = c->s->role.timeout_s;

	if (now >= STD53_TIMEOUT_S)
		return;
	check_warn(c, "timeout", "%u seconds%s; STD 53 section 3 asks for at "
	    "least %u, and clients rely on it while their user thinks; write "
	    "timeout = %u unless your clients need less", now,
	    conf_is_set(c->s->store, "timeout") ? "" :
	    " is what the manual of 1990 says and therefore the default",
	    STD53_TIMEOUT_S, STD53_TIMEOUT_S);
}

static void
rule_ranges(struct check *c)
{
	const struct settings *s = c->s;

	if (s->auth.uid_min > s->auth.uid_max)
		check_error(c, "uid_min", "%u is above uid_max, %u: nobody "
		    "can log in; exchange them", s->auth.uid_min,
		    s->auth.uid_max);
	if (s->role.max_sessions_per_address > s->role.max_sessions)
		check_warn(c, "max_sessions_per_address", "%u is more than "
		    "max_sessions, %u: one address can take every place",
		    s->role.max_sessions_per_address, s->role.max_sessions);
	if (conf_is_set(s->store, "max_sessions_per_user") &&
	    s->role.max_sessions_per_user > s->role.max_sessions)
		check_warn(c, "max_sessions_per_user", "%u is more than "
		    "max_sessions, %u: one user can take every place",
		    s->role.max_sessions_per_user, s->role.max_sessions);
	if (conf_is_set(s->store, "max_sessions_per_network") &&
	    s->role.max_sessions_per_network < s->role.max_sessions_per_address)
		check_warn(c, "max_sessions_per_network", "%u has no effect, "
		    "since one address may have max_sessions_per_address, %u; "
		    "lower that too", s->role.max_sessions_per_network,
		    s->role.max_sessions_per_address);
}

/* Limits that can only be reached together with another one. */
static void
rule_before_login(struct check *c)
{
	const struct role_settings *r = &c->s->role;

	if (r->max_commands_before_login < 2 * r->auth_tries + 1)
		check_warn(c, "max_commands_before_login", "%u is too few for "
		    "auth_tries, %u, since a login takes two commands; "
		    "raise it to %u or more", r->max_commands_before_login,
		    r->auth_tries, 2 * r->auth_tries + 4);
	if (r->max_bad_commands > r->max_commands_before_login)
		check_warn(c, "max_bad_commands", "%u has no effect before "
		    "login, where max_commands_before_login, %u, is reached "
		    "first", r->max_bad_commands, r->max_commands_before_login);
}

/* Which option makes that each session has its own; NULL: none. */
static const char *
keeps_apart(const struct settings *s)
{
	if (s->role.isolation == ISOLATION_SINGLE)
		return "isolation = single";
	if (!auth_has_rows(&s->auth))
		return "auth = pam";
	if (s->bull.dir != NULL && s->bull.dir[0] != '\0')
		return "bulletins";
	return s->drop.status_headers ? NULL : "status_headers = no";
}

static void
rule_shared(struct check *c)
{
	unsigned	 n = c->s->role.sessions_per_process;
	const char	*apart = keeps_apart(c->s);

	if (n > 1 && apart != NULL)
		check_warn(c, "sessions_per_process", "has no effect with %s, "
		    "each session has a process of its own; remove one of "
		    "them", apart);
	else if (n > 1)
		check_warn(c, "sessions_per_process", "up to %u sessions share "
		    "a process: a client that takes it over can read the mail "
		    "of all who are logged in there, and delete and send in "
		    "their names; remove the line unless you have thousands",
		    n);
}

static void
rule_expire_clock(struct check *c)
{
	const struct drop_settings *d = &c->s->drop;

	if (drop_expire_held(d, clock_is_kept()))
		check_warn(c, "expire_clock", "the kernel does not say that a "
		    "time service keeps the clock of this host, so expire_delete "
		    "deletes nothing yet; turn one on (systemd-timesyncd, "
		    "chrony), or set expire_clock = any");
	else if (!d->expire_delete && d->expire_clock == EXPIRE_CLOCK_ANY)
		check_warn(c, "expire_clock", "has no effect without "
		    "expire_delete = yes; remove the line");
}

/* Mail that is gone is gone: whoever wrote these lines should have meant it. */
static void
rule_expire(struct check *c)
{
	const struct drop_settings	*d = &c->s->drop;
	unsigned			 days = drop_expire_days(d);

	if (days == 0 && !d->expire_delete)
		check_warn(c, "expire", "0 tells clients that what they have "
		    "fetched is deleted, and popper deletes nothing; set "
		    "expire_delete = yes, or another expire");
	rule_expire_clock(c);
	if (!d->expire_delete)
		return;
	if (days == EXPIRE_NEVER)
		check_warn(c, "expire_delete", "has no effect with expire = "
		    "never; remove the line, or set expire = 90 (days)");
	else if (days == 0)
		check_warn(c, "expire_delete", "each message that was fetched "
		    "is DELETED at QUIT, also for programs that are set to "
		    "leave mail on the server; remove the line unless all your "
		    "users know");
	else
		check_warn(c, "expire_delete", "each QUIT DELETES all mail of "
		    "that user that is older than %u day%s%s, read or not; "
		    "remove the line unless all your users know", days,
		    days == 1 ? "" : "s", days < EXPIRE_SOON ?
		    ", which is less than a holiday" : "");
}

static void
rule_xmit(struct check *c)
{
	const struct settings *s = c->s;

	if (s->xtnd.xmit && auth_has_rows(&s->auth) &&
	    s->xtnd.xmit_sender[0] == '\0')
		check_warn(c, "xmit", "users of passwd_file have no address "
		    "of their own, so XTND XMIT is refused to them; set "
		    "xmit_sender = %%u@your.domain, or xmit = no");
	if (!auth_has_rows(&s->auth) && s->xtnd.xmit_sender[0] != '\0')
		check_warn(c, "xmit_sender", "only the users of a passwd_file "
		    "send with it, and auth = pam has none; remove the line");
}

static void
no_effect(struct check *c, const char *const *list, size_t n, const char *type)
{
	for (size_t i = 0; i < n; i++)
		if (conf_is_set(c->s->store, list[i]))
			check_warn(c, list[i], "has no effect without auth = %s; "
			    "remove the line, or set auth = %s", type, type);
}

/* A row that has no effect is a mistake in what was meant. */
static void
rule_useless(struct check *c)
{
	static const char *const of_pam[] = { "pam_service", "shell_check",
	    "shells_file" };
	static const char *const of_file[] = { "passwd_file" };
	static const char *const of_rows[] = { "virtual_user" };

	if (!auth_has(&c->s->auth, AUTH_PAM))
		no_effect(c, of_pam, ARRAY_LEN(of_pam), "pam");
	if (!auth_has(&c->s->auth, AUTH_FILE))
		no_effect(c, of_file, ARRAY_LEN(of_file), "file");
	if (!auth_has_rows(&c->s->auth))
		no_effect(c, of_rows, ARRAY_LEN(of_rows), "file");
}

/* An id names one database; the other one could never be meant by a rule. */
static void
rule_databases(struct check *c)
{
	struct auth_conf	a = c->s->auth;
	struct auth_conf	b = a;
	const struct conf_list	*list = &a.databases;

	if (list->n > AUTH_DB_MAX)
		check_error(c, "auth", "there are %zu user databases, and only "
		    "the first %d are asked; remove some", list->n,
		    AUTH_DB_MAX);
	for (size_t i = 1; i < auth_databases(&a); i++)
		for (size_t k = 0; k < i; k++) {
			auth_select(&a, i);
			auth_select(&b, k);
			if (strcmp(a.db, b.db) == 0)
				check_tell(c, CONF_ERROR, c->s->config,
				    list->line[i], "auth: there is a database %s "
				    "before this one; give it another id, or "
				    "remove it", a.db);
		}
}

static void
rule_log(struct check *c)
{
	const struct log_settings *l = &c->s->log;

	if (l->to == LOG_TO_FILE && l->file[0] == '\0')
		check_error(c, "log", "file needs log_file = PATH, or set "
		    "log = syslog");
	if (l->to != LOG_TO_FILE && l->file[0] != '\0')
		check_warn(c, "log_file", "has no effect without log = file");
	if (l->to == LOG_TO_JOURNAL && l->form != LOG_TEXT)
		check_warn(c, "log_format", "has no effect with log = journal, "
		    "whose entries have fields; remove it");
	if (l->debug && l->trace_file[0] == '\0')
		check_warn(c, "debug", "yes writes a great deal to the log; "
		    "remove it when you have found what you look for");
}

/* Addresses of lines that were judged. */
struct heard {
	size_t			n;
	struct sock_addr	at[2 * LISTEN_AT_MAX * CONF_LIST_MAX];
};

static const struct sock_addr *
in_the_way(const struct heard *h, const struct sock_addr *at)
{
	for (size_t i = 0; i < h->n; i++)
		if (sock_addr_overlaps(&h->at[i], at))
			return &h->at[i];
	return NULL;
}

/* Lines of a wildcard and of an address in it have both their use at sockets that
 * were handed over. */
static void
tell_overlap(struct check *c, unsigned line, const char *where,
    const struct sock_addr *at, const struct sock_addr *other)
{
	char text[SOCK_WHERE_MAX];

	sock_addr_where(other, text, sizeof(text));
	if (sock_addr_same(at, other))
		check_tell(c, CONF_ERROR, c->s->config, line, "listen: %s is "
		    "there twice; remove one of them", where);
	else
		check_tell(c, CONF_WARNING, c->s->config, line, "listen: %s and "
		    "%s exclude each other, and popper serve does not start; "
		    "remove one of them, unless a service manager opens the "
		    "sockets", where, text);
}

/* Of a wildcard one half is enough. */
static void
rule_place(struct check *c, unsigned line, const char *where, struct heard *h)
{
	struct sock_addr	at[2];
	size_t			n = sock_listen_parse(where, at);
	const struct sock_addr	*other = NULL;
	struct fault		 f;

	for (size_t i = 0; i < n && other == NULL; i++) {
		other = in_the_way(h, &at[i]);
		if (other != NULL)
			tell_overlap(c, line, where, &at[i], other);
	}
	for (size_t i = 0; i < n; i++)
		h->at[h->n++] = at[i];
	if (c->root || !check_as_served(c))
		at[n - 1].port = 0;	/* may be popper's, that runs */
	if (c->out != NULL && sock_may_bind(&at[n - 1], &f) != 0)
		check_tell(c, CONF_WARNING, c->s->config, line, "listen: popper "
		    "serve cannot listen at %s (%s), and does not start; mend "
		    "it, unless that comes later", where, f.text);
}

static void
rule_listen(struct check *c)
{
	const struct role_settings	*r = &c->s->role;
	bool				 single = r->isolation ==
					    ISOLATION_SINGLE;
	bool				 proxy = false;
	static struct heard		 heard;

	heard.n = 0;
	if (r->listen.n == 0)
		check_warn(c, "listen", "popper serve listens nowhere by itself, "
		    "only at sockets that a service manager or inetd hands over; "
		    "write listen = *:110 unless one does");
	for (size_t i = 0; i < r->listen.n; i++) {
		struct listen_line	l;
		char			unused[8];

		if (!listen_read(r->listen.item[i], &l, unused,
		    sizeof(unused)))
			continue;
		for (size_t k = 0; k < l.n; k++)
			rule_place(c, r->listen.line[i], l.where[k], &heard);
		proxy |= l.rules.proxy;
		if (l.rules.proxy && r->proxy_networks.n == 0)
			check_tell(c, CONF_ERROR, c->s->config,
			    r->listen.line[i], "listen: proxy, but nobody may "
			    "connect there; name your proxies: "
			    "proxy_networks = 192.0.2.7");
		if (l.rules.proxy && single)
			check_tell(c, CONF_ERROR, c->s->config,
			    r->listen.line[i], "listen: proxy is not for "
			    "isolation = single; remove it, or set isolation = "
			    "split");
	}
	if (heard.n > LISTENERS_MAX)
		check_warn(c, "listen", "there are %zu addresses (* is two of "
		    "them), and popper serve, which listens at %u, does not "
		    "start; remove some", heard.n, LISTENERS_MAX);
	if (!proxy && r->proxy_networks.n > 0)
		check_warn(c, "proxy_networks", "has no effect: no line of "
		    "listen says proxy; write listen = *:110 proxy (with your "
		    "address) or remove the line");
}

static bool
has_db(const void *ctx, struct span id)
{
	const struct check	*c = ctx;
	struct auth_conf	 one = c->s->auth;

	for (size_t i = 0; i < auth_databases(&one); i++) {
		auth_select(&one, i);
		if (span_eq(id, span_str(one.db)))
			return true;
	}
	return false;
}

/* A rule that lets all the others wait for nothing; what it names and is not there. */
static void
rule_access(struct check *c)
{
	static struct access_groups	groups;
	const struct conf_list		*rules = &c->s->auth.access;
	bool				 all = false;

	for (size_t i = 0; i < rules->n; i++) {
		const struct conf_list	one = { .n = 1,
			.item = { rules->item[i] } };
		struct span		id;
		struct fault		f;

		if (all)
			check_tell(c, CONF_WARNING, c->s->config,
			    rules->line[i], "access: a line before this one "
			    "holds for everybody, so this has no effect; "
			    "remove it, or put it before that line");
		all |= strchr(rules->item[i], '=') == NULL;
		if (access_load(&one, &groups, c->nameless ? check_no_group :
		    auth_group_find, &f) != 0)
			check_tell(c, CONF_ERROR, c->s->config, rules->line[i],
			    "access: %s", f.text);
		if (access_unknown_db(rules->item[i], has_db, c, &id))
			check_tell(c, CONF_WARNING, c->s->config,
			    rules->line[i], "access: auth has no database %.*s, "
			    "so nobody is in it; write one of those in auth, or "
			    "remove it here", (int)id.n, (const char *)id.p);
		for (size_t k = 0; k < groups.n; k++)
			if (!groups.of[k].known)
				check_tell(c, CONF_WARNING, c->s->config,
				    rules->line[i], "access: there is no group "
				    "%.*s, so nobody is in it; make it, or "
				    "remove it here", (int)groups.of[k].name.n,
				    (const char *)groups.of[k].name.p);
	}
}

/* Who names everybody has misread what the option does. */
static void
rule_trusted(struct check *c, const char *option, const struct conf_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct network	n;
		char		unused[8];

		if (network_read(span_str(list->item[i]), &n, unused,
		    sizeof(unused)) && n.bits == 0)
			check_tell(c, CONF_WARNING, c->s->config,
			    list->line[i], "%s: %s is everybody, so everybody "
			    "can pretend to be any client; name your proxies "
			    "alone", option, list->item[i]);
	}
}

void
check_unfit(struct check *c)
{
	rule_ranges(c);
	rule_databases(c);
	rule_log(c);
	rule_listen(c);
}

void
check_rules(struct check *c)
{
	rule_isolation(c);
	rule_single(c);
	rule_kernel(c);
	rule_timeout(c);
	rule_ranges(c);
	rule_before_login(c);
	rule_shared(c);
	rule_expire(c);
	rule_xmit(c);
	rule_useless(c);
	rule_databases(c);
	rule_log(c);
	rule_listen(c);
	rule_access(c);
	rule_trusted(c, "proxy_networks", &c->s->role.proxy_networks);
	rule_trusted(c, "xclient_networks", &c->s->role.xclient_networks);
}

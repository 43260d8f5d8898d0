/* SPDX-License-Identifier: ISC */
/*
 * Runs as: who serves, root as a rule, in a child.  Reads from: name services, the
 * files that the configuration names.  The server reads from the child: one message.
 */
#include "cmd/judge.h"

#include "cmd/check.h"
#include "cmd/start.h"
#include "role/ask_log.h"
#include "role/ctl.h"
#include "role/host.h"
#include "role/monitor.h"
#include "role/permit.h"
#include "role/probe.h"

#include "sys/spawn.h"

#include <stdio.h>
#include <string.h>

/* --- the child ---------------------------------------------------------------- */

/* Its line, unless the option stood in one before and in none now. */
static int
refuse_change(const struct settings *new, const char *option, struct fault *f)
{
	unsigned	line = conf_line(new->store, option);
	char		at[16] = "";

	if (line > 0)
		(void)snprintf(at, sizeof(at), ":%u", line);
	return fault_set(f, FAULT_PERM, "%s%s: %s cannot be changed by a reload;"
	    " restart popper for that", new->config, at, option);
}

static int
check_same(const struct settings *new, const char *option, const char *old,
    const char *wanted, struct fault *f)
{
	return strcmp(old, wanted) == 0 ? 0 : refuse_change(new, option, f);
}

static int
check(const struct settings *old, const struct settings *new, struct fault *f)
{
	const struct role_settings	*o = &old->role;
	const struct role_settings	*n = &new->role;

	/* At a start a missing default file is fine; here it is being edited,
	 * or lost. */
	if (old->config_found && !new->config_found)
		return fault_set(f, FAULT_PERM, "%s is gone", new->config);
	if (old->role.isolation != new->role.isolation)
		return refuse_change(new, "isolation", f);
	if (start_allowed(new, false) != STATUS_OK)
		return fault_set(f, FAULT_PERM, "%s does not fit who runs"
		    " popper", new->config);
	if (check_start(new, false, f) != 0)
		return -1;
	/* Sessions that run have their locks and journals in both folders, where
	 * others must find them.  The other three are sockets that stay. */
	if (check_same(new, "run_dir", o->run_dir, n->run_dir, f) != 0 ||
	    check_same(new, "state_dir", o->state_dir, n->state_dir, f) != 0 ||
	    check_same(new, "ctl_socket", o->ctl_socket, n->ctl_socket, f) != 0 ||
	    check_same(new, "ctl_group", o->ctl_group, n->ctl_group, f) != 0)
		return -1;
	return check_same(new, "metrics", o->metrics, n->metrics, f);
}

/* How many, and the first: the log has all. */
static int
refuse(const struct settings *s, struct fault *f)
{
	const struct conf_mistake	*list;
	const struct conf_mistake	*first = NULL;
	size_t				 n = conf_mistakes(s->store, &list);
	size_t				 errors = 0;

	for (size_t i = n; i-- > 0;)
		if (list[i].severity == CONF_ERROR) {
			first = &list[i];
			errors++;
		}
	return first == NULL ? fault_set(f, FAULT_PERM, "%s: mistakes: 0",
	    s->config) : fault_set(f, FAULT_PERM, "%s: mistakes: %zu, the first"
	    " %s:%u: %s", s->config, errors, s->config, first->line, first->text);
}

static int
judge(struct judge *j, struct fault *f)
{
	struct settings *s = &j->next->s;
	bool		 split = s->role.isolation == ISOLATION_SPLIT;

	start_tell(s, false);
	if (j->result != SETTINGS_GOOD)
		return refuse(s, f);
	if (check(&j->now->s, s, f) != 0 ||
	    (split && names_to_numbers(s, &j->next->names, f) != 0) ||
	    check_absent(s, CHECK_RELOAD, false, f) != 0 ||
	    (split && (host_folders(s, f) != 0 || probe_cages(s, f) != 0)))
		return -1;
	/* A name server may take its time: it is asked for a new answer alone. */
	if (strcmp(s->role.hostname, j->now->s.role.hostname) == 0)
		memcpy(j->next->hostname, j->now->hostname,
		    sizeof(j->next->hostname));
	else
		monitor_hostname(s, j->next->hostname, sizeof(j->next->hostname));
	return 0;
}

static struct edition_ears ears;

/* Who does not listen misses it: the log has it. */
static void
tell_ears(const char *text)
{
	UNZEROED struct link_out	m;
	struct fault			f;

	ctl_put_fact(&m, "warning", text, 0);
	for (size_t i = 0; i < ears.n; i++)
		(void)!link_send(ears.fds[i], &m, NULL, 0, &f);
}

/* A listener that outlived the server would be in its successor's way, and ends of
 * links are ends for others. */
static void
keep_ours(const struct judge *j)
{
	int keep[CTL_ASKERS_MAX + 1];

	ASSERT(j->ears.n <= CTL_ASKERS_MAX);
	keep[0] = j->link;
	for (size_t i = 0; i < j->ears.n; i++)
		keep[i + 1] = j->ears.fds[i];
	shed_descriptors(keep, j->ears.n + 1);
}

void
judge_there(struct judge *j)
{
	const struct names		*n = &j->next->names;
	UNZEROED struct link_out	 m;
	struct fault			 f = { 0 };
	bool				 good;

	spawn_tie(j->server);
	spawn_deadline(JUDGE_S);
	spawn_name("popper-judge");
	keep_ours(j);
	ears = j->ears;
	start_hear(tell_ears);
	good = judge(j, &f) == 0;
	link_out_init(&m, MSG_JUDGED);
	link_put_u8(&m, (uint8_t)(good ? FAULT_NONE : f.class));
	link_put_span(&m, span_str(f.text));
	link_put_span(&m, span_str(n->front_user));
	link_put_span(&m, span_str(n->auth_user));
	link_put_span(&m, span_str(n->virtual_user));
	link_put_span(&m, span_str(n->gids_denied));
	link_put_span(&m, span_str(j->next->hostname));
	(void)!link_send(j->link, &m, NULL, 0, &f);	/* then it hears our end */
	spawn_exit(0);
}

/* --- the server ----------------------------------------------------------------- */

static int
get_judged(struct link_in *m, struct edition *next, struct fault *f)
{
	struct names	*n = &next->names;
	char		 text[sizeof(f->text)];
	uint8_t		 class = link_get_u8(m);

	if (class > FAULT_PEER || !link_get_cstr(m, text, sizeof(text)) ||
	    !link_get_cstr(m, n->front_user, sizeof(n->front_user)) ||
	    !link_get_cstr(m, n->auth_user, sizeof(n->auth_user)) ||
	    !link_get_cstr(m, n->virtual_user, sizeof(n->virtual_user)) ||
	    !link_get_cstr(m, n->gids_denied, sizeof(n->gids_denied)) ||
	    !link_get_cstr(m, next->hostname, sizeof(next->hostname)) ||
	    link_get_end(m, f) != 0)
		return fault_set(f, FAULT_PEER, "no judgement");
	if (class != FAULT_NONE)
		return fault_set(f, (enum fault_class)class, "%s", text);
	if (next->s.role.isolation == ISOLATION_SPLIT)
		names_use(&next->s, n);
	return 0;
}

int
judge_hear(int link, struct edition *next, uint64_t end_ms, struct fault *f)
{
	UNZEROED struct link_in	in;
	uint64_t		now = clock_ms();
	int			got;

	got = link_recv(link, permit_judged, permit_judged_n, 0,
	    now < end_ms ? (int)(end_ms - now) : 0, &in, f);
	if (got == 1) {
		got = get_judged(&in, next, f);
		link_in_fini(&in);
		return got;
	}
	return fault_set(f, FAULT_TEMP, "the configuration was not judged: who"
	    " did so has ended, or waited for %d seconds (does an account, a"
	    " group, this host's name, a database or a folder in it depend on a"
	    " server that does not answer?)", JUDGE_S);
}

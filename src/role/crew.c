/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, in children of the master that are about to be something else;
 * the master itself asks what needs no rights, and has its settings tried.
 */
#include "role/crew.h"

#include "role/ask.h"
#include "role/auth.h"
#include "role/exporter.h"
#include "role/fronts.h"
#include "role/resolver.h"
#include "role/spawner.h"
#include "role/trace.h"
#include "role/warden.h"

#include "sys/cage.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"
#include "watch/metrics.h"

#include <assert.h>

#define PROBE_MS	10000
#define LEAVE_SLACK_S	60		/* on top of what strangers may take */

const char *
role_word(const struct role *r)
{
	static const char *const words[] = {
		[AUTH]		= "popper-auth",
		[WARDEN]	= "popper-warden",
		[SPAWNER]	= "popper-spawner",
		[RESOLVER]	= "popper-resolver",
		[CTL]		= "popper-ctl",
		[METRICS]	= "popper-metrics",
		[FRONT]		= "popper-front",
	};

	return words[r->kind];
}

static_assert(METRIC_DEATHS_FRONT - METRIC_DEATHS_AUTH == FRONT,
    "a row for each");

static bool
counts(const struct role *r)
{
	return r->kind == FRONT || r->kind == AUTH;
}

void
role_count_end(struct role *r, bool expected)
{
	if (counts(r))
		metrics_died(r->row);
	if (expected)
		return;
	r->deaths++;
	metric_add(METRIC_DEATHS_AUTH + (enum metric)r->kind, 1);
}

static void NORETURN
be_auth(const struct crew *c, const struct role *r)
{
	int			ends[FRONTS_MAX];
	struct auth_start	a = {
		.conf = &c->edition->s,
		.penalty = c->penalty,
		.fronts = ends,
		.nfronts = c->nfronts,
		.master = r->child.link.b,
		.warden = c->to_warden.a,
		.log_link = r->child.log.b,
	};

	for (size_t i = 0; i < c->nfronts; i++)
		ends[i] = c->to_auth[i].b;
	auth_main(&a);
}

static void NORETURN
be_resolver(const struct crew *c, const struct role *r)
{
	int			ends[FRONTS_MAX];
	struct resolver_conf	conf = resolver_conf_of(&c->edition->s);

	for (size_t i = 0; i < c->nfronts; i++)
		ends[i] = c->to_resolver[i].b;
	resolver_main(&conf, ends, c->nfronts, r->child.link.b, r->child.log.b);
}

static void NORETURN
be_front(const struct crew *c, const struct role *r)
{
	int			fds[LISTENERS_MAX];
	struct fronts_start	a = {
		.conf = &c->edition->s,
		.host = c->edition->hostname,
		.index = r->row,
		.of = c->nfronts,
		.listeners = fds,
		.nlisteners = c->listeners.n,
		.auth = c->to_auth[r->index].a,
		.master = r->child.link.b,
		.resolver = c->edition->s.role.peer_check ?
		    c->to_resolver[r->index].a : -1,
		.log_link = r->child.log.b,
		.tally = c->tally,
	};

	for (size_t i = 0; i < c->listeners.n; i++)
		fds[i] = c->listeners.one[i].fd;
	fronts_main(&a);
}

static void NORETURN
be_ctl(const struct crew *c, const struct role *r)
{
	struct ctl_start a = c->ctl;

	a.conf = &c->edition->s;
	a.master = r->child.link.b;
	a.log_link = r->child.log.b;
	ctl_main(&a);
}

void
role_become(const struct role *r)
{
	const struct crew	*c = r->crew;
	struct fault		 f;

	signals_take(SIGNALS_CONNECTION);
	spawn_name(role_word(r));
	/* A terminal of ours is nothing for who talks to strangers, nor is what
	 * others count. */
	if (fd_null_standard(&f) != 0 ||
	    tally_own(c->tally, r->kind == FRONT ? r->row : SIZE_MAX,
	    &f) != 0 ||
	    metrics_own(counts(r) ? r->row : METRICS_NO_ROW, &f) != 0 ||
	    trace_own(r->kind == CTL, &f) != 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		spawn_exit(1);
	}
	if (r->kind != FRONT && r->kind != METRICS)
		tally_free(c->tally);
	if (r->kind != AUTH)
		penalty_free(c->penalty);
	if (r->kind != METRICS && !counts(r))
		metrics_free();
	if (r->kind != FRONT && r->kind != SPAWNER && r->kind != CTL)
		trace_free();
	switch (r->kind) {
	case AUTH:
		be_auth(c, r);
	case WARDEN:
		warden_main(&c->edition->s, c->to_warden.b, r->child.log.b);
	case SPAWNER:
		spawner_main(&c->edition->s, c->edition->hostname, r->child.link.b,
		    r->child.log.b);
	case RESOLVER:
		be_resolver(c, r);
	case CTL:
		be_ctl(c, r);
	case METRICS:
		exporter_main(&c->edition->s, c->tally, c->exporter, r->child.log.b);
	case FRONT:
		be_front(c, r);
	}
	spawn_exit(1);
}

size_t
crew_fronts_wanted(const struct settings *s)
{
	size_t n = s->role.fronts;

	if (n == 0)
		n = spawn_processors();
	return n < FRONTS_MAX ? n : FRONTS_MAX;
}

uint32_t
crew_most(const struct settings *s)
{
	return s->role.max_sessions > s->role.max_strangers ?
	    s->role.max_sessions : s->role.max_strangers;
}

uint64_t
crew_leave_ms(const struct settings *s)
{
	const struct role_settings *r = &s->role;

	return 1000ull * (r->login_timeout_s + r->auth_timeout_s +
	    r->auth_fail_delay_s + r->drain_timeout_s + LEAVE_SLACK_S);
}

int
crew_links_make(struct crew *c, struct fault *f)
{
	static const struct link_ends none = { -1, -1 };

	for (size_t i = 0; i < c->nfronts; i++)
		c->to_auth[i] = c->to_resolver[i] = none;
	c->to_warden = none;
	for (size_t i = 0; i < c->nfronts; i++)
		if (link_pair(&c->to_auth[i].a, &c->to_auth[i].b, f) != 0 ||
		    link_pair(&c->to_resolver[i].a, &c->to_resolver[i].b,
		    f) != 0)
			return -1;
	return link_pair(&c->to_warden.a, &c->to_warden.b, f);
}

void
crew_links_close(struct crew *c)
{
	for (size_t i = 0; i < c->nfronts; i++) {
		link_ends_close(&c->to_auth[i]);
		link_ends_close(&c->to_resolver[i]);
	}
	link_ends_close(&c->to_warden);
}

/* The first one, from there on, that nobody of theirs has. */
static size_t
free_row(const struct crew *list, size_t row)
{
	for (const struct crew *c = list; c != NULL; c = c->next)
		for (size_t i = 0; i < c->nroles; i++) {
			const struct role *r = &c->roles[i];

			if (counts(r) && r->row == row && (r->child.pid > 0 ||
			    !c->leaving))
				return free_row(list, row + 1);
		}
	return row;
}

int
crew_rows_take(struct crew *c, const struct crew *others, struct fault *f)
{
	size_t row = TALLY_MASTER;

	/* auth after the fronts. */
	for (size_t i = 1; i <= c->nroles; i++) {
		struct role *r = &c->roles[i % c->nroles];

		if (!counts(r))
			continue;
		r->row = row = free_row(others, row + 1);
		if ((r->kind == FRONT && tally_grow(c->tally, row + 1,
		    crew_most(&c->edition->s), f) != 0) ||
		    metrics_grow(row + 1, f) != 0)
			return -1;
	}
	return 0;
}

static void NORETURN
try_cage(const struct role_settings *s, enum cage_kind kind)
{
	struct fault	f;
	bool		degraded;

	signals_take(SIGNALS_CONNECTION);
	shed_descriptors(NULL, 0);
	if (cage_step_down(kind == CAGE_AUTH ? s->auth_user : s->front_user,
	    s->chroot_dir, kind, &f) == 0 && cage_enter(kind, &degraded, &f) == 0)
		spawn_exit(0);
	log_fault(LEVEL_ERR, kind == CAGE_AUTH ? "auth-cage" : "front-cage", &f);
	spawn_exit(1);
}

int
crew_probe(const struct settings *s, struct fault *f)
{
	static const enum cage_kind kinds[] = { CAGE_FRONTS, CAGE_AUTH };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		pid_t	pid = spawn_fork(f);
		int	status = 1;

		if (pid < 0)
			return -1;
		if (pid == 0)
			try_cage(&s->role, kinds[i]);
		if (spawn_wait(pid, PROBE_MS, &status) == 0)
			spawn_kill(pid);
		if (status != 0)
			return fault_set(f, FAULT_PERM, "%s cannot be locked in,"
			    " as the line before tells", kinds[i] == CAGE_AUTH ?
			    "auth" : "a front");
	}
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, in children of the master that are about to be something else.
 */
#include "role/crew.h"

#include "role/auth.h"
#include "role/exporter.h"
#include "role/fronts.h"
#include "role/keeper.h"
#include "role/resolver.h"
#include "role/spawner.h"
#include "role/trace.h"
#include "role/warden.h"

#include "sys/file.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"
#include "watch/metrics.h"

static bool
uses_tls(const struct crew *c)
{
	return c->edition->s.role.tls_certificate.n > 0;
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
		.leaving = c->leaving,
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
	resolver_main(&conf, ends, c->nfronts, c->leaving ? -1 : r->child.link.b,
	    r->child.log.b);
}

static void NORETURN
be_keeper(const struct crew *c, const struct role *r)
{
	int			ends[FRONTS_MAX];
	struct keeper_start	a = {
		.conf = &c->edition->s,
		.host = c->edition->hostname,
		.fronts = ends,
		.nfronts = c->nfronts,
		.master = r->child.link.b,
		.log_link = r->child.log.b,
		.tickets = c->tickets,
		.again = r->deaths > 0,
	};

	for (size_t i = 0; i < c->nfronts; i++)
		ends[i] = c->to_keeper[i].b;
	keeper_main(&a);
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
		.keeper = uses_tls(c) ? c->to_keeper[r->index].a : -1,
		.log_link = r->child.log.b,
		.tally = c->tally,
		.tickets = uses_tls(c) ? &c->tickets->keys : NULL,
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

/* Of the memory that all share, what is not its own is gone or cannot be written.  Nor is
 * a terminal of ours for who talks to strangers. */
static int
shed(const struct role *r, struct fault *f)
{
	const struct crew *c = r->crew;

	if (fd_null_standard(f) != 0 ||
	    tally_own(c->tally, r->kind == FRONT ? r->row : SIZE_MAX,
	    f) != 0 ||
	    metrics_own(role_counts(r) ? r->row : METRICS_NO_ROW, f) != 0 ||
	    trace_own(r->kind == CTL, f) != 0 ||
	    (r->kind != KEEPER && tickets_read_only(c->tickets, f) != 0))
		return -1;
	if (r->kind != FRONT && r->kind != METRICS)
		tally_free(c->tally);
	if (r->kind != AUTH)
		penalty_free(c->penalty);
	if (r->kind != KEEPER && (r->kind != FRONT || !uses_tls(c)))
		tickets_free(c->tickets);
	if (r->kind != METRICS && !role_counts(r))
		metrics_free();
	if (r->kind != FRONT && r->kind != SPAWNER && r->kind != CTL)
		trace_free();
	return 0;
}

void
role_become(const struct role *r)
{
	const struct crew	*c = r->crew;
	struct fault		 f;

	signals_take(SIGNALS_CONNECTION);
	spawn_name(role_word(r));
	if (shed(r, &f) != 0) {
		log_fault(LEVEL_ERR, "fork", &f);
		spawn_exit(1);
	}
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
	case KEEPER:
		be_keeper(c, r);
	case FRONT:
		be_front(c, r);
	}
	spawn_exit(1);
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, in the master.  Reads from: nobody.
 */
#include "role/crew.h"

#include "sys/spawn.h"
#include "watch/metrics.h"

#include <assert.h>

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
		[KEEPER]	= "popper-keeper",
		[FRONT]		= "popper-front",
	};

	return words[r->kind];
}

static_assert(METRIC_DEATHS_FRONT - METRIC_DEATHS_AUTH == FRONT,
    "a row for each");

bool
role_counts(const struct role *r)
{
	return r->kind == FRONT || r->kind == AUTH || r->kind == KEEPER;
}

void
role_count_end(struct role *r, bool expected)
{
	if (role_counts(r))
		metrics_died(r->row);
	if (expected)
		return;
	r->deaths++;
	metric_add(METRIC_DEATHS_AUTH + (enum metric)r->kind, 1);
}

struct role *
crew_role(struct crew *c, enum kind kind)
{
	for (size_t i = 0; i < c->nroles; i++)
		if (c->roles[i].kind == kind)
			return &c->roles[i];
	return NULL;
}

size_t
crew_fronts_wanted(const struct settings *s)
{
	size_t n = s->role.fronts > 0 ? s->role.fronts : spawn_processors();

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
		c->to_auth[i] = c->to_resolver[i] = c->to_keeper[i] = none;
	c->to_warden = none;
	for (size_t i = 0; i < c->nfronts; i++)
		if (link_pair(&c->to_auth[i].a, &c->to_auth[i].b, f) != 0 ||
		    link_pair(&c->to_resolver[i].a, &c->to_resolver[i].b,
		    f) != 0 ||
		    link_pair(&c->to_keeper[i].a, &c->to_keeper[i].b, f) != 0)
			return -1;
	return link_pair(&c->to_warden.a, &c->to_warden.b, f);
}

bool
crew_asks(const struct crew *c)
{
	for (size_t i = 0; i < c->nfronts; i++)
		if (c->to_auth[i].a >= 0)
			return true;
	return false;
}

void
crew_link_close(struct crew *c, size_t front)
{
	link_ends_close(&c->to_auth[front]);
	link_ends_close(&c->to_resolver[front]);
	link_ends_close(&c->to_keeper[front]);
	if (!crew_asks(c))
		link_ends_close(&c->to_warden);
}

/* The first one, from there on, that nobody of theirs has. */
static size_t
free_row(const struct crew *list, size_t row)
{
	for (const struct crew *c = list; c != NULL; c = c->next)
		for (size_t i = 0; i < c->nroles; i++) {
			const struct role *r = &c->roles[i];

			if (role_counts(r) && r->row == row && (r->child.pid > 0 ||
			    !c->leaving || (r->kind == AUTH && crew_asks(c))))
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

		if (!role_counts(r))
			continue;
		r->row = row = free_row(others, row + 1);
		if ((r->kind == FRONT && tally_grow(c->tally, row + 1,
		    crew_most(&c->edition->s), f) != 0) ||
		    metrics_grow(row + 1, f) != 0)
			return -1;
	}
	return 0;
}

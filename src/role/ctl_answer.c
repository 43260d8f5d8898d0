/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front_user, in an empty root folder, with seccomp: a child of the
 * master, which has what is asked for in its memory, as it was at the fork.  Reads
 * from: nobody.  Gives up, in order: descriptors, root folder, limits, groups, gid,
 * uid, system calls.  It may wait for who asked, for a while.
 */
#include "role/crew.h"

#include "role/ask_log.h"
#include "role/gauges.h"
#include "role/order.h"
#include "role/permit.h"

#include "sys/cage.h"
#include "sys/signals.h"
#include "sys/spawn.h"
#include "watch/log.h"
#include "watch/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MS	30000		/* for all of it */

struct answer {
	int			 client;
	uint64_t		 end_ms;
	struct ctl_whom		 whom;
	uint32_t		 n;
};

/* False: who asked is gone, or does not listen. */
static bool
put(struct answer *a, const struct link_out *m)
{
	struct wait_for	w = { .fd = a->client, .events = WAIT_WRITE };
	struct fault	f;
	uint64_t	now;

	while (link_send(a->client, m, NULL, 0, &f) != 0) {
		now = clock_ms();
		if (f.err != EAGAIN || now >= a->end_ms)
			return false;
		(void)sock_wait(&w, 1, (int)(a->end_ms - now));
	}
	return true;
}

static bool
say_session(void *ctx, const struct places_view *v)
{
	struct answer	*a = ctx;
	struct identity	 id;
	struct link_out	 m;
	struct fault	 f;

	if (!ctl_is(&a->whom, v) || order_read_person(v->person, &id, &f) != 0)
		return false;
	a->n++;
	link_out_init(&m, MSG_CTL_SESSION);
	ctl_put_session(&m, v, &id);
	return put(a, &m);
}

static void
say_fact(struct answer *a, const char *name, const char *text, uint64_t number)
{
	struct link_out m;

	ctl_put_fact(&m, name, text, number);
	if (!put(a, &m))
		spawn_exit(1);
	a->n++;
}

/* logins_ok and so on. */
static void
say_count(struct answer *a, enum metric which, uint64_t n)
{
	const char	*family = metric_family(which) + strlen("popper_");
	char		 name[CTL_NAME_MAX + 1];

	(void)snprintf(name, sizeof(name), "%s%s%s", family,
	    metric_label(which)[0] != '\0' ? "_" : "", metric_label(which));
	say_fact(a, name, NULL, n);
}

static void
say_counts(struct answer *a)
{
	/* All methods together. */
	for (unsigned i = METRIC_LOGIN_OK; i < METRIC_REFUSAL_DELAYED;
	    i += AUTH_METHODS) {
		uint64_t n = 0;

		for (unsigned k = 0; k < AUTH_METHODS; k++)
			n += metric_sum(i + k);
		say_count(a, i, n);
	}
	for (unsigned i = METRIC_REFUSAL_DELAYED; i < METRIC_DEATHS_AUTH; i++)
		if (i != METRIC_SESSIONS && i != METRIC_STRANGERS)
			say_count(a, i, metric_sum(i));
}

/* Bound, what of it is used, who was refused. */
static void
say_limits(const struct ctl_host *h, struct answer *a)
{
	struct gauge	g[LIMITS];
	char		name[CTL_NAME_MAX + 1];

	gauges_read(&h->crew->edition->s.role, h->crew->tally,
	    places_count(h->places), g);
	for (size_t i = 0; i < LIMITS; i++) {
		if (g[i].most > 0) {
			say_fact(a, g[i].name, NULL, g[i].most);
			(void)snprintf(name, sizeof(name), "%s_used", g[i].name);
			say_fact(a, name, NULL, g[i].now);
		}
		(void)snprintf(name, sizeof(name), "%s_refused", g[i].name);
		say_fact(a, name, NULL, g[i].refused);
	}
}

/* For why: what counts for one user at one address. */
static void
say_use(const struct ctl_host *h, struct answer *a)
{
	struct ctl_whom user = a->whom;

	user.kind = CTL_USER;
	say_fact(a, "user_sessions", NULL, places_each(h->places, PLACES_LOOK,
	    ctl_is, &user));
	say_fact(a, "max_sessions_per_user", NULL,
	    h->crew->edition->s.role.max_sessions_per_user);
	say_fact(a, "address_connections", NULL,
	    tally_count(h->crew->tally, TALLY_ADDRESS, &a->whom.addr));
	say_fact(a, "network_connections", NULL,
	    tally_count(h->crew->tally, TALLY_NETWORK, &a->whom.addr));
}

/* Of the youngest crew; who has been sent away by a reload is counted. */
static void
say_roles(const struct ctl_host *h, struct answer *a)
{
	char		name[CTL_NAME_MAX + 1];
	uint64_t	older = 0;

	for (const struct crew *c = h->crew->next; c != NULL; c = c->next)
		older++;
	say_fact(a, "up_s", NULL, (clock_ms() - h->began_ms) / 1000);
	say_fact(a, "stopping", h->stopping ? "yes" : "no", 0);
	say_fact(a, "earlier_settings_in_use", NULL, older);
	for (size_t i = 0; i < h->crew->nroles; i++) {
		const struct role	*r = &h->crew->roles[i];
		const char		*word = role_word(r) + strlen("popper-");

		(void)snprintf(name, sizeof(name), "%s%zu_pid", word, r->index);
		say_fact(a, name, NULL, (uint64_t)r->child.pid);
		(void)snprintf(name, sizeof(name), "%s%zu_deaths", word,
		    r->index);
		say_fact(a, name, NULL, r->deaths);
	}
}

static void
say_status(const struct ctl_host *h, struct answer *a)
{
	say_fact(a, "version", POPPER_VERSION, 0);
	say_fact(a, "sessions", NULL, places_count(h->places));
	say_fact(a, "strangers", NULL, metric_sum(METRIC_STRANGERS));
	if (a->whom.kind == CTL_BOTH)
		say_use(h, a);
	say_limits(h, a);
	say_roles(h, a);
	say_counts(a);
}

void
ctl_answer(const struct ctl_host *h, int client, uint16_t type,
    const struct ctl_whom *w)
{
	struct answer	a = {
		.client = client,
		.end_ms = clock_ms() + ANSWER_MS,
		.whom = *w,
	};
	const struct role_settings *r = &h->crew->edition->s.role;
	struct link_out	m;
	struct fault	f;
	bool		degraded;

	signals_take(SIGNALS_CONNECTION);
	spawn_name("popper-answer");
	penalty_free(h->crew->penalty);
	shed_descriptors(&client, 1);
	if (cage_step_down(r->front_user, r->chroot_dir, CAGE_FRONT,
	    &f) != 0 || cage_enter(CAGE_FRONT, &degraded, &f) != 0) {
		log_fault(LEVEL_ERR, "ctl-cage", &f);
		spawn_exit(1);
	}
	if (type == MSG_CTL_WHO)
		(void)places_each(h->places, PLACES_LOOK, say_session, &a);
	else
		say_status(h, &a);
	ctl_put_done(&m, FAULT_NONE, a.n, "");
	spawn_exit(put(&a, &m) ? 0 : 1);
}

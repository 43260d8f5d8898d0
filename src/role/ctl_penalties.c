/* SPDX-License-Identifier: ISC */
/*
 * Runs as: auth.  Reads from: the master, who passes on what popper ctl has asked.
 * Nothing here waits: the few facts fit into a fresh socket.
 */
#include "role/ctl.h"

#include "role/penalty.h"
#include "role/permit.h"

#include "sys/file.h"
#include "watch/log.h"

struct facts {
	int		 client;
	uint32_t	 n;
};

static void
put_fact(struct facts *a, const char *name, const char *text, uint64_t number)
{
	struct link_out	m;
	struct fault	f;

	ctl_put_fact(&m, name, text, number);
	if (link_send(a->client, &m, NULL, 0, &f) != 0)
		log_fault(LEVEL_DEBUG, "ctl-answer", &f);
	a->n++;
}

static void
tell_sum(struct facts *a, const struct penalty *p, uint64_t now)
{
	struct penalty_sum s;

	penalty_count(p, now, &s);
	put_fact(a, "scores", NULL, s.scores);
	put_fact(a, "not_judged", NULL, s.waiting);
	put_fact(a, "delayed_addresses", NULL, s.delayed[PENALTY_ADDRESS]);
	put_fact(a, "delayed_networks", NULL, s.delayed[PENALTY_NETWORK]);
	put_fact(a, "delayed_users", NULL, s.delayed[PENALTY_USER]);
	put_fact(a, "known", NULL, s.known);
}

static uint64_t
delay_s(const struct role_settings *r, unsigned doublings)
{
	uint64_t s = (uint64_t)r->auth_fail_delay_s << doublings;

	return doublings == 0 || s < r->auth_timeout_s ? s : r->auth_timeout_s;
}

static void
tell_one(struct facts *a, struct penalty *p, const struct role_settings *r,
    const struct ctl_whom *w, const struct penalty_case *c, uint64_t now)
{
	bool			place = c->key[PENALTY_ADDRESS] != 0;
	struct penalty_view	v;

	penalty_look(p, c, now, &v);
	if (w->kind != CTL_USER && !place)
		put_fact(a, "address_is_this_host", "yes", 0);
	if (place) {
		put_fact(a, "address_failures", NULL,
		    v.failures[PENALTY_ADDRESS]);
		put_fact(a, "network_failures", NULL,
		    v.failures[PENALTY_NETWORK]);
	}
	if (w->kind != CTL_ADDRESS)
		put_fact(a, "user_failures", NULL, v.failures[PENALTY_USER]);
	if (w->kind == CTL_BOTH) {
		put_fact(a, "device_known", v.device ? "yes" : "no", 0);
		put_fact(a, "network_known", v.near ? "yes" : "no", 0);
	}
	put_fact(a, "not_judged_for_s", NULL, v.until_ms > now ?
	    (v.until_ms - now + 999) / 1000 : 0);
	put_fact(a, "next_refusal_after_s", NULL, delay_s(r, v.doublings));
}

static void
make_case(const struct penalty *p, const struct ctl_whom *w,
    struct penalty_case *c)
{
	penalty_case(p, &w->addr, span_str(w->user), SPAN(""), c);
	/* Of whom nothing was said, nothing is told. */
	if (w->kind == CTL_ADDRESS)
		c->key[PENALTY_USER] = 0;
	if (w->kind != CTL_BOTH)
		c->device = c->near = 0;
}

int
ctl_penalties(struct penalty *p, const struct role_settings *r,
    struct link_in *in, struct fault *f)
{
	AUTO(fd_close) int	client = link_get_fd(in, 0);
	uint64_t		now = clock_ms();
	struct facts		a = { .client = client };
	struct ctl_whom		w;
	struct penalty_case	c;

	if (ctl_get_whom(in, &w, f) != 0)
		return -1;
	make_case(p, &w, &c);
	if (in->type == MSG_CTL_CLEAR)
		penalty_clear(p, &c);
	else if (w.kind == CTL_ALL || w.kind == CTL_SID)
		tell_sum(&a, p, now);
	else
		tell_one(&a, p, r, &w, &c, now);
	ctl_done(client, FAULT_NONE, a.n, "");
	return 0;
}

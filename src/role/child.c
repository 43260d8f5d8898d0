/* SPDX-License-Identifier: ISC */
#include "role/child.h"

#include "role/ask_log.h"

#include "sys/file.h"
#include "sys/spawn.h"
#include "watch/log.h"

static void
be_deaf(struct child *c)
{
	loop_watch_fini(&c->on_link);
	loop_watch_fini(&c->on_log);
}

static void
give_up(struct child *c)
{
	be_deaf(c);
	c->mad = true;
	if (c->pid > 0)
		spawn_kill(c->pid);
}

void
child_misbehaved(struct child *c, const struct fault *why)
{
	if (c->mad)
		return;		/* it is dying of that */
	log_fault(LEVEL_ERR, "role-misbehaved", why);
	give_up(c);
}

static void
on_lost(void *ctx, uint16_t type UNUSED, uint32_t tag UNUSED,
    const struct fault *why)
{
	child_misbehaved(ctx, why);
}

/* A link at its end was shut down, when we have the other end as well; else whoever
 * had that is dying, or will not be heard on it. */
static void
go_on(struct child *c, struct loop_watch *w, int got, struct fault *f)
{
	if (c->mad)
		return;
	if (got == 0 && c->link.b >= 0)
		got = fault_set(f, FAULT_PEER, "it has shut its link down");
	if (got == 1)
		loop_watch_set(w, LOOP_READ, LOOP_NEVER);
	else if (got < 0)
		child_misbehaved(c, f);
	else if (w == &c->on_link)
		give_up(c);
}

/* As link_recv. */
static int
hear(struct child *c, struct fault *f)
{
	UNZEROED struct link_in	m;
	int			got = link_recv(c->link.a, c->says, c->nsays, 0, 0,
				    &m, f);

	if (got != 1)
		return got;
	if (c->hear(c->ctx, &m, f) != 0)
		got = -1;
	link_in_fini(&m);
	return got;
}

static void
on_link(void *ctx, unsigned what UNUSED)
{
	struct child	*c = ctx;
	struct fault	 f;

	go_on(c, &c->on_link, hear(c, &f), &f);
}

static void
on_log(void *ctx, unsigned what UNUSED)
{
	struct child	*c = ctx;
	struct fault	 f;

	go_on(c, &c->on_log, ask_serve_log(c->log.a, c->traced, &f), &f);
}

void
child_init(struct child *c, struct loop *l)
{
	c->link = c->log = (struct link_ends){ -1, -1 };
	c->out = (struct outbox){ .link = -1, .max = CHILD_UNREAD_MAX,
	    .lost = on_lost, .ctx = c };
	outbox_init(&c->out, l);
	loop_watch_init(&c->on_link, l, -1, on_link, c);
	loop_watch_init(&c->on_log, l, -1, on_log, c);
}

int
child_links(struct child *c, struct fault *f)
{
	child_close(c);
	if (link_ends_renew(&c->link, f) != 0 || link_ends_renew(&c->log, f) != 0)
		return -1;
	c->out.link = c->on_link.fd = c->link.a;
	c->on_log.fd = c->log.a;
	c->mad = false;
	loop_watch_set(&c->on_link, LOOP_READ, LOOP_NEVER);
	loop_watch_set(&c->on_log, LOOP_READ, LOOP_NEVER);
	return 0;
}

void
child_let_go(struct child *c)
{
	fd_close(&c->link.b);
	fd_close(&c->log.b);
}

void
child_close(struct child *c)
{
	be_deaf(c);
	outbox_clear(&c->out);
	c->out.link = -1;
	link_ends_close(&c->link);
	link_ends_close(&c->log);
}

void
child_hear_out(struct child *c)
{
	struct fault f;

	while (!c->mad && hear(c, &f) == 1)
		;
}

void
child_log_died(const struct child *c, int status)
{
	struct log_line l;

	log_begin(&l, LEVEL_ERR, "role-died");
	log_str(&l, "role", c->word);
	log_num(&l, "status", (uint64_t)status);
	log_end(&l);
}

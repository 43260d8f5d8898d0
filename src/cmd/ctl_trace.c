/* SPDX-License-Identifier: ISC */
/*
 * A trace: each server is asked for its lines, which tail.c shows.
 *
 * Runs as: an operator, in ctl.c.
 */
#include "cmd/ctl_priv.h"

#include "cmd/tail.h"
#include "role/permit.h"
#include "role/trace.h"

#include "sys/file.h"
#include "sys/spawn.h"

#include <string.h>

/* What was named, as a trace wants it. */
static struct trace_whom
whom_of(const struct job *j)
{
	struct trace_whom w = { .sid = j->whom.sid, .network = j->network };

	if (w.network.family == 0 && j->whom.addr.family != 0) {
		w.network.family = j->whom.addr.family;
		w.network.bits = w.network.family == 4 ? 32 : 128;
		memcpy(w.network.raw, j->whom.addr.raw, sizeof(w.network.raw));
	}
	memcpy(w.user, j->whom.user, sizeof(w.user));
	return w;
}

/* The listener for its lines, when it is on. */
static int
begin_trace(struct job *j, size_t nth, int *ctl_r, int *listener_r,
    struct fault *f)
{
	const struct trace_whom w = whom_of(j);
	struct link_out		m;
	struct link_in		in;
	uint32_t		n = 0;
	int			got;

	link_out_init(&m, MSG_CTL_TRACE);
	link_put_u32(&m, (uint32_t)j->trace_s);
	trace_put_whom(&m, &w);
	if (job_connect(j, nth, ctl_r, f) != 0 ||
	    link_send(*ctl_r, &m, NULL, 0, f) != 0)
		return -1;
	got = link_recv(*ctl_r, permit_ctl_answer, permit_ctl_answer_n, 0,
	    CTL_WAIT_MS, &in, f);
	if (got <= 0)
		return got < 0 ? -1 : fault_set(f, FAULT_TEMP, "no answer came");
	if (in.type == MSG_CTL_DONE && job_read_done(&in, &n, f) != 0)
		return -1;
	if (in.type != MSG_CTL_TRACER)
		return fault_set(f, FAULT_PEER, "an answer");
	*listener_r = link_get_fd(&in, 0);
	return 0;
}

/* Of one server beside the last, in a process that ends as we do, by itself. */
static int
tail_beside(struct tail_start *t, struct fault *f)
{
	pid_t pid = spawn_fork(f);

	if (pid == 0)
		tail_main(t);
	fd_close(&t->ctl);
	fd_close(&t->listener);
	return pid < 0 ? -1 : 0;
}

int
job_trace(struct job *j)
{
	struct tail_start	t = { .ctl = -1 };
	struct fault		first;
	struct fault		f = { 0 };

	if (j->whom.kind == CTL_ALL)
		return job_bad_usage("trace whom?");
	for (size_t n = 0; n < CTL_SERVERS_MAX; n++) {
		struct tail_start one = {
			.conf = &j->settings.role,
			.ctl = -1,
			.listener = -1,
			.ms = 1000 * j->trace_s,
			.octets = j->trace_octets,
			.json = j->json,
		};
		bool failed = begin_trace(j, n, &one.ctl, &one.listener, &f) != 0;

		if (n == 0)
			first = f;
		if (failed)
			fd_close(&one.ctl);
		if (failed && job_is_absent(&f))
			continue;
		if (failed || (t.ctl >= 0 && tail_beside(&t, &f) != 0))
			return job_complain(&f);
		t = one;
	}
	if (t.ctl < 0)
		return job_complain(&first);
	tail_main(&t);
}

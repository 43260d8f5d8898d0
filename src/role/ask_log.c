/* SPDX-License-Identifier: ISC */
/*
 * Runs as: every role (shed_descriptors, ask_log, ask_trace), and whoever has forked it,
 * who reads nothing of it but a type.
 */
#include "role/ask_log.h"

#include "role/permit.h"
#include "role/trace.h"

#include "sys/file.h"
#include "watch/log.h"

#define LOG_TIMEOUT_MS	2000
#define KEEP_MAX	96

void
shed_descriptors(const int *keep, size_t n)
{
	int	all[KEEP_MAX + 2];
	size_t	count = 0;

	ASSERT(n <= KEEP_MAX);
	for (size_t i = 0; i < n; i++)
		if (keep[i] >= 0)
			all[count++] = keep[i];
	count += log_fds(all + count);
	fd_close_others(3, all, count);
}

/* A descriptor, or -1. */
static int
ask_fd(int link, uint16_t type, const struct link_permit *answers, size_t n,
    int wait_ms)
{
	UNZEROED struct link_out	out;
	UNZEROED struct link_in	in;
	struct fault	f;
	int		fd;

	link_out_init(&out, type);
	if (link_send(link, &out, NULL, 0, &f) != 0)
		return -1;
	if (link_recv(link, answers, n, 0, wait_ms, &in, &f) != 1)
		return -1;
	fd = link_get_fd(&in, 0);
	link_in_fini(&in);
	return fd;
}

int
ask_log(int link)
{
	return ask_fd(link, MSG_LOG_ASK, permit_log_fd, permit_log_fd_n,
	    LOG_TIMEOUT_MS);
}

int
ask_trace(int link, int wait_ms)
{
	return ask_fd(link, MSG_TRACE_ASK, permit_trace_fd, permit_trace_fd_n,
	    wait_ms);
}

int
ask_serve_log(int link, bool (*traced)(void), struct fault *f)
{
	static struct link_in	in;
	int			got;

	if (traced != NULL)
		got = link_recv(link, permit_serves_ask, permit_serves_ask_n, 0,
		    0, &in, f);
	else
		got = link_recv(link, permit_log_ask, permit_log_ask_n, 0, 0,
		    &in, f);
	if (got != 1)
		return got;
	link_in_fini(&in);
	return (in.type == MSG_TRACE_ASK ? ask_answer_trace(link, traced(), f) :
	    ask_answer_log(link, f)) == 0 ? 1 : -1;
}

int
ask_answer_log(int link, struct fault *f)
{
	AUTO(fd_close) int	fd = log_connect();
	UNZEROED struct link_out		out;

	link_out_init(&out, fd < 0 ? MSG_LOG_NONE : MSG_LOG_FD);
	return link_send(link, &out, &fd, fd < 0 ? 0 : 1, f);
}

int
ask_answer_trace(int link, bool traced, struct fault *f)
{
	AUTO(fd_close) int		fd = traced ? trace_connect() : -1;
	UNZEROED struct link_out	out;

	link_out_init(&out, fd < 0 ? MSG_TRACE_NONE : MSG_TRACE_FD);
	return link_send(link, &out, &fd, fd < 0 ? 0 : 1, f);
}

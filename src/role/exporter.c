/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front_user, in an empty root folder, with seccomp, no processes, no
 * files.  Reads from: any program of this host that asks; libmicrohttpd reads HTTP.
 * Trusts: nobody.  Gives up, in order: descriptors, root folder, limits, groups, gid,
 * uid, system calls.
 *
 * libmicrohttpd is opened by this process alone: it brings a TLS library with it
 * that no other role is to carry.
 */
#include "role/exporter.h"

#include "role/ask_log.h"
#include "role/gauges.h"

#include "base/buf.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/library.h"
#include "sys/local.h"
#include "sys/loop.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"
#include "watch/metrics.h"

#include <microhttpd.h>
#include <string.h>

#define LIBRARY		"libmicrohttpd.so.12"
#define CLIENTS_MAX	16u
#define CLIENT_S	10u
#define CLIENT_OCTETS	((size_t)16384)	/* of a request, and of its answer's head */
#define TICK_MS		1000u		/* while there are clients */
#define OPEN_TYPE	"application/openmetrics-text"

static struct http {
	__typeof__(MHD_start_daemon)			*start;
	__typeof__(MHD_run)				*run;
	__typeof__(MHD_get_timeout)			*timeout;
	__typeof__(MHD_get_daemon_info)			*info;
	__typeof__(MHD_lookup_connection_value)		*asked;
	__typeof__(MHD_get_connection_info)		*client_info;
	__typeof__(MHD_create_response_from_buffer)	*response;
	__typeof__(MHD_add_response_header)		*header;
	__typeof__(MHD_queue_response)			*queue;
	__typeof__(MHD_destroy_response)		*destroy;
} http;

static struct exporter {
	const struct settings	*conf;
	const struct tally	*tally;
	struct MHD_Daemon	*daemon;
	struct loop		*loop;
	struct loop_watch	 watch;		/* its epoll descriptor */
	bool			 busy;		/* it has clients */
	struct {
		struct MHD_Connection	*who;	/* NULL: free */
		uint64_t		 end_ms;
	} clients[CLIENTS_MAX];
	int			 log_link;
} x;

int
exporter_library(struct fault *f)
{
	const struct library_call calls[] = {
		{ "MHD_start_daemon",			(void **)&http.start },
		{ "MHD_run",				(void **)&http.run },
		{ "MHD_get_timeout",			(void **)&http.timeout },
		{ "MHD_get_daemon_info",		(void **)&http.info },
		{ "MHD_lookup_connection_value",	(void **)&http.asked },
		{ "MHD_get_connection_info",	(void **)&http.client_info },
		{ "MHD_create_response_from_buffer",	(void **)&http.response },
		{ "MHD_add_response_header",		(void **)&http.header },
		{ "MHD_queue_response",			(void **)&http.queue },
		{ "MHD_destroy_response",		(void **)&http.destroy },
	};

	return library_open(LIBRARY, calls, ARRAY_LEN(calls), f);
}

/* --- one request --------------------------------------------------------------- */

static enum MHD_Result
reply(struct MHD_Connection *client, unsigned status, const char *type,
    struct span text)
{
	struct MHD_Response	*r = http.response(text.n,
				    (void *)(uintptr_t)text.p,
				    MHD_RESPMEM_MUST_COPY);
	enum MHD_Result		 result;

	if (r == NULL)
		return MHD_NO;
	result = http.header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES ?
	    http.queue(client, status, r) : MHD_NO;
	http.destroy(r);
	return result;
}

enum { OF_MOST, OF_USE, OF_HITS, OF_COUNT };

static const struct {
	const char	*family;
	const char	*suffix;
	const char	*help;
} of_limits[OF_COUNT] = {
	[OF_MOST] = { "popper_limit", "", "Limits, as configured." },
	[OF_USE] = { "popper_limit_use", "", "How much of them is used, by"
	    " the address or network that has most." },
	[OF_HITS] = { "popper_limit_hits", METRICS_COUNTER,
	    "Clients that were refused, or ended, for a limit." },
};

/* The tally's part of it (gauges.h). */
static int
limits_text(struct buf *out, enum metrics_form form)
{
	struct gauge g[LIMITS];

	gauges_read(&x.conf->role, x.tally,
	    (size_t)metric_sum(METRIC_SESSIONS), g);
	for (size_t k = 0; k < OF_COUNT; k++) {
		if (metrics_head(out, form, of_limits[k].family, k == OF_HITS,
		    of_limits[k].help) != 0)
			return -1;
		for (size_t i = 0; i < LIMITS; i++)
			if ((k == OF_HITS || g[i].most > 0) && buf_appendf(out,
			    "%s%s{limit=\"%s\"} %llu\n", of_limits[k].family,
			    of_limits[k].suffix, g[i].name, (unsigned long long)
			    (k == OF_MOST ? g[i].most : k == OF_USE ? g[i].now :
			    g[i].refused)) != 0)
				return -1;
	}
	return 0;
}

/* Who does not name it may not know it: a browser, an older scraper. */
static enum metrics_form
form_for(struct MHD_Connection *client)
{
	const char *accept = http.asked(client, MHD_HEADER_KIND,
	    MHD_HTTP_HEADER_ACCEPT);

	return accept != NULL && strcasestr(accept, OPEN_TYPE) != NULL ?
	    METRICS_OPEN : METRICS_OLD;
}

/* A body would be offered in pieces; none is wanted. */
static enum MHD_Result
on_request(void *ctx UNUSED, struct MHD_Connection *client, const char *path,
    const char *method, const char *version UNUSED, const char *body UNUSED,
    size_t *body_n UNUSED, void **again UNUSED)
{
	AUTO(buf_fini) struct buf out;
	enum metrics_form	  form = form_for(client);

	buf_init(&out, METRICS_TEXT_MAX);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(client, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain",
		    SPAN("GET it.\n"));
	if (strcmp(path, "/metrics") != 0)
		return reply(client, MHD_HTTP_NOT_FOUND, "text/plain",
		    SPAN("It is at /metrics.\n"));
	if (metrics_text(&out, form) != 0 || limits_text(&out, form) != 0 ||
	    metrics_end(&out, form) != 0)
		return reply(client, MHD_HTTP_INTERNAL_SERVER_ERROR,
		    "text/plain", SPAN("too much\n"));
	return reply(client, MHD_HTTP_OK, metrics_type(form), buf_span(&out));
}

/* --- the process ------------------------------------------------------------------ */

static void
on_client(void *ctx UNUSED, struct MHD_Connection *client, void **own UNUSED,
    enum MHD_ConnectionNotificationCode what)
{
	bool begins = what == MHD_CONNECTION_NOTIFY_STARTED;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (x.clients[i].who == (begins ? NULL : client)) {
			x.clients[i].who = begins ? client : NULL;
			x.clients[i].end_ms = clock_ms() + 1000 * CLIENT_S;
			return;
		}
}

/* The library's own time begins anew with each octet. */
static void
end_late(void)
{
	const union MHD_ConnectionInfo *i;

	for (size_t n = 0; n < CLIENTS_MAX; n++) {
		if (x.clients[n].who == NULL || clock_ms() < x.clients[n].end_ms)
			continue;
		i = http.client_info(x.clients[n].who,
		    MHD_CONNECTION_INFO_CONNECTION_FD);
		if (i != NULL)
			sock_shutdown(i->connect_fd);
	}
}

/*
 * The library stops listening at its bound of clients, and begins again in a run
 * that follows the end of one: so there is one more when nobody is left.
 */
static uint64_t
wait_ms(void)
{
	MHD_UNSIGNED_LONG_LONG	ms;
	bool			was_busy = x.busy;

	x.busy = http.timeout(x.daemon, &ms) == MHD_YES;
	if (x.busy)
		return ms < TICK_MS ? ms : TICK_MS;
	return was_busy ? 0 : LOOP_NEVER;
}

static void
on_http(void *ctx UNUSED, unsigned what UNUSED)
{
	end_late();
	if (http.run(x.daemon) != MHD_YES) {
		log_text(LEVEL_ERR, "metrics-start", "HTTP has ended");
		loop_end(x.loop);
		return;
	}
	loop_watch_set(&x.watch, LOOP_READ, wait_ms());
}

static void
on_stop(void *ctx UNUSED)
{
	loop_end(x.loop);
}

static int
reopen_log(void *ctx UNUSED)
{
	return ask_log(x.log_link);
}

static int
start(int listener, struct fault *f)
{
	const struct role_settings	*r = &x.conf->role;
	const union MHD_DaemonInfo	*info;
	bool				 degraded;

	x.loop = loop_new(f);
	if (x.loop == NULL || exporter_library(f) != 0)
		return -1;
	x.daemon = http.start(MHD_USE_EPOLL, 0, NULL, NULL, on_request, NULL,
	    MHD_OPTION_LISTEN_SOCKET, listener,
	    MHD_OPTION_CONNECTION_LIMIT, CLIENTS_MAX,
	    MHD_OPTION_CONNECTION_TIMEOUT, CLIENT_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, CLIENT_OCTETS,
	    MHD_OPTION_NOTIFY_CONNECTION, on_client, NULL,
	    MHD_OPTION_END);
	info = x.daemon == NULL ? NULL :
	    http.info(x.daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL)
		return fault_set(f, FAULT_TEMP, "HTTP cannot be served");
	loop_watch_init(&x.watch, x.loop, info->epoll_fd, on_http, NULL);
	loop_watch_set(&x.watch, LOOP_READ, LOOP_NEVER);
	loop_on_signal(x.loop, LOOP_STOP, on_stop, NULL);
	return cage_step_down(r->front_user, r->chroot_dir, CAGE_METRICS,
	    f) != 0 || cage_enter(CAGE_METRICS, &degraded, f) != 0 ? -1 : 0;
}

void
exporter_main(const struct settings *conf, const struct tally *t, int listener,
    int log_link)
{
	const int	keep[] = { listener, log_link };
	struct fault	f;

	shed_descriptors(keep, ARRAY_LEN(keep));
	x.conf = conf;
	x.tally = t;
	x.log_link = log_link;
	log_set_reopen(reopen_log, NULL);
	if (start(listener, &f) != 0) {
		log_fault(LEVEL_ERR, "metrics-start", &f);
		spawn_exit(1);
	}
	loop_run(x.loop);
	spawn_exit(0);
}

int
exporter_listen(const struct settings *conf)
{
	const char		*where = conf->role.metrics;
	struct sock_addr	 at[2];
	struct fault		 f;
	int			 fd = -1;

	if (where[0] == '\0')
		return -1;
	if (where[0] == '/' ? local_listen(where, LOCAL_STREAM,
	    local_group(conf->role.ctl_group), &fd, &f) != 0 :
	    sock_listen_parse(where, at) != 1 ||
	    sock_listen(&at[0], false, &fd, &f) != 0)
		log_fault(LEVEL_ERR, "metrics-listen", &f);
	return fd;
}

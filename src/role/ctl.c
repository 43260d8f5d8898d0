/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front_user, in an empty root folder, with seccomp, no processes, no
 * files.  Reads from: popper ctl, one message of bounded size a connection; of who
 * traces one more.
 * Trusts: the kernel for who that is.  Gives up, in order: descriptors, root folder,
 * limits, groups, gid, uid, system calls.  (ctl_listen: as root, in the master, before
 * it has any role.)
 */
#include "role/ctl.h"

#include "role/ask_log.h"
#include "role/permit.h"
#include "role/trace.h"

#include "sys/cage.h"
#include "sys/file.h"
#include "sys/local.h"
#include "sys/lock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>

#define PLACE_MS	1000		/* to find one beside others */
#define PLACE_AGAIN_MS	5
#define CLIENTS_MAX	16		/* that have not said what they want */
#define REQUEST_MS	2000
#define TRACE_SLACK_MS	2000		/* for who traces to end it by himself */

struct client {
	int			 fd;		/* owns; -1: free */
	struct loop_watch	 watch;
};

static struct ctl {
	const struct ctl_start	*s;
	struct loop		*loop;
	struct loop_watch	 listener;
	struct loop_watch	 master;
	struct client		 clients[CLIENTS_MAX];
	struct client		 tracer;	/* whose trace it is */
	uint32_t		 trace;		/* its number */
	bool			 leaving;
} c;

static void	go_on(void);

static bool
may(int fd, uint16_t type)
{
	enum local_peer who = local_peer(fd, c.s->group);

	switch (type) {
	case MSG_CTL_WHO:
	case MSG_CTL_STATUS:
	case MSG_CTL_PENALTIES:
		return who != LOCAL_PEER_OTHER;
	default:
		return who == LOCAL_PEER_ROOT;
	}
}

/* Who changes something is in the log. */
static void
log_act(uint16_t type, const struct ctl_whom *w)
{
	const char *what = type == MSG_CTL_KICK ? "kick" :
	    type == MSG_CTL_KILL ? "kill" : type == MSG_CTL_STOP ? "stop" :
	    type == MSG_CTL_RELOAD ? "reload" :
	    type == MSG_CTL_FLUSH ? "flush" :
	    type == MSG_CTL_CLEAR ? "penalties --clear" : NULL;
	const char *whom;
	char sid[WIRE_SID_MAX];

	if (what == NULL)
		return;
	wire_sid_text(w->sid, sid);
	whom = w->kind == CTL_SID ? sid : w->kind == CTL_ADDRESS ?
	    w->addr.text : w->user;
	log_text(LEVEL_NOTE, "ctl-act", "%s%s%s", what, whom[0] != '\0' ?
	    " " : "", whom);
}

/* A master that has no room for it is the only one whom it could tell. */
static void
pass_on(int fd, uint16_t type, const struct ctl_whom *w)
{
	struct link_out	m;
	struct fault	f;

	log_act(type, w);
	link_out_init(&m, type);
	ctl_put_whom(&m, w);
	if (local_hush(fd, &f) != 0 || link_send(c.s->master, &m, &fd, 1, &f) != 0)
		ctl_done(fd, FAULT_TEMP, 0, f.text);
}

/* --- one trace -------------------------------------------------------------- */

static void
log_trace_begin(int fd, const struct trace_whom *w, uint32_t s)
{
	char		whom[TRACE_WHOM_TEXT];
	struct log_line	l;
	uid_t		uid;
	pid_t		pid;

	trace_whom_text(w, whom);
	local_peer_ids(fd, &uid, &pid);
	log_begin(&l, LEVEL_NOTE, "trace-begin");
	log_str(&l, "whom", whom);
	log_num(&l, "s", s);
	log_num(&l, "by_uid", uid);
	log_num(&l, "by_pid", (uint64_t)pid);
	log_end(&l);
}

/* m: what who had it says of it at the end, or NULL. */
static void
log_trace_end(const struct trace_whom *w, const char *reason, struct link_in *m)
{
	char		whom[TRACE_WHOM_TEXT];
	struct log_line	l;

	trace_whom_text(w, whom);
	log_begin(&l, LEVEL_NOTE, "trace-end");
	log_str(&l, "whom", whom);
	log_str(&l, "reason", reason);
	if (m != NULL) {
		log_num(&l, "lines", link_get_u64(m));
		log_num(&l, "octets", link_get_u64(m));
		log_num(&l, "lost", link_get_u64(m));
	}
	log_end(&l);
}

static void
trace_over(uint32_t which, const char *reason, struct link_in *m)
{
	struct trace_whom w;

	if (trace_end(which, &w))
		log_trace_end(&w, reason, m);
	loop_watch_fini(&c.tracer.watch);
	fd_close(&c.tracer.fd);
}

static const char *
end_word(uint8_t why)
{
	static const char *const words[CTL_TRACE_ENDS] = {
		[CTL_TRACE_TIME]	= "time",
		[CTL_TRACE_SIZE]	= "size",
		[CTL_TRACE_STOPPED]	= "stopped",
		[CTL_TRACE_OUTPUT]	= "output",
	};

	return why < CTL_TRACE_ENDS ? words[why] : "gone";
}

/* He has had enough, or is gone; or his time is over, and he does not see it. */
static void
on_tracer(void *ctx UNUSED, unsigned what)
{
	struct link_in	in;
	struct fault	f;
	int		got;

	if ((what & LOOP_READ) == 0) {
		trace_over(c.trace, "time", NULL);
		go_on();
		return;
	}
	got = link_recv(c.tracer.fd, permit_ctl_end, permit_ctl_end_n, 0, 0, &in,
	    &f);
	if (got == 1) {
		trace_over(c.trace, end_word(link_get_u8(&in)), &in);
		link_in_fini(&in);
	} else {
		trace_over(c.trace, "gone", NULL);
	}
	go_on();
}

/* Who asked for the last trace's, too late. */
static void
forget_waiting(void)
{
	struct sock_addr	none;
	struct fault		f;
	int			fd;

	while (sock_accept(c.s->tracer, &fd, &none, &f) == 0)
		fd_close(&fd);
}

/* Takes the client, if it can be. */
static int
begin_trace(int *client, const struct trace_whom *w, uint32_t s,
    struct fault *f)
{
	struct link_out m;

	if (c.tracer.fd >= 0)
		return fault_set(f, FAULT_TEMP, "there is a trace, and there can"
		    " be but one: the log tells who began it");
	if (c.leaving || c.s->tracer < 0)
		return fault_set(f, FAULT_TEMP, "not now");
	forget_waiting();
	link_out_init(&m, MSG_CTL_TRACER);
	if (link_send(*client, &m, &c.s->tracer, 1, f) != 0)
		return -1;
	c.trace = trace_begin(w, 1000ull * s);
	log_trace_begin(*client, w, s);
	c.tracer.fd = fd_take(client);
	loop_watch_init(&c.tracer.watch, c.loop, c.tracer.fd, on_tracer, NULL);
	loop_watch_set(&c.tracer.watch, LOOP_READ, 1000ull * s + TRACE_SLACK_MS);
	return 0;
}

static int
on_trace(int *client, struct link_in *in, struct fault *f)
{
	struct trace_whom	w;
	uint32_t		s = link_get_u32(in);

	if (trace_get_whom(in, &w, f) != 0)
		return -1;
	if (s == 0 || s > CTL_TRACE_MOST_S)
		return fault_set(f, FAULT_PROTO, "from 1 to %u seconds",
		    CTL_TRACE_MOST_S);
	return begin_trace(client, &w, s, f);
}

/* --- requests ---------------------------------------------------------------- */

/* The client is taken when it is not for one answer alone. */
static int
serve_one(int *client, struct link_in *in, struct fault *f)
{
	struct ctl_whom w;

	if (!may(*client, in->type))
		return fault_set(f, FAULT_AUTH, "not for this user");
	if (in->type == MSG_CTL_TRACE)
		return on_trace(client, in, f);
	if (ctl_get_whom(in, &w, f) != 0)
		return -1;
	pass_on(*client, in->type, &w);
	return 0;
}

static void
serve(int *client)
{
	struct link_in	in;
	struct fault	f;
	int		got = link_recv(*client, permit_ctl, permit_ctl_n, 0, 0,
			    &in, &f);

	if (got == 0)
		return;
	if (got < 0 || serve_one(client, &in, &f) != 0)
		ctl_done(*client, f.class == FAULT_PEER ? FAULT_PROTO : f.class,
		    0, f.text);
	if (got == 1)
		link_in_fini(&in);
}

/* After a reload the next one has the listener; whom this one has is heard. */
static void
go_on(void)
{
	if (!c.leaving) {
		loop_watch_set(&c.listener, LOOP_READ, LOOP_NEVER);
		return;
	}
	loop_watch_fini(&c.listener);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (c.clients[i].fd >= 0)
			return;
	loop_end(c.loop);
}

static void
on_client(void *ctx, unsigned what UNUSED)
{
	struct client *x = ctx;

	loop_watch_fini(&x->watch);
	serve(&x->fd);
	fd_close(&x->fd);
	go_on();
}

/* Who finds no room waits in the socket's queue until somebody is served. */
static void
on_listener(void *ctx UNUSED, unsigned what UNUSED)
{
	struct sock_addr	none;
	struct fault		f;

	for (struct client *x = c.clients; x < c.clients + CLIENTS_MAX; x++) {
		if (x->fd >= 0)
			continue;
		if (sock_accept(c.s->listener, &x->fd, &none, &f) != 0) {
			loop_watch_set(&c.listener, LOOP_READ, LOOP_NEVER);
			return;
		}
		loop_watch_init(&x->watch, c.loop, x->fd, on_client, x);
		loop_watch_set(&x->watch, LOOP_READ, REQUEST_MS);
	}
}

/* The one that begins after us may have turned it off already. */
static void
stop_trace(void)
{
	if (c.tracer.fd < 0)
		return;
	ctl_done(c.tracer.fd, FAULT_TEMP, 0, "popper serve ends, or has read its"
	    " configuration again");
	trace_over(c.trace, "server", NULL);
}

/* Nothing ever comes from there but its end. */
static void
on_master(void *ctx UNUSED, unsigned what UNUSED)
{
	stop_trace();
	loop_end(c.loop);
}

static void
on_stop(void *ctx UNUSED)
{
	c.leaving = true;
	stop_trace();
	go_on();
}

static int
reopen_log(void *ctx UNUSED)
{
	return ask_log(c.s->log_link);
}

static int
start(struct fault *f)
{
	const struct role_settings	*r = &c.s->conf->role;
	bool				 degraded;

	c.loop = loop_new(f);
	if (c.loop == NULL)
		return -1;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		c.clients[i].fd = -1;
	c.tracer.fd = -1;
	trace_over(0, "server", NULL);	/* of who did this before us */
	loop_watch_init(&c.listener, c.loop, c.s->listener, on_listener, NULL);
	loop_watch_init(&c.master, c.loop, c.s->master, on_master, NULL);
	loop_watch_set(&c.listener, LOOP_READ, LOOP_NEVER);
	loop_watch_set(&c.master, LOOP_READ, LOOP_NEVER);
	loop_on_signal(c.loop, LOOP_STOP, on_stop, NULL);
	return cage_step_down(r->front_user, r->chroot_dir, CAGE_CTL, f) != 0 ||
	    cage_enter(CAGE_CTL, &degraded, f) != 0 ? -1 : 0;
}

void
ctl_main(const struct ctl_start *s)
{
	const int	keep[] = { s->listener, s->tracer, s->master,
			    s->log_link };
	struct fault	f;

	shed_descriptors(keep, ARRAY_LEN(keep));
	c.s = s;
	log_set_reopen(reopen_log, NULL);
	if (start(&f) != 0) {
		log_fault(LEVEL_ERR, "ctl-start", &f);
		spawn_exit(1);
	}
	loop_run(c.loop);
	spawn_exit(0);
}

/* Others that begin look for one when we have it. */
static int
wait_for_turn(const char *run_dir, int *lock_r, struct fault *f)
{
	uint64_t end = clock_ms() + PLACE_MS;

	if (file_open(FILE_CWD, run_dir, FILE_READ | FILE_DIR, 0, lock_r,
	    f) != 0)
		return -1;
	while (lock_flock(*lock_r, f) != 0) {
		if (f->class != FAULT_IN_USE || clock_ms() >= end)
			return -1;
		clock_sleep(PLACE_AGAIN_MS);
	}
	return 0;
}

/* Nobody listens there: it is not there, or left behind. */
static bool
is_free(const char *path)
{
	AUTO(fd_close) int	fd = -1;
	struct fault		f;

	return local_connect_now(path, &fd, &f) != 0 &&
	    (f.err == ENOENT || f.err == ECONNREFUSED);
}

static int
take_place(const struct settings *conf, bool beside, struct ctl_start *out,
    struct fault *f)
{
	AUTO(fd_close) int	lock = -1;
	char			path[IDENTITY_PATH_MAX + 1];
	size_t			n = 0;

	if (file_mkdir(FILE_CWD, conf->role.run_dir, 0711, f) != 0 ||
	    (beside && wait_for_turn(conf->role.run_dir, &lock, f) != 0))
		return -1;
	ctl_path(conf, 0, path, sizeof(path));
	while (beside && !is_free(path)) {
		if (++n == CTL_SERVERS_MAX)
			return fault_set(f, FAULT_LIMIT, "%u servers run with"
			    " this run_dir already", CTL_SERVERS_MAX);
		ctl_path(conf, n, path, sizeof(path));
	}
	return local_listen(path, LOCAL_PACKETS, out->group, &out->listener,
	    f) != 0 || trace_listen(n, &out->tracer, f) != 0 ? -1 : 0;
}

void
ctl_listen(const struct settings *conf, bool beside, struct ctl_start *out)
{
	struct fault f;

	*out = (struct ctl_start){ .listener = -1, .tracer = -1,
	    .group = local_group(conf->role.ctl_group) };
	if (take_place(conf, beside, out, &f) != 0)
		log_fault(LEVEL_ERR, "ctl-listen", &f);
}

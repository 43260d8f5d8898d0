/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front_user, in an empty root folder, with seccomp, no processes, no
 * files.  Reads from: popper ctl, one message of bounded size a connection.
 * Trusts: the kernel for who that is.  Gives up, in order: descriptors, root folder,
 * limits, groups, gid, uid, system calls.  (ctl_listen: as root, in the master, before
 * it has any role.)
 */
#include "role/ctl.h"

#include "role/ask.h"
#include "role/permit.h"

#include "sys/cage.h"
#include "sys/file.h"
#include "sys/local.h"
#include "sys/spawn.h"
#include "watch/log.h"

#define CLIENTS_MAX	16		/* that have not said what they want */
#define REQUEST_MS	2000

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
	bool			 leaving;
} c;

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
	if (link_send(c.s->master, &m, &fd, 1, &f) != 0)
		ctl_done(fd, FAULT_TEMP, 0, f.text);
}

static void
serve(int fd)
{
	struct ctl_whom	w;
	struct link_in	in;
	struct fault	f;
	int		got = link_recv(fd, permit_ctl, permit_ctl_n, 0, 0, &in,
			    &f);

	if (got == 0)
		return;
	if (got < 0 || ctl_get_whom(&in, &w, &f) != 0)
		ctl_done(fd, FAULT_PROTO, 0, f.text);
	else if (!may(fd, in.type))
		ctl_done(fd, FAULT_AUTH, 0, "not for this user");
	else
		pass_on(fd, in.type, &w);
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

	serve(x->fd);
	loop_watch_fini(&x->watch);
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

/* Nothing ever comes from there but its end. */
static void
on_master(void *ctx UNUSED, unsigned what UNUSED)
{
	loop_end(c.loop);
}

static void
on_stop(void *ctx UNUSED)
{
	c.leaving = true;
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
	const int	keep[] = { s->listener, s->master, s->log_link };
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

void
ctl_listen(const struct settings *conf, struct ctl_start *out)
{
	char		path[IDENTITY_PATH_MAX + 1];
	struct fault	f;

	*out = (struct ctl_start){ .listener = -1,
	    .group = local_group(conf->role.ctl_group) };
	ctl_path(conf, path, sizeof(path));
	if (file_mkdir(FILE_CWD, conf->role.run_dir, 0711, &f) != 0 ||
	    local_listen(path, LOCAL_PACKETS, out->group, &out->listener,
	    &f) != 0)
		log_fault(LEVEL_ERR, "ctl-listen", &f);
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, since PAM is; with a password file, since it is root's.  Reads
 * from: auth, a type and a descriptor (WORKER); its workers, that they want to
 * log; the facts of files, never what is in them.  Trusts: its configuration.
 * Gives up: descriptors.
 *
 * What auth could do to it when taken over is bounded here: so many workers at a
 * time and no more (it is not listened to until one has ended), and with PAM none
 * for longer than a question may take.
 *
 * Workers for a password file stay, with what they have read.  That must not
 * outlive a change: "popper passwd" has to work at once.  They cannot look, in a
 * cage without files; auth cannot, for the same reason; to ask the warden at
 * each login would cost more than the login.  So each worker has the end of a
 * pipe, the lease, whose other end the warden closes when one of the files is
 * not what it was before the workers read it; it looks twice a second, as long
 * as there are workers, by name, since a file is replaced by rename.  A worker
 * whose lease is over retires (worker_serve.c), and auth asks for a new one: so an
 * answer is never older than a second.
 */
#include "role/warden.h"

#include "role/ask_log.h"
#include "role/kerberos.h"
#include "role/permit.h"
#include "role/stamp.h"
#include "role/tokens.h"
#include "role/worker.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/link.h"
#include "sys/loop.h"
#include "sys/shared.h"
#include "sys/signals.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS		500
#define FILES		8
/* Workers that end while their successors begin; were there more, auth waits. */
#define MORE_WORKERS	2
#define PAM_GRACE_MS	1000

struct child {
	struct warden		*w;
	pid_t			 pid;		/* 0: none */
	uint64_t		 end_ms;	/* then it is killed */
	int			 log_link;	/* owns; -1: none */
	struct loop_watch	 watch;		/* of the log link */
};

/* What the workers of one database have read. */
struct lease {
	struct stamp		 files[FILES];	/* as it was then */
	bool			 settled;	/* a change shows in the stamps */
	int			 fd;		/* owns; -1: nobody has one */
	int			 end;		/* owns: what workers hold */
};

struct warden {
	const struct settings	*conf;
	struct auth_conf	 dbs[AUTH_DB_MAX];	/* each selected */
	struct lease		 leases[KERBEROS_DB + 1];	/* TOKENS_DB, too */
	struct worker_errors	*errors;	/* as many; shared with workers.
						   NULL: not to be had */
	size_t			 ndbs;
	struct loop		*loop;
	pid_t			 self;
	int			 auth;
	struct loop_watch	 auth_watch;
	int			 log_link;
	struct child		*children;
	size_t			 max;
	size_t			 n;
	struct loop_watch	 timer;
};

/* ----------------------------------------------------------------- files */

/*
 * Are they what they were?  *settled_r: is every change so long ago that another
 * one would have another time?
 */
static bool
look_at(const char *const paths[FILES], struct lease *l, bool *settled_r)
{
	bool unchanged = true;

	*settled_r = true;
	for (size_t i = 0; i < FILES; i++) {
		struct stamp s;

		stamp_of(paths[i], &s);
		unchanged = unchanged && stamp_same(&s, &l->files[i]);
		*settled_r = *settled_r && stamp_settled(&s);
		l->files[i] = s;
	}
	return unchanged;
}

static bool
look_at_tokens(const struct token_conf *c, struct lease *l, bool *settled_r)
{
	const char *const paths[FILES] = {
		c->jwks, c->client_file, c->ca_file,
	};

	return look_at(paths, l, settled_r);
}

static bool
look_at_keys(const struct krb_conf *c, struct lease *l, bool *settled_r)
{
	const char *const paths[FILES] = { c->keytab };

	return look_at(paths, l, settled_r);
}

static bool
look(const struct auth_conf *c, struct lease *l, bool *settled_r)
{
	const char *const paths[FILES] = {
		auth_place(c), c->deny_file, c->allow_file, c->rpop_file,
		c->shells_file, c->master_users,
		c->app_passwords != AUTH_APP_NO ? c->app_password_file : "",
		auth_client_users(c),
	};

	return look_at(paths, l, settled_r);
}

static void
lease_close(struct lease *l)
{
	fd_close(&l->fd);
	fd_close(&l->end);
}

/* Who read a file shortly after it was changed may have missed one more change
 * that its times do not show: it reads once more. */
static void
renew_lease(struct warden *w, size_t db)
{
	struct lease	*l = &w->leases[db];
	bool		 settled;
	bool		 unchanged = db == TOKENS_DB ?
			    look_at_tokens(&w->conf->token, l, &settled) :
			    db == KERBEROS_DB ?
			    look_at_keys(&w->conf->krb, l, &settled) :
			    look(&w->dbs[db], l, &settled);

	if (!unchanged || (settled && !l->settled))
		lease_close(l);
	l->settled = settled;
}

/* -------------------------------------------------------------- children */

static void
on_timer(void *ctx, unsigned what UNUSED)
{
	struct warden	*w = ctx;
	uint64_t	 now = clock_ms();

	for (size_t i = 0; i < w->max; i++)
		if (w->children[i].pid > 0 && w->children[i].end_ms <= now)
			spawn_kill(w->children[i].pid);
	for (size_t i = 0; i < ARRAY_LEN(w->leases); i++)
		if (w->leases[i].fd >= 0)
			renew_lease(w, i);
	loop_watch_set(&w->timer, 0, LOOK_MS);
}

static void
on_log(void *ctx, unsigned what UNUSED)
{
	struct child	*c = ctx;
	struct fault	 f;
	int		 got = ask_serve_log(c->log_link, NULL, &f);

	if (got == 1) {
		loop_watch_set(&c->watch, LOOP_READ, LOOP_NEVER);
		return;
	}
	loop_watch_fini(&c->watch);
	fd_close(&c->log_link);
	if (got == 0)
		return;
	log_fault(LEVEL_ERR, "log-link-misbehaved", &f);
	if (c->pid > 0)
		spawn_kill(c->pid);
}

static void
on_child(void *ctx)
{
	struct warden	*w = ctx;
	int		 status;

	for (size_t i = 0; i < w->max; i++) {
		struct child *c = &w->children[i];

		if (c->pid == 0 || spawn_wait(c->pid, 0, &status) == 0)
			continue;
		/* What else it had to say is in the log, and auth's. */
		if (status > 128)
			log_text(LEVEL_ERR, "worker-killed", "by signal %d",
			    status - 128);
		loop_watch_fini(&c->watch);
		fd_close(&c->log_link);
		c->pid = 0;
		w->n--;
	}
	/* Not set anew: of PAM's there may end more than are looked at. */
	if (w->n == 0)
		loop_watch_fini(&w->timer);
	loop_watch_set(&w->auth_watch, LOOP_READ, LOOP_NEVER);
}

static struct child *
free_child(struct warden *w)
{
	for (size_t i = 0; i < w->max; i++)
		if (w->children[i].pid == 0)
			return &w->children[i];
	return NULL;
}

static NORETURN void
be_worker(const struct warden *w, size_t db, int link, int lease, int log_link)
{
	static struct settings its;

	its = *w->conf;
	if (db < TOKENS_DB)
		its.auth = w->dbs[db];
	signals_take(SIGNALS_CONNECTION);	/* Ctrl-C is not for it */
	spawn_name("popper-worker");
	if (w->errors != NULL)
		worker_share_errors(&w->errors[db]);
	if (db == TOKENS_DB)
		worker_serve_tokens(&its, w->self, link, lease, log_link);
	if (db == KERBEROS_DB)
		worker_serve_kerberos(&its, w->self, link, lease, log_link);
	worker_serve(&its, w->self, link, lease, log_link);
}

/* A worker for one question, which has libpam open and is root. */
static pid_t
fork_pam(struct warden *w, size_t db, int link, struct fault *f)
{
	pid_t pid = spawn_fork(f);

	if (pid == 0)
		be_worker(w, db, link, -1, -1);
	return pid;
}

/* One that stays, and has a lease. */
static pid_t
fork_file(struct warden *w, size_t db, struct child *c, int link,
    struct fault *f)
{
	AUTO(fd_close) int	 log_link = -1;
	struct lease		*l = &w->leases[db];
	pid_t			 pid;

	renew_lease(w, db);
	if (l->fd < 0 && fd_pipe(&l->end, &l->fd, f) != 0)
		return -1;
	if (link_pair(&c->log_link, &log_link, f) != 0)
		return -1;
	pid = spawn_fork(f);
	if (pid == 0)
		be_worker(w, db, link, l->end, log_link);
	if (pid < 0) {
		fd_close(&c->log_link);
		return -1;
	}
	loop_watch_init(&c->watch, w->loop, c->log_link, on_log, c);
	loop_watch_set(&c->watch, LOOP_READ, LOOP_NEVER);
	return pid;
}

/* Who gets none sees the end of its link. */
static void
start(struct warden *w, struct child *c, size_t db, int link)
{
	const struct settings	*conf = w->conf;
	struct fault		 f;
	pid_t			 pid;

	if (db < TOKENS_DB && w->dbs[db].source == AUTH_PAM) {
		pid = fork_pam(w, db, link, &f);
		c->end_ms = clock_ms() + PAM_GRACE_MS +
		    1000ull * conf->role.auth_timeout_s;
	} else {
		pid = fork_file(w, db, c, link, &f);
		c->end_ms = UINT64_MAX;
	}
	if (pid < 0) {
		log_fault(LEVEL_ERR, "worker-fork", &f);
		return;
	}
	c->pid = pid;
	if (w->n++ == 0)
		loop_watch_set(&w->timer, 0, LOOK_MS);
}

/* ------------------------------------------------------------- all of it */

static bool
has_database(const struct warden *w, size_t db)
{
	return db < w->ndbs ||
	    (db == TOKENS_DB && token_wanted(&w->conf->token)) ||
	    (db == KERBEROS_DB && krb_wanted(&w->conf->krb));
}

static void
on_auth(void *ctx, unsigned what UNUSED)
{
	struct warden	*w = ctx;
	UNZEROED struct link_in	 m;
	struct fault	 f;
	struct child	*c = free_child(w);
	size_t		 db;
	int		 link;
	int		 got;

	if (c == NULL)
		return;			/* on_child listens again */
	got = link_recv(w->auth, permit_worker, permit_worker_n, 0, 0, &m, &f);
	if (got != 1) {
		if (got < 0)
			log_fault(LEVEL_ERR, "auth-misbehaved", &f);
		loop_end(w->loop);
		return;
	}
	link = link_get_fd(&m, 0);
	db = link_get_u8(&m);
	link_in_fini(&m);
	if (!has_database(w, db)) {
		log_text(LEVEL_ERR, "auth-misbehaved", "no such database");
		fd_close(&link);
		loop_end(w->loop);
		return;
	}
	start(w, c, db, link);
	fd_close(&link);
	loop_watch_set(&w->auth_watch, LOOP_READ, LOOP_NEVER);
}

static void
on_term(void *ctx)
{
	struct warden *w = ctx;

	loop_end(w->loop);
}

static int
reopen_log(void *ctx)
{
	const struct warden *w = ctx;

	return ask_log(w->log_link);
}

static void
make_children(struct warden *w)
{
	unsigned n = w->conf->role.auth_workers;

	w->max = MORE_WORKERS * (w->ndbs * (n > 0 ? n : 2 * spawn_processors()) +
	    (token_wanted(&w->conf->token) ? TOKENS_WORKERS : 0) +
	    (krb_wanted(&w->conf->krb) ? KERBEROS_WORKERS : 0));
	w->children = xalloc(w->max, sizeof(*w->children));
	for (size_t i = 0; i < w->max; i++)
		w->children[i] = (struct child){ .w = w, .log_link = -1 };
}

static void
know_databases(struct warden *w)
{
	struct fault f;

	w->ndbs = auth_databases(&w->conf->auth);
	for (size_t i = 0; i < ARRAY_LEN(w->leases); i++)
		w->leases[i] = (struct lease){ .fd = -1, .end = -1 };
	for (size_t i = 0; i < w->ndbs; i++) {
		const struct auth_ops *ops;

		w->dbs[i] = w->conf->auth;
		auth_select(&w->dbs[i], i);
		ops = auth_ops_of(&w->dbs[i]);
		if (ops->preload != NULL && ops->preload(&w->dbs[i], &f) != 0)
			log_fault(LEVEL_ERR, "auth-error", &f);
	}
}

/* Its workers end with it (spawn_tie): who hangs in PAM would hang for ever. */
void
warden_main(const struct settings *conf, int auth, int log_link)
{
	static struct warden	w;
	const int		keep[] = { auth, log_link };
	struct fault		f;

	shed_descriptors(keep, ARRAY_LEN(keep));
	w = (struct warden){
		.conf = conf, .auth = auth, .log_link = log_link,
		.self = spawn_self(),
	};
	log_set_reopen(reopen_log, &w);
	w.errors = shared_new(ARRAY_LEN(w.leases) * sizeof(*w.errors), &f);
	if (w.errors == NULL)
		log_fault(LEVEL_ERR, "warden-start", &f);
	know_databases(&w);
	make_children(&w);
	w.loop = loop_new(&f);
	if (w.loop == NULL) {
		log_fault(LEVEL_ERR, "warden-start", &f);
		spawn_exit(1);
	}
	loop_watch_init(&w.timer, w.loop, -1, on_timer, &w);
	loop_watch_init(&w.auth_watch, w.loop, auth, on_auth, &w);
	loop_watch_set(&w.auth_watch, LOOP_READ, LOOP_NEVER);
	loop_on_signal(w.loop, LOOP_CHILD, on_child, &w);
	loop_on_signal(w.loop, LOOP_STOP, on_term, &w);
	loop_run(w.loop);
	spawn_exit(0);
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: auth_user, in an empty root folder, with seccomp, no processes, no
 * files, no network.  Reads from: the fronts (what strangers say, bounded; a
 * front may have been taken over), its workers, the master.  Trusts: the workers.
 * Gives up, in order: descriptors, root folder, limits, groups, gid, uid, system
 * calls.
 *
 * A question waits in its front's row, then it is with a worker, then its answer
 * waits for its time:
 *
 *   CHECK --> row of its front --> worker --GRANT--> ADMIT (to the master)
 *               | too late           | DENY, or none in time
 *               +--------------------+--> due at a fixed time --> VERDICT
 *
 * With PAM each question gets a worker of its own, with a password file workers
 * stay (worker.c); auth_workers of them at a time.  The time for all of it,
 * auth_timeout, begins with CHECK.
 *
 * With several databases each has workers, and a row in each front, of its own: one
 * that hangs keeps nobody waiting whom another one knows.  A question whose worker
 * does not know the name goes into the row of the next database.
 *
 * What says a bearer token goes to a worker for tokens first, which knows no user: it
 * says whose the token is (PROVEN), and then the databases are asked who that is, as of
 * anybody who knew his password.
 *
 * GSSAPI is judged in the same way by a worker for Kerberos, in an exchange.
 *
 * In an exchange of messages (exchange.h in auth/) the worker asks back.  Then the
 * question is held until the client's response comes, and goes to that same worker,
 * which answers others meanwhile:
 *
 *   worker --CHALLENGE--> held --RESPONSE--> row of its worker --> worker
 *                           | ABORT, or none in time: forgotten
 *
 * A name is known when a worker has read it: who guesses is judged again by it, as if
 * he had just come.
 *
 * What was right is vouched for the next time (verdict.h), so that the worker
 * need not hash it; whether the user may log in is the worker's to say, always.
 *
 * Everything is bounded, and each front has its share of it: a front that was
 * taken over, or an attack through one, leaves the others theirs.  Who asks
 * beyond that is answered ERROR at once.  A password is wiped when the worker
 * has it.  Who guesses waits longer, or is not judged at all (penalty.h).
 */
#include "role/auth.h"

#include "role/ask_log.h"
#include "role/auth_priv.h"
#include "role/ctl.h"
#include "role/permit.h"
#include "role/tokens.h"

#include "base/alloc.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/secmem.h"
#include "sys/spawn.h"

/* An operator has what was right forgotten: of one user, or of all. */
static int
on_flush(struct auth *a, struct fault *f)
{
	AUTO(fd_close) int	client = link_get_fd(&a->in, 0);
	struct ctl_whom		w;
	size_t			n = 0;

	if (ctl_get_whom(&a->in, &w, f) != 0)
		return -1;
	if (w.kind != CTL_ALL && w.kind != CTL_USER) {
		ctl_done(client, FAULT_PROTO, 0, "a user, or nobody");
		return 0;
	}
	a->flushes++;
	if (a->cache != NULL)
		n = w.kind == CTL_ALL ? verdict_flush(a->cache) :
		    verdict_forget(a->cache, span_str(w.user));
	ctl_done(client, FAULT_NONE, n, "");
	return 0;
}

static int
on_ctl(struct auth *a, struct fault *f)
{
	if (a->in.type == MSG_CTL_FLUSH)
		return on_flush(a, f);
	if (a->in.type == MSG_CTL_CLEAR)
		auth_penalties_changed(a);
	return ctl_penalties(a->penalty, &a->conf->role, &a->in, f);
}

static void
log_row_lost(const struct row *r, const char *why)
{
	for (const struct question *q = r->first; q != NULL; q = q->next)
		question_log_lost(q, why);
}

/* And with us ends what we were asked. */
static void
give_up(struct auth *a, const char *why)
{
	for (size_t i = 0; i < a->nworkers; i++) {
		if (a->workers[i].q != NULL)
			question_log_lost(a->workers[i].q, why);
		log_row_lost(&a->workers[i].responses, why);
	}
	for (size_t i = 0; i < a->nfronts * AUTH_ROWS; i++)
		log_row_lost(&a->fronts[i / AUTH_ROWS].rows[i % AUTH_ROWS], why);
	loop_end(a->loop);
}

static void
stop(struct auth *a)
{
	give_up(a, "popper was stopped");
}

/* A front in place of one that has died; or the master's end.  After a reload
 * other processes take our place, and we end with our fronts. */
static void
on_master(void *ctx, unsigned what UNUSED)
{
	struct auth	*a = ctx;
	struct fault	 f;
	uint32_t	 index;
	int		 got;

	got = link_recv(a->master, permit_to_auth, permit_to_auth_n, 0, 0,
	    &a->in, &f);
	if (got != 1) {
		if (got < 0)
			log_fault(LEVEL_ERR, "master-link", &f);
		stop(a);
		return;
	}
	if (a->in.type == MSG_LEAVE) {
		a->leaving = true;
		auth_penalties_changed(a);
		auth_serve_rows(a);
	} else if (a->in.type != MSG_FRONT) {
		if (on_ctl(a, &f) != 0)
			log_fault(LEVEL_ERR, "master-link", &f);
	} else if ((index = link_get_u32(&a->in)) < a->nfronts) {
		front_close(&a->fronts[index]);
		front_open(&a->fronts[index], link_get_fd(&a->in, 0));
	}
	link_in_fini(&a->in);
	loop_watch_set(&a->master_watch, LOOP_READ, LOOP_NEVER);
}

/* Nothing ever comes from there but its end: without it there is no worker. */
static void
on_warden(void *ctx, unsigned what UNUSED)
{
	struct auth *a = ctx;

	log_text(LEVEL_ERR, "warden-died", "nobody can log in");
	give_up(a, "see warden-died");
}

static void
on_term(void *ctx)
{
	stop(ctx);
}

static int
reopen_log(void *ctx)
{
	const struct auth *a = ctx;

	return ask_log(a->log_link);
}

static int
enter_cage(const struct role_settings *r, struct fault *f)
{
	bool	degraded;

	return cage_step_down(r->auth_user, r->chroot_dir, CAGE_AUTH, f) != 0 ||
	    cage_enter(CAGE_AUTH, &degraded, f) != 0 ? -1 : 0;
}

static void
shed(const struct auth_start *s)
{
	int	keep[AUTH_FRONTS_MAX + 3];
	size_t	n = 0;

	ASSERT(s->nfronts > 0 && s->nfronts <= AUTH_FRONTS_MAX);
	for (size_t i = 0; i < s->nfronts; i++)
		keep[n++] = s->fronts[i];
	keep[n++] = s->master;
	keep[n++] = s->warden;
	keep[n++] = s->log_link;
	shed_descriptors(keep, n);
}

/* Before the cage: the library looks at the processor, and for chance. */
static void
make_cache(struct auth *a)
{
	const struct role_settings	*r = &a->conf->role;
	struct fault			 f;
	bool				 any = false;

	for (size_t i = 0; i < a->ndbs; i++)
		any = any || a->dbs[i].vouched;
	if (r->auth_cache_ttl_s == 0 || !any)
		return;
	a->cache = verdict_new(r->auth_cache_size, 1000ull * r->auth_cache_ttl_s,
	    &f);
	if (a->cache == NULL)
		log_fault(LEVEL_WARN, "auth-no-cache", &f);
}

static void
know_databases(struct auth *a)
{
	struct auth_conf one = a->conf->auth;

	a->ndbs = (uint8_t)auth_databases(&one);
	for (size_t i = 0; i < a->ndbs; i++) {
		bool pam;

		auth_select(&one, i);
		pam = one.source == AUTH_PAM;
		a->dbs[i] = (struct database){
			.one_each = pam,
			.vouched = !pam || a->conf->role.auth_cache_pam,
		};
	}
}

static size_t
workers_of(const struct auth *a, size_t db)
{
	const struct settings	*c = a->conf;
	unsigned		 n = c->role.auth_workers;

	if (db == TOKENS_DB)
		return token_wanted(&c->token) ? TOKENS_WORKERS : 0;
	if (db == KERBEROS_DB)
		return krb_wanted(&c->krb) ? KERBEROS_WORKERS : 0;
	return db >= a->ndbs ? 0 : n > 0 ? n : 2 * spawn_processors();
}

static void
make_workers(struct auth *a)
{
	struct worker *w;

	for (size_t db = 0; db < AUTH_ROWS; db++)
		a->nworkers += workers_of(a, db);
	w = a->workers = xalloc(a->nworkers, sizeof(*a->workers));
	for (size_t db = 0; db < AUTH_ROWS; db++)
		for (size_t n = workers_of(a, db); n > 0; n--, w++)
			*w = (struct worker){ .a = a, .link = -1,
			    .db = (uint8_t)db,
			    .responses.last = &w->responses.first };
}

/* Whose memory is bounded by what the settings say, and by this file. */
static void
make_tables(struct auth *a)
{
	make_workers(a);
	a->pool = xalloc(AUTH_QUESTIONS_MAX + a->nworkers,
	    sizeof(*a->pool));
	due_init(&a->due, AUTH_ANSWERS_MAX);
	penalty_join(a->penalty, (uint32_t)spawn_self(), 1000ull *
	    (a->conf->role.auth_timeout_s + a->conf->role.auth_fail_delay_s));
	make_cache(a);
}

static void
watch_all(struct auth *a, const struct auth_start *s)
{
	for (size_t i = 0; i < s->nfronts; i++) {
		a->fronts[i] = (struct front){
			.a = a, .index = (uint32_t)i, .link = -1,
		};
		if (s->fronts[i] >= 0)
			front_open(&a->fronts[i], s->fronts[i]);
	}
	loop_watch_init(&a->master_watch, a->loop, a->master, on_master, a);
	loop_watch_set(&a->master_watch, LOOP_READ, LOOP_NEVER);
	loop_watch_init(&a->warden_watch, a->loop, a->warden, on_warden, a);
	loop_watch_set(&a->warden_watch, LOOP_READ, LOOP_NEVER);
	loop_watch_init(&a->timer, a->loop, -1, auth_on_timer, a);
	loop_watch_init(&a->gauges, a->loop, -1, auth_on_gauges, a);
	auth_penalties_changed(a);		/* what others have seen */
	loop_on_signal(a->loop, LOOP_STOP, on_term, a);
}

void
auth_main(const struct auth_start *s)
{
	static struct auth	a;		/* holds passwords: locked */
	struct fault		f;

	shed(s);
	a.conf = s->conf;
	a.penalty = s->penalty;
	a.master = s->master;
	a.warden = s->warden;
	a.log_link = s->log_link;
	a.nfronts = s->nfronts;
	a.leaving = s->leaving;
	log_set_reopen(reopen_log, &a);
	secmem_lock(&a, sizeof(a));
	know_databases(&a);
	make_tables(&a);
	a.loop = loop_new(&f);
	if (a.loop == NULL || (watch_all(&a, s),
	    enter_cage(&a.conf->role, &f)) != 0) {
		log_fault(LEVEL_ERR, "auth-cage", &f);
		spawn_exit(1);
	}
	loop_run(a.loop);
	spawn_exit(0);
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: uid 0 without any right of root's (no capability), files read-only
 * (Landlock), seccomp: it must read private keys whenever they are renewed, and they
 * are root's.  Reads from: the files that tls_certificate names; the master, that
 * there is a new front.  Trusts: those files, as far as OpenSSL's readers go.
 * Gives up, in order: descriptors, limits, capabilities, writing of files, system
 * calls.
 *
 * Files are looked at by their facts, every LOOK_MS.  What is another one is judged
 * first (pair, chain, dates), all of it together, and only what is good goes to the
 * fronts, as open descriptors; they read it in their cages.  What is not is told
 * once, and the old ones serve on.
 */
#include "role/keeper.h"

#include "role/ask_log.h"
#include "role/certificates.h"
#include "role/permit.h"
#include "role/stamp.h"

#include "base/alloc.h"
#include "sys/cage.h"
#include "sys/cage_files.h"
#include "sys/file.h"
#include "sys/identity.h"
#include "sys/loop.h"
#include "sys/spawn.h"
#include "watch/log.h"
#include "watch/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS		5000u
#define DAY_S		86400

struct kept {
	struct certificate_row	row;
	struct stamp		seen[CERTIFICATE_FILES];
	int64_t			ends;		/* seconds since 1970; 0: unknown */
	size_t			told;		/* see certificate_due */
};

struct keeper {
	const struct keeper_start	*a;
	const struct tls_ops		*tls;
	struct loop			*loop;
	struct loop_watch		 master;
	struct loop_watch		 look;
	int				*front;		/* links, own; -1 */
	bool				*due;		/* is to be told */
	struct kept			 kept[TLS_PAIRS_MAX];
	struct stamp			 clients[CLIENTS_FILES];
	size_t				 n;
	bool				 settled;	/* the last look */
	bool				 unread;	/* something may be another one, */
	bool				 renewed;	/* and is */
	bool				 told;		/* why that cannot be read yet */
};

/* --- judging ----------------------------------------------------------------------- */

static bool
names_host(const struct tls_judgement *j, const char *host)
{
	for (size_t i = 0; i < j->nnames; i++)
		if (certificate_names(j->name[i], host))
			return true;
	return false;
}

static void
log_dates(const struct kept *c, const struct tls_judgement *j)
{
	struct log_line	l;
	int64_t		now = (int64_t)time(NULL);

	if (j->begins > now) {
		log_begin(&l, LEVEL_WARN, "tls-not-yet");
		log_str(&l, "file", c->row.chain);
		log_end(&l);
	}
	if (j->ocsp_ends != 0 && j->ocsp_ends <= now) {
		log_begin(&l, LEVEL_WARN, "tls-ocsp-old");
		log_str(&l, "file", c->row.ocsp);
		log_end(&l);
	}
}

/* What tells of clients' certificates. */
static int
judge_clients(struct keeper *k, const struct certificates *files,
    const struct certificate_texts *t, struct fault *f)
{
	int64_t ends;

	if (!files->asks)
		return 0;
	if (k->tls->judge_clients(&t->clients, &ends, f) != 0)
		return -1;
	if (ends != 0 && ends <= (int64_t)time(NULL))
		log_text(LEVEL_ERR, "tls-crl-old", "%s",
		    k->a->conf->auth.client_crl);
	return 0;
}

/* All pairs together; -1: one of them is not good. */
static int
judge(struct keeper *k, const struct certificates *files, struct fault *f)
{
	struct certificate_texts	*t = certificates_read(files, f);
	struct tls_judgement		*j = xalloc(1, sizeof(*j));
	bool				 named = false;
	int64_t				 ends[TLS_PAIRS_MAX];
	size_t				 i = 0;
	bool				 good = t != NULL &&
					    judge_clients(k, files, t, f) == 0;

	for (; good && i < files->n && k->tls->judge(&t->pair[i], j, f) == 0;
	    i++) {
		ends[i] = j->ends;
		named |= names_host(j, k->a->host);
		log_dates(&k->kept[i], j);
	}
	certificate_texts_free(t);
	free(j);
	if (!good || i < files->n)
		return -1;
	for (i = 0; i < files->n; i++)
		if (k->kept[i].ends != ends[i]) {
			k->kept[i].ends = ends[i];
			k->kept[i].told = 0;
		}
	if (!named)
		log_text(LEVEL_WARN, "tls-name", "no certificate has the name %s",
		    k->a->host);
	return 0;
}

/* --- to the fronts ------------------------------------------------------------------- */

static int
send_pair(int link, const struct certificates *c, size_t i, struct fault *f)
{
	const int	*fd = c->one[i].fd;
	bool		 three = fd[CERTIFICATE_OCSP] >= 0;
	UNZEROED struct link_out m;

	link_out_init(&m, three ? MSG_CERTIFICATE_OCSP : MSG_CERTIFICATE);
	link_put_u32(&m, (uint32_t)i);
	link_put_u32(&m, (uint32_t)c->n);
	link_put_span(&m, span_str(c->one[i].name));
	return link_send(link, &m, fd, three ? 3 : 2, f);
}

/* Before the pairs. */
static int
send_clients(int link, const struct certificates *c, struct fault *f)
{
	UNZEROED struct link_out m;
	int	fd[CLIENTS_FILES];
	uint8_t	there = 0;

	if (!c->asks)
		return 0;
	for (size_t i = 0; i < CLIENTS_FILES; i++) {
		bool is = c->clients[i] >= 0;

		there |= (uint8_t)(is << i);
		fd[i] = c->clients[is ? i : CLIENTS_CA];
	}
	link_out_init(&m, MSG_CLIENTS);
	link_put_u8(&m, there);
	return link_send(link, &m, fd, CLIENTS_FILES, f);
}

/* One that takes nothing now is told at the next look, all of it. */
static void
hand_out(struct keeper *k, const struct certificates *c)
{
	struct fault f;

	for (size_t i = 0; i < k->a->nfronts; i++) {
		bool good = !k->due[i] || send_clients(k->front[i], c, &f) == 0;

		for (size_t p = 0; k->due[i] && good && p < c->n; p++)
			good = send_pair(k->front[i], c, p, &f) == 0;
		if (k->due[i] && !good)
			log_fault(LEVEL_DEBUG, "front-link", &f);
		k->due[i] = k->due[i] && !good;
	}
}

static bool
somebody_is_due(const struct keeper *k)
{
	for (size_t i = 0; i < k->a->nfronts; i++)
		if (k->due[i])
			return true;
	return false;
}

/* --- looking -------------------------------------------------------------------------- */

static bool
stamp_renew(struct stamp *seen, const char *path, bool *settled_r)
{
	struct stamp	now;
	bool		same;

	stamp_of(path, &now);
	same = stamp_same(&now, seen);
	*settled_r &= stamp_settled(&now);
	*seen = now;
	return !same;
}

/* Has a file changed since the last look?  *settled_r: and is that all of it? */
static bool
changed(struct keeper *k, bool *settled_r)
{
	bool result = false;

	*settled_r = true;
	for (size_t i = 0; i < k->n; i++)
		for (size_t file = 0; file < CERTIFICATE_FILES; file++)
			result |= stamp_renew(&k->kept[i].seen[file],
			    certificate_path(&k->kept[i].row, file), settled_r);
	for (size_t i = 0; i < CLIENTS_FILES; i++)
		result |= stamp_renew(&k->clients[i],
		    certificates_client_path(k->a->conf, i), settled_r);
	return result;
}

static void
tell_expiry(struct keeper *k)
{
	int64_t		now = (int64_t)time(NULL);
	int64_t		first = 0;
	struct log_line	l;

	for (size_t i = 0; i < k->n; i++) {
		struct kept	*c = &k->kept[i];
		size_t		 due = certificate_due(c->ends - now);

		if (c->ends == 0)
			continue;
		first = first == 0 || c->ends < first ? c->ends : first;
		if (due <= c->told)
			continue;
		c->told = due;
		log_begin(&l, c->ends <= now ? LEVEL_ERR : LEVEL_WARN,
		    c->ends <= now ? "tls-expired" : "tls-expires");
		log_str(&l, "file", c->row.chain);
		log_num(&l, "days", c->ends <= now ? 0 :
		    (uint64_t)((c->ends - now) / DAY_S));
		log_end(&l);
	}
	metric_set(METRIC_TLS_ENDS, (uint64_t)first);
}

static void
make_due(struct keeper *k, bool due)
{
	for (size_t i = 0; i < k->a->nfronts; i++)
		k->due[i] = due && k->front[i] >= 0;
}

/* Whatever lies there now: to those fronts that are due.  After a fault nobody is, till
 * something changes; or till the next look, if that may help. */
static int
deliver(struct keeper *k, struct fault *f)
{
	static struct certificates	files;
	int				result;

	result = certificates_open(k->a->conf, &files, f);
	if (result == 0)
		result = judge(k, &files, f);
	if (result == 0)
		hand_out(k, &files);
	else
		make_due(k, false);
	k->unread = result != 0 && f->class == FAULT_TEMP;
	certificates_close(&files);
	return result;
}

static void
renew(struct keeper *k)
{
	struct fault f;

	if (deliver(k, &f) != 0)
		log_fault(k->told && k->unread ? LEVEL_DEBUG : LEVEL_ERR,
		    "tls-certificate", &f);
	else if (k->renewed)
		log_text(LEVEL_NOTE, "tls-renewed", "%zu certificates", k->n);
	k->told = k->unread;
	k->renewed &= k->unread;
}

/* A renewal of several files is one: it is read when they have come to rest. */
static void
on_look(void *ctx, unsigned what UNUSED)
{
	struct keeper	*k = ctx;
	bool		 settled;

	k->renewed |= changed(k, &settled);
	k->unread |= k->renewed;
	if (k->unread && settled)
		make_due(k, true);
	if (k->unread ? settled : somebody_is_due(k))
		renew(k);
	tell_expiry(k);
	tickets_turn(k->a->tickets);
	loop_watch_set(&k->look, 0, LOOK_MS);
}

/* --- the process ----------------------------------------------------------------------- */

/* A front in place of one that has died: it has read what lies there itself. */
static void
on_master(void *ctx, unsigned what UNUSED)
{
	struct keeper	*k = ctx;
	struct link_in	 in;
	struct fault	 f;
	uint32_t	 index;
	int		 got = link_recv(k->a->master, permit_to_resolver,
			    permit_to_resolver_n, 0, 0, &in, &f);

	if (got < 0)
		log_fault(LEVEL_ERR, "master-link", &f);
	if (got != 1 || in.type == MSG_LEAVE) {
		metric_set(METRIC_TLS_ENDS, 0);
		loop_end(k->loop);
		return;
	}
	index = link_get_u32(&in);
	if (index < k->a->nfronts) {
		fd_close(&k->front[index]);
		k->front[index] = link_get_fd(&in, 0);
		k->due[index] = false;
	}
	link_in_fini(&in);
	loop_watch_set(&k->master, LOOP_READ, LOOP_NEVER);
}

static void
on_stop(void *ctx)
{
	struct keeper *k = ctx;

	loop_end(k->loop);
}

static int
reopen_log(void *ctx)
{
	const struct keeper_start *a = ctx;

	return ask_log(a->log_link);
}

static int
prepare(struct keeper *k, struct fault *f)
{
	const struct conf_list	*rows = &k->a->conf->role.tls_certificate;
	char			 unused[8];

	k->tls = tls_load(f);
	k->loop = k->tls == NULL ? NULL : loop_new(f);
	if (k->loop == NULL)
		return -1;
	k->front = xalloc(k->a->nfronts, sizeof(*k->front));
	k->due = xalloc(k->a->nfronts, sizeof(*k->due));
	for (size_t i = 0; i < k->a->nfronts; i++)
		k->front[i] = k->a->fronts[i];
	for (; k->n < rows->n; k->n++)
		if (!certificate_read(rows->item[k->n], &k->kept[k->n].row, unused,
		    sizeof(unused)))
			return fault_set(f, FAULT_PERM, "tls_certificate");
	loop_watch_init(&k->master, k->loop, k->a->master, on_master, k);
	loop_watch_init(&k->look, k->loop, -1, on_look, k);
	loop_watch_set(&k->master, LOOP_READ, LOOP_NEVER);
	loop_watch_set(&k->look, 0, LOOK_MS);
	loop_on_signal(k->loop, LOOP_STOP, on_stop, k);
	return 0;
}

/* All files may be read, as far as they are root's; none may be written. */
static int
enter_cage(struct fault *f)
{
	AUTO(cage_files_fini) struct cage_files	 c = { .fd = -1 };
	AUTO(fd_close) int			 root = -1;
	struct fault				 without;
	bool					 degraded;

	if (cage_limits(CAGE_KEEPER, f) != 0 || identity_powerless(f) != 0 ||
	    file_open(FILE_CWD, "/", FILE_READ | FILE_DIR, 0, &root, f) != 0 ||
	    cage_files_begin(&c, cage_files_version(&without), f) != 0 ||
	    cage_files_allow(&c, root, CAGE_READ | CAGE_LIST, f) != 0 ||
	    cage_files_enter(&c, f) != 0)
		return -1;
	return cage_enter(CAGE_KEEPER, &degraded, f);
}

void
keeper_main(const struct keeper_start *a)
{
	static struct keeper	k;
	int			*keep = xalloc(a->nfronts + 2, sizeof(*keep));
	size_t			 n = 0;
	bool			 settled;
	struct fault		 f;

	for (; n < a->nfronts; n++)
		keep[n] = a->fronts[n];
	keep[n++] = a->master;
	keep[n++] = a->log_link;
	shed_descriptors(keep, n);
	free(keep);
	k.a = a;
	log_set_reopen(reopen_log, (void *)(uintptr_t)a);
	if (prepare(&k, &f) != 0 || enter_cage(&f) != 0) {
		log_fault(LEVEL_ERR, "keeper-start", &f);
		spawn_exit(1);
	}
	tickets_turn(a->tickets);
	/* Fronts have read by themselves what lay there at the start; not what the one
	 * before us did not live to tell. */
	make_due(&k, a->again);
	(void)changed(&k, &settled);
	if (deliver(&k, &f) != 0)
		log_text(LEVEL_ERR, "tls-certificate", "until this is mended no "
		    "renewal is noticed: %s", f.text);
	k.told = k.unread;
	k.unread |= !settled;	/* a change in the same moment does not show */
	tell_expiry(&k);
	loop_run(k.loop);
	spawn_exit(0);
}

/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root (or the user, with isolation = single); the work itself is done
 * by a child as the user whose maildrop it is.  Reads from: names and owner files
 * in the folders of journals, of promised unique-ids and of indexes, which only the
 * privileged side makes.
 */
#include "role/recover.h"

#include "role/host.h"
#include "role/monitor.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/identity.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Longer than a disk takes for a file of some hundred octets. */
#define LITTER_S	(60 * 60)

/* Indexes are looked through once a day, and those go that nobody has read or written
 * for as long as a user may be away: a maildrop that is there pays with a scan. */
#define SWEEP_S		(24 * 60 * 60)
#define SWEEP_STAMP	"swept"			/* no key begins so */
#define INDEX_S		(60 * SWEEP_S)
#define INDEX_MOST	10000			/* files removed in a day */

/* All journals were looked through: a file in run_dir. */
#define WALK_S		(60 * 60)
#define WALK_STAMP	"recovered"

struct walk {
	const struct settings	*conf;
	int			 dirfd;
	uid_t			 uid;		/* ours */
	char			**keys;		/* owns */
	size_t			 n;
	size_t			 cap;
};

/* A folder below state_dir. */
static int
open_folder(const struct settings *conf, const char *name, int *fd_r,
    struct fault *f)
{
	char path[IDENTITY_PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/%s", conf->role.state_dir, name);
	return file_open(FILE_CWD, path, FILE_READ | FILE_DIR, 0, fd_r, f);
}

/*
 * A file that somebody was about to give its name when he was killed (file_replace),
 * an hour ago at least: no journal, no owner, and of no use.  The folder is ours, so
 * such a name is ours, too; were it still needed (the clock has jumped), whoever
 * makes it could not rename it, and would say that he has no journal: before he
 * touches any mail.
 */
static void
remove_litter(const struct walk *w, const char *name)
{
	struct file_facts	facts;
	struct fault		f;

	if (!file_is_temp(name) ||
	    file_facts_at(w->dirfd, name, &facts, &f) != 0 ||
	    !facts.is_regular || facts.nlink != 1 || facts.uid != w->uid ||
	    time(NULL) - facts.mtime.tv_sec < LITTER_S)
		return;
	if (file_unlink(w->dirfd, name, &f) == 0)
		log_text(LEVEL_NOTE, "journal-litter", "removed %s", name);
	else if (f.err != ENOENT)	/* another one was quicker */
		log_fault(LEVEL_WARN, "journal-litter", &f);
}

static bool
note_other(void *ctx, const char *name)
{
	remove_litter(ctx, name);
	return true;
}

/* Promised unique-ids are written in the same way. */
static void
sweep_promises(const struct settings *conf, uid_t uid)
{
	AUTO(fd_close) int	dirfd = -1;
	struct walk		w = { .conf = conf, .uid = uid };
	struct fault		f;

	if (open_folder(conf, "uidl", &dirfd, &f) == 0) {
		w.dirfd = dirfd;
		if (file_list(dirfd, note_other, &w, &f) == 0)
			return;
	}
	if (f.err != ENOENT)
		log_fault(LEVEL_WARN, "journal-litter", &f);
}

/* ------------------------------------------------------------- indexes */

struct sweep {
	int	dirfd;
	uid_t	uid;		/* ours */
	time_t	before;		/* are old */
	size_t	removed;
};

/*
 * What stands in an index is a hint: who has it open goes on, and whoever comes next
 * scans.  Reading one sets its time as often as the mount's relatime says, a day or
 * less; with noatime only its writing counts.
 */
static bool
sweep_one(void *ctx, const char *name)
{
	struct sweep		*s = ctx;
	struct file_facts	 facts;
	struct fault		 f;

	if (!host_is_journal(name) ||
	    file_facts_at(s->dirfd, name, &facts, &f) != 0 ||
	    !facts.is_regular || facts.nlink != 1 || facts.uid != s->uid ||
	    facts.mtime.tv_sec >= s->before || facts.atime.tv_sec >= s->before)
		return true;
	if (file_unlink(s->dirfd, name, &f) == 0)
		s->removed++;
	else if (f.err != ENOENT)
		log_fault(LEVEL_WARN, "index-sweep", &f);
	return s->removed < INDEX_MOST;
}

/* A file that tells by its time when something was done last. */
static int
open_stamp(int dirfd, const char *name, int *fd_r, struct fault *f)
{
	return file_open(dirfd, name, FILE_READ | FILE_WRITE | FILE_CREATE, 0600,
	    fd_r, f);
}

/* It was set, so many seconds ago at most. */
static bool
stamp_is_fresh(int fd, time_t period)
{
	struct file_facts	facts;
	time_t			now = time(NULL);

	return file_facts(fd, &facts, NULL) == 0 && facts.size > 0 &&
	    facts.mtime.tv_sec <= now && now - facts.mtime.tv_sec < period;
}

/* Is it time?  Then it is not for a day, whatever becomes of this one. */
static bool
sweep_due(int dirfd)
{
	AUTO(fd_close) int	fd = -1;
	struct fault		f;

	if (open_stamp(dirfd, SWEEP_STAMP, &fd, &f) == 0) {
		if (stamp_is_fresh(fd, SWEEP_S))
			return false;
		if (file_pwrite(fd, "\n", 1, 0, &f) == 0)
			return true;
	}
	log_fault(LEVEL_WARN, "index-sweep", &f);
	return false;
}

static void
sweep_indexes(const struct settings *conf, uid_t uid)
{
	AUTO(fd_close) int	dirfd = -1;
	struct sweep		s = { .uid = uid, .before = time(NULL) - INDEX_S };
	struct fault		f;

	if (open_folder(conf, "index", &dirfd, &f) != 0) {
		if (f.err != ENOENT)
			log_fault(LEVEL_WARN, "index-sweep", &f);
		return;
	}
	if (!sweep_due(dirfd))
		return;
	s.dirfd = dirfd;
	if (file_list(dirfd, sweep_one, &s, &f) != 0)
		log_fault(LEVEL_WARN, "index-sweep", &f);
	if (s.removed > 0)
		log_text(LEVEL_NOTE, "index-sweep", "removed %zu", s.removed);
}

/* ------------------------------------------------------------ journals */

/* If there is anything in it; unsure: yes, and who does the work will say why. */
static void
note_open(void *ctx, const char *key)
{
	struct walk		*w = ctx;
	struct file_facts	 facts;
	struct fault		 f;

	if (file_facts_at(w->dirfd, key, &facts, &f) == 0 ? facts.size == 0 :
	    f.err == ENOENT)
		return;
	w->keys = xgrow(w->keys, w->n, &w->cap, sizeof(*w->keys));
	w->keys[w->n++] = xstrdup(key);
}

static bool
note_journal(void *ctx, const char *name)
{
	if (host_is_journal(name))
		note_open(ctx, name);
	else
		remove_litter(ctx, name);
	return true;
}

static int
recover_one(const struct settings *conf, const char *key)
{
	struct identity	id;
	struct fault	f;

	if (host_journal_owner(conf, key, &id, &f) != 0) {
		log_fault(LEVEL_ERR, "recovery-failed", &f);
		return -1;
	}
	return monitor_recover(conf, key, &id);
}

/* Those that were noted.  How many stay open. */
static int
recover_noted(struct walk *w)
{
	int open = 0;

	for (size_t i = 0; i < w->n; i++) {
		if (recover_one(w->conf, w->keys[i]) != 0)
			open++;
		free(w->keys[i]);
	}
	free(w->keys);
	return open;
}

/* The stamp of when all were looked through: in this boot, or it says nothing, for
 * run_dir need not go with one.  -1: it cannot be had. */
static int
open_walk_stamp(const struct settings *conf, bool *fresh_r)
{
	AUTO(fd_close) int	locks = -1;
	AUTO(fd_close) int	dirfd = -1;
	int			fd = -1;
	uint64_t		boot = 0;
	struct fault		f;

	*fresh_r = false;
	if (host_lock_folder(conf, &locks, &f) != 0 ||
	    file_open(FILE_CWD, conf->role.run_dir, FILE_READ | FILE_DIR, 0,
	    &dirfd, &f) != 0 || open_stamp(dirfd, WALK_STAMP, &fd, &f) != 0)
		return -1;
	*fresh_r = stamp_is_fresh(fd, WALK_S) && file_boot() != 0 &&
	    file_pread(fd, &boot, sizeof(boot), 0, &f) == sizeof(boot) &&
	    boot == file_boot();
	return fd;
}

/* Not while one is left open that need not have a lock. */
static void
set_walk_stamp(int fd)
{
	uint64_t	boot = file_boot();
	struct fault	f;

	if (fd >= 0 && file_pwrite(fd, &boot, sizeof(boot), 0, &f) != 0)
		log_fault(LEVEL_DEBUG, "recovery-stamp", &f);
}

int
recover_run(const struct settings *conf, bool quick)
{
	AUTO(fd_close) int	dirfd = -1;
	bool			fresh;
	AUTO(fd_close) int	stamp = open_walk_stamp(conf, &fresh);
	struct walk		w = { .conf = conf };
	struct identity		own;
	struct fault		f;
	int			open;

	identity_own(&own);
	quick = quick && fresh;
	if (!quick) {
		sweep_promises(conf, own.uid);
		sweep_indexes(conf, own.uid);
	}
	if (open_folder(conf, "journal", &dirfd, &f) != 0) {
		if (f.err == ENOENT)
			return 0;	/* no journal was ever made */
		log_fault(LEVEL_ERR, "recovery-failed", &f);
		return 1;
	}
	w.uid = own.uid;
	w.dirfd = dirfd;
	if ((quick ? host_each_lock(conf, note_open, &w, &f) :
	    file_list(dirfd, note_journal, &w, &f)) != 0) {
		log_fault(LEVEL_ERR, "recovery-failed", &f);
		return 1;
	}
	open = recover_noted(&w);
	if (!quick && open == 0)
		set_walk_stamp(stamp);
	return open;
}

void
recover_beside(const struct settings *conf)
{
	struct fault	f;
	pid_t		pid = spawn_fork(&f);

	if (pid == 0) {
		spawn_name("popper-recover");
		spawn_exit(recover_run(conf, false) == 0 ? 0 : 1);
	}
	if (pid < 0)
		log_fault(LEVEL_ERR, "recovery-fork", &f);
}

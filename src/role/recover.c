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

/* Is it time?  Then it is not for a day, whatever becomes of this one. */
static bool
sweep_due(int dirfd, time_t now)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;
	struct fault		f;

	if (file_open(dirfd, SWEEP_STAMP, FILE_WRITE | FILE_CREATE, 0600, &fd,
	    &f) == 0 && file_facts(fd, &facts, &f) == 0) {
		if (facts.size > 0 && facts.mtime.tv_sec <= now &&
		    now - facts.mtime.tv_sec < SWEEP_S)
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
	time_t			now = time(NULL);
	struct sweep		s = { .uid = uid, .before = now - INDEX_S };
	struct fault		f;

	if (open_folder(conf, "index", &dirfd, &f) != 0) {
		if (f.err != ENOENT)
			log_fault(LEVEL_WARN, "index-sweep", &f);
		return;
	}
	if (!sweep_due(dirfd, now))
		return;
	s.dirfd = dirfd;
	if (file_list(dirfd, sweep_one, &s, &f) != 0)
		log_fault(LEVEL_WARN, "index-sweep", &f);
	if (s.removed > 0)
		log_text(LEVEL_NOTE, "index-sweep", "removed %zu", s.removed);
}

/* ------------------------------------------------------------ journals */

static bool
note_journal(void *ctx, const char *name)
{
	struct walk		*w = ctx;
	struct file_facts	 facts;
	struct fault		 f;

	if (!host_is_journal(name)) {
		remove_litter(w, name);
		return true;
	}
	if (file_facts_at(w->dirfd, name, &facts, &f) != 0 || facts.size == 0)
		return true;
	w->keys = xgrow(w->keys, w->n, &w->cap, sizeof(*w->keys));
	w->keys[w->n++] = xstrdup(name);
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

int
recover_run(const struct settings *conf)
{
	AUTO(fd_close) int	dirfd = -1;
	struct walk		w = { .conf = conf };
	struct identity		own;
	struct fault		f;
	int			open = 0;

	identity_own(&own);
	sweep_promises(conf, own.uid);
	sweep_indexes(conf, own.uid);
	if (open_folder(conf, "journal", &dirfd, &f) != 0) {
		if (f.err == ENOENT)
			return 0;	/* no journal was ever made */
		log_fault(LEVEL_ERR, "recovery-failed", &f);
		return 1;
	}
	w.uid = own.uid;
	w.dirfd = dirfd;
	if (file_list(dirfd, note_journal, &w, &f) != 0) {
		log_fault(LEVEL_ERR, "recovery-failed", &f);
		return 1;
	}
	for (size_t i = 0; i < w.n; i++) {
		if (recover_one(conf, w.keys[i]) != 0)
			open++;
		free(w.keys[i]);
	}
	free(w.keys);
	return open;
}

void
recover_beside(const struct settings *conf)
{
	struct fault	f;
	pid_t		pid = spawn_fork(&f);

	if (pid == 0) {
		spawn_name("popper-recover");
		spawn_exit(recover_run(conf) == 0 ? 0 : 1);
	}
	if (pid < 0)
		log_fault(LEVEL_ERR, "recovery-fork", &f);
}

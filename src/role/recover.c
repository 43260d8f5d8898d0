/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root (or the user, with isolation = single); the work itself is done
 * by a child as the user whose maildrop it is.  Reads from: names and owner files
 * in the folders of journals and of promised unique-ids, which only the privileged
 * side writes.
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

struct walk {
	const struct settings	*conf;
	int			 dirfd;
	uid_t			 uid;		/* ours */
	char			**keys;		/* owns */
	size_t			 n;
	size_t			 cap;
};

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
	char			path[IDENTITY_PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/uidl", conf->role.state_dir);
	if (file_open(FILE_CWD, path, FILE_READ | FILE_DIR, 0, &dirfd, &f) == 0) {
		w.dirfd = dirfd;
		if (file_list(dirfd, note_other, &w, &f) == 0)
			return;
	}
	if (f.err != ENOENT)
		log_fault(LEVEL_WARN, "journal-litter", &f);
}

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
	char			path[IDENTITY_PATH_MAX + 16];
	int			open = 0;

	identity_own(&own);
	sweep_promises(conf, own.uid);
	(void)snprintf(path, sizeof(path), "%s/journal", conf->role.state_dir);
	if (file_open(FILE_CWD, path, FILE_READ | FILE_DIR, 0, &dirfd,
	    &f) != 0) {
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

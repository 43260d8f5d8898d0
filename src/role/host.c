/* SPDX-License-Identifier: ISC */
/*
 * A maildrop as the privileged side has it: from open to close, with its dotlock.
 *
 * Runs as: root in the monitor (the user himself with isolation = single).
 * Reads from: the configuration, the folders named there, the identity that a
 * worker found; no octet of a client's.
 * Trusts: nothing below a user's folder: what is done there is done with the
 * user's own rights (host_rights_begin), names are one component beneath an open
 * folder.
 */
#include "role/host.h"

#include "role/host_priv.h"

#include "sys/file.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Who names a home has one, also while it is away (not mounted): were the state
 * folder used meanwhile, its number of bulletins would be another one.
 * Debian's name for none is /nonexistent.
 */
static bool
has_home(const struct identity *id)
{
	static const char	none[] = "/nonexistent";
	size_t			n = sizeof(none) - 1;

	return id->home[0] != '\0' && (strncmp(id->home, none, n) != 0 ||
	    (id->home[n] != '\0' && id->home[n] != '/'));
}

/* Users without a home keep their state with us, in a folder of their own. */
static int
user_folder(struct host *h, struct fault *f)
{
	AUTO(fd_close) int	 users = -1;
	AUTO(fd_close) int	 own = -1;
	char			 safe[HOST_KEY_MAX];

	h->has_home = has_home(h->id);
	if (h->has_home && h->conf->drop.status_headers)
		return 0;
	if (path_component(safe, sizeof(safe), h->id->user, f) != 0 ||
	    own_folder(h->conf->role.state_dir, "users", 0711, &users, f) != 0 ||
	    file_mkdir(users, safe, 0700, f) != 0 ||
	    file_open(users, safe, FILE_READ | FILE_DIR, 0, &own, f) != 0)
		return -1;
	if (identity_is_root() && file_chown(own, h->id->uid, h->id->gid, f) != 0)
		return -1;
	return path_printf(h->user_dir, sizeof(h->user_dir), f, "%s/users/%s",
	    h->conf->role.state_dir, safe);
}

int
host_open(struct host *h, const struct settings *conf,
    const struct identity *id, struct fault *f)
{
	return host_open_again(h, conf, id, HOST_ANY, f);
}

int
host_open_again(struct host *h, const struct settings *conf,
    const struct identity *id, enum host_which which, struct fault *f)
{
	*h = (struct host){
		.conf = conf,
		.id = id,
		.which = which,
		.dirfd = -1,
		.session_lock = -1,
		.journal = -1,
		.promises = -1,
	};
	if (host_find_or_make(h, f) != 0 || user_folder(h, f) != 0 ||
	    host_find_sender(h, f) != 0) {
		host_close(h);
		return -1;
	}
	return 0;
}

int
host_attach(struct host *h, const struct settings *conf,
    const struct identity *id, const struct host_facts *facts, struct fault *f)
{
	*h = (struct host){
		.conf = conf,
		.id = id,
		.dirfd = -1,
		.session_lock = -1,
		.journal = -1,
		.promises = -1,
		.system_spool = facts->system_spool,
		.locked = facts->locked,
		.which = facts->which,
		.dotlock = facts->dotlock,
	};
	return path_printf(h->path, sizeof(h->path), f, "%s", facts->path) != 0 ||
	    path_printf(h->key, sizeof(h->key), f, "%s", facts->key) != 0 ||
	    path_printf(h->lock, sizeof(h->lock), f, "%s", facts->lock) != 0 ?
	    -1 : 0;
}

/* Who is attached has no folder open, until there is a dotlock to do with. */
static int
need_folder(struct host *h, struct fault *f)
{
	char dir[IDENTITY_PATH_MAX + 1];

	if (!h->system_spool || h->dirfd >= 0)
		return 0;
	return host_split(h, dir, sizeof(dir), f) != 0 ? -1 :
	    file_open(FILE_CWD, dir, FILE_READ | FILE_DIR | FILE_FOLLOW, 0,
	    &h->dirfd, f);
}

void
host_detach(struct host *h, struct host_facts *facts)
{
	facts->locked = h->locked;
	facts->dotlock = h->dotlock;
	fd_close(&h->dirfd);
}

void
host_facts_fini(struct host_facts *facts)
{
	free(facts->path);
	free(facts->key);
	free(facts->lock);
	facts->path = facts->key = facts->lock = NULL;
}

static void
drop_dotlock(struct host *h)
{
	struct fault f;

	if (h->dotlock.ino != 0 && host_unlock(h, &f) != 0)
		log_fault(LEVEL_WARN, "drop-unlock-failed", &f);
}

bool
host_leave(struct host *h)
{
	bool open = host_is_unfinished(h);

	if (open)
		return false;
	drop_dotlock(h);
	if (h->locked)
		host_session_sweep(h);
	return true;
}

void
host_close(struct host *h)
{
	drop_dotlock(h);
	host_session_unlock(h);
	fd_close(&h->journal);
	fd_close(&h->promises);
	fd_close(&h->dirfd);
}

int
host_rights_begin(const struct host *h, struct fault *f)
{
	struct file_facts dir;

	if (!identity_is_root())
		return 0;
	if (!h->system_spool)
		return identity_fs_begin(h->id->uid, h->id->gid, f);
	if (file_facts(h->dirfd, &dir, f) != 0)
		return -1;
	return identity_fs_begin(h->id->uid, dir.gid, f);
}

void
host_rights_end(void)
{
	if (identity_is_root())
		identity_fs_end();
}

/* A missing spool is made, for the user, as Debian's MTAs make it. */
static int
make_spool(struct host *h, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	int			result;

	/* Never root's, not even for a moment: we may die in it. */
	if (host_rights_begin(h, f) != 0)
		return -1;
	result = file_open(h->dirfd, h->name, FILE_WRITE | FILE_CREATE |
	    FILE_EXCLUSIVE, 0660, &fd, f);
	host_rights_end();
	return result == 0 || f->err == EEXIST ? 0 : -1;
}

int
host_lock(struct host *h, enum drop_lock_purpose why, struct fault *f)
{
	pid_t	pid = why == DROP_LOCK_UPDATE ? 0 : spawn_self();
	int	result;

	if (!h->system_spool)
		return fault_set(f, FAULT_PEER, "no dotlock of ours here");
	if (need_folder(h, f) != 0 || host_rights_begin(h, f) != 0)
		return -1;
	/* One that is held is of a session that died: recovery. */
	result = h->dotlock.ino == 0 ? -1 : dotlock_repid(h->dirfd, h->name,
	    &h->dotlock, pid, f);
	if (result != 0)
		result = dotlock_take(h->dirfd, h->name, pid, &h->dotlock, f);
	if (result != 0 && f->class == FAULT_IN_USE && h->locked)
		result = dotlock_adopt(h->dirfd, h->name, h->id->uid,
		    &h->dotlock, f);
	host_rights_end();
	if (result != 0)
		return -1;
	if (why == DROP_LOCK_UPDATE && make_spool(h, f) != 0) {
		struct fault second;

		if (!host_journal_open(h) && host_unlock(h, &second) != 0)
			log_fault(LEVEL_WARN, "drop-unlock-failed", &second);
		return fault_prefix(f, "%s: ", h->path);
	}
	return 0;
}

void
host_lock_ahead(struct host *h)
{
	struct fault not_yet;

	if (h->system_spool && !host_journal_open(h) &&
	    host_lock(h, DROP_LOCK_SCAN, &not_yet) != 0)
		h->dotlock.ino = 0;
}

int
host_refresh(struct host *h, struct fault *f)
{
	int result;

	if (h->dotlock.ino == 0)
		return fault_set(f, FAULT_PEER, "no dotlock is held");
	if (need_folder(h, f) != 0 || host_rights_begin(h, f) != 0)
		return -1;
	result = dotlock_refresh(h->dirfd, h->name, &h->dotlock, f);
	host_rights_end();
	return result;
}

int
host_unlock(struct host *h, struct fault *f)
{
	int result;

	if (h->dotlock.ino == 0)
		return fault_set(f, FAULT_PEER, "no dotlock is held");
	if (need_folder(h, f) != 0 || host_rights_begin(h, f) != 0)
		return -1;
	result = dotlock_release(h->dirfd, h->name, &h->dotlock, f);
	host_rights_end();
	/* Still ours, if it is there: for the next lock, or to be removed at the end. */
	if (result == 0 || f->class == FAULT_IN_USE || f->err == ENOENT)
		h->dotlock.ino = 0;
	return result;
}

int
host_tempfile(struct host *h, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (file_open_unnamed(h->temp, &fd, f) != 0 ||
	    (identity_is_root() && file_chown(fd, h->id->uid, h->id->gid, f) != 0))
		return fault_prefix(f, "temporary file in %s: ", h->temp);
	*fd_r = fd_take(&fd);
	return 0;
}

/* Root's, in the midst of what is done with the user's rights on files. */
static int
copy_tempfile(void *ctx, int *fd_r, struct fault *f)
{
	struct host	*h = ctx;
	int		 r;

	host_rights_end();
	r = host_tempfile(h, fd_r, f);
	ASSERT(host_rights_begin(h, f) == 0);
	return r;
}

static void
copy_tell(void *ctx, const char *id, const char *text)
{
	const struct host	*h = ctx;
	struct log_line		 l;

	log_begin(&l, LEVEL_WARN, id);
	log_str(&l, "user", h->id->user);
	log_str(&l, "text", text);
	log_end(&l);
}

/* We have the rights of a program of the user's that is set-gid mail, so the dotlock
 * is made as in a folder of his own. */
int
host_copy(struct host *h, uint64_t most, int *fd_r, uint64_t *size_r,
    struct fault *f)
{
	const struct drop_host	ask = {
		.ctx = h,
		.tempfile = copy_tempfile,
		.tell = copy_tell,
	};
	const struct drop_conf	c = {
		.path = h->path,
		.uid = h->id->uid,
		.journal_fd = -1,
		.memory_max = HOST_MEMORY_MAX,
		.host = &ask,
	};
	int			r;

	if (h->maildir)
		return fault_set(f, FAULT_PERM, "%s is a Maildir", h->path);
	if (host_rights_begin(h, f) != 0)
		return -1;
	r = mbox_copy(&c, most, fd_r, size_r, f);
	host_rights_end();
	return r;
}

/* Ours, so it counts for no user's quota; what is in it the session's to say. */
int
host_index(struct host *h, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int dirfd = -1;

	if (own_folder(h->conf->role.state_dir, "index", 0700, &dirfd, f) != 0 ||
	    file_open(dirfd, h->key, FILE_READ | FILE_WRITE | FILE_CREATE, 0600,
	    fd_r, f) != 0)
		return fault_prefix(f, "index %s: ", h->key);
	return 0;
}

/* What an older popper may have left beside the spool. */
static int
legacy_name(const struct host *h, char *out, size_t cap, struct fault *f)
{
	return path_printf(out, cap, f, ".%s.pop", h->name);
}

bool
host_has_legacy(const struct host *h)
{
	struct file_facts	facts;
	struct fault		f;
	char			name[IDENTITY_PATH_MAX + 16];

	if (legacy_name(h, name, sizeof(name), &f) != 0)
		return true;
	return file_facts_at(h->dirfd, name, &facts, &f) != 0 ?
	    f.err != ENOENT : !facts.is_regular || facts.size > 0;
}

bool
host_has_remains(const struct host *h)
{
	struct file_facts	facts;
	struct fault		f;
	char			name[IDENTITY_PATH_MAX + 16];

	return host_journal_open(h) || legacy_name(h, name, sizeof(name), &f) != 0 ||
	    file_facts_at(h->dirfd, name, &facts, &f) == 0 || f.err != ENOENT;
}

int
host_drop_legacy(struct host *h, struct fault *f)
{
	struct file_facts	facts;
	char			name[IDENTITY_PATH_MAX + 16];
	int			result;

	if (legacy_name(h, name, sizeof(name), f) != 0)
		return -1;
	if (host_rights_begin(h, f) != 0)
		return -1;
	result = file_facts_at(h->dirfd, name, &facts, f);
	if (result == 0 && (!facts.is_regular || facts.uid != h->id->uid ||
	    facts.size != 0))
		result = fault_set(f, FAULT_PERM, "%s is not empty", name);
	if (result == 0)
		result = file_unlink(h->dirfd, name, f);
	host_rights_end();
	return result;
}

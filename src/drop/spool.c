/* SPDX-License-Identifier: ISC */
#include "drop/spool.h"

#include "sys/lock.h"
#include "sys/sock.h"
#include "sys/spawn.h"

#include <errno.h>
#include <stdio.h>

#define REFRESH_MS	30000		/* liblockfile: once a minute */
#define SLEEP_MIN_MS	20
#define SLEEP_MAX_MS	500
#define PID_NOBODY	0		/* such a lock waits for its age limit */

void
spool_init(struct spool *s, const struct drop_conf *c)
{
	*s = (struct spool){ .conf = c, .fd = -1, .dirfd = -1 };
}

int
spool_check_owner(const struct file_facts *facts, uid_t uid, const char *path,
    struct fault *f)
{
	if (!facts->is_regular)
		return fault_set(f, FAULT_PERM, "%s is not a regular file", path);
	if (facts->uid != uid)
		return fault_set(f, FAULT_PERM, "%s belongs to uid %u, not to "
		    "uid %u", path, (unsigned)facts->uid, (unsigned)uid);
	if (facts->nlink != 1)
		return fault_set(f, FAULT_PERM, "%s has %llu links, not one",
		    path, (unsigned long long)facts->nlink);
	return 0;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool
spool_same_state(const struct file_facts *a, const struct file_facts *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    same_time(&a->mtime, &b->mtime) && same_time(&a->ctime, &b->ctime);
}

/* --------------------------------------------------------- the dotlock */

int
spool_folder(struct spool *s, struct fault *f)
{
	const char	*path = s->conf->path;
	const char	*slash = strrchr(path, '/');
	char		 folder[1024];
	struct span	 dir = slash == NULL ? SPAN(".") :
			    slash == path ? SPAN("/") :
			    span_of(path, (size_t)(slash - path));

	if (s->dirfd >= 0)
		return 0;
	if (!span_cstr(dir, folder, sizeof(folder)) ||
	    !span_cstr(span_str(slash == NULL ? path : slash + 1), s->name,
	    sizeof(s->name)) || s->name[0] == '\0')
		return fault_set(f, FAULT_PERM, "%s: no path of a maildrop",
		    path);
	return file_open(FILE_CWD, folder, FILE_READ | FILE_DIR | FILE_FOLLOW,
	    0, &s->dirfd, f);
}

static uint64_t
lock_inode(const struct spool *s)
{
	struct file_facts	facts;
	char			name[SPOOL_NAME_MAX + 8];

	(void)snprintf(name, sizeof(name), "%s.lock", s->name);
	return file_facts_at(s->dirfd, name, &facts, NULL) == -1 ||
	    facts.uid != s->conf->uid ? 0 : facts.ino;
}

uint64_t
spool_own_lock(const struct spool *s)
{
	return s->conf->host->lock != NULL ? 0 : lock_inode(s);
}

static int
dot_lock(struct spool *s, enum drop_lock_purpose why, uint64_t owned,
    struct fault *f)
{
	const struct drop_host *h = s->conf->host;

	if (h->lock != NULL)
		return h->lock(h->ctx, why, f);
	s->dotlock.ino = owned;
	if (owned != 0 && lock_inode(s) == owned)
		return dotlock_refresh(s->dirfd, s->name, &s->dotlock, f);
	if (dotlock_take(s->dirfd, s->name, s->pending ? PID_NOBODY :
	    spawn_self(), &s->dotlock, f) == 0)
		return 0;
	/* Left by an UPDATE that died: no other is at work here now. */
	return f->class == FAULT_IN_USE ? dotlock_adopt(s->dirfd, s->name,
	    s->conf->uid, &s->dotlock, f) : -1;
}

int
spool_hold(struct spool *s, struct fault *f)
{
	return s->conf->host->lock != NULL ? 0 :
	    dotlock_repid(s->dirfd, s->name, &s->dotlock, PID_NOBODY, f);
}

static void
dot_unlock(struct spool *s)
{
	const struct drop_host *h = s->conf->host;
	struct fault f;
	int r;

	r = h->lock != NULL ? h->unlock(h->ctx, &f) :
	    dotlock_release(s->dirfd, s->name, &s->dotlock, &f);
	s->dot = false;
	/* It goes stale in five minutes; the operator should know. */
	if (r == -1)
		h->tell(h->ctx, "drop-unlock", f.text);
}

int
spool_tick(struct spool *s, struct fault *f)
{
	const struct drop_host	*h = s->conf->host;
	uint64_t		 now = clock_ms();

	if (!s->locked || now - s->fresh_ms < REFRESH_MS)
		return 0;
	s->fresh_ms = now;
	return h->lock != NULL ? h->refresh(h->ctx, f) :
	    dotlock_refresh(s->dirfd, s->name, &s->dotlock, f);
}

/* -------------------------------------------------------------- locking */

static int
open_spool(struct spool *s, enum drop_lock_purpose why, struct fault *f)
{
	/* That we read it says nothing about the user: see biff(1). */
	unsigned how = FILE_READ | FILE_WRITE | FILE_NOATIME;
	int	 r;

	/* In a system folder the host makes it, together with the dotlock. */
	if (why == DROP_LOCK_UPDATE && s->conf->host->lock == NULL)
		how |= FILE_CREATE;
	r = file_open(s->dirfd, s->name, how, 0600, &s->fd, f);
	/* Somebody has a lease on it, as a session in lock_is_sole: he is told by
	 * that, and it is given back. */
	if (r == -1 && f->err == EWOULDBLOCK)
		f->class = FAULT_IN_USE;
	return r;
}

/* Is what we locked still what the path names? */
static int
check_named(struct spool *s, struct fault *f)
{
	struct file_facts named;

	if (file_facts(s->fd, &s->facts, f) == -1)
		return -1;
	if (file_facts_at(s->dirfd, s->name, &named, f) == -1) {
		if (f->err == ENOENT)
			f->class = FAULT_IN_USE;
		return -1;
	}
	if (named.dev != s->facts.dev || named.ino != s->facts.ino)
		return fault_set(f, FAULT_IN_USE,
		    "another program is replacing %s", s->conf->path);
	return spool_check_owner(&s->facts, s->conf->uid, s->conf->path, f);
}

static int
have_dot(struct spool *s, enum drop_lock_purpose why, uint64_t owned,
    struct fault *f)
{
	int r = dot_lock(s, why, owned, f);

	s->dot = r == 0;
	return r;
}

/*
 * One try.  The file comes first, since its lock is the cheap one, but when
 * there is no file to lock the dotlock is what lets us make one.
 */
static int
try_lock(struct spool *s, enum drop_lock_purpose why, uint64_t owned,
    struct fault *f)
{
	const struct drop_host	*h = s->conf->host;
	int			 r = open_spool(s, why, f);

	if (r == -1 && f->err == ENOENT && why == DROP_LOCK_SCAN)
		return 0;
	if (r == -1 && f->err != ENOENT)
		return -1;
	/* One that is held already is ours, to be given back when we fail. */
	if (r == 0 && why == DROP_LOCK_SCAN && h->dotlocked)
		r = have_dot(s, why, owned, f);
	else if (r == -1)
		r = 0;
	if (r == 0 && s->fd != -1)
		r = lock_fcntl(s->fd, true, f);
	if (r == 0 && !s->dot)
		r = have_dot(s, why, owned, f);
	if (r == 0 && s->fd == -1) {
		r = open_spool(s, why, f);
		if (r == 0)
			r = lock_fcntl(s->fd, true, f);
	}
	if (r == 0)
		r = check_named(s, f);
	/* It may be new: its name must be as durable as what goes into it. */
	if (r == 0 && why == DROP_LOCK_UPDATE && s->facts.size == 0)
		r = file_sync(s->dirfd, f);
	if (r == 0) {
		s->locked = true;
		s->fresh_ms = clock_ms();
		return 0;
	}
	/* What is half written must not be seen, least of all when we cannot
	 * go on; but what only the operator can judge must take new mail. */
	if (s->dot && (!s->pending || f->class == FAULT_PERM))
		dot_unlock(s);
	fd_close(&s->fd);
	return -1;
}

static void
sleep_a_while(const struct spool *s, unsigned *most_ms)
{
	const struct drop_host	*h = s->conf->host;
	uint64_t		 start = clock_ms();
	uint32_t		 r;

	random_bytes(&r, sizeof(r));
	clock_sleep(SLEEP_MIN_MS + r % *most_ms);
	*most_ms = *most_ms < SLEEP_MAX_MS / 2 ? *most_ms * 2 : SLEEP_MAX_MS;
	if (h->waited != NULL)
		h->waited(h->ctx, clock_ms() - start);
}

int
spool_lock(struct spool *s, enum drop_lock_purpose why, uint64_t owned,
    struct fault *f)
{
	struct fault	 why_not = { .class = FAULT_NONE };
	uint64_t	 start = clock_ms();
	unsigned	 most_ms = SLEEP_MIN_MS;

	fd_close(&s->fd);
	if (spool_folder(s, &why_not) == -1) {
		if (why_not.err == ENOENT && why == DROP_LOCK_SCAN)
			return 0;
		*f = why_not;
		return -1;
	}
	while (try_lock(s, why, owned, &why_not) == -1) {
		if (why_not.class != FAULT_IN_USE) {
			*f = why_not;
			return fault_prefix(f, "lock %s: ", s->conf->path);
		}
		if (clock_ms() - start >= s->conf->lock_timeout_s * 1000ULL) {
			*f = why_not;
			return fault_prefix(f, "%s is locked, given up after "
			    "%u s (is no program at it? remove the lock): ", s->conf->path, s->conf->lock_timeout_s);
		}
		sleep_a_while(s, &most_ms);
	}
	return 0;
}

void
spool_unlock(struct spool *s)
{
	struct fault f;

	if (!s->locked)
		return;
	s->locked = false;
	/* The dotlock goes last: who waits for it finds the file free. */
	if (lock_fcntl_release(s->fd, &f) == -1)
		s->conf->host->tell(s->conf->host->ctx, "drop-unlock", f.text);
	dot_unlock(s);
}

void
spool_fini(struct spool *s)
{
	fd_close(&s->fd);
	fd_close(&s->dirfd);
	s->locked = false;
}

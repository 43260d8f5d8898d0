/* SPDX-License-Identifier: ISC */
/*
 * Changing a file of rows.  The lock is on the file itself; since a writer puts a
 * new file in its place, who got the lock looks whether the name still means the file
 * that it locked.
 */
#include "auth/auth_priv.h"

#include "sys/file.h"
#include "sys/lock.h"

#include <stdio.h>

#define LOCK_TRIES	100
#define LOCK_PAUSE_MS	100
#define NAME_MAX_OCTETS	255
#define NEW_FILE_MODE	0600

struct place {
	char	name[NAME_MAX_OCTETS + 1];	/* in the folder */
	char	fresh[NAME_MAX_OCTETS + 1];	/* beside it */
	int	dir;				/* owns */
	int	fd;				/* owns; locked */
};

static void
place_close(struct place *at)
{
	fd_close(&at->fd);
	fd_close(&at->dir);
}

static int
open_folder(const char *path, struct place *at, struct fault *f)
{
	char		 folder[IDENTITY_PATH_MAX + 1];
	const char	*slash = strrchr(path, '/');
	const char	*name = slash == NULL ? path : slash + 1;
	size_t		 n = slash == NULL ? 0 : (size_t)(name - path);
	int		 made;

	if (!span_cstr(span_of(path, n), folder, sizeof(folder)) ||
	    !span_cstr(span_str(name), at->name, sizeof(at->name)) ||
	    at->name[0] == '\0')
		return fault_set(f, FAULT_PROTO, "%s: no name of a file", path);
	made = snprintf(at->fresh, sizeof(at->fresh), "%s.new", at->name);
	if (made < 0 || (size_t)made >= sizeof(at->fresh))
		return fault_set(f, FAULT_PROTO, "%s: the name is too long",
		    path);
	return file_open(FILE_CWD, n == 0 ? "." : folder, FILE_READ | FILE_DIR |
	    FILE_FOLLOW, 0, &at->dir, f);
}

static bool
still_there(const struct place *at)
{
	struct file_facts	held;
	struct file_facts	named;

	return file_facts(at->fd, &held, NULL) == 0 &&
	    file_facts_at(at->dir, at->name, &named, NULL) == 0 &&
	    held.dev == named.dev && held.ino == named.ino;
}

static int
open_locked(struct place *at, unsigned how, struct fault *f)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (file_open(at->dir, at->name, how, NEW_FILE_MODE, &at->fd,
		    f) < 0)
			return -1;
		if (lock_flock(at->fd, f) == 0) {
			if (still_there(at))
				return 0;
		} else if (f->class != FAULT_IN_USE) {
			return -1;
		} else {
			clock_sleep(LOCK_PAUSE_MS);
		}
		fd_close(&at->fd);
	}
	return fault_set(f, FAULT_IN_USE, "%s: somebody else is changing it",
	    at->name);
}

static int
read_all(int fd, struct buf *out, struct fault *f)
{
	struct file_facts	 facts;
	uint8_t			*p;
	ssize_t			 n;

	buf_init(out, 0);
	if (file_facts(fd, &facts, f) < 0)
		return -1;
	if (facts.size >= AUTH_FILE_MAX)
		return fault_set(f, FAULT_LIMIT, "larger than %u octets",
		    AUTH_FILE_MAX);
	buf_init(out, (size_t)facts.size);
	if (facts.size == 0)
		return 0;
	p = buf_reserve(out, (size_t)facts.size);
	ASSERT(p != NULL);
	n = file_slurp(fd, p, (size_t)facts.size, f);
	if (n < 0)
		return -1;
	buf_extend(out, (size_t)n);
	return 0;
}

/* The fresh file is complete, durable and its owner's before it has the name. */
static int
replace(const struct place *at, struct span text, struct fault *f)
{
	AUTO(fd_close) int	fresh = -1;
	struct file_facts	old;
	struct file_facts	now;

	if (file_facts(at->fd, &old, f) < 0 ||
	    file_replace(at->dir, at->fresh, old.mode, text, f) < 0 ||
	    file_open(at->dir, at->fresh, FILE_READ, 0, &fresh, f) < 0 ||
	    file_facts(fresh, &now, f) < 0)
		return -1;
	/* Who owns the folder could have put another file under that name. */
	if (now.nlink != 1 || now.ino == old.ino || now.size != text.n)
		return fault_set(f, FAULT_PERM, "%s was exchanged", at->fresh);
	if ((now.uid != old.uid || now.gid != old.gid) &&
	    file_chown(fresh, old.uid, old.gid, f) < 0)
		return -1;
	if (file_sync(fresh, f) < 0 ||
	    file_rename(at->dir, at->fresh, at->name, f) < 0)
		return -1;
	return file_sync(at->dir, f);
}

/* After a failure; there may be nothing of that name yet. */
static void
forget_fresh(const struct place *at)
{
	if (file_unlink(at->dir, at->fresh, NULL) < 0)
		return;
}

static int
rewrite(struct place *at, file_edit_fn *edit, void *ctx, size_t more,
    struct fault *f)
{
	AUTO(buf_fini) struct buf	old = { 0 };
	AUTO(buf_fini) struct buf	text = { 0 };

	if (read_all(at->fd, &old, f) < 0)
		return -1;
	buf_init(&text, buf_len(&old) + more);
	if (edit(ctx, buf_span(&old), &text, f) < 0)
		return -1;
	/* Who judges logins would not read it. */
	if (buf_len(&text) >= AUTH_FILE_MAX)
		return fault_set(f, FAULT_LIMIT, "no room: it would have %u octets"
		    " or more", AUTH_FILE_MAX);
	if (replace(at, buf_span(&text), f) == 0)
		return 0;
	forget_fresh(at);
	return -1;
}

int
file_edit(const char *path, bool create, size_t more, file_edit_fn *edit,
    void *ctx, struct fault *f)
{
	AUTO(place_close) struct place	at = { .dir = -1, .fd = -1 };
	unsigned			how = FILE_READ;

	if (create)
		how |= FILE_WRITE | FILE_CREATE;
	if (open_folder(path, &at, f) < 0 || open_locked(&at, how, f) < 0 ||
	    rewrite(&at, edit, ctx, more, f) < 0)
		return fault_prefix(f, "%s: ", path);
	return 0;
}

int
file_text(const char *path, struct buf *out, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (file_open(FILE_CWD, path, FILE_READ | FILE_FOLLOW, 0, &fd, f) < 0 ||
	    read_all(fd, out, f) < 0)
		return fault_prefix(f, "%s: ", path);
	return 0;
}

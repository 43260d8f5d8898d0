/* SPDX-License-Identifier: ISC */
/*
 * Unique-ids that were promised for a maildrop (drop/promise.h): the file of them.
 *
 * Runs as: root in the monitor (the user himself with isolation = single).
 * Reads from: state_dir; a temporary file of the session's with those that no message
 * has.
 * Trusts: what is in state_dir.
 */
#include "role/host_priv.h"

#include "drop/promise.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "sys/file.h"

#include <errno.h>
#include <stdlib.h>

int
host_find_promises(struct host *h, struct fault *f)
{
	UNZEROED char path[OWN_PATH_MAX];

	if (own_path(path, h->conf->role.state_dir, "uidl", h->key, f) != 0)
		return -1;
	return file_open(FILE_CWD, path, FILE_READ, 0, &h->promises, f) == 0 ||
	    f->err == ENOENT ? 0 :
	    fault_prefix(f, "promised unique-ids, %s: ", path);
}

int
host_promise(const struct host *h, struct span text, struct fault *f)
{
	AUTO(fd_close) int dirfd = -1;

	return own_folder(h->conf->role.state_dir, "uidl", 0700, &dirfd, f) != 0 ||
	    (h->promises >= 0 && lock_flock(h->promises, f) != 0) ||
	    file_replace(dirfd, h->key, 0600, text, f) != 0 ?
	    fault_prefix(f, "promised unique-ids: ") : 0;
}

/*
 * Its session may be dead by now, and somebody else have its lock.  So the file that
 * is there is locked, and written only while it is there.
 */
static int
lock_promises(struct host *h, struct fault *f)
{
	struct file_facts facts;

	fd_close(&h->promises);
	if (host_find_promises(h, f) != 0)
		return -1;
	if (h->promises < 0)
		return fault_set(f, FAULT_PEER, "there are no promised unique-ids");
	if (lock_flock(h->promises, f) != 0 ||
	    file_facts(h->promises, &facts, f) != 0)
		return -1;
	return facts.nlink > 0 ? 0 :
	    fault_set(f, FAULT_IN_USE, "the promised unique-ids are others now");
}

/* What is left of them. */
static int
replace_promises(struct host *h, struct span text, size_t rows, struct fault *f)
{
	char path[OWN_PATH_MAX];

	if (rows > 0)
		return host_promise(h, text, f);
	return own_path(path, h->conf->role.state_dir, "uidl", h->key, f) != 0 ?
	    -1 : file_unlink(FILE_CWD, path, f);
}

int
host_forget(struct host *h, int fd, struct fault *f)
{
	struct promises	 p = { 0 };
	struct buf	 text;
	uint8_t		*dead = NULL;
	ssize_t		 n = -1;
	size_t		 rows;
	int		 r = -1;

	buf_init(&text, PROMISE_TEXT_MAX);
	if (lock_promises(h, f) == 0 &&
	    promises_load(h->promises, &p, f) == 0) {
		dead = xalloc(PROMISE_DEAD_MAX, 1);
		n = file_slurp(fd, dead, PROMISE_DEAD_MAX, f);
	}
	if (n >= 0 && promises_forget(&p, span_of(dead, (size_t)n), &text, &rows,
	    f) == 0)
		r = replace_promises(h, buf_span(&text), rows, f);
	free(dead);
	buf_fini(&text);
	promises_fini(&p);
	return r;
}

/* SPDX-License-Identifier: ISC */
/*
 * A spool is copied without a look at what is in it, so that who may reach the
 * spool need not parse it.  Runs as: whoever has the user's rights on files.
 */
#include "drop/drop.h"

#include "drop/spool.h"
#include "sys/file.h"

static int
make_copy(const struct drop_conf *c, const struct spool *s, int *fd_r,
    struct fault *f)
{
	const struct drop_host	*h = c->host;
	AUTO(fd_close) int	 fd = -1;
	uint64_t		 size = s->facts.size;

	if ((size > c->memory_max || file_open_memory(&fd, f) == -1) &&
	    h->tempfile(h->ctx, &fd, f) == -1)
		return -1;
	if (size > c->memory_max && file_may_clone(s->fd) &&
	    file_clone(s->fd, fd))
		size = 0;			/* all is there */
	if (size > 0 && file_copy(s->fd, 0, fd, 0, size, f) == -1)
		return -1;
	*fd_r = fd_take(&fd);
	return 0;
}

int
mbox_copy(const struct drop_conf *c, uint64_t most, int *fd_r,
    uint64_t *size_r, struct fault *f)
{
	struct spool	s;
	int		r;

	*fd_r = -1;
	spool_init(&s, c);
	r = spool_lock(&s, DROP_LOCK_SCAN, 0, f);
	if (r == 0 && s.fd == -1)
		s.facts.size = 0;		/* there is none: empty */
	if (r == 0 && s.facts.size > most)
		r = fault_set(f, FAULT_LIMIT, "%s: %llu octets", c->path,
		    (unsigned long long)s.facts.size);
	if (r == 0)
		r = make_copy(c, &s, fd_r, f);
	*size_r = s.facts.size;
	spool_unlock(&s);
	spool_fini(&s);
	return r;
}

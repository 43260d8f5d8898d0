/* SPDX-License-Identifier: ISC */
#include "role/stamp.h"

#include "base/attr.h"
#include "sys/file.h"

void
stamp_of(const char *path, struct stamp *out)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;
	struct fault		f;

	*out = (struct stamp){ 0 };
	if (path == NULL || path[0] == '\0' ||
	    file_open(FILE_CWD, path, FILE_READ | FILE_FOLLOW, 0, &fd, &f) != 0 ||
	    file_facts(fd, &facts, &f) != 0)
		return;
	out->dev = facts.dev;
	out->ino = facts.ino;
	out->size = facts.size;
	out->mtime = facts.mtime;
	out->ctime = facts.ctime;
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool
stamp_same(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

/* Times of most files are those of the kernel's last tick, of 10 ms at most; those
 * without a fraction may be of seconds, or of every other one. */
static int64_t
grain_ms(const struct stamp *s)
{
	return s->mtime.tv_nsec != 0 && s->ctime.tv_nsec != 0 ? 100 : 2000;
}

bool
stamp_settled_at(const struct stamp *s, struct timespec now)
{
	int64_t age_ms = (now.tv_sec - s->ctime.tv_sec) * 1000 +
	    (now.tv_nsec - s->ctime.tv_nsec) / 1000000;

	return age_ms >= grain_ms(s) || age_ms < -1000;
}

bool
stamp_settled(const struct stamp *s)
{
	struct timespec now;

	ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
	return stamp_settled_at(s, now);
}

/* SPDX-License-Identifier: ISC */
#include "role/stamp.h"

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

bool
stamp_settled(const struct stamp *s)
{
	time_t now = time(NULL);

	return s->ctime.tv_sec + 1 < now || s->ctime.tv_sec > now + 1;
}

/* SPDX-License-Identifier: ISC */
/* Files that decide who may log in: who could have written them? */
#include "auth/auth_priv.h"
#include "sys/file.h"
#include "sys/secmem.h"

#include <errno.h>
#include <unistd.h>

#define OTHERS_WRITE	0022u		/* group or others */
#define OTHERS_READ	0007u		/* a group of readers is the owner's
					   choice */

static int
check_facts(const char *path, unsigned how, const struct file_facts *facts,
    struct fault *f)
{
	if (facts->uid != 0 && facts->uid != geteuid())
		return fault_set(f, FAULT_PERM,
		    "%s: owned by uid %u, neither root nor us", path,
		    (unsigned)facts->uid);
	if ((facts->mode & OTHERS_WRITE) != 0)
		return fault_set(f, FAULT_PERM,
		    "%s: mode %04o lets others write it (chmod go-w)", path,
		    (unsigned)facts->mode);
	if ((how & LOAD_SECRET) != 0 && (facts->mode & OTHERS_READ) != 0)
		return fault_set(f, FAULT_PERM,
		    "%s: mode %04o lets everybody read it (chmod o=)", path,
		    (unsigned)facts->mode);
	if (facts->size >= AUTH_FILE_MAX)
		return fault_set(f, FAULT_LIMIT, "%s: larger than %u octets",
		    path, AUTH_FILE_MAX);
	return 0;
}

int
auth_load(const char *path, unsigned how, struct buf *out, struct fault *f)
{
	AUTO(fd_close) int	 fd = -1;
	struct file_facts	 facts;
	struct fault		 own;
	uint8_t			*p;
	ssize_t			 n;

	buf_init(out, AUTH_FILE_MAX);
	if (f == NULL)
		f = &own;
	if (file_open(FILE_CWD, path, FILE_READ | FILE_FOLLOW, 0, &fd, f) < 0) {
		if (f->err == ENOENT && (how & LOAD_OPTIONAL) != 0)
			return 0;
		return -1;
	}
	if (file_facts(fd, &facts, f) < 0 ||
	    check_facts(path, how, &facts, f) < 0)
		return -1;
	if (facts.size == 0)
		return 0;
	p = buf_reserve(out, (size_t)facts.size);
	ASSERT(p != NULL);
	if ((how & LOAD_SECRET) != 0)
		secmem_lock(p, (size_t)facts.size);
	n = file_slurp(fd, p, (size_t)facts.size, f);
	if (n < 0) {
		buf_fini(out);
		return -1;
	}
	buf_extend(out, (size_t)n);
	return 0;
}

/* A name may hold a '#' behind its first character. */
static struct span
without_comment(struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '#' && (i == 0 || line.p[i - 1] == ' ' ||
		    line.p[i - 1] == '\t'))
			return span_first(line, i);
	return line;
}

bool
auth_line(struct span *rest, struct span *line_r)
{
	struct span line;

	while (span_line(rest, &line)) {
		line = span_trim(without_comment(line));
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line = span_trim(span_first(line, line.n - 1));
		if (line.n == 0)
			continue;
		*line_r = line;
		return true;
	}
	return false;
}

int
file_numbers_open(const char *state_dir, const char *name)
{
	AUTO(fd_close) int	dir = -1;
	int			fd;
	struct fault		f;

	if (file_open(FILE_CWD, state_dir, FILE_READ | FILE_DIR | FILE_FOLLOW,
	    0, &dir, &f) < 0 || file_open(dir, name, FILE_READ | FILE_WRITE |
	    FILE_CREATE, 0600, &fd, &f) < 0)
		return -1;
	return fd;
}

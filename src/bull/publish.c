/* SPDX-License-Identifier: ISC */
/*
 * `popper bulletin add` and `remove`.
 * Runs as: the operator who owns the folder, mostly root.
 * Reads from: the operator's message and the folder.
 * Readers of the folder take no lock: a file appears under its name whole.
 */
#include "bull/bull.h"

#include "base/buf.h"
#include "base/num.h"
#include "bull/bull_priv.h"
#include "bull/compose.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/sock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define LOCK_NAME	".lock"
#define HIGHEST_NAME	".highest"
#define LOCK_TRIES	100
#define LOCK_PAUSE_MS	100
#define READ_BLOCK	65536

/* The folder, and the lock that all who change it take. */
struct folder {
	int		dirfd;
	int		lockfd;
};

static void
folder_close(struct folder *d)
{
	fd_close(&d->lockfd);
	fd_close(&d->dirfd);
}

static int
folder_open(const char *dir, struct folder *d, struct fault *f)
{
	*d = (struct folder){ .dirfd = -1, .lockfd = -1 };
	if (file_open(FILE_CWD, dir, FILE_READ | FILE_DIR | FILE_FOLLOW, 0,
	    &d->dirfd, f) == -1)
		return -1;
	if (file_open(d->dirfd, LOCK_NAME, FILE_READ | FILE_WRITE | FILE_CREATE,
	    0600, &d->lockfd, f) == -1)
		return fault_prefix(f, "%s: ", dir);
	for (int try = 1; lock_flock(d->lockfd, f) == -1; try++) {
		if (f->class != FAULT_IN_USE || try == LOCK_TRIES)
			return -1;
		clock_sleep(LOCK_PAUSE_MS);
	}
	return 0;
}

/* The greatest number that was given away according to .highest. */
static int
read_highest(int dirfd, uint64_t *number_r, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	uint8_t			text[32];
	ssize_t			n;
	struct span		line;
	struct span		rest;

	*number_r = 0;
	if (file_open(dirfd, HIGHEST_NAME, FILE_READ, 0, &fd, f) == -1)
		return f->err == ENOENT ? 0 : -1;
	n = file_slurp(fd, text, sizeof(text), f);
	if (n == -1)
		return fault_prefix(f, HIGHEST_NAME ": ");
	rest = span_of(text, (size_t)n);
	if (!span_line(&rest, &line) ||
	    !num_parse(line, BULL_NUMBER_MAX, number_r))
		return fault_set(f, FAULT_PERM, HIGHEST_NAME " holds no number;"
		    " write into it the greatest that was ever used");
	return 0;
}

static int
write_highest(int dirfd, uint64_t number, struct fault *f)
{
	char	text[32];
	int	n = snprintf(text, sizeof(text), "%" PRIu64 "\n", number);

	return file_replace(dirfd, HIGHEST_NAME, 0644, span_of(text, (size_t)n),
	    f);
}

/* The greatest number that the folder has ever seen. */
static int
ever_used(int dirfd, uint64_t *number_r, struct fault *f)
{
	struct bull_names names = { 0 };

	if (read_highest(dirfd, number_r, f) == -1 ||
	    bull_names_read(&names, dirfd, f) == -1)
		return -1;
	if (names.n > 0 && names.list[names.n - 1].number > *number_r)
		*number_r = names.list[names.n - 1].number;
	bull_names_fini(&names);
	return 0;
}

static int
read_all(int fd, struct buf *b, struct fault *f)
{
	for (;;) {
		size_t	 room = buf_room(b) < READ_BLOCK ? buf_room(b) :
		    READ_BLOCK;
		uint8_t	*p = buf_reserve(b, room);
		ssize_t	 n;

		if (room == 0 || p == NULL)
			return fault_set(f, FAULT_LIMIT,
			    "the message has more than %u MiB",
			    BULL_MESSAGE_MAX >> 20);
		n = file_read(fd, p, room, f);
		if (n == -1)
			return -1;
		if (n == 0)
			return 0;
		buf_extend(b, (size_t)n);
	}
}

/* The number is spent before the file appears: a crash wastes it at worst.  Who hears
 * that it failed will try again, so then there is no file. */
static int
publish(const char *dir, struct span message, const char *title,
    uint64_t *number_r, struct fault *f)
{
	AUTO(folder_close) struct folder	d;
	char					name[BULL_NAME_MAX];

	if (folder_open(dir, &d, f) == -1 ||
	    ever_used(d.dirfd, number_r, f) == -1)
		return -1;
	if (*number_r == BULL_NUMBER_MAX)
		return fault_set(f, FAULT_LIMIT, "no number is left");
	++*number_r;
	bull_file_name(*number_r, title != NULL ? span_str(title) :
	    bull_subject(message), name);
	if (write_highest(d.dirfd, *number_r, f) == -1)
		return -1;
	if (file_replace(d.dirfd, name, 0644, message, f) == 0)
		return 0;
	(void)file_unlink(d.dirfd, name, NULL);
	return -1;
}

int
bull_add(const char *dir, int message_fd, const char *title,
    uint64_t *number_r, struct fault *f)
{
	AUTO(buf_fini) struct buf	in;
	AUTO(buf_fini) struct buf	out;

	buf_init(&in, BULL_MESSAGE_MAX + 1);
	buf_init(&out, 2 * (size_t)BULL_MESSAGE_MAX);
	if (read_all(message_fd, &in, f) == -1 ||
	    bull_compose(buf_span(&in), time(NULL), &out, f) == -1)
		return -1;
	return publish(dir, buf_span(&out), title, number_r, f);
}

int
bull_remove(const char *dir, uint64_t number, struct fault *f)
{
	AUTO(folder_close) struct folder	d;
	struct bull_names			names = { 0 };
	uint64_t				highest;
	size_t					removed = 0;
	int					result = 0;

	if (folder_open(dir, &d, f) == -1 ||
	    ever_used(d.dirfd, &highest, f) == -1 ||
	    write_highest(d.dirfd, highest, f) == -1 ||
	    bull_names_read(&names, d.dirfd, f) == -1)
		return -1;
	for (size_t i = 0; i < names.n && result == 0; i++) {
		if (names.list[i].number != number)
			continue;
		result = file_unlink(d.dirfd, names.list[i].name, f);
		removed++;
	}
	bull_names_fini(&names);
	if (result == 0 && removed == 0) {
		(void)fault_set(f, FAULT_PERM, "there is no bulletin %" PRIu64,
		    number);
		f->err = ENOENT;
		return -1;
	}
	return result;
}

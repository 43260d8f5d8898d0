/* SPDX-License-Identifier: ISC */
#include "sys/file_pass.h"

#include "base/alloc.h"
#include "sys/file.h"
#include "sys/sys_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Pages of memory are no smaller. */
#define PAGE_MIN	4096u

/* Places, lengths and memory are multiples of it: no disk asks for more. */
static size_t
sector(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* For reading past the cache; false: there is no such memory. */
static bool
get_blocks(struct file_pass *p)
{
	p->blocks = aligned_alloc(FILE_PASS_FAR, 2 * FILE_PASS_FAR);
	if (p->blocks == NULL)
		return false;
	p->size = FILE_PASS_FAR;
	/* Where it cannot be had, a disk is asked for more and smaller pieces. */
	(void)madvise(p->blocks, 2 * FILE_PASS_FAR, MADV_HUGEPAGE);
	if (syscall(SYS_io_setup, 1, &p->aio) == -1)
		p->aio = 0;
	return true;
}

void
file_pass_init(struct file_pass *p, int fd, uint64_t len, bool far)
{
	*p = (struct file_pass){ .fd = fd };
	p->far = far && get_blocks(p);
	if (!p->far) {
		p->size = len < FILE_PASS_BLOCK ? (size_t)len : FILE_PASS_BLOCK;
		p->blocks = xalloc(p->size, 1);
	}
	p->block = p->blocks;
}

/* Waits for what was asked for: its octets, or -1. */
static ssize_t
await(struct file_pass *p)
{
	struct io_event	e;
	long		n;

	p->asked = false;
	n = SYS_RETRY(syscall(SYS_io_getevents, p->aio, 1, 1, &e, NULL));
	if (n == 1)
		return e.res >= 0 ? (ssize_t)e.res : -1;
	/* This waits, and nothing comes late. */
	(void)syscall(SYS_io_destroy, p->aio);
	p->aio = 0;
	return -1;
}

void
file_pass_fini(struct file_pass *p)
{
	if (p->asked)
		(void)await(p);
	if (p->aio != 0)
		(void)syscall(SYS_io_destroy, p->aio);
	free(p->blocks);
	p->blocks = NULL;
}

static uint8_t *
other_block(const struct file_pass *p)
{
	return p->block == p->blocks ? p->blocks + p->size : p->blocks;
}

/* From here on read past the cache; *flags: how it was before. */
static bool
go_past(const struct file_pass *p, int *flags)
{
	*flags = fcntl(p->fd, F_GETFL);
	return *flags != -1 && fcntl(p->fd, F_SETFL, *flags | O_DIRECT) == 0;
}

/* Has the cache half of n octets at `at`?  Looks at none of them. */
static bool
is_cached(const struct file_pass *p, size_t n, uint64_t at)
{
	uint8_t	in[FILE_PASS_FAR / PAGE_MIN];
	size_t	pages = (n + sector() - 1) / sector();
	size_t	there = 0;
	void	*map = mmap(NULL, n, PROT_READ, MAP_SHARED, p->fd, (off_t)at);
	bool	told;

	if (map == MAP_FAILED)
		return true;
	told = mincore(map, n, in) == 0;
	(void)munmap(map, n);
	for (size_t i = 0; told && i < pages; i++)
		there += in[i] & 1;
	return !told || there > pages / 2;
}

/* From the disk; -1: not so, whatever the reason. */
static ssize_t
read_far(struct file_pass *p, size_t n, uint64_t at)
{
	ssize_t	got = -1;
	int	flags;

	if (go_past(p, &flags)) {
		got = SYS_RETRY(pread(p->fd, p->block, n, (off_t)at));
		(void)fcntl(p->fd, F_SETFL, flags);
	}
	p->far = got != -1;
	return got;
}

/* Into the other block, while the caller has this one. */
static void
ask_ahead(struct file_pass *p, size_t n, uint64_t at)
{
	struct iocb	 one = { 0 };
	struct iocb	*ask = &one;
	int		 flags;

	if (p->aio == 0 || is_cached(p, n, at) || !go_past(p, &flags))
		return;
	one.aio_lio_opcode = IOCB_CMD_PREAD;
	one.aio_fildes = (uint32_t)p->fd;
	one.aio_buf = (uintptr_t)other_block(p);
	one.aio_nbytes = n;
	one.aio_offset = (int64_t)at;
	p->asked = syscall(SYS_io_submit, p->aio, 1, &ask) == 1;
	p->ahead = at;
	(void)fcntl(p->fd, F_SETFL, flags);
}

/* Octets of a block from `at` on, in whole sectors. */
static size_t
stretch(const struct file_pass *p, uint64_t at, uint64_t end)
{
	size_t	s = sector();

	return end - at < p->size ? (size_t)((end - at + s - 1) / s * s) : p->size;
}

/* From `at` on, where a sector begins, to p->block; -1: as usual, then. */
static ssize_t
read_sectors(struct file_pass *p, uint64_t at, uint64_t end)
{
	size_t	n = stretch(p, at, end);
	ssize_t	got = p->asked ? await(p) : -1;

	if (got > 0 && p->ahead == at) {
		p->block = other_block(p);
	} else if (is_cached(p, n, at)) {
		p->cached = at + n;
		return -1;
	} else {
		got = read_far(p, n, at);
	}
	if (got == (ssize_t)n && at + n < end)
		ask_ahead(p, stretch(p, at + n, end), at + n);
	return got;
}

int
file_pass_read(struct file_pass *p, uint64_t off, uint64_t end,
    struct span *out, struct fault *f)
{
	size_t	skip = (size_t)(off % sector());
	size_t	n = p->size < FILE_PASS_BLOCK ? p->size : FILE_PASS_BLOCK;
	ssize_t	got = p->far && off >= p->cached ?
		    read_sectors(p, off - skip, end) : -1;

	if (got > (ssize_t)skip) {
		*out = span_of(p->block + skip, (size_t)got - skip);
	} else {
		got = file_pread(p->fd, p->block, n, off, f);
		if (got == -1)
			return -1;
		*out = span_of(p->block, (size_t)got);
	}
	if (end - off < out->n)
		out->n = (size_t)(end - off);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * Trusts: nobody with a mapping that he was not meant to write: what is made read
 * only is mapped anew, from a file in memory whose seal forbids any further
 * writable mapping, mprotect(2) included.
 */
#include "sys/shared.h"

#include "sys/file.h"
#include "sys/sock.h"
#include "sys/sys_priv.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGIONS_MAX	512
#define STALE_MS	1000		/* of a lock */
#define SEALS		(F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

/* The files, until this process closes what it does not need. */
static struct region {
	const void	*p;
	int		 fd;
} regions[REGIONS_MAX];
static size_t	nregions;

void *
shared_new(size_t n, struct fault *f)
{
	AUTO(fd_close) int	 fd = memfd_create("popper", MFD_CLOEXEC |
				    MFD_ALLOW_SEALING);
	void			*p = MAP_FAILED;

	ASSERT(nregions < REGIONS_MAX);
	if (fd >= 0 && ftruncate(fd, (off_t)n) == 0)
		p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || fcntl(fd, F_ADD_SEALS, SEALS) == -1) {
		(void)SYS_FAULT(f, "shared memory");
		return NULL;
	}
	regions[nregions++] = (struct region){ p, fd_take(&fd) };
	return p;
}

static struct region *
region_of(const void *p)
{
	struct region *r = regions;

	while (r < regions + nregions && r->p != p)
		r++;
	ASSERT(r < regions + nregions);
	return r;
}

void
shared_free(void *p, size_t n)
{
	struct region *r = region_of(p);

	(void)munmap(p, n);	/* fails for what is no mapping only */
	fd_close(&r->fd);
	*r = regions[--nregions];
}

int
shared_read_only(void *p, size_t n, struct fault *f)
{
	return mmap(p, n, PROT_READ, MAP_SHARED | MAP_FIXED, region_of(p)->fd,
	    0) == MAP_FAILED ? SYS_FAULT(f, "shared memory") : 0;
}

static bool
exchange(uint64_t *lock, uint64_t seen, uint64_t next)
{
	return __atomic_compare_exchange_n(lock, &seen, next, false,
	    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void
shared_lock(uint64_t *lock, uint64_t ticket)
{
	uint64_t	seen = 0;
	uint64_t	since_ms = 0;

	while (!exchange(lock, 0, ticket)) {
		uint64_t now = __atomic_load_n(lock, __ATOMIC_RELAXED);

		if (now != seen) {
			seen = now;
			since_ms = clock_ms();
		} else if (clock_ms() - since_ms >= STALE_MS &&
		    exchange(lock, seen, ticket)) {
			return;
		}
		clock_sleep(1);
	}
}

/* Unless it was taken away. */
void
shared_unlock(uint64_t *lock, uint64_t ticket)
{
	(void)exchange(lock, ticket, 0);
}

void
shared_lock_free(uint64_t *lock, uint32_t who)
{
	uint64_t seen = __atomic_load_n(lock, __ATOMIC_RELAXED);

	if (seen >> 32 == who)
		(void)exchange(lock, seen, 0);
}

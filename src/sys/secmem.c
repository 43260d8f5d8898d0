/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front, worker; whoever holds a password for a moment.
 */
#include "sys/secmem.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void
secmem_lock(void *p, size_t n)
{
	uintptr_t	page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t	from = (uintptr_t)p & ~(page - 1);
	uintptr_t	to = ((uintptr_t)p + n + page - 1) & ~(page - 1);

	/*
	 * Both are best effort; neighbours in those pages take no harm.  A page
	 * that nobody has touched holds no secret, and is locked when it does.
	 */
	(void)mlock2((void *)from, to - from, MLOCK_ONFAULT);
	(void)madvise((void *)from, to - from, MADV_DONTDUMP);
}

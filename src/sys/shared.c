/* SPDX-License-Identifier: ISC */
#include "sys/shared.h"

#include "sys/sys_priv.h"

#include <sys/mman.h>

void *
shared_new(size_t n, struct fault *f)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		return p;
	(void)SYS_FAULT(f, "shared memory");
	return NULL;
}

void
shared_free(void *p, size_t n)
{
	(void)munmap(p, n);	/* fails for what is no mapping only */
}

int
shared_read_only(void *p, size_t n, struct fault *f)
{
	return mprotect(p, n, PROT_READ) == -1 ?
	    SYS_FAULT(f, "shared memory") : 0;
}

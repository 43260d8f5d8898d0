/* SPDX-License-Identifier: ISC */
/* Memory that holds a secret: locked and left out of dumps.  Floor 1. */
#ifndef SYS_SECMEM_H
#define SYS_SECMEM_H

#include <stddef.h>

/* Best effort: a host that forbids mlock still gets MADV_DONTDUMP. */
void	secmem_lock(void *p, size_t n);

#endif

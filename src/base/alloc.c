/* SPDX-License-Identifier: ISC */
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
got(void *p)
{
	if (p == NULL) {
		fputs("popper: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *
xalloc(size_t n, size_t size)
{
	return got(calloc(n == 0 ? 1 : n, size));
}

void *
xroom(size_t size)
{
	return got(malloc(size == 0 ? 1 : size));
}

void *
xalloc_aligned(size_t align, size_t size)
{
	return memset(got(aligned_alloc(align, size)), 0, size);
}

void *
xgrow(void *vec, size_t n, size_t *cap, size_t size)
{
	size_t want = *cap == 0 ? 16 : *cap * 2;

	if (n < *cap)
		return vec;
	vec = got(reallocarray(vec, want, size));
	*cap = want;
	return vec;
}

char *
xstrdup(const char *s)
{
	return got(strdup(s));
}

/* SPDX-License-Identifier: ISC */
/*
 * Small allocations of sizes that we choose: they end the process when
 * memory is out.  Sizes that come from outside go through struct buf or are
 * checked against a limit first.  Floor 0.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include "base/attr.h"

#include <stddef.h>

/* Zeroed; never NULL; the caller owns it and calls free(). */
void	*xalloc(size_t n, size_t size) __attribute__((malloc));
/* Not zeroed: for who writes before he reads. */
void	*xroom(size_t size) __attribute__((malloc));
/* For a type that _Alignas has made wider than malloc's: size is a multiple. */
void	*xalloc_aligned(size_t align, size_t size);

/*
 * Room for one more element of a vector of *cap elements, n of them used.
 * Returns the (perhaps moved) vector and raises *cap; never NULL.
 */
void	*xgrow(void *vec, size_t n, size_t *cap, size_t size) MUSTUSE;

char	*xstrdup(const char *s) __attribute__((malloc));

#endif

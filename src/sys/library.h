/* SPDX-License-Identifier: ISC */
/*
 * Libraries of the system's that popper is not linked with, so that who does not need
 * them need not carry them.  Floor 1.  Before the cage.
 */
#ifndef SYS_LIBRARY_H
#define SYS_LIBRARY_H

#include "base/attr.h"
#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

struct library_call {
	const char	 *name;
	void		**where;
};

/*
 * Open that file, which nobody closes; each call is where `where` points to then, and
 * on failure nothing.  Where they are already (*where was NULL before) nothing is done.
 */
int	library_open(const char *file, const struct library_call *calls, size_t n,
	    struct fault *f) MUSTUSE;

/*
 * A struct timeval as they have it: Debian builds those of i386, and up to Debian 12
 * those of armhf, for seconds of 32 bits, while ours have 64 (meson.build).
 */
#if POPPER_LIBRARY_TIME == 4
struct library_time {
	int32_t	tv_sec;
	int32_t	tv_usec;
};
#else
#define library_time	timeval
#endif

/* A longer one than can be told is the longest. */
struct library_time	library_time_of(uint64_t ms);
/* Rounded up. */
uint64_t		library_time_ms(const struct library_time *t);
/* For a call that our headers give the other one. */
struct timeval		*library_time_arg(struct library_time *t);

#endif

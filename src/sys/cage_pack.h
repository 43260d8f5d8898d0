/* SPDX-License-Identifier: ISC */
/*
 * A seccomp program made shorter, when popper is built: the kernel translates it
 * for each process that loads it, which is a good part of what a session costs.
 * libseccomp's programs ask for each system call by its number; here a search
 * divides the numbers where the answer changes, and what it does about arguments
 * is taken over as it is.
 */
#ifndef SYS_CAGE_PACK_H
#define SYS_CAGE_PACK_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#define CAGE_PACK_MAX	512	/* instructions */

/*
 * The same answers by fewer instructions.  Returns how many; 0: `full` has what
 * libseccomp does not make for one architecture.
 */
size_t	cage_pack(const struct sock_filter *full, size_t n,
	    struct sock_filter out[CAGE_PACK_MAX]);

#endif

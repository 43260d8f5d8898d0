/* SPDX-License-Identifier: ISC */
/*
 * One pass over a file that may be long, from front to back.  Floor 1.
 *
 * A stretch of which the page cache has most comes from there.  The rest of a
 * long file is read past it (O_DIRECT), the next stretch while the caller looks
 * at this one (io_submit): who goes once through a gigabyte would else pay for
 * each page that the cache takes, several times what a look at the octets costs,
 * and push out what others need.  Where a kernel or a file system cannot do one
 * or the other, it is done without.
 */
#ifndef SYS_FILE_PASS_H
#define SYS_FILE_PASS_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/span.h"

#include <linux/aio_abi.h>
#include <stdbool.h>

/* From the cache at once: few calls, and it stays in a processor's own cache
 * from the copy to the last look. */
#define FILE_PASS_BLOCK		((size_t)256 << 10)
/* Past it: one page of the large kind, which a disk fills in one go. */
#define FILE_PASS_FAR		((size_t)2 << 20)

struct file_pass {
	int		 fd;		/* borrows */
	bool		 far;		/* what the cache lacks is read past it */
	bool		 asked;		/* for the octets from `ahead` on */
	uint64_t	 ahead;
	uint64_t	 cached;	/* up to there the cache has them */
	size_t		 size;		/* of a block */
	uint8_t		*blocks;	/* owns; far: two */
	uint8_t		*block;		/* the one to be read to */
	aio_context_t	 aio;		/* 0: nothing is asked for ahead */
};

/*
 * Of len octets, or fewer; far: it is so long that it is not worth its place in the
 * cache.  Then nobody else may read from the same open file in the meantime: its
 * O_DIRECT is on for moments.
 */
void	file_pass_init(struct file_pass *p, int fd, uint64_t len, bool far);
void	file_pass_fini(struct file_pass *p);

/* Some of the octets from `off` to `end`, until the next call; none: the file
 * ends at `off`.  -1: a fault. */
int	file_pass_read(struct file_pass *p, uint64_t off, uint64_t end,
	    struct span *out, struct fault *f) MUSTUSE;

#endif

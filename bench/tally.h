/* SPDX-License-Identifier: ISC */
/*
 * Latencies of a run: every one is kept, so that percentiles are exact.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally {
	uint32_t	*us;		/* owns; microseconds */
	size_t		 n;
	size_t		 cap;
};

void	tally_add(struct tally *t, int64_t ns);
/*
 * Print `latency of=NAME ...` and `histogram of=NAME MS:COUNT...` (COUNT of
 * those up to MS, above the bound before); nothing when there are none.  Sorts.
 */
void	tally_print(struct tally *t, const char *name);
void	tally_fini(struct tally *t);

#endif

/* SPDX-License-Identifier: ISC */
#include "base/num.h"

#define NUM_DIGITS_MAX	20		/* of 2^64 */

bool
num_prefix(struct span s, uint64_t max, uint64_t *out, size_t *len_r)
{
	uint64_t	v = 0;
	size_t		n = 0;
	bool		fits = true;

	while (n < s.n && ascii_isdigit(s.p[n])) {
		fits = fits && num_mul(v, 10, &v) &&
		    num_add(v, (uint64_t)(s.p[n] - '0'), &v);
		n++;
	}
	*len_r = n;
	*out = v;
	return fits && v <= max;
}

bool
num_parse(struct span s, uint64_t max, uint64_t *out)
{
	size_t n;

	return num_prefix(s, max, out, &n) && n == s.n && n > 0 &&
	    n <= NUM_DIGITS_MAX;
}

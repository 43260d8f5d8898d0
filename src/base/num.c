/* SPDX-License-Identifier: ISC */
#include "base/num.h"

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
	    n <= NUM_DIGITS;
}

char *
num_put(char *out, uint64_t v)
{
	char		digits[NUM_DIGITS];
	size_t		n = NUM_DIGITS;
	uint32_t	low;

	for (; v > UINT32_MAX; v /= 10)
		digits[--n] = (char)('0' + v % 10);
	low = (uint32_t)v;
	do {
		digits[--n] = (char)('0' + low % 10);
		low /= 10;
	} while (low > 0);
	memcpy(out, digits + n, NUM_DIGITS - n);
	return out + (NUM_DIGITS - n);
}

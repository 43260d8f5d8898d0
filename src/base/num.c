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

static size_t
count_digits(uint64_t v)
{
	uint64_t	power = 10;
	size_t		n = 1;

	for (; n < NUM_DIGITS && v >= power; n++)
		power *= 10;
	return n;
}

/* Two digits a division, and short ones where they do. */
char *
num_put(char *out, uint64_t v)
{
	static const char pairs[] =
	    "00010203040506070809101112131415161718192021222324"
	    "25262728293031323334353637383940414243444546474849"
	    "50515253545556575859606162636465666768697071727374"
	    "75767778798081828384858687888990919293949596979899";
	char		*end = out + count_digits(v);
	char		*at = end;
	uint32_t	 low;

	for (; v > UINT32_MAX; v /= 100)
		at = memcpy(at - 2, pairs + v % 100 * 2, 2);
	for (low = (uint32_t)v; low >= 10; low /= 100)
		at = memcpy(at - 2, pairs + low % 100 * 2, 2);
	if (at > out)
		*out = (char)('0' + low);
	return end;
}

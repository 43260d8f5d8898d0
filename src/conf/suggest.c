/* SPDX-License-Identifier: ISC */
/*
 * Did you mean...?  The restricted Damerau-Levenshtein distance.  Pure.
 */
#include "conf/conf_priv.h"

#include <limits.h>

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

/* Old configurations write set-like-this what is set_like_this here. */
static uint8_t
folded(char c)
{
	return c == '-' ? '_' : ascii_lower((uint8_t)c);
}

unsigned
suggest_distance(const char *a, const char *b)
{
	/* Three rows of the table: before the last, the last, this one. */
	unsigned	 rows[3][CONF_NAME_MAX + 1];
	size_t		 na = strlen(a), nb = strlen(b);

	if (na > CONF_NAME_MAX || nb > CONF_NAME_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *this = rows[i % 3];
		unsigned *last = rows[(i + 2) % 3];
		unsigned *before = rows[(i + 1) % 3];

		this[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			uint8_t x = folded(a[i - 1]), y = folded(b[j - 1]);

			this[j] = least(last[j] + 1, this[j - 1] + 1,
			    last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == folded(b[j - 2]) &&
			    y == folded(a[i - 2]) && before[j - 2] + 1 < this[j])
				this[j] = before[j - 2] + 1;
		}
	}
	return rows[na % 3][nb];
}

bool
suggest_close(unsigned distance, const char *b)
{
	return distance <= (strlen(b) + 2) / 3;
}

/* SPDX-License-Identifier: ISC */
#include "tally.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

#define HISTOGRAM_FIRST	64u		/* microseconds; then doubled */

void
tally_add(struct tally *t, int64_t ns)
{
	int64_t	us = ns / 1000;

	t->us = xgrow(t->us, t->n, &t->cap, sizeof(*t->us));
	t->us[t->n++] = us < 0 ? 0 :
	    us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int
compare(const void *a, const void *b)
{
	uint32_t	x = *(const uint32_t *)a;
	uint32_t	y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Nearest rank: the smallest value that per_mille of all do not exceed. */
static double
percentile_ms(const struct tally *t, size_t per_mille)
{
	size_t	rank = (t->n * per_mille + 999) / 1000;

	return t->us[rank == 0 ? 0 : rank - 1] / 1000.0;
}

static void
print_histogram(const struct tally *t, const char *name)
{
	uint32_t	bound = HISTOGRAM_FIRST;
	size_t		from = 0;

	printf("histogram of=%s", name);
	for (size_t i = 0; i < t->n; bound *= 2) {
		while (i < t->n && (t->us[i] <= bound || bound >= 1u << 31))
			i++;
		if (i > from)
			printf(" %g:%zu", bound / 1000.0, i - from);
		from = i;
	}
	putchar('\n');
}

void
tally_print(struct tally *t, const char *name)
{
	if (t->n == 0)
		return;
	qsort(t->us, t->n, sizeof(*t->us), compare);
	printf("latency of=%s n=%zu p50_ms=%.3f p95_ms=%.3f p99_ms=%.3f "
	    "max_ms=%.3f\n", name, t->n, percentile_ms(t, 500),
	    percentile_ms(t, 950), percentile_ms(t, 990),
	    percentile_ms(t, 1000));
	print_histogram(t, name);
}

void
tally_fini(struct tally *t)
{
	free(t->us);
	*t = (struct tally){ .us = NULL };
}

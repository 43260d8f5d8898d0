/* SPDX-License-Identifier: ISC */
#include "bull/bull_priv.h"

#include "base/alloc.h"
#include "base/num.h"
#include "sys/file.h"

#include <stdlib.h>
#include <string.h>

enum bull_name
bull_number(struct span s, uint64_t *number_r)
{
	size_t	digits;
	bool	fits = num_prefix(s, BULL_NUMBER_MAX, number_r, &digits);

	if (digits == 0)
		return BULL_NAME_OTHER;
	return fits && digits <= BULL_DIGITS_MAX ?
	    BULL_NAME_GOOD : BULL_NAME_TOO_LONG;
}

static bool
add_name(void *ctx, const char *name)
{
	struct bull_names	*b = ctx;
	uint64_t		 number;
	enum bull_name		 kind = bull_number(span_str(name), &number);

	if (kind != BULL_NAME_GOOD) {
		if (b->skipped != NULL)
			b->skipped(b->ctx, name, kind);
		return true;
	}
	if (number < b->least)
		return true;
	b->list = xgrow(b->list, b->n, &b->cap, sizeof(*b->list));
	b->list[b->n++] = (struct bull_file){ number, xstrdup(name) };
	return true;
}

static int
by_number(const void *a, const void *b)
{
	const struct bull_file *x = a;
	const struct bull_file *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->name, y->name);
}

int
bull_names_read(struct bull_names *b, int dirfd, struct fault *f)
{
	if (file_list(dirfd, add_name, b, f) == -1) {
		bull_names_fini(b);
		return -1;
	}
	if (b->n > 0)
		qsort(b->list, b->n, sizeof(*b->list), by_number);
	return 0;
}

void
bull_names_fini(struct bull_names *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->list[i].name);
	free(b->list);
	b->list = NULL;
	b->n = 0;
	b->cap = 0;
}

int
bull_open(int dirfd, const char *name, int *fd_r, struct fault *f)
{
	return file_open(dirfd, name, FILE_READ, 0, fd_r, f);
}

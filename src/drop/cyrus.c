/* SPDX-License-Identifier: ISC */
#include "drop/cyrus.h"

#include <inttypes.h>

#define HEADER_MIN	64		/* octets up to the options */
#define NAMED		(1u << 0)	/* of the options */
#define GONE		(1u << 31)	/* of a row's flags, since there is one */

/* Where numbers are, in octets. */
enum {
	AT_VERSION = 8,
	AT_ROWS_AT = 12,
	AT_ROW_SIZE = 16,
	AT_ROWS = 20,
};
struct layout {
	unsigned	first;		/* versions */
	unsigned	last;
	unsigned	validity;	/* in the header */
	unsigned	options;
	unsigned	flags;		/* in a row, of the system */
	bool		keeps_gone;	/* rows of deleted messages */
};
static const struct layout layouts[] = {
	{  6, 10, 44, 60, 32, false },
	{ 12, 19, 44, 60, 32, true },
	{ 20, 20, 92, 64, 36, true },
};

static uint32_t
number_at(struct span s, size_t at)
{
	const uint8_t *p = s.p + at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
	    p[3];
}

static const struct layout *
layout_of(unsigned version)
{
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
		if (version >= layouts[i].first && version <= layouts[i].last)
			return &layouts[i];
	return NULL;
}

int
cyrus_header(struct span start, uint64_t file_size, struct cyrus_index *out,
    struct fault *f)
{
	const struct layout *l;

	if (start.n < HEADER_MIN)
		return fault_set(f, FAULT_PROTO, "it is too short for a cyrus.index");
	*out = (struct cyrus_index){
	    .version = number_at(start, AT_VERSION),
	    .rows_at = number_at(start, AT_ROWS_AT),
	    .row_size = number_at(start, AT_ROW_SIZE),
	    .n = number_at(start, AT_ROWS) };
	l = layout_of(out->version);
	if (l == NULL)
		return fault_set(f, FAULT_PROTO, "it is no cyrus.index of a version "
		    "that popper knows (%u)", out->version);
	if (out->rows_at < l->validity + 4 || out->rows_at < l->options + 4 ||
	    start.n < l->validity + 4 || start.n < l->options + 4 ||
	    out->row_size < CYRUS_ROW_MIN || out->row_size > CYRUS_ROW_MAX ||
	    file_size < out->rows_at ||
	    out->n > (file_size - out->rows_at) / out->row_size)
		return fault_set(f, FAULT_PROTO, "this cyrus.index is damaged, or is "
		    "being written");
	out->validity = number_at(start, l->validity);
	out->named = number_at(start, l->options) & NAMED;
	return 0;
}

void
cyrus_row(const struct cyrus_index *index, struct span row,
    struct cyrus_row *out)
{
	const struct layout *l = layout_of(index->version);

	out->uid = number_at(row, 0);
	out->gone = l->keeps_gone && number_at(row, l->flags) & GONE;
}

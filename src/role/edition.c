/* SPDX-License-Identifier: ISC */
#include "role/edition.h"

#include "base/alloc.h"

#include <stdlib.h>

struct edition *
edition_new(void)
{
	return xalloc(1, sizeof(struct edition));
}

void
edition_free(struct edition *e)
{
	if (e == NULL)
		return;
	settings_fini(&e->s);
	free(e);
}

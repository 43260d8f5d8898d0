/* SPDX-License-Identifier: ISC */
/*
 * Makes popper.conf(5) when popper is built: copies the page's frame from
 * standard input and puts the option tables in place of the line @OPTIONS@.
 */
#include "role/settings.h"

#include <stdio.h>

static void
put(void *ctx, const char *text)
{
	fputs(text, ctx);
}

int
main(void)
{
	char line[1024];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strcmp(line, "@OPTIONS@\n") == 0)
			conf_print_man(settings_rooms, settings_nrooms, put,
			    stdout);
		else
			fputs(line, stdout);
	}
	return ferror(stdin) || fflush(stdout) != 0;
}

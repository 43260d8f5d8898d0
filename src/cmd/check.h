/* SPDX-License-Identifier: ISC */
/*
 * `popper check`: judge the configuration and all that it names, tell every
 * mistake at once with what was meant and the fix.  Floor 5; run by the
 * operator, reads only.
 */
#ifndef CMD_CHECK_H
#define CMD_CHECK_H

#include "role/settings.h"

/* Exit status: 0 (perhaps with warnings), 64 usage, 78 with errors. */
int	cmd_check(int argc, char **argv);

/*
 * What popper serve does not start with, nor reload: values that do not fit
 * together, so that nobody could log in, or nothing be logged.  Told as start_tell
 * does; the fault has the first.
 */
int	check_start(const struct settings *s, bool terminal, struct fault *f) MUSTUSE;

/*
 * Files and folders that are not there, or cannot be used; told in the words of popper
 * check.  A start goes on without them, since they may come: 0.  A reload does not, if
 * somebody could not log in, or could who may not: the old settings have it.
 */
enum check_when { CHECK_START, CHECK_RELOAD };
int	check_absent(const struct settings *s, enum check_when when,
	    bool terminal, struct fault *f) MUSTUSE;

#endif

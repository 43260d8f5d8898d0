/* SPDX-License-Identifier: ISC */
/*
 * `popper check`: judge the configuration and all that it names, tell every
 * mistake at once with what was meant and the fix.  Floor 5; run by the
 * operator, reads only.
 */
#ifndef CMD_CHECK_H
#define CMD_CHECK_H

/* Exit status: 0 (perhaps with warnings), 64 usage, 78 with errors. */
int	cmd_check(int argc, char **argv);

#endif

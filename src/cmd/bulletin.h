/* SPDX-License-Identifier: ISC */
/* `popper bulletin`: publish, list, remove.  Floor 5; see popper-bulletin(8). */
#ifndef CMD_BULLETIN_H
#define CMD_BULLETIN_H

/* argv[0] is "bulletin".  Returns the exit status. */
int	cmd_bulletin(int argc, char **argv);

#endif

/* SPDX-License-Identifier: ISC */
/* popper ctl.  Floor 5. */
#ifndef CMD_CTL_H
#define CMD_CTL_H

/* argv[0] is "ctl".  The exit status. */
int	cmd_ctl(int argc, char **argv);

#endif

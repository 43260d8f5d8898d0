/* SPDX-License-Identifier: ISC */
/* `popper uidl`: unique-ids that survive a move.  Floor 5; see popper-uidl(8). */
#ifndef CMD_UIDL_H
#define CMD_UIDL_H

/* argv[0] is "uidl".  Returns the exit status. */
int	cmd_uidl(int argc, char **argv);

#endif

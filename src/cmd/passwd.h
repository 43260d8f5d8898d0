/* SPDX-License-Identifier: ISC */
/* `popper passwd`: manage a password file.  Floor 5; see popper-passwd(8). */
#ifndef CMD_PASSWD_H
#define CMD_PASSWD_H

/* argv[0] is "passwd".  Returns the exit status. */
int	cmd_passwd(int argc, char **argv);

#endif

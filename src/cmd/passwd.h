/* SPDX-License-Identifier: ISC */
/* `popper passwd`: manage a password file.  Floor 5; see popper-passwd(8). */
#ifndef CMD_PASSWD_H
#define CMD_PASSWD_H

#include "base/fault.h"
#include "base/span.h"

/* argv[0] is "passwd".  Returns the exit status. */
int	cmd_passwd(int argc, char **argv);

/* `popper passwd app` (passwd_app.c); argv[0] is "app". */
int	cmd_passwd_app(int argc, char **argv);
/* What went wrong, for people; the exit status. */
int	passwd_complain(const struct fault *f);
/* A column of a list, and what is behind it. */
void	passwd_print_column(struct span s, char end);

#endif

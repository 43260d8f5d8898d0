/* SPDX-License-Identifier: ISC */
/*
 * The operator's terminal: passwords that are typed there (`popper passwd`),
 * messages that are shown.  Floor 1.
 */
#ifndef SYS_TERM_H
#define SYS_TERM_H

#include "base/attr.h"
#include "base/fault.h"
#include "base/secret.h"

#include <stdbool.h>

/* Is standard input a terminal, so that somebody can be asked? */
bool	term_interactive(void);

/* Is standard error a terminal, so that somebody reads what is said? */
bool	term_shows(void);

/*
 * Ask on the controlling terminal; what is typed is not shown.  A signal
 * restores the terminal first and then takes effect.  FAULT_LIMIT: longer than
 * a secret can be; FAULT_TEMP: interrupted, or no terminal.  Blocks.
 */
int	term_ask(const char *prompt, struct secret *x, struct fault *f) MUSTUSE;

/*
 * One line from standard input, without its end (LF or CRLF); same faults.
 * Reads no octet behind the line.
 */
int	term_read(struct secret *x, struct fault *f) MUSTUSE;

#endif

/* SPDX-License-Identifier: ISC */
/*
 * What every command does before its own work: settings, log, and telling the
 * operator what is wrong; and the exit codes.  Floor 5.
 */
#ifndef CMD_START_H
#define CMD_START_H

#include "base/attr.h"
#include "role/names.h"
#include "role/settings.h"

#include <stdbool.h>

enum {
	STATUS_OK	= 0,
	STATUS_FAILED	= 1,
	STATUS_USAGE	= 64,
	STATUS_TEMP	= 75,
	STATUS_DENIED	= 77,
	STATUS_CONFIG	= 78,
};

/*
 * Load the settings and open the log.  Mistakes go to the log, one line each,
 * and to standard error when `terminal`.  0, or the exit status to end with.
 * A trace file that cannot be opened is a warning: mail goes on.
 */
int	start(int argc, char **argv, const char *flags, bool terminal,
	    struct settings *s) MUSTUSE;

/* The parts of it: open the log (and the trace file), tell the mistakes. */
void	start_log(const struct settings *s, bool terminal);
void	start_tell(const struct settings *s, bool terminal);
/* One more mistake: CONF_ERROR, popper does not start with it. */
void	start_mistake(bool terminal, enum conf_severity severity,
	    const char *text);
/* Who hears each warning, too, from now on. */
void	start_hear(void (*hear)(const char *text));

/*
 * May these settings be served by this process?  Root and isolation must fit.
 * 0, or the exit status; told as above.
 */
int	start_allowed(const struct settings *s, bool terminal) MUSTUSE;

/* names_to_numbers, or names_of_session; what is wrong with an account is told as
 * above.  0, or the exit status. */
typedef int	names_look_up_fn(struct settings *, struct names *, struct fault *);
int		start_names(struct settings *s, struct names *names,
		    names_look_up_fn *look_up, bool terminal) MUSTUSE;

/* Is WORD among the arguments (what stands behind --config is none)?  It is taken out
 * of argv, then: for words that settings_load does not know. */
bool	start_word(int *argc, char **argv, const char *word);
/* Tell of a mistake in the arguments of popper WORD (NULL: told by getopt),
 * and of its --help.  The exit status. */
int	start_usage(const char *word, const char *why);
/* Tell what popper WORD failed of.  The exit status. */
int	start_complain(const char *word, const struct fault *f);
/* A line of popper WORD's to standard error, in which names of files and words of
 * other hosts may stand: none of them drives the operator's terminal. */
void	start_say(const char *word, const char *text);
/* The same in place, for who writes it elsewhere: control characters, of C1 too, and
 * what is no UTF-8 become question marks. */
void	start_tame(char *text);

#endif

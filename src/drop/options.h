/* SPDX-License-Identifier: ISC */
/* This room's rows of popper.conf.  Floor 2, pure. */
#ifndef DROP_OPTIONS_H
#define DROP_OPTIONS_H

#include "conf/conf.h"

struct drop_settings {
	const char	*maildrop;		/* template of the spool's path */
	bool		 status_headers;	/* write Status: at QUIT */
	unsigned	 lock_timeout_s;
};

extern const struct conf_option	drop_options[];

/*
 * Put the user's name and home folder into a template: %u the name, %1 and %2
 * its first and second character (the second of a name of one is the first
 * again), %h or a leading ~ the home folder, %% a percent sign.
 * False when the path does not fit into cap, when the home folder is wanted
 * and empty, or when the name could climb (it holds a slash or begins with a
 * dot).
 */
bool	drop_path(const char *template, const char *user, const char *home,
	    char *out, size_t cap) MUSTUSE;

#endif

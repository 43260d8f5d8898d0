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

#endif

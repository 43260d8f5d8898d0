/* SPDX-License-Identifier: ISC */
/* This room's rows of popper.conf.  Floor 1, pure. */
#ifndef WATCH_OPTIONS_H
#define WATCH_OPTIONS_H

#include "conf/conf.h"
#include "watch/log.h"

struct log_settings {
	bool		 debug;			/* -d */
	bool		 statistics;		/* -s */
	const char	*trace_file;		/* -t; "" = none */
	enum log_to	 to;
	enum log_form	 form;
	const char	*file;
	const char	*socket;
	const char	*journal;
	int		 facility_word;		/* use log_conf_of */
};

extern const struct conf_option	log_options[];

/* What log_open wants, without the trace file (trace_fd is -1). */
void	log_conf_of(const struct log_settings *s, struct log_conf *out);

#endif

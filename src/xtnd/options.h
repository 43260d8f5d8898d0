/* SPDX-License-Identifier: ISC */
/* This room's rows of popper.conf.  Floor 2, pure. */
#ifndef XTND_OPTIONS_H
#define XTND_OPTIONS_H

#include "conf/conf.h"

struct xtnd_settings {
	const char	*bboards;		/* "" = none */
	bool		 xmit;
	const char	*xmit_command;
	uint64_t	 xmit_max_size;		/* octets of decoded text */
	unsigned	 xmit_rate;		/* messages per user and hour */
	const char	*xmit_sender;		/* "" = virtual users may not */
};

extern const struct conf_option	xtnd_options[];

#endif

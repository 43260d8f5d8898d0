/* SPDX-License-Identifier: ISC */
/* This room's rows of popper.conf.  Floor 2, pure. */
#ifndef DROP_OPTIONS_H
#define DROP_OPTIONS_H

#include "conf/conf.h"

#include <limits.h>

struct drop_settings {
	const char	*maildrop;		/* template of the spool's path */
	const char	*maildrop_else;		/* of a Maildir's; "": none */
	bool		 status_headers;	/* write Status: at QUIT */
	unsigned	 lock_timeout_s;
	int		 temp_maildrop;		/* enum drop_temp */
	const char	*expire;		/* "never", or days */
	bool		 expire_delete;
	int		 expire_clock;		/* enum drop_expire_clock */
};

enum drop_temp {
	TEMP_MAILDROP_AUTO,
	TEMP_MAILDROP_ALWAYS,
};

enum drop_expire_clock {
	EXPIRE_CLOCK_SYNCHRONIZED,
	EXPIRE_CLOCK_ANY,
};

/* As CAPA tells it; NULL: never. */
const char	*drop_expire_told(const struct drop_settings *s) MUSTUSE;
/* EXPIRE_NEVER, or days. */
#define EXPIRE_NEVER	UINT_MAX
unsigned	drop_expire_days(const struct drop_settings *s) MUSTUSE;
/*
 * What is to be deleted at `now` (seconds since 1970): what was delivered before the
 * result (0: nothing), which leaves a day for zones that a From_ line does not tell.
 */
uint64_t	drop_expire_before(const struct drop_settings *s, uint64_t now)
		    MUSTUSE;
/* Nothing of that is, for as long as nobody keeps the clock (clock_is_kept()). */
bool		drop_expire_held(const struct drop_settings *s, bool kept) MUSTUSE;
/* Whatever was retrieved is deleted. */
bool		drop_expires_retrieved(const struct drop_settings *s) MUSTUSE;

extern const struct conf_option	drop_options[];

#endif

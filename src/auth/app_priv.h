/* SPDX-License-Identifier: ISC */
/* What a row of an app password is made of.  Floor 2, private to auth/. */
#ifndef AUTH_APP_PRIV_H
#define AUTH_APP_PRIV_H

#include "auth/app.h"

#define APP_CHARS	20		/* of a password, without the dashes */
#define APP_SALT	16		/* octets */
#define APP_HASH	32
#define APP_DAY_S	86400
#define APP_USED_NAME	"app-used"

/* "2027-01-31"; when that day begins (UTC). */
bool	app_day(struct span text, int64_t *begins_r) MUSTUSE;
bool	app_name_valid(struct span name);
/* False: what to write instead is put into expected. */
bool	app_networks_valid(struct span list, char *expected, size_t cap);
void	app_hash(struct span password, const uint8_t salt[APP_SALT],
	    uint8_t out[APP_HASH]);
void	app_used_set(int fd, uint32_t id, int64_t when);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Networks as the configuration names them: "10.0.0.0/8", "2001:db8::/32", or
 * one address.  Floor 2, pure.
 */
#ifndef AUTH_NETWORK_H
#define AUTH_NETWORK_H

#include "base/attr.h"
#include "base/span.h"
#include "conf/conf.h"
#include "sys/sock.h"

struct network {
	uint8_t		family;		/* 4 or 6 */
	uint8_t		bits;
	uint8_t		raw[16];
};

/* False: what to write instead is put into expected. */
bool	network_read(struct span text, struct network *out, char *expected,
	    size_t cap) MUSTUSE;
/* For a list of the configuration (conf_option.fits). */
bool	network_fits(const char *item, char *expected, size_t cap);

bool	network_has(const struct network *n, const struct sock_addr *a);
/* Is it in one of those?  The list was judged by network_fits. */
bool	networks_have(const struct conf_list *list, const struct sock_addr *a);

#endif

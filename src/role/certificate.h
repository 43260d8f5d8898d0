/* SPDX-License-Identifier: ISC */
/*
 * A line of the option tls_certificate.  Floor 4, pure.
 *
 *	tls_certificate = chain.pem key=private.pem ocsp=response.der
 */
#ifndef ROLE_CERTIFICATE_H
#define ROLE_CERTIFICATE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CERTIFICATE_PATH_MAX	512
#define CERTIFICATE_FILE_MAX	((size_t)65536)	/* octets of each file */

struct certificate_row {
	char	chain[CERTIFICATE_PATH_MAX];
	char	key[CERTIFICATE_PATH_MAX];	/* the chain's file, if not said */
	char	ocsp[CERTIFICATE_PATH_MAX];	/* "": none */
};

/* False: what to write instead is put into expected. */
bool	certificate_read(const char *line, struct certificate_row *out,
	    char *expected, size_t cap) MUSTUSE;
/* Does a name in a certificate mean this host?  RFC 6125 s.6.4: its first label may be
 * an asterisk. */
bool	certificate_names(const char *name, const char *host);
/* How many of CERTIFICATE_WARNINGS are due when it has so many seconds left: those of
 * 21, 7 and 1 days, and that it has expired. */
#define CERTIFICATE_WARNINGS	4u
size_t	certificate_due(int64_t left_s);
/* For the table of options (conf_option.fits). */
bool	certificate_fits(const char *line, char *expected, size_t cap);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * For tests alone: keytabs, and tickets that no KDC has made, of a library that lets
 * whoever has a service's key write into a ticket what he likes.
 */
#ifndef KRB_FORGE_TEST_H
#define KRB_FORGE_TEST_H

#include "base/span.h"

#include <gssapi/gssapi.h>
#include <time.h>

#define FORGE_REALM	"EXAMPLE.ORG"
#define FORGE_SERVICE	"pop/mail.example.org@" FORGE_REALM

struct forged {
	const char	*service;	/* NULL: FORGE_SERVICE */
	struct span	 realm;		/* the client's */
	struct span	 parts[3];	/* of its name */
	int		 n;
	time_t		 starts;	/* seconds from now */
	time_t		 ends;
	unsigned	 kvno;
};

/* One more key in the file.  The same kvno and seed: the same key. */
void		forge_key(const char *path, const char *service, unsigned kvno, int seed);
/* What a client has who got it for that service and kvno, of seed's key.  The caller
 * releases it. */
gss_cred_id_t	forge_ticket(const struct forged *t, int seed);
/* For FORGE_SERVICE, or t's; the caller releases it. */
gss_name_t	forge_target(const char *service);

#endif

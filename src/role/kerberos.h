/* SPDX-License-Identifier: ISC */
/*
 * GSSAPI, on its way between krb/ and a question about a login.  Floor 4; the process that
 * judges tickets.
 */
#ifndef ROLE_KERBEROS_H
#define ROLE_KERBEROS_H

#include "auth/exchange.h"
#include "role/settings.h"
#include "role/tokens.h"

/* In popper serve as tokens are.  Several exchanges are one process's: were each one's
 * its own, few silent clients would keep all others out. */
#define KERBEROS_DB		(TOKENS_DB + 1)
#define KERBEROS_WORKERS	2

struct kerberos {
	const struct krb_ops	*ops;
	struct krb		*k;		/* owns; NULL: not open */
};

/* Opens the module, judges and reads the keytab. */
int	kerberos_open(const struct settings *conf, struct kerberos *out,
	    struct fault *f) MUSTUSE;
/* The same by a process of root's that does nothing else, and ends with its parent: as
 * front_user and in its cage, before it reads what a client says. */
int	kerberos_open_caged(const struct settings *conf, pid_t parent,
	    struct kerberos *out, struct fault *f) MUSTUSE;
void	kerberos_close(struct kerberos *k);

/* An exchange that ends with AUTH_OK when x->q.user is who it is. */
int	kerberos_begin(struct kerberos *k, struct auth_exchange *x,
	    const struct auth_request *q, struct fault *f) MUSTUSE;

#endif

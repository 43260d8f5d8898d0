/* SPDX-License-Identifier: ISC */
/* GSSAPI: the keytab, and what is in it. */
#include "cmd/check_priv.h"

#include "role/kerberos.h"

void
check_gssapi(struct check *c)
{
	struct kerberos	k;
	struct fault	f;

	if (!krb_wanted(&c->s->krb)) {
		if (c->s->krb.realms[0] != '\0')
			check_warn(c, "gssapi_realms",
			    "has no effect without gssapi_keytab");
		return;
	}
	if (kerberos_open(c->s, &k, &f) != 0)
		check_error(c, "gssapi_keytab",
		    "nobody can log in by GSSAPI: %s", f.text);
	else
		kerberos_close(&k);
}

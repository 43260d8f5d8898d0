/* SPDX-License-Identifier: ISC */
/* GSSAPI: the keytab, and what is in it. */
#include "cmd/check_priv.h"

#include "role/kerberos.h"

/* A library that our process need not have from then on. */
static int
open_keytab(const struct check *c, const void *what UNUSED, struct fault *f)
{
	struct kerberos k;

	if (kerberos_open(c->s, &k, f) != 0)
		return -1;
	kerberos_close(&k);
	return 0;
}

void
check_gssapi(struct check *c)
{
	struct fault f;

	if (!krb_wanted(&c->s->krb)) {
		if (c->s->krb.realms[0] != '\0')
			check_warn(c, "gssapi_realms",
			    "has no effect without gssapi_keytab");
		return;
	}
	if (check_in_child(c, open_keytab, NULL, &f) != 0)
		check_error(c, "gssapi_keytab",
		    "nobody can log in by GSSAPI: %s", f.text);
}

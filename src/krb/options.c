/* SPDX-License-Identifier: ISC */
#include "krb/krb.h"

#define AT(member)	offsetof(struct krb_conf, member)

const struct conf_option krb_options[] = {
	{
		.name = "gssapi_keytab", .type = CONF_PATH, .offset = AT(keytab),
		.fallback = "",
		.meaning = "which keytab has the keys of the service pop",
		.man = "A keytab of Kerberos V5 with the keys of the service\n"
		    ".Li pop\n.Pq Li pop/mail.example.org@EXAMPLE.ORG ,\n"
		    "as\n.Li ktadd\nof\n.Xr kadmin 1\nmakes it: all of them that are in "
		    "it are taken, and no others.\n"
		    "When it is set, there is\n.Cm GSSAPI\n(RFC 4752): who has a ticket for "
		    "this service logs in without a password, and the principal without "
		    "its realm is the name of the user.\n"
		    "One with an instance\n.Pq Li ann/admin ,\n"
		    "or of another realm, is nobody's.\n"
		    "Others may not read the file; a new one counts within a "
		    "second.\n"
		    "There is no security layer, nor channel binding: use TLS.\n"
		    "In the clear a client must ask for mutual authentication; curl (7.88) "
		    "does not, and needs TLS.\n"
		    "The neomutt of Debian 12 (20220429) takes\n.Cm GSSAPI\n"
		    "wherever it is offered, and fails without a ticket; there its users set\n"
		    ".Li pop_authenticators=user .",
	},
	{
		.name = "gssapi_realms", .type = CONF_TEXT, .offset = AT(realms),
		.fallback = "",
		.meaning = "of which realms users may be",
		.man = "Words: the realms whose principals are users here; empty: those of "
		    "the keys themselves.\n"
		    "With several, one name stands for the same user in each.",
	},
	{ .name = NULL }
};

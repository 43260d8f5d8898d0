/* SPDX-License-Identifier: ISC */
/*
 * Kerberos V5 as a SASL mechanism: the server's end of GSSAPI (RFC 4752), by MIT's
 * library.  Floor 2.
 *
 * The room's larger half is a module (popper-krb.so): who needs it calls krb_load, before
 * its cage.  `open` reads the keytab into memory, and what else the library reads;
 * from then on nothing is opened, and nobody is asked: a ticket is judged by the key
 * alone.  Not from libgsasl, which does not tell whether the server has had a say in
 * the keys of an exchange, and brings a second library between itself and Kerberos.
 *
 *   client  token (RFC 4121)  --->        its ticket, and that it is its
 *           <---  token                   mutual authentication; none: left out
 *           nothing           --->
 *           <---  wrapped: layers         there is none: octets 1 0 0 0
 *           wrapped: layer    --->        1 0 0 0, and whom to act as
 */
#ifndef KRB_KRB_H
#define KRB_KRB_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/span.h"
#include "conf/conf.h"

#define KRB_ABI		1	/* of struct krb_ops; goes up when it changes */
#define KRB_NAME_MAX	255	/* octets of a user's name */
#define KRB_SERVICE	"pop"	/* RFC 5034 s.4 */

struct krb_conf {
	const char	*keytab;	/* "" = there is no GSSAPI */
	const char	*realms;	/* words; "" = those of the keys */
};

/* Rows of popper.conf for it (options.c, which is not of the module). */
extern const struct conf_option	krb_options[];

static inline bool
krb_wanted(const struct krb_conf *c)
{
	return c->keytab[0] != '\0';
}

enum krb_step {
	KRB_CHALLENGE,			/* *out is for the client */
	KRB_PROVEN,			/* proof has the user's name */
	KRB_REFUSED,			/* proof says why, for the log */
};

struct krb_proof {
	char	user[KRB_NAME_MAX + 1];	/* of a realm of ours, without it; no instance */
	char	why[160];
};

struct krb;
struct krb_exchange;

struct krb_ops {
	unsigned		 abi;
	/* All keys of the service pop, of whatever host; the conf is borrowed.  NULL: there
	 * is none, or the file cannot be read. */
	struct krb		*(*open)(const struct krb_conf *c, struct fault *f);
	void			 (*close)(struct krb *k);
	/*
	 * secret: nobody else hears it.  Else what both have said must make the keys
	 * (mutual authentication, RFC 4121 s.2): otherwise who has heard one exchange
	 * could say it all again.
	 */
	struct krb_exchange	*(*start)(const struct krb *k, bool secret);
	/* in has no bound of its own; *out, empty before, is the caller's. */
	enum krb_step		 (*step)(struct krb_exchange *x, struct span in,
				    struct buf *out, struct krb_proof *proof);
	void			 (*end)(struct krb_exchange *x);
};

/* NULL: there is no such module, or it is another version's.  Opens files. */
const struct krb_ops	*krb_load(struct fault *f);

/* The module's one symbol. */
extern const struct krb_ops	popper_krb;

#endif

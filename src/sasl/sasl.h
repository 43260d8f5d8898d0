/* SPDX-License-Identifier: ISC */
/*
 * SASL mechanisms of several steps (RFC 4422), by libgsasl: the server's end of SCRAM
 * (RFC 5802, RFC 7677).  Floor 1.
 *
 * The room's larger half is a module (popper-sasl.so), opened by who judges passwords
 * and by nobody else: strangers are talked to by processes without it.  It does no
 * input and no output, and meets no database: what is stored it asks for.
 */
#ifndef SASL_SASL_H
#define SASL_SASL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/span.h"

#define SASL_ABI	2		/* of struct sasl_ops; goes up when it changes */
#define SASL_NAME_MAX	256		/* octets of a prepared name, with its NUL */

enum sasl_hash { SASL_SHA_1, SASL_SHA_256 };
#define SASL_HASH_MAX	32		/* octets */
#define SASL_SALT_MAX	64
#define SASL_SALT	16		/* octets of one that we make */
#define SASL_ITERATIONS	4096		/* likewise; RFC 7677 s.4 */

/* What is stored in place of a password (RFC 5802 s.3). */
struct sasl_scram {
	unsigned	iterations;
	size_t		salt_n;
	uint8_t		salt[SASL_SALT_MAX];
	uint8_t		stored[SASL_HASH_MAX];
	uint8_t		server[SASL_HASH_MAX];
};

struct sasl_setup {
	enum sasl_hash	 hash;
	bool		 plus;		/* -PLUS */
	struct span	 exporter;	/* channel bindings that there are; empty */
	struct span	 unique;
	/*
	 * What is stored of this user, whose name is prepared (RFC 4013); always
	 * something, were it made up: one like any other until the last step.  keys:
	 * else iterations and salt will do.  False: fail at once.
	 */
	bool		(*stored)(void *ctx, const char *user, bool keys,
			    struct sasl_scram *out);
	void		*ctx;
};

enum sasl_step {
	SASL_CHALLENGE,			/* *out is for the client */
	SASL_PROVEN,			/* likewise, if he may know that he was right:
					   our last word, which he answers by nothing */
	SASL_DONE,			/* that was the right answer */
	SASL_WRONG,			/* it was not */
	SASL_MALFORMED,			/* it was none at all */
	SASL_ERROR,			/* ours: no memory, no chance */
};

struct sasl;

struct sasl_ops {
	unsigned	 abi;
	struct sasl	*(*start)(const struct sasl_setup *s, struct fault *f);
	/* in has no bound of its own; *out, empty before, is the caller's. */
	enum sasl_step	 (*step)(struct sasl *x, struct span in, struct buf *out);
	void		 (*end)(struct sasl *x);
	/* stored and server, from what else is in *io; password is prepared here.
	 * False: it cannot be. */
	bool		 (*keys)(enum sasl_hash hash, struct span password,
			    struct sasl_scram *io);
};

/* What the module is opened for, before a cage (sys/module.h). */
extern const struct sasl_ops	popper_sasl;

static inline size_t
sasl_hash_size(enum sasl_hash h)
{
	return h == SASL_SHA_1 ? 20 : 32;
}

#endif

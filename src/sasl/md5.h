/* SPDX-License-Identifier: ISC */
/*
 * The digests of sasl/digest.h.  Floor 1.  A module (popper-md5.so), opened by who
 * judges passwords where recoverable_secrets are on, and by nobody else: libgsasl
 * tells its MD5 to nobody, and OpenSSL's is not worth loading for those who have none.
 */
#ifndef SASL_MD5_H
#define SASL_MD5_H

#include "base/attr.h"
#include "base/span.h"
#include "sasl/digest.h"

#define SASL_MD5_ABI	1

struct sasl_md5_ops {
	unsigned	 abi;
	/*
	 * Before the cage: what is loaded once.  False: MD5 cannot be had (a host
	 * may forbid it), nor by the next two.
	 */
	bool		(*prepare)(void);
	/* Text without a NUL.  False: it could not be made. */
	bool		(*apop)(struct span stamp, struct span secret,
			    char out[SASL_MD5_TEXT]);
	bool		(*cram)(struct span stamp, struct span secret,
			    char out[SASL_MD5_TEXT]);
};

/* What the module is opened for (sys/module.h). */
extern const struct sasl_md5_ops	popper_md5;

#endif

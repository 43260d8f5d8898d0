/* SPDX-License-Identifier: ISC */
/*
 * Names and passwords in UTF-8, brought into one form before they are compared
 * (SASLprep, RFC 4013, with Unicode 3.2), by libidn.  Floor 1, pure.
 *
 * A module (popper-prep.so), opened where `utf8_user` is set, by who reads names and
 * by who judges them.
 */
#ifndef SASL_PREP_H
#define SASL_PREP_H

#include "base/attr.h"
#include "base/span.h"

#define PREP_ABI	1		/* of struct prep_ops; goes up when it changes */
#define PREP_MAX	512		/* octets, before and after */

enum prep_what {
	PREP_NAME,			/* of characters that Unicode 3.2 knows */
	PREP_PASSWORD,			/* as it is said: others stay as they are */
	PREP_PASSWORD_KEPT,		/* as it is stored: there are none */
};

struct prep_ops {
	unsigned	abi;
	/*
	 * What is ASCII comes out as it went in.  False: it is no UTF-8, has a
	 * character that none of these may have, goes from right to left and also
	 * not, or is longer than cap then; *n_r is 0.  in has no NUL.
	 */
	bool		(*prepare)(enum prep_what what, struct span in,
			    uint8_t *out, size_t cap, size_t *n_r);
};

/* What the module is opened for, before a cage (sys/module.h). */
extern const struct prep_ops	popper_prep;

#endif

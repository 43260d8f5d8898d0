/* SPDX-License-Identifier: ISC */
/* SASLprep by libidn, which has the tables and looks at UTF-8 itself. */
#include "sasl/prep.h"

#include <stringprep.h>
#include <string.h>

static bool
by_libidn(enum prep_what what, struct span in, char text[PREP_MAX + 1])
{
	Stringprep_profile_flags flags = what == PREP_PASSWORD ? 0 :
	    STRINGPREP_NO_UNASSIGNED;

	return span_cstr(in, text, PREP_MAX + 1) && stringprep(text, PREP_MAX + 1,
	    flags, stringprep_saslprep) == STRINGPREP_OK;
}

static bool
prepare(enum prep_what what, struct span in, uint8_t *out, size_t cap,
    size_t *n_r)
{
	char	text[PREP_MAX + 1];
	bool	ascii = span_is_ascii(in);
	bool	good = ascii || by_libidn(what, in, text);
	size_t	n = ascii ? in.n : good ? strlen(text) : 0;

	good = good && n <= cap;
	if (good && n > 0)
		memcpy(out, ascii ? (const void *)in.p : text, n);
	if (!ascii)
		explicit_bzero(text, sizeof(text));
	*n_r = good ? n : 0;
	return good;
}

const struct prep_ops popper_prep = {
	.abi = PREP_ABI,
	.prepare = prepare,
};

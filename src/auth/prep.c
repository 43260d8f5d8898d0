/* SPDX-License-Identifier: ISC */
#include "auth/prep.h"

#include "sys/module.h"

#include <assert.h>

static_assert(PREP_MAX >= SECRET_MAX && PREP_MAX >= IDENTITY_USER_MAX,
    "room for each");

static const struct prep_ops *library;

int
prep_open(const struct auth_conf *c, struct fault *f)
{
	library = NULL;
	if (!c->utf8_user)
		return 0;
	library = module_symbol("popper-prep.so", "popper_prep", f);
	if (library == NULL)
		return fault_prefix(f, "utf8_user: ");
	if (library->abi == PREP_ABI)
		return 0;
	library = NULL;
	return fault_set(f, FAULT_PERM,
	    "utf8_user: popper-prep.so is of another version of popper");
}

const struct prep_ops *
prep_library(void)
{
	return library;
}

bool
prep_is_name(struct span name)
{
	uint8_t	made[IDENTITY_USER_MAX];
	size_t	n;

	return library != NULL && library->prepare(PREP_NAME, name, made,
	    sizeof(made), &n) && span_eq(span_of(made, n), name);
}

bool
prep_password(struct secret *x, bool stored)
{
	UNZEROED struct secret	made;
	bool			good = true;

	if (library == NULL || span_is_ascii(secret_span(x)))
		return true;
	good = library->prepare(stored ? PREP_PASSWORD_KEPT : PREP_PASSWORD,
	    secret_span(x), made.b, sizeof(made.b), &made.n);
	if (good)
		*x = made;
	secret_wipe(&made);
	return good;
}

void
prep_name(const char *said, char out[IDENTITY_USER_MAX + 1])
{
	uint8_t	made[IDENTITY_USER_MAX];
	size_t	n;
	bool	good = library != NULL && library->prepare(PREP_NAME,
		    span_str(said), made, sizeof(made), &n);

	ASSERT(span_cstr(good ? span_of(made, n) : span_str(said), out,
	    IDENTITY_USER_MAX + 1));
}

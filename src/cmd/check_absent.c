/* SPDX-License-Identifier: ISC */
/*
 * What the configuration names and is not there, or cannot be used.
 */
#include "cmd/check.h"

#include "cmd/check_priv.h"
#include "cmd/foresee.h"
#include "sys/identity.h"

static void
absent_databases(struct check *c)
{
	struct fault f;

	if (foresee_databases(c->s, &f) != 0)
		check_error(c, "auth", "%s", f.text);
}

int
check_absent(const struct settings *s, enum check_when when, bool terminal,
    struct fault *f)
{
	struct identity	own;
	struct check	c = {
		.s = s, .terminal = terminal, .spares = when == CHECK_START,
		.root = identity_is_root(),
	};

	identity_own(&own);
	c.uid = own.uid;
	absent_databases(&c);
	check_pam(&c);
	check_token_files(&c);
	check_gssapi(&c);
	check_deny(&c);
	/* All can log in without these. */
	c.spares = true;
	check_folders(&c);
	check_bulletins(&c);
	check_boards(&c);
	return c.errors == 0 ? 0 : fault_set(f, FAULT_PERM, "%s", c.first);
}

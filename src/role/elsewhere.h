/* SPDX-License-Identifier: ISC */
/*
 * Who was served from the Maildir of `maildrop_else`: an empty file for each such
 * user, in state_dir/maildirs.  So it is known without a look into anybody's home
 * whose mail would vanish from sight when a spool of his appears.  Floor 4; the
 * privileged side.
 */
#ifndef ROLE_ELSEWHERE_H
#define ROLE_ELSEWHERE_H

#include "base/attr.h"
#include "base/fault.h"
#include "role/settings.h"

/* user: of an identity, which is a file's name.  Unsure: no. */
bool	elsewhere_is_noted(const struct role_settings *c, const char *user);
int	elsewhere_note(const struct role_settings *c, const char *user,
	    struct fault *f) MUSTUSE;
int	elsewhere_forget(const struct role_settings *c, const char *user,
	    struct fault *f) MUSTUSE;
/* Each of them, until fn says false.  That there is none is no error. */
int	elsewhere_each(const struct role_settings *c,
	    bool (*fn)(void *ctx, const char *user), void *ctx, struct fault *f)
	    MUSTUSE;

#endif

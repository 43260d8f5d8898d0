/* SPDX-License-Identifier: ISC */
/*
 * The path of a user's maildrop, from the template in popper.conf (`maildrop`).
 * Floor 2, pure.
 */
#ifndef DROP_PATH_H
#define DROP_PATH_H

#include "base/attr.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * %u the user's name, %1 and %2 its first and second character ('_' when it
 * has none: for hashed spools), %h the home folder, %% a percent sign; "~" or
 * "~/" at the start is the home folder, too.  FAULT_PERM: an unknown letter; a
 * user name that is no file name (empty, with '/', beginning with '.'); no
 * home where one is wanted; a result that does not fit.
 * What says that it is a Maildir is left out: see drop_path_is_maildir.
 */
int	drop_path_expand(const char *template, const char *user,
	    const char *home, char *out, size_t cap, struct fault *f) MUSTUSE;

/*
 * Does the template say that it is a Maildir: "maildir:PATH", as Dovecot writes it,
 * or a slash at its end, as Postfix and procmail do?
 */
#define DROP_PATH_MAILDIR	"maildir:"
bool	drop_path_is_maildir(const char *template);

/*
 * The folder below which the maildrops of all users lie: what the template has before
 * the first part of a path that names a user.  False: they lie at home, or it does not
 * fit.
 */
bool	drop_path_common(const char *template, char *out, size_t cap);

#endif

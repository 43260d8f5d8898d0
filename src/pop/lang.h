/* SPDX-License-Identifier: ISC */
/* The command LANG, which is one in both states (RFC 6856 s.3).  Floor 3, pure. */
#ifndef POP_LANG_H
#define POP_LANG_H

#include "base/buf.h"
#include "proto/command.h"
#include "proto/lang.h"

/*
 * Answer it: change *lang, or list what there is.  preferred: what "*" stands for.
 * False, and nothing said, when that language is not spoken here.
 */
bool	lang_command(const struct command *cmd, uint8_t preferred, uint8_t *lang,
	    struct buf *out);

#endif

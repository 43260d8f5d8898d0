/* SPDX-License-Identifier: ISC */
/*
 * Replies into a buffer whose room was made sure of before the command was
 * taken: so that a full buffer is our own mistake, not an error to pass on.
 * Floor 3, pure.
 */
#ifndef POP_SAY_H
#define POP_SAY_H

#include "base/attr.h"
#include "proto/reply.h"

/* What must be free in the output before a line is handled. */
#define SAY_ROOM	2048

#define POPPER_IDENT	"popper " POPPER_VERSION

#define SAY_OK(out, ...)	ASSERT(reply_ok((out), __VA_ARGS__) == 0)
#define SAY_OK_XCLIENT(out, ...) \
	ASSERT(reply_ok_xclient((out), __VA_ARGS__) == 0)
#define SAY_ERR(out, code, ...)	ASSERT(reply_err((out), (code), __VA_ARGS__) == 0)
#define SAY_ERR_TEXT(out, code, text) \
	ASSERT(reply_err_text((out), (code), (text)) == 0)
#define SAY_LINE(out, ...)	ASSERT(reply_line((out), __VA_ARGS__) == 0)
#define SAY_END(out)		ASSERT(reply_end(out) == 0)
#define SAY_FAULT(out, f)	ASSERT(reply_fault((out), (f)) == 0)

#endif

/* SPDX-License-Identifier: ISC */
/*
 * What an operator wants to publish, put into mailbox form.  Floor 2, pure.
 */
#ifndef BULL_COMPOSE_H
#define BULL_COMPOSE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/span.h"

#include <time.h>

/*
 * Append the message to out: a From_ line of this time when it has none, body
 * lines that begin with "From " quoted, a line end and a blank line at its end.
 * -1: FAULT_PROTO (nothing that looks like a header, no From: and no Subject:,
 * a control character in the header, more than one message in mailbox form),
 * FAULT_LIMIT (out is full).
 */
int	bull_compose(struct span message, time_t now, struct buf *out,
	    struct fault *f) MUSTUSE;

/* The Subject: as it stands (its first line), "" when there is none. */
struct span	bull_subject(struct span message);

/*
 * The name of the file: the number, and what of the title a file name can
 * bear, e.g. "23.pophost_down_sunday".
 */
#define BULL_NAME_MAX	64
void	bull_file_name(uint64_t number, struct span title,
	    char out[BULL_NAME_MAX]);

#endif

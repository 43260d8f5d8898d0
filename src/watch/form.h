/* SPDX-License-Identifier: ISC */
/*
 * How an event looks on its way out: the text line, one JSON object, or
 * journald's native datagram.  Not who takes it (log.c), and not how values
 * are escaped and cut: that has been done when the line was made, once for all
 * forms.  Floor 1, pure; this room's own.
 */
#ifndef WATCH_FORM_H
#define WATCH_FORM_H

#include "watch/log.h"

#include <assert.h>
#include <time.h>

/*
 * Any line in any form.  Of a line's text (LOG_LINE_MAX) JSON makes at most
 * 5/4, since only a backslash grows; the journal has it twice, with 17 octets
 * more for each field.
 */
#define FORM_MAX	5120
static_assert(FORM_MAX > 2 * LOG_LINE_MAX + 24 * LOG_PARTS_MAX + 400, "room");

struct form_facts {
	struct timespec	now;
	int		pid;
	int		facility;
};

/* As it goes out. */
struct wire {
	size_t	n;
	size_t	body;		/* where it begins for a file */
	char	b[FORM_MAX + 1];	/* a NUL may follow */
};

/* RFC 3164 s.4.1 without the host name, as glibc writes to /dev/log. */
void	form_text(struct wire *w, const struct log_line *l,
	    const struct form_facts *facts);
/* The same stamp; what a file gets begins at the object. */
void	form_json(struct wire *w, const struct log_line *l,
	    const struct form_facts *facts);
/* systemd's "Native Journal Protocol"; a whole datagram. */
void	form_journal(struct wire *w, const struct log_line *l,
	    const struct form_facts *facts);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A message that the benchmark has laid, as it comes behind +OK of RETR: its
 * octets can be told for any number of messages from a few patterns.  Pure.
 */
#ifndef BENCH_MAIL_H
#define BENCH_MAIL_H

#include "base/attr.h"
#include "base/span.h"

/* In a pattern the message's number stands here, from 1, with leading zeros. */
#define MAIL_MARK	"#######"
#define MAIL_MARK_N	(sizeof(MAIL_MARK) - 1)
#define MAIL_COUNT_MAX	9999999
#define MAIL_END	".\r\n"

struct mail {
	struct span	 text;		/* borrows; stuffed, without the last
					   line that is a dot alone */
	size_t		*marks;		/* owns; where they begin, ascending */
	size_t		 marks_n;
	size_t		 head;		/* octets of the header and the blank
					   line behind it */
	uint64_t	 octets;	/* as LIST tells them: not stuffed */
};

/* wire is borrowed for the life of m, and ends with MAIL_END; false when it
 * does not, or has no blank line. */
bool	mail_init(struct mail *m, struct span wire) MUSTUSE;
void	mail_fini(struct mail *m);

/* How many octets of `came` are those of message `index` (0..) from `at` on,
 * of its first `upto`. */
size_t	mail_agrees(const struct mail *m, size_t index, size_t at, size_t upto,
	    struct span came);

/* The first n octets of message `index` into out. */
void	mail_write(const struct mail *m, size_t index, size_t n, uint8_t *out);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Between the files of this room: one line of a configuration file taken
 * apart, one value made into what its option's type says, and the search for
 * the name that was meant.  Floor 1, pure.
 */
#ifndef CONF_CONF_PRIV_H
#define CONF_CONF_PRIV_H

#include "conf/conf.h"

#define CONF_NAME_MAX	63		/* octets of a name or a block's word */
#define CONF_VALUE_MAX	4095		/* octets of a value */

enum line_kind {
	LINE_BLANK,			/* or a comment */
	LINE_ROW,			/* key = value */
	LINE_OPEN,			/* key value { */
	LINE_CLOSE,			/* } */
	LINE_BAD,			/* bad says why, and what to write */
};

struct line_parts {
	enum line_kind	 kind;
	char		 key[CONF_NAME_MAX + 1];
	char		 value[CONF_VALUE_MAX + 1];
	const char	*bad;
};

/* line is without its LF. */
void	line_take_apart(struct span line, struct line_parts *out);

/*
 * Make value into row's type at `field`, and check its range.  Strings are
 * copied by `keep`.  NULL, or what was expected ("a whole number from 1 to 9").
 */
struct value_place {
	void		*field;
	const char	*folder;	/* for relative paths; "" = as it is */
	const char	*(*keep)(void *ctx, const char *folder, const char *text);
	void		*ctx;
	bool		 add;		/* lists: behind what is there */
	unsigned	 line;		/* lists: of the file */
};
/* The text is put into `expected` when it returns false; field is untouched. */
bool	value_set(const struct conf_option *row, const char *value,
	    const struct value_place *where, char *expected, size_t cap);

/* How many single-letter slips lie between a and b, case ignored; a swap of
 * neighbours is one.  Names longer than CONF_NAME_MAX are far from anything. */
unsigned	suggest_distance(const char *a, const char *b);
/* Is `a` close enough to b that b was probably meant? */
bool	suggest_close(unsigned distance, const char *b);

#endif
